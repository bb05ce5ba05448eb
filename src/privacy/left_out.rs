//! Of what is half-way through a door: why its columns are not in the export; see `data_map`.

use super::data_map::{LINK, SECRET, STATE};

/// The columns of `oauth_flow`, and why.
pub(super) const OAUTH_FLOW: &[(&str, &str)] = &[
    ("digest", SECRET),
    ("provider", STATE),
    ("purpose", STATE),
    ("binder", SECRET),
    ("sealed", SECRET),
    ("account_id", LINK),
    ("created_at", STATE),
    ("expires_at", STATE),
    ("used_at", STATE),
    ("posted", SECRET),
    ("posted_until", STATE),
    ("found", "who came back from a provider: kept for half an hour, then exported with the connected account"),
];

/// The columns of `half_session`, and why.
pub(super) const HALF_SESSION: &[(&str, &str)] = &[
    ("digest", SECRET),
    ("account_id", LINK),
    ("method", STATE),
    ("remember", STATE),
    ("password_stamp", SECRET),
    ("tries", STATE),
    ("expires_at", "ten minutes after the first step"),
];

/// The columns of `passkey_challenge`, and why.
pub(super) const PASSKEY_CHALLENGE: &[(&str, &str)] = &[
    ("digest", SECRET),
    ("purpose", STATE),
    ("account_id", LINK),
    ("state_json", SECRET),
    ("expires_at", "five minutes after it was given out"),
];
