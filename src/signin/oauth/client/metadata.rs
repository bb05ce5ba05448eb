//! The metadata of an OpenID issuer (OpenID Connect Discovery §3, RFC 9207 §3).

use serde::Deserialize;
use serde_json::Value;

use super::super::error::OauthError;
use super::super::json::{object, text};
use super::{misconfigured, unavailable};
use crate::app::App;
use crate::config::{ClientAuth, Provider, ProviderKind};
use crate::outbound::Freshness;

/// The members that we read, each as it was sent.
#[derive(Deserialize)]
struct Metadata {
    issuer: Option<Value>,
    authorization_endpoint: Option<Value>,
    token_endpoint: Option<Value>,
    jwks_uri: Option<Value>,
    userinfo_endpoint: Option<Value>,
    token_endpoint_auth_methods_supported: Option<Value>,
    authorization_response_iss_parameter_supported: Option<Value>,
}

/// The endpoints of a provider.
pub(super) struct Endpoints {
    pub authorize: String,
    pub token: String,
    pub jwks: String,
    /// `None`: it has none, so nothing more can be asked.
    pub userinfo: Option<String>,
    /// How the client secret is sent.
    pub client_auth: ClientAuth,
    pub always_names_issuer: bool,
}

pub(super) async fn endpoints(app: &App, provider: &Provider) -> Result<Endpoints, OauthError> {
    if let (ProviderKind::GitHub, Some(authorize), Some(token)) =
        (&provider.kind, &provider.authorize_url, &provider.token_url)
    {
        return Ok(Endpoints {
            authorize: authorize.clone(),
            token: token.clone(),
            jwks: String::new(),
            userinfo: None,
            client_auth: ClientAuth::Post,
            always_names_issuer: false,
        });
    }
    let url = format!("{}/.well-known/openid-configuration", provider.issuer.trim_end_matches('/'));
    let document = app
        .http_client()
        .document(&url, app.now(), Freshness::Cached)
        .await
        .map_err(|error| unavailable(provider, error))?;
    let metadata: Metadata =
        object(&document).ok_or_else(|| misconfigured(provider, format!("{url} is not an OpenID configuration")))?;
    // Otherwise one provider could answer for another (RFC 9700 §4.4.2, OpenID Connect Discovery §4.3).
    match text(metadata.issuer.as_ref()) {
        Some(issuer) if issuer == provider.issuer => {}
        Some(issuer) => {
            let what = format!("{url} says that its issuer is \"{issuer}\". Write exactly this in issuer");
            return Err(misconfigured(provider, what));
        }
        None => return Err(misconfigured(provider, format!("{url} does not name its issuer"))),
    }
    let endpoint = |member: &str, set: Option<&String>, value: Option<&Value>| {
        let found = set.map(String::as_str).or_else(|| text(value)).map(str::to_owned);
        found.ok_or_else(|| misconfigured(provider, format!("{url} has no usable {member}")))
    };
    Ok(Endpoints {
        authorize: endpoint(
            "authorization_endpoint",
            provider.authorize_url.as_ref(),
            metadata.authorization_endpoint.as_ref(),
        )?,
        token: endpoint("token_endpoint", provider.token_url.as_ref(), metadata.token_endpoint.as_ref())?,
        jwks: endpoint("jwks_uri", provider.jwks_url.as_ref(), metadata.jwks_uri.as_ref())?,
        userinfo: text(metadata.userinfo_endpoint.as_ref()).map(str::to_owned),
        client_auth: client_auth(provider, metadata.token_endpoint_auth_methods_supported.as_ref()),
        always_names_issuer: metadata.authorization_response_iss_parameter_supported == Some(Value::Bool(true)),
    })
}

/// How the secret is sent. HTTP Basic is what every server must understand (RFC 6749 §2.3.1), and some register a client
/// for one method only, whatever their metadata lists. So the form is used only where Basic is not listed. Apple and Google
/// document the form alone (developers.google.com/identity/protocols/oauth2/web-server).
fn client_auth(provider: &Provider, listed: Option<&Value>) -> ClientAuth {
    let lists = |method: &str| listed.and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == method));
    match (&provider.kind, provider.client_auth) {
        (ProviderKind::Apple(_) | ProviderKind::Google, _) => ClientAuth::Post,
        (_, Some(set)) => set,
        (_, None) if lists("client_secret_post") && !lists("client_secret_basic") => ClientAuth::Post,
        (_, None) => ClientAuth::Basic,
    }
}
