//! The transport for e-mail: SMTP, a folder, or the log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lettre::Message;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use tokio::time::timeout;

use super::smtp::{Cause, Connection, DeliveryError, DialogueLine, Listener, MailFailure, Stage, Trust};
use crate::base::{EmailAddress, seconds};
use crate::config::{Config, MailTransport, Relay};

/// The longest time for one mail with its connection, in seconds. It is shorter than the claim of the outbox, so that no
/// other process sends the mail meanwhile.
const MAIL_SECONDS_MAX: u64 = 100;

/// The transport that the configuration selects.
pub struct Transport {
    from: Mailbox,
    message_id_domain: String,
    /// The name of this machine for the relay (RFC 5321 §4.1.1.1).
    hello: String,
    backend: Backend,
}

enum Backend {
    Smtp(Box<Relay>),
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

/// `from` or `ca_file` in `[mail]` cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the mail settings cannot be used: {0}")]
pub struct TransportError(String);

/// Says to other programs that no person has written the mail, so that none answers it (RFC 3834 §5).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Transport {
    /// The transport that the configuration selects. It does not connect yet.
    ///
    /// # Errors
    /// [`TransportError`].
    pub fn new(config: &Config) -> Result<Self, TransportError> {
        let from: Mailbox = config
            .mail
            .from
            .parse()
            .map_err(|error: lettre::address::AddressError| TransportError(error.to_string()))?;
        let message_id_domain = from.email.domain().to_owned();
        let backend = match &config.mail.transport {
            MailTransport::Smtp(relay) => {
                if relay.ca_file.is_some() {
                    Trust::load(relay.ca_file.as_deref()).map_err(TransportError)?;
                }
                Backend::Smtp(relay.clone())
            }
            MailTransport::Directory(folder) => Backend::Directory(folder.clone()),
            MailTransport::Log => Backend::Log,
        };
        Ok(Self { from, message_id_domain, hello: hello_name(&config.public_url), backend })
    }

    /// Connects to the relay, signs in and leaves, without a mail. Other transports have nothing to try.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn try_relay(&self) -> Result<(), DeliveryError> {
        if let Backend::Smtp(relay) = &self.backend {
            Connection::open(relay, &self.hello, Arc::new(|_| ())).await?.close().await;
        }
        Ok(())
    }

    /// Sends mails one after the other, over one connection that is opened for the first. `listener` is told each line of
    /// the dialogue.
    pub fn delivery(&self, listener: Arc<Listener>) -> Delivery<'_> {
        Delivery { transport: self, connection: None, listener }
    }

    fn compose(&self, mail: &Envelope) -> Result<Vec<u8>, DeliveryError> {
        let unusable =
            |error: &dyn std::fmt::Display| DeliveryError::new(Stage::Recipient, Cause::Unusable, error.to_string());
        let recipient: Mailbox = mail.recipient.as_str().parse().map_err(|error| unusable(&error))?;
        Message::builder()
            .from(self.from.clone())
            .to(recipient)
            .subject(&mail.subject)
            .message_id(Some(format!("<{}@{}>", mail.id, self.message_id_domain)))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map(|message| message.formatted())
            .map_err(|error| unusable(&error))
    }
}

/// The sending of several mails.
pub struct Delivery<'t> {
    transport: &'t Transport,
    /// `None`: not yet, or not any more.
    connection: Option<Connection>,
    listener: Arc<Listener>,
}

impl Delivery<'_> {
    /// Sends an e-mail.
    ///
    /// # Errors
    /// [`DeliveryError`]. Another mail may be sent afterwards.
    pub async fn send(&mut self, mail: &Envelope) -> Result<(), DeliveryError> {
        let message = self.transport.compose(mail)?;
        match &self.transport.backend {
            Backend::Smtp(relay) => timeout(seconds(MAIL_SECONDS_MAX), self.send_to(relay, &mail.recipient, &message))
                .await
                .unwrap_or_else(|_| {
                    self.connection = None;
                    Err(DeliveryError::new(Stage::Data, Cause::TooSlow, "the whole mail took too long"))
                }),
            Backend::Directory(folder) => {
                let file = format!("{}.eml", mail.id);
                (self.listener)(DialogueLine::Note(&format!("writing {}", folder.join(&file).display())));
                write_atomically(folder, &file, &message).map_err(|error| {
                    let detail = format!("{}: {error}", folder.display());
                    DeliveryError::new(Stage::Folder, Cause::File, detail)
                })
            }
            Backend::Log => {
                // The content may have a code, a link or a name, which must not be in a log.
                tracing::info!(mail = %mail.id, "An e-mail was not sent, because mail.transport is \"log\".");
                Ok(())
            }
        }
    }

    async fn send_to(&mut self, relay: &Relay, recipient: &EmailAddress, message: &[u8]) -> Result<(), DeliveryError> {
        let was_open = self.connection.is_some();
        let sent = self.try_send(relay, recipient, message).await;
        match sent {
            // A relay may take only some mails over one connection.
            Err(error) if was_open && error.failure.is_about_relay() => self.try_send(relay, recipient, message).await,
            sent => sent,
        }
    }

    async fn try_send(&mut self, relay: &Relay, recipient: &EmailAddress, message: &[u8]) -> Result<(), DeliveryError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(relay, &self.transport.hello, self.listener.clone()).await?,
        };
        let from: &str = self.transport.from.email.as_ref();
        let sent = connection.send(from, recipient.as_str(), message).await;
        let is_usable = match &sent {
            Ok(()) => true,
            Err(DeliveryError { failure: MailFailure { code: Some(_), .. }, .. }) => connection.reset().await,
            Err(_) => false,
        };
        if is_usable {
            self.connection = Some(connection);
        }
        sent
    }

    /// Ends the connection in order.
    pub async fn end(self) {
        if let Some(connection) = self.connection {
            connection.close().await;
        }
    }
}

/// The host of `public_url`, which is a name that others can resolve, unlike the host name of many machines.
fn hello_name(public_url: &str) -> String {
    let host = url::Url::parse(public_url).ok().and_then(|url| url.host().map(|host| host.to_owned()));
    match host {
        Some(url::Host::Domain(name)) => name,
        Some(url::Host::Ipv4(address)) => format!("[{address}]"),
        Some(url::Host::Ipv6(address)) => format!("[IPv6:{address}]"),
        None => "localhost".to_owned(),
    }
}

/// Writes a temporary file and renames it, so that a program that watches the folder never sees half an e-mail.
fn write_atomically(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!(".{name}"));
    std::fs::write(&unfinished, bytes)?;
    std::fs::rename(unfinished, folder.join(name))
}
