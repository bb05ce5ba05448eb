//! The tables of sessions and devices.

use super::{Erasure, LINK, SECRET, STATE, Table};

/// Sessions.
pub(super) const SESSION: Table = Table {
    name: "session",
    part: Some("account/sessions"),
    exported: &["id", "created_at", "last_seen_at", "ends_at", "proved_at", "address", "agent", "method"],
    excluded: &[
        ("digest", SECRET),
        ("account_id", LINK),
        ("idle_seconds", "a setting of the site"),
        ("remembered", STATE),
        ("rotated_at", STATE),
    ],
    erasure: Erasure::Deletes,
};

/// Recently replaced session cookies.
pub(super) const SESSION_ROTATED: Table = Table {
    name: "session_rotated",
    part: None,
    exported: &[],
    excluded: &[("digest", SECRET), ("session_id", LINK), ("until", STATE)],
    erasure: Erasure::Deletes,
};

/// Browsers that a person signed in with.
pub(super) const DEVICE: Table = Table {
    name: "device",
    part: Some("account/devices"),
    exported: &["first_seen_at", "last_seen_at", "is_trusted"],
    excluded: &[("digest", SECRET), ("account_id", LINK)],
    erasure: Erasure::Deletes,
};
