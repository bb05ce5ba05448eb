//! Who asks.

use super::{AccountId, ApiKeyId, Scopes, Secret, ServiceId, SessionId, WorkspaceId};

/// Where a request came from: personal data, kept apart from the evidence and erased with the person.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// The network address, as the trusted edge saw it.
    pub address: String,
    /// The program, as it calls itself.
    pub agent: String,
    /// The secret that this browser was given when somebody signed in with it. `None`: nobody did, or it is no browser.
    pub device: Option<Secret<String>>,
    /// The session that this browser is in already, and whose it is: another sign-in ends it.
    pub session: Option<(AccountId, SessionId)>,
}

/// What somebody is in a workspace; each includes those below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees.
    Viewer,
    /// Makes and changes resources.
    Editor,
    /// Manages people and billing.
    Admin,
    /// The one who answers for the workspace.
    Owner,
}

impl Role {
    /// As stored, sent and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Reads the written form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Viewer, Self::Editor, Self::Admin, Self::Owner].into_iter().find(|role| role.as_str() == text)
    }
}

/// Who does something, as operations decide about it and the audit records it.
///
/// A key is another variant than the person who made it, so that an operation on credentials cannot take one for the
/// other: a key governs nothing ([`Actor::can_manage`]), not even its own person, and never becomes a [`CredentialAdmin`].
#[derive(Clone, Debug)]
pub enum Actor {
    /// Nobody known yet: sign-up, sign-in.
    Anonymous(Visitor),
    /// A person in a browser session.
    SignedIn {
        /// The person.
        account: AccountId,
        /// The workspace they look at.
        workspace: WorkspaceId,
        /// The session they use.
        session: SessionId,
        /// Where from.
        visitor: Visitor,
    },
    /// A program with an API key.
    KeyHolder {
        /// The key.
        key: ApiKeyId,
        /// The person the key acts for.
        account: AccountId,
        /// The one workspace the key reaches.
        workspace: WorkspaceId,
        /// What the key may do, already cut by its owner's role.
        scopes: Scopes,
        /// Where from.
        visitor: Visitor,
    },
    /// A connected service.
    Service {
        /// The service.
        service: ServiceId,
        /// Its name, unique on this appliance.
        name: String,
    },
    /// The admin at the command line of the machine.
    Operator,
    /// The appliance itself: jobs.
    System,
}

impl Actor {
    /// The person, where there is one.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::SignedIn { account, .. } | Self::KeyHolder { account, .. } => Some(*account),
            Self::Anonymous(_) | Self::Service { .. } | Self::Operator | Self::System => None,
        }
    }

    /// Where the request came from, where a request came at all.
    pub fn visitor(&self) -> Option<&Visitor> {
        match self {
            Self::Anonymous(visitor) | Self::SignedIn { visitor, .. } | Self::KeyHolder { visitor, .. } => {
                Some(visitor)
            }
            Self::Service { .. } | Self::Operator | Self::System => None,
        }
    }

    /// The word for this kind of actor in the audit (domain 3.2).
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous(_) => "anonymous",
            Self::SignedIn { .. } => "account",
            Self::KeyHolder { .. } => "api_key",
            Self::Service { .. } => "service",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    /// Whether this actor may change the credentials and the existence of `account`: the person in a session, the
    /// operator at the machine, the appliance's own jobs. Never a key and never a service.
    pub fn can_manage(&self, account: AccountId) -> bool {
        match self {
            Self::SignedIn { account: own, .. } => *own == account,
            Self::Operator | Self::System => true,
            Self::Anonymous(_) | Self::KeyHolder { .. } | Self::Service { .. } => false,
        }
    }
}

/// Somebody who may govern credentials: a person in a session, the operator at the machine, the appliance itself.
///
/// Operations that make, change or end credentials take one of these and no [`Actor`], and nothing makes one out of an actor.
/// So a program with a key cannot even be passed to them: not a rule that is checked, but a sentence that does not compile.
///
/// ```
/// use domicile::base::CredentialAdmin;
/// fn ends_a_key(_: &CredentialAdmin) {}
///
/// ends_a_key(&CredentialAdmin::operator());
/// ```
/// ```compile_fail,E0308
/// use domicile::base::{Actor, CredentialAdmin};
/// fn ends_a_key(_: &CredentialAdmin) {}
///
/// fn by_a_key(holder: &Actor) {
///     ends_a_key(holder);
/// }
/// ```
/// ```compile_fail,E0277
/// use domicile::base::{Actor, CredentialAdmin};
///
/// fn by_a_key(holder: Actor) -> CredentialAdmin {
///     CredentialAdmin::from(holder)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct CredentialAdmin(Actor);

impl CredentialAdmin {
    /// A person in a browser session.
    pub fn person(account: AccountId, workspace: WorkspaceId, session: SessionId, visitor: Visitor) -> Self {
        Self(Actor::SignedIn { account, workspace, session, visitor })
    }

    /// The admin at the command line.
    pub const fn operator() -> Self {
        Self(Actor::Operator)
    }

    /// The appliance's own jobs.
    pub const fn system() -> Self {
        Self(Actor::System)
    }
}

/// What anybody may do who acts, a admin may do as themselves.
impl std::ops::Deref for CredentialAdmin {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0
    }
}
