//! `[mail]`.

use std::path::PathBuf;
use std::str::FromStr;

use super::super::model::{Egress, Mail, MailTransport};
use super::super::raw::Origin;
use super::super::relay::Relay;
use super::Reader;
use crate::base::Secret;

impl Reader {
    pub(super) fn mail(&mut self, egress: &[Egress]) -> Mail {
        let from = self.text("mail.from");
        let url = self.secret("mail.smtp_url");
        let ca_file = self.text("mail.ca_file").map(|(path, _)| PathBuf::from(path));
        let directory = self.text("mail.directory");
        let transport = self.text("mail.transport").unwrap_or(("log".into(), Origin::Line(0)));
        let transport = match (transport.0.as_str(), url, directory) {
            ("log", _, _) => MailTransport::Log,
            ("directory", _, Some((folder, _))) => MailTransport::Directory(PathBuf::from(folder)),
            ("directory", _, None) => {
                self.fault(&transport.1, "mail.transport", "is \"directory\", so mail.directory must name the folder");
                MailTransport::Log
            }
            ("smtp", Some((url, at)), _) => self.relay(&url, &at, ca_file, egress),
            ("smtp", None, _) => {
                self.fault(
                    &transport.1,
                    "mail.transport",
                    "is \"smtp\", so mail.smtp_url or mail.smtp_url_file must name the relay",
                );
                MailTransport::Log
            }
            _ => {
                self.fault(&transport.1, "mail.transport", "must be \"smtp\", \"directory\" or \"log\"");
                MailTransport::Log
            }
        };
        let from = match from {
            Some((from, at)) => {
                if lettre::message::Mailbox::from_str(&from).is_err() {
                    self.fault(&at, "mail.from", "must be an address, for example \"Domicile <account@example.org>\"");
                }
                from
            }
            None => "Domicile <account@localhost>".to_owned(),
        };
        Mail { transport, from }
    }

    /// The relay must be declared, because only hosts in `[[egress]]` are called.
    fn relay(
        &mut self,
        url: &Secret<String>,
        at: &Origin,
        ca_file: Option<PathBuf>,
        egress: &[Egress],
    ) -> MailTransport {
        let relay = match Relay::parse(url, ca_file) {
            Ok(relay) => relay,
            Err(fault) => {
                self.fault(at, "mail.smtp_url", &fault);
                return MailTransport::Log;
            }
        };
        let host = &relay.host;
        let declared = egress.iter().any(|entry| entry.host == *host);
        if !declared && !relay.is_local() {
            let what = format!(
                "calls {host}, which is not declared. Add a table [[egress]] with host = \"{host}\", the region it is in, and purpose = \"mail\""
            );
            self.fault(at, "mail.smtp_url", &what);
        }
        MailTransport::Smtp(Box::new(relay))
    }
}
