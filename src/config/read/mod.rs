//! Interprets the settings as written.

mod listen;
mod mail;
mod oauth;
mod plans;
mod prices;
mod site;
mod values;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::ConfigError;
use super::model::{
    ApiKeys, Billing, Config, Egress, Factors, FactorsRequired, ForwardAuth, Log, LogFormat, LogLevel, OnExposure,
    Passwords, Privacy, Reveal, Session, Sibling, Signup, SignupMode, Snapshot, Tokens, is_key_prefix,
};
use super::raw::{Origin, Raw};
use super::syntax::{ascii_host, ascii_origin, check_origin, is_short_name};
use crate::base::{Credits, ScopeTable, ascii_domain, days, hours, minutes};

/// NIST SP 800-63B-4 §3.1.1.2: a password that is the only factor has 15 characters or more.
const PASSWORD_MIN: i64 = 15;
/// The same, if a second factor is required.
const PASSWORD_MIN_WITH_FACTOR: i64 = 8;

/// An access token is valid for at most 15 minutes, because services that verify it offline do not ask again.
const TOKEN_LIFETIME: (Duration, Duration, &str) =
    (minutes(1), minutes(15), "must be 1 to 15 minutes, for example \"5m\"");
/// A proof older than an hour says nothing about who uses the browser now.
const STEP_UP_BOUNDS: (Duration, Duration, &str) =
    (minutes(2), minutes(60), "must be 2 to 60 minutes, for example \"10m\"");
/// The next signing key is published a day before it signs, so each key signs for at least two days.
const ROTATION: (Duration, Duration, &str) = (days(2), days(730), "must be 2 to 730 days, for example \"90d\"");
/// The minimum that OWASP recommends for Argon2id is 19 MiB and two passes. The maximum limits memory (two hashes are
/// made at once) and the time that people wait.
const HASH_MEMORY_KIB: [u32; 2] = [19 * 1024, 1024 * 1024];
const HASH_PASSES: [u32; 2] = [2, 16];

/// Reads the raw settings, and records every fault instead of stopping at the first.
struct Reader {
    raw: Raw,
    known: Vec<String>,
    faults: Vec<String>,
}

pub(super) fn config(raw: Raw) -> Result<Config, ConfigError> {
    let written = raw.digests();
    let mut reader = Reader { raw, known: Vec::new(), faults: Vec::new() };
    let config = reader.config();
    reader.refuse_unknown();
    match (config, reader.faults.is_empty()) {
        (Some(config), true) => Ok(Config { written, ..config }),
        (_, _) => Err(ConfigError { faults: reader.faults }),
    }
}

impl Reader {
    fn config(&mut self) -> Option<Config> {
        let region = self.region();
        let public_url = self.public_url();
        let data_dir = PathBuf::from(self.text("data_dir").map_or("/var/lib/domicile".into(), |(text, _)| text));
        let keyring = PathBuf::from(self.text("keyring").map_or("/etc/domicile/keyring".into(), |(text, _)| text));
        let listen = self.listen();
        let log = self.log();
        let signup = self.signup();
        let session = self.session();
        let egress = self.egress(region.as_deref().unwrap_or_default());
        let mail = self.mail(&egress);
        let api_keys = self.api_keys();
        let billing = self.billing();
        let regions = self.siblings();
        let forward_auth = self.forward_auth();
        let snapshot = Snapshot { interval: self.duration("snapshot.interval", minutes(5)) };
        let prices = self.prices();
        let plans = self.plans();
        let scopes = self.scopes();
        let privacy = Privacy { export_keep: self.duration("privacy.export_keep", days(7)) };
        let tokens = self.tokens();
        let factors = self.factors();
        let passwords = self.passwords(factors);
        let oauth = self.oauth(&egress);
        let site = self.site();
        Some(Config {
            region: region?,
            public_url: public_url?,
            data_dir,
            keyring,
            listen,
            log,
            signup,
            session,
            mail,
            api_keys,
            billing,
            regions,
            egress,
            forward_auth,
            snapshot,
            prices,
            plans,
            scopes,
            privacy,
            passwords,
            tokens,
            oauth,
            factors,
            site,
            ignored: std::mem::take(&mut self.raw.ignored),
            demo: false,
            written: BTreeMap::new(),
        })
    }

    fn region(&mut self) -> Option<String> {
        let Some((region, at)) = self.text("region") else {
            self.missing("region", "the region in which all data stays, for example region = \"eu\"");
            return None;
        };
        if !is_short_name(&region) {
            self.fault(
                &at,
                "region",
                "must be 1 to 32 characters of a-z, 0-9 and hyphens, beginning with a letter, for example \"eu\"",
            );
        }
        Some(region)
    }

    fn public_url(&mut self) -> Option<String> {
        let Some((url, at)) = self.text("public_url") else {
            self.missing(
                "public_url",
                "the address that people type, for example public_url = \"https://account.example.org\"",
            );
            return None;
        };
        let url = url.trim_end_matches('/');
        match check_origin(url).and_then(|()| ascii_origin(url)) {
            Ok(url) => Some(url),
            Err(why) => {
                self.fault(&at, "public_url", why);
                None
            }
        }
    }

    fn log(&mut self) -> Log {
        let level = [LogLevel::Info, LogLevel::Error, LogLevel::Warn, LogLevel::Debug];
        Log {
            level: self.choice("log.level", &level.map(|level| (level.as_str(), level))),
            format: self.choice("log.format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]),
        }
    }

    fn signup(&mut self) -> Signup {
        let domains: Vec<(String, Origin)> = self.list("signup.domains").unwrap_or_default();
        let mode = match self.text("signup.mode") {
            None => SignupMode::Open,
            Some((mode, at)) => match mode.as_str() {
                "open" => SignupMode::Open,
                "domains" => SignupMode::Domains,
                "closed" => SignupMode::Closed,
                "invite" => SignupMode::Invite,
                _ => {
                    self.fault(&at, "signup.mode", "must be \"open\", \"domains\", \"invite\" or \"closed\"");
                    SignupMode::Closed
                }
            },
        };
        if mode == SignupMode::Domains && domains.is_empty() {
            self.faults.push(format!(
                "{}: signup.mode is \"domains\", so signup.domains must contain at least one domain.",
                self.raw.name
            ));
        }
        let mut folded = Vec::new();
        for (domain, at) in domains {
            match ascii_domain(&domain) {
                Some(ascii) => folded.push(ascii.to_ascii_lowercase()),
                None => self.fault(&at, "signup.domains", "must be domains such as \"example.org\""),
            }
        }
        Signup { mode, domains: folded }
    }

    fn session(&mut self) -> Session {
        Session {
            idle_timeout: self.duration("session.idle_timeout", minutes(30)),
            absolute_timeout: self.duration("session.absolute_timeout", hours(12)),
            remember_for: self.duration("session.remember_for", days(30)),
            step_up_after: self.duration_within("session.step_up_after", STEP_UP_BOUNDS, minutes(10)),
        }
    }

    fn api_keys(&mut self) -> ApiKeys {
        let prefix = match self.text("api_keys.prefix") {
            None => "dok".to_owned(),
            Some((prefix, at)) => {
                if !is_key_prefix(&prefix) {
                    self.fault(
                        &at,
                        "api_keys.prefix",
                        "must be 2 to 8 characters of a-z and 0-9, beginning with a letter, and not \"dos\", which services use",
                    );
                }
                prefix
            }
        };
        let reveal = self.choice("api_keys.reveal", &[("once", Reveal::Once), ("owner", Reveal::Owner)]);
        let on_exposure = self.choice(
            "api_keys.on_exposure",
            &[("quarantine", OnExposure::Quarantine), ("revoke", OnExposure::Revoke), ("notify", OnExposure::Notify)],
        );
        let max_lifetime = self.optional_duration("api_keys.max_lifetime");
        let rate = self.number("api_keys.rate_per_minute", 1, 1_000_000).and_then(|rate| u32::try_from(rate).ok());
        ApiKeys { prefix, max_lifetime, reveal, on_exposure, rate_per_minute: rate }
    }

    fn billing(&mut self) -> Billing {
        let currency = match self.text("billing.currency") {
            None => "usd".to_owned(),
            Some((currency, at)) => {
                if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_lowercase()) {
                    self.fault(
                        &at,
                        "billing.currency",
                        "must be three lower-case letters (ISO 4217), for example \"eur\"",
                    );
                }
                currency
            }
        };
        match self.text("billing.provider") {
            Some((provider, at)) if provider == "manual" || provider == "stripe" => {
                self.unsupported(&at, "billing.provider", &format!("\"{provider}\""));
            }
            Some((provider, at)) if provider != "none" => self.fault(&at, "billing.provider", "must be \"none\""),
            _ => {}
        }
        let signup_credit = self.credits("billing.signup_credit").unwrap_or(Credits::whole(5));
        let paid_credit_expires = self.boolean("billing.paid_credit_expires");
        let low_balance = self.credits("billing.low_balance").unwrap_or(Credits::whole(2));
        Billing { currency, signup_credit, low_balance, paid_credit_expires }
    }

    /// By default, gateways on this machine may ask.
    fn forward_auth(&mut self) -> ForwardAuth {
        let is_set = self.raw.settings.contains_key("forward_auth.allow");
        let networks = self.networks("forward_auth.allow");
        let loopback =
            || [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)].map(IpNet::from).to_vec();
        ForwardAuth { allow: if is_set { networks } else { loopback() } }
    }

    fn siblings(&mut self) -> Vec<Sibling> {
        self.entries("regions", &["name", "label", "url"])
            .into_iter()
            .filter_map(|(at, [name, label, url])| {
                let url = url.trim_end_matches('/');
                match check_origin(url).and_then(|()| ascii_origin(url)) {
                    Ok(url) => Some(Sibling { name, label, url }),
                    Err(why) => {
                        self.fault(&at, "regions.url", why);
                        None
                    }
                }
            })
            .collect()
    }

    fn egress(&mut self, own: &str) -> Vec<Egress> {
        self.entries("egress", &["host", "region", "purpose"])
            .into_iter()
            .filter_map(|(at, [host, region, purpose])| {
                if region != own {
                    let what = format!("is \"{region}\", but this appliance is in \"{own}\", so data would leave its region. Use a host in \"{own}\"");
                    self.fault(&at, "egress.region", &what);
                    return None;
                }
                Some(Egress { host: ascii_host(&host), region, purpose })
            })
            .collect()
    }

    fn scopes(&mut self) -> ScopeTable {
        let custom = self.entries("scopes", &["name", "description"]);
        let at = custom.first().map_or(Origin::Line(0), |(at, _)| at.clone());
        let named: Vec<(String, String)> =
            custom.into_iter().map(|(_, [name, description])| (name, description)).collect();
        ScopeTable::new(&named).unwrap_or_else(|why| {
            self.fault(&at, "scopes", &why);
            // Without scopes of the site the table is always valid. The fault above prevents the start.
            ScopeTable::new(&[]).unwrap_or_else(|_| unreachable!("the built-in scopes do not clash"))
        })
    }

    fn tokens(&mut self) -> Tokens {
        let lifetime = self.duration_within("tokens.life", TOKEN_LIFETIME, minutes(5));
        let rotate_every = self.duration_within("tokens.rotate_every", ROTATION, days(90));
        Tokens { lifetime, rotate_every }
    }

    fn factors(&mut self) -> Factors {
        let required = match self.text("factors.required") {
            None => FactorsRequired::Operators,
            Some((required, at)) => match required.as_str() {
                "operators" => FactorsRequired::Operators,
                "everybody" => FactorsRequired::Everybody,
                _ => {
                    self.fault(&at, "factors.required", "must be \"operators\" or \"everybody\"");
                    FactorsRequired::Operators
                }
            },
        };
        Factors { required }
    }

    fn passwords(&mut self, factors: Factors) -> Passwords {
        let at =
            self.raw.settings.get("passwords.min_length").map_or(Origin::Line(0), |setting| setting.origin.clone());
        let min = self.number("passwords.min_length", PASSWORD_MIN_WITH_FACTOR, 128).unwrap_or(PASSWORD_MIN);
        if min < PASSWORD_MIN && factors.required != FactorsRequired::Everybody {
            let what = format!(
                "is {min}, which is enough only if everyone has a second factor. Set it to {PASSWORD_MIN} or more, or set factors.required = \"everybody\""
            );
            self.fault(&at, "passwords.min_length", &what);
        }
        let mut cost = |key: &'static str, [min, max]: [u32; 2]| {
            let number = self.number(key, i64::from(min), i64::from(max));
            number.and_then(|number| u32::try_from(number).ok()).unwrap_or(min)
        };
        let memory_kib = cost("passwords.memory_kib", HASH_MEMORY_KIB);
        let passes = cost("passwords.passes", HASH_PASSES);
        Passwords { min_length: usize::try_from(min).unwrap_or(15), memory_kib, passes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "region = \"eu\"\npublic_url = \"https://account.example.org\"\n";

    fn faults(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let environment: Vec<(String, String)> = environment.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Config::from_text(text, "d.toml", &environment).err().map(|error| error.faults).unwrap_or_default()
    }

    #[test]
    fn two_settings_are_enough() {
        let config = Config::from_text(MINIMAL, "d.toml", &[]).unwrap();

        assert_eq!((config.region.as_str(), config.billing.signup_credit), ("eu", Credits::whole(5)));
        assert_eq!(config.listen.addresses[0].to_string(), "http://127.0.0.1:8080");
    }

    #[test]
    fn every_fault_names_its_location_and_a_fix() {
        for (text, expected) in [
            ("", ["d.toml: region is missing", "for example"]),
            ("region = 5", ["d.toml:1: region", "text in quotes"]),
            ("region = \"EU\"", ["d.toml:1: region", "a-z"]),
            ("[listen]\nadress = \"x\"", ["d.toml:2: listen.adress is not a setting", "Did you mean listen.address?"]),
            ("[listen]\naddress = \"0.0.0.0:80\"", ["d.toml:2: listen.address", "tls"]),
            ("[session]\nidle_timeout = \"soon\"", ["d.toml:2: session.idle_timeout", "30m"]),
            ("[session]\nstep_up_after = \"2h\"", ["d.toml:2: session.step_up_after", "2 to 60 minutes"]),
            (
                "[mail]\ntransport = \"smtp\"\nsmtp_url = \"smtps://smtp.example.org\"",
                ["d.toml:3: mail.smtp_url", "[[egress]]"],
            ),
            (
                "[mail]\ntransport = \"smtp\"\nsmtp_url = \"smtp://127.0.0.1?tls=requred\"",
                ["d.toml:3: mail.smtp_url", "?tls=required"],
            ),
            ("[[egress]]\nhost = \"h\"\nregion = \"us\"\npurpose = \"mail\"", ["egress.region", "leave its region"]),
            ("[[plans]]\ncode = \"pro\"\nname = \"Pro\"", ["d.toml:1: plans.code", "\"free\""]),
            ("[[plans]]\ncode = \"free\"\nname = \"Free\"\nmodels = -1", ["d.toml:4: plans.models", "whole number"]),
            ("[[plans]]\ncode = \"free\"\nname = \"Free\"\nmodel = 3", ["d.toml:4: plans.model", "plans.models"]),
            ("[[prices]]\nsku = \"a\"\nunit = \"s\"\nprice = \"0.0000001\"", ["prices.price", "six decimals"]),
            ("[[scopes]]\nname = \"models\"\ndescription = \"x\"", ["scopes", "exists already"]),
            ("[tokens]\nlife = \"1h\"", ["d.toml:2: tokens.life", "1 to 15 minutes"]),
            ("[tokens]\nrotate_every = \"1d\"", ["d.toml:2: tokens.rotate_every", "2 to 730 days"]),
            ("[oauth.google]\nclient_id = \"x\"", ["d.toml:2: oauth.google.client_secret", "client_secret_file"]),
            ("[oauth.google]\nclient_id = \"x\"", ["calls oauth2.googleapis.com", "[[egress]]"]),
            ("[oauth.github]\nclient_id = \"x\"\nclient_secret = \"y\"", ["api.github.com", "[[egress]]"]),
            (
                "[oauth.github]\nclient-id = \"x\"",
                ["d.toml:2: oauth.github.client-id", "Did you mean oauth.github.client_id?"],
            ),
            ("[oauth.apple]\nclient_id = \"x\"", ["oauth.apple.private_key_file", ".p8"]),
            ("[oauth.apple]\nprivate_key = \"x\"", ["d.toml:2: oauth.apple.private_key_file", "P-256"]),
            ("[oauth.oidc.corp]\nclient_id = \"x\"", ["oauth.oidc.corp.issuer is missing", "https://"]),
            ("[oauth.google]\ntrust_emails = true", ["oauth.google.trust_emails", "is for [oauth.oidc.NAME] only"]),
            (
                "[oauth.github]\ntrusted_audiences = [\"a\"]",
                ["oauth.github.trusted_audiences", "is for [oauth.oidc.NAME]"],
            ),
            ("[oauth.oidc.corp]\ntrust_emails = \"yes\"", ["oauth.oidc.corp.trust_emails", "must be true or false"]),
            (
                "[oauth.oidc.corp]\ntoken_endpoint_auth_method = \"private_key_jwt\"",
                ["oauth.oidc.corp.token_endpoint_auth_method", "\"client_secret_basic\", \"client_secret_post\""],
            ),
            (
                "[oauth.oidc.corp]\nissuer = \"http://login.example.org\"",
                ["d.toml:2: oauth.oidc.corp.issuer", "https://"],
            ),
            ("[oauth.oidc.corp]\nissuer = \"https://login.example.org\"", ["calls login.example.org", "[[egress]]"]),
            ("[oauth.oidc.github]\nclient_id = \"x\"", ["oauth.oidc.github must have a name", "not google"]),
            ("[oauth.facebook]\nclient_id = \"x\"", ["oauth.facebook.client_id is not a setting", "Remove it"]),
            ("[factors]\nrequired = \"nobody\"", ["d.toml:2: factors.required", "everybody"]),
            ("[site]\nname = \"\"", ["d.toml:2: site.name", "1 to 40"]),
            ("[site]\naccent = \"teal\"", ["d.toml:2: site.accent", "#1d6b5f"]),
            ("[site]\naccent = \"#ffcc00\"", ["d.toml:2: site.accent", "too light"]),
            ("[site]\nlogo_file = \"/nonexistent/logo\"", ["d.toml:2: site.logo_file", "cannot be read"]),
            ("[site]\nlogo_file = \"/etc/hostname\"", ["d.toml:2: site.logo_file", "SVG, PNG"]),
            ("[site]\nterms_url = \"/terms\"", ["d.toml:2: site.terms_url", "https://"]),
            ("[site]\nprivacy_url = \"javascript:x\"", ["d.toml:2: site.privacy_url", "https://"]),
            ("[site]\nplatform_url = \"http://example.org\"", ["d.toml:2: site.platform_url", "https://"]),
            ("[site]\nsupport = \"call us\"", ["d.toml:2: site.support", "help@example.org"]),
            ("region = ", ["d.toml:1:", "TOML"]),
            ("public_url = \"http://example.org\"", ["public_url", "https://"]),
        ] {
            let found = faults(text, &[]).join("\n");
            assert!(expected.iter().all(|part| found.contains(part)), "{text:?} said: {found}");
        }
    }

    #[test]
    fn p1_short_passwords_need_a_second_factor_for_everyone() {
        let with = |min: &str, required: &str| {
            faults(&format!("{MINIMAL}[passwords]\nmin_length = {min}\n[factors]\nrequired = \"{required}\""), &[])
        };

        for (min, required) in [("15", "operators"), ("8", "everybody"), ("14", "everybody")] {
            assert_eq!(with(min, required), Vec::<String>::new(), "{min} {required}");
        }
        for (min, required, fix) in [("14", "operators", "factors.required"), ("7", "everybody", "8 to 128")] {
            let found = with(min, required).join("\n");
            assert!(found.contains("d.toml:4: passwords.min_length") && found.contains(fix), "{found}");
        }
    }

    #[test]
    fn variables_override_the_file_and_unknown_ones_are_refused() {
        let set = [
            ("DOMICILE_LISTEN__ADDRESS".to_owned(), "127.0.0.1:9, [::1]:9".to_owned()),
            ("DOMICILE_CONFIG".into(), "x".into()),
        ];
        let config = Config::from_text(MINIMAL, "d.toml", &set).unwrap();

        assert_eq!(config.listen.addresses.len(), 2);
        let found = faults(MINIMAL, &[("DOMICILE_REGIO", "us")]);
        assert!(found[0].contains("DOMICILE_REGIO") && found[0].contains("Did you mean region?"), "{found:?}");
    }

    #[test]
    fn a_secret_is_read_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        std::fs::write(&file, "smtp://127.0.0.1:2525\n").unwrap();
        let text = format!("{MINIMAL}[mail]\ntransport = \"smtp\"\nsmtp_url_file = \"{}\"\n", file.display());

        let config = Config::from_text(&text, "d.toml", &[]).unwrap();

        assert!(matches!(&config.mail.transport, crate::config::MailTransport::Smtp(relay) if relay.port == 2525));
    }
}
