//! The one table: ours, what it is compared with, the bar.

/// A row.
pub struct Row {
    pub what: String,
    pub ours: String,
    pub beside: String,
    pub figure: String,
    pub bar: &'static str,
    /// `None`: there is no bar for it.
    pub reaches: Option<bool>,
}

impl Row {
    /// A row with a figure, held against a bar.
    pub fn new(what: impl Into<String>, figure: impl Into<String>, bar: &'static str, reaches: bool) -> Self {
        Self {
            what: what.into(),
            ours: String::new(),
            beside: String::new(),
            figure: figure.into(),
            bar,
            reaches: Some(reaches),
        }
    }

    /// A row for information.
    pub fn plain(what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self { reaches: None, ..Self::new(what, figure, "", true) }
    }

    /// Says how ours was measured.
    pub fn ours(mut self, ours: impl Into<String>) -> Self {
        self.ours = ours.into();
        self
    }

    /// Says what it is compared with.
    pub fn beside(mut self, beside: impl Into<String>) -> Self {
        self.beside = beside.into();
        self
    }
}

const HEADS: [&str; 6] = ["what", "ours", "beside it", "figure", "bar", ""];

/// Prints the rows in columns as wide as they need.
pub fn print(rows: &[Row]) {
    let mark = |row: &Row| match row.reaches {
        Some(true) => "ok",
        Some(false) => "BELOW",
        None => "",
    };
    let cells: Vec<[&str; 6]> = std::iter::once(HEADS)
        .chain(rows.iter().map(|row| {
            [row.what.as_str(), row.ours.as_str(), row.beside.as_str(), row.figure.as_str(), row.bar, mark(row)]
        }))
        .collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    for (number, row) in cells.iter().enumerate() {
        let line: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count()))))
            .collect();
        println!("{}", line.join("  ").trim_end());
        if number == 0 {
            println!("{}", "-".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)));
        }
    }
}

/// The middle value; of an even number, the upper of the two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// A number with its thousands apart.
pub fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
