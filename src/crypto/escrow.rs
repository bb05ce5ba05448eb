//! Copies of the keyring outside the machine, and for a program that this one starts.

use std::io::{Read, Write};

use age::armor::{ArmoredWriter, Format};
use sha2::{Digest, Sha256};

use super::Keyring;
use super::age_file::Recipient;

/// Bytes of the largest keyring that is read: thousands of rotations.
const BYTES_MAX: u64 = 1 << 20;

impl Keyring {
    /// Writes the whole keyring into `sink` as an age file in text form, which only `recipient` can open. What they get is
    /// the keyring file itself.
    ///
    /// # Errors
    /// The error of `sink`, or an error if the recipient cannot be used.
    pub fn seal_for(&self, recipient: &Recipient, sink: impl Write) -> std::io::Result<()> {
        let armored = ArmoredWriter::wrap_output(sink, Format::AsciiArmor)?;
        let mut sealed = recipient.seal(armored)?;
        sealed.write_all(self.text().expose().as_bytes())?;
        sealed.finish()?.finish()?.flush()
    }

    /// Identifies the content of the keyring and reveals nothing of it: 16 hexadecimal digits, other ones after each
    /// rotation.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"domicile/keyring-content/1");
        hash.update(self.text().expose().as_bytes());
        hex::encode(&hash.finalize()[..8])
    }

    /// Gives the keyring to a program that this one started, through a pipe.
    ///
    /// # Errors
    /// The error of `sink`.
    pub fn write_to(&self, mut sink: impl Write) -> std::io::Result<()> {
        sink.write_all(self.text().expose().as_bytes())
    }

    /// Reads what [`Keyring::write_to`] wrote.
    ///
    /// # Errors
    /// The error of `source`, or `InvalidData`.
    pub fn read_from(source: impl Read) -> std::io::Result<Self> {
        let mut text = zeroize::Zeroizing::new(String::new());
        source.take(BYTES_MAX).read_to_string(&mut text)?;
        Self::parse(&text).map_err(|_| std::io::Error::from(std::io::ErrorKind::InvalidData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, Timestamp};

    #[test]
    fn a_sealed_keyring_opens_as_the_keyring_file_and_has_the_same_fingerprint() {
        let keyring = Keyring::generate(&mut Rng::seeded(1), Timestamp::from_millis(0));
        let identity = age::x25519::Identity::generate();
        let mut sealed = Vec::new();
        keyring.seal_for(&Recipient::key(&identity.to_public().to_string()).unwrap(), &mut sealed).unwrap();
        assert!(sealed.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"));

        let armored = age::armor::ArmoredReader::new(&sealed[..]);
        let opened = age::Decryptor::new(armored).unwrap();
        let opened = opened.decrypt(std::iter::once(&identity as &dyn age::Identity)).unwrap();
        let read = Keyring::read_from(opened).unwrap();

        assert_eq!(read.text().expose(), keyring.text().expose());
        assert_eq!(read.fingerprint(), keyring.fingerprint());
        let other = Keyring::generate(&mut Rng::seeded(2), Timestamp::from_millis(0));
        assert_ne!(other.fingerprint(), keyring.fingerprint());
    }
}
