//! The events of signing keys.

use crate::audit::{EventType, events};

events! {
    /// What happens to the keys that sign access tokens.
    TokenEvent {
        SigningKeyMade = "site.token_key_made": EventType::for_operators().done("Token signing key created"),
    }
}
