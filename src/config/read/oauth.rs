//! `[oauth.*]`: the providers that people can sign in with.

use super::super::model::{AppleKey, ClientAuth, Egress, Provider, ProviderKind};
use super::super::raw::Origin;
use super::super::syntax::{host_of, is_loopback_name, is_short_name};
use super::Reader;
use crate::base::{Secret, ascii_domain, is_visible};

/// The hosts of Google that are called, unless the settings name others.
const GOOGLE_HOSTS: [&str; 3] = ["accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com"];
const GOOGLE: &str = "https://accounts.google.com";
const APPLE: &str = "https://appleid.apple.com";
const GITHUB: &str = "https://github.com";
const GITHUB_API: &str = "https://api.github.com";

/// Providers with their own table, which need no `oidc.` prefix.
const BUILT_IN: [&str; 3] = ["google", "apple", "github"];
const LABEL_MAX: usize = 32;
/// Settings that only `[oauth.oidc.NAME]` has: what they say is known of the other providers.
const GENERIC_ONLY: [&str; 4] = ["trusted_domains", "trust_emails", "trusted_audiences", "token_endpoint_auth_method"];

impl Reader {
    pub(super) fn oauth(&mut self, egress: &[Egress]) -> Vec<Provider> {
        let mut providers = Vec::new();
        for name in BUILT_IN {
            if self.is_set(&format!("oauth.{name}.")) {
                providers.extend(self.provider(name, false, egress));
            }
        }
        let mut names: Vec<String> = self
            .raw
            .settings
            .keys()
            .filter_map(|key| key.strip_prefix("oauth.oidc.")?.split_once('.').map(|(name, _)| name.to_owned()))
            .collect();
        names.dedup();
        for name in names {
            providers.extend(self.provider(&name, true, egress));
        }
        providers
    }

    fn is_set(&self, prefix: &str) -> bool {
        self.raw.settings.keys().any(|key| key.starts_with(prefix))
    }

    fn provider(&mut self, name: &str, is_generic: bool, egress: &[Egress]) -> Option<Provider> {
        let table = if is_generic { format!("oauth.oidc.{name}") } else { format!("oauth.{name}") };
        let at = self.origin_of_table(&table);
        if is_generic && (!is_short_name(name) || BUILT_IN.contains(&name)) {
            self.fault(&at, &table, "must have a name of 1 to 32 characters of a-z, 0-9 and hyphens, beginning with a letter, and not google, apple or github");
        }
        let label = self.label(&table, name);
        let client_id = self.text(&format!("{table}.client_id")).map(|(text, _)| text).unwrap_or_default();
        if client_id.is_empty() {
            self.fault(
                &at,
                &format!("{table}.client_id"),
                "is missing; the provider shows it on the page where you register the application",
            );
        }
        let kind = match (is_generic, name) {
            (false, "google") => ProviderKind::Google,
            (false, "github") => ProviderKind::GitHub,
            (false, "apple") => ProviderKind::Apple(self.apple_key(&table, &at)?),
            (_, _) => ProviderKind::Oidc,
        };
        let mut client_secret = Secret::new(String::new());
        if !matches!(kind, ProviderKind::Apple(_)) {
            match self.secret(&format!("{table}.client_secret")) {
                Some((secret, _)) => client_secret = secret,
                None => self.fault(
                    &at,
                    &format!("{table}.client_secret"),
                    "is missing; set it, or name its file with client_secret_file",
                ),
            }
        }
        for key in GENERIC_ONLY.iter().map(|key| format!("{table}.{key}")) {
            if kind != ProviderKind::Oidc && self.raw.settings.contains_key(&key) {
                self.fault(&at, &key, "is for [oauth.oidc.NAME] only. Remove the line");
            }
        }
        let client_auth = self.choice(
            &format!("{table}.token_endpoint_auth_method"),
            &[
                ("auto", None),
                (ClientAuth::Basic.as_str(), Some(ClientAuth::Basic)),
                (ClientAuth::Post.as_str(), Some(ClientAuth::Post)),
            ],
        );
        let context = ProviderContext { table: &table, egress };
        let issuer = self.url(&context, "issuer");
        let has_issuer = issuer.is_some();
        let mut provider = Provider {
            name: name.to_owned(),
            label,
            client_id,
            client_secret,
            issuer: issuer.unwrap_or_default(),
            authorize_url: self.browser_url(&context, "authorize_url"),
            token_url: self.url(&context, "token_url"),
            api_url: self.url(&context, "api_url"),
            jwks_url: self.url(&context, "jwks_url"),
            scopes: self.words(&format!("{table}.scopes")),
            allowed_domains: self.domains(&format!("{table}.allowed_domains")),
            trusted_domains: self.domains(&format!("{table}.trusted_domains")),
            trust_emails: self.boolean(&format!("{table}.trust_emails")),
            trusted_audiences: self.words(&format!("{table}.trusted_audiences")),
            client_auth,
            kind,
        };
        self.complete(&mut provider, &context, &at, has_issuer);
        Some(provider)
    }

    /// Fills in the usual addresses of the provider if the settings have none. Their hosts must be declared as well.
    fn complete(&mut self, provider: &mut Provider, context: &ProviderContext<'_>, at: &Origin, has_issuer: bool) {
        let mut hosts: Vec<&str> = Vec::new();
        match &provider.kind {
            ProviderKind::Google if !has_issuer => {
                provider.issuer = GOOGLE.to_owned();
                hosts.extend(GOOGLE_HOSTS);
            }
            ProviderKind::Apple(_) if !has_issuer => {
                provider.issuer = APPLE.to_owned();
                hosts.push("appleid.apple.com");
            }
            ProviderKind::GitHub => {
                if !has_issuer {
                    provider.issuer = GITHUB.to_owned();
                }
                // An Enterprise server has its API below its own address.
                let api = if has_issuer { format!("{}/api/v3", provider.issuer) } else { GITHUB_API.to_owned() };
                if provider.token_url.is_none() && !has_issuer {
                    hosts.push("github.com");
                }
                if provider.api_url.is_none() && !has_issuer {
                    hosts.push("api.github.com");
                }
                let base = provider.issuer.trim_end_matches('/').to_owned();
                provider.authorize_url.get_or_insert(format!("{base}/login/oauth/authorize"));
                provider.token_url.get_or_insert(format!("{base}/login/oauth/access_token"));
                provider.api_url.get_or_insert(api);
            }
            ProviderKind::Oidc if !has_issuer => {
                self.fault(
                    at,
                    &format!("{}.issuer", context.table),
                    "is missing, for example \"https://login.example.org\"",
                );
            }
            ProviderKind::Google | ProviderKind::Apple(_) | ProviderKind::Oidc => {}
        }
        for host in hosts {
            self.must_be_declared(context, at, context.table, host);
        }
    }

    fn origin_of_table(&self, table: &str) -> Origin {
        let first = self.raw.settings.iter().filter(|(key, _)| key.starts_with(&format!("{table}.")));
        let origins = first.map(|(_, setting)| setting.origin.clone());
        // The first line. Variables come after all lines.
        origins
            .min_by_key(|origin| match origin {
                Origin::Line(line) => *line,
                Origin::Variable(_) => usize::MAX,
            })
            .unwrap_or(Origin::Line(0))
    }

    fn label(&mut self, table: &str, name: &str) -> String {
        let default = match name {
            "google" => "Google".to_owned(),
            "apple" => "Apple".to_owned(),
            "github" => "GitHub".to_owned(),
            other => {
                let mut letters = other.chars();
                letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
            }
        };
        let Some((label, at)) = self.text(&format!("{table}.label")) else { return default };
        if !is_visible(&label) || !(1..=LABEL_MAX).contains(&label.chars().count()) {
            self.fault(&at, &format!("{table}.label"), "must be 1 to 32 visible characters, such as \"Example Corp\"");
        }
        label
    }

    fn apple_key(&mut self, table: &str, at: &Origin) -> Option<AppleKey> {
        let need = |reader: &mut Self, key: &str, what: &str| {
            let value = reader.text(&format!("{table}.{key}")).map(|(text, _)| text).filter(|text| !text.is_empty());
            if value.is_none() {
                reader.fault(at, &format!("{table}.{key}"), what);
            }
            value
        };
        let team_id =
            need(self, "team_id", "is missing; Apple shows it in the developer account, ten letters and digits");
        let key_id = need(self, "key_id", "is missing; Apple shows it next to the key, ten letters and digits");
        let Some((private_key, key_at)) = self.secret(&format!("{table}.private_key")) else {
            self.fault(
                at,
                &format!("{table}.private_key_file"),
                "is missing; it names the .p8 file that Apple provides with the key",
            );
            return None;
        };
        if jsonwebtoken::EncodingKey::from_ec_pem(private_key.expose().as_bytes()).is_err() {
            self.fault(
                &key_at,
                &format!("{table}.private_key_file"),
                "must name the .p8 file from Apple, a P-256 key in PEM",
            );
        }
        Some(AppleKey { team_id: team_id?, key_id: key_id?, private_key })
    }

    /// A URL that the server calls. Its host must be declared.
    fn url(&mut self, context: &ProviderContext<'_>, key: &str) -> Option<String> {
        let (url, at, host) = self.checked_url(context, key)?;
        self.must_be_declared(context, &at, &format!("{}.{key}", context.table), &host);
        Some(url)
    }

    /// A URL that only browsers open.
    fn browser_url(&mut self, context: &ProviderContext<'_>, key: &str) -> Option<String> {
        self.checked_url(context, key).map(|(url, _, _)| url)
    }

    fn checked_url(&mut self, context: &ProviderContext<'_>, key: &str) -> Option<(String, Origin, String)> {
        let key = format!("{}.{key}", context.table);
        let (url, at) = self.text(&key)?;
        let host = host_of(&url, &["https://", "http://"]).unwrap_or_default();
        let is_safe = url.starts_with("https://") || is_loopback_name(&host);
        if host.is_empty() || !is_safe || url.contains(['#', '@', ' ', '?']) {
            self.fault(
                &at,
                &key,
                "must begin with https:// and name a host, without user name, password, query or fragment",
            );
            return None;
        }
        Some((url, at, host))
    }

    /// Only hosts in `[[egress]]` are called.
    fn must_be_declared(&mut self, context: &ProviderContext<'_>, at: &Origin, key: &str, host: &str) {
        if is_loopback_name(host) || context.egress.iter().any(|entry| entry.host == host) {
            return;
        }
        let what = format!(
            "calls {host}, which is not declared. Add a table [[egress]] with host = \"{host}\", the region of this appliance, and purpose = \"sign-in\""
        );
        self.fault(at, key, &what);
    }

    fn words(&mut self, key: &str) -> Vec<String> {
        self.list(key).unwrap_or_default().into_iter().map(|(text, _)| text).collect()
    }

    fn domains(&mut self, key: &str) -> Vec<String> {
        let mut domains = Vec::new();
        for (text, at) in self.list(key).unwrap_or_default() {
            let ascii = ascii_domain(&text).filter(|_| !text.is_empty() && !text.contains(['@', '/', ' ', '*']));
            match ascii {
                Some(ascii) => domains.push(ascii.to_ascii_lowercase()),
                None => self.fault(&at, key, "must be domains such as \"example.org\""),
            }
        }
        domains
    }
}

/// The table that is read, and the hosts that may be called.
struct ProviderContext<'a> {
    table: &'a str,
    egress: &'a [Egress],
}

#[cfg(test)]
mod tests {
    use crate::config::{ClientAuth, Config};

    fn config(table: &str) -> Config {
        let text = format!(
            "region = \"eu\"\npublic_url = \"http://localhost:8600\"\n[oauth.oidc.corp]\nissuer = \"http://localhost:1\"\n\
             client_id = \"x\"\nclient_secret = \"y\"\n{table}\n"
        );
        Config::from_text(&text, "d.toml", &[]).unwrap()
    }

    #[test]
    fn trust_in_addresses_is_off_and_check_tells_when_it_is_on() {
        let about = |config: &Config| {
            let described = config.describe().into_iter().find(|(name, _)| *name == "Sign-in").unwrap().1;
            format!("{described} {}", config.warnings().join(" "))
        };
        let (usual, trusting) = (config(""), config("trust_emails = true"));

        assert!(!usual.oauth[0].trust_emails && !about(&usual).contains("counts as verified"));
        assert!(trusting.oauth[0].trust_emails);
        assert!(about(&trusting).contains("every address it names counts as verified"));
        assert!(about(&trusting).contains("oauth.oidc.corp.trust_emails is true"));
    }

    #[test]
    fn the_way_to_send_the_secret_and_other_audiences_can_be_set() {
        let usual = &config("").oauth[0];
        assert_eq!((usual.client_auth, usual.trusted_audiences.len()), (None, 0));
        for (written, expected) in [
            ("auto", None),
            ("client_secret_basic", Some(ClientAuth::Basic)),
            ("client_secret_post", Some(ClientAuth::Post)),
        ] {
            let set =
                config(&format!("token_endpoint_auth_method = \"{written}\"\ntrusted_audiences = [\"1@a\", \"2\"]"));
            assert_eq!(set.oauth[0].client_auth, expected, "{written}");
            assert_eq!(set.oauth[0].trusted_audiences, ["1@a", "2"]);
        }
    }

    #[test]
    fn google_alone_may_write_its_issuer_without_https() {
        let mut provider = config("").oauth.remove(0);
        assert!(provider.issues_as("http://localhost:1") && !provider.issues_as("accounts.google.com"));
        provider.kind = crate::config::ProviderKind::Google;
        assert!(!provider.issues_as("accounts.google.com"), "not with another issuer");
        provider.issuer = "https://accounts.google.com".to_owned();
        assert!(provider.issues_as("accounts.google.com") && !provider.issues_as("localhost:1"));
    }
}
