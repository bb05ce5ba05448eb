//! An option of a list.

/// An option of a list.
pub(in super::super) struct Choice {
    pub value: &'static str,
    pub label: &'static str,
    pub is_chosen: bool,
}
