//! A client for one relay (RFC 5321): sends mails over one connection, says at which step one failed, and can show every
//! line of the dialogue. The libraries that we know do neither.

mod failure;
mod trust;

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

pub use failure::{Cause, DeliveryError, MailFailure, Stage};
pub(super) use trust::Trust;

use crate::base::seconds;
use crate::config::{Relay, RelayCredentials, RelayTls};

/// The longest wait for a connection, and for an answer, in seconds.
const ANSWER_SECONDS: u64 = 20;
/// The longest wait for the answer to the whole mail, which many relays check before they answer, in seconds.
const DATA_SECONDS: u64 = 60;
/// The longest line of an answer in bytes, and the most lines. RFC 5321 §4.5.3.1.5 has 512 bytes.
const LINE_BYTES_MAX: u64 = 4096;
const LINES_MAX: usize = 100;

/// A line of the dialogue. Secrets are replaced by a word.
#[derive(Clone, Copy, Debug)]
pub enum DialogueLine<'l> {
    /// Sent to the relay.
    Sent(&'l str),
    /// Received from the relay.
    Received(&'l str),
    /// What happens below SMTP.
    Note(&'l str),
}

/// Is told each line of the dialogue.
pub type Listener = dyn Fn(DialogueLine<'_>) + Send + Sync;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection to a relay that takes mails.
pub(super) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    /// The keywords that the relay answered to EHLO, in upper case.
    extensions: Vec<String>,
    is_encrypted: bool,
    /// Why there is no TLS although the relay offers it. The relay is on this machine then.
    untrusted: Option<DeliveryError>,
    listener: Arc<Listener>,
}

/// An answer of the relay.
struct Reply {
    code: u16,
    /// The lines without the code.
    lines: Vec<String>,
}

type Step<T> = Result<T, DeliveryError>;

impl Connection {
    /// Connects, begins TLS as the settings say, and signs in. `hello`: the name of this machine for the relay.
    pub async fn open(relay: &Relay, hello: &str, listener: Arc<Listener>) -> Step<Self> {
        match Self::open_with(relay, relay.tls, hello, listener.clone()).await {
            Err(untrusted) if untrusted.failure.stage == Stage::Tls && relay.may_do_without_tls() => {
                listener(DialogueLine::Note(&format!(
                    "{} The relay is on this machine, so plain text is tried.",
                    untrusted.failure.sentence()
                )));
                let opened = Self::open_with(relay, RelayTls::Off, hello, listener).await;
                opened
                    .map(|connection| Self { untrusted: Some(untrusted.clone()), ..connection })
                    .map_err(|error| if error.failure.wants_tls() { untrusted } else { error })
            }
            opened => opened,
        }
    }

    async fn open_with(relay: &Relay, tls: RelayTls, hello: &str, listener: Arc<Listener>) -> Step<Self> {
        let stream: Box<dyn Stream> = Box::new(connect(relay, listener.as_ref()).await?);
        let mut connection = Self::new(stream, false, listener);
        if tls == RelayTls::Implicit {
            connection = connection.encrypt(relay).await?;
        }
        let greeting = connection.read_reply(Stage::Greeting, ANSWER_SECONDS).await?;
        greeting.require(220, Stage::Greeting)?;
        connection.hello(hello).await?;
        let is_offered = connection.has("STARTTLS");
        match tls {
            RelayTls::Required | RelayTls::Offered if is_offered => {
                connection.command("STARTTLS", Stage::Tls).await?.require(220, Stage::Tls)?;
                connection = connection.encrypt(relay).await?;
                // What was said before was not protected.
                connection.hello(hello).await?;
            }
            RelayTls::Required => {
                let detail = "the relay does not offer STARTTLS";
                return Err(DeliveryError::new(Stage::Tls, Cause::NoStarttls, detail));
            }
            RelayTls::Implicit | RelayTls::Offered | RelayTls::Off => {}
        }
        if let Some(credentials) = &relay.credentials {
            // The settings allow nothing else; here it is the last line of defence.
            if !connection.is_encrypted && !relay.is_local() {
                return Err(DeliveryError::new(Stage::Tls, Cause::NoStarttls, "no TLS, so no password is sent"));
            }
            connection.sign_in(credentials).await?;
        }
        Ok(connection)
    }

    async fn encrypt(self, relay: &Relay) -> Step<Self> {
        let broken = |cause, detail: String| DeliveryError::new(Stage::Tls, cause, detail);
        if !self.stream.buffer().is_empty() {
            // Somebody in between has put commands before TLS (CVE-2011-0411).
            return Err(broken(Cause::OtherTls, "the relay sent something before TLS began".to_owned()));
        }
        let ca_file = relay.ca_file.clone();
        let trust = crate::threads::spawn_blocking(move || Trust::load(ca_file.as_deref())).await;
        let trust = trust.map_err(|error| error.to_string()).flatten();
        let trust = trust.map_err(|fault| broken(Cause::NoAuthorities, fault))?;
        let name = ServerName::try_from(relay.host.clone())
            .map_err(|_| broken(Cause::WrongName, "the host is not a name that a certificate can have".to_owned()))?;
        let connector = TlsConnector::from(Arc::new(trust.config.clone()));
        let shaken = timeout(seconds(ANSWER_SECONDS), connector.connect(name, self.stream.into_inner())).await;
        for certificate in trust.describe_presented() {
            (self.listener)(DialogueLine::Note(&certificate));
        }
        let stream = match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(broken(trust::cause_of(&error), error.to_string())),
            Err(_) => return Err(broken(Cause::TooSlow, "the handshake took too long".to_owned())),
        };
        let session = stream.get_ref().1;
        let version = session.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
        let suite = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
        (self.listener)(DialogueLine::Note(&format!("{} {suite}", version.replace("TLSv1_", "TLS 1."))));
        let stream: Box<dyn Stream> = Box::new(stream);
        Ok(Self::new(stream, true, self.listener))
    }

    fn new(stream: Box<dyn Stream>, is_encrypted: bool, listener: Arc<Listener>) -> Self {
        Self { stream: BufReader::new(stream), extensions: Vec::new(), is_encrypted, untrusted: None, listener }
    }

    async fn hello(&mut self, name: &str) -> Step<()> {
        let reply = self.command(&format!("EHLO {name}"), Stage::Greeting).await?;
        if (500..600).contains(&reply.code) {
            // A relay from before 1995.
            return self.command(&format!("HELO {name}"), Stage::Greeting).await?.require(250, Stage::Greeting);
        }
        self.extensions = reply.lines.iter().skip(1).map(|line| line.to_ascii_uppercase()).collect();
        reply.require(250, Stage::Greeting)
    }

    fn has(&self, extension: &str) -> bool {
        self.extensions.iter().any(|line| line.split(' ').next() == Some(extension))
    }

    fn offers_sign_in(&self, mechanism: &str) -> bool {
        // Old relays write "AUTH=".
        let lines = self.extensions.iter().filter_map(|line| line.strip_prefix("AUTH "));
        let old = self.extensions.iter().filter_map(|line| line.strip_prefix("AUTH="));
        lines.chain(old).flat_map(|line| line.split([' ', '='])).any(|offered| offered == mechanism)
    }

    async fn sign_in(&mut self, credentials: &RelayCredentials) -> Step<()> {
        let (name, password) = (credentials.name.expose(), credentials.password.expose());
        let reply = if self.offers_sign_in("PLAIN") {
            let initial = zeroize::Zeroizing::new(STANDARD.encode(format!("\0{name}\0{password}")));
            self.secret_command("AUTH PLAIN ", &initial, "(name and password)").await?
        } else if self.offers_sign_in("LOGIN") {
            let ask = self.command("AUTH LOGIN", Stage::Auth).await?;
            ask.require(334, Stage::Auth)?;
            let ask = self.secret_command("", &STANDARD.encode(name), "(name)").await?;
            ask.require(334, Stage::Auth)?;
            let encoded = zeroize::Zeroizing::new(STANDARD.encode(password));
            self.secret_command("", &encoded, "(password)").await?
        } else {
            let detail = "the relay offers neither AUTH PLAIN nor AUTH LOGIN";
            return Err(DeliveryError::new(Stage::Auth, Cause::NoSignIn, detail));
        };
        reply.require(235, Stage::Auth)
    }

    /// Sends one mail. After an error, the connection takes another mail only if [`Connection::reset`] succeeds.
    pub async fn send(&mut self, from: &str, to: &str, message: &[u8]) -> Step<()> {
        let sent = self.send_without_tls_hint(from, to, message).await;
        sent.map_err(|error| self.untrusted.clone().filter(|_| error.failure.wants_tls()).unwrap_or(error))
    }

    async fn send_without_tls_hint(&mut self, from: &str, to: &str, message: &[u8]) -> Step<()> {
        self.command(&format!("MAIL FROM:<{from}>"), Stage::Sender).await?.require(250, Stage::Sender)?;
        let reply = self.command(&format!("RCPT TO:<{to}>"), Stage::Recipient).await?;
        if reply.code != 251 {
            reply.require(250, Stage::Recipient)?;
        }
        self.command("DATA", Stage::Data).await?.require(354, Stage::Data)?;
        (self.listener)(DialogueLine::Sent(&format!("(the mail, {} bytes)", message.len())));
        self.write(&escape_dots(message), Stage::Data).await?;
        self.read_reply(Stage::Data, DATA_SECONDS).await?.require(250, Stage::Data)
    }

    /// Forgets a mail that was refused. Returns whether the relay takes another one.
    pub async fn reset(&mut self) -> bool {
        self.command("RSET", Stage::Sender).await.is_ok_and(|reply| reply.code == 250)
    }

    /// Says good-bye. Nothing depends on the answer.
    pub async fn close(mut self) {
        let _ = timeout(seconds(2), self.command("QUIT", Stage::Data)).await;
    }

    async fn command(&mut self, line: &str, stage: Stage) -> Step<Reply> {
        (self.listener)(DialogueLine::Sent(line));
        self.write(format!("{line}\r\n").as_bytes(), stage).await?;
        self.read_reply(stage, ANSWER_SECONDS).await
    }

    /// Sends `line` and `secret`; the dialogue shows `instead` of the secret.
    async fn secret_command(&mut self, line: &str, secret: &str, instead: &str) -> Step<Reply> {
        (self.listener)(DialogueLine::Sent(&format!("{line}{instead}")));
        let whole = zeroize::Zeroizing::new(format!("{line}{secret}\r\n"));
        self.write(whole.as_bytes(), Stage::Auth).await?;
        self.read_reply(Stage::Auth, ANSWER_SECONDS).await
    }

    async fn write(&mut self, bytes: &[u8], stage: Stage) -> Step<()> {
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout(seconds(DATA_SECONDS), written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(DeliveryError::new(stage, cause_of_io(&error), error.to_string())),
            Err(_) => Err(DeliveryError::new(stage, Cause::TooSlow, "the relay does not read")),
        }
    }

    async fn read_reply(&mut self, stage: Stage, wait: u64) -> Step<Reply> {
        timeout(seconds(wait), self.read_lines(stage))
            .await
            .unwrap_or_else(|_| Err(DeliveryError::new(stage, Cause::TooSlow, "no answer in time")))
    }

    async fn read_lines(&mut self, stage: Stage) -> Step<Reply> {
        let mut reply = Reply { code: 0, lines: Vec::new() };
        while reply.lines.len() < LINES_MAX {
            let mut bytes = Vec::new();
            let read = (&mut self.stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).await;
            let failed = |error: std::io::Error| DeliveryError::new(stage, cause_of_io(&error), error.to_string());
            if read.map_err(failed)? == 0 {
                return Err(DeliveryError::new(stage, Cause::Closed, "the relay closed the connection"));
            }
            let line: String = String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).collect();
            (self.listener)(DialogueLine::Received(&line));
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok()).filter(|code| (200..600).contains(code));
            let is_last = !matches!(line.as_bytes().get(3), Some(b'-'));
            let Some(code) = code else {
                return Err(DeliveryError::new(stage, Cause::NotSmtp, "the answer is not SMTP"));
            };
            reply.code = code;
            reply.lines.push(line.get(4..).unwrap_or_default().to_owned());
            if is_last {
                return Ok(reply);
            }
        }
        Err(DeliveryError::new(stage, Cause::NotSmtp, "the answer has too many lines"))
    }
}

impl Reply {
    fn require(&self, code: u16, stage: Stage) -> Step<()> {
        if self.code == code { Ok(()) } else { Err(DeliveryError::answer(stage, self.code, &self.lines.join(" "))) }
    }
}

async fn connect(relay: &Relay, listener: &Listener) -> Step<TcpStream> {
    let broken = |cause, detail: &dyn std::fmt::Display| DeliveryError::new(Stage::Connect, cause, detail.to_string());
    let target = (relay.host.as_str(), relay.port);
    let resolved = timeout(seconds(ANSWER_SECONDS), tokio::net::lookup_host(target)).await;
    let addresses: Vec<SocketAddr> = match resolved {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(broken(Cause::UnknownHost, &error)),
        Err(_) => return Err(broken(Cause::UnknownHost, &"the name server did not answer in time")),
    };
    let mut last = broken(Cause::UnknownHost, &"the name has no address");
    for address in addresses {
        listener(DialogueLine::Note(&format!("connecting to {address}")));
        match timeout(seconds(ANSWER_SECONDS), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Each command is one packet, and its answer is waited for.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = broken(cause_of_io(&error), &error),
            Err(_) => last = broken(Cause::TooSlow, &"no connection in time"),
        }
    }
    Err(last)
}

fn cause_of_io(error: &std::io::Error) -> Cause {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => Cause::Refused,
        ErrorKind::TimedOut => Cause::TooSlow,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Cause::Closed,
        _ => Cause::Unreachable,
    }
}

/// The lines of a mail for DATA (RFC 5321 §4.5.2): a line that begins with a dot gets another one, every line ends with
/// CR LF, and a single dot ends the mail.
fn escape_dots(message: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(message.len() + 64);
    let text = message.strip_suffix(b"\n").unwrap_or(message);
    for line in text.split(|byte| *byte == b'\n') {
        if line.first() == Some(&b'.') {
            escaped.push(b'.');
        }
        // A CR inside a line could end the mail early for a relay that takes it for a line end.
        escaped.extend(line.iter().filter(|byte| **byte != b'\r'));
        escaped.extend_from_slice(b"\r\n");
    }
    escaped.extend_from_slice(b".\r\n");
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape_dots;

    #[test]
    fn no_line_of_a_mail_ends_it() {
        for (mail, sent) in [
            (&b"a\r\nb\r\n"[..], &b"a\r\nb\r\n.\r\n"[..]),
            (b"a\r\n.\r\nRCPT TO:<x>", b"a\r\n..\r\nRCPT TO:<x>\r\n.\r\n"),
            (b"a\n.\nb\r.\rc\n", b"a\r\n..\r\nb.c\r\n.\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b"", b"\r\n.\r\n"),
        ] {
            assert_eq!(escape_dots(mail), sent, "{:?}", String::from_utf8_lossy(mail));
        }
    }
}
