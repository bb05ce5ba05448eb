//! The text format of Prometheus (version 0.0.4), which every version of Prometheus reads.
//!
//! Written by hand: `promtool check metrics` reads this format only, and the official library writes OpenMetrics only.

use std::fmt::{Display, Write as _};

use crate::base::{BUCKETS, HistogramState};

/// What the values of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from zero at the start.
    Counter,
    /// Any value.
    Gauge,
    /// Durations, counted by length.
    Histogram,
}

/// All values of one name.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    #[allow(missing_docs)]
    pub name: &'static str,
    #[allow(missing_docs)]
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
}

/// The names and values of the labels of one value.
pub(super) type Labels<'l> = &'l [(&'static str, &'l str)];

/// The text that is being written.
#[derive(Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// Begins a family, whose values follow.
    pub(super) fn family(&mut self, family: &Family) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let Family { name, help, .. } = family;
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// Adds one value.
    pub(super) fn value(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        self.0.push_str(name);
        if !labels.is_empty() {
            let each = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text)));
            let _ = write!(self.0, "{{{}}}", each.collect::<Vec<_>>().join(","));
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// Adds a histogram.
    pub(super) fn histogram(&mut self, name: &str, labels: Labels<'_>, state: &HistogramState) {
        let mut hits = 0;
        for (bound, own) in BUCKETS.iter().zip(state.buckets) {
            hits += own;
            self.bucket(name, labels, &in_seconds(*bound), hits);
        }
        // A request may have ended between the two readings.
        let count = state.count.max(hits);
        self.bucket(name, labels, "+Inf", count);
        self.value(&format!("{name}_sum"), labels, in_seconds(state.sum_micros));
        self.value(&format!("{name}_count"), labels, count);
    }

    fn bucket(&mut self, name: &str, labels: Labels<'_>, bound: &str, hits: u64) {
        let all: Vec<_> = labels.iter().copied().chain([("le", bound)]).collect();
        self.value(&format!("{name}_bucket"), &all, hits);
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Microseconds as seconds, without a zero at the end.
fn in_seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_and_labels_are_escaped() {
        assert_eq!([0, 25, 1_000, 2_500_000, 10_000_000].map(in_seconds), ["0", "0.000025", "0.001", "2.5", "10"]);

        let mut text = Exposition::default();
        text.value("a", &[("name", "x\"\n\\")], 5);
        assert_eq!(text.into_text(), "a{name=\"x\\\"\\n\\\\\"} 5\n");
    }

    #[test]
    fn buckets_are_cumulative() {
        let state = HistogramState { count: 4, sum_micros: 12_000_050, ..HistogramState::default() };
        let state = HistogramState { buckets: std::array::from_fn(|index| u64::from(index < 3)), ..state };
        let mut text = Exposition::default();

        text.histogram("a_seconds", &[], &state);

        let text = text.into_text();
        for line in [
            "a_seconds_bucket{le=\"0.000025\"} 1\n",
            "a_seconds_bucket{le=\"0.00025\"} 3\n",
            "a_seconds_bucket{le=\"10\"} 3\n",
            "a_seconds_bucket{le=\"+Inf\"} 4\n",
            "a_seconds_sum 12.00005\n",
            "a_seconds_count 4\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
