//! What a command prints: its result on stdout, everything else on stderr. Nothing here panics: std's macros would, when
//! the reader of a pipe has gone or the disk is full.

use std::io::{ErrorKind, IsTerminal, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;

use super::arguments::Common;
use super::failure::Failure;
use crate::app::App;
use crate::base::Problem;
use crate::db::{self, Tx};

/// How long a reader of stdout may not read while a secret waits for it: the database is locked meanwhile.
const READER_WAITS_SECONDS: i64 = 2;

/// Prints a line of the result.
macro_rules! out {
    ($($text:tt)*) => { $crate::cli::output::print(&format!($($text)*)) };
}

/// Prints a line for the person at the terminal.
macro_rules! tell {
    ($($text:tt)*) => { $crate::cli::output::say(&format!($($text)*)) };
}

pub(super) use {out, tell};

/// Prints a text and a line end on stdout.
///
/// # Errors
/// [`Failure::closed_pipe`] when nobody reads any more; a sentence for other errors.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    write_line(text).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::closed_pipe(),
        _ => cannot_write(&error, "The command itself has done its work."),
    })
}

/// Prints a text and a line end on stderr. An error changes nothing, because the work goes on.
pub(super) fn say(text: &str) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Prints the result as JSON or as text, as the person chose.
///
/// # Errors
/// Those of [`print`].
pub(super) fn result(common: &Common, json: &Value, text: &str) -> Result<(), Failure> {
    print(&if common.json { json.to_string() } else { text.to_owned() })
}

/// How often something was tried, in words.
pub(super) fn times(count: u32) -> String {
    match count {
        0 => "not yet".to_owned(),
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// Prints bytes on stdout. Answers the error itself, because what it means depends on the bytes.
pub(super) fn write_bytes(bytes: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn write_line(text: &str) -> std::io::Result<()> {
    write_bytes(format!("{text}\n").as_bytes())
}

fn cannot_write(error: &std::io::Error, what: &str) -> Failure {
    Failure::refused(format!("the result could not be written: {error}. {what}")).with_code("output_failed")
}

/// The error of [`issue`].
enum Refusal {
    Operation(Problem),
    Output(std::io::Error),
}

impl From<db::Error> for Refusal {
    fn from(error: db::Error) -> Self {
        Self::Operation(error.into())
    }
}

/// Makes a secret, and prints it before the transaction ends: if it cannot be printed, it was never made. The reader of a
/// pipe that does not read must not lock the database, so it is not waited for long.
///
/// # Errors
/// Those of `make`; a sentence when the secret could not be printed.
pub(super) fn issue<T: Send + 'static, E>(
    app: &App,
    make: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    show: impl FnOnce(&T) -> String + Send + 'static,
) -> Result<T, Failure>
where
    E: Send + 'static,
    Problem: From<E>,
{
    let made = app.store().write_blocking(move |tx| {
        let made = make(tx).map_err(|error| Refusal::Operation(error.into()))?;
        write_soon(&show(&made)).map_err(Refusal::Output)?;
        Ok(made)
    });
    made.map_err(|refusal| match refusal {
        Refusal::Operation(problem) => problem.into(),
        Refusal::Output(error) => cannot_write(&error, "It is secret, so it was not made, and nothing was changed."),
    })
}

/// Prints a line if stdout takes it soon.
fn write_soon(text: &str) -> std::io::Result<()> {
    let stdout = std::io::stdout();
    let mut waiting = [PollFd::new(&stdout, PollFlags::OUT)];
    let longest = Timespec { tv_sec: READER_WAITS_SECONDS, tv_nsec: 0 };
    if poll(&mut waiting, Some(&longest))? == 0 {
        return Err(ErrorKind::TimedOut.into());
    }
    write_line(text)
}

/// A list: at a terminal a table with a header; elsewhere one line for each row, with tabs between the fields and without
/// a header, for cut and awk.
pub(super) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub(super) fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    /// Adds a row. What would break a line or move the cursor of a terminal becomes a space.
    pub(super) fn row<const N: usize>(&mut self, fields: [String; N]) {
        let one_line = |field: String| field.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.rows.push(fields.into_iter().map(one_line).collect());
    }

    /// Prints all rows.
    ///
    /// # Errors
    /// Those of [`print`].
    pub(super) fn print(&self) -> Result<(), Failure> {
        let text = if std::io::stdout().is_terminal() { self.aligned() } else { self.with_tabs() };
        if text.is_empty() { Ok(()) } else { print(&text) }
    }

    fn with_tabs(&self) -> String {
        self.rows.iter().map(|row| row.join("\t")).collect::<Vec<_>>().join("\n")
    }

    fn aligned(&self) -> String {
        let header: Vec<String> = self.header.iter().map(|name| name.to_uppercase()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&header).chain(&self.rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let aligned = lines.iter().map(|line| {
            let fields = line.iter().zip(&widths).map(|(field, width)| format!("{field:<width$}"));
            fields.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        });
        aligned.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_for_people_and_separated_by_tabs_for_programs() {
        let mut table = Table::new(&["name", "state"]);
        table.row(["training".into(), "active".into()]);
        table.row(["a\tb\u{1b}".into(), String::new()]);

        assert_eq!(table.aligned(), "NAME      STATE\ntraining  active\na b");
        assert_eq!(table.with_tabs(), "training\tactive\na b \t");
    }
}
