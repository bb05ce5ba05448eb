//! The exchange of a code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.5).

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::error::{OauthError, Refusal};
use super::super::json::object;
use super::super::model::AuthorizationRequest;
use super::metadata::Endpoints;
use super::{callback, error_code, misconfigured, unavailable};
use crate::app::App;
use crate::base::{Timestamp, minutes};
use crate::config::{AppleKey, ClientAuth, Provider, ProviderKind};
use crate::outbound::{CallError, Reply};

/// Apple allows half a year. We make a client secret for each exchange, so ten minutes are enough.
const APPLE_SECRET_LIFETIME: std::time::Duration = minutes(10);

/// The members of the answer that we read, each as it was sent.
#[derive(Deserialize, Default)]
struct TokenAnswer {
    access_token: Option<Value>,
    id_token: Option<Value>,
    error: Option<Value>,
}

/// What the provider gave for the code. One of them may be empty, not both.
pub(super) struct Tokens {
    pub access_token: String,
    pub id_token: String,
}

pub(super) async fn exchange(
    app: &App,
    provider: &Provider,
    endpoints: &Endpoints,
    request: &AuthorizationRequest,
    code: &str,
) -> Result<Tokens, OauthError> {
    let callback = callback(app, provider);
    let secret = match &provider.kind {
        ProviderKind::Apple(key) => apple_client_secret(provider, key, app.now())?,
        _ => provider.client_secret.expose().clone(),
    };
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", callback.as_str()),
        ("code_verifier", request.verifier.expose().as_str()),
    ];
    let mut headers = Vec::new();
    let basic = basic(&provider.client_id, &secret);
    match endpoints.client_auth {
        // Without client_id in the form: Okta takes it for a second way to authenticate (ueberauth/oauth2#175), and only a
        // client that does not authenticate must send it (RFC 6749 §4.1.3).
        ClientAuth::Basic => headers.push(("Authorization", basic.as_str())),
        ClientAuth::Post => {
            form.extend([("client_id", provider.client_id.as_str()), ("client_secret", secret.as_str())]);
        }
    }
    let reply = app
        .http_client()
        .post(&endpoints.token, &headers, &form)
        .await
        .map_err(|error| unavailable(provider, error))?;
    let answer: TokenAnswer = object(&reply.body).unwrap_or_default();
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    let error = text(&answer.error);
    let tokens = Tokens { access_token: text(&answer.access_token), id_token: text(&answer.id_token) };
    let needed = if provider.kind == ProviderKind::GitHub { &tokens.access_token } else { &tokens.id_token };
    // GitHub reports errors with status 200.
    if (200..300).contains(&reply.status) && error.is_empty() && !needed.is_empty() {
        return Ok(tokens);
    }
    if reply.status >= 500 {
        return Err(unavailable(provider, status_error(&endpoints.token, &reply)));
    }
    Err(OauthError::Refused(refused(provider, &reply, &error, endpoints.client_auth)))
}

/// Logs why there are no tokens. A wrong configuration shows up here.
fn refused(provider: &Provider, reply: &Reply, error: &str, sent: ClientAuth) -> Refusal {
    let (provider_name, status, error) = (provider.name.as_str(), reply.status, error_code(error));
    match error.as_str() {
        // RFC 6749 §5.2. GitHub has words of its own.
        "invalid_client" | "unauthorized_client" | "incorrect_client_credentials" => {
            tracing::warn!(
                provider = provider_name,
                status,
                error,
                sent_as = sent.as_str(),
                "A provider does not accept the client. Compare client_id and client_secret with what is registered \
                 there. If the client is registered for another way to send the secret, set \
                 token_endpoint_auth_method."
            );
            Refusal::Client
        }
        "" if (200..300).contains(&status) => {
            let member = if provider.kind == ProviderKind::GitHub { "access_token" } else { "id_token" };
            tracing::warn!(
                provider = provider_name,
                member,
                "A provider exchanged a code for an answer without a usable token. An OpenID provider gives an \
                 id_token if the client may use the scope openid."
            );
            Refusal::Token(member)
        }
        _ => {
            tracing::warn!(provider = provider_name, status, error, "A provider did not exchange a code.");
            Refusal::Code
        }
    }
}

pub(super) fn status_error(url: &str, reply: &Reply) -> CallError {
    CallError::Failed(format!("{url} answered {}", reply.status))
}

/// The HTTP Basic header with both parts form-encoded (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &str) -> String {
    use base64::Engine;
    let encoded = |text: &str| {
        let url = reqwest::Url::parse_with_params("form:", [("", text)]).ok();
        url.and_then(|url| url.query().map(|query| query.trim_start_matches('=').to_owned())).unwrap_or_default()
    };
    let pair = format!("{}:{}", encoded(client_id), encoded(secret));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// The client secret for Apple: a JWT signed with the key that Apple issued. It is made for each exchange, so none is
/// stored and none expires.
fn apple_client_secret(provider: &Provider, key: &AppleKey, now: Timestamp) -> Result<String, OauthError> {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    let header = Header { kid: Some(key.key_id.clone()), ..Header::new(Algorithm::ES256) };
    let claims = json!({
        "iss": key.team_id, "sub": provider.client_id, "aud": provider.issuer,
        "iat": now.unix_seconds(), "exp": now.plus(APPLE_SECRET_LIFETIME).unix_seconds(),
    });
    let unusable = |_| misconfigured(provider, "the private key cannot sign".to_owned());
    let signing = EncodingKey::from_ec_pem(key.private_key.expose().as_bytes()).map_err(unusable)?;
    encode(&header, &claims, &signing).map_err(unusable)
}
