//! What an allowance is. Pure.

use crate::base::{Credits, Timestamp, WorkspaceId};

/// So much credit each month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    #[allow(missing_docs)]
    pub workspace: WorkspaceId,
    /// Each month, from the next grant on.
    pub amount: Credits,
    /// The end of the month that was granted last: what is left of it expires then, and the next one is granted.
    pub granted_until: Timestamp,
}

/// What the journal and the audit call an allowance: decimal credits, or `none`.
pub(super) fn text_of(amount: Option<Credits>) -> String {
    amount.map_or_else(|| NONE.to_owned(), |amount| amount.to_string())
}

/// Reads the form of [`text_of`]. `None`: it is another text.
pub(super) fn parse_text(text: &str) -> Option<Option<Credits>> {
    if text == NONE { Some(None) } else { Credits::parse(text).ok().filter(|amount| *amount > Credits::ZERO).map(Some) }
}

const NONE: &str = "none";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_survives_the_round_trip_through_text() {
        for amount in [None, Some(Credits::whole(30)), Credits::from_micro(1)] {
            assert_eq!(parse_text(&text_of(amount)), Some(amount));
        }
        for bad in ["", "0", "-1", "many"] {
            assert_eq!(parse_text(bad), None, "{bad}");
        }
    }
}
