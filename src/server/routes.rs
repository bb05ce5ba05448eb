//! Every path, page and API, in one table: who may use it, what the server has to know about it, and which handler
//! answers. The rules in brackets are the functions of [`Route`].

use actix_web::http::Method;
use actix_web::web::ServiceConfig;

use super::route::{Access, ClientKind, FastAnswer, Route};
use super::router::Table;
use super::{health, manual, openapi, pages, site_files};
use crate::base::RequestClass;
use crate::http::assets;
use crate::{
    activity, api_keys, audit, billing, console, people, privacy, resources, services, settings, signin, tokens,
    verification,
};

/// The largest batch of usage events in bytes: ample for 10,000 events.
const EVENTS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The largest batch of resources in bytes: ample for 1,000 of them.
const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The headings of the sidebar. The entries below them are in the order of this table.
const YOU: &str = "You";
const ACCOUNT: &str = "Account";
/// Only operators see this one.
const OPERATOR: &str = "Operator";

macro_rules! routes {
    ($($method:ident $path:literal $access:ident $(($($scope:literal)+))?
        $([$($rule:ident $(($($argument:expr),+))?),+])? => $handler:expr;)*) => {
        /// Every route of the server.
        pub const ROUTES: &[Route] = &[
            $(Route::new(stringify!($method), $path, Access::$access $((&[$($scope),+]))?)
                $($(.$rule($($($argument),+)?))+)?,)*
        ];

        /// Builds the router.
        pub(super) fn configure(config: &mut ServiceConfig) {
            let mut table = Table::default();
            let mut records = ROUTES.iter();
            $(if let Some(route) = records.next() {
                table.add(route, Method::$method, $handler);
            })*
            table.into_config(config);
        }
    };
}

routes! {
    GET  "/"                                          SignedIn => pages::home;
    GET  "/settings"                                  SignedIn => pages::home;
    GET  "/signup"                                    Public => signin::pages::sign_up_form;
    POST "/signup"                                    Public [signs_in_anew_with(&["invite", "claim"])]
        => signin::pages::sign_up;
    GET  "/verify"                                    Pending => signin::pages::verify_form;
    POST "/verify"                                    Pending [signs_in] => signin::pages::verify;
    POST "/verify/resend"                             Pending => signin::pages::resend;
    POST "/verify/restart"                            Pending => signin::pages::restart;
    GET  "/signin"                                    Public => signin::pages::sign_in_form;
    POST "/signin"                                    Public [signs_in] => signin::pages::sign_in;
    POST "/signin/passkey/challenge"                  Public => signin::pages::passkey_challenge;
    POST "/signin/passkey"                            Public [signs_in] => signin::pages::sign_in_by_passkey;
    GET  "/signin/confirm"                            Public => signin::pages::confirm_form;
    POST "/signin/confirm"                            Public => signin::pages::confirm;
    GET  "/signin/factor"                             Pending => signin::pages::factor_form;
    POST "/signin/factor"                             Pending [signs_in] => signin::pages::factor;
    POST "/signin/factor/challenge"                   Pending => signin::pages::factor_challenge;
    POST "/signin/factor/lost"                        Pending => signin::pages::lost_factor;
    GET  "/signin/factor/keep"                        Public => signin::pages::keep_factors_form;
    POST "/signin/factor/keep"                        Public => signin::pages::keep_factors;
    POST "/signout"                                   SignedIn [open_without_factor] => signin::pages::sign_out;
    GET  "/oauth/sign-up"                             Public => signin::oauth::pages::sign_up_form;
    POST "/oauth/sign-up"                             Public [signs_in] => signin::oauth::pages::sign_up;
    GET  "/oauth/connect"                             SignedIn => signin::oauth::pages::confirm_connect;
    POST "/oauth/connect"                             Fresh [act("connect an account at another provider")]
        => signin::oauth::pages::connect;
    GET  "/oauth/{name}/start"                        Public => signin::oauth::pages::start;
    GET  "/oauth/{name}/callback"                     Public => signin::oauth::pages::callback;
    POST "/oauth/{name}/callback"                     Public [form_of_another_site]
        => signin::oauth::pages::posted_callback;
    GET  "/oauth/{name}/finish"                       Public => signin::oauth::pages::finish;
    GET  "/forgot"                                    Public => signin::pages::forgot_form;
    POST "/forgot"                                    Public => signin::pages::forgot;
    GET  "/reset"                                     Public => signin::pages::reset_form;
    POST "/reset"                                     Public => signin::pages::reset;
    GET  "/not-me"                                    Public => signin::pages::not_me_form;
    POST "/not-me"                                    Public => signin::pages::not_me;
    GET  "/session/left"                              SignedIn [open_without_factor, does_not_touch_session]
        => signin::pages::session_left;
    POST "/session/stay"                              SignedIn [open_without_factor] => signin::pages::stay;
    POST "/session/notice"                            SignedIn [open_without_factor] => pages::read_notice;
    GET  "/step-up"                                   SignedIn [open_without_factor] => signin::pages::step_up_form;
    POST "/step-up"                                   Fresh [open_without_factor] => signin::pages::step_up;
    POST "/step-up/challenge"                         SignedIn [open_without_factor]
        => signin::pages::step_up_challenge;
    GET  "/settings/profile"                          SignedIn [sidebar(YOU, "Profile", "user")]
        => settings::pages::profile::profile;
    POST "/settings/profile"                          SignedIn => settings::pages::profile::save_profile;
    POST "/settings/profile/picture"                  SignedIn => settings::pages::profile::set_picture;
    POST "/settings/profile/picture/remove"           SignedIn => settings::pages::profile::remove_picture;
    POST "/settings/profile/colour"                   SignedIn => settings::pages::profile::set_colour;
    GET  "/settings/profile/emails"                   SignedIn [sidebar(YOU, "Emails", "mail")]
        => settings::pages::profile::emails;
    GET  "/settings/profile/appearance"               SignedIn [sidebar(YOU, "Appearance", "sun")]
        => settings::pages::profile::appearance;
    POST "/settings/profile/appearance"               SignedIn => settings::pages::profile::save_preferences;
    GET  "/settings/profile/notifications"            SignedIn [sidebar(YOU, "Notifications", "bell")]
        => settings::pages::profile::notifications;
    POST "/settings/profile/notifications"            SignedIn => settings::pages::profile::save_notifications;
    POST "/settings/profile/emails"                   Fresh [act("add an email address")]
        => settings::pages::profile::add_email;
    POST "/settings/profile/emails/{id}/verify"       Fresh [act("verify an email address")]
        => settings::pages::profile::verify_email;
    POST "/settings/profile/emails/{id}/resend"       Fresh [act("send another code to an address")]
        => settings::pages::profile::resend_email;
    POST "/settings/profile/emails/{id}/primary"      Fresh [act("change your primary address")]
        => settings::pages::profile::set_primary;
    POST "/settings/profile/emails/{id}/remove"       Fresh [act("remove an email address")]
        => settings::pages::profile::remove_email;
    GET  "/settings/security"                         SignedIn
        [sidebar(ACCOUNT, "Security", "lock"), open_without_factor]
        => settings::pages::security::security;
    POST "/settings/security/password"                Fresh [act("change your password")]
        => settings::pages::security::change_password;
    POST "/password/strength"                         Public => signin::pages::strength;
    POST "/settings/security/sessions/{id}/end"       SignedIn => settings::pages::security::end_session;
    POST "/settings/security/sessions/end-others"     SignedIn => settings::pages::security::end_others;
    POST "/settings/security/totp/new"                Fresh [act("set up an authenticator app"), open_without_factor]
        => settings::pages::security::two_step::begin;
    GET  "/settings/security/totp"                    Fresh [act("set up an authenticator app"), open_without_factor]
        => settings::pages::security::two_step::form;
    POST "/settings/security/totp"                    Fresh [act("set up an authenticator app"), open_without_factor]
        => settings::pages::security::two_step::confirm;
    GET  "/settings/security/totp/remove"             SignedIn [open_without_factor]
        => settings::pages::security::two_step::confirm_remove;
    POST "/settings/security/totp/remove"             Fresh [act("remove your authenticator app"), open_without_factor]
        => settings::pages::security::two_step::remove;
    POST "/settings/security/passkeys/challenge"      Fresh [act("add a passkey"), open_without_factor]
        => settings::pages::security::passkeys::challenge;
    POST "/settings/security/passkeys"                Fresh [act("add a passkey"), open_without_factor]
        => settings::pages::security::passkeys::add;
    GET  "/settings/security/passkeys/{id}"           SignedIn [open_without_factor]
        => settings::pages::security::passkeys::one;
    POST "/settings/security/passkeys/{id}/rename"    Fresh [act("rename a passkey"), open_without_factor]
        => settings::pages::security::passkeys::rename;
    POST "/settings/security/passkeys/{id}/remove"    Fresh [act("remove a passkey"), open_without_factor]
        => settings::pages::security::passkeys::remove;
    GET  "/settings/security/recovery-codes"          SignedIn [open_without_factor]
        => settings::pages::security::recovery::new_codes;
    POST "/settings/security/recovery-codes"          Fresh [act("create new recovery codes"), open_without_factor]
        => settings::pages::security::recovery::regenerate;
    POST "/settings/security/reset/cancel"            SignedIn => settings::pages::security::recovery::cancel_reset;
    POST "/settings/security/identities/{id}/disconnect" Fresh [act("disconnect an account at another provider")]
        => settings::pages::security::disconnect;
    GET  "/revert"                                    Public => signin::pages::revert_form;
    POST "/revert"                                    Public => signin::pages::revert;
    POST "/theme"                                     Public [open_without_factor] => settings::pages::profile::theme;
    GET  "/avatars/{id}"                              Public => people::pages::avatar;
    GET  "/settings/keys"                             SignedIn [sidebar(ACCOUNT, "API keys", "key")]
        => api_keys::pages::list;
    POST "/settings/keys"                             Fresh [act("create an API key")]
        => api_keys::pages::create;
    GET  "/settings/keys/scopes"                      SignedIn => api_keys::pages::scopes;
    POST "/settings/keys/policy"                      Fresh [act("change the maximum lifetime for new keys")]
        => api_keys::pages::set_policy;
    GET  "/settings/keys/{id}"                        SignedIn => api_keys::pages::detail;
    POST "/settings/keys/{id}"                        Fresh [act("change an API key")]
        => api_keys::pages::change;
    GET  "/settings/keys/{id}/scopes"                 SignedIn => api_keys::pages::choose_scopes;
    POST "/settings/keys/{id}/scopes"                 SignedIn => api_keys::pages::reduce;
    GET  "/settings/keys/{id}/revoke"                 SignedIn => api_keys::pages::confirm_revoke;
    POST "/settings/keys/{id}/revoke"                 SignedIn => api_keys::pages::revoke;
    GET  "/settings/keys/{id}/rotate"                 SignedIn => api_keys::pages::confirm_rotate;
    POST "/settings/keys/{id}/rotate"                 Fresh [act("rotate an API key")]
        => api_keys::pages::rotate;
    GET  "/settings/keys/{id}/disable"                SignedIn => api_keys::pages::confirm_disable;
    POST "/settings/keys/{id}/disable"                SignedIn => api_keys::pages::disable;
    POST "/settings/keys/{id}/enable"                 Fresh [act("enable an API key")]
        => api_keys::pages::enable;
    POST "/settings/keys/{id}/restore"                Fresh [act("restore an API key")]
        => api_keys::pages::restore;
    POST "/settings/keys/{id}/reveal"                 Fresh [act("see an API key again")]
        => api_keys::pages::reveal;
    GET  "/settings/billing"                          SignedIn [sidebar(ACCOUNT, "Billing", "card")]
        => billing::pages::billing;
    GET  "/settings/billing/download"                 SignedIn => billing::pages::download;
    POST "/settings/billing/redeem"                   SignedIn => billing::pages::redeem;
    GET  "/settings/usage"                            SignedIn [sidebar(ACCOUNT, "Usage", "gauge")]
        => billing::pages::usage;
    POST "/settings/usage/recalculate"                SignedIn => resources::pages::recalculate;
    GET  "/settings/usage/items"                      SignedIn => resources::pages::items;
    POST "/settings/usage/items/{id}/trash"           SignedIn => resources::pages::move_to_trash;
    GET  "/settings/trash"                            SignedIn [sidebar(ACCOUNT, "Trash", "trash")]
        => resources::pages::trash;
    GET  "/settings/trash/empty"                      SignedIn => resources::pages::confirm_empty;
    POST "/settings/trash/empty"                      Fresh [act("empty the trash")] => resources::pages::empty;
    POST "/settings/trash/left/{service}"             SignedIn => resources::pages::trash_leftovers;
    POST "/settings/trash/{id}/restore"               SignedIn => resources::pages::restore;
    POST "/settings/trash/{id}/undo"                  SignedIn => resources::pages::undo;
    GET  "/settings/trash/{id}/delete"                SignedIn => resources::pages::confirm_delete;
    POST "/settings/trash/{id}/delete"                Fresh [act("permanently delete something")]
        => resources::pages::delete;
    GET  "/settings/privacy"                          SignedIn [sidebar(ACCOUNT, "Privacy", "shield")]
        => privacy::pages::privacy;
    POST "/settings/privacy/export"                   SignedIn => privacy::pages::request_export;
    POST "/settings/privacy/export/{id}/download"     Fresh [act("download your data")]
        => privacy::pages::download;
    GET  "/settings/privacy/delete"                   SignedIn => privacy::pages::confirm_delete;
    POST "/settings/privacy/delete"                   SignedIn => privacy::pages::delete;
    GET  "/erasure/{id}"                              Public => privacy::pages::receipt;
    GET  "/activity"                                  SignedIn [sidebar(ACCOUNT, "Activity", "activity")]
        => activity::pages::activity;
    GET  "/activity/download"                         SignedIn => activity::pages::download;
    GET  "/admin"                                     Operator [sidebar(OPERATOR, "Overview", "gauge")]
        => console::pages::overview;
    GET  "/admin/services"                            Operator [sidebar(OPERATOR, "Services", "plug")]
        => console::pages::services::list;
    POST "/admin/services"                            FreshOperator [act("connect a service")]
        => console::pages::services::create;
    GET  "/admin/services/{id}"                       Operator => console::pages::services::detail;
    POST "/admin/services/{id}"                       FreshOperator [act("change what a service may do")]
        => console::pages::services::change;
    GET  "/admin/services/{id}/rotate"                Operator => console::pages::services::confirm_rotate;
    POST "/admin/services/{id}/rotate"                FreshOperator [act("rotate the credential of a service")]
        => console::pages::services::rotate;
    POST "/admin/services/{id}/webhook"               FreshOperator [act("set where a service receives webhooks")]
        => console::pages::services::set_webhook;
    POST "/admin/services/{id}/webhook/secret"        FreshOperator [act("rotate the webhook secret of a service")]
        => console::pages::services::rotate_webhook_secret;
    POST "/admin/services/{id}/ping"                  FreshOperator [act("try the connection to a service")]
        => console::pages::services::ping;
    POST "/admin/services/{id}/enrol-code"            FreshOperator [act("make an enrolment code")]
        => console::pages::services::enrol_code;
    GET  "/admin/services/{id}/disconnect"            Operator => console::pages::services::confirm_disconnect;
    GET  "/admin/erasures"                            Operator [sidebar(OPERATOR, "Erasures", "shield")]
        => console::pages::erasures::list;
    GET  "/admin/erasures/{id}"                       Operator => console::pages::erasures::detail;
    POST "/admin/erasures/{id}/attest"                FreshOperator [act("attest that the data of a person is gone")]
        => console::pages::erasures::attest;
    GET  "/admin/commands/{id}"                       Operator => console::pages::commands::command;
    POST "/admin/commands/{id}/retry"                 FreshOperator [act("send a command again")]
        => console::pages::commands::retry;
    POST "/admin/services/{id}/disconnect"            FreshOperator [act("disconnect a service")]
        => console::pages::services::disconnect;
    GET  "/help"                                      Public [does_not_touch_session] => manual::index;
    GET  "/help/{name}"                               Public [does_not_touch_session] => manual::named;
    GET  "/demo/mail"                                 Demo => pages::demo_mail;
    GET  "/assets/{name:.*}"                          Public [counted(RequestClass::Asset)] => assets::serve;
    GET  "/favicon.ico"                               Public [counted(RequestClass::Asset)] => site_files::favicon;
    GET  "/apple-touch-icon.png"                      Public [counted(RequestClass::Asset)] => site_files::touch_icon;
    GET  "/robots.txt"                                Public [counted(RequestClass::Asset)] => site_files::robots;
    GET  "/site/{name}"                               Public [counted(RequestClass::Asset)] => site_files::of_site;
    GET  "/healthz"                                   Public [client(ClientKind::Service), counted(RequestClass::Probe)]
        => health::healthz;
    GET  "/readyz"                                    Public [client(ClientKind::Service), counted(RequestClass::Probe)]
        => health::readyz;
    GET  "/v1/openapi.json"                           Public => openapi::document;
    GET  "/v1/docs"                                   Public [client(ClientKind::Page)] => openapi::docs_page;
    GET  "/.well-known/change-password"               Public [client(ClientKind::Page)]
        => settings::pages::security::change_password_url;
    GET  "/.well-known/jwks.json"                     Public => tokens::api::key_set;
    GET  "/.well-known/oauth-authorization-server"    Public => tokens::api::metadata;
    GET  "/v1/audit/head"                             Public => audit::api::head;
    POST "/v1/key-exposures"                          Public [visitor] => api_keys::api::report_exposures;
    POST "/v1/introspect"                             Service [fast(FastAnswer::Introspect), only_asks]
        => services::api::introspect;
    POST "/v1/usage/events"                           Service [body(EVENTS_BYTES_MAX), counted(RequestClass::Usage)]
        => billing::api::record_events;
    POST "/v1/usage/quote"                            Service [only_asks] => billing::api::quote;
    POST "/v1/usage/authorize"                        Service => billing::api::authorize;
    POST "/v1/usage/settle"                           Service => billing::api::settle;
    POST "/v1/usage/release"                          Service => billing::api::release;
    GET  "/v1/ingest/watermark"                       Service => billing::api::watermark;
    GET  "/v1/resources"                              Service => resources::api::list;
    POST "/v1/resources/batch"                        Service [body(BATCH_BYTES_MAX)] => resources::api::put_batch;
    GET  "/v1/resources/{id}"                         Service => resources::api::get;
    PUT  "/v1/resources/{id}"                         Service => resources::api::put;
    DELETE "/v1/resources/{id}"                       Service => resources::api::delete;
    POST "/v1/resources/{id}/trash"                   Service => resources::api::trash_resource;
    POST "/v1/resources/{id}/restore"                 Service => resources::api::restore_resource;
    POST "/v1/limits/check"                           Service [only_asks] => resources::api::check_limits;
    POST "/v1/leases"                                 Service => resources::api::grant_lease;
    POST "/v1/leases/{id}/commit"                     Service => resources::api::commit_lease;
    POST "/v1/leases/{id}/renew"                      Service => resources::api::renew_lease;
    POST "/v1/leases/{id}/release"                    Service => resources::api::release_lease;
    POST "/v1/activity"                               Service => resources::api::report_activity;
    GET  "/api/username/check"                        Public => people::api::check_username;
    POST "/v1/token"                                  Public [visitor] => services::api::token;
    GET  "/v1/revocations"                            Service [counted(RequestClass::Poll)]
        => services::api::revocations;
    GET  "/v1/inbox"                                  Service [counted(RequestClass::Poll)] => services::api::inbox;
    POST "/v1/inbox/{id}/ack"                         Service => services::api::acknowledge;
    POST "/v1/services/enrol"                         Public [visitor] => services::api::enrol;
    GET  "/v1/services/self"                          Service => services::api::own;
    PUT  "/v1/services/self"                          Service => services::api::put_own;
    GET  "/api/account/summary"                       KeyHolder("account:read") => settings::api::summary;
    GET  "/api/api-keys"                              KeyHolder("account:read") => verification::api::list;
    GET  "/api/users"                                 KeyHolder("account:read") => settings::api::profile;
    PATCH "/api/users"                                KeyHolder("account:read") => settings::api::follow;
    GET  "/api/storage"                               KeyHolder("usage:read") => resources::api::storage;
    GET  "/api/billing/transactions"                  KeyHolder("billing:read") => billing::api::transactions;
    GET  "/api/billing/usage-summary"                 KeyHolder("billing:read") => billing::api::usage_summary;
    GET  "/api/resources"                             KeyHolder("projects:read" "datasets:read" "models:read")
        => resources::api::items;
    GET  "/api/trash"                                 KeyHolder("projects:read" "datasets:read" "models:read")
        => resources::api::trash;
    POST "/api/trash"                                 KeyHolder("projects:write" "datasets:write" "models:write")
        => resources::api::restore;
    PUT  "/api/trash"                                 KeyHolder("projects:write" "datasets:write" "models:write")
        => resources::api::trash_leftovers;
    DELETE "/api/trash"                               KeyHolder("projects:write" "datasets:write" "models:write")
        => resources::api::delete_trash;
    // The gateway asks with the method of the original request, and Envoy appends its path.
    GET  "/v1/forward-auth"                           Gateway
        [client(ClientKind::Gateway), subpaths, fast(FastAnswer::ForwardAuth)]
        => services::api::forward_auth;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_that_needs_a_proof_says_what_it_is() {
        let silent = ROUTES.iter().filter(|route| route.access.is_fresh() && route.act.is_none());
        let paths: Vec<&str> = silent.map(|route| route.path).collect();
        assert_eq!(paths, ["/step-up"], "add act(..), which the page that asks for the proof shows");
    }

    #[test]
    fn a_form_for_visitors_gives_way_to_a_session_or_does_not_sign_in() {
        let is_for_visitors = |route: &&Route| {
            route.needs_csrf_token
                && matches!(route.access, Access::Public | Access::Pending)
                && route.gives_way_unless.is_none()
        };
        let paths: Vec<&str> = ROUTES.iter().filter(is_for_visitors).map(|route| route.path).collect();
        let begin_no_session = [
            "/verify/resend",
            "/verify/restart",
            "/signin/passkey/challenge",
            "/signin/confirm",
            "/signin/factor/challenge",
            "/signin/factor/lost",
            "/signin/factor/keep",
            "/forgot",
            // The link proves who sets the password, and the session of that person begins.
            "/reset",
            "/not-me",
            "/password/strength",
            "/revert",
            "/theme",
        ];
        assert_eq!(paths, begin_no_session, "a form that signs in needs the rule `signs_in`");
    }

    #[test]
    fn every_first_segment_is_a_reserved_username() {
        for route in ROUTES {
            let segment = route.path.split('/').nth(1).unwrap_or_default();
            assert!(segment.is_empty() || crate::accounts::is_reserved(segment), "reserve the username \"{segment}\"");
        }
    }
}
