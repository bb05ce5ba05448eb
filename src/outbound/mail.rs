//! The transport for e-mail: SMTP, a folder, or the log.

use std::path::{Path, PathBuf};

use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::{AsyncTransport, Message, Tokio1Executor};

use crate::base::{EmailAddress, seconds};
use crate::config::{Config, MailTransport};

/// The maximum duration of a delivery in seconds. A slower relay is treated as unavailable.
const SMTP_TIMEOUT_SECONDS: u64 = 20;

/// The transport that the configuration selects.
pub struct Transport {
    from: Mailbox,
    message_id_domain: String,
    backend: Backend,
}

enum Backend {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Directory(PathBuf),
    Log,
}

/// An e-mail with everything that the transport needs.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The id of the e-mail. The Message-ID contains it, so that a repeated delivery can be recognised.
    pub id: String,
    /// The address of the recipient.
    pub recipient: EmailAddress,
    /// The subject, one line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The same body as HTML.
    pub html: String,
}

/// Why an e-mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// `from` or `smtp_url` in `[mail]` cannot be used.
    #[error("the mail settings cannot be used: {0}")]
    Settings(String),
    /// The relay refused the e-mail permanently (5xx). Trying again would not help.
    #[error("the mail relay refused: {0}")]
    Refused(String),
    /// The relay is unavailable or refused the e-mail temporarily (4xx).
    #[error("the mail could not be sent: {0}")]
    Later(String),
}

impl TransportError {
    /// The kind of error in one word, without any text of the relay.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Settings(_) => "settings",
            Self::Refused(_) => "refused",
            Self::Later(_) => "later",
        }
    }
}

impl Transport {
    /// The transport that the configuration selects. It does not connect yet.
    ///
    /// # Errors
    /// [`TransportError::Settings`].
    pub fn new(config: &Config) -> Result<Self, TransportError> {
        let settings = |error: &dyn std::fmt::Display| TransportError::Settings(error.to_string());
        let from: Mailbox = config.mail.from.parse().map_err(|error| settings(&error))?;
        let message_id_domain = from.email.domain().to_owned();
        let backend = match &config.mail.transport {
            MailTransport::Smtp { url } => Backend::Smtp(
                AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose())
                    .map_err(|error| settings(&error))?
                    .timeout(Some(seconds(SMTP_TIMEOUT_SECONDS)))
                    .build(),
            ),
            MailTransport::Directory(folder) => Backend::Directory(folder.clone()),
            MailTransport::Log => Backend::Log,
        };
        Ok(Self { from, message_id_domain, backend })
    }

    /// Sends an e-mail.
    ///
    /// # Errors
    /// [`TransportError::Refused`] if it failed permanently, [`TransportError::Later`] if it should be tried again.
    pub async fn send(&self, mail: &Envelope) -> Result<(), TransportError> {
        let message = self.compose(mail)?;
        match &self.backend {
            Backend::Smtp(relay) => match relay.send(message).await {
                Ok(_) => Ok(()),
                Err(error) if error.is_permanent() => Err(TransportError::Refused(error.to_string())),
                Err(error) => Err(TransportError::Later(error.to_string())),
            },
            Backend::Directory(folder) => write_atomically(folder, &format!("{}.eml", mail.id), &message.formatted())
                .map_err(|error| TransportError::Later(format!("{}: {error}", folder.display()))),
            Backend::Log => {
                // The content may have a code, a link or a name, which must not be in a log.
                tracing::info!(mail = %mail.id, "An e-mail was not sent, because mail.transport is \"log\".");
                Ok(())
            }
        }
    }

    fn compose(&self, mail: &Envelope) -> Result<Message, TransportError> {
        let unusable = |error: &dyn std::fmt::Display| TransportError::Refused(error.to_string());
        let recipient: Mailbox = mail.recipient.as_str().parse().map_err(|error| unusable(&error))?;
        Message::builder()
            .from(self.from.clone())
            .to(recipient)
            .subject(&mail.subject)
            .message_id(Some(format!("<{}@{}>", mail.id, self.message_id_domain)))
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map_err(|error| unusable(&error))
    }
}

/// Writes a temporary file and renames it, so that a program that watches the folder never sees half an e-mail.
fn write_atomically(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!(".{name}"));
    std::fs::write(&unfinished, bytes)?;
    std::fs::rename(unfinished, folder.join(name))
}
