//! The table of results.

/// A row of the table.
pub struct Row {
    pub what: String,
    pub ours: String,
    pub compared_with: String,
    pub figure: String,
    /// The requirement for the figure.
    pub bar: &'static str,
    /// `None`: there is no requirement.
    pub reaches: Option<bool>,
}

impl Row {
    /// A row with a figure and a requirement.
    pub fn new(what: impl Into<String>, figure: impl Into<String>, bar: &'static str, reaches: bool) -> Self {
        Self {
            what: what.into(),
            ours: String::new(),
            compared_with: String::new(),
            figure: figure.into(),
            bar,
            reaches: Some(reaches),
        }
    }

    /// A row without a requirement.
    pub fn plain(what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self { reaches: None, ..Self::new(what, figure, "", true) }
    }

    /// Adds the measurement of our server.
    pub fn ours(mut self, ours: impl Into<String>) -> Self {
        self.ours = ours.into();
        self
    }

    /// Adds the measurement that ours is compared with.
    pub fn compared_with(mut self, other: impl Into<String>) -> Self {
        self.compared_with = other.into();
        self
    }
}

const HEADS: [&str; 6] = ["what", "ours", "compared with", "figure", "bar", ""];

/// Prints the rows in aligned columns.
pub fn print(rows: &[Row]) {
    let verdict = |row: &Row| match row.reaches {
        Some(true) => "ok",
        Some(false) => "BELOW",
        None => "",
    };
    let cells: Vec<[&str; 6]> = std::iter::once(HEADS)
        .chain(rows.iter().map(|row| {
            [
                row.what.as_str(),
                row.ours.as_str(),
                row.compared_with.as_str(),
                row.figure.as_str(),
                row.bar,
                verdict(row),
            ]
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

/// The median; for an even number of values, the upper one of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// A number with thousands separators.
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
