//! Time-based codes (RFC 6238): six digits, thirty seconds, HMAC-SHA-1, as every authenticator app makes them.

use totp_rs::{Algorithm, Builder, Totp};

use crate::base::{Rng, Secret, Timestamp, percent_encoded, six_digits};

/// 160 random bits (RFC 4226 §4 R6), the output size of SHA-1.
pub(super) const SEED_BYTES: usize = 20;
const STEP_SECONDS: i64 = 30;
/// Steps before and after the present one whose codes are accepted, because clocks differ (RFC 6238 §5.2 recommends
/// one).
const SKEW: i64 = 1;
/// RFC 4648 §6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The secret that the appliance and an authenticator app share.
pub struct Seed(Secret<[u8; SEED_BYTES]>);

impl Seed {
    /// A new random seed.
    pub fn generate(rng: &mut Rng) -> Self {
        Self(Secret::new(rng.bytes()))
    }

    /// A seed from its bytes. `None`: there are not 20 of them.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Secret::new(bytes)))
    }

    /// The bytes, for sealing.
    pub(super) fn expose(&self) -> &[u8; SEED_BYTES] {
        self.0.expose()
    }

    /// In base32, as apps read it: 32 characters without padding.
    pub fn base32(&self) -> Secret<String> {
        let digits = self.0.expose().chunks(5).flat_map(|five| {
            let value = five.iter().fold(0u64, |value, byte| (value << 8) | u64::from(*byte));
            (0..8).rev().map(move |index| char::from(BASE32[((value >> (5 * index)) & 31) as usize]))
        });
        Secret::new(digits.collect())
    }

    /// The text of the QR code, in the key URI format that every app reads. `issuer` and `account` get percent-encoded
    /// here.
    pub fn uri(&self, issuer: &str, account: &str) -> Secret<String> {
        let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
        let secret = self.base32();
        Secret::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
            secret.expose()
        ))
    }

    fn totp(&self) -> Totp {
        // Without skew: the step of a code must be known, or the code could be accepted twice.
        let builder =
            Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_step_duration(STEP_SECONDS as u64);
        builder.with_skew(0).with_secret(*self.0.expose()).build_noncompliant()
    }
}

/// The step of a moment.
pub(super) fn step_at(now: Timestamp) -> i64 {
    now.unix_seconds().div_euclid(STEP_SECONDS)
}

/// The step of the code `typed`: the present step or one next to it, but later than `last`. `None`: no such step has
/// this code. A code of a step that was used before is as wrong as any other.
pub fn accepted_step(seed: &Seed, typed: &str, now: Timestamp, last: Option<i64>) -> Option<i64> {
    let digits = six_digits(typed)?;
    let totp = seed.totp();
    let present = step_at(now);
    let is_right = |step: &i64| {
        let time = u64::try_from(step.saturating_mul(STEP_SECONDS)).unwrap_or(0);
        totp.check(&digits, time).is_some()
    };
    (present - SKEW..=present + SKEW).filter(|step| last.is_none_or(|last| *step > last)).find(is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_the_vectors_of_rfc_6238_appendix_b() {
        let seed = Seed::from_bytes(b"12345678901234567890").unwrap();
        // The vectors have eight digits; ours are the last six of them (RFC 4226 §5.3: the remainder of the same
        // number).
        for (at, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let now = Timestamp::from_millis(at * 1000);
            assert_eq!(accepted_step(&seed, &code[2..], now, None), Some(at / 30), "{at}");
        }
    }

    #[test]
    fn a_seed_is_written_as_apps_read_it() {
        let seed = Seed::from_bytes(b"12345678901234567890").unwrap();

        assert_eq!(seed.base32().expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(
            seed.uri("Domicile example.org", "ada-l")
                .expose()
                .starts_with("otpauth://totp/Domicile%20example.org:ada-l?")
        );
    }
}
