//! `[oauth.*]`: the providers that people can sign in with.

use super::super::model::{AppleKey, Egress, Provider, ProviderKind};
use super::super::raw::Origin;
use super::Reader;
use super::shapes::{host_of, is_loopback_name, is_short_name};
use crate::base::{Secret, is_visible};

/// The hosts that are called at a provider, where the settings name no others.
const GOOGLE_HOSTS: [&str; 3] = ["accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com"];
const GOOGLE: &str = "https://accounts.google.com";
const APPLE: &str = "https://appleid.apple.com";
const GITHUB: &str = "https://github.com";
const GITHUB_API: &str = "https://api.github.com";

/// Names with a table of their own.
const OWN_TABLES: [&str; 3] = ["google", "apple", "github"];
const LABEL_MAX: usize = 32;

impl Reader {
    pub(super) fn oauth(&mut self, egress: &[Egress]) -> Vec<Provider> {
        let mut providers = Vec::new();
        for name in OWN_TABLES {
            if self.is_written(&format!("oauth.{name}.")) {
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

    fn is_written(&self, prefix: &str) -> bool {
        self.raw.settings.keys().any(|key| key.starts_with(prefix))
    }

    fn provider(&mut self, name: &str, is_generic: bool, egress: &[Egress]) -> Option<Provider> {
        let table = if is_generic { format!("oauth.oidc.{name}") } else { format!("oauth.{name}") };
        let at = self.place_of_table(&table);
        if is_generic && (!is_short_name(name) || OWN_TABLES.contains(&name)) {
            self.fault(&at, &table, "must be named with 1 to 32 of a-z, 0-9 and hyphens, beginning with a letter, and not google, apple or github");
        }
        let label = self.label(&table, name);
        let client_id = self.text(&format!("{table}.client_id")).map(|(text, _)| text).unwrap_or_default();
        if client_id.is_empty() {
            self.fault(
                &at,
                &format!("{table}.client_id"),
                "is missing; the provider shows it where the application is registered",
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
                    "is missing; write it, or name its file with client_secret_file",
                ),
            }
        }
        let called = Called { table: &table, egress };
        let issuer = self.url(&called, "issuer");
        let has_issuer = issuer.is_some();
        let mut provider = Provider {
            name: name.to_owned(),
            label,
            client_id,
            client_secret,
            issuer: issuer.unwrap_or_default(),
            authorize_url: self.browser_url(&called, "authorize_url"),
            token_url: self.url(&called, "token_url"),
            api_url: self.url(&called, "api_url"),
            jwks_url: self.url(&called, "jwks_url"),
            scopes: self.words(&format!("{table}.scopes")),
            allowed_domains: self.domains(&format!("{table}.allowed_domains")),
            trusted_domains: self.domains(&format!("{table}.trusted_domains")),
            kind,
        };
        if provider.kind != ProviderKind::Oidc && !provider.trusted_domains.is_empty() {
            self.fault(&at, &format!("{table}.trusted_domains"), "is for [oauth.oidc.NAME] only. Remove the line");
        }
        self.complete(&mut provider, &called, &at, has_issuer);
        Some(provider)
    }

    /// Where nothing is written, the provider's own addresses, which must be declared as well.
    fn complete(&mut self, provider: &mut Provider, called: &Called<'_>, at: &Origin, has_issuer: bool) {
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
                // An Enterprise server has its interface below its own name.
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
                    &format!("{}.issuer", called.table),
                    "is missing, for example \"https://login.example.org\"",
                );
            }
            ProviderKind::Google | ProviderKind::Apple(_) | ProviderKind::Oidc => {}
        }
        for host in hosts {
            self.must_be_declared(called, at, called.table, host);
        }
    }

    fn place_of_table(&self, table: &str) -> Origin {
        let first = self.raw.settings.iter().filter(|(key, _)| key.starts_with(&format!("{table}.")));
        let origins = first.map(|(_, setting)| setting.origin.clone());
        // The line that stands first; variables come after lines.
        origins
            .min_by_key(|origin| match origin {
                Origin::Line(line) => *line,
                Origin::Variable(_) => usize::MAX,
            })
            .unwrap_or(Origin::Line(0))
    }

    fn label(&mut self, table: &str, name: &str) -> String {
        let own = match name {
            "google" => "Google".to_owned(),
            "apple" => "Apple".to_owned(),
            "github" => "GitHub".to_owned(),
            other => {
                let mut letters = other.chars();
                letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
            }
        };
        let Some((label, at)) = self.text(&format!("{table}.label")) else { return own };
        if !is_visible(&label) || !(1..=LABEL_MAX).contains(&label.chars().count()) {
            self.fault(&at, &format!("{table}.label"), "must be 1 to 32 visible characters, such as \"Example Corp\"");
        }
        label
    }

    fn apple_key(&mut self, table: &str, at: &Origin) -> Option<AppleKey> {
        let need = |reader: &mut Self, key: &str, what: &str| {
            let found = reader.text(&format!("{table}.{key}")).map(|(text, _)| text).filter(|text| !text.is_empty());
            if found.is_none() {
                reader.fault(at, &format!("{table}.{key}"), what);
            }
            found
        };
        let team_id =
            need(self, "team_id", "is missing; Apple shows it in the developer account, ten letters and digits");
        let key_id = need(self, "key_id", "is missing; Apple shows it beside the key, ten letters and digits");
        let Some((private_key, key_at)) = self.secret(&format!("{table}.private_key")) else {
            self.fault(
                at,
                &format!("{table}.private_key_file"),
                "is missing; it names the .p8 file that Apple gave out with the key",
            );
            return None;
        };
        if jsonwebtoken::EncodingKey::from_ec_pem(private_key.expose().as_bytes()).is_err() {
            self.fault(
                &key_at,
                &format!("{table}.private_key_file"),
                "must name the .p8 file of Apple: a P-256 key in PEM",
            );
        }
        Some(AppleKey { team_id: team_id?, key_id: key_id?, private_key })
    }

    /// An address that is called: its host must be declared.
    fn url(&mut self, called: &Called<'_>, key: &str) -> Option<String> {
        let (url, at, host) = self.checked_url(called, key)?;
        self.must_be_declared(called, &at, &format!("{}.{key}", called.table), &host);
        Some(url)
    }

    /// An address that only browsers go to.
    fn browser_url(&mut self, called: &Called<'_>, key: &str) -> Option<String> {
        self.checked_url(called, key).map(|(url, _, _)| url)
    }

    fn checked_url(&mut self, called: &Called<'_>, key: &str) -> Option<(String, Origin, String)> {
        let key = format!("{}.{key}", called.table);
        let (url, at) = self.text(&key)?;
        let host = host_of(&url, &["https://", "http://"]).unwrap_or_default();
        let is_safe = url.starts_with("https://") || is_loopback_name(&host);
        if host.is_empty() || !is_safe || url.contains(['#', '@', ' ', '?']) {
            self.fault(
                &at,
                &key,
                "must begin with https:// and name a host, without name, password, query or fragment",
            );
            return None;
        }
        Some((url, at, host))
    }

    /// What is not in `[[egress]]` is not called.
    fn must_be_declared(&mut self, called: &Called<'_>, at: &Origin, key: &str, host: &str) {
        if is_loopback_name(host) || called.egress.iter().any(|line| line.host == host) {
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
            if text.is_empty() || text.contains(['@', '/', ' ', '*']) {
                self.fault(&at, key, "must be domains such as \"example.org\"");
            }
            domains.push(text.to_ascii_lowercase());
        }
        domains
    }
}

/// Whose addresses are read, and what may be called.
struct Called<'a> {
    table: &'a str,
    egress: &'a [Egress],
}
