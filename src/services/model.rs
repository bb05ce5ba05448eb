//! What a connected service is.

use crate::base::ServiceId;

/// What every service credential begins with, without the underscore.
pub const CREDENTIAL_PREFIX: &str = "dos";

/// A connected service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Opaque, for ever.
    pub id: ServiceId,
    /// Unique on this appliance; the user of HTTP Basic.
    pub name: String,
}

/// 1 to 64 of `a-z`, `0-9`, hyphen, dot and underscore: it stands in HTTP Basic and in logs.
#[derive(Clone, Debug)]
pub struct ServiceName(String);

impl ServiceName {
    /// Reads a name; capital letters are taken as small ones. `None`: other characters, empty or too long.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim().to_ascii_lowercase();
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
        ((1..=64).contains(&name.len()) && name.bytes().all(allowed)).then_some(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
