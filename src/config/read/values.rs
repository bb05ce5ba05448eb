//! Reads single settings and records their faults.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use super::super::durations::parse_duration;
use super::super::raw::{Entry, Origin, RawValue, Setting};
use super::Reader;
use crate::base::{Credits, Secret};

impl Reader {
    pub(super) fn take(&mut self, key: &str) -> Option<Setting> {
        self.known.push(key.to_owned());
        self.raw.settings.remove(key)
    }

    pub(super) fn text(&mut self, key: &str) -> Option<(String, Origin)> {
        let setting = self.take(key)?;
        match setting.value {
            RawValue::Text(text) => Some((text, setting.origin)),
            _ => {
                self.fault(&setting.origin, key, "must be a text in quotes");
                None
            }
        }
    }

    /// A secret: written directly, or in the file that `<key>_file` names. Line ends at the end of the file are
    /// ignored.
    pub(super) fn secret(&mut self, key: &str) -> Option<(Secret<String>, Origin)> {
        let file = self.text(&format!("{key}_file"));
        let value = self.text(key);
        match (value, file) {
            (Some((text, at)), None) => Some((Secret::new(text), at)),
            (None, Some((path, at))) => match std::fs::read_to_string(&path) {
                Ok(text) => Some((Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()), at)),
                Err(error) => {
                    self.fault(&at, &format!("{key}_file"), &format!("names {path}, which cannot be read: {error}"));
                    None
                }
            },
            (Some(_), Some((_, at))) => {
                self.fault(&at, &format!("{key}_file"), &format!("and {key} are both set; keep one"));
                None
            }
            (None, None) => None,
        }
    }

    pub(super) fn list(&mut self, key: &str) -> Option<Vec<(String, Origin)>> {
        let setting = self.take(key)?;
        let texts = match setting.value {
            RawValue::List(texts) => texts,
            // One text is a list with one entry. In an environment variable, commas separate entries.
            RawValue::Text(text) => {
                text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
            }
            _ => {
                self.fault(&setting.origin, key, "must be a text or a list of texts");
                return None;
            }
        };
        Some(texts.into_iter().map(|text| (text, setting.origin.clone())).collect())
    }

    pub(super) fn boolean(&mut self, key: &str) -> bool {
        match self.take(key).map(|setting| (setting.value, setting.origin)) {
            None => false,
            Some((RawValue::Bool(value), _)) => value,
            Some((RawValue::Text(text), Origin::Variable(_))) if text == "true" || text == "false" => text == "true",
            Some((_, at)) => {
                self.fault(&at, key, "must be true or false");
                false
            }
        }
    }

    /// One of several words. The first is the default.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> T {
        let default = choices[0].1;
        let Some((word, at)) = self.text(key) else { return default };
        match choices.iter().find(|(known, _)| *known == word) {
            Some((_, meaning)) => *meaning,
            None => {
                let words: Vec<_> = choices.iter().map(|(known, _)| format!("\"{known}\"")).collect();
                self.fault(&at, key, &format!("must be one of {}", words.join(", ")));
                default
            }
        }
    }

    pub(super) fn number(&mut self, key: &str, min: i64, max: i64) -> Option<i64> {
        let setting = self.take(key)?;
        let number = match (&setting.value, &setting.origin) {
            (RawValue::Number(number), _) => Some(*number),
            (RawValue::Text(text), Origin::Variable(_)) => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (min..=max).contains(number));
        if number.is_none() {
            self.fault(&setting.origin, key, &format!("must be a whole number from {min} to {max}"));
        }
        number
    }

    pub(super) fn duration(&mut self, key: &str, default: Duration) -> Duration {
        self.optional_duration(key).unwrap_or(default)
    }

    /// A duration from `min` to `max`, both inclusive. `fault` describes the bounds.
    pub(super) fn duration_within(
        &mut self,
        key: &str,
        (min, max, fault): (Duration, Duration, &str),
        default: Duration,
    ) -> Duration {
        let Some((text, at)) = self.text(key) else { return default };
        parse_duration(&text).filter(|duration| (min..=max).contains(duration)).unwrap_or_else(|| {
            self.fault(&at, key, fault);
            default
        })
    }

    pub(super) fn optional_duration(&mut self, key: &str) -> Option<Duration> {
        let (text, at) = self.text(key)?;
        let duration = parse_duration(&text);
        if duration.is_none() {
            self.fault(&at, key, "must be a number and s, m, h or d, for example \"30m\"");
        }
        duration
    }

    pub(super) fn credits(&mut self, key: &str) -> Option<Credits> {
        let (text, at) = self.text(key)?;
        let credits = Credits::parse(&text).ok();
        if credits.is_none() {
            self.fault(&at, key, "must be a text with decimal credits, for example \"5.00\"");
        }
        credits
    }

    pub(super) fn networks(&mut self, key: &str) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for (text, at) in self.list(key).unwrap_or_default() {
            match IpNet::from_str(&text).or_else(|_| text.parse().map(|address: IpAddr| IpNet::from(address))) {
                Ok(network) => networks.push(network),
                Err(_) => self.fault(&at, key, "must be networks such as \"10.0.0.0/8\" or \"127.0.0.1/32\""),
            }
        }
        networks
    }

    /// The tables of a list. Each must have exactly these members, all of them texts.
    pub(super) fn entries<const N: usize>(&mut self, list: &str, members: &[&str; N]) -> Vec<(Origin, [String; N])> {
        self.known.push(list.to_owned());
        let entries: Vec<Entry> = self.raw.lists.remove(list).unwrap_or_default();
        let mut complete = Vec::new();
        for (at, mut entry) in entries {
            let mut is_complete = true;
            let values = members.map(|member| match entry.remove(member) {
                Some(Setting { value: RawValue::Text(text), .. }) if !text.is_empty() => text,
                other => {
                    let at = other.map_or(at.clone(), |setting| setting.origin);
                    self.fault(&at, &format!("{list}.{member}"), "is required, as a text in quotes");
                    is_complete = false;
                    String::new()
                }
            });
            for (key, setting) in entry {
                self.unknown(
                    &setting.origin,
                    &format!("{list}.{key}"),
                    &members.map(|member| format!("{list}.{member}")),
                );
            }
            if is_complete {
                complete.push((at, values));
            }
        }
        complete
    }

    // ---- faults ----

    pub(super) fn fault(&mut self, at: &Origin, key: &str, what: &str) {
        let location = self.location(at);
        self.faults.push(format!("{location}: {key} {what}."));
    }

    pub(super) fn missing(&mut self, key: &str, what: &str) {
        self.faults.push(format!("{}: {key} is missing. Add {what}.", self.raw.name));
    }

    pub(super) fn unsupported(&mut self, at: &Origin, key: &str, what: &str) {
        self.fault(at, key, &format!("asks for {what}, which this version does not have. Remove the line"));
    }

    pub(super) fn location(&self, at: &Origin) -> String {
        match at {
            Origin::Line(0) => self.raw.name.clone(),
            Origin::Line(line) => format!("{}:{line}", self.raw.name),
            Origin::Variable(name) => format!("environment variable {name}"),
        }
    }

    pub(super) fn unknown(&mut self, at: &Origin, key: &str, candidates: &[String]) {
        let nearest = candidates
            .iter()
            .min_by_key(|candidate| distance(key, candidate))
            .filter(|candidate| distance(key, candidate) <= 3);
        let advice = match nearest {
            Some(nearest) => format!("Did you mean {nearest}?"),
            None => "Remove it. All settings: domicile man manual settings".to_owned(),
        };
        let location = self.location(at);
        self.faults.push(format!("{location}: {key} is not a setting. {advice}"));
    }

    pub(super) fn refuse_unknown(&mut self) {
        let known = self.known.clone();
        for (key, setting) in std::mem::take(&mut self.raw.settings) {
            self.unknown(&setting.origin, &key, &known);
        }
        for (list, entries) in std::mem::take(&mut self.raw.lists) {
            let at = entries.first().map_or(Origin::Line(0), |(at, _)| at.clone());
            self.unknown(&at, &list, &known);
        }
    }
}

/// The Levenshtein distance, for "Did you mean".
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}
