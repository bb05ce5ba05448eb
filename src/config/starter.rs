//! The settings file of a new appliance, and what an admin still has to add to it.

use super::listen::Tls;
use super::model::{Config, MailTransport};

/// Something that the settings still lack before people can use the appliance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// A short name for programs: `mail`, `tls`.
    pub name: &'static str,
    /// One sentence: what does not work yet.
    pub sentence: String,
    /// The lines to add, as TOML.
    pub lines: String,
}

/// The text of a new settings file: comments and the two values that have no default.
pub fn starter_text(region: &str, public_url: &str) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    format!(
        "# The settings of this Domicile appliance. All settings with their defaults and what they do:\n\
         #   /usr/share/doc/domicile/domicile.toml\n\
         # After a change:\n\
         #   sudo domicile check                  describes the settings, or says what is wrong with them\n\
         #   sudo systemctl restart domicile\n\n\
         # The region in which all data stays. It cannot be changed.\n\
         region = {}\n\n\
         # The address that people type. Links in mails and the cookie use only this address.\n\
         public_url = {}\n",
        quoted(region),
        quoted(public_url)
    )
}

impl Config {
    /// Whether mails leave the appliance. Otherwise codes and notices reach nobody.
    pub fn sends_mail(&self) -> bool {
        !matches!(self.mail.transport, MailTransport::Log)
    }

    /// The base of links that work only on this machine: where the server answers plain HTTP, and the public address needs
    /// something else in front of it. `None`: there is no such address.
    pub fn local_url(&self) -> Option<String> {
        let needs_proxy = self.listen.tls == Tls::Off && self.public_url.starts_with("https://");
        let local = self.listen.addresses.iter().find(|address| address.socket.ip().is_loopback() && needs_proxy)?;
        Some(format!("http://localhost:{}", local.socket.port()))
    }

    /// What the settings still lack before people can use the appliance, in the order in which to do it.
    pub fn missing(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        let (_, host) = self.public_url.split_once("://").unwrap_or_default();
        let name = host.split(':').next().unwrap_or(host);
        let is_behind_proxy = self.listen.behind_proxy || !self.listen.trusted_proxies.is_empty();
        if self.public_url.starts_with("https://") && self.listen.tls == Tls::Off && !is_behind_proxy {
            let port = host.rsplit_once(':').map_or("443", |(_, port)| port);
            missing.push(Missing {
                name: "tls",
                sentence: format!(
                    "The server answers only on this machine. If a proxy on it terminates TLS for {host}, add these lines; for TLS without a proxy, add the commented ones instead:"
                ),
                lines: format!(
                    "[listen]\nbehind_proxy = true\n#address = [\"http://127.0.0.1:8080\", \"https://0.0.0.0:{port}\"]\n#tls = \"files\"\n#certificate = \"/etc/domicile/fullchain.pem\"\n#private_key = \"/etc/domicile/privkey.pem\"\n"
                ),
            });
        }
        if !self.sends_mail() {
            missing.push(Missing {
                name: "mail",
                sentence: "No mail is sent, so people get no codes. With the relay of your site, add:".into(),
                lines: format!(
                    "[mail]\ntransport = \"smtp\"\nfrom = \"Accounts <account@{name}>\"\nsmtp_url = \"smtps://NAME:PASSWORD@smtp.example.org:465\"\n\n[[egress]]\nhost = \"smtp.example.org\"\nregion = \"{}\"\npurpose = \"mail\"\n",
                    self.region
                ),
            });
        }
        missing
    }
}
