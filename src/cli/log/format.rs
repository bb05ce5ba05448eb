//! One event as one line. Whatever a value contains, it cannot end the line, look like another field or reach the terminal.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::CAUSED_BY_OTHERS;
use crate::base::{Clock, SECURITY};

/// How an event is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `LEVEL Sentence. name=value name="other value"`.
    Text,
    /// One JSON object.
    Json,
}

/// The format of the log.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    pub style: Style,
    /// Each line begins with its priority for the journal, which has a time of its own.
    pub has_priority: bool,
}

/// What a line says about its importance: the word, and the priority of syslog (RFC 5424, 6.2.1).
fn importance(metadata: &Metadata<'_>, target: &str) -> (&'static str, u8) {
    if CAUSED_BY_OTHERS.iter().any(|name| target.starts_with(name)) {
        return ("DEBUG", 7);
    }
    match *metadata.level() {
        Level::ERROR => ("ERROR", 3),
        Level::WARN => ("WARN", 4),
        Level::INFO if target == SECURITY => ("NOTICE", 5),
        Level::INFO => ("INFO", 6),
        Level::DEBUG | Level::TRACE => ("DEBUG", 7),
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let (word, priority) = importance(metadata, fields.target.as_deref().unwrap_or(metadata.target()));
        if self.has_priority {
            write!(writer, "<{priority}>")?;
        }
        // A new clock, because this one says what the clock of the machine says, also after it was set.
        let time = if self.has_priority { String::new() } else { Clock::system().now().rfc3339() };
        match self.style {
            Style::Json => writeln!(writer, "{}", fields.into_json(time, word)),
            Style::Text => {
                let colour = if writer.has_ansi_escapes() { colour_of(priority) } else { "" };
                let end = if colour.is_empty() { "" } else { "\x1b[0m" };
                if !time.is_empty() {
                    write!(writer, "{time} ")?;
                }
                // The journal shows the priority in its own way.
                if !self.has_priority {
                    write!(writer, "{colour}{word}{end} ")?;
                }
                writeln!(writer, "{}", fields.into_text())
            }
        }
    }
}

fn colour_of(priority: u8) -> &'static str {
    match priority {
        3 => "\x1b[31m",
        4 => "\x1b[33m",
        5 | 6 => "\x1b[32m",
        _ => "\x1b[2m",
    }
}

/// The sentence of an event and its fields, in their order.
#[derive(Default)]
struct Fields {
    sentence: String,
    values: Vec<(&'static str, Value)>,
    /// Of an event of a library that uses the crate `log`.
    target: Option<String>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        if !field.name().starts_with("log.") && field.name() != "message" {
            self.values.push((field.name(), value));
        }
    }

    fn add_text(&mut self, field: &Field, text: &str) {
        if field.name() == "message" {
            self.sentence = without_addresses(text);
        } else if field.name() == "log.target" {
            self.target = Some(text.to_owned());
        } else {
            self.add(field, Value::String(without_addresses(text)));
        }
    }

    fn into_text(self) -> String {
        let mut text = String::new();
        push_escaped(&mut text, &self.sentence);
        for (name, value) in self.values {
            let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = write!(text, " {name}=");
            let is_bare = |c: char| c.is_ascii_alphanumeric() || "._:/+-,@()[]{}<>#%&?*~".contains(c);
            if !plain.is_empty() && plain.chars().all(is_bare) {
                text.push_str(&plain);
            } else {
                text.push('"');
                push_escaped(&mut text, &plain.replace('\\', "\\\\").replace('"', "\\\""));
                text.push('"');
            }
        }
        text
    }

    /// `time`: empty in the journal.
    fn into_json(self, time: String, word: &str) -> Value {
        let mut object = Map::new();
        if !time.is_empty() {
            object.insert("time".into(), Value::String(time));
        }
        object.insert("level".into(), Value::String(word.to_ascii_lowercase()));
        object.insert("message".into(), Value::String(self.sentence));
        for (name, value) in self.values {
            // A field never replaces one of the three above.
            let name = if object.contains_key(name) { format!("field_{name}") } else { name.to_owned() };
            object.insert(name, value);
        }
        Value::Object(object)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add_text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_text(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}

/// Adds a text in which nothing ends a line, moves the cursor or changes the direction of writing.
fn push_escaped(to: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            c if c.is_control() || is_invisible(c) => {
                let _ = write!(to, "\\u{{{:x}}}", u32::from(c));
            }
            c => to.push(c),
        }
    }
}

/// Ends of lines and paragraphs, directions and marks that cannot be seen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Replaces e-mail addresses, and URLs with a password: a log has no personal data and no secret. Our own lines have none;
/// this is for the sentences of libraries and of other machines.
fn without_addresses(text: &str) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    let is_end = |c: char| c.is_whitespace() || "\"'<>(),;".contains(c);
    let mut shown = String::with_capacity(text.len());
    for part in text.split_inclusive(is_end) {
        let word = part.trim_end_matches(is_end);
        let is_address = word.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        shown.push_str(if is_address { "[address]" } else { word });
        shown.push_str(&part[word.len()..]);
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(style: Style, has_priority: bool, log: impl FnOnce()) -> String {
        let written = Written::default();
        let to = written.clone();
        let lines = Lines { style, has_priority };
        let log_to = tracing_subscriber::fmt().with_writer(move || to.clone()).with_ansi(false).event_format(lines);
        let subscriber = log_to.with_max_level(Level::DEBUG).finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn one_event_is_one_line_and_no_value_looks_like_another_field() {
        let forged = "x\nERROR A write failed.\r\u{2028}\u{1b}[31m\u{202e} a=\"b\" \\";

        let text = logged(Style::Text, true, || tracing::warn!(path = forged, n = 5, good = true, "It {forged}"));

        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(text.starts_with("<4>It x\\nERROR"), "{text}");
        assert!(
            text.contains(r#" path="x\nERROR A write failed.\r\u{2028}\u{1b}[31m\u{202e} a=\"b\" \\" n=5 good=true"#),
            "{text}"
        );
        assert!(!text.contains(['\u{1b}', '\r', '\u{2028}', '\u{202e}']));
    }

    #[test]
    fn json_has_the_same_on_one_line() {
        let text = logged(Style::Json, false, || tracing::info!(level = "x\ny", n = 5, "It works."));
        let object: Value = serde_json::from_str(&text).unwrap();

        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert_eq!((object["level"].as_str(), object["message"].as_str()), (Some("info"), Some("It works.")));
        assert_eq!((object["field_level"].as_str(), object["n"].as_u64()), (Some("x\ny"), Some(5)));
        assert!(object["time"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn priorities_are_those_of_syslog() {
        let first = |log: fn()| logged(Style::Text, true, log)[..3].to_owned();

        assert_eq!(first(|| tracing::error!("a")), "<3>");
        assert_eq!(first(|| tracing::warn!("a")), "<4>");
        assert_eq!(first(|| tracing::info!(target: SECURITY, "a")), "<5>");
        assert_eq!(first(|| tracing::info!("a")), "<6>");
        assert_eq!(first(|| tracing::debug!("a")), "<7>");
        assert_eq!(first(|| tracing::error!(target: "actix_http::h1", "a")), "<7>");
    }

    #[test]
    fn addresses_and_passwords_are_left_out() {
        let sentence = "550 <ada@example.org>: no; see smtp://name:pass@relay.example.org:25 at @home";

        let text = logged(Style::Text, true, || tracing::warn!(cause = sentence, "Mail to ada@example.org failed."));

        assert!(!text.contains("ada") && !text.contains("pass") && text.contains("at @home"), "{text}");
        assert_eq!(text.matches("[address]").count(), 3, "{text}");
    }
}
