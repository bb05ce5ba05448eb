//! The tables of access tokens.

use super::{Erasure, LINK, SECRET, STATE, Table};

/// Signing keys.
pub(super) const JWT_KEY: Table = Table {
    name: "jwt_key",
    part: None,
    exported: &[],
    excluded: &[
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

/// Tokens and credentials that ended before they expired.
pub(super) const REVOCATION: Table = Table {
    name: "revocation",
    part: None,
    exported: &[],
    excluded: &[("seq", STATE), ("kind", STATE), ("subject_id", LINK), ("seen_at", STATE)],
    erasure: Erasure::Keeps(
        "opaque ids that refer to nothing after the erasure, deleted after a day, so that services refuse the person's tokens \
         at once (Art. 32)",
    ),
};
