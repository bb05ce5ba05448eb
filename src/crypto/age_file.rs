//! Files encrypted for a person with age (age-encryption.org/v1): with a passphrase, or a public key that the person
//! has.

use std::io::Write;
use std::str::FromStr;

use age::secrecy::SecretString;

use crate::base::Secret;

/// The work factor of scrypt for passphrases, as a power of two: about one second to open on a small machine.
const PASSPHRASE_WORK: u8 = 17;
/// Characters. Shorter passphrases can be guessed offline.
const PASSPHRASE_MIN: usize = 8;
const RECIPIENT_MAX: usize = 2048;

/// Who can open a file.
pub enum Recipient {
    /// Everyone who knows the passphrase.
    Passphrase(Secret<String>),
    /// The owner of this `age1…`, `ssh-ed25519` or `ssh-rsa` public key.
    Key(String),
}

/// Why a text is not a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotARecipient {
    /// Fewer than eight characters.
    PassphraseTooShort,
    /// Neither `age1…` nor an SSH public key.
    UnknownKey,
}

impl Recipient {
    /// Parses a passphrase of at least eight characters.
    ///
    /// # Errors
    /// [`NotARecipient::PassphraseTooShort`].
    pub fn passphrase(text: Secret<String>) -> Result<Self, NotARecipient> {
        if text.expose().chars().count() < PASSPHRASE_MIN || text.expose().len() > RECIPIENT_MAX {
            return Err(NotARecipient::PassphraseTooShort);
        }
        Ok(Self::Passphrase(text))
    }

    /// Parses a public key in its usual text form.
    ///
    /// # Errors
    /// [`NotARecipient::UnknownKey`].
    pub fn key(text: &str) -> Result<Self, NotARecipient> {
        let text = text.trim();
        if text.len() > RECIPIENT_MAX || parse_key(text).is_none() {
            return Err(NotARecipient::UnknownKey);
        }
        Ok(Self::Key(text.to_owned()))
    }

    /// Starts an encrypted file. Call `finish` on the writer at the end; otherwise the file cannot be opened.
    ///
    /// # Errors
    /// The error of `sink`, or an error if the key cannot be used.
    pub fn seal<W: Write>(&self, sink: W) -> std::io::Result<age::stream::StreamWriter<W>> {
        let recipient: Box<dyn age::Recipient> = match self {
            Self::Passphrase(passphrase) => {
                let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase.expose().clone()));
                recipient.set_work_factor(PASSPHRASE_WORK);
                Box::new(recipient)
            }
            Self::Key(text) => {
                parse_key(text).ok_or_else(|| std::io::Error::other("the recipient is not a public key"))?
            }
        };
        age::Encryptor::with_recipients(std::iter::once(recipient.as_ref()))
            .map_err(std::io::Error::other)?
            .wrap_output(sink)
    }
}

fn parse_key(text: &str) -> Option<Box<dyn age::Recipient>> {
    if let Ok(native) = age::x25519::Recipient::from_str(text) {
        return Some(Box::new(native));
    }
    match age::ssh::Recipient::from_str(text) {
        Ok(ssh) => Some(Box::new(ssh)),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_sealed_file_opens_with_the_identity() {
        let identity = age::x25519::Identity::generate();
        let recipient = Recipient::key(&identity.to_public().to_string()).unwrap();
        let mut sealed = Vec::new();
        let mut writer = recipient.seal(&mut sealed).unwrap();
        writer.write_all(b"everything about ada").unwrap();
        writer.finish().unwrap();

        let mut opened = String::new();
        let decryptor = age::Decryptor::new(&sealed[..]).unwrap();
        decryptor
            .decrypt(std::iter::once(&identity as &dyn age::Identity))
            .unwrap()
            .read_to_string(&mut opened)
            .unwrap();

        assert_eq!(opened, "everything about ada");
    }

    #[test]
    fn an_invalid_recipient_is_refused() {
        assert_eq!(Recipient::key("age1nonsense").err(), Some(NotARecipient::UnknownKey));
        assert_eq!(Recipient::passphrase(Secret::new("short".into())).err(), Some(NotARecipient::PassphraseTooShort));
    }
}
