//! Whether an ID token is good (OpenID Connect Core §3.1.3.7): signature, issuer, audience and nonce by the library; the
//! clock, the time of issue and the authorized party, about which it has no opinion, here.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{ClaimsVerificationError, ClientId, IssuerUrl, Nonce, SignatureVerificationError};

use super::model::{SKEW, Way};
use crate::base::Timestamp;
use crate::config::Provider;

/// What providers sign with. No shared secrets, and never `none`.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 5] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];
/// Longer than any subject may be (OpenID Connect Core §2).
const SUBJECT_MAX: usize = 255;

/// A token that is good.
pub(super) struct Checked {
    /// Who.
    pub subject: String,
    /// When they proved it there, where the token says so.
    pub proved_at: Option<Timestamp>,
    /// Its claims as they were signed.
    pub payload: Vec<u8>,
}

/// Why a token is not good.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// None of the keys is the one that it names.
    #[error("it is signed with a key that is not among the provider's")]
    UnknownKey,
    /// Anything else.
    #[error("{0}")]
    Bad(String),
}

/// Checks a token against the keys of its provider, for the way that somebody left on.
pub(super) fn check(
    provider: &Provider,
    way: &Way,
    token: &str,
    keys: &[u8],
    now: Timestamp,
) -> Result<Checked, Fault> {
    let bad = |what: &str| Fault::Bad(what.to_owned());
    let keys: CoreJsonWebKeySet =
        serde_json::from_slice(keys).map_err(|_| bad("the provider's keys cannot be read"))?;
    let issuer = IssuerUrl::new(provider.issuer.clone()).map_err(|_| bad("the issuer is no URL"))?;
    let client = ClientId::new(provider.client_id.clone());
    let parsed = CoreIdToken::from_str(token).map_err(|_| bad("it cannot be read"))?;
    // The library compares the end with this clock: a minute is given to the other's.
    let late = now.minus(SKEW).system_time();
    let verifier = CoreIdTokenVerifier::new_public_client(client.clone(), issuer, keys)
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || late.into());
    let nonce = Nonce::new(way.nonce.expose().clone());
    let claims = parsed.claims(&verifier, &nonce).map_err(|error| match error {
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => Fault::UnknownKey,
        // Its words repeat what the token says; the kind is enough.
        ClaimsVerificationError::Expired(_) => bad("it has expired"),
        ClaimsVerificationError::InvalidAudience(_) => bad("it is for somebody else"),
        ClaimsVerificationError::InvalidIssuer(_) => bad("it is from somebody else"),
        ClaimsVerificationError::InvalidNonce(_) => bad("it answers another question"),
        ClaimsVerificationError::SignatureVerification(_) => bad("its signature is not good"),
        _ => bad("it is not of a kind that is taken"),
    })?;
    // Issued after the way began and not in the future, a minute for the clocks: an older one is no answer to it.
    let issued = Timestamp::from_millis(claims.issue_time().timestamp_millis());
    if issued < way.began_at.minus(SKEW) || issued > now.plus(SKEW) {
        return Err(bad("it was not issued just now"));
    }
    if claims.authorized_party().is_some_and(|party| *party != client) {
        return Err(bad("another party is authorized"));
    }
    let subject = claims.subject().as_str().to_owned();
    if subject.is_empty() || subject.len() > SUBJECT_MAX || subject.chars().any(char::is_control) {
        return Err(bad("it has no subject"));
    }
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    Ok(Checked {
        subject,
        proved_at: claims.auth_time().map(|at| Timestamp::from_millis(at.timestamp_millis())),
        payload: payload.ok_or_else(|| bad("it cannot be read"))?,
    })
}
