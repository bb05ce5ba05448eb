//! The outermost layer: gives each request an id, finds out who sends it, renders each fault in the format that the
//! client reads, and sets the headers of each response.

use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{Error, HttpMessage, HttpResponse};
use futures_util::future::LocalBoxFuture;

use super::fair_queue::FairQueue;
use super::route::{ClientKind, Route};
use super::router::RouteIndex;
use super::routes::ROUTES;
use super::{faults, hosts, identify, incidents, pages};
use crate::app::App;
use crate::base::{Problem, RateLimit, Stopwatch, WorkerCounts, days};
use crate::config::Config;
use crate::http::{
    ALREADY_SIGNED_IN, ContinueAt, Fault, Identity, RenewedCookie, RequestId, SESSION, SIGNED_OUT, csrf,
    drop_encoded_names, give_plain_names, page, redirect, set_rate_limit, take_plain_names,
};
use crate::signin::pages::next_path;

/// What a page may load and do: nothing from another origin, no inline script or style (ui, section 3).
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";
const PERMISSIONS: &str =
    "publickey-credentials-get=(self), publickey-credentials-create=(self), clipboard-write=(self)";

/// The header that carries the id of a request.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The middleware around the application.
pub(super) struct Middleware {
    app: Option<Arc<App>>,
    hsts: Option<HeaderValue>,
    /// Whether the site is http, so that its cookies have plain names (see `http/cookies.rs`).
    has_plain_cookies: bool,
    routes: Arc<RouteIndex>,
}

impl Middleware {
    /// The middleware of an appliance. `None`: without an appliance, in a test of the middleware itself.
    pub(super) fn new(app: Option<Arc<App>>) -> Self {
        let hsts = app.as_ref().and_then(|app| hsts(app.config()));
        let has_plain_cookies = app.as_ref().is_some_and(|app| app.config().public_url.starts_with("http://"));
        Self { app, hsts, has_plain_cookies, routes: Arc::new(RouteIndex::new(ROUTES)) }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Middleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = MiddlewareService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let counts = self.app.as_ref().map_or_else(Arc::default, |app| app.metrics().worker());
        let middleware = Self {
            app: self.app.clone(),
            hsts: self.hsts.clone(),
            has_plain_cookies: self.has_plain_cookies,
            routes: self.routes.clone(),
        };
        ready(Ok(MiddlewareService {
            middleware: Rc::new(middleware),
            service: Rc::new(service),
            page_queue: Rc::default(),
            counts,
        }))
    }
}

/// The application wrapped in the middleware. Each worker has one.
pub(super) struct MiddlewareService<S> {
    middleware: Rc<Middleware>,
    service: Rc<S>,
    page_queue: Rc<FairQueue>,
    counts: Arc<WorkerCounts>,
}

impl<S, B> Service<ServiceRequest> for MiddlewareService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let watch = Stopwatch::start();
        if self.middleware.has_plain_cookies {
            take_plain_names(request.headers_mut());
        } else {
            drop_encoded_names(request.headers_mut());
        }
        // Decoded as the router decodes it: both must read `%74` as `t`.
        let path = request.match_info().as_str();
        let (client, route) = self.middleware.routes.find(request.method().as_str(), path);
        let class = Route::class(client, route);
        let is_console = client == ClientKind::Page && self.middleware.routes.is_console(path);
        let (middleware, service, page_queue) =
            (self.middleware.clone(), self.service.clone(), self.page_queue.clone());
        let counts = self.counts.clone();
        Box::pin(async move {
            if client == ClientKind::Page {
                page_queue.wait().await;
            }
            if let Some(app) = &middleware.app {
                take_request_id(app, &request);
                let known_host = match client {
                    ClientKind::Page => hosts::refuse_unknown(app.config(), request.request()),
                    _ => Ok(()),
                };
                let identified = match known_host {
                    Ok(()) => identify::attach(app, &request, client, route).await,
                    refused => refused,
                };
                let identified = identified.and_then(|()| if is_console { hide_console(&request) } else { Ok(()) });
                if let Err(problem) = identified {
                    let mut refused = render_fault(request.error_response(Fault(problem)), client, Some(app));
                    middleware.set_headers(&mut refused, client);
                    counts.count(class, refused.status().as_u16());
                    return Ok(refused);
                }
            }
            let response = middleware.finalize(service.call(request).await?, client);
            counts.count(class, response.status().as_u16());
            counts.note_duration(class, watch.elapsed());
            Ok(response)
        })
    }
}

/// For a person who is no operator, the paths of the console do not exist, whatever the method is.
fn hide_console(request: &ServiceRequest) -> Result<(), Problem> {
    match request.extensions().get::<Identity>() {
        Some(identity) if !identity.is_operator => Err(Problem::not_found()),
        _ => Ok(()),
    }
}

impl Middleware {
    /// Renders faults and sets headers. Handlers turn their errors into responses, so an error here comes from the
    /// framework.
    fn finalize<B: MessageBody + 'static>(
        &self,
        response: ServiceResponse<B>,
        client: ClientKind,
    ) -> ServiceResponse<BoxBody> {
        let mut response = response.map_into_boxed_body();
        if client == ClientKind::Page
            && response.status().as_u16() == 429
            && let Some(app) = &self.app
        {
            incidents::note_throttled(app, response.request());
        }
        if response.status().is_client_error() || response.status().is_server_error() {
            response = render_fault(response, client, self.app.as_ref());
        }
        self.set_headers(&mut response, client);
        response
    }

    fn set_headers(&self, response: &mut ServiceResponse<BoxBody>, client: ClientKind) {
        set_headers(response, client, self.hsts.as_ref());
        if self.has_plain_cookies {
            give_plain_names(response.headers_mut());
        }
    }
}

/// Renders a fault in the format that the client reads. Leaves a response that has a body of its own, such as a form
/// with an error.
fn render_fault(
    response: ServiceResponse<BoxBody>,
    client: ClientKind,
    app: Option<&Arc<App>>,
) -> ServiceResponse<BoxBody> {
    let problem = response.response().extensions().get::<Problem>().cloned();
    let has_body = !matches!(
        response.response().body().size(),
        actix_web::body::BodySize::None | actix_web::body::BodySize::Sized(0)
    );
    let asked_by_gateway = client == ClientKind::Gateway && problem.is_none();
    let wants_json = client == ClientKind::Page && wants_json(response.request());
    if asked_by_gateway || (has_body && response.headers().contains_key("x-page") && !wants_json) {
        return response;
    }
    let problem = problem.unwrap_or_else(|| faults::framework_problem(response.status()));
    let problem = if client == ClientKind::Page { problem } else { faults::for_programs(problem) };
    let request_id = RequestId::of(response.request());
    let is_in_the_log = faults::report(&problem, &request_id, response.request().path());
    if let Some(app) = app {
        incidents::note_refusal(app, response.request(), client, &problem);
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let (request, _) = response.into_parts();
    let mut rendered = match client {
        ClientKind::Page if wants_json => faults::problem_json(&problem, &request_id),
        ClientKind::Page if problem.status == 405 && *request.method() == Method::GET => {
            to_page_of_form(&request).unwrap_or_else(|| pages::fault(app, &request, &problem, None))
        }
        ClientKind::Page if problem.code == SIGNED_OUT => to_sign_in(&request, app),
        ClientKind::Page if problem.code == ALREADY_SIGNED_IN => {
            let next = request.extensions().get::<ContinueAt>().cloned();
            redirect(next_path(next.as_ref().map_or("", |next| &next.0)))
        }
        ClientKind::Page if problem.code == identify::FACTOR_OWED => redirect("/settings/security"),
        ClientKind::Page => pages::fault(app, &request, &problem, is_in_the_log.then_some(request_id.as_str())),
        ClientKind::Service | ClientKind::Gateway => faults::problem_json(&problem, &request_id),
        ClientKind::KeyHolder => faults::error_json(&problem),
    };
    faults::add_retry_after(&problem, rendered.headers_mut());
    if let Some(allow) = allow {
        rendered.headers_mut().insert(header::ALLOW, allow);
    }
    ServiceResponse::new(request, rendered)
}

/// Redirects an anonymous visitor to the sign-in page, with the page to return to. If their session ended, that page
/// says why.
fn to_sign_in(request: &actix_web::HttpRequest, app: Option<&Arc<App>>) -> HttpResponse {
    let whole = match *request.method() {
        Method::GET if request.path() != "/signin" => request.uri().path_and_query().map(|target| target.as_str()),
        // The content of the form is lost, but the visitor returns to the page that has the form.
        Method::POST => referring_page(request, app),
        _ => None,
    };
    match whole.unwrap_or_default() {
        "" => redirect("/signin"),
        whole => {
            // If the query has characters that `safe_path` rejects, the visitor returns to the page without the query.
            let path = whole.split('?').next().unwrap_or_default();
            let target = if page::safe_path(whole).is_some() { whole } else { path };
            // The only character of a safe path that would end the value.
            redirect(&format!("/signin?next={}", target.replace('&', "%26")))
        }
    }
}

/// Whether a script asks for a settings page, and reads problem documents instead of pages.
fn wants_json(request: &actix_web::HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_json = accept.contains("application/json") || accept.contains("application/problem+json");
    request.path().starts_with("/settings") && is_json && !accept.contains("text/html")
}

/// The page of the sidebar that a path belongs to which only takes forms. Its address is in the browser after a form was
/// refused, and comes back by a reload, a bookmark or the switch of the theme. `None`: it belongs to no page.
fn to_page_of_form(request: &actix_web::HttpRequest) -> Option<HttpResponse> {
    let entries = ROUTES.iter().filter_map(|route| route.sidebar);
    let is_below = |page: &str| request.path().strip_prefix(page).is_some_and(|rest| rest.starts_with('/'));
    let page = entries.filter(|entry| is_below(entry.path)).max_by_key(|entry| entry.path.len());
    page.map(|entry| redirect(entry.path))
}

/// The page of this site that a form was sent from, according to the `Referer` header. `None`: there is none, or it
/// names another site.
fn referring_page<'r>(request: &'r actix_web::HttpRequest, app: Option<&Arc<App>>) -> Option<&'r str> {
    let from = request.headers().get(header::REFERER)?.to_str().ok()?;
    from.strip_prefix(app?.config().public_url.as_str()).filter(|path| page::safe_path(path).is_some())
}

/// Takes the id that a trusted proxy gave the request, so that both logs have the same.
fn take_request_id(app: &App, request: &ServiceRequest) {
    let Some(given) = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()) else { return };
    let is_id =
        (8..=64).contains(&given.len()) && given.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let proxies = &app.config().listen.trusted_proxies;
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    if is_id && peer.is_some_and(|peer| proxies.iter().any(|network| network.contains(&peer))) {
        request.extensions_mut().insert(RequestId(given.to_owned()));
    }
}

/// The theme of the person if this browser has no cookie with it yet: so pages keep the theme after they sign out.
fn theme_to_mirror(request: &actix_web::HttpRequest) -> Option<String> {
    if request.method() != Method::GET {
        return None;
    }
    let known = request.cookie(page::THEME).map_or_else(|| "system".to_owned(), |cookie| cookie.value().to_owned());
    let chosen = request.extensions().get::<Identity>().and_then(|identity| identity.theme.clone());
    chosen.filter(|chosen| *chosen != known)
}

/// Sets all headers of a response.
fn set_headers(response: &mut ServiceResponse<BoxBody>, client: ClientKind, hsts: Option<&HeaderValue>) {
    let status = response.status();
    let is_fault = status.is_server_error() || status.is_client_error();
    // Successful responses of the hot path need no request id. Other requests of services have one, for the log.
    let needs_id = is_fault || matches!(client, ClientKind::Page | ClientKind::KeyHolder);
    if needs_id || response.request().extensions().contains::<RequestId>() {
        let id = RequestId::of(response.request());
        let headers = response.headers_mut();
        headers.remove("x-page");
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, value);
        }
    }
    match client {
        ClientKind::Page => set_page_headers(response),
        ClientKind::KeyHolder => {
            let rate_limit = response.request().extensions().get::<RateLimit>().copied();
            if let Some(rate_limit) = rate_limit {
                set_rate_limit(response.headers_mut(), rate_limit);
            }
        }
        ClientKind::Service | ClientKind::Gateway => {}
    }
    set_security_headers(response.headers_mut(), hsts);
}

/// The header that binds browsers to HTTPS, if the settings ask for it (RFC 6797). Never for names below the host: they are
/// other sites of the company.
pub(super) fn hsts(config: &Config) -> Option<HeaderValue> {
    let age = config.listen.hsts.filter(|_| config.public_url.starts_with("https://"))?;
    HeaderValue::from_str(&format!("max-age={}", age.as_secs())).ok()
}

/// Sets the headers that every response has.
pub(super) fn set_security_headers(headers: &mut HeaderMap, hsts: Option<&HeaderValue>) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(hsts) = hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// Sets the headers that restrict what a browser does with a page, and the cookies that the request produced.
fn set_page_headers(response: &mut ServiceResponse<BoxBody>) {
    let request = response.request();
    let renewed = request.extensions().get::<RenewedCookie>().cloned();
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
