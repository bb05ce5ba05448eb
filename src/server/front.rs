//! The outermost layer: a name for each request, a net under each handler, the headers of each answer, and the form in
//! which a fault is told.

use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{Error, HttpMessage, HttpResponse};
use futures_util::future::LocalBoxFuture;

use super::turnstile::Turnstile;
use super::{faults, hosts, identify, pages};
use crate::app::App;
use crate::base::{Problem, Rng, days};
use crate::http::{Fault, Identity, Paced, Renewed, RequestId, SESSION, csrf, page, redirect};

/// What a page may load and do: nothing from elsewhere, no inline script or style (ui, section 3).
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";
const PERMISSIONS: &str =
    "publickey-credentials-get=(self), publickey-credentials-create=(self), clipboard-write=(self)";

/// Where a request's name is told.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Which visitors read a path: it decides the form of a fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// People.
    Page,
    /// Services and probes: problem+json (RFC 9457).
    Service,
    /// Gateways that ask about somebody's request. As services, but the somebody may be in a session.
    Gateway,
    /// The reference's client: `{"error": …}`.
    KeyHolder,
}

/// Where keys that were found are reported.
pub(super) const EXPOSURES_PATH: &str = "/v1/key-exposures";
/// Where a key's own program exchanges it, which may be allowed from some networks only.
pub(super) const EXCHANGE_PATH: &str = "/v1/token";
/// Where gateways ask, and everything below it.
pub(super) const GATEWAY_PATH: &str = "/v1/forward-auth";
/// What people read about the doors of programs.
const DOCS_PATH: &str = "/v1/docs";

fn reader_of(path: &str) -> Reader {
    if path.starts_with(GATEWAY_PATH) {
        Reader::Gateway
    } else if path.starts_with("/api/") {
        Reader::KeyHolder
    } else if path == DOCS_PATH {
        Reader::Page
    } else if path.starts_with("/v1/") || path.starts_with("/.well-known/") || path == "/healthz" || path == "/readyz" {
        Reader::Service
    } else {
        Reader::Page
    }
}

/// Wraps every request.
pub(super) struct Front {
    app: Option<Arc<App>>,
    is_tls: bool,
}

impl Front {
    /// In front of the appliance. `None`: of nothing, in a test of the layer itself.
    pub(super) fn new(app: Option<Arc<App>>) -> Self {
        let is_tls = app.as_ref().is_some_and(|app| app.config().public_url.starts_with("https://"));
        Self { app, is_tls }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Front
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = Wrapped<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let front = Self { app: self.app.clone(), is_tls: self.is_tls };
        ready(Ok(Wrapped { front: Rc::new(front), service: Rc::new(service), turnstile: Rc::default() }))
    }
}

/// The house with its front.
pub(super) struct Wrapped<S> {
    front: Rc<Front>,
    service: Rc<S>,
    turnstile: Rc<Turnstile>,
}

impl<S, B> Service<ServiceRequest> for Wrapped<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        // As the router will read it: `%74` is a `t` to it, so it must be one here.
        let path = request.match_info().as_str();
        let reader = reader_of(path);
        let (front, service, turnstile) = (self.front.clone(), self.service.clone(), self.turnstile.clone());
        Box::pin(async move {
            if reader == Reader::Page {
                turnstile.pass().await;
            }
            if let Some(app) = &front.app {
                if reader == Reader::Page
                    && let Err(problem) = hosts::refuse_unknown(app.config(), request.request())
                {
                    let mut refused = tell_fault(request.error_response(Fault(problem)), reader, Some(app));
                    dress(&mut refused, reader, front.is_tls);
                    return Ok(refused);
                }
                identify::mark(app, &request, reader).await;
            }
            Ok(front.see_off(service.call(request).await?, reader))
        })
    }
}

impl Front {
    /// Handlers answer their faults themselves; an error here is one of the framework's own.
    fn see_off<B: MessageBody + 'static>(
        &self,
        response: ServiceResponse<B>,
        reader: Reader,
    ) -> ServiceResponse<BoxBody> {
        let mut response = response.map_into_boxed_body();
        if response.status().is_client_error() || response.status().is_server_error() {
            response = tell_fault(response, reader, self.app.as_ref());
        }
        dress(&mut response, reader, self.is_tls);
        response
    }
}

/// Gives a fault the form its reader knows. Answers that have a body of their own, such as a form shown again, stay.
fn tell_fault(response: ServiceResponse<BoxBody>, reader: Reader, app: Option<&Arc<App>>) -> ServiceResponse<BoxBody> {
    let problem = response.response().extensions().get::<Problem>().cloned();
    let has_body = !matches!(
        response.response().body().size(),
        actix_web::body::BodySize::None | actix_web::body::BodySize::Sized(0)
    );
    let asked_by_gateway = reader == Reader::Gateway && problem.is_none();
    if asked_by_gateway || (problem.is_none() && has_body && response.headers().contains_key("x-page")) {
        return response;
    }
    let problem = problem.unwrap_or_else(|| faults::frameworks_own(response.status()));
    let request_id = request_id(response.request());
    faults::report(&problem, &request_id, response.request().path());
    let allow = response.headers().get(header::ALLOW).cloned();
    let (request, _) = response.into_parts();
    let mut told = match reader {
        Reader::Page if problem.code == "signed_out" => to_sign_in(&request, app),
        Reader::Page if problem.code == "factor_owed" => redirect("/settings/security"),
        Reader::Page => pages::fault(app, &request, &problem, &request_id),
        Reader::Service | Reader::Gateway => faults::problem_json(&problem, &request_id),
        Reader::KeyHolder => faults::error_json(&problem),
    };
    faults::add_retry_after(&problem, told.headers_mut());
    if let Some(allow) = allow {
        told.headers_mut().insert(header::ALLOW, allow);
    }
    ServiceResponse::new(request, told)
}

/// A stranger on a page of a person's is led to sign in, and back afterwards; somebody whose session ended is told why there.
fn to_sign_in(request: &actix_web::HttpRequest, app: Option<&Arc<App>>) -> HttpResponse {
    let whole = match *request.method() {
        Method::GET if request.path() != "/signin" => request.uri().path_and_query().map(|wanted| wanted.as_str()),
        // What was typed is lost; the page it was typed on is not.
        Method::POST => page_of(request, app),
        _ => None,
    };
    match whole.unwrap_or_default() {
        "" => redirect("/signin"),
        whole => {
            // A query that the way back would not take is left behind; the page itself is still reached.
            let path = whole.split('?').next().unwrap_or_default();
            let wanted = if page::safe_path(whole) == whole { whole } else { path };
            // Of what a safe path may hold, only this would end the value.
            redirect(&format!("/signin?next={}", wanted.replace('&', "%26")))
        }
    }
}

/// The page of ours that a form was sent from, as the browser says. `None`: it does not, or it is not one of ours.
fn page_of<'r>(request: &'r actix_web::HttpRequest, app: Option<&Arc<App>>) -> Option<&'r str> {
    let from = request.headers().get(header::REFERER)?.to_str().ok()?;
    from.strip_prefix(app?.config().public_url.as_str()).filter(|path| page::safe_path(path) == *path)
}

/// A new name for a request.
pub(super) fn new_request_id() -> String {
    hex::encode(Rng::system().bytes::<8>())
}

/// The request's name; made when first asked for, because the hot path never asks.
fn request_id(request: &actix_web::HttpRequest) -> String {
    if let Some(id) = request.extensions().get::<RequestId>() {
        return id.0.clone();
    }
    let id = new_request_id();
    request.extensions_mut().insert(RequestId(id.clone()));
    id
}

/// The person's own theme where this browser does not know it yet, so that the page is right once they are signed out, too.
fn theme_to_mirror(request: &actix_web::HttpRequest) -> Option<String> {
    if request.method() != Method::GET {
        return None;
    }
    let known = request.cookie(page::THEME).map_or_else(|| "system".to_owned(), |cookie| cookie.value().to_owned());
    let chosen = request.extensions().get::<Identity>().and_then(|identity| identity.theme.clone());
    chosen.filter(|chosen| *chosen != known)
}

/// The headers of an answer.
fn dress(response: &mut ServiceResponse<BoxBody>, reader: Reader, is_tls: bool) {
    let status = response.status();
    let is_fault = status.is_server_error() || status.is_client_error();
    // The hot path goes without a name, unless it has something to complain of.
    if is_fault || matches!(reader, Reader::Page | Reader::KeyHolder) {
        let id = request_id(response.request());
        let headers = response.headers_mut();
        headers.remove("x-page");
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, value);
        }
    }
    match reader {
        Reader::Page => dress_page(response),
        Reader::KeyHolder => {
            let paced = response.request().extensions().get::<Paced>().copied();
            if let Some(paced) = paced {
                paced.tell(response.headers_mut());
            }
        }
        Reader::Service | Reader::Gateway => {}
    }
    dress_any(response.headers_mut(), is_tls);
}

/// The headers of every answer, whoever reads it.
pub(super) fn dress_any(headers: &mut HeaderMap, is_tls: bool) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_tls {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// What a browser is told beside the page, and the cookies that go with it.
fn dress_page(response: &mut ServiceResponse<BoxBody>) {
    let request = response.request();
    let renewed = request.extensions().get::<Renewed>().cloned();
    let new_visit = request.extensions().get::<csrf::NewVisit>().cloned();
    let cookies = [
        renewed.map(|renewed| crate::http::cookie(SESSION, renewed.token.expose().clone(), renewed.keep)),
        theme_to_mirror(request).map(|theme| crate::http::cookie(page::THEME, theme, Some(days(365)))),
        new_visit.map(|visit| crate::http::cookie(csrf::VISIT, visit.0, None)),
    ];
    let headers = response.headers_mut();
    for cookie in cookies.into_iter().flatten() {
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            headers.append(header::SET_COOKIE, value);
        }
    }
    let mut put = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    put(header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
    put(header::REFERRER_POLICY, "same-origin");
    put(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    put(HeaderName::from_static("permissions-policy"), PERMISSIONS);
    put(header::X_FRAME_OPTIONS, "DENY");
}
