//! Who stands at the door, as `server::identify` found out.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};

use super::Fault;
use crate::base::{AccountId, Actor, Governor, Problem, Secret, SessionId, Timestamp, Visitor, WorkspaceId};

/// A random name for one request: on the page, in the answer's header, in the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Where the request came from, after trusted proxies.
#[derive(Clone, Debug, Default)]
pub struct VisitorOf(pub Visitor);

/// The person behind a page request. Absent: a stranger.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who.
    pub account: AccountId,
    /// Their workspace.
    pub workspace: WorkspaceId,
    /// Their session.
    pub session: SessionId,
    /// Their username.
    pub username: String,
    /// What to call them.
    pub display_name: String,
    /// When they last proved who they are.
    pub proved_at: Timestamp,
}

/// The session's new cookie value, where the request was also a proof: goes out with whatever the answer is.
#[derive(Clone)]
pub struct Renewed {
    /// The cookie's value.
    pub token: Secret<String>,
    /// How long the browser keeps it. `None`: until it is closed.
    pub keep: Option<std::time::Duration>,
}

/// A person in a session. A handler that takes one is closed to strangers: they are led to sign in.
pub struct SignedIn {
    /// Who.
    pub identity: Identity,
    /// Where from.
    pub visitor: Visitor,
}

impl SignedIn {
    /// As operations on credentials know them.
    pub fn governor(&self) -> Governor {
        let Identity { account, workspace, session, .. } = self.identity;
        Governor::person(account, workspace, session, self.visitor.clone())
    }

    /// As operations know them.
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
        ready(match extensions.get::<Identity>() {
            Some(identity) => Ok(Self { identity: identity.clone(), visitor }),
            None => Err(Fault(Problem::new(401, "signed_out", "Sign in to see this page."))),
        })
    }
}

impl FromRequest for VisitorOf {
    type Error = Fault;
    type Future = Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(request.extensions().get::<VisitorOf>().cloned().unwrap_or_default()))
    }
}

/// 303 See Other: the browser goes on with a GET.
pub fn redirect(to: &str) -> HttpResponse {
    HttpResponse::build(StatusCode::SEE_OTHER).insert_header((header::LOCATION, to)).finish()
}
