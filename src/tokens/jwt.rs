//! Signs claims as a JWT and verifies it. There is one algorithm, one type and one issuer: a token with any other
//! header is refused (RFC 8725 §3.1, RFC 9068 §4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use sha2::{Digest, Sha256};

use super::claims::Claims;
use crate::base::Secret;

/// The `typ` in the header (RFC 9068 §2.1).
const TYP: &str = "at+jwt";
/// The maximum length of a token. Ours have about 800 characters, or 6,000 with 64 long custom scopes.
const CHARS_MAX: usize = 8_192;

/// The public key of a private key, and its key id: the thumbprint of the JWK (RFC 7638 §3.1, RFC 8037 §2).
pub(super) fn public_key_of(seed: &Secret<[u8; 32]>) -> ([u8; 32], String) {
    let public = SigningKey::from_bytes(seed.expose()).verifying_key().to_bytes();
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(public));
    (public, URL_SAFE_NO_PAD.encode(Sha256::digest(members)))
}

/// Signs the claims.
///
/// # Errors
/// The text of the library. Does not happen with a valid seed.
pub(super) fn sign(claims: &Claims, kid: &str, seed: &Secret<[u8; 32]>) -> Result<Secret<String>, String> {
    let document = SigningKey::from_bytes(seed.expose()).to_pkcs8_der().map_err(|error| error.to_string())?;
    let key = EncodingKey::from_ed_der(document.as_bytes());
    let header = Header { typ: Some(TYP.into()), kid: Some(kid.into()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, &key).map(Secret::new).map_err(|error| error.to_string())
}

/// Whether a text has the form of a token. Any other text is not looked up as one.
pub fn is_token_shaped(text: &str) -> bool {
    text.len() <= CHARS_MAX && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// The id of the key that the token names as its signer. `None`: the token is not ours, because its header is not
/// exactly the one that we write.
pub(super) fn kid_of(token: &str) -> Option<String> {
    let encoded = token.split('.').next()?;
    let header: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()?;
    let members = header.as_object()?;
    let is = |name: &str, value: &str| members.get(name).and_then(serde_json::Value::as_str) == Some(value);
    // Our header has no jku, jwk or crit, so a token with one is refused.
    let is_ours = members.len() == 3 && is("typ", TYP) && is("alg", "EdDSA");
    members.get("kid").filter(|_| is_ours)?.as_str().map(str::to_owned)
}

/// The claims of a token, if this key signed it for this issuer. The caller must check the times and the audience.
/// `None`: the signature or the issuer is wrong.
pub(super) fn open(token: &str, public_key: &[u8; 32], issuer: &str) -> Option<Claims> {
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_issuer(&[issuer]);
    rules.set_required_spec_claims(&["iss", "sub", "aud", "exp", "nbf"]);
    // The library would use the clock of the machine instead of the appliance's clock.
    rules.validate_exp = false;
    // The caller compares the audience.
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
    fn only_an_unchanged_token_verifies_with_its_key_and_issuer() {
        let seed = Secret::new([7; 32]);
        let (public, kid) = public_key_of(&seed);
        let token = sign(&claims(), &kid, &seed).unwrap();

        assert_eq!(kid_of(token.expose()), Some(kid));
        assert_eq!(open(token.expose(), &public, "https://account.example.org"), Some(claims()));
        assert_eq!(open(token.expose(), &public, "https://elsewhere.example.org"), None);
        assert_eq!(open(token.expose(), &public_key_of(&Secret::new([8; 32])).0, "https://account.example.org"), None);
        for place in (0..token.expose().len()).step_by(7) {
            let mut changed = token.expose().clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(open(&changed, &public, "https://account.example.org"), None, "byte {place}");
        }
    }

    #[test]
    fn the_key_id_is_the_thumbprint_of_the_rfc() {
        // RFC 8037 appendix A.1 and A.3.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let seed = Secret::new(<[u8; 32]>::try_from(seed).unwrap());

        assert_eq!(public_key_of(&seed).1, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
