//! Verification: types and pure rules.

mod owner;
mod policy;
mod refusal;

use std::net::IpAddr;

pub use owner::Owner;
pub(super) use owner::OwnerFields;
pub(super) use policy::Policy;
pub use refusal::Refusal;

use crate::api_keys::Channel;
use crate::base::{ApiKeyId, RateLimit, Role, ScopeTable, Scopes, SharedText, Timestamp, WorkspaceId};

/// A request to verify a key.
#[derive(Clone, Copy, Debug)]
pub struct VerifyRequest<'a> {
    #[allow(missing_docs)]
    pub channel: Channel,
    /// The address of the program that uses the key, never of the gateway. `None`: unknown, so a key with a list of
    /// networks is refused.
    pub address: Option<IpAddr>,
    /// The `User-Agent` of the program. Empty: it has none.
    pub agent: &'a str,
    /// The rights that the request needs. They are recorded as used. The caller checks whether the key has them.
    pub required: Scopes,
    /// The workspaces that the asking service may touch, in order: a key of another one does not exist for it. `None`:
    /// all.
    pub workspaces: Option<&'a [WorkspaceId]>,
}

impl VerifyRequest<'_> {
    /// A request without required rights, from an unknown address and program, about all workspaces.
    pub const fn new(channel: Channel) -> Self {
        Self { channel, address: None, agent: "", required: Scopes::NONE, workspaces: None }
    }

    /// Whether the asker may know about keys of this workspace.
    pub(super) fn reaches(&self, workspace: WorkspaceId) -> bool {
        self.workspaces.is_none_or(|granted| granted.binary_search(&workspace).is_ok())
    }
}

/// The answer to a verification. A refused key is an ordinary answer, not an error.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The key is good, and this is its owner. Whether it has the required rights is for the caller to ask.
    Valid(VerifiedKey),
    #[allow(missing_docs)]
    Refused(Refusal),
}

impl Verdict {
    /// The verdict as a result, for callers that stop at a refused key.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn into_result(self) -> Result<VerifiedKey, Refusal> {
        match self {
            Self::Valid(key) => Ok(key),
            Self::Refused(refusal) => Err(refusal),
        }
    }

    /// The state of the key's rate limit after this request. `None`: it has none.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        match self {
            Self::Valid(key) => key.rate_limit,
            Self::Refused(refusal) => refusal.rate_limit(),
        }
    }
}

/// A good key, and what a verifier needs to know about it. What it shares with the other keys of its owner is in
/// [`Owner`], whose fields can be read as if they were fields of this struct.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct VerifiedKey {
    pub key: ApiKeyId,
    pub owner: Owner,
    /// Scope names, separated by spaces.
    pub scope: SharedText,
    /// The rights behind the scopes, limited by the owner's role.
    pub rights: Scopes,
    pub created_at: Timestamp,
    /// The earlier of its own end and the end of the overlap with its successor. `None`: it does not end.
    pub expires_at: Option<Timestamp>,
    /// The state of its rate limit after this request. `None`: it has no limit, or the limit does not apply to this
    /// channel.
    pub rate_limit: Option<RateLimit>,
    /// The slot of the usage buffer that counts this use. `None`: the use is not counted.
    pub(in crate::verification) usage_slot: Option<SlotIndex>,
}

impl VerifiedKey {
    /// The scope names of what the key can do now: for the role `viewer` only those that read.
    pub fn effective_scope(&self, table: &ScopeTable) -> SharedText {
        match self.role {
            Role::Owner | Role::Admin | Role::Editor => self.scope.clone(),
            Role::Viewer => table.names_within(self.rights).into(),
        }
    }
}

/// The index of a slot in the usage buffer. The slot itself says which key it belongs to: after a drain it can be free,
/// or belong to another key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::verification) struct SlotIndex(pub u16);

impl std::ops::Deref for VerifiedKey {
    type Target = Owner;

    fn deref(&self) -> &Owner {
        &self.owner
    }
}
