//! The tables of sessions and of the browsers they are in.

use super::{Erasure, LINK, SECRET, STATE, Table};

/// Who is signed in, and since when.
pub(super) const SESSION: Table = Table {
    name: "session",
    part: Some("account/sessions"),
    exported: &["id", "created_at", "last_seen_at", "ends_at", "proved_at", "address", "agent", "method"],
    left_out: &[
        ("digest", SECRET),
        ("account_id", LINK),
        ("idle_seconds", "a setting of the site"),
        ("remembered", STATE),
        ("rotated_at", STATE),
    ],
    erasure: Erasure::Deletes,
};

/// Cookies that were replaced a moment ago.
pub(super) const SESSION_ROTATED: Table = Table {
    name: "session_rotated",
    part: None,
    exported: &[],
    left_out: &[("digest", SECRET), ("session_id", LINK), ("until", STATE)],
    erasure: Erasure::Deletes,
};

/// Browsers that somebody signed in with.
pub(super) const DEVICE: Table = Table {
    name: "device",
    part: Some("account/devices"),
    exported: &["first_seen_at", "last_seen_at", "is_trusted"],
    left_out: &[("digest", SECRET), ("account_id", LINK)],
    erasure: Erasure::Deletes,
};
