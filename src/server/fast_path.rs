//! The fast path: answers before the router what gateways and services ask for each of their own requests (may this key
//! do this?). It calls the same functions as the routes, without the router, the extractors and the boxed futures. A
//! request that is unusual in any way goes through the middleware and the router.

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
use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt, TryFutureExt};
use tokio::time::timeout;

use super::bounds::{Bounds, FAST_BODY_TIMEOUT};
use super::middleware::{self, REQUEST_ID};
use super::route::{ClientKind, FastAnswer, Route, fast_route};
use super::router::RouteIndex;
use super::routes::ROUTES;
use super::{faults, incidents, pages};
use crate::base::{Problem, RequestClass, Stopwatch, WorkerCounts};
use crate::http::{Answer, Fault, RequestId, ShutdownSignal, json};
use crate::services::Callers;
use crate::services::api::{caller_in_headers, forward_auth_without_session, introspect_form};
use crate::verification::Verifier;

const FORWARD_AUTH: &Route = fast_route(ROUTES, FastAnswer::ForwardAuth);
const INTROSPECT: &Route = fast_route(ROUTES, FastAnswer::Introspect);
const INTROSPECT_PATH: &str = INTROSPECT.path;

/// Makes the [`FastPathService`] of each worker, in front of the application `router`.
pub(super) struct FastPath<F> {
    router: F,
    handlers: DirectHandlers,
}

/// Answers the requests of the fast path.
#[derive(Clone)]
struct DirectHandlers {
    verifier: Arc<Verifier>,
    callers: Arc<Callers>,
    shutdown: ShutdownSignal,
    hsts: Option<HeaderValue>,
    bounds: Arc<Bounds>,
    routes: Arc<RouteIndex>,
    /// Of this worker.
    counts: Arc<WorkerCounts>,
}

impl<F: ServiceFactory<Request, Config = AppConfig>> FastPath<F> {
    /// The fast path in front of an application.
    pub(super) fn new(
        router: impl IntoServiceFactory<F, Request>,
        verifier: Arc<Verifier>,
        callers: Arc<Callers>,
        shutdown: ShutdownSignal,
        bounds: Arc<Bounds>,
    ) -> Self {
        let hsts = middleware::hsts(verifier.app().config());
        let (counts, routes) = (Arc::default(), Arc::new(RouteIndex::new(ROUTES)));
        Self {
            router: router.into_factory(),
            handlers: DirectHandlers { verifier, callers, shutdown, bounds, routes, hsts, counts },
        }
    }
}

impl<F> ServiceFactory<Request> for FastPath<F>
where
    F: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<BoxBody>, Error = Error>,
    F::Future: 'static,
    <F::Service as Service<Request>>::Future: 'static,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Config = AppConfig;
    type Service = FastPathService<F::Service>;
    type InitError = F::InitError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Service, Self::InitError>>>>;

    fn new_service(&self, config: AppConfig) -> Self::Future {
        let (router, mut handlers) = (self.router.new_service(config), self.handlers.clone());
        handlers.counts = handlers.verifier.app().metrics().worker();
        Box::pin(async move { Ok(FastPathService { router: router.await?, handlers: Rc::new(handlers) }) })
    }
}

/// Answers a request directly or passes it to the application. Each worker has one.
pub(super) struct FastPathService<S> {
    router: S,
    handlers: Rc<DirectHandlers>,
}

impl<S> Service<Request> for FastPathService<S>
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>,
    S::Future: 'static,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Future = ResponseFuture;

    forward_ready!(router);

    fn call(&self, mut request: Request) -> Self::Future {
        if let Err(refused) = self.handlers.bounds.admit(request.head()) {
            return ResponseFuture::Ready(ready(Ok(self.handlers.shed(request.head(), &refused))));
        }
        match fast_answer(request.head()) {
            Some(FastAnswer::ForwardAuth) => {
                let watch = self.handlers.watch();
                let mut response = self.handlers.forward_auth(request.head());
                self.handlers.count(&response, watch);
                close_when_stopping(&self.handlers.shutdown, &mut response);
                ResponseFuture::Ready(ready(Ok(response)))
            }
            Some(FastAnswer::Introspect) => {
                let payload = request.take_payload();
                let handlers = self.handlers.clone();
                let watch = self.handlers.watch();
                let answer = self.handlers.clone().introspect(request, payload).map(move |mut response| {
                    handlers.count(&response, watch);
                    close_when_stopping(&handlers.shutdown, &mut response);
                    Ok(response)
                });
                ResponseFuture::Pending(Box::pin(answer))
            }
            None => {
                let handlers = self.handlers.clone();
                handlers.bounds.bound_body(&mut request);
                let answer = self.router.call(request).map_ok(move |answer| {
                    let mut response = Response::from(answer);
                    close_when_stopping(&handlers.shutdown, &mut response);
                    response
                });
                ResponseFuture::Pending(Box::pin(answer))
            }
        }
    }
}

/// Once a stop was requested, each connection ends after its next answer, so that its client opens another one and loses no
/// request to a server that is gone.
fn close_when_stopping(shutdown: &ShutdownSignal, response: &mut Response<BoxBody>) {
    if shutdown.is_requested() {
        response.head_mut().set_connection_type(ConnectionType::Close);
        shutdown.count_last_answer();
    }
}

/// What the request asks. `None`: it is another request, or unusual, and belongs to the router.
fn fast_answer(head: &RequestHead) -> Option<FastAnswer> {
    let headers = head.headers();
    match head.uri.path() {
        // Envoy appends the original path. A cookie may belong to a person in a session, which only the middleware
        // looks up.
        path if is_gateway_path(path) => (!headers.contains_key(header::COOKIE)).then_some(FastAnswer::ForwardAuth),
        INTROSPECT_PATH if head.method.as_str() == INTROSPECT.method => {
            // The application decompresses a body, and limits the size of one whose length is unknown.
            if headers.contains_key(header::CONTENT_ENCODING) || headers.contains_key(header::TRANSFER_ENCODING) {
                return None;
            }
            let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse::<usize>().ok()?;
            (length <= INTROSPECT.body_max).then_some(FastAnswer::Introspect)
        }
        _ => None,
    }
}

/// Whether the client is a browser that shows a page. One that fetches a picture or a script accepts no HTML.
fn reads_html(head: &RequestHead) -> bool {
    let accepted = head.headers().get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// Whether it is the path where gateways ask, or a path below it.
fn is_gateway_path(path: &str) -> bool {
    path.strip_prefix(FORWARD_AUTH.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// One of so many requests is timed, because reading the clock twice takes as long as counting ten requests.
const TIMED_EVERY: u64 = 64;

impl DirectHandlers {
    /// Runs for a request whose time is measured.
    fn watch(&self) -> Option<Stopwatch> {
        self.counts.is_sampled(TIMED_EVERY).then(Stopwatch::start)
    }

    fn count(&self, response: &Response<BoxBody>, watch: Option<Stopwatch>) {
        self.counts.count(RequestClass::Verify, response.status().as_u16());
        if let Some(watch) = watch {
            self.counts.note_duration(RequestClass::Verify, watch.elapsed());
        }
    }

    /// Refuses a request before anything of it is handled, in the format that its client reads. A browser gets a page
    /// without parts, because each of them would be another request.
    fn shed(&self, head: &RequestHead, refused: &Problem) -> Response<BoxBody> {
        let (client, route) = self.routes.find(head.method.as_str(), head.uri.path());
        self.counts.count(Route::class(client, route), refused.status);
        let RequestId(id) = RequestId::random();
        faults::report(refused, &id, head.uri.path());
        let mut response = match client {
            ClientKind::Page if reads_html(head) => pages::overloaded(refused),
            ClientKind::KeyHolder => faults::error_json(refused),
            ClientKind::Page | ClientKind::Service | ClientKind::Gateway => faults::problem_json(refused, &id),
        };
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        middleware::set_security_headers(response.headers_mut(), self.hsts.as_ref());
        let mut response = Response::from(response);
        response.head_mut().set_connection_type(ConnectionType::Close);
        response
    }

    fn forward_auth(&self, head: &RequestHead) -> Response<BoxBody> {
        let answer =
            catch_unwind(AssertUnwindSafe(|| forward_auth_without_session(&self.verifier, &self.callers, head)));
        let response = finalize(answer, head, self.hsts.as_ref());
        if response.status().as_u16() == 401 {
            let id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
            incidents::note_refused_by_gateway(self.verifier.app(), head, id.to_owned());
        }
        response
    }

    async fn introspect(self: Rc<Self>, request: Request, payload: Payload) -> Response<BoxBody> {
        let answer = AssertUnwindSafe(async {
            let in_headers = caller_in_headers(&self.callers, request.headers())?;
            let _counted = self.bounds.count_body(request.head())?;
            let body = timeout(FAST_BODY_TIMEOUT, read_body(payload)).await.map_err(|_| json::body_too_slow())??;
            introspect_form(&self.verifier, &self.callers, in_headers, &body)
        });
        finalize(answer.catch_unwind().await, request.head(), self.hsts.as_ref())
    }
}

/// Does what the middleware does with an answer of the application. A panic becomes a response with status 500.
fn finalize(answer: std::thread::Result<Answer>, head: &RequestHead, hsts: Option<&HeaderValue>) -> Response<BoxBody> {
    let mut response = match answer.unwrap_or_else(|_| Err(Fault(Problem::internal("a handler panicked")))) {
        Ok(response) if response.status().is_success() => response,
        refused => {
            let RequestId(id) = RequestId::random();
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
    middleware::set_security_headers(response.headers_mut(), hsts);
    response.into()
}

/// Reads a body. Its `Content-Length` was checked, so its size is limited.
async fn read_body(mut payload: Payload) -> Result<Bytes, Problem> {
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

/// The response of the fast path or of the application.
pub(super) enum ResponseFuture {
    /// The response is there already.
    Ready(Ready<Result<Response<BoxBody>, Error>>),
    /// The body still has to arrive, or the application answers.
    Pending(Pin<Box<dyn Future<Output = Result<Response<BoxBody>, Error>>>>),
}

impl Future for ResponseFuture {
    type Output = Result<Response<BoxBody>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Ready(answer) => Pin::new(answer).poll(context),
            Self::Pending(answer) => answer.as_mut().poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::http::Method;
    use actix_web::http::header::HeaderName;

    use super::*;

    #[test]
    fn unusual_requests_go_through_the_router() {
        let taken = |method: Method, path: &'static str, headers: &[(HeaderName, &'static str)]| {
            let mut request = Request::new();
            request.head_mut().method = method;
            *request.uri_mut() = actix_web::http::Uri::from_static(path);
            for (name, value) in headers {
                request.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
            }
            fast_answer(request.head()).is_some()
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
    async fn a_panic_on_the_fast_path_is_one_500_and_nothing_else() {
        let panicked = catch_unwind(|| -> Answer { panic!("the handler panics") });

        let hsts = HeaderValue::from_static("max-age=86400");
        let response = finalize(panicked, Request::new().head(), Some(&hsts));

        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(response.status(), 500);
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("strict-transport-security"), "max-age=86400");
        let id = header("x-request-id");
        let body: serde_json::Value = serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap();
        assert_eq!((body["code"].as_str(), body["request_id"].as_str()), (Some("internal"), Some(id.as_str())));
        assert!(!body.to_string().contains("handler"), "{body}");
    }
}
