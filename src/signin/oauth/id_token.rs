//! Validation of an ID token (OpenID Connect Core §3.1.3.7). The library reads the keys and checks the signature. The
//! claims are checked here, because the library refuses a token for the type of a claim that nobody uses.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJsonWebKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey, JsonWebKeyAlgorithm, JsonWebKeyUse, JwsSigningAlgorithm};
use serde::Deserialize;
use serde_json::Value;

use super::json::{object, text};
use super::model::{AuthorizationRequest, CLOCK_SKEW_MAX};
use crate::base::{Secret, Timestamp, minutes};
use crate::config::Provider;

/// The signature algorithms that we accept. No shared secrets, and never `none`.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 5] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];
/// A subject has at most 255 ASCII characters (OpenID Connect Core §2).
const SUBJECT_BYTES_MAX: usize = 255;
/// How long before the request `iat` may be. The nonce binds the token to the request; this only refuses clocks that are
/// far off. Entra ID writes a time five minutes back (openid/AppAuth-iOS#264).
const ISSUED_BEFORE_MAX: std::time::Duration = minutes(10);
/// How many keys are tried for a token that names none.
const KEYS_TRIED_MAX: usize = 8;

/// A token that passed every check.
#[derive(Debug)]
pub(super) struct VerifiedToken {
    /// The identifier of the person at the provider.
    pub subject: String,
    /// `auth_time`. `None`: the token does not have it.
    pub proved_at: Option<Timestamp>,
    /// The claims as they were signed: JSON.
    pub payload: Vec<u8>,
}

/// Why a token is refused. It contains nothing of the token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TokenError {
    /// The member of the header or of the claims that is wrong; `id_token` or `jwks` for the whole.
    pub member: &'static str,
    /// What is wrong, for the log.
    pub what: &'static str,
    /// Newer keys may help: the key set cannot be read, or lacks the key that the token names, or none of its keys has
    /// signed a token that names none.
    pub needs_new_keys: bool,
}

const fn bad(member: &'static str, what: &'static str) -> TokenError {
    TokenError { member, what, needs_new_keys: false }
}

/// The header (RFC 7515 §4), as it was sent.
#[derive(Deserialize)]
struct Header {
    alg: Option<Value>,
    kid: Option<Value>,
    typ: Option<Value>,
    crit: Option<Value>,
}

/// The claims that decide, as they were sent. One that is there twice refuses the token (RFC 7519 §4); others are not
/// looked at.
#[derive(Deserialize)]
struct DecidingClaims {
    iss: Option<Value>,
    sub: Option<Value>,
    aud: Option<Value>,
    azp: Option<Value>,
    nonce: Option<Value>,
    exp: Option<Value>,
    iat: Option<Value>,
    nbf: Option<Value>,
    auth_time: Option<Value>,
}

/// Checks a token against the keys of its provider and against the authorization request that it answers.
pub(super) fn check(
    provider: &Provider,
    request: &AuthorizationRequest,
    token: &str,
    keys: &[u8],
    now: Timestamp,
) -> Result<VerifiedToken, TokenError> {
    let keys: CoreJsonWebKeySet = serde_json::from_slice(keys)
        .map_err(|_| TokenError { needs_new_keys: true, ..bad("jwks", "the provider's keys cannot be read") })?;
    let unreadable = || bad("id_token", "it is not a signed JWT");
    let (signed, signature) = token.rsplit_once('.').ok_or_else(unreadable)?;
    let (header, payload) = signed.split_once('.').ok_or_else(unreadable)?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| unreadable());
    let (header, payload, signature) = (decoded(header)?, decoded(payload)?, decoded(signature)?);
    check_signature(&keys, &object(&header).ok_or_else(unreadable)?, signed.as_bytes(), &signature)?;
    let claims: DecidingClaims = object(&payload)
        .ok_or_else(|| bad("id_token", "its claims are not a JSON object, or a claim is there twice"))?;
    check_parties(provider, request, &claims)?;
    check_times(request, &claims, now)?;
    let subject = text(claims.sub.as_ref())
        .filter(|subject| (1..=SUBJECT_BYTES_MAX).contains(&subject.len()) && !subject.chars().any(char::is_control));
    Ok(VerifiedToken {
        subject: subject.ok_or_else(|| bad("sub", "it is not a text of 1 to 255 characters"))?.to_owned(),
        proved_at: seconds(claims.auth_time.as_ref()).map(|at| Timestamp::from_millis(at.saturating_mul(1000))),
        payload,
    })
}

fn check_signature(
    keys: &CoreJsonWebKeySet,
    header: &Header,
    signed: &[u8],
    signature: &[u8],
) -> Result<(), TokenError> {
    // Another kind of token (RFC 8725 §3.11), and extensions that must be understood (RFC 7515 §4.1.11).
    let is_jwt = |typ: &Value| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"));
    if header.typ.as_ref().is_some_and(|typ| !is_jwt(typ)) {
        return Err(bad("typ", "it says that it is not a JWT"));
    }
    if header.crit.is_some() {
        return Err(bad("crit", "it has extensions that must be understood"));
    }
    let algorithm: Option<CoreJwsSigningAlgorithm> =
        header.alg.clone().and_then(|alg| serde_json::from_value(alg).ok());
    let algorithm = algorithm
        .filter(|algorithm| ALGORITHMS.contains(algorithm))
        .ok_or_else(|| bad("alg", "it must be RS256, PS256, ES256, ES384 or EdDSA"))?;
    let kid = match &header.kid {
        None => None,
        Some(Value::String(kid)) => Some(kid),
        Some(_) => return Err(bad("kid", "it is not a text")),
    };
    let suitable = |key: &&CoreJsonWebKey| {
        kid.is_none_or(|kid| key.key_id().is_some_and(|id| id.as_str() == kid)) && fits(key, &algorithm)
    };
    let mut candidates = keys.keys().iter().filter(suitable).take(KEYS_TRIED_MAX).peekable();
    if candidates.peek().is_none() {
        let what = "it is signed with a key that is not among the provider's";
        return Err(TokenError { needs_new_keys: true, ..bad("kid", what) });
    }
    let is_valid = candidates.any(|key| key.verify_signature(&algorithm, signed, signature).is_ok());
    if is_valid {
        return Ok(());
    }
    Err(TokenError { needs_new_keys: kid.is_none(), ..bad("signature", "it is not valid") })
}

/// Whether a key is for this algorithm: its type, and what its `use` and `alg` say, if it has them (RFC 7517 §4).
fn fits(key: &CoreJsonWebKey, algorithm: &CoreJwsSigningAlgorithm) -> bool {
    let is_for_algorithm = match key.signing_alg() {
        JsonWebKeyAlgorithm::Unspecified => true,
        JsonWebKeyAlgorithm::Algorithm(only) => only == algorithm,
        JsonWebKeyAlgorithm::Unsupported => false,
    };
    is_for_algorithm
        && key.key_use().is_none_or(JsonWebKeyUse::allows_signature)
        && algorithm.key_type().as_ref() == Some(key.key_type())
}

/// Who issued the token, for whom, and for which request.
fn check_parties(
    provider: &Provider,
    request: &AuthorizationRequest,
    claims: &DecidingClaims,
) -> Result<(), TokenError> {
    if !text(claims.iss.as_ref()).is_some_and(|issuer| provider.issues_as(issuer)) {
        return Err(bad("iss", "it is not the issuer in the settings"));
    }
    let audiences = match &claims.aud {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(all)) => all
            .iter()
            .map(|one| one.as_str().ok_or_else(|| bad("aud", "it is not a list of texts")))
            .collect::<Result<Vec<_>, _>>()?,
        _ => return Err(bad("aud", "it is not a text or a list of texts")),
    };
    let client = provider.client_id.as_str();
    if !audiences.contains(&client) {
        return Err(bad("aud", "it does not name this client"));
    }
    let is_known =
        |audience: &&str| *audience == client || provider.trusted_audiences.iter().any(|one| one == audience);
    if !audiences.iter().all(is_known) {
        return Err(bad(
            "aud",
            "it also names others. If the provider always names them, add them to trusted_audiences",
        ));
    }
    match &claims.azp {
        Some(Value::String(party)) if party == client => {}
        Some(_) => return Err(bad("azp", "it is not this client")),
        None if audiences.iter().any(|audience| *audience != client) => {
            return Err(bad("azp", "it is missing although the token is for several audiences"));
        }
        None => {}
    }
    match &claims.nonce {
        Some(Value::String(nonce)) if Secret::new(nonce.clone()).matches(request.nonce.expose().as_bytes()) => Ok(()),
        _ => Err(bad("nonce", "it is not the one of the request")),
    }
}

/// Whether the token is valid now. The clocks may differ by [`CLOCK_SKEW_MAX`].
fn check_times(request: &AuthorizationRequest, claims: &DecidingClaims, now: Timestamp) -> Result<(), TokenError> {
    let latest = now.plus(CLOCK_SKEW_MAX).unix_seconds();
    let expires = seconds(claims.exp.as_ref()).ok_or_else(|| bad("exp", "it is not a number of seconds"))?;
    if expires <= now.minus(CLOCK_SKEW_MAX).unix_seconds() {
        return Err(bad("exp", "it has passed. Compare the clocks of the two machines"));
    }
    let issued = seconds(claims.iat.as_ref()).ok_or_else(|| bad("iat", "it is not a number of seconds"))?;
    if issued > latest || issued < request.began_at.minus(ISSUED_BEFORE_MAX).unix_seconds() {
        return Err(bad("iat", "it is not the time of this request. Compare the clocks of the two machines"));
    }
    let valid_from = claims.nbf.as_ref().map(|nbf| seconds(Some(nbf)).unwrap_or(i64::MAX));
    if valid_from.is_some_and(|from| from > latest) {
        return Err(bad("nbf", "it is in the future, or not a number of seconds"));
    }
    Ok(())
}

/// A NumericDate (RFC 7519 §2): seconds since 1970, which may have a fraction.
fn seconds(value: Option<&Value>) -> Option<i64> {
    let number = value?;
    #[allow(clippy::cast_possible_truncation)]
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64))
}
