//! Makes the router from the table of routes, and finds the record of a request before the router does.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use actix_web::body::BoxBody;
use actix_web::dev::{ResourceDef, ServiceRequest};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, PayloadConfig, ServiceConfig};
use actix_web::{Handler, Responder, Route as ActixRoute};
use futures_util::FutureExt;
use futures_util::future::{CatchUnwind, Map};

use super::fresh::{fresh, fresh_operator, operator};
use super::route::{Access, BODY_MAX, ClientKind, Route};
use crate::base::Problem;
use crate::http::Fault;

/// Turns a panic in a handler into one response with status 500. The values of the handler are dropped, and the writer
/// has rolled back a transaction that it had begun.
#[derive(Clone)]
struct CatchPanic<H>(H);

type CatchPanicFuture<F, O> = Map<CatchUnwind<AssertUnwindSafe<F>>, fn(std::thread::Result<O>) -> Result<O, Fault>>;

impl<H: Handler<Args>, Args> Handler<Args> for CatchPanic<H> {
    type Output = Result<H::Output, Fault>;
    type Future = CatchPanicFuture<H::Future, H::Output>;

    fn call(&self, args: Args) -> Self::Future {
        AssertUnwindSafe(self.0.call(args))
            .catch_unwind()
            .map(|outcome| outcome.map_err(|_| Fault(Problem::internal("a handler panicked"))))
    }
}

/// Collects routes by path. All routes of one path share one resource, so that a wrong method is answered with 405.
#[derive(Default)]
pub(super) struct Table {
    resources: Vec<Resource>,
}

struct Resource {
    path: &'static str,
    body_max: usize,
    has_subpaths: bool,
    routes: Vec<ActixRoute>,
}

impl Table {
    pub(super) fn add<F, Args>(&mut self, route: &Route, method: Method, handler: F)
    where
        F: Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        // HEAD is GET without the body (RFC 9110 §9.3.2); the server leaves the body out by itself.
        let is_get = method == Method::GET;
        let guard = actix_web::guard::Method(method);
        let handled = if route.has_subpaths {
            web::route().to(CatchPanic(handler))
        } else if is_get {
            web::route().guard(actix_web::guard::Any(guard).or(actix_web::guard::Head())).to(CatchPanic(handler))
        } else {
            web::route().guard(guard).to(CatchPanic(handler))
        };
        let act = route.act;
        let handled = match route.access {
            Access::Fresh => {
                handled.wrap(from_fn(move |request: ServiceRequest, next: Next<BoxBody>| fresh(act, request, next)))
            }
            Access::Operator => handled.wrap(from_fn(operator)),
            Access::FreshOperator => handled
                .wrap(from_fn(move |request: ServiceRequest, next: Next<BoxBody>| fresh_operator(act, request, next))),
            _ => handled,
        };
        match self.resources.iter_mut().find(|known| known.path == route.path) {
            Some(known) => {
                known.body_max = known.body_max.max(route.body_max);
                known.routes.push(handled);
            }
            None => self.resources.push(Resource {
                path: route.path,
                body_max: route.body_max,
                has_subpaths: route.has_subpaths,
                routes: vec![handled],
            }),
        }
    }

    pub(super) fn into_config(mut self, config: &mut ServiceConfig) {
        // The router tries the paths one after the other. So the paths of programs come first, because programs ask far
        // more often than people, and paths with parameters last, because matching a pattern costs a hundred times as
        // much.
        self.resources.sort_by_key(|resource| {
            (resource.path.contains('{'), !resource.has_subpaths, !resource.path.starts_with("/v1/"))
        });
        for resource in self.resources {
            let mut routes = resource.routes.into_iter();
            if resource.has_subpaths
                && let Some(route) = routes.next()
            {
                // A scope instead of a pattern, because a pattern is slower to match.
                config.service(web::scope(resource.path).default_service(route));
                continue;
            }
            let mut made = web::resource(resource.path);
            if resource.body_max != BODY_MAX {
                made = made.app_data(PayloadConfig::new(resource.body_max));
            }
            config.service(routes.fold(made, actix_web::Resource::route));
        }
    }
}

/// The routes by path. The middleware asks it before the router runs. It decides nothing about access: a request for
/// which it finds no record is treated with the strictest rules.
pub(super) struct RouteIndex {
    with_subpaths: Vec<&'static Route>,
    exact: HashMap<&'static str, Vec<&'static Route>>,
    patterns: Vec<(ResourceDef, Vec<&'static Route>)>,
}

impl RouteIndex {
    pub(super) fn new(routes: &'static [Route]) -> Self {
        let mut index = Self { with_subpaths: Vec::new(), exact: HashMap::new(), patterns: Vec::new() };
        for route in routes {
            if route.has_subpaths {
                index.with_subpaths.push(route);
            } else if !route.path.contains('{') {
                index.exact.entry(route.path).or_default().push(route);
            } else if let Some((_, known)) =
                index.patterns.iter_mut().find(|(_, known)| known.iter().any(|known| known.path == route.path))
            {
                known.push(route);
            } else {
                index.patterns.push((ResourceDef::new(route.path), vec![route]));
            }
        }
        index
    }

    /// The routes of a decoded path, one for each method. Empty: there is none, and the router answers with 404.
    pub(super) fn at(&self, path: &str) -> &[&'static Route] {
        let is_below =
            |route: &&Route| path.strip_prefix(route.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if let Some(found) = self.with_subpaths.iter().position(is_below) {
            return &self.with_subpaths[found..=found];
        }
        if let Some(found) = self.exact.get(path) {
            return found;
        }
        self.patterns.iter().find(|(pattern, _)| pattern.is_match(path)).map_or(&[], |(_, found)| found)
    }

    /// Whether the path belongs to the operator console, whatever the method of the request is.
    pub(super) fn is_console(&self, path: &str) -> bool {
        self.at(path).iter().any(|route| route.access.is_console())
    }

    /// Who asks for this path, and the record of the request. `None`: no route answers it.
    pub(super) fn find(&self, method: &str, path: &str) -> (ClientKind, Option<&'static Route>) {
        let routes = self.at(path);
        let client = routes.first().map_or_else(|| ClientKind::of_path(path), |route| route.client);
        (client, routes.iter().find(|route| route.answers(method)).copied())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::error::PayloadError;
    use actix_web::http::header;
    use actix_web::{App, HttpResponse, test as actix_test};

    use super::*;
    use crate::http::Answer;
    use crate::http::json::{body_problem, body_too_slow};
    use crate::server::ROUTES;
    use crate::server::middleware::Middleware;

    #[allow(clippy::unused_async)]
    async fn panics() -> &'static str {
        panic!("this handler panics")
    }

    #[allow(clippy::unused_async)]
    async fn answers() -> &'static str {
        "ok"
    }

    #[actix_web::test]
    async fn a_panic_in_a_handler_is_one_500_and_nothing_else() {
        let mut table = Table::default();
        table.add(&Route::new("GET", "/v1/panics", Access::Public), Method::GET, panics);
        table.add(&Route::new("GET", "/v1/answers", Access::Public), Method::GET, answers);
        let web = App::new().wrap(Middleware::new(None)).configure(|config| table.into_config(config));
        let server = actix_test::init_service(web).await;
        let ask = |path: &str| actix_test::TestRequest::get().uri(path).to_request();

        for _ in 0..3 {
            let response = actix_test::call_service(&server, ask("/v1/panics")).await;
            assert_eq!(response.status(), 500);
            let body: serde_json::Value = actix_test::read_body_json(response).await;
            assert_eq!(body["code"], "internal");
            assert!(!body.to_string().contains("panics"), "{body}");
            assert_eq!(actix_test::call_service(&server, ask("/v1/answers")).await.status(), 200);
        }
    }

    #[actix_web::test]
    async fn a_body_that_is_too_slow_or_too_large_is_told_in_the_format_of_the_client() {
        #[allow(clippy::unused_async)]
        async fn too_slow() -> Answer {
            Err(body_too_slow().into())
        }
        #[allow(clippy::unused_async)]
        async fn too_large() -> Answer {
            Err(body_problem(PayloadError::Overflow.into()).into())
        }
        // As the framework answers when it gives up by itself.
        #[allow(clippy::unused_async)]
        async fn gives_up() -> HttpResponse {
            HttpResponse::RequestTimeout().finish()
        }
        let mut table = Table::default();
        for path in ["/forgot", "/v1/introspect", "/api/trash"] {
            table.add(&Route::new("POST", path, Access::Public), Method::POST, too_large);
            table.add(&Route::new("PUT", path, Access::Public), Method::PUT, too_slow);
            table.add(&Route::new("DELETE", path, Access::Public), Method::DELETE, gives_up);
        }
        let web = App::new().wrap(Middleware::new(None)).configure(|config| table.into_config(config));
        let server = actix_test::init_service(web).await;
        let large =
            (Method::POST, 413, "too_large", "The request is larger than this address accepts. Send less at once.");
        let [slow, given_up] = [Method::PUT, Method::DELETE]
            .map(|method| (method, 408, "timeout", "The request took too long to arrive. Send it again."));

        for (method, status, code, sentence) in [large, slow, given_up] {
            for (path, content_type) in
                [("/forgot", ""), ("/v1/introspect", "application/problem+json"), ("/api/trash", "application/json")]
            {
                let ask = actix_test::TestRequest::default().method(method.clone()).uri(path);
                let response = actix_test::call_service(&server, ask.to_request()).await;
                assert_eq!(response.status(), status, "{method} {path}");
                let kind = response.headers().get(header::CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap());
                assert!(kind.starts_with(content_type), "{method} {path}: {kind}");
                let body = actix_test::read_body(response).await;
                if content_type.is_empty() {
                    // Without an appliance, there is no page around the sentence.
                    assert_eq!(body, sentence, "{method} {path}");
                } else {
                    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                    assert_eq!((&body["code"], &body["error"]), (&code.into(), &sentence.into()), "{body}");
                    let has_detail = body["detail"] == sentence && body["status"] == status;
                    assert_eq!(has_detail, path == "/v1/introspect", "{body}");
                }
            }
        }
    }

    #[test]
    fn the_index_finds_what_the_router_finds() {
        let index = RouteIndex::new(ROUTES);
        let path_of = |method: &str, path: &str| index.find(method, path).1.map(|route| route.path);

        for route in ROUTES {
            let path = route.path.replace("{id}", "key_1").replace("{name}", "forge").replace("{name:.*}", "app.css");
            assert_eq!(path_of(route.method, &path), Some(route.path));
            assert_eq!(index.find("TRACE", &path).0, route.client, "{path}");
        }
        assert_eq!(path_of("HEAD", "/settings/keys/scopes"), Some("/settings/keys/scopes"));
        assert_eq!(path_of("DELETE", "/v1/forward-auth/below"), Some("/v1/forward-auth"));
        assert_eq!(
            path_of("GET", "/settings/keys/policy"),
            None,
            "as the router: a path without parameters goes first"
        );
        for unknown in ["/v1/forward-authority", "/settings/keys/", "/settings/securityx", "//", ""] {
            assert_eq!(path_of("GET", unknown), None, "{unknown}");
        }
        assert_eq!(index.find("GET", "/v1/nothing").0, ClientKind::Service);
        assert_eq!(index.find("GET", "/api/nothing").0, ClientKind::KeyHolder);
        assert_eq!(index.find("GET", "/nothing").0, ClientKind::Page);
    }
}
