//! Every path, page and API, in one table: who may use it and which handler answers.

use std::panic::AssertUnwindSafe;

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, PayloadConfig, ServiceConfig};
use actix_web::{Handler, Responder, Route as ActixRoute};

use futures_util::FutureExt;
use futures_util::future::{CatchUnwind, Map};

use super::fresh::fresh;
use super::middleware::GATEWAY_PATH;
use super::{docs, health, openapi, pages};
use crate::base::Problem;
use crate::http::{Fault, assets};
use crate::{
    activity, api_keys, billing, people, privacy, resources, services, settings, signin, tokens, verification,
};

/// Who may use a route. The extractor in the handler's signature enforces it; a test compares both by sending requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// A person in a session; others are redirected to the sign-in page.
    SignedIn,
    /// Like [`Access::SignedIn`], but the last proof of identity must be at most `session.step_up_after` old; otherwise
    /// the person is asked for a new one.
    Fresh,
    /// The holder of an API key with one of these scopes. Without a valid key the answer is 401, without the scope 403.
    /// If there are several scopes, the handler requires the one for the resource type that the request names.
    KeyHolder(&'static [&'static str]),
    /// A connected service; others get 401.
    Service,
    /// A gateway on a trusted network, or a service. It asks about the requests of others.
    Gateway,
    /// Anyone, but only in a demonstration.
    Demo,
}

/// A route as the tests and the documentation see it.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with `{parameters}`.
    pub path: &'static str,
    /// Who may use the route.
    pub access: Access,
}

/// The largest batch of usage events in bytes: ample for 10,000 events.
const EVENTS_BYTES_MAX: usize = 8 * 1024 * 1024;

macro_rules! routes {
    ($($method:ident $path:literal $access:ident $(($($scope:literal)+))? => $handler:expr;)*) => {
        /// Every route of the server.
        pub const ROUTES: &[Route] = &[
            $(Route { method: stringify!($method), path: $path, access: Access::$access $((&[$($scope),+]))? },)*
            Route { method: "POST", path: "/v1/usage/events", access: Access::Service },
            Route { method: "GET", path: "/v1/forward-auth", access: Access::Gateway },
        ];

        /// Builds the router. All routes of one path share one resource, so that a wrong method is answered with 405.
        pub(super) fn configure(config: &mut ServiceConfig) {
            let mut table = Table::default();
            $(table.add(Method::$method, $path, Access::$access $((&[$($scope),+]))?, $handler);)*
            // The gateway asks with the method of the original request, and Envoy appends its path. A scope instead of
            // a pattern, because a pattern is slower to match.
            config.service(
                web::scope(GATEWAY_PATH).default_service(web::route().to(CatchPanic(services::api::forward_auth))),
            );
            config.service(
                web::resource("/v1/usage/events")
                    .app_data(PayloadConfig::new(EVENTS_BYTES_MAX))
                    .route(web::post().to(CatchPanic(billing::api::record_events))),
            );
            table.into_config(config);
        }
    };
}

routes! {
    GET  "/"                                    SignedIn  => pages::home;
    GET  "/settings"                            SignedIn  => pages::home;
    GET  "/signup"                              Public    => signin::pages::sign_up_form;
    POST "/signup"                              Public    => signin::pages::sign_up;
    GET  "/verify"                              Public    => signin::pages::verify_form;
    POST "/verify"                              Public    => signin::pages::verify;
    POST "/verify/resend"                       Public    => signin::pages::resend;
    GET  "/signin"                              Public    => signin::pages::sign_in_form;
    POST "/signin"                              Public    => signin::pages::sign_in;
    POST "/signin/passkey/challenge"            Public    => signin::pages::passkey_challenge;
    POST "/signin/passkey"                      Public    => signin::pages::sign_in_by_passkey;
    GET  "/signin/factor"                       Public    => signin::pages::factor_form;
    POST "/signin/factor"                       Public    => signin::pages::factor;
    POST "/signin/factor/challenge"             Public    => signin::pages::factor_challenge;
    POST "/signin/factor/lost"                  Public    => signin::pages::lost_factor;
    GET  "/signin/factor/keep"                  Public    => signin::pages::keep_factors_form;
    POST "/signin/factor/keep"                  Public    => signin::pages::keep_factors;
    POST "/signout"                             SignedIn  => signin::pages::sign_out;
    GET  "/oauth/sign-up"                       Public    => signin::oauth::pages::sign_up_form;
    POST "/oauth/sign-up"                       Public    => signin::oauth::pages::sign_up;
    GET  "/oauth/connect"                       SignedIn  => signin::oauth::pages::confirm_connect;
    POST "/oauth/connect"                       Fresh     => signin::oauth::pages::connect;
    GET  "/oauth/{name}/start"                  Public    => signin::oauth::pages::start;
    GET  "/oauth/{name}/callback"               Public    => signin::oauth::pages::callback;
    POST "/oauth/{name}/callback"               Public    => signin::oauth::pages::posted_callback;
    GET  "/oauth/{name}/finish"                 Public    => signin::oauth::pages::finish;
    GET  "/forgot"                              Public    => signin::pages::forgot_form;
    POST "/forgot"                              Public    => signin::pages::forgot;
    GET  "/reset"                               Public    => signin::pages::reset_form;
    POST "/reset"                               Public    => signin::pages::reset;
    GET  "/not-me"                              Public    => signin::pages::not_me_form;
    POST "/not-me"                              Public    => signin::pages::not_me;
    GET  "/session/left"                        SignedIn  => signin::pages::session_left;
    POST "/session/stay"                        SignedIn  => signin::pages::stay;
    GET  "/step-up"                             SignedIn  => signin::pages::step_up_form;
    POST "/step-up"                             Fresh     => signin::pages::step_up;
    POST "/step-up/challenge"                   SignedIn  => signin::pages::step_up_challenge;
    GET  "/settings/security"                   SignedIn  => settings::pages::security::security;
    POST "/settings/security/password"          Fresh     => settings::pages::security::change_password;
    POST "/password/strength"                   Public    => signin::pages::strength;
    POST "/settings/security/sessions/{id}/end" SignedIn  => settings::pages::security::end_session;
    POST "/settings/security/sessions/end-others" SignedIn => settings::pages::security::end_others;
    POST "/settings/security/totp/new"          Fresh     => settings::pages::security::two_step::begin;
    GET  "/settings/security/totp"              Fresh     => settings::pages::security::two_step::form;
    POST "/settings/security/totp"              Fresh     => settings::pages::security::two_step::confirm;
    GET  "/settings/security/totp/remove"       SignedIn  => settings::pages::security::two_step::confirm_remove;
    POST "/settings/security/totp/remove"       Fresh     => settings::pages::security::two_step::remove;
    POST "/settings/security/passkeys/challenge" Fresh    => settings::pages::security::passkeys::challenge;
    POST "/settings/security/passkeys"          Fresh     => settings::pages::security::passkeys::add;
    GET  "/settings/security/passkeys/{id}"     SignedIn  => settings::pages::security::passkeys::one;
    POST "/settings/security/passkeys/{id}/rename" Fresh  => settings::pages::security::passkeys::rename;
    POST "/settings/security/passkeys/{id}/remove" Fresh  => settings::pages::security::passkeys::remove;
    POST "/settings/security/recovery-codes"    Fresh     => settings::pages::security::recovery::regenerate;
    POST "/settings/security/reset/cancel"      SignedIn  => settings::pages::security::recovery::cancel_reset;
    POST "/settings/security/identities/{id}/disconnect" Fresh => settings::pages::security::disconnect;
    GET  "/revert"                              Public    => signin::pages::revert_form;
    POST "/revert"                              Public    => signin::pages::revert;
    POST "/theme"                               Public    => settings::pages::profile::theme;
    GET  "/settings/profile"                    SignedIn  => settings::pages::profile::profile;
    POST "/settings/profile"                    SignedIn  => settings::pages::profile::save_profile;
    POST "/settings/profile/picture"            SignedIn  => settings::pages::profile::set_picture;
    POST "/settings/profile/picture/remove"     SignedIn  => settings::pages::profile::remove_picture;
    POST "/settings/profile/colour"             SignedIn  => settings::pages::profile::set_colour;
    POST "/settings/profile/preferences"        SignedIn  => settings::pages::profile::save_preferences;
    POST "/settings/profile/notifications"      SignedIn  => settings::pages::profile::save_notifications;
    POST "/settings/profile/emails"             Fresh     => settings::pages::profile::add_email;
    POST "/settings/profile/emails/{id}/verify" Fresh     => settings::pages::profile::verify_email;
    POST "/settings/profile/emails/{id}/resend" Fresh     => settings::pages::profile::resend_email;
    POST "/settings/profile/emails/{id}/primary" Fresh    => settings::pages::profile::set_primary;
    POST "/settings/profile/emails/{id}/remove" Fresh     => settings::pages::profile::remove_email;
    GET  "/avatars/{id}"                        Public    => people::pages::avatar;
    GET  "/settings/keys"                       SignedIn  => api_keys::pages::list;
    POST "/settings/keys"                       Fresh     => api_keys::pages::create;
    GET  "/settings/keys/scopes"                SignedIn  => api_keys::pages::scopes;
    POST "/settings/keys/policy"                Fresh     => api_keys::pages::set_policy;
    GET  "/settings/keys/{id}"                  SignedIn  => api_keys::pages::detail;
    POST "/settings/keys/{id}"                  Fresh     => api_keys::pages::change;
    GET  "/settings/keys/{id}/revoke"           SignedIn  => api_keys::pages::confirm_revoke;
    POST "/settings/keys/{id}/revoke"           SignedIn  => api_keys::pages::revoke;
    GET  "/settings/keys/{id}/rotate"           SignedIn  => api_keys::pages::confirm_rotate;
    POST "/settings/keys/{id}/rotate"           Fresh     => api_keys::pages::rotate;
    GET  "/settings/keys/{id}/disable"          SignedIn  => api_keys::pages::confirm_disable;
    POST "/settings/keys/{id}/disable"          SignedIn  => api_keys::pages::disable;
    POST "/settings/keys/{id}/enable"           Fresh     => api_keys::pages::enable;
    POST "/settings/keys/{id}/restore"          Fresh     => api_keys::pages::restore;
    POST "/settings/keys/{id}/reveal"           Fresh     => api_keys::pages::reveal;
    GET  "/settings/billing"                    SignedIn  => billing::pages::billing;
    GET  "/settings/privacy"                    SignedIn  => privacy::pages::privacy;
    POST "/settings/privacy/export"             SignedIn  => privacy::pages::request_export;
    POST "/settings/privacy/export/{id}/download" Fresh   => privacy::pages::download;
    GET  "/settings/privacy/delete"             SignedIn  => privacy::pages::confirm_delete;
    POST "/settings/privacy/delete"             SignedIn  => privacy::pages::delete;
    GET  "/activity"                            SignedIn  => activity::pages::activity;
    GET  "/demo/mail"                           Demo      => pages::demo_mail;
    GET  "/assets/{name:.*}"                    Public    => assets::serve;
    GET  "/healthz"                             Public    => health::healthz;
    GET  "/readyz"                              Public    => health::readyz;
    GET  "/v1/openapi.json"                     Public    => openapi::document;
    GET  "/v1/docs"                             Public    => docs::page;
    GET  "/.well-known/jwks.json"               Public    => tokens::api::key_set;
    GET  "/.well-known/oauth-authorization-server" Public    => tokens::api::metadata;
    POST "/v1/key-exposures"                    Public    => api_keys::api::report_exposures;
    POST "/v1/introspect"                       Service   => services::api::introspect;
    GET  "/api/username/check"                  Public    => people::api::check_username;
    POST "/v1/token"                            Public    => services::api::token;
    GET  "/v1/revocations"                      Service   => services::api::revocations;
    GET  "/api/account/summary"                 KeyHolder("account:read") => settings::api::summary;
    GET  "/api/api-keys"                        KeyHolder("account:read") => verification::api::list;
    GET  "/api/users"                           KeyHolder("account:read") => settings::api::profile;
    GET  "/api/storage"                         KeyHolder("usage:read") => resources::api::storage;
    GET  "/api/billing/transactions"            KeyHolder("billing:read") => billing::api::transactions;
    GET  "/api/billing/usage-summary"           KeyHolder("billing:read") => billing::api::usage_summary;
    GET  "/api/trash"                           KeyHolder("projects:read" "datasets:read" "models:read") => resources::api::trash;
    POST "/api/trash"                           KeyHolder("projects:write" "datasets:write" "models:write") => resources::api::restore;
    DELETE "/api/trash"                         KeyHolder("projects:write" "datasets:write" "models:write") => resources::api::delete_trash;
}

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

/// Collects routes by path.
#[derive(Default)]
struct Table {
    resources: Vec<(&'static str, Vec<ActixRoute>)>,
}

impl Table {
    fn add<F, Args>(&mut self, method: Method, path: &'static str, access: Access, handler: F)
    where
        F: Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        // HEAD is GET without the body (RFC 9110 §9.3.2); the server leaves the body out by itself.
        let is_get = method == Method::GET;
        let guard = actix_web::guard::Method(method);
        let route = if is_get {
            web::route().guard(actix_web::guard::Any(guard).or(actix_web::guard::Head())).to(CatchPanic(handler))
        } else {
            web::route().guard(guard).to(CatchPanic(handler))
        };
        let route = if access == Access::Fresh { route.wrap(from_fn(fresh)) } else { route };
        match self.resources.iter_mut().find(|(known, _)| *known == path) {
            Some((_, routes)) => routes.push(route),
            None => self.resources.push((path, vec![route])),
        }
    }

    fn into_config(mut self, config: &mut ServiceConfig) {
        // The router tries the paths one after the other. So the paths of programs come first, because programs ask far
        // more often than people, and paths with parameters last, because matching a pattern costs a hundred times as
        // much.
        self.resources.sort_by_key(|(path, _)| (path.contains('{'), !path.starts_with("/v1/")));
        for (path, routes) in self.resources {
            config.service(routes.into_iter().fold(web::resource(path), |resource, route| resource.route(route)));
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, test as actix_test};

    use super::*;
    use crate::server::middleware::Middleware;

    #[allow(clippy::unused_async)]
    async fn panics() -> &'static str {
        panic!("this handler panics")
    }

    #[actix_web::test]
    async fn a_panic_in_a_handler_is_one_500_and_nothing_else() {
        let mut table = Table::default();
        table.add(Method::GET, "/v1/panics", Access::Public, panics);
        table.add(Method::GET, "/healthz", Access::Public, health::healthz);
        let web = App::new().wrap(Middleware::new(None)).configure(|config| table.into_config(config));
        let server = actix_test::init_service(web).await;
        let ask = |path: &str| actix_test::TestRequest::get().uri(path).to_request();

        for _ in 0..3 {
            let response = actix_test::call_service(&server, ask("/v1/panics")).await;
            assert_eq!(response.status(), 500);
            let body: serde_json::Value = actix_test::read_body_json(response).await;
            assert_eq!(body["code"], "internal");
            assert!(!body.to_string().contains("panics"), "{body}");
            assert_eq!(actix_test::call_service(&server, ask("/healthz")).await.status(), 200);
        }
    }

    #[test]
    fn every_first_segment_is_a_reserved_username() {
        for route in ROUTES {
            let segment = route.path.split('/').nth(1).unwrap_or_default();
            assert!(segment.is_empty() || crate::accounts::is_reserved(segment), "reserve the username \"{segment}\"");
        }
    }
}
