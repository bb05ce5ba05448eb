//! Who does something.

use super::{AccountId, ApiKeyId, Scopes, Secret, ServiceId, SessionId, WorkspaceId};

/// Where a request came from: personal data, which is stored apart from the audit chain and erased with the person.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// The network address behind the trusted proxies.
    pub address: String,
    /// The `User-Agent`.
    pub agent: String,
    /// The secret of the device cookie, which a browser gets at its first sign-in. `None`: this browser never signed
    /// in, or it is no browser.
    pub device: Option<Secret<String>>,
    /// The session that this browser has already, and its account. Another sign-in ends this session.
    pub session: Option<(AccountId, SessionId)>,
    /// The id of the request, which its answer and the log have. Empty: it has none.
    pub request: String,
}

/// The role of a person in a workspace. Each role includes the rights of the roles before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees the resources.
    Viewer,
    /// Creates and changes resources.
    Editor,
    /// Manages people and billing.
    Admin,
    /// Is responsible for the workspace.
    Owner,
}

impl Role {
    /// Every role, from the weakest.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Editor, Self::Admin, Self::Owner];

    /// The role in lower case, as it is stored, sent and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Reads the form of [`Role::as_str`]. `None`: there is no such role.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// Who does something: operations decide by it what is allowed, and the audit log records it.
///
/// A program with a key is another variant than the person who made the key, so that an operation on credentials cannot
/// confuse them: a key manages nothing ([`Actor::can_manage`]), not even its own account, and never becomes a
/// [`CredentialAdmin`].
#[derive(Clone, Debug)]
pub enum Actor {
    /// A caller who is not authenticated, for example at sign-up and sign-in.
    Anonymous(Visitor),
    /// A person in a browser session.
    #[allow(missing_docs)]
    SignedIn {
        account: AccountId,
        /// The workspace that the person currently uses.
        workspace: WorkspaceId,
        session: SessionId,
        visitor: Visitor,
    },
    /// A program with an API key.
    #[allow(missing_docs)]
    KeyHolder {
        key: ApiKeyId,
        /// The person the key acts for.
        account: AccountId,
        /// The only workspace that the key can access.
        workspace: WorkspaceId,
        /// What the key may do, already limited by the role of its owner.
        scopes: Scopes,
        visitor: Visitor,
    },
    /// A connected service.
    #[allow(missing_docs)]
    Service {
        service: ServiceId,
        /// The name of the service, unique on this appliance.
        name: String,
        /// The id of the request, which its answer and the log have. Empty: it has none.
        request: String,
    },
    /// The admin at the command line of the machine.
    Operator,
    /// The appliance itself, in its jobs.
    System,
}

impl Actor {
    /// The account of the person who acts, or for whom a key acts. `None`: another kind of actor.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::SignedIn { account, .. } | Self::KeyHolder { account, .. } => Some(*account),
            Self::Anonymous(_) | Self::Service { .. } | Self::Operator | Self::System => None,
        }
    }

    /// The opaque id under which it acts: of the account, the key or the service. `None`: another kind of actor.
    pub fn id(&self) -> Option<String> {
        match self {
            Self::SignedIn { account, .. } => Some(account.to_text()),
            Self::KeyHolder { key, .. } => Some(key.to_text()),
            Self::Service { service, .. } => Some(service.to_text()),
            Self::Anonymous(_) | Self::Operator | Self::System => None,
        }
    }

    /// The service that acts. `None`: another kind of actor.
    pub const fn service(&self) -> Option<ServiceId> {
        match self {
            Self::Service { service, .. } => Some(*service),
            Self::Anonymous(_) | Self::SignedIn { .. } | Self::KeyHolder { .. } | Self::Operator | Self::System => None,
        }
    }

    /// The session of the person who acts. `None`: another kind of actor.
    pub const fn session(&self) -> Option<SessionId> {
        match self {
            Self::SignedIn { session, .. } => Some(*session),
            Self::Anonymous(_) | Self::KeyHolder { .. } | Self::Service { .. } | Self::Operator | Self::System => None,
        }
    }

    /// Where the request of an anonymous caller, a person or a key holder came from. `None`: another kind of actor.
    pub fn visitor(&self) -> Option<&Visitor> {
        match self {
            Self::Anonymous(visitor) | Self::SignedIn { visitor, .. } | Self::KeyHolder { visitor, .. } => {
                Some(visitor)
            }
            Self::Service { .. } | Self::Operator | Self::System => None,
        }
    }

    /// The id of the request, which its answer and the log have. Empty: it has none.
    pub fn request(&self) -> &str {
        match self {
            Self::Service { request, .. } => request,
            _ => self.visitor().map_or("", |visitor| &visitor.request),
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

    /// Whether this actor may change the credentials of `account` or delete it: the person in a session, the operator
    /// and the appliance's own jobs. Never a key and never a service.
    pub fn can_manage(&self, account: AccountId) -> bool {
        match self {
            Self::SignedIn { account: own, .. } => *own == account,
            Self::Operator | Self::System => true,
            Self::Anonymous(_) | Self::KeyHolder { .. } | Self::Service { .. } => false,
        }
    }
}

/// An actor that may manage credentials: a person in a session, the operator or the appliance itself.
///
/// Operations that create, change or end credentials take a `CredentialAdmin` and not an [`Actor`], and no function
/// converts an actor into one. So code that passes a program with a key to them does not compile.
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

    /// The operator at the command line.
    pub const fn operator() -> Self {
        Self(Actor::Operator)
    }

    /// The appliance's own jobs.
    pub const fn system() -> Self {
        Self(Actor::System)
    }
}

/// A `CredentialAdmin` can be passed wherever an `&Actor` is expected.
impl std::ops::Deref for CredentialAdmin {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0
    }
}
