//! Who stands at the door, as `server::identify` found out.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};

use super::Fault;
use crate::base::{
    AccountId, Actor, CredentialAdmin, Problem, Secret, SessionId, Timestamp, Visitor, WorkspaceId, Zone,
};

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
    /// How long the session still lives.
    pub left: SessionLeft,
    /// Whether they must have a second factor and have none: then only [`opens_to_owing`] is open.
    pub owes_factor: bool,
    /// What every page shows of them.
    pub face: Face,
    /// `light`, `dark` or `system`, as they chose. `None`: they did not.
    pub theme: Option<String>,
    /// The language of their pages, BCP 47.
    pub language: String,
    /// Whose clock times are told by.
    pub zone: Zone,
}

/// A person at a glance: a picture, or initials on a colour.
#[derive(Clone, Debug, Default)]
pub struct Face {
    /// The name of their picture. `None`: they have none.
    pub picture: Option<String>,
    /// The name of the colour.
    pub colour: String,
}

/// Whether a page is open to somebody who must set up a second factor first: what they set it up with, and the way out.
fn opens_to_owing(path: &str) -> bool {
    const FOLDERS: [&str; 4] =
        ["/settings/security/totp", "/settings/security/passkeys", "/settings/security/recovery-codes", "/step-up"];
    let is_in = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    matches!(path, "/settings/security" | "/signout" | "/theme" | "/session/left" | "/session/stay")
        || FOLDERS.into_iter().any(is_in)
}

/// How long a session still lives.
#[derive(Clone, Copy, Debug)]
pub struct SessionLeft {
    /// Whole seconds, if nothing more is asked of it.
    pub seconds: u64,
    /// Whether asking something does not make it longer.
    pub is_final: bool,
}

/// A cookie was shown whose session ended: the sentence that the next page says of it.
#[derive(Clone, Copy, Debug)]
pub struct SignedOut(pub &'static str);

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
    pub fn admin(&self) -> CredentialAdmin {
        let Identity { account, workspace, session, .. } = self.identity;
        CredentialAdmin::person(account, workspace, session, self.visitor.clone())
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
            Some(identity) if identity.owes_factor && !opens_to_owing(request.path()) => Err(Fault(Problem::new(
                403,
                "factor_owed",
                "You must set up a second factor before anything else opens. Go to Security and add one.",
            ))),
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

#[cfg(test)]
mod tests {
    use super::opens_to_owing;

    #[test]
    fn little_is_open_to_whoever_owes_a_factor() {
        for open in ["/settings/security", "/settings/security/totp/new", "/step-up", "/step-up/challenge", "/signout"]
        {
            assert!(opens_to_owing(open), "{open}");
        }
        for closed in [
            "/",
            "/settings/keys",
            "/settings/security/password",
            "/settings/security/totpx",
            "/settings/securityx",
            "/step-upx",
        ] {
            assert!(!opens_to_owing(closed), "{closed}");
        }
    }
}
