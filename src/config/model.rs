//! What the settings are.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::base::{Credits, ScopeTable, Secret};

/// All settings of an appliance.
#[derive(Clone, Debug)]
pub struct Config {
    /// The region all data stays in.
    pub region: String,
    /// The only source of links and of the cookie's origin; without a slash at the end.
    pub public_url: String,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The keyring file, outside the data folder.
    pub keyring: PathBuf,
    /// Where to listen.
    pub listen: Listen,
    /// Who may sign up.
    pub signup: Signup,
    /// How long sessions last.
    pub session: Session,
    /// How mail leaves.
    pub mail: Mail,
    /// API keys.
    pub api_keys: ApiKeys,
    /// Money.
    pub billing: Billing,
    /// Sibling appliances, offered at sign-up.
    pub regions: Vec<Sibling>,
    /// What may be called; nothing else is.
    pub egress: Vec<Egress>,
    /// Gateways.
    pub forward_auth: ForwardAuth,
    /// The published snapshot.
    pub snapshot: Snapshot,
    /// What usage costs.
    pub prices: Vec<Price>,
    /// The scopes a key can have.
    pub scopes: ScopeTable,
    /// Export and erasure.
    pub privacy: Privacy,
    /// Passwords.
    pub passwords: Passwords,
    /// Access tokens.
    pub tokens: Tokens,
    /// Providers that people can sign in with, in the order of their buttons.
    pub oauth: Vec<Provider>,
    /// Second factors.
    pub factors: Factors,
    /// A throw-away appliance: never from a file.
    pub demo: bool,
}

/// `[listen]`.
#[derive(Clone, Debug)]
pub struct Listen {
    /// One or more addresses.
    pub addresses: Vec<SocketAddr>,
    /// Transport security.
    pub tls: Tls,
    /// A proxy in front ends TLS.
    pub behind_proxy: bool,
    /// Names beside the public one under which the pages may be asked for, folded.
    pub hosts: Vec<String>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Worker threads. `None`: one per core.
    pub workers: Option<usize>,
}

/// `listen.tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Plain HTTP: on loopback or behind a proxy only.
    Off,
    /// A certificate made at start, for a first look.
    SelfSigned,
    /// PEM files.
    Files {
        /// The chain.
        certificate: PathBuf,
        /// Its key.
        private_key: PathBuf,
    },
}

/// `[signup]`.
#[derive(Clone, Debug)]
pub struct Signup {
    /// Who may.
    pub mode: SignupMode,
    /// For [`SignupMode::Domains`]: the domains, folded.
    pub domains: Vec<String>,
}

/// `signup.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignupMode {
    /// Everybody.
    Open,
    /// Addresses of the listed domains.
    Domains,
    /// Who was invited.
    Invite,
    /// Nobody who comes by; accounts come from the command line. Whoever holds the operator's link or an invitation is let in
    /// in every mode.
    Closed,
}

/// `[session]`.
#[derive(Clone, Debug)]
pub struct Session {
    /// Signed out after this long without a request.
    pub idle_timeout: Duration,
    /// Signed out after this long whatever happens.
    pub absolute_timeout: Duration,
    /// Both, for people who asked to stay signed in.
    pub remember_for: Duration,
    /// A proof is good for this long: what a borrowed browser must not do asks for another one after it (safety S3). 2 to
    /// 60 minutes.
    pub step_up_after: Duration,
}

/// `[mail]`.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The way out.
    pub transport: MailTransport,
    /// The sender.
    pub from: String,
}

/// `mail.transport`.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// A relay.
    Smtp {
        /// `smtps://name:password@host:port` or `smtp://…`.
        url: Secret<String>,
    },
    /// One `.eml` per mail.
    Directory(PathBuf),
    /// A line in the log; no mail.
    Log,
}

/// `[api_keys]`.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    /// What every key begins with, without the underscore.
    pub prefix: String,
    /// Longest life a new key may have. `None`: it need not expire.
    pub max_lifetime: Option<Duration>,
    /// Who sees a key's text after it was made.
    pub reveal: Reveal,
    /// What happens to a key that somebody found where it should not be.
    pub on_exposure: OnExposure,
    /// Requests a minute with keys that have no rate of their own, at key holders' routes, gateways and the exchange of
    /// tokens. `None`: as many as they like.
    pub rate_per_minute: Option<u32>,
}

/// `api_keys.reveal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reveal {
    /// Nobody: it is shown once, and not kept.
    Once,
    /// Its owner, with a fresh proof; it is kept sealed.
    Owner,
}

/// `api_keys.on_exposure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExposure {
    /// It is refused until its owner restores it, and revoked after a day.
    Quarantine,
    /// It is revoked at once.
    Revoke,
    /// Its owner is told, and nothing else.
    Notify,
}

/// `[billing]`.
#[derive(Clone, Debug)]
pub struct Billing {
    /// ISO 4217, lower case.
    pub currency: String,
    /// What every new account gets. Zero: nothing.
    pub signup_credit: Credits,
}

/// `[[regions]]`.
#[derive(Clone, Debug)]
pub struct Sibling {
    /// Its region.
    pub name: String,
    /// For people.
    pub label: String,
    /// Its `public_url`.
    pub url: String,
}

/// `[[egress]]`.
#[derive(Clone, Debug)]
pub struct Egress {
    /// The host that may be called.
    pub host: String,
    /// The region it is in.
    pub region: String,
    /// Why it is called.
    pub purpose: String,
}

/// `[forward_auth]`.
#[derive(Clone, Debug)]
pub struct ForwardAuth {
    /// Networks that may ask without a service credential.
    pub allow: Vec<IpNet>,
}

/// `[snapshot]`.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// How often a changed database is published.
    pub interval: Duration,
}

/// `[[prices]]`.
#[derive(Clone, Debug)]
pub struct Price {
    /// What is used.
    pub sku: String,
    /// Counted in.
    pub unit: String,
    /// Credits per unit.
    pub price: Credits,
}

/// `[privacy]`.
#[derive(Clone, Debug)]
pub struct Privacy {
    /// How long a finished export stays.
    pub export_keep: Duration,
}

/// `[passwords]`.
#[derive(Clone, Debug)]
pub struct Passwords {
    /// Characters at least; 15 or more unless everybody must have a second factor.
    pub min_length: usize,
    /// Memory of a new hash, in KiB. Hashes that cost less are made anew when their person signs in.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
}

/// `[tokens]`.
#[derive(Clone, Copy, Debug)]
pub struct Tokens {
    /// How long an access token is good: 1 to 15 minutes.
    pub life: Duration,
    /// How long a signing key signs: two days or more, because its successor is published a day before.
    pub rotate_every: Duration,
}

/// `[oauth.google]`, `[oauth.apple]`, `[oauth.github]`, `[oauth.oidc.<name>]`.
#[derive(Clone, Debug)]
pub struct Provider {
    /// In paths and settings: `google`, `apple`, `github` or the admin's own.
    pub name: String,
    /// On buttons.
    pub label: String,
    /// What is special about it.
    pub kind: ProviderKind,
    /// What it calls this appliance.
    pub client_id: String,
    /// How this appliance proves that. Empty for Apple, where a key makes one.
    pub client_secret: Secret<String>,
    /// Who it is, to the letter: with a subject, the key of an identity.
    pub issuer: String,
    /// Where browsers are led. `None`: as its metadata say.
    pub authorize_url: Option<String>,
    /// Where codes are exchanged. `None`: as its metadata say.
    pub token_url: Option<String>,
    /// GitHub's interface; nobody else has one.
    pub api_url: Option<String>,
    /// Its keys. `None`: as its metadata say.
    pub jwks_url: Option<String>,
    /// What is asked for. Empty: what is needed and no more.
    pub scopes: Vec<String>,
    /// Only people of these domains. Empty: everybody.
    pub allowed_domains: Vec<String>,
    /// Domains whose addresses it may vouch for (generic OpenID Connect only).
    pub trusted_domains: Vec<String>,
}

impl Provider {
    /// Whether an answer that names `issuer` is this provider's (RFC 9207). GitHub names its authorization server, which is
    /// below its own name.
    pub fn answers_as(&self, issuer: &str) -> bool {
        let below = || issuer.strip_suffix("/login/oauth").is_some_and(|base| base == self.issuer);
        issuer == self.issuer || self.kind == ProviderKind::GitHub && below()
    }
}

/// What is special about a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// OpenID Connect; addresses of its own and of organisations count as proved.
    Google,
    /// OAuth without an ID token.
    GitHub,
    /// OpenID Connect that answers by a form from its own site.
    Apple(AppleKey),
    /// OpenID Connect.
    Oidc,
}

/// What makes Apple's client secret.
#[derive(Clone, Debug)]
pub struct AppleKey {
    /// Of the developer account.
    pub team_id: String,
    /// Of the key.
    pub key_id: String,
    /// P-256, PEM.
    pub private_key: Secret<String>,
}

impl PartialEq for AppleKey {
    fn eq(&self, other: &Self) -> bool {
        self.team_id == other.team_id && self.key_id == other.key_id
    }
}

impl Eq for AppleKey {}

/// `[factors]`.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    /// Who must have one.
    pub required: FactorsRequired,
}

/// `factors.required`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorsRequired {
    /// Whoever runs the appliance.
    Operators,
    /// Everybody.
    Everybody,
}
