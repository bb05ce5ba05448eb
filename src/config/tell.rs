//! Says what the settings mean, for `domicile check`.

use super::durations::write_duration;
use super::model::{Config, FactorsRequired, MailTransport, OnExposure, Reveal, SignupMode, Tls};

impl Config {
    /// What the settings mean, a name and a sentence each.
    pub fn meaning(&self) -> Vec<(&'static str, String)> {
        let addresses = self.listen.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let tls = match (&self.listen.tls, self.listen.behind_proxy) {
            (Tls::Off, true) => "off; a proxy in front ends TLS".to_owned(),
            (Tls::Off, false) => "off; reachable from this machine only".to_owned(),
            (Tls::SelfSigned, _) => "a certificate of its own, which browsers warn about".to_owned(),
            (Tls::Files { certificate, .. }, _) => format!("from {}", certificate.display()),
        };
        let mail = match &self.mail.transport {
            MailTransport::Smtp { .. } => format!("over SMTP, from {}", self.mail.from),
            MailTransport::Directory(folder) => format!("written to {}", folder.display()),
            MailTransport::Log => "not sent, only logged".to_owned(),
        };
        let egress = match self.egress.as_slice() {
            [] => "nothing outside this machine is called".to_owned(),
            lines => {
                lines.iter().map(|line| format!("{} ({})", line.host, line.purpose)).collect::<Vec<_>>().join(", ")
            }
        };
        let signup = match self.signup.mode {
            SignupMode::Open => "open to everybody".to_owned(),
            SignupMode::Domains => format!("for addresses of {}", self.signup.domains.join(", ")),
            SignupMode::Invite => "by invitation; domicile account invite".to_owned(),
            SignupMode::Closed => "closed; accounts are made at the command line".to_owned(),
        };
        let passwords = format!(
            "{} characters or more, hashed with {} KiB in {} passes",
            self.passwords.min_length, self.passwords.memory_kib, self.passwords.passes
        );
        let sessions = format!(
            "end after {} idle or {} in all, {} when remembered; a proof is good for {}",
            write_duration(self.session.idle_timeout),
            write_duration(self.session.absolute_timeout),
            write_duration(self.session.remember_for),
            write_duration(self.session.step_up_after)
        );
        let keys = format!(
            "start with {}_, live {}, are shown {}; one that was found in public is {}",
            self.api_keys.prefix,
            self.api_keys
                .max_lifetime
                .map_or("as long as their owner says".to_owned(), |max| format!("at most {}", write_duration(max))),
            match self.api_keys.reveal {
                Reveal::Once => "once",
                Reveal::Owner => "to their owner again",
            },
            match self.api_keys.on_exposure {
                OnExposure::Quarantine => "put into quarantine",
                OnExposure::Revoke => "revoked",
                OnExposure::Notify => "only reported to its owner",
            }
        );
        let factors = match self.factors.required {
            FactorsRequired::Operators => "required of operators, offered to everybody",
            FactorsRequired::Everybody => "required of everybody",
        };
        vec![
            ("Region", format!("{}; all data stays in it", self.region)),
            ("Public URL", self.public_url.clone()),
            ("Listens on", addresses),
            ("TLS", tls),
            ("Data", self.data_dir.display().to_string()),
            ("Keyring", self.keyring.display().to_string()),
            ("Mail", mail),
            ("Egress", egress),
            ("Sign-up", signup),
            ("Sign-in", self.ways_in()),
            ("Passwords", passwords),
            ("Sessions", sessions),
            ("Second factor", factors.to_owned()),
            (
                "Access tokens",
                format!(
                    "live {}; the signing key changes every {}",
                    write_duration(self.tokens.life),
                    write_duration(self.tokens.rotate_every)
                ),
            ),
            ("API keys", keys),
            ("Snapshot", format!("every {} when something changed", write_duration(self.snapshot.interval))),
            ("Signup credit", format!("{} {}", self.billing.signup_credit, self.billing.currency)),
            ("Prices", format!("{} of them", self.prices.len())),
        ]
    }

    fn ways_in(&self) -> String {
        let at = |provider: &super::Provider| format!("{} ({})", provider.label, provider.issuer);
        let ways = std::iter::once("password".to_owned()).chain(self.oauth.iter().map(at));
        ways.collect::<Vec<_>>().join(", ")
    }

    /// What is allowed and still worth a second look.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if matches!(self.mail.transport, MailTransport::Log) {
            warnings.push(
                "mail.transport is \"log\": nobody gets codes or notices. Set it to \"smtp\" before people sign up."
                    .into(),
            );
        }
        if self.keyring.starts_with(&self.data_dir) {
            warnings.push(
                "keyring is inside data_dir: a copy of the data would carry its keys along. Keep it elsewhere.".into(),
            );
        }
        warnings
    }
}
