//! Connected services: types and pure rules.

use crate::base::ServiceId;

/// The prefix of every service credential, without the underscore.
pub const CREDENTIAL_PREFIX: &str = "dos";

/// A connected service: a program of the platform with a credential.
#[derive(Clone, Debug)]
pub struct Service {
    #[allow(missing_docs)]
    pub id: ServiceId,
    /// Unique on this appliance. It is the user name of HTTP Basic.
    pub name: String,
}

/// The name of a service: 1 to 64 of `a-z`, `0-9`, hyphen, dot and underscore, because HTTP Basic and logs contain it.
#[derive(Clone, Debug)]
pub struct ServiceName(String);

impl ServiceName {
    /// Parses a name and makes it lower case. `None`: it is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim().to_ascii_lowercase();
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
        ((1..=64).contains(&name.len()) && name.bytes().all(allowed)).then_some(Self(name))
    }

    #[allow(missing_docs)]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
