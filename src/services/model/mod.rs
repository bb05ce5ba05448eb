//! Connected services: types and pure rules.

mod grant;
mod manifest;
mod resource_type;

pub use grant::{Grant, ServiceScope, ServiceScopes, WORKSPACES_MAX, WorkspaceGrant};
pub use manifest::{FaultKind, Manifest, ManifestDraft, ManifestFault, ResourceTypeDraft, Sku};
pub use resource_type::{Category, ResourceType};

use std::time::Duration;

use crate::base::{Secret, ServiceCredentialId, ServiceId, Timestamp, minutes};

/// The prefix of every service credential, without the underscore.
pub const CREDENTIAL_PREFIX: &str = "dos";
/// The prefix of every enrolment code, without the underscore.
pub(super) const ENROL_CODE_PREFIX: &str = "doe";
/// How long an enrolment code is valid.
pub(super) const ENROL_CODE_LIFE: Duration = minutes(10);

/// A connected service: a program of the platform with a credential.
#[derive(Clone, Debug)]
pub struct Service {
    #[allow(missing_docs)]
    pub id: ServiceId,
    /// Unique among the connected services of this appliance. It is the user name of HTTP Basic.
    pub name: String,
    /// What it may do.
    pub grant: Grant,
    #[allow(missing_docs)]
    pub created_at: Timestamp,
    /// `None`: it is connected.
    pub disconnected_at: Option<Timestamp>,
}

impl Service {
    /// Its state, in one word.
    pub const fn state(&self) -> &'static str {
        if self.disconnected_at.is_some() { "disconnected" } else { "connected" }
    }

    /// Whether it is the one with this name or id, in whatever case they are written.
    pub fn is_named(&self, text: &str) -> bool {
        let text = text.trim();
        self.name.eq_ignore_ascii_case(text) || self.id.to_string().eq_ignore_ascii_case(text)
    }
}

/// A credential of a service. Its text is not stored.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ServiceCredential {
    pub id: ServiceCredentialId,
    pub service: ServiceId,
    /// Its first characters, which may be shown. Empty: an earlier version created it.
    pub display: String,
    pub created_at: Timestamp,
    /// When it ends, because another one replaced it. `None`: it has no end.
    pub ends_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl ServiceCredential {
    /// Whether requests with it are accepted.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.ends_at.is_none_or(|end| now < end)
    }

    /// Its state, in one word.
    pub fn state(&self, now: Timestamp) -> &'static str {
        match (self.revoked_at, self.ends_at) {
            (Some(_), _) => "revoked",
            (None, Some(end)) if end <= now => "replaced",
            (None, Some(_)) => "retiring",
            (None, None) => "active",
        }
    }
}

/// A new credential of a service. The secret is not stored.
pub struct IssuedCredential {
    #[allow(missing_docs)]
    pub service: Service,
    #[allow(missing_docs)]
    pub secret: Secret<String>,
    /// When the replaced credential ends. `None`: no other one is valid any more.
    pub predecessor_ends_at: Option<Timestamp>,
}

/// A code with which a service connects itself. The code is not stored.
pub struct EnrolCode {
    #[allow(missing_docs)]
    pub service: Service,
    #[allow(missing_docs)]
    pub code: Secret<String>,
    /// When it ends (exclusive).
    pub expires_at: Timestamp,
}

/// A service that connected itself. The secrets are shown once.
pub struct Enrolled {
    #[allow(missing_docs)]
    pub service: Service,
    #[allow(missing_docs)]
    pub credential: Secret<String>,
    /// What signs its webhooks. `None`: it had one before.
    pub webhook_secret: Option<Secret<String>>,
}

/// The stored manifest of a service.
#[derive(Clone, Debug)]
pub struct StoredManifest {
    #[allow(missing_docs)]
    pub manifest: Manifest,
    /// When the service sent it.
    pub updated_at: Timestamp,
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
