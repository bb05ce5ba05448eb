//! Checks the dialogue with the mail relay, without sending a mail.

use super::Check;
use crate::config::{Config, MailTransport};
use crate::outbound::Transport;

const NAME: &str = "mail";

pub(super) fn check(config: &Config) -> Check {
    match &config.mail.transport {
        MailTransport::Log => Check::warning(
            NAME,
            "no mail is sent (mail.transport = \"log\"), so people get no codes and notices",
            "Set [mail] transport = \"smtp\" and smtp_url.",
        ),
        MailTransport::Directory(folder) => match std::fs::metadata(folder) {
            Ok(_) => Check::ok(NAME, format!("mails are written to {}", folder.display())),
            // It is created with the first mail.
            Err(_) => Check::ok(NAME, format!("mails will be written to {}", folder.display())),
        },
        MailTransport::Smtp { .. } => ask_relay(config),
    }
}

fn ask_relay(config: &Config) -> Check {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Check::skipped(NAME, "calls cannot be made") };
    let transport = match Transport::new(config) {
        Ok(transport) => transport,
        Err(error) => return Check::failed(NAME, error.to_string(), "Correct [mail] in the settings."),
    };
    match runtime.block_on(transport.try_relay()) {
        Ok(()) => Check::ok(NAME, "the relay accepts us"),
        Err(error) => Check::failed(NAME, error.failure.sentence(), error.failure.cure()),
    }
}
