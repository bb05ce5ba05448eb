//! Settings: read once, checked as a whole, and then constant while the process runs.
//!
//! A fault names the file, line and key, says what is wrong and what would be right. All faults are reported at once.
//! Nothing is ignored: an unknown key is a fault too.

mod describe;
mod durations;
mod limits;
mod links;
mod listen;
mod model;
mod plans;
mod raw;
mod read;
mod relay;
mod site;
mod starter;
mod syntax;

use std::path::{Path, PathBuf};

pub use durations::parse_duration;
pub use limits::{HASHES_AT_ONCE, UnitLimits, memory_needed, unit_warnings};
pub use listen::{Listen, ListenAddress, Tls};
pub use model::{
    ApiKeys, AppleKey, Billing, ClientAuth, Config, Egress, Factors, FactorsRequired, ForwardAuth, Log, LogFormat,
    LogLevel, Mail, MailTransport, OnExposure, Passwords, Price, Privacy, Provider, ProviderKind, Reveal, Session,
    Sibling, Signup, SignupMode, Snapshot, Tokens, UsageCategory, is_key_prefix,
};
pub use plans::{FREE_PLAN, LimitKey, Limits, Plan};
pub use relay::{Relay, RelayCredentials, RelayTls};
pub use site::{Accent, Logo, SiteInfo, Support};
pub use starter::{Missing, starter_text};

/// The path of the configuration file in the package.
pub const DEFAULT_PATH: &str = "/etc/domicile/domicile.toml";

/// Why the configuration cannot be used. Each line is for the admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// One fault per line: its location, what is wrong, what would be right.
    pub faults: Vec<String>,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.faults.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the file, overrides it with the environment (`DOMICILE_<SECTION>__<KEY>`), and checks the result.
    ///
    /// # Errors
    /// [`ConfigError`] with all faults.
    pub fn load(path: &Path, environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(path).map_err(|error| {
            let fault = match error.kind() {
                std::io::ErrorKind::NotFound => format!(
                    "{} does not exist. For a new appliance, run: domicile init --region eu --public-url https://account.example.org. To restore a backup, put its settings there first. To try Domicile without settings, run: domicile demo",
                    path.display()
                ),
                _ => format!("{} cannot be read: {error}. Give this user permission to read it, or name another file with --config.", path.display()),
            };
            ConfigError { faults: vec![fault] }
        })?;
        let name = path.display().to_string();
        let text = String::from_utf8(bytes).map_err(|error| {
            let position = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..position].iter().filter(|byte| **byte == b'\n').count() + 1;
            let fault = format!(
                "{name}:{line}: this is not UTF-8 (byte {position} of the file), but perhaps Latin-1. Save the file as UTF-8, for example: iconv -f latin1 -t utf-8."
            );
            ConfigError { faults: vec![fault] }
        })?;
        Self::from_text(&text, &name, environment)
    }

    /// As [`Config::load`], from text. `name` is the name of the file in faults.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn from_text(text: &str, name: &str, environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut raw = raw::Raw::from_text(text, name)?;
        raw.apply_environment(environment);
        read::config(raw)
    }

    /// The settings of a temporary appliance in `data_dir` that listens on `port` of the loopback interface.
    ///
    /// # Errors
    /// [`ConfigError`] when the path of the folder cannot be written in TOML.
    pub fn for_demo(data_dir: &Path, port: u16) -> Result<Self, ConfigError> {
        let quoted = |path: PathBuf| toml::Value::String(path.display().to_string()).to_string();
        let text = format!(
            r#"
region = "eu"
public_url = "http://localhost:{port}"
data_dir = {data}
keyring = {keyring}
[listen]
address = "127.0.0.1:{port}"
[log]
level = "warn"
[mail]
transport = "directory"
from = "Domicile <account@localhost>"
directory = {mail}
[snapshot]
interval = "5m"
[[prices]]
sku = "gpu.h100"
unit = "second"
price = "0.001"
[[prices]]
sku = "storage.gb"
unit = "gigabyte-day"
price = "0.0008"
[[scopes]]
name = "reports:read"
description = "Read the reports of this site."
"#,
            data = quoted(data_dir.join("data")),
            keyring = quoted(data_dir.join("keyring")),
            mail = quoted(data_dir.join("mail")),
        );
        let mut config = Self::from_text(&text, "the demo's settings", &[])?;
        config.demo = true;
        Ok(config)
    }
}
