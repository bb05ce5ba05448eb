//! Validation of an ID token (OpenID Connect Core §3.1.3.7). The library checks signature, issuer, audience and nonce.
//! This file checks what the library does not: clock skew, time of issue and authorized party.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{ClaimsVerificationError, ClientId, IssuerUrl, Nonce, SignatureVerificationError};

use super::model::{AuthorizationRequest, CLOCK_SKEW_MAX};
use crate::base::Timestamp;
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

/// A token that passed every check.
pub(super) struct VerifiedToken {
    /// The identifier of the person at the provider.
    pub subject: String,
    /// `auth_time`. `None`: the token does not have it.
    pub proved_at: Option<Timestamp>,
    /// The claims as they were signed: JSON.
    pub payload: Vec<u8>,
}

/// Why a token is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    /// The token names a key that is not in the key set.
    #[error("it is signed with a key that is not among the provider's")]
    UnknownKey,
    /// Every other reason.
    #[error("{0}")]
    Bad(String),
}

/// Checks a token against the keys of its provider and against the authorization request that it answers.
pub(super) fn check(
    provider: &Provider,
    request: &AuthorizationRequest,
    token: &str,
    keys: &[u8],
    now: Timestamp,
) -> Result<VerifiedToken, TokenError> {
    let bad = |what: &str| TokenError::Bad(what.to_owned());
    let keys: CoreJsonWebKeySet =
        serde_json::from_slice(keys).map_err(|_| bad("the provider's keys cannot be read"))?;
    let issuer = IssuerUrl::new(provider.issuer.clone()).map_err(|_| bad("the issuer is not a URL"))?;
    let client = ClientId::new(provider.client_id.clone());
    let parsed = CoreIdToken::from_str(token).map_err(|_| bad("it cannot be read"))?;
    // The library compares `exp` with this clock. We set it back by the allowed skew.
    let late = now.minus(CLOCK_SKEW_MAX).system_time();
    let verifier = CoreIdTokenVerifier::new_public_client(client.clone(), issuer, keys)
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || late.into());
    let nonce = Nonce::new(request.nonce.expose().clone());
    let claims = parsed.claims(&verifier, &nonce).map_err(|error| match error {
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            TokenError::UnknownKey
        }
        // The error texts of the library repeat contents of the token. The kind of error is enough.
        ClaimsVerificationError::Expired(_) => bad("it has expired"),
        ClaimsVerificationError::InvalidAudience(_) => bad("its audience is another client"),
        ClaimsVerificationError::InvalidIssuer(_) => bad("its issuer is another one"),
        ClaimsVerificationError::InvalidNonce(_) => bad("its nonce is not the one of the request"),
        ClaimsVerificationError::SignatureVerification(_) => bad("its signature is not valid"),
        _ => bad("it is not of an accepted kind"),
    })?;
    // It must be issued after the request began and not in the future, with a minute for clock skew. An older token
    // cannot answer this request.
    let issued = Timestamp::from_millis(claims.issue_time().timestamp_millis());
    if issued < request.began_at.minus(CLOCK_SKEW_MAX) || issued > now.plus(CLOCK_SKEW_MAX) {
        return Err(bad("it was not issued during this request"));
    }
    if claims.authorized_party().is_some_and(|party| *party != client) {
        return Err(bad("its authorized party is another client"));
    }
    let subject = claims.subject().as_str().to_owned();
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || subject.chars().any(char::is_control) {
        return Err(bad("it has no valid subject"));
    }
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    Ok(VerifiedToken {
        subject,
        proved_at: claims.auth_time().map(|at| Timestamp::from_millis(at.timestamp_millis())),
        payload: payload.ok_or_else(|| bad("it cannot be read"))?,
    })
}
