//! Tables of sign-ins in progress: why their columns are not exported.

use super::{LINK, SECRET, STATE};

/// The columns of `oauth_flow`.
pub(in crate::privacy) const OAUTH_FLOW: &[(&str, &str)] = &[
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
    ("found", "the identity that a provider returned: kept for half an hour, then exported with the connected account"),
];

/// The columns of `half_session`.
pub(in crate::privacy) const PENDING_SIGN_IN: &[(&str, &str)] = &[
    ("digest", SECRET),
    ("account_id", LINK),
    ("method", STATE),
    ("remember", STATE),
    ("password_stamp", SECRET),
    ("tries", STATE),
    ("expires_at", "ten minutes after the first step"),
];

/// The columns of `passkey_challenge`.
pub(in crate::privacy) const PASSKEY_CHALLENGE: &[(&str, &str)] = &[
    ("digest", SECRET),
    ("purpose", STATE),
    ("account_id", LINK),
    ("state_json", SECRET),
    ("expires_at", "five minutes after it was issued"),
];
