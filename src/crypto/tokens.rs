//! Random secrets for links, cookies and codes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::base::{Rng, Secret};

/// 256 random bits in base64url without padding: 43 characters.
pub fn random_token(rng: &mut Rng) -> Secret<String> {
    Secret::new(URL_SAFE_NO_PAD.encode(rng.bytes::<32>()))
}

/// SHA-256 of a token. A token of 256 random bits needs neither salt nor pepper.
pub fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Six random digits, leading zeros included.
pub fn six_digits(rng: &mut Rng) -> Secret<String> {
    Secret::new(format!("{:06}", rng.below(1_000_000)))
}
