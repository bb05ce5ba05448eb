//! Reads what providers send: JSON objects whose members may have any type.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The longest text that is used of what a provider says about a person. A longer one is as if it was not sent.
const TEXT_BYTES_MAX: usize = 512;

/// Reads a JSON object. A list is no object, although serde would take one for a struct.
pub(super) fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    let is_object = json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    is_object.then(|| serde_json::from_slice(json).ok()).flatten()
}

/// A text that can be used: not empty, and not longer than [`TEXT_BYTES_MAX`].
pub(super) fn text(value: Option<&Value>) -> Option<&str> {
    value?.as_str().filter(|text| (1..=TEXT_BYTES_MAX).contains(&text.len()))
}
