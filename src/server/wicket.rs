//! The small door beside the front. What is asked for every request of somebody else's (may this key?) is answered here by the
//! functions that the house has for it too, without router, extractors and boxes. Whatever is unusual about such a request
//! goes through the house.

use std::future::{Future, Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_http::{HttpMessage, Payload, Request};
use actix_service::IntoServiceFactory;
use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, RequestHead, Response, Service, ServiceFactory, ServiceResponse, forward_ready};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt, TryFutureExt};

use super::faults;
use super::front::{self, GATEWAY_PATH, REQUEST_ID};
use super::run::BODY_MAX;
use crate::api_keys::Verifier;
use crate::base::Problem;
use crate::http::{Answer, Fault, json};
use crate::services::Callers;
use crate::services::api::{examine, forward_auth_at_once, require_caller};

/// Where services ask.
const INTROSPECT_PATH: &str = "/v1/introspect";

/// The door, with the house behind it.
pub(super) struct Wicket<F> {
    house: F,
    keeper: Keeper,
}

/// Who answers at the door.
#[derive(Clone)]
struct Keeper {
    verifier: Arc<Verifier>,
    callers: Arc<Callers>,
    is_tls: bool,
}

impl<F: ServiceFactory<Request, Config = AppConfig>> Wicket<F> {
    /// Beside the front of a house.
    pub(super) fn beside(
        house: impl IntoServiceFactory<F, Request>,
        verifier: Arc<Verifier>,
        callers: Arc<Callers>,
    ) -> Self {
        let is_tls = verifier.app().config().public_url.starts_with("https://");
        Self { house: house.into_factory(), keeper: Keeper { verifier, callers, is_tls } }
    }
}

impl<F> ServiceFactory<Request> for Wicket<F>
where
    F: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<BoxBody>, Error = Error>,
    F::Future: 'static,
    <F::Service as Service<Request>>::Future: 'static,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Config = AppConfig;
    type Service = Doors<F::Service>;
    type InitError = F::InitError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Service, Self::InitError>>>>;

    fn new_service(&self, config: AppConfig) -> Self::Future {
        let (house, keeper) = (self.house.new_service(config), self.keeper.clone());
        Box::pin(async move { Ok(Doors { house: house.await?, keeper: Rc::new(keeper) }) })
    }
}

/// The door and the front, of one worker.
pub(super) struct Doors<S> {
    house: S,
    keeper: Rc<Keeper>,
}

impl<S> Service<Request> for Doors<S>
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>,
    S::Future: 'static,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Future = Way;

    forward_ready!(house);

    fn call(&self, mut request: Request) -> Self::Future {
        match asked_of(request.head()) {
            Some(Asked::MayPass) => Way::Answered(ready(Ok(self.keeper.may_pass(request.head())))),
            Some(Asked::IsGood) => {
                let payload = request.take_payload();
                let answer = self.keeper.clone().is_good(request, payload);
                Way::Later(Box::pin(answer.map(Ok)))
            }
            None => Way::Later(Box::pin(self.house.call(request).map_ok(Response::from))),
        }
    }
}

/// What is asked at the door.
enum Asked {
    /// A gateway: may this request pass?
    MayPass,
    /// A service: is this key good?
    IsGood,
}

/// `None`: something else, or in an unusual way.
fn asked_of(head: &RequestHead) -> Option<Asked> {
    let headers = head.headers();
    match head.uri.path() {
        // Envoy appends the original path. Behind a cookie may be somebody in a session.
        path if is_gateways(path) => (!headers.contains_key(header::COOKIE)).then_some(Asked::MayPass),
        INTROSPECT_PATH if head.method == Method::POST => {
            // In a form that has to be undone, or of a length that is not known, which the house bounds.
            if headers.contains_key(header::CONTENT_ENCODING) || headers.contains_key(header::TRANSFER_ENCODING) {
                return None;
            }
            let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse::<usize>().ok()?;
            (length <= BODY_MAX).then_some(Asked::IsGood)
        }
        _ => None,
    }
}

/// The path where gateways ask, and all below it.
fn is_gateways(path: &str) -> bool {
    path.strip_prefix(GATEWAY_PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Keeper {
    fn may_pass(&self, head: &RequestHead) -> Response<BoxBody> {
        let answer = catch_unwind(AssertUnwindSafe(|| forward_auth_at_once(&self.verifier, &self.callers, head)));
        see_off(answer, head, self.is_tls)
    }

    async fn is_good(self: Rc<Self>, request: Request, payload: Payload) -> Response<BoxBody> {
        let answer = AssertUnwindSafe(async {
            let caller = require_caller(&self.callers, request.headers())?;
            examine(&self.verifier, &caller, &whole(payload).await?)
        });
        see_off(answer.catch_unwind().await, request.head(), self.is_tls)
    }
}

/// As the front sees off what comes out of the house. A panic is one 500 and nothing else.
fn see_off(answer: std::thread::Result<Answer>, head: &RequestHead, is_tls: bool) -> Response<BoxBody> {
    let mut response = match answer.unwrap_or_else(|_| Err(Fault(Problem::ours("a handler panicked")))) {
        Ok(response) if response.status().is_success() => response,
        refused => {
            let id = front::new_request_id();
            let mut response = refused.unwrap_or_else(|Fault(problem)| {
                faults::report(&problem, &id, head.uri.path());
                faults::problem_json(&problem, &id)
            });
            if let Ok(id) = HeaderValue::from_str(&id) {
                response.headers_mut().insert(REQUEST_ID, id);
            }
            response
        }
    };
    front::dress_any(response.headers_mut(), is_tls);
    response.into()
}

/// A body whose length was announced, and is bounded by that.
async fn whole(mut payload: Payload) -> Result<Bytes, Problem> {
    let broken = |error: actix_web::error::PayloadError| json::body_problem(error.into());
    let first = payload.next().await.transpose().map_err(broken)?.unwrap_or_default();
    let Some(second) = payload.next().await.transpose().map_err(broken)? else { return Ok(first) };
    let mut body = BytesMut::from(first);
    body.extend_from_slice(&second);
    while let Some(more) = payload.next().await.transpose().map_err(broken)? {
        body.extend_from_slice(&more);
    }
    Ok(body.freeze())
}

/// A request on its way to its answer.
pub(super) enum Way {
    /// Answered already.
    Answered(Ready<Result<Response<BoxBody>, Error>>),
    /// Its body is on the way, or it goes through the house.
    Later(Pin<Box<dyn Future<Output = Result<Response<BoxBody>, Error>>>>),
}

impl Future for Way {
    type Output = Result<Response<BoxBody>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Answered(answer) => Pin::new(answer).poll(context),
            Self::Later(answer) => answer.as_mut().poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::http::header::HeaderName;

    use super::*;

    #[test]
    fn what_is_unusual_goes_through_the_house() {
        let taken = |method: Method, path: &'static str, headers: &[(HeaderName, &'static str)]| {
            let mut request = Request::new();
            request.head_mut().method = method;
            *request.uri_mut() = actix_web::http::Uri::from_static(path);
            for (name, value) in headers {
                request.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
            }
            asked_of(request.head()).is_some()
        };
        let length = |length| (header::CONTENT_LENGTH, length);

        assert!(taken(Method::PUT, "/v1/forward-auth?scope=read", &[]));
        assert!(taken(Method::POST, "/v1/introspect", &[length("65536")]));
        assert!(!taken(Method::GET, "/v1/forward-auth", &[(header::COOKIE, "a=b")]));
        assert!(taken(Method::GET, "/v1/forward-auth/below", &[]));
        assert!(!taken(Method::GET, "/v1/forward-authority", &[]));
        assert!(!taken(Method::GET, "/v1/introspect", &[length("9")]));
        for unusual in [length("65537"), length("-1"), length("")] {
            assert!(!taken(Method::POST, "/v1/introspect", &[unusual]));
        }
        assert!(!taken(Method::POST, "/v1/introspect", &[]));
        for encoding in [header::CONTENT_ENCODING, header::TRANSFER_ENCODING] {
            assert!(!taken(Method::POST, "/v1/introspect", &[length("9"), (encoding, "chunked")]));
        }
    }

    #[actix_web::test]
    async fn a_panic_at_the_door_is_one_500_and_nothing_else() {
        let fallen = catch_unwind(|| -> Answer { panic!("the keeper falls") });

        let response = see_off(fallen, Request::new().head(), true);

        let told = |name: &str| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(response.status(), 500);
        assert_eq!(told("x-content-type-options"), "nosniff");
        assert!(told("strict-transport-security").starts_with("max-age="));
        let id = told("x-request-id");
        let body: serde_json::Value = serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap();
        assert_eq!((body["code"].as_str(), body["request_id"].as_str()), (Some("internal"), Some(id.as_str())));
        assert!(!body.to_string().contains("keeper"), "{body}");
    }
}
