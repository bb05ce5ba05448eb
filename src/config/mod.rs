//! Settings: read once, checked whole, and then true for the life of the process.
//!
//! A setting that is wrong names its file, line and key, says what is wrong and what would be right; all faults are told
//! at once. Nothing is ever ignored: a key nobody knows is a fault too.

mod durations;
mod model;
mod raw;
mod read;
mod tell;

use std::path::{Path, PathBuf};

pub use durations::parse_duration;
pub use model::{
    ApiKeys, AppleKey, Billing, Config, Egress, Factors, FactorsRequired, ForwardAuth, Listen, Mail, MailTransport,
    OnExposure, Passwords, Price, Privacy, Provider, ProviderKind, Reveal, Session, Sibling, Signup, SignupMode,
    Snapshot, Tls, Tokens,
};

/// Where the package puts the configuration.
pub const DEFAULT_PATH: &str = "/etc/domicile/domicile.toml";

/// Why the configuration cannot be used; every line of it is for the admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// One fault per line: where, what is wrong, what would be right.
    pub faults: Vec<String>,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.faults.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the file, lays the environment (`DOMICILE_<SECTION>__<KEY>`) over it, and checks the whole.
    ///
    /// # Errors
    /// [`ConfigError`] with every fault found.
    pub fn load(path: &Path, environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let fault = match error.kind() {
                std::io::ErrorKind::NotFound => format!(
                    "{} does not exist. Write one (region and public_url are enough), then run `domicile init`; or try `domicile demo` without any.",
                    path.display()
                ),
                _ => format!("{} cannot be read: {error}. Give its reader the right to, or name another file with --config.", path.display()),
            };
            ConfigError { faults: vec![fault] }
        })?;
        Self::from_text(&text, &path.display().to_string(), environment)
    }

    /// As [`Config::load`], from text; `name` stands for the file in faults.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn from_text(text: &str, name: &str, environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut raw = raw::Raw::from_text(text, name)?;
        raw.lay_over(environment);
        read::config(raw)
    }

    /// The settings of a throw-away appliance in `data_dir`, listening on `port` of the loopback interface.
    ///
    /// # Errors
    /// [`ConfigError`]: never for folders that can be written in TOML.
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
