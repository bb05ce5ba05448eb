//! The log of the machine, for commands: the journal, or another program that reads `/dev/log`.

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;

use super::format::{Lines, Style};
use crate::base::SECURITY;

/// Where programs send what they log (syslog(3)).
const SOCKET: &str = "/dev/log";
/// The facility "authpriv", in the unit of a priority (RFC 5424, 6.2.1).
const FACILITY: u8 = 10 * 8;

/// The socket. Each event is one message.
#[derive(Clone)]
pub(super) struct Syslog(Arc<UnixDatagram>);

impl Syslog {
    /// `None`: nothing reads the log of this machine.
    pub(super) fn of_machine() -> Option<Self> {
        Self::at(Path::new(SOCKET))
    }

    fn at(path: &Path) -> Option<Self> {
        let socket = UnixDatagram::unbound().ok()?;
        // A command does not wait for a log that nobody reads.
        socket.set_nonblocking(true).ok()?;
        socket.connect(path).ok()?;
        Some(Self(Arc::new(socket)))
    }

    /// Sends security events only.
    pub(super) fn subscriber(self) -> impl Subscriber + Send + Sync {
        let lines = Lines { style: Style::Text, has_priority: true };
        let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(format!("{SECURITY}=info")));
        log.with_writer(move || self.clone()).with_ansi(false).event_format(lines).finish()
    }
}

impl Write for Syslog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        if let Some((priority, text)) = text.strip_prefix('<').and_then(|text| text.split_once('>')) {
            let priority = FACILITY + priority.parse::<u8>().unwrap_or_default();
            let message = format!("<{priority}>domicile[{}]: {}", std::process::id(), text.trim_end());
            // What was done is done, whether the log has it or not; the audit has it.
            let _ = self.0.send(message.as_bytes());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SecurityEvent;

    #[test]
    fn a_command_tells_the_log_of_the_machine_what_the_operator_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = UnixDatagram::bind(&path).unwrap();
        let event = SecurityEvent {
            name: "account.suspended",
            outcome: "success",
            actor: "operator",
            visitor: String::new(),
            account: "acc_1".into(),
            reason: "",
            request: String::new(),
        };

        tracing::subscriber::with_default(Syslog::at(&path).unwrap().subscriber(), || {
            tracing::error!("Something else.");
            event.log();
        });

        let mut message = [0; 512];
        let length = log.recv(&mut message).unwrap();
        let message = String::from_utf8_lossy(&message[..length]).into_owned();
        let id = std::process::id();
        assert_eq!(
            message,
            format!(
                "<85>domicile[{id}]: Security. event=account.suspended outcome=success visitor=\"\" actor=operator account=acc_1 reason=\"\" request=\"\""
            )
        );
    }
}
