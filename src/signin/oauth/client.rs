//! The talk with a provider: its metadata, the exchange of a code, and who it says that somebody is.
//!
//! ```text
//! metadata (an hour) ── issuer must be the configured one ── token endpoint: code + PKCE verifier ──┬─ ID token: checked against
//!                                                                                                   │  the keys (an hour)
//!                                                                                                   └─ GitHub: asked who it is
//! ```

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{OauthError, Refusal};
use super::id_token::{self, Fault};
use super::model::{Answered, Found, Purpose, Started, Way, is_authoritative};
use crate::app::App;
use crate::base::{EmailAddress, Timestamp, minutes};
use crate::config::{AppleKey, Provider, ProviderKind};
use crate::outbound::{CallError, Reply, Wanted};

/// The life of a client secret that Apple gets: it is made for one exchange, though half a year would be allowed.
const APPLE_SECRET_LIFE: std::time::Duration = minutes(10);
/// Domains of addresses at GitHub that take no mail begin so, also at Enterprise servers.
const GITHUB_NO_MAIL: &str = "users.noreply.";

/// What an OpenID issuer says about itself (OpenID Connect Discovery §3, RFC 9207 §3).
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

/// Where to go at a provider.
struct Endpoints {
    authorize: String,
    token: String,
    jwks: String,
    userinfo: Option<String>,
    /// Whether the client secret goes along in the form (RFC 6749 §2.3.1) and not in a header.
    posts_secret: bool,
    always_names_issuer: bool,
}

fn down(provider: &Provider, cause: CallError) -> OauthError {
    OauthError::Down { provider: provider.label.clone(), cause }
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
    let document = app.caller().document(&url, app.now(), Wanted::Kept).await.map_err(|error| down(provider, error))?;
    let metadata: Metadata = serde_json::from_slice(&document)
        .map_err(|_| down(provider, CallError::Failed(format!("{url} is no OpenID configuration"))))?;
    // Else one provider could speak for another (RFC 9700 §4.4.2, OpenID Connect Discovery §4.3).
    if metadata.issuer != provider.issuer {
        return Err(down(provider, CallError::Failed(format!("{url} is about {}", metadata.issuer))));
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

/// Our address that a provider answers to.
fn callback(app: &App, provider: &Provider) -> String {
    format!("{}/oauth/{}/callback", app.config().public_url, provider.name)
}

/// Whether the provider can be asked; its metadata are at hand afterwards.
pub(super) async fn is_there(app: &App, provider: &Provider) -> Result<(), OauthError> {
    endpoints(app, provider).await.map(|_| ())
}

/// Where the browser goes.
pub(super) async fn authorize_url(
    app: &App,
    provider: &Provider,
    started: &Started,
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
        // The only mode in which Apple tells name and address.
        (ProviderKind::Apple(_), _) => query.push(("response_mode", "form_post")),
        (ProviderKind::Oidc, Purpose::StepUp) => query.extend([("prompt", "login"), ("max_age", "0")]),
        (ProviderKind::Google | ProviderKind::GitHub, Purpose::StepUp | Purpose::Connect) => {
            query.push(("prompt", "select_account"));
        }
        (_, _) => {}
    }
    // A hint for the choice of account; what counts is checked in the token.
    if let (ProviderKind::Google, [domain]) = (&provider.kind, provider.allowed_domains.as_slice()) {
        query.push(("hd", domain));
    }
    let url = reqwest::Url::parse_with_params(&endpoints.authorize, &query).ok();
    let is_safe = |url: &reqwest::Url| {
        url.scheme() == "https" || matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
    };
    let unusable = || down(provider, CallError::Address(endpoints.authorize.clone()));
    url.filter(is_safe).map(String::from).ok_or_else(unusable)
}

/// Exchanges the code and finds out who it is for. Nothing is asked before the issuer is right.
pub(super) async fn find(app: &App, provider: &Provider, way: &Way, answered: &Answered) -> Result<Found, OauthError> {
    let endpoints = endpoints(app, provider).await?;
    if endpoints.always_names_issuer && answered.issuer.is_none() {
        return Err(OauthError::Refused(Refusal::Issuer));
    }
    let tokens = exchange(app, provider, &endpoints, way, &answered.code).await?;
    match &provider.kind {
        ProviderKind::GitHub => github(app, provider, &tokens.access_token).await,
        _ => openid(app, provider, &endpoints, way, answered, &tokens).await,
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
    way: &Way,
    code: &str,
) -> Result<Tokens, OauthError> {
    let callback = callback(app, provider);
    let secret = match &provider.kind {
        ProviderKind::Apple(key) => apple_secret(provider, key, app.now())?,
        _ => provider.client_secret.expose().clone(),
    };
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", callback.as_str()),
        ("code_verifier", way.verifier.expose().as_str()),
        ("client_id", provider.client_id.as_str()),
    ];
    let mut headers = Vec::new();
    let basic = basic(&provider.client_id, &secret);
    if endpoints.posts_secret || matches!(provider.kind, ProviderKind::Apple(_)) {
        form.push(("client_secret", secret.as_str()));
    } else {
        headers.push(("Authorization", basic.as_str()));
    }
    let reply = app.caller().post(&endpoints.token, &headers, &form).await.map_err(|error| down(provider, error))?;
    // GitHub says no with status 200.
    let tokens: Option<Tokens> = (reply.status == 200).then(|| serde_json::from_slice(&reply.body).ok()).flatten();
    match tokens {
        Some(tokens) if !tokens.access_token.is_empty() || !tokens.id_token.is_empty() => Ok(tokens),
        _ if reply.status >= 500 => Err(down(provider, status(&endpoints.token, &reply))),
        _ => {
            // Misconfiguration ends here, so the admin is told; the word is one of a short list or of no use.
            let said: Option<Value> = serde_json::from_slice(&reply.body).ok();
            let said = said.as_ref().and_then(|said| said.get("error")?.as_str()).unwrap_or_default();
            let word: String = said.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect();
            tracing::warn!(
                provider = provider.name,
                status = reply.status,
                error = word,
                "A provider did not exchange a code."
            );
            Err(OauthError::Refused(Refusal::Code))
        }
    }
}

fn status(url: &str, reply: &Reply) -> CallError {
    CallError::Failed(format!("{url} answered {}", reply.status))
}

/// HTTP Basic with both parts form-encoded (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &str) -> String {
    use base64::Engine;
    let encoded = |text: &str| {
        let url = reqwest::Url::parse_with_params("form:", [("", text)]).ok();
        url.and_then(|url| url.query().map(|query| query.trim_start_matches('=').to_owned())).unwrap_or_default()
    };
    let pair = format!("{}:{}", encoded(client_id), encoded(secret));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// The client secret that Apple wants: a JWT signed with the key that it gave out. It is made for every exchange, so none is
/// kept and none runs out.
fn apple_secret(provider: &Provider, key: &AppleKey, now: Timestamp) -> Result<String, OauthError> {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    let header = Header { kid: Some(key.key_id.clone()), ..Header::new(Algorithm::ES256) };
    let claims = json!({
        "iss": key.team_id, "sub": provider.client_id, "aud": provider.issuer,
        "iat": now.unix_seconds(), "exp": now.plus(APPLE_SECRET_LIFE).unix_seconds(),
    });
    let unusable = |_| down(provider, CallError::Failed("the private key cannot sign".to_owned()));
    let signing = EncodingKey::from_ec_pem(key.private_key.expose().as_bytes()).map_err(unusable)?;
    encode(&header, &claims, &signing).map_err(unusable)
}

/// Claims about a person, in the ID token or from the userinfo endpoint. Whether an address is proved is looked at as it was
/// written: the text "true" is no answer, but from Apple, which writes it so.
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
    way: &Way,
    answered: &Answered,
    tokens: &Tokens,
) -> Result<Found, OauthError> {
    let now = app.now();
    let check = |keys: &[u8]| id_token::check(provider, way, &tokens.id_token, keys, now);
    let fetch = |wanted| app.caller().document(&endpoints.jwks, now, wanted);
    let keys = fetch(Wanted::Kept).await.map_err(|error| down(provider, error))?;
    let checked = match check(&keys) {
        // A key that is not among those kept may be new; how often one looks again is not up to who sends tokens.
        Err(Fault::UnknownKey) => check(&fetch(Wanted::Newer).await.map_err(|error| down(provider, error))?),
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
    must_be_allowed(provider, email.as_ref(), is_verified, claims.hd.as_deref())?;
    let name = claims.name.unwrap_or_else(|| apple_name(provider, &answered.user));
    Ok(Found {
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

/// Whether the provider says that the address was proved. What is neither yes nor no is no answer: guessing has opened
/// accounts elsewhere.
fn is_verified(provider: &Provider, said: Option<&Value>) -> Result<bool, OauthError> {
    match said {
        None => Ok(false),
        Some(Value::Bool(is_verified)) => Ok(*is_verified),
        Some(Value::String(said)) if matches!(provider.kind, ProviderKind::Apple(_)) => Ok(said == "true"),
        Some(_) => {
            tracing::warn!(
                provider = provider.name,
                "email_verified is neither true nor false: the answer was refused."
            );
            Err(OauthError::Refused(Refusal::Token))
        }
    }
}

/// Asks for the claims that are not in the ID token; they must be about the same person (OpenID Connect Core §5.3.2).
async fn userinfo(
    app: &App,
    provider: &Provider,
    url: &str,
    access_token: &str,
    known: Claims,
) -> Result<Claims, OauthError> {
    let bearer = format!("Bearer {access_token}");
    let reply = app.caller().get(url, &[("Authorization", &bearer)]).await.map_err(|error| down(provider, error))?;
    if reply.status != 200 {
        return Ok(known);
    }
    let told: Claims = serde_json::from_slice(&reply.body).map_err(|_| OauthError::Refused(Refusal::Answer))?;
    if told.sub != known.sub {
        return Err(OauthError::Refused(Refusal::Answer));
    }
    Ok(Claims { name: told.name.or(known.name), hd: known.hd, ..told })
}

/// Only people of the domains that the settings name, where they name any: by the token, not by what was asked for. Google
/// says who belongs to an organisation (`hd`); elsewhere a proved address does.
fn must_be_allowed(
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
    Err(OauthError::Domain)
}

/// The name in Apple's form. It says nothing about who somebody is: the form came through the browser.
fn apple_name(provider: &Provider, user: &str) -> String {
    let told: Option<Value> =
        matches!(provider.kind, ProviderKind::Apple(_)).then(|| serde_json::from_str(user).ok()).flatten();
    let part = |key: &str| told.as_ref().and_then(|told| told.get("name")?.get(key)?.as_str()).unwrap_or_default();
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

/// GitHub has no ID token: it is asked. The key is the number, for a login can become somebody else's; the address is the
/// one that is primary and verified, and takes mail.
async fn github(app: &App, provider: &Provider, access_token: &str) -> Result<Found, OauthError> {
    let base = provider.api_url.as_deref().unwrap_or_default().trim_end_matches('/');
    let user: GithubUser = github_ask(app, provider, &format!("{base}/user"), access_token).await?;
    let emails: Vec<GithubEmail> = github_ask(app, provider, &format!("{base}/user/emails"), access_token).await?;
    let email = emails
        .into_iter()
        .find(|one| one.primary && one.verified)
        .and_then(|one| EmailAddress::parse(&one.email).ok())
        .filter(|email| !email.domain().starts_with(GITHUB_NO_MAIL));
    must_be_allowed(provider, email.as_ref(), email.is_some(), None)?;
    Ok(Found {
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

async fn github_ask<T: serde::de::DeserializeOwned>(
    app: &App,
    provider: &Provider,
    url: &str,
    access_token: &str,
) -> Result<T, OauthError> {
    let bearer = format!("Bearer {access_token}");
    let headers = [("Authorization", bearer.as_str()), ("X-GitHub-Api-Version", "2022-11-28")];
    let reply = app.caller().get(url, &headers).await.map_err(|error| down(provider, error))?;
    if reply.status != 200 {
        return Err(down(provider, status(url, &reply)));
    }
    serde_json::from_slice(&reply.body).map_err(|_| OauthError::Refused(Refusal::Answer))
}
