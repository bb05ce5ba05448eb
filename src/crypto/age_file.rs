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
    /// The owner of this `age1…`, `age1tag1…`, `age1tagpq1…`, `ssh-ed25519` or `ssh-rsa` public key.
    Key(String),
}

/// Why a text is not a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotARecipient {
    /// Fewer than eight characters.
    PassphraseTooShort,
    /// A private key of age or SSH. It must not be shown again, nor stored.
    PrivateKey,
    /// A hybrid recipient (`age1pq1…`, ML-KEM-768 with X25519), which the library cannot encrypt for yet.
    Hybrid,
    /// A recipient of a plugin (`age1yubikey1…`), which is another program on the machine of its owner.
    Plugin,
    /// Something else.
    UnknownKey,
}

impl NotARecipient {
    /// What is wrong and what to do, for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::PassphraseTooShort => "A passphrase must have at least 8 characters. Choose a longer one.",
            Self::PrivateKey => {
                "This is a private key, which must stay with you. It was not stored. Enter the public key that belongs to it \
                 (age1…, or the content of the .pub file)."
            }
            Self::Hybrid => {
                "Recipients that begin with age1pq1 cannot be used yet. Use an X25519 recipient (age1…), an SSH public key, \
                 or a passphrase."
            }
            Self::Plugin => {
                "This is the recipient of an age plugin, which this server does not have. Use an X25519 recipient (age1…), an \
                 SSH public key, or a passphrase."
            }
            Self::UnknownKey => {
                "This is not an age recipient (age1…) or an SSH public key (ssh-ed25519 or ssh-rsa). Check it, or use a \
                 passphrase."
            }
        }
    }
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
    /// What it is instead.
    pub fn key(text: &str) -> Result<Self, NotARecipient> {
        let text = text.trim();
        if is_private_key(text) {
            return Err(NotARecipient::PrivateKey);
        }
        if text.len() <= RECIPIENT_MAX && parse_key(text).is_some() {
            return Ok(Self::Key(text.to_owned()));
        }
        // Bech32 (BIP 173): the last 1 ends the name, and Bech32 has no 1 after it. Names of plugins follow "age1".
        let lower = text.to_ascii_lowercase();
        let name = lower.rsplit_once('1').map_or("", |(name, _)| name);
        Err(match name.strip_prefix("age1") {
            Some("pq") => NotARecipient::Hybrid,
            Some("tag" | "tagpq" | "") | None => NotARecipient::UnknownKey,
            Some(_) => NotARecipient::Plugin,
        })
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

/// Whether it is a private key of age, of an age plugin or of SSH, also with line breaks that a field removed.
fn is_private_key(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    ["AGE-SECRET-KEY-", "AGE-PLUGIN-", "PRIVATE KEY-----"].iter().any(|mark| upper.contains(mark))
}

fn parse_key(text: &str) -> Option<Box<dyn age::Recipient>> {
    fn boxed<R: age::Recipient + FromStr + 'static>(text: &str) -> Option<Box<dyn age::Recipient>> {
        R::from_str(text).ok().map(|recipient| Box::new(recipient) as Box<dyn age::Recipient>)
    }
    boxed::<age::x25519::Recipient>(text)
        .or_else(|| boxed::<age::tag::Recipient>(text))
        .or_else(|| boxed::<age::tagpq::Recipient>(text))
        .or_else(|| boxed::<age::ssh::Recipient>(text))
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

    #[test]
    fn a_key_that_cannot_be_used_is_called_what_it_is() {
        let refusal = |text: &str| Recipient::key(text).err();
        let identity = age::x25519::Identity::generate();
        let public = identity.to_public().to_string();
        let private = age::secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned();

        assert_eq!(refusal(&public), None);
        assert_eq!(refusal(&format!(" {public}\n")), None);
        for text in [
            private.as_str(),
            &private.to_lowercase(),
            &format!("# public key: {public}\n{private}"),
            "AGE-SECRET-KEY-PQ-1QQ",
            "AGE-PLUGIN-YUBIKEY-1QQ",
            "-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXktdjEA -----END OPENSSH PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----",
        ] {
            assert_eq!(refusal(text), Some(NotARecipient::PrivateKey), "{text}");
        }
        assert_eq!(refusal(&format!("age1pq1{}", "q".repeat(1950))), Some(NotARecipient::Hybrid));
        assert_eq!(
            refusal("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t"),
            Some(NotARecipient::Plugin)
        );
        for text in ["", "age1", &public[..40], "age1tag1qq", "ssh-dss AAAA", "ada@example.org"] {
            assert_eq!(refusal(text), Some(NotARecipient::UnknownKey), "{text}");
        }
        let sentences =
            [NotARecipient::PrivateKey, NotARecipient::Hybrid, NotARecipient::Plugin, NotARecipient::UnknownKey];
        assert!(sentences.iter().all(|fault| fault.sentence().ends_with('.')));
    }
}
