//! Describes the settings for people, for `domicile check`.

use super::durations::write_duration;
use super::listen::Tls;
use super::model::{Config, FactorsRequired, MailTransport, OnExposure, Reveal, SignupMode};

impl Config {
    /// Describes each setting: its name and what it means.
    pub fn describe(&self) -> Vec<(&'static str, String)> {
        let addresses = self.listen.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let tls = match (&self.listen.tls, self.listen.behind_proxy) {
            (Tls::Off, true) => "off; a proxy in front terminates TLS".to_owned(),
            (Tls::Off, false) => "off; reachable from this machine only".to_owned(),
            (Tls::SelfSigned, _) => {
                "a self-signed certificate, kept in the data folder; browsers warn about it".to_owned()
            }
            (Tls::Files { certificate, .. }, _) => format!("from {}", certificate.display()),
        };
        let mail = match &self.mail.transport {
            MailTransport::Smtp(relay) => format!("over {}; from {}", relay.describe(), self.mail.from),
            MailTransport::Directory(folder) => format!("written to {}", folder.display()),
            MailTransport::Log => "not sent, only written to the log".to_owned(),
        };
        let egress = match self.egress.as_slice() {
            [] => "no calls to other machines".to_owned(),
            hosts => {
                hosts.iter().map(|host| format!("{} ({})", host.host, host.purpose)).collect::<Vec<_>>().join(", ")
            }
        };
        let signup = match self.signup.mode {
            SignupMode::Open => "open to everyone".to_owned(),
            SignupMode::Domains => format!("for addresses of {}", self.signup.domains.join(", ")),
            SignupMode::Invite => "by invitation only (domicile account invite)".to_owned(),
            SignupMode::Closed => "closed; accounts are created at the command line".to_owned(),
        };
        let passwords = format!(
            "at least {} characters, hashed with {} KiB in {} passes",
            self.passwords.min_length, self.passwords.memory_kib, self.passwords.passes
        );
        let sessions = format!(
            "end after {} without a request or {} in all, {} if remembered; step-up lasts {}",
            write_duration(self.session.idle_timeout),
            write_duration(self.session.absolute_timeout),
            write_duration(self.session.remember_for),
            write_duration(self.session.step_up_after)
        );
        let keys = format!(
            "start with {}_, are valid {}, are shown {}; a key found in public is {}",
            self.api_keys.prefix,
            self.api_keys
                .max_lifetime
                .map_or("as long as their owner chooses".to_owned(), |max| format!("at most {}", write_duration(max))),
            match self.api_keys.reveal {
                Reveal::Once => "once",
                Reveal::Owner => "to their owner again",
            },
            match self.api_keys.on_exposure {
                OnExposure::Quarantine => "quarantined",
                OnExposure::Revoke => "revoked",
                OnExposure::Notify => "only reported to its owner",
            }
        );
        let factors = match self.factors.required {
            FactorsRequired::Operators => "required for operators, optional for others",
            FactorsRequired::Everybody => "required for everyone",
        };
        let networks = self.listen.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let proxies = match (networks.as_str(), self.written.contains_key("listen.trusted_proxies")) {
            ("", _) => "none; the address of a visitor is the one of the connection".to_owned(),
            (networks, true) => format!("{networks}; they say which address a visitor has"),
            (networks, false) => {
                format!("{networks}, because of behind_proxy; set trusted_proxies if the proxy is on another machine")
            }
        };
        vec![
            ("Region", format!("{}; all data stays in it", self.region)),
            ("Public URL", self.public_url.clone()),
            ("Name", self.site.name.clone()),
            ("Listens on", addresses),
            (
                "Metrics",
                self.listen.metrics_address.map_or("off".to_owned(), |address| format!("http://{address}/metrics")),
            ),
            ("Log", format!("{} and more important, as {}", self.log.level.as_str(), self.log.format.as_str())),
            ("TLS", tls),
            ("Proxies", proxies),
            ("Data", self.data_dir.display().to_string()),
            ("Keyring", self.keyring.display().to_string()),
            ("Mail", mail),
            ("Egress", egress),
            ("Sign-up", signup),
            ("Sign-in", self.sign_in_methods()),
            ("Passwords", passwords),
            ("Sessions", sessions),
            ("Second factor", factors.to_owned()),
            (
                "Access tokens",
                format!(
                    "valid for {}; the signing key changes every {}",
                    write_duration(self.tokens.lifetime),
                    write_duration(self.tokens.rotate_every)
                ),
            ),
            ("API keys", keys),
            ("Snapshot", format!("every {}, if something changed", write_duration(self.snapshot.interval))),
            ("Signup credit", format!("{} {}", self.billing.signup_credit, self.billing.currency)),
            ("Prices", format!("{} defined", self.prices.len())),
            ("Plans", self.plans.iter().map(|plan| plan.name.as_str()).collect::<Vec<_>>().join(", ")),
        ]
    }

    fn sign_in_methods(&self) -> String {
        let describe = |provider: &super::Provider| match provider.trust_emails {
            true => format!("{} ({}; every address it names counts as verified)", provider.label, provider.issuer),
            false => format!("{} ({})", provider.label, provider.issuer),
        };
        let methods = std::iter::once("password".to_owned()).chain(self.oauth.iter().map(describe));
        methods.collect::<Vec<_>>().join(", ")
    }

    /// Settings that are allowed but probably not intended.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if matches!(self.mail.transport, MailTransport::Log) {
            warnings.push(
                "mail.transport is \"log\", so people get no codes or notices. Set it to \"smtp\" before people sign up."
                    .into(),
            );
        }
        for variable in &self.ignored {
            warnings.push(format!(
                "the variable {variable} is ignored: Kubernetes and Docker set it for a service of this name. In Kubernetes, enableServiceLinks: false avoids it."
            ));
        }
        if self.listen.behind_proxy && self.listen.trusted_proxies.is_empty() {
            warnings.push(
                "listen.trusted_proxies is empty although listen.behind_proxy is true, so all visitors count as one. Name the addresses of the proxy."
                    .into(),
            );
        }
        for provider in self.oauth.iter().filter(|provider| provider.trust_emails) {
            warnings.push(format!(
                "oauth.oidc.{}.trust_emails is true, so every address that {} names counts as verified. Keep it only if its admins alone set addresses.",
                provider.name, provider.label
            ));
        }
        if self.keyring.starts_with(&self.data_dir) {
            warnings.push(
                "keyring is inside data_dir, so a copy of the data would contain its keys. Put it elsewhere.".into(),
            );
        }
        if let Some(address) = self.listen.metrics_address.filter(|address| !address.ip().is_loopback()) {
            warnings.push(format!(
                "listen.metrics_address is {address}, so other machines can read the metrics, without a proof of identity. Let only Prometheus reach it, or use an address of this machine."
            ));
        }
        warnings
    }
}
