//! Signatures of webhooks (Standard Webhooks 1.0): HMAC-SHA-256 over id, time and body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The value of `webhook-signature`: one signature for each secret, separated by spaces.
pub(super) fn signatures<'s>(
    secrets: impl IntoIterator<Item = &'s [u8]>,
    id: &str,
    unix_seconds: i64,
    body: &str,
) -> String {
    let signed = format!("{id}.{unix_seconds}.{body}");
    let each = secrets.into_iter().filter_map(|secret| {
        // An HMAC takes keys of every length.
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        mac.update(signed.as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    });
    each.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the reference libraries.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            signatures([secret.as_slice()], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = signatures([secret.as_slice(), b"another".as_slice()], "m", 1, "");
        assert_eq!(both.matches("v1,").count(), 2);
    }
}
