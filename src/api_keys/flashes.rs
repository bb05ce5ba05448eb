//! The flash messages of the pages for keys.

use crate::http::flash::flashes;

flashes! {
    /// What happened to a key.
    pub enum KeyFlash {
        Revoked = good "key-revoked": "The key was revoked. Programs can no longer use it.",
        Disabled = good "key-disabled": "The key is disabled. Programs cannot use it until you enable it.",
        Enabled = good "key-enabled": "The key is enabled.",
        Reduced = good "key-reduced": "The scopes were reduced. Programs lose the others with their next request.",
        ScopesKept = good "key-scopes-kept": "Nothing was changed: the key keeps all its scopes.",
        Restored = good "key-restored": "The key is no longer in quarantine and works again.",
    }
}
