//! The tables of access tokens.

use super::{Erasure, LINK, SECRET, STATE, Table};

/// Signing keys.
pub(super) const JWT_KEY: Table = Table {
    name: "jwt_key",
    part: None,
    exported: &[],
    left_out: &[
        ("kid", STATE),
        ("public_key", STATE),
        ("sealed_secret", SECRET),
        ("created_at", STATE),
        ("not_before", STATE),
        ("sign_until", STATE),
        ("publish_until", STATE),
    ],
    erasure: Erasure::NothingPersonal,
};

/// What ended before its time.
pub(super) const REVOCATION: Table = Table {
    name: "revocation",
    part: None,
    exported: &[],
    left_out: &[("seq", STATE), ("kind", STATE), ("subject_id", LINK), ("seen_at", STATE)],
    erasure: Erasure::Keeps(
        "opaque ids that join nothing once the person is gone, deleted after a day: so services refuse at once what the \
         person's tokens would still open (Art. 32)",
    ),
};
