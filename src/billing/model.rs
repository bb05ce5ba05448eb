//! Limits of billing.

/// The maximum number of characters of the reason for a grant.
pub const REASON_CHARS_MAX: usize = 200;
