//! The way out for mail: SMTP, a folder, or the log.

use std::path::{Path, PathBuf};

use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::{AsyncTransport, Message, Tokio1Executor};

use crate::base::{EmailAddress, seconds};
use crate::config::{Config, MailTransport};

/// How long one delivery may take; a relay that is slower is treated as down.
const SMTP_TIMEOUT_SECONDS: u64 = 20;

/// The way out, chosen by the configuration.
pub struct Transport {
    from: Mailbox,
    message_id_domain: String,
    way: Way,
}

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Directory(PathBuf),
    Log,
}

/// A mail as it leaves.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Also the Message-ID: a repeated delivery is recognisable.
    pub id: String,
    /// To whom.
    pub recipient: EmailAddress,
    /// One line.
    pub subject: String,
    /// The message as text.
    pub text: String,
    /// The same message as HTML.
    pub html: String,
}

/// Why a mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// `from` or `smtp_url` in `[mail]` cannot be used.
    #[error("the mail settings cannot be used: {0}")]
    Settings(String),
    /// The relay said no for good (5xx): trying again would not help.
    #[error("the mail relay refused: {0}")]
    Refused(String),
    /// The relay is away or said "later".
    #[error("the mail could not be sent: {0}")]
    Later(String),
}

impl TransportError {
    /// In a word, without anything that a relay said.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Settings(_) => "settings",
            Self::Refused(_) => "refused",
            Self::Later(_) => "later",
        }
    }
}

impl Transport {
    /// The transport of the configuration. Opens no connection.
    ///
    /// # Errors
    /// [`TransportError::Settings`].
    pub fn new(config: &Config) -> Result<Self, TransportError> {
        let settings = |error: &dyn std::fmt::Display| TransportError::Settings(error.to_string());
        let from: Mailbox = config.mail.from.parse().map_err(|error| settings(&error))?;
        let message_id_domain = from.email.domain().to_owned();
        let way = match &config.mail.transport {
            MailTransport::Smtp { url } => Way::Smtp(
                AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose())
                    .map_err(|error| settings(&error))?
                    .timeout(Some(seconds(SMTP_TIMEOUT_SECONDS)))
                    .build(),
            ),
            MailTransport::Directory(folder) => Way::Directory(folder.clone()),
            MailTransport::Log => Way::Log,
        };
        Ok(Self { from, message_id_domain, way })
    }

    /// Sends one mail.
    ///
    /// # Errors
    /// [`TransportError::Refused`] for good, [`TransportError::Later`] for another try.
    pub async fn send(&self, mail: &Envelope) -> Result<(), TransportError> {
        let message = self.compose(mail)?;
        match &self.way {
            Way::Smtp(relay) => match relay.send(message).await {
                Ok(_) => Ok(()),
                Err(error) if error.is_permanent() => Err(TransportError::Refused(error.to_string())),
                Err(error) => Err(TransportError::Later(error.to_string())),
            },
            Way::Directory(folder) => write_whole(folder, &format!("{}.eml", mail.id), &message.formatted())
                .map_err(|error| TransportError::Later(format!("{}: {error}", folder.display()))),
            Way::Log => {
                // What it says may be a code, a link or a name, which a log must not hold.
                tracing::info!(mail = %mail.id, "A mail would be sent; mail.transport is \"log\".");
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

/// Writes beside and renames, so that whoever watches the folder never sees half a mail.
fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!(".{name}"));
    std::fs::write(&unfinished, bytes)?;
    std::fs::rename(unfinished, folder.join(name))
}
