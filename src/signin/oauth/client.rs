//! The client for providers: metadata, the authorization URL, the token exchange, and the identity of the person.
//!
//! ```text
//! metadata (cached 1 h) ── issuer = the configured one ── token endpoint: code + PKCE verifier
//!    ├─ OpenID: the ID token is checked against the key set (cached 1 h); claims that it lacks come from userinfo
//!    └─ GitHub: /user and /user/emails
//! ```

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{OauthError, Refusal};
use super::id_token::{self, TokenError};
use super::model::{
    AuthorizationParams, AuthorizationRequest, AuthorizationResponse, ExternalIdentity, Purpose, is_authoritative,
};
use crate::app::App;
use crate::base::{EmailAddress, Timestamp, minutes};
use crate::config::{AppleKey, Provider, ProviderKind};
use crate::outbound::{CallError, Freshness, Reply};

/// Apple allows half a year. We make a client secret for each exchange, so ten minutes are enough.
const APPLE_SECRET_LIFETIME: std::time::Duration = minutes(10);
/// Domains of GitHub's no-reply addresses begin with this, also at Enterprise servers. They accept no mail.
const GITHUB_NO_MAIL: &str = "users.noreply.";

/// The metadata of an OpenID issuer (OpenID Connect Discovery §3, RFC 9207 §3).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// The endpoints of a provider.
struct Endpoints {
    authorize: String,
    token: String,
    jwks: String,
    userinfo: Option<String>,
    /// Whether the client secret is sent in the form and not in a header (RFC 6749 §2.3.1).
    posts_secret: bool,
    always_names_issuer: bool,
}

fn unavailable(provider: &Provider, cause: CallError) -> OauthError {
    OauthError::Unavailable { provider: provider.label.clone(), cause }
}

async fn endpoints(app: &App, provider: &Provider) -> Result<Endpoints, OauthError> {
    if let (ProviderKind::GitHub, Some(authorize), Some(token)) =
        (&provider.kind, &provider.authorize_url, &provider.token_url)
    {
        return Ok(Endpoints {
            authorize: authorize.clone(),
            token: token.clone(),
            jwks: String::new(),
            userinfo: None,
            posts_secret: true,
            always_names_issuer: false,
        });
    }
    let url = format!("{}/.well-known/openid-configuration", provider.issuer.trim_end_matches('/'));
    let document = app
        .http_client()
        .document(&url, app.now(), Freshness::Cached)
        .await
        .map_err(|error| unavailable(provider, error))?;
    let metadata: Metadata = serde_json::from_slice(&document)
        .map_err(|_| unavailable(provider, CallError::Failed(format!("{url} is not an OpenID configuration"))))?;
    // Otherwise one provider could answer for another (RFC 9700 §4.4.2, OpenID Connect Discovery §4.3).
    if metadata.issuer != provider.issuer {
        return Err(unavailable(provider, CallError::Failed(format!("{url} is about {}", metadata.issuer))));
    }
    let methods = &metadata.token_endpoint_auth_methods_supported;
    Ok(Endpoints {
        posts_secret: methods.iter().any(|method| method == "client_secret_post"),
        authorize: provider.authorize_url.clone().unwrap_or(metadata.authorization_endpoint),
        token: provider.token_url.clone().unwrap_or(metadata.token_endpoint),
        jwks: provider.jwks_url.clone().unwrap_or(metadata.jwks_uri),
        userinfo: metadata.userinfo_endpoint,
        always_names_issuer: metadata.authorization_response_iss_parameter_supported,
    })
}

/// Our callback URL for a provider.
fn callback(app: &App, provider: &Provider) -> String {
    format!("{}/oauth/{}/callback", app.config().public_url, provider.name)
}

/// Checks that the provider answers. Its metadata is in the cache afterwards.
pub(super) async fn check_available(app: &App, provider: &Provider) -> Result<(), OauthError> {
    endpoints(app, provider).await.map(|_| ())
}

/// The URL at the provider that the browser is redirected to.
pub(super) async fn authorize_url(
    app: &App,
    provider: &Provider,
    started: &AuthorizationParams,
    purpose: Purpose,
) -> Result<String, OauthError> {
    let endpoints = endpoints(app, provider).await?;
    let callback = callback(app, provider);
    let usual = match provider.kind {
        ProviderKind::Google | ProviderKind::Oidc => "openid email profile",
        ProviderKind::GitHub => "read:user user:email",
        ProviderKind::Apple(_) => "name email",
    };
    let scopes = if provider.scopes.is_empty() { usual.to_owned() } else { provider.scopes.join(" ") };
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", provider.client_id.as_str()),
        ("redirect_uri", callback.as_str()),
        ("scope", scopes.as_str()),
        ("state", started.state.expose().as_str()),
        ("code_challenge", started.challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    if provider.kind != ProviderKind::GitHub {
        query.push(("nonce", started.nonce.expose().as_str()));
    }
    match (&provider.kind, purpose) {
        // Apple sends name and address only in this mode.
        (ProviderKind::Apple(_), _) => query.push(("response_mode", "form_post")),
        (ProviderKind::Oidc, Purpose::StepUp) => query.extend([("prompt", "login"), ("max_age", "0")]),
        (ProviderKind::Google | ProviderKind::GitHub, Purpose::StepUp | Purpose::Connect) => {
            query.push(("prompt", "select_account"));
        }
        (_, _) => {}
    }
    // Only a hint for the account chooser. The domain is checked in the token.
    if let (ProviderKind::Google, [domain]) = (&provider.kind, provider.allowed_domains.as_slice()) {
        query.push(("hd", domain));
    }
    let url = reqwest::Url::parse_with_params(&endpoints.authorize, &query).ok();
    let is_safe = |url: &reqwest::Url| {
        url.scheme() == "https" || matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
    };
    let unusable = || unavailable(provider, CallError::Address(endpoints.authorize.clone()));
    url.filter(is_safe).map(String::from).ok_or_else(unusable)
}

/// Exchanges the code and returns the identity that it stands for. The issuer is checked before the first request.
pub(super) async fn fetch_identity(
    app: &App,
    provider: &Provider,
    request: &AuthorizationRequest,
    response: &AuthorizationResponse,
) -> Result<ExternalIdentity, OauthError> {
    let endpoints = endpoints(app, provider).await?;
    if endpoints.always_names_issuer && response.issuer.is_none() {
        return Err(OauthError::Refused(Refusal::Issuer));
    }
    let tokens = exchange(app, provider, &endpoints, request, &response.code).await?;
    match &provider.kind {
        ProviderKind::GitHub => github(app, provider, &tokens.access_token).await,
        _ => openid(app, provider, &endpoints, request, response, &tokens).await,
    }
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    id_token: String,
}

async fn exchange(
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
        ("client_id", provider.client_id.as_str()),
    ];
    let mut headers = Vec::new();
    let basic = basic(&provider.client_id, &secret);
    if endpoints.posts_secret || matches!(provider.kind, ProviderKind::Apple(_)) {
        form.push(("client_secret", secret.as_str()));
    } else {
        headers.push(("Authorization", basic.as_str()));
    }
    let reply = app
        .http_client()
        .post(&endpoints.token, &headers, &form)
        .await
        .map_err(|error| unavailable(provider, error))?;
    // GitHub reports errors with status 200.
    let tokens: Option<Tokens> = (reply.status == 200).then(|| serde_json::from_slice(&reply.body).ok()).flatten();
    match tokens {
        Some(tokens) if !tokens.access_token.is_empty() || !tokens.id_token.is_empty() => Ok(tokens),
        _ if reply.status >= 500 => Err(unavailable(provider, status_error(&endpoints.token, &reply))),
        _ => {
            // A wrong configuration shows up here, so it is logged. The error code is text of the provider: only the
            // letters of a real code (RFC 6749 §5.2) are logged.
            let error: Option<Value> = serde_json::from_slice(&reply.body).ok();
            let error = error.as_ref().and_then(|body| body.get("error")?.as_str()).unwrap_or_default();
            let code: String = error.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect();
            tracing::warn!(
                provider = provider.name,
                status = reply.status,
                error = code,
                "A provider did not exchange a code."
            );
            Err(OauthError::Refused(Refusal::Code))
        }
    }
}

fn status_error(url: &str, reply: &Reply) -> CallError {
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
    let unusable = |_| unavailable(provider, CallError::Failed("the private key cannot sign".to_owned()));
    let signing = EncodingKey::from_ec_pem(key.private_key.expose().as_bytes()).map_err(unusable)?;
    encode(&header, &claims, &signing).map_err(unusable)
}

/// Claims about a person, from the ID token or from the userinfo endpoint. `email_verified` keeps its JSON type: only
/// Apple may send the text "true" instead of a boolean.
#[derive(Deserialize, Default)]
struct Claims {
    #[serde(default)]
    sub: String,
    email: Option<String>,
    email_verified: Option<Value>,
    name: Option<String>,
    preferred_username: Option<String>,
    hd: Option<String>,
}

async fn openid(
    app: &App,
    provider: &Provider,
    endpoints: &Endpoints,
    request: &AuthorizationRequest,
    response: &AuthorizationResponse,
    tokens: &Tokens,
) -> Result<ExternalIdentity, OauthError> {
    let now = app.now();
    let check = |keys: &[u8]| id_token::check(provider, request, &tokens.id_token, keys, now);
    let fetch = |wanted| app.http_client().document(&endpoints.jwks, now, wanted);
    let keys = fetch(Freshness::Cached).await.map_err(|error| unavailable(provider, error))?;
    let checked = match check(&keys) {
        // A key that is not in the cached set may be new. The client limits how often the set is fetched, so a sender
        // of tokens with unknown keys cannot cause many requests.
        Err(TokenError::UnknownKey) => {
            check(&fetch(Freshness::Reload).await.map_err(|error| unavailable(provider, error))?)
        }
        checked => checked,
    };
    let checked = checked.map_err(|fault| {
        tracing::warn!(provider = provider.name, %fault, "An ID token was refused.");
        OauthError::Refused(Refusal::Token)
    })?;
    let mut claims: Claims =
        serde_json::from_slice(&checked.payload).map_err(|_| OauthError::Refused(Refusal::Token))?;
    if claims.email.is_none()
        && let Some(url) = &endpoints.userinfo
    {
        claims = userinfo(app, provider, url, &tokens.access_token, claims).await?;
    }
    let is_verified = is_verified(provider, claims.email_verified.as_ref())?;
    let email = claims.email.as_deref().and_then(|email| EmailAddress::parse(email).ok());
    check_allowed_domain(provider, email.as_ref(), is_verified, claims.hd.as_deref())?;
    let name = claims.name.unwrap_or_else(|| apple_name(provider, &response.user));
    Ok(ExternalIdentity {
        provider: provider.name.clone(),
        issuer: provider.issuer.clone(),
        subject: checked.subject,
        is_authoritative: email
            .as_ref()
            .is_some_and(|email| is_authoritative(provider, email, is_verified, claims.hd.as_deref())),
        is_verified: is_verified && email.is_some(),
        email,
        name,
        login: claims.preferred_username.unwrap_or_default(),
        proved_at: checked.proved_at,
    })
}

/// Whether the provider says that it verified the address. A value that is not a boolean refuses the whole response:
/// guessing its meaning has led to account takeovers in other products.
fn is_verified(provider: &Provider, claim: Option<&Value>) -> Result<bool, OauthError> {
    match claim {
        None => Ok(false),
        Some(Value::Bool(is_verified)) => Ok(*is_verified),
        Some(Value::String(text)) if matches!(provider.kind, ProviderKind::Apple(_)) => Ok(text == "true"),
        Some(_) => {
            tracing::warn!(
                provider = provider.name,
                "email_verified is neither true nor false. The response was refused."
            );
            Err(OauthError::Refused(Refusal::Token))
        }
    }
}

/// Fetches the claims that the ID token lacks. They must be about the same subject (OpenID Connect Core §5.3.2).
async fn userinfo(
    app: &App,
    provider: &Provider,
    url: &str,
    access_token: &str,
    known: Claims,
) -> Result<Claims, OauthError> {
    let bearer = format!("Bearer {access_token}");
    let reply = app
        .http_client()
        .get(url, &[("Authorization", &bearer)])
        .await
        .map_err(|error| unavailable(provider, error))?;
    if reply.status != 200 {
        return Ok(known);
    }
    let fetched: Claims = serde_json::from_slice(&reply.body).map_err(|_| OauthError::Refused(Refusal::Answer))?;
    if fetched.sub != known.sub {
        return Err(OauthError::Refused(Refusal::Answer));
    }
    Ok(Claims { name: fetched.name.or(known.name), hd: known.hd, ..fetched })
}

/// Refuses people outside the domains that the settings name (`allowed_domains`; empty: everybody is allowed). It is
/// decided by the token: for Google by its organization claim (`hd`), for others by the domain of a verified address.
fn check_allowed_domain(
    provider: &Provider,
    email: Option<&EmailAddress>,
    is_verified: bool,
    hd: Option<&str>,
) -> Result<(), OauthError> {
    let allowed = &provider.allowed_domains;
    let domain = match provider.kind {
        ProviderKind::Google => hd.map(str::to_ascii_lowercase),
        _ => email.filter(|_| is_verified).map(EmailAddress::domain),
    };
    if allowed.is_empty() || domain.is_some_and(|domain| allowed.contains(&domain)) {
        return Ok(());
    }
    Err(OauthError::DomainNotAllowed)
}

/// The name in Apple's form. It is not trusted for identification, because the form came through the browser.
fn apple_name(provider: &Provider, user: &str) -> String {
    let form: Option<Value> =
        matches!(provider.kind, ProviderKind::Apple(_)).then(|| serde_json::from_str(user).ok()).flatten();
    let part = |key: &str| form.as_ref().and_then(|form| form.get("name")?.get(key)?.as_str()).unwrap_or_default();
    format!("{} {}", part("firstName"), part("lastName")).trim().to_owned()
}

#[derive(Deserialize)]
struct GithubUser {
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct GithubEmail {
    email: String,
    #[serde(default)]
    primary: bool,
    #[serde(default)]
    verified: bool,
}

/// GitHub has no ID token, so its API is asked. The subject is the numeric id, because another person can take a login
/// later. The address is the one that is primary and verified and accepts mail.
async fn github(app: &App, provider: &Provider, access_token: &str) -> Result<ExternalIdentity, OauthError> {
    let base = provider.api_url.as_deref().unwrap_or_default().trim_end_matches('/');
    let user: GithubUser = github_get(app, provider, &format!("{base}/user"), access_token).await?;
    let emails: Vec<GithubEmail> = github_get(app, provider, &format!("{base}/user/emails"), access_token).await?;
    let email = emails
        .into_iter()
        .find(|one| one.primary && one.verified)
        .and_then(|one| EmailAddress::parse(&one.email).ok())
        .filter(|email| !email.domain().starts_with(GITHUB_NO_MAIL));
    check_allowed_domain(provider, email.as_ref(), email.is_some(), None)?;
    Ok(ExternalIdentity {
        provider: provider.name.clone(),
        issuer: provider.issuer.clone(),
        subject: user.id.to_string(),
        is_verified: email.is_some(),
        is_authoritative: email.as_ref().is_some_and(|email| is_authoritative(provider, email, true, None)),
        email,
        name: user.name.unwrap_or_default(),
        login: user.login,
        proved_at: None,
    })
}

async fn github_get<T: serde::de::DeserializeOwned>(
    app: &App,
    provider: &Provider,
    url: &str,
    access_token: &str,
) -> Result<T, OauthError> {
    let bearer = format!("Bearer {access_token}");
    let headers = [("Authorization", bearer.as_str()), ("X-GitHub-Api-Version", "2022-11-28")];
    let reply = app.http_client().get(url, &headers).await.map_err(|error| unavailable(provider, error))?;
    if reply.status != 200 {
        return Err(unavailable(provider, status_error(url, &reply)));
    }
    serde_json::from_slice(&reply.body).map_err(|_| OauthError::Refused(Refusal::Answer))
}
