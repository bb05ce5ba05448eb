//! Sealed fields: XChaCha20-Poly1305. The ciphertext contains the id of the key and is bound to the location of the
//! field.
//!
//! ```text
//! 1 byte version | 4 bytes key id, big endian | 24 bytes nonce | ciphertext and tag
//! ```
//! The associated data is the location, `table|column|row`: a ciphertext that was moved to another field does not open.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use super::Keyring;
use crate::base::{Rng, Secret};

const VERSION: u8 = 1;
const NONCE: usize = 24;
const HEAD: usize = 1 + 4 + NONCE;
/// The key id for keys that are not in the keyring.
const OWN_KEY: u32 = 0;

/// The bytes do not open: wrong key, wrong location, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open")]
pub struct DoesNotOpen;

/// Seals under the data key in use.
pub fn seal(keyring: &Keyring, rng: &mut Rng, location: &str, plain: &[u8]) -> Vec<u8> {
    let (id, key) = keyring.data_key_in_use();
    write(key, id, rng, location, plain)
}

/// Opens the result of [`seal`], also under an older key that is still in the keyring.
///
/// # Errors
/// [`DoesNotOpen`].
pub fn open(keyring: &Keyring, location: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>, DoesNotOpen> {
    let id = sealed.get(1..5).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes).ok_or(DoesNotOpen)?;
    read(keyring.data_key(id).ok_or(DoesNotOpen)?, location, sealed)
}

/// Seals a value again if it is not under the data key in use. `None`: it already is.
///
/// # Errors
/// [`DoesNotOpen`].
pub fn reseal(keyring: &Keyring, rng: &mut Rng, location: &str, sealed: &[u8]) -> Result<Option<Vec<u8>>, DoesNotOpen> {
    let (id, _) = keyring.data_key_in_use();
    if sealed.get(1..5) == Some(id.to_be_bytes().as_slice()) {
        return Ok(None);
    }
    let plain = open(keyring, location, sealed)?;
    Ok(Some(seal(keyring, rng, location, plain.expose())))
}

/// Seals under a key of the caller, such as the key of one person.
pub fn seal_under(key: &Secret<[u8; 32]>, rng: &mut Rng, location: &str, plain: &[u8]) -> Vec<u8> {
    write(key, OWN_KEY, rng, location, plain)
}

/// Opens the result of [`seal_under`].
///
/// # Errors
/// [`DoesNotOpen`].
pub fn open_under(key: &Secret<[u8; 32]>, location: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>, DoesNotOpen> {
    read(key, location, sealed)
}

fn write(key: &Secret<[u8; 32]>, id: u32, rng: &mut Rng, location: &str, plain: &[u8]) -> Vec<u8> {
    let nonce: [u8; NONCE] = rng.bytes();
    let cipher = XChaCha20Poly1305::new(key.expose().into());
    let payload = Payload { msg: plain, aad: location.as_bytes() };
    // It fails only above 256 GiB, and all fields have a much lower limit.
    #[allow(clippy::expect_used)]
    let ciphertext = cipher.encrypt(&XNonce::from(nonce), payload).expect("a field is shorter than the cipher's limit");
    let mut sealed = Vec::with_capacity(HEAD + ciphertext.len());
    sealed.push(VERSION);
    sealed.extend_from_slice(&id.to_be_bytes());
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&ciphertext);
    sealed
}

fn read(key: &Secret<[u8; 32]>, location: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>, DoesNotOpen> {
    if sealed.len() < HEAD || sealed[0] != VERSION {
        return Err(DoesNotOpen);
    }
    let nonce: [u8; NONCE] = sealed[5..HEAD].try_into().map_err(|_| DoesNotOpen)?;
    XChaCha20Poly1305::new(key.expose().into())
        .decrypt(&XNonce::from(nonce), Payload { msg: &sealed[HEAD..], aad: location.as_bytes() })
        .map(Secret::new)
        .map_err(|_| DoesNotOpen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    #[test]
    fn a_sealed_value_opens_at_its_location_only() {
        let mut rng = Rng::seeded(1);
        let keyring = Keyring::generate(&mut rng, Timestamp::from_millis(0));
        let sealed = seal(&keyring, &mut rng, "a|b|1", b"secret");

        assert_eq!(open(&keyring, "a|b|1", &sealed).unwrap().expose(), b"secret");
        assert_eq!(open(&keyring, "a|b|2", &sealed).unwrap_err(), DoesNotOpen);
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(open(&keyring, "a|b|1", &changed).is_err(), "byte {index}");
        }
        assert!(open(&keyring, "a|b|1", &sealed[..20]).is_err());
    }

    #[test]
    fn c4_a_value_sealed_before_a_rotation_opens_after_it_and_can_be_resealed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        let mut rng = Rng::seeded(1);
        let before = Keyring::generate(&mut rng, Timestamp::from_millis(0));
        before.write_new(&path).unwrap();
        let old = seal(&before, &mut rng, "a|b|1", b"secret");

        let after = Keyring::rotate(&path, &mut rng).unwrap();
        let new = reseal(&after, &mut rng, "a|b|1", &old).unwrap().unwrap();

        assert_eq!((&old[1..5], &new[1..5]), ([0, 0, 0, 1].as_slice(), [0, 0, 0, 2].as_slice()));
        assert_eq!(open(&after, "a|b|1", &old).unwrap().expose(), b"secret");
        assert_eq!(open(&after, "a|b|1", &new).unwrap().expose(), b"secret");
        assert_eq!(reseal(&after, &mut rng, "a|b|1", &new), Ok(None));
        assert_eq!(reseal(&after, &mut rng, "a|b|2", &old), Err(DoesNotOpen));
        assert_eq!(open(&before, "a|b|1", &new).unwrap_err(), DoesNotOpen);
    }
}
