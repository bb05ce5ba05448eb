//! From claims to a token and back. One algorithm, one type, one issuer: what else a token says about how it wants to be
//! verified is a reason to refuse it (RFC 8725 §3.1, RFC 9068 §4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use sha2::{Digest, Sha256};

use super::claims::Claims;
use crate::base::Secret;

/// The type in the header (RFC 9068 §2.1).
const TYP: &str = "at+jwt";
/// Ours have some 800 characters; with 64 long scopes of the site's own, 6,000.
const CHARS_MAX: usize = 8_192;

/// The public half, and the name that follows from it: the thumbprint of the JWK (RFC 7638 §3.1, RFC 8037 §2).
pub(super) fn public_half(seed: &Secret<[u8; 32]>) -> ([u8; 32], String) {
    let public = SigningKey::from_bytes(seed.expose()).verifying_key().to_bytes();
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(public));
    (public, URL_SAFE_NO_PAD.encode(Sha256::digest(members)))
}

/// The claims, signed.
///
/// # Errors
/// The library's words; a whole seed always signs.
pub(super) fn sign(claims: &Claims, kid: &str, seed: &Secret<[u8; 32]>) -> Result<Secret<String>, String> {
    let document = SigningKey::from_bytes(seed.expose()).to_pkcs8_der().map_err(|error| error.to_string())?;
    let key = EncodingKey::from_ed_der(document.as_bytes());
    let header = Header { typ: Some(TYP.into()), kid: Some(kid.into()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, &key).map(Secret::new).map_err(|error| error.to_string())
}

/// Whether a text could be a token at all, so that nothing else is asked for it.
pub fn is_token_shaped(text: &str) -> bool {
    text.len() <= CHARS_MAX && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// The name of the key that says it signed the token. `None`: the token is none of ours whoever signed it, because its header
/// is not exactly the one we write.
pub(super) fn kid_of(token: &str) -> Option<String> {
    let encoded = token.split('.').next()?;
    let header: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()?;
    let members = header.as_object()?;
    let is = |name: &str, value: &str| members.get(name).and_then(serde_json::Value::as_str) == Some(value);
    // No jku, no jwk, no crit: where a token asks for anything, it is not ours.
    let is_ours = members.len() == 3 && is("typ", TYP) && is("alg", "EdDSA");
    members.get("kid").filter(|_| is_ours)?.as_str().map(str::to_owned)
}

/// The claims of a token that the key signed for this issuer. Its times are the caller's to check, against the house's clock.
/// `None`: it did not.
pub(super) fn open(token: &str, public_key: &[u8; 32], issuer: &str) -> Option<Claims> {
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_issuer(&[issuer]);
    rules.set_required_spec_claims(&["iss", "sub", "aud", "exp", "nbf"]);
    // The library would ask the machine's clock.
    rules.validate_exp = false;
    // Each caller is one audience, and compares it.
    rules.validate_aud = false;
    jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_ed_der(public_key), &rules).ok().map(|token| token.claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        let word = |text: &str| text.to_owned();
        Claims {
            iss: word("https://account.example.org"),
            sub: word("acc_1"),
            aud: word("inference"),
            exp: 300,
            iat: 0,
            nbf: 0,
            jti: word("1"),
            client_id: word("key_1"),
            scope: word("models:read"),
            workspace: word("ws_1"),
            role: word("owner"),
            plan: word("free"),
            region: word("eu"),
            epoch: 0,
        }
    }

    #[test]
    fn a_token_opens_with_its_key_for_its_issuer_and_unchanged() {
        let seed = Secret::new([7; 32]);
        let (public, kid) = public_half(&seed);
        let token = sign(&claims(), &kid, &seed).unwrap();

        assert_eq!(kid_of(token.expose()), Some(kid));
        assert_eq!(open(token.expose(), &public, "https://account.example.org"), Some(claims()));
        assert_eq!(open(token.expose(), &public, "https://elsewhere.example.org"), None);
        assert_eq!(open(token.expose(), &public_half(&Secret::new([8; 32])).0, "https://account.example.org"), None);
        for place in (0..token.expose().len()).step_by(7) {
            let mut changed = token.expose().clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(open(&changed, &public, "https://account.example.org"), None, "byte {place}");
        }
    }

    #[test]
    fn the_name_of_a_key_is_the_thumbprint_that_others_compute() {
        // RFC 8037 appendix A.1 and A.3.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let seed = Secret::new(<[u8; 32]>::try_from(seed).unwrap());

        assert_eq!(public_half(&seed).1, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
