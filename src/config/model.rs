//! The settings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::listen::Listen;
use super::plans::Plan;
use super::relay::Relay;
use super::site::SiteInfo;
use crate::base::{Credits, ScopeTable, Secret, Timestamp};

/// All settings of an appliance.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Config {
    /// The region all data stays in.
    pub region: String,
    /// The base of all links and the origin of the cookie, without a slash at the end.
    pub public_url: String,
    pub data_dir: PathBuf,
    /// The keyring file, outside the data folder.
    pub keyring: PathBuf,
    pub listen: Listen,
    pub log: Log,
    pub signup: Signup,
    pub session: Session,
    pub mail: Mail,
    pub api_keys: ApiKeys,
    pub billing: Billing,
    /// Appliances in other regions, offered at sign-up.
    pub regions: Vec<Sibling>,
    /// The only hosts that the server may call.
    pub egress: Vec<Egress>,
    pub forward_auth: ForwardAuth,
    pub snapshot: Snapshot,
    pub prices: Vec<Price>,
    /// What workspaces may have. At least the free plan.
    pub plans: Vec<Plan>,
    /// The scopes a key can have.
    pub scopes: ScopeTable,
    pub privacy: Privacy,
    pub passwords: Passwords,
    pub tokens: Tokens,
    /// Providers that people can sign in with, in the order of their buttons.
    pub oauth: Vec<Provider>,
    pub factors: Factors,
    pub site: SiteInfo,
    /// Variables that look like settings and are none: links of services that Kubernetes and Docker set.
    pub ignored: Vec<String>,
    /// A temporary appliance of `domicile demo`. Never set by a file.
    pub demo: bool,
    /// Every setting as it was written, as a digest: to tell which ones differ. See [`Config::changed`].
    pub(super) written: BTreeMap<String, u64>,
}

impl Config {
    /// The names of the settings that are written differently in `other`, in alphabetical order.
    pub fn changed(&self, other: &Self) -> Vec<String> {
        let names: BTreeSet<_> = self.written.keys().chain(other.written.keys()).collect();
        let differs = |name: &&&String| self.written.get(**name) != other.written.get(**name);
        names.iter().filter(differs).map(|name| (*name).clone()).collect()
    }
}

/// `[log]`.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

/// `log.level`: what this program logs. Libraries log their warnings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// What needs an operator.
    Error,
    /// Also what may become a fault.
    Warn,
    /// Also what happens, and security events.
    #[default]
    Info,
    /// Also each refused request.
    Debug,
}

impl LogLevel {
    /// The word in the settings and in a filter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// `log.format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A sentence with fields.
    #[default]
    Text,
    /// One JSON object for each event.
    Json,
}

impl LogFormat {
    /// The word in the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// `[signup]`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Signup {
    pub mode: SignupMode,
    /// For [`SignupMode::Domains`]: the domains, in lower case.
    pub domains: Vec<String>,
}

/// `signup.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignupMode {
    /// Everyone may sign up.
    Open,
    /// People with an address at one of the domains.
    Domains,
    /// People with an invitation.
    Invite,
    /// No sign-up; accounts are created at the command line. The operator's link and invitations work in every mode.
    Closed,
}

/// `[session]`.
#[derive(Clone, Debug)]
pub struct Session {
    /// A session ends after this time without a request.
    pub idle_timeout: Duration,
    /// A session ends after this time in any case.
    pub absolute_timeout: Duration,
    /// Replaces both, for people who chose to stay signed in.
    pub remember_for: Duration,
    /// How long step-up lasts. After it, sensitive actions ask for a new proof (safety S3). 2 to 60 minutes.
    pub step_up_after: Duration,
}

impl Session {
    /// Whether a proof of identity is recent enough for a sensitive action.
    pub fn is_fresh(&self, proved_at: Timestamp, now: Timestamp) -> bool {
        now.since(proved_at) < self.step_up_after
    }
}

/// `[mail]`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Mail {
    pub transport: MailTransport,
    /// The sender, for example `Domicile <account@example.org>`.
    pub from: String,
}

/// `mail.transport`.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// An SMTP relay.
    Smtp(Box<Relay>),
    /// A folder that gets one `.eml` file per mail.
    Directory(PathBuf),
    /// Only a line in the log; no mail is sent.
    Log,
}

/// Whether API keys can have this prefix: a short word, and not the prefix of the credentials of services.
pub fn is_key_prefix(text: &str) -> bool {
    let has_letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let begins_well = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    has_letters && begins_well && (2..=8).contains(&text.len()) && text != "dos"
}

/// `[api_keys]`.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    /// The beginning of every key, without the underscore.
    pub prefix: String,
    /// The maximum lifetime of new keys. `None`: keys need not expire.
    pub max_lifetime: Option<Duration>,
    /// Whether a key can be shown again after it was created.
    pub reveal: Reveal,
    /// What happens to a key that is reported as found in public.
    pub on_exposure: OnExposure,
    /// Requests a minute for each key without its own rate. Counted for the routes of key holders, for gateways and for
    /// the token exchange. `None`: no limit.
    pub rate_per_minute: Option<u32>,
}

/// `api_keys.reveal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reveal {
    /// The key is shown once and not stored.
    Once,
    /// The owner can see it again after step-up. It is stored sealed.
    Owner,
}

/// `api_keys.on_exposure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExposure {
    /// The key is blocked until its owner restores it, and revoked after a day.
    Quarantine,
    /// The key is revoked at once.
    Revoke,
    /// Only the owner is notified.
    Notify,
}

/// `[billing]`.
#[derive(Clone, Debug)]
pub struct Billing {
    /// ISO 4217, lower case.
    pub currency: String,
    /// Credit for every new account. May be zero.
    pub signup_credit: Credits,
    /// Owners get a mail when their balance falls below it. Zero: never.
    pub low_balance: Credits,
    /// Whether credit that is paid for from now on can expire.
    pub paid_credit_expires: bool,
}

/// `[[regions]]`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Sibling {
    pub name: String,
    /// The name that people see.
    pub label: String,
    /// The `public_url` of that appliance.
    pub url: String,
}

/// `[[egress]]`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Egress {
    pub host: String,
    pub region: String,
    pub purpose: String,
}

impl Egress {
    /// Whether services may have their webhooks sent there.
    pub fn is_for_webhooks(&self) -> bool {
        ["webhooks", "webhook"].contains(&self.purpose.trim())
    }
}

/// `[forward_auth]`.
#[derive(Clone, Debug)]
pub struct ForwardAuth {
    /// Networks of gateways that may ask without a service credential. Behind a trusted proxy, its visitor has to be in one.
    pub allow: Vec<IpNet>,
}

/// `[snapshot]`.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// How often the database is published, if it has changed.
    pub interval: Duration,
}

/// `[[prices]]`.
#[derive(Clone, Debug)]
pub struct Price {
    /// The identifier of what is used.
    pub sku: String,
    /// The unit that a quantity counts.
    pub unit: String,
    /// Credits per unit.
    pub price: Credits,
    #[allow(missing_docs)]
    pub category: UsageCategory,
}

/// What something that has a price is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageCategory {
    /// Training.
    #[default]
    Training,
    /// Deployments.
    Deployment,
    /// Annotation.
    Annotation,
}

impl UsageCategory {
    /// The name in settings, in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Deployment => "deployment",
            Self::Annotation => "annotation",
        }
    }

    /// Parses the name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Training, Self::Deployment, Self::Annotation].into_iter().find(|category| category.as_str() == text)
    }
}

/// `[privacy]`.
#[derive(Clone, Debug)]
pub struct Privacy {
    /// How long a finished export can be downloaded.
    pub export_keep: Duration,
}

/// `[passwords]`.
#[derive(Clone, Debug)]
pub struct Passwords {
    /// Minimum number of characters: 15 or more, unless everyone must have a second factor.
    pub min_length: usize,
    /// Memory of a new hash, in KiB. A hash that costs less is replaced when its owner signs in.
    pub memory_kib: u32,
    /// Passes over this memory.
    pub passes: u32,
}

/// `[tokens]`.
#[derive(Clone, Copy, Debug)]
pub struct Tokens {
    /// How long an access token is valid: 1 to 15 minutes.
    pub lifetime: Duration,
    /// How long a signing key is used: at least two days, because the next key is published a day before it signs.
    pub rotate_every: Duration,
}

/// `[oauth.google]`, `[oauth.apple]`, `[oauth.github]`, `[oauth.oidc.<name>]`.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The name in paths and settings: `google`, `apple`, `github`, or one that the admin chose.
    pub name: String,
    /// The name on buttons.
    pub label: String,
    /// The protocol variant.
    pub kind: ProviderKind,
    /// The identifier of this appliance at the provider.
    pub client_id: String,
    /// The secret for `client_id`. Empty for Apple, whose secrets are made with a key.
    pub client_secret: Secret<String>,
    /// The exact issuer. Together with a subject, it identifies a person at the provider.
    pub issuer: String,
    /// The authorization endpoint. `None`: from the provider's metadata.
    pub authorize_url: Option<String>,
    /// The token endpoint. `None`: from the provider's metadata.
    pub token_url: Option<String>,
    /// The API of GitHub. `None` for other providers.
    pub api_url: Option<String>,
    /// The key set. `None`: from the provider's metadata.
    pub jwks_url: Option<String>,
    /// The OAuth scopes. Empty: only the necessary ones.
    pub scopes: Vec<String>,
    /// Only people of these domains may sign in. Empty: everyone.
    pub allowed_domains: Vec<String>,
    /// Domains for which an address that the provider calls verified needs no code (generic OpenID Connect only).
    pub trusted_domains: Vec<String>,
    /// Whether every address of the provider counts as verified, whatever it says (generic OpenID Connect only).
    pub trust_emails: bool,
    /// What ID tokens may name besides this client (`aud`, generic OpenID Connect only).
    pub trusted_audiences: Vec<String>,
    /// How the client secret is sent. `None`: as the metadata says.
    pub client_auth: Option<ClientAuth>,
}

impl Provider {
    /// Whether `issuer` in an ID token is this provider. Google is documented to write its name without `https://` too
    /// (developers.google.com/identity/openid-connect/reference).
    pub fn issues_as(&self, issuer: &str) -> bool {
        let is_google = || self.kind == ProviderKind::Google && self.issuer == "https://accounts.google.com";
        issuer == self.issuer || issuer == "accounts.google.com" && is_google()
    }

    /// Whether `issuer` in an authorization response is this provider (RFC 9207). GitHub sends the URL of its
    /// authorization server, which is below its own.
    pub fn accepts_issuer(&self, issuer: &str) -> bool {
        let below = || issuer.strip_suffix("/login/oauth").is_some_and(|base| base == self.issuer);
        issuer == self.issuer || self.kind == ProviderKind::GitHub && below()
    }
}

/// How a client secret is sent to the token endpoint (RFC 6749 §2.3.1, OpenID Connect Core §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_secret_basic`: in the `Authorization` header.
    Basic,
    /// `client_secret_post`: in the form.
    Post,
}

impl ClientAuth {
    /// The name that the standard gives it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }
}

/// The protocol variant of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// OpenID Connect. Addresses of Google itself and of its organisations count as verified.
    Google,
    /// OAuth 2.0 without an ID token.
    GitHub,
    /// OpenID Connect that returns by a form from its own site.
    Apple(AppleKey),
    /// OpenID Connect.
    Oidc,
}

/// The key that makes client secrets for Apple.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct AppleKey {
    /// The id of the developer account.
    pub team_id: String,
    pub key_id: String,
    /// A P-256 key in PEM.
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
    /// Who must have a second factor.
    pub required: FactorsRequired,
}

/// `factors.required`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorsRequired {
    /// The people who run the appliance.
    Operators,
    /// All people.
    Everybody,
}
