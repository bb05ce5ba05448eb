//! Who sends a request: values that `server::identify` puts into the request, and extractors that read them.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};

use super::{Fault, Flash};
use crate::base::{
    AccountId, Actor, CredentialAdmin, Problem, Rng, Secret, SessionId, Timestamp, Visitor, WorkspaceId, Zone,
};

/// The random id of a request, shown on error pages, in the response header and in the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

impl RequestId {
    /// A new random id.
    pub fn random() -> Self {
        Self(hex::encode(Rng::system().bytes::<8>()))
    }

    /// The id of a request. It is made on first use, because the hot path never needs it.
    pub fn of(request: &HttpRequest) -> String {
        if let Some(Self(id)) = request.extensions().get() {
            return id.clone();
        }
        let new = Self::random();
        request.extensions_mut().insert(new.clone());
        new.0
    }
}

/// Where the request came from, as seen behind the trusted proxies.
#[derive(Clone, Debug, Default)]
pub struct VisitorOf(pub Visitor);

/// The person in whose session a page is requested. Absent: the visitor is anonymous.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Identity {
    pub account: AccountId,
    pub workspace: WorkspaceId,
    pub session: SessionId,
    pub username: String,
    pub display_name: String,
    /// When the person last proved their identity, at sign-in or in a step-up.
    pub proved_at: Timestamp,
    pub left: SessionTimeLeft,
    /// Whether the person must have a second factor and has none yet. Then [`EntryRefused`] closes most routes.
    pub must_enrol_factor: bool,
    /// Whether the person runs this appliance.
    pub is_operator: bool,
    pub avatar: Avatar,
    /// `light`, `dark` or `system`. `None`: the person has not chosen one.
    pub theme: Option<String>,
    /// The language of the pages (BCP 47).
    pub language: String,
    /// The time zone in which pages show times.
    pub zone: Zone,
}

/// What stands for a person next to their name: a picture, or their initials on a coloured circle.
#[derive(Clone, Debug, Default)]
pub struct Avatar {
    /// The name of the picture, as in `/avatars/{name}-128`. `None`: there is none.
    pub picture: Option<String>,
    /// The name of the colour, a class of the style sheet.
    pub colour: String,
}

/// Why the person may not use the route that is requested, although they are signed in. Absent: they may.
#[derive(Clone, Debug)]
pub struct EntryRefused(pub Problem);

/// The code of the problem for an anonymous visitor. The middleware answers it with the sign-in page.
pub const SIGNED_OUT: &str = "signed_out";

/// How much time a session has left.
#[derive(Clone, Copy, Debug)]
pub struct SessionTimeLeft {
    /// Whole seconds until the session ends, if no further request uses it.
    pub seconds: u64,
    /// Whether the end is fixed: further requests do not postpone it.
    pub is_final: bool,
}

/// The request had the cookie of a session that has ended: the flash message that explains why.
#[derive(Clone, Copy, Debug)]
pub struct SignOutNotice(pub Flash);

/// A notice that stays on every page.
#[derive(Clone, Debug)]
pub struct StandingNotice {
    #[allow(missing_docs)]
    pub sentences: Vec<String>,
    /// With it, the person says that they have read the notice. `None`: it stays until its cause is gone.
    pub dismissal: Option<Dismissal>,
}

/// The form that dismisses a notice in this browser.
#[derive(Clone, Debug)]
pub struct Dismissal {
    /// Sent back when the notice was read.
    pub id: String,
    /// Where the form sends it.
    pub action: &'static str,
}

/// The notices of a request, the most important first.
#[derive(Clone, Debug, Default)]
pub struct StandingNotices(pub Vec<StandingNotice>);

/// The new cookie of the session after a rotation or a proof. The middleware sets it on the response, whatever the
/// response is.
#[derive(Clone)]
pub struct RenewedCookie {
    /// The value of the cookie.
    pub token: Secret<String>,
    /// How long the browser keeps the cookie. `None`: until the browser is closed.
    pub keep: Option<std::time::Duration>,
}

/// What the person is about to do. For the page that asks for a proof of identity.
#[derive(Clone, Copy)]
pub struct NamedAct {
    /// A verb with its object.
    pub act: &'static str,
    /// Why the proof is needed, as a sentence. `None`: it has to be a recent one.
    pub reason: Option<&'static str>,
}

/// A person in a session. A handler with this parameter is closed to anonymous visitors: they are redirected to the
/// sign-in page.
#[allow(missing_docs)]
pub struct SignedIn {
    pub identity: Identity,
    pub visitor: Visitor,
}

impl SignedIn {
    /// The person as the actor of operations on credentials.
    pub fn admin(&self) -> CredentialAdmin {
        let Identity { account, workspace, session, .. } = self.identity;
        CredentialAdmin::person(account, workspace, session, self.visitor.clone())
    }

    /// The person as the actor of operations.
    pub fn actor(&self) -> Actor {
        Actor::SignedIn {
            account: self.identity.account,
            workspace: self.identity.workspace,
            session: self.identity.session,
            visitor: self.visitor.clone(),
        }
    }
}

impl FromRequest for SignedIn {
    type Error = Fault;
    type Future = Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let extensions = request.extensions();
        let visitor = extensions.get::<VisitorOf>().cloned().unwrap_or_default().0;
        if let Some(EntryRefused(problem)) = extensions.get::<EntryRefused>() {
            return ready(Err(Fault(problem.clone())));
        }
        ready(match extensions.get::<Identity>() {
            Some(identity) => Ok(Self { identity: identity.clone(), visitor }),
            None => Err(Fault(Problem::new(401, SIGNED_OUT, "Sign in to see this page."))),
        })
    }
}

/// An operator in a session, who has a second factor. A handler with this parameter does not exist for other persons.
pub struct OperatorInSession(pub SignedIn);

impl FromRequest for OperatorInSession {
    type Error = Fault;
    type Future = Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if request.extensions().get::<Identity>().is_some_and(|identity| !identity.is_operator) {
            return ready(Err(Fault(Problem::not_found())));
        }
        ready(SignedIn::from_request(request, payload).into_inner().map(Self))
    }
}

impl FromRequest for VisitorOf {
    type Error = Fault;
    type Future = Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(request.extensions().get::<VisitorOf>().cloned().unwrap_or_default()))
    }
}

/// A redirect with 303 See Other: the browser requests the target with GET.
pub fn redirect(to: &str) -> HttpResponse {
    HttpResponse::build(StatusCode::SEE_OTHER).insert_header((header::LOCATION, to)).finish()
}
