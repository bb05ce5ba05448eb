//! The only HTTP client: it calls only hosts that are declared in `[[egress]]`, only over TLS and only at checked
//! addresses, follows no redirects, uses no proxy from the environment, and limits the time and the size of an answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, Url};

use super::addresses::is_public;
use super::documents::Documents;
use super::trust::Authorities;
use crate::base::seconds;
use crate::config::Config;

/// The maximum duration of a call, from the name resolution to the last byte.
const CALL_TIMEOUT: Duration = seconds(10);
/// The maximum duration of the connection setup.
const CONNECT_TIMEOUT: Duration = seconds(5);
/// The maximum size of an answer in KiB. The answers that we expect are much smaller.
const BODY_KIB_MAX: usize = 256;
/// The maximum size of the answer to a webhook in KiB. Only its status counts.
const WEBHOOK_KIB_MAX: usize = 64;

/// The HTTP client, see the module. It is built when the first call is made.
pub struct HttpClient {
    calls: Caller,
    /// Services choose the addresses of webhooks, so these reach only what is declared for them.
    webhooks: Caller,
    pub(super) documents: Documents,
}

/// A client and the hosts that it may call.
struct Caller {
    declared: Arc<EgressHosts>,
    lookup: Lookup,
    client: OnceLock<Result<Client, CallError>>,
}

/// The answer to a call, with any status. A redirect is returned like every other answer.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Reply {
    pub status: u16,
    /// At most 256 KiB.
    pub body: Vec<u8>,
    /// How long the other machine asks us to wait (RFC 9110 §10.2.3), in whole seconds. `None`: it does not say, or gives a date.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer. It contains no text from the other machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The address is not an https URL.
    #[error("{0} cannot be called: it must begin with https:// and name a host")]
    Address(String),
    /// The host is not in `[[egress]]`.
    #[error("{0} is not declared. Add a table [[egress]] with host = \"{0}\", its region and its purpose")]
    Undeclared(String),
    /// The host is not in `[[egress]]` with the purpose of webhooks.
    #[error(
        "{0} is not declared for webhooks. Add a table [[egress]] with host = \"{0}\", its region and purpose = \"webhooks\""
    )]
    NotForWebhooks(String),
    /// The name resolves to a private address that is not in `[[egress]]` itself.
    #[error(
        "{host} resolves to {address}, which is not a public address. If that is intended, also add a table [[egress]] \
         with host = \"{address}\""
    )]
    #[allow(missing_docs)]
    Private { host: String, address: IpAddr },
    /// As [`CallError::Private`], of a webhook: the address has to be declared for webhooks.
    #[error(
        "{host} resolves to {address}, which is not a public address. If that is intended, also add a table [[egress]] \
         with host = \"{address}\", its region and purpose = \"webhooks\""
    )]
    #[allow(missing_docs)]
    PrivateForWebhooks { host: String, address: IpAddr },
    /// The machine has no list of certificate authorities, or the list cannot be read.
    #[error("this machine's certificate authorities cannot be read: install ca-certificates ({0})")]
    Authorities(String),
    /// No answer in time.
    #[error("there was no answer within 10 seconds")]
    TooSlow,
    /// The answer is longer than so many KiB.
    #[error("the answer is longer than {0} KiB")]
    TooLong(usize),
    /// The connection, the certificate or the protocol failed.
    #[error("the call failed: {0}")]
    Failed(String),
}

/// A webhook without a complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct FailedPost {
    /// The status, if at least the head of the answer arrived.
    pub status: Option<u16>,
    pub error: CallError,
}

/// Whether a webhook may be sent to this address. Services choose the address, so its host has to be declared for webhooks, also if
/// it is this machine, and whatever else it is declared for.
///
/// # Errors
/// [`CallError::Address`], [`CallError::NotForWebhooks`].
pub fn check_webhook_url(config: &Config, url: &str) -> Result<(), CallError> {
    EgressHosts::of_webhooks(config).allowed_webhook(url).map(drop)
}

/// The hosts of `[[egress]]`.
struct EgressHosts(Vec<String>);

impl EgressHosts {
    fn of(config: &Config) -> Self {
        Self(config.egress.iter().map(|entry| entry.host.clone()).collect())
    }

    fn of_webhooks(config: &Config) -> Self {
        Self(config.egress.iter().filter(|entry| entry.is_for_webhooks()).map(|entry| entry.host.clone()).collect())
    }

    /// Checks whether the URL may be called. An address instead of a host name is checked here, because it is never
    /// resolved.
    fn allowed(&self, text: &str) -> Result<Url, CallError> {
        let url = Url::parse(text).map_err(|_| CallError::Address(text.to_owned()))?;
        let host = url.host_str().unwrap_or_default();
        let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_this_machine(host);
        if host.is_empty() || !is_safe || !url.username().is_empty() || url.password().is_some() {
            return Err(CallError::Address(text.to_owned()));
        }
        if !self.has(host) && !self.has(bare(host)) {
            return Err(CallError::Undeclared(bare(host).to_owned()));
        }
        Ok(url)
    }

    /// As [`EgressHosts::allowed`], for an address that another program chose.
    fn allowed_webhook(&self, text: &str) -> Result<Url, CallError> {
        let url = self.allowed(text).map_err(|error| match error {
            CallError::Undeclared(host) => CallError::NotForWebhooks(host),
            other => other,
        })?;
        let host = url.host_str().unwrap_or_default();
        let is_declared = self.0.iter().any(|known| known == host || known == bare(host));
        if is_declared { Ok(url) } else { Err(CallError::NotForWebhooks(bare(host).to_owned())) }
    }

    /// Whether a host may be called: it is declared, or it is this machine.
    fn has(&self, host: &str) -> bool {
        is_this_machine(host) || self.0.iter().any(|known| known == host)
    }

    /// Whether a name may resolve to an address: to a public one, or to one that is declared itself. The names of this
    /// machine may resolve only to loopback addresses.
    fn may_resolve_to(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if is_this_machine(host) {
            return address.is_loopback();
        }
        is_public(address) || self.0.iter().any(|known| parse_ip_literal(known) == Some(address))
    }
}

/// A host without the brackets that URLs put around IPv6 addresses.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// The address in a host, if the host is an address and not a name.
fn parse_ip_literal(host: &str) -> Option<IpAddr> {
    bare(host).parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || parse_ip_literal(host).is_some_and(|address| address.is_loopback())
}

impl HttpClient {
    /// A client for the hosts that the configuration declares. It does not connect yet.
    pub fn new(config: &Config) -> Self {
        let lookup: Lookup = Arc::new(|host| Box::pin(system_lookup(host)));
        Self {
            calls: Caller::new(EgressHosts::of(config), lookup.clone()),
            webhooks: Caller::new(EgressHosts::of_webhooks(config), lookup),
            documents: Documents::default(),
        }
    }

    /// Sends a GET request.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Reply, CallError> {
        self.call(Method::GET, url, headers, None).await
    }

    /// Sends a form in a POST request.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn post(&self, url: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Result<Reply, CallError> {
        self.call(Method::POST, url, headers, Some(form)).await
    }

    /// Sends a webhook: JSON in a POST request, to an address that another program chose. The answer has at most 64 KiB.
    ///
    /// # Errors
    /// [`FailedPost`].
    pub async fn post_webhook(&self, url: &str, headers: &[(&str, &str)], body: String) -> Result<Reply, FailedPost> {
        let url = self.webhooks.declared.allowed_webhook(url)?;
        let request =
            self.webhooks.request(Method::POST, url, headers)?.header(CONTENT_TYPE, "application/json").body(body);
        let response = request.send().await.map_err(|error| match call_error(&error) {
            CallError::Private { host, address } => CallError::PrivateForWebhooks { host, address },
            other => other,
        })?;
        let status = Some(response.status().as_u16());
        read_reply(response, WEBHOOK_KIB_MAX).await.map_err(|error| FailedPost { status, error })
    }

    async fn call(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        form: Option<&[(&str, &str)]>,
    ) -> Result<Reply, CallError> {
        let mut request = self.calls.request(method, self.calls.declared.allowed(url)?, headers)?;
        if let Some(form) = form {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(encode(form));
        }
        let response = request.send().await.map_err(|error| call_error(&error))?;
        read_reply(response, BODY_KIB_MAX).await
    }
}

impl Caller {
    fn new(declared: EgressHosts, lookup: Lookup) -> Self {
        Self { declared: Arc::new(declared), lookup, client: OnceLock::new() }
    }

    /// A request to an address that was checked.
    fn request(&self, method: Method, url: Url, headers: &[(&str, &str)]) -> Result<RequestBuilder, CallError> {
        let client = self.client.get_or_init(|| build(self.resolver())).as_ref().map_err(Clone::clone)?;
        let request = client.request(method, url).header(ACCEPT, "application/json");
        Ok(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
    }

    fn resolver(&self) -> AllowedResolver {
        AllowedResolver { declared: self.declared.clone(), lookup: self.lookup.clone() }
    }
}

impl From<CallError> for FailedPost {
    fn from(error: CallError) -> Self {
        Self { status: None, error }
    }
}

async fn read_reply(mut response: Response, kib_max: usize) -> Result<Reply, CallError> {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| call_error(&error))? {
        if body.len() + piece.len() > kib_max * 1024 {
            return Err(CallError::TooLong(kib_max));
        }
        body.extend_from_slice(&piece);
    }
    Ok(Reply { status: response.status().as_u16(), body, retry_after: retry_after.map(Duration::from_secs) })
}

fn build(resolver: AllowedResolver) -> Result<Client, CallError> {
    let authorities = Authorities::of_system().map_err(CallError::Authorities)?;
    Client::builder()
        .tls_backend_preconfigured(authorities.client_config())
        .user_agent(concat!("Domicile/", env!("CARGO_PKG_VERSION")))
        .timeout(CALL_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .dns_resolver(resolver)
        .build()
        .map_err(|error| CallError::Failed(root_cause(&error)))
}

/// Resolves names and returns only allowed addresses. The client connects to these addresses, so a name cannot resolve
/// to another one after the check (DNS rebinding).
struct AllowedResolver {
    declared: Arc<EgressHosts>,
    lookup: Lookup,
}

/// Asks for the addresses of a host: the resolver of the system, or that of a test.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync>;

async fn system_lookup(host: String) -> std::io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host.as_str(), 0)).await?.collect())
}

/// An address that [`AllowedResolver`] refused, inside the client's own error type.
#[derive(Debug, thiserror::Error)]
#[error("the address is not allowed")]
struct NotAllowed(CallError);

impl Resolve for AllowedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let declared = self.declared.clone();
        let host = name.as_str().to_owned();
        let lookup = (self.lookup)(host.clone());
        Box::pin(async move {
            let resolved = lookup.await?;
            let allowed: Vec<SocketAddr> =
                resolved.iter().copied().filter(|one| declared.may_resolve_to(&host, one.ip())).collect();
            match (allowed.is_empty(), resolved.first()) {
                (true, Some(refused)) => {
                    // Not boxed here: the error of a box inside a box is never found again.
                    Err(NotAllowed(CallError::Private { host, address: refused.ip() }).into())
                }
                (_, _) => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// Finds the reason inside the client's error. The text names only the machine that was called.
fn call_error(error: &reqwest::Error) -> CallError {
    match refusal_in(error) {
        Some(reason) => reason,
        None if error.is_timeout() => CallError::TooSlow,
        None => CallError::Failed(root_cause(error)),
    }
}

/// What [`AllowedResolver`] says, anywhere inside an error.
fn refusal_in(error: &(dyn std::error::Error + 'static)) -> Option<CallError> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(NotAllowed(reason)) = inner.downcast_ref() {
            return Some(reason.clone());
        }
        cause = inner.source();
    }
    None
}

/// The innermost cause of an error, which is the most specific one.
fn root_cause(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(inner) = last.source() {
        last = inner;
    }
    last.to_string()
}

/// `application/x-www-form-urlencoded` (WHATWG URL §5.2).
fn encode(form: &[(&str, &str)]) -> String {
    reqwest::Url::parse_with_params("form:", form)
        .ok()
        .and_then(|url| url.query().map(str::to_owned))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn declared(hosts: &[&str]) -> EgressHosts {
        EgressHosts(hosts.iter().map(|host| (*host).to_owned()).collect())
    }

    #[test]
    fn a_name_may_resolve_to_public_and_to_declared_addresses() {
        let may =
            |hosts: &[&str], host: &str, address: &str| declared(hosts).may_resolve_to(host, address.parse().unwrap());
        assert!(may(&["idp.example"], "idp.example", "93.184.216.34"));
        for inside in ["10.0.0.5", "127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.5"] {
            assert!(!may(&["idp.example"], "idp.example", inside), "{inside}");
        }
        assert!(may(&["idp.example", "10.0.0.5"], "idp.example", "10.0.0.5"));
        assert!(!may(&["idp.example", "10.0.0.5"], "idp.example", "10.0.0.6"));
        assert!(may(&[], "localhost", "127.0.0.1"));
        assert!(!may(&[], "localhost", "93.184.216.34"), "the name of this machine resolves to this machine only");
    }

    #[tokio::test]
    async fn the_hint_about_a_private_address_is_found_inside_the_error() {
        // An address is its own name, so no name server is asked.
        let client = Caller::new(declared(&["10.0.0.5"]), Arc::new(|host| Box::pin(system_lookup(host))));
        let resolver = client.resolver();
        let refused = resolver.resolve("10.0.0.6".parse().unwrap()).await.err().unwrap();

        let expected = CallError::Private { host: "10.0.0.6".into(), address: "10.0.0.6".parse().unwrap() };
        assert_eq!(refusal_in(refused.as_ref()), Some(expected.clone()));
        assert!(expected.to_string().contains("[[egress]]"));
        assert!(resolver.resolve("10.0.0.5".parse().unwrap()).await.is_ok());
    }

    /// A resolver that answers the first question with a public address and all others with one of this machine.
    fn rebinding(port: u16, questions: Arc<AtomicU32>) -> Lookup {
        Arc::new(move |_| {
            let ip: IpAddr = match questions.fetch_add(1, Ordering::SeqCst) {
                0 => [93, 184, 216, 34].into(),
                _ => [127, 0, 0, 1].into(),
            };
            Box::pin(async move { Ok(vec![SocketAddr::new(ip, port)]) })
        })
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_after_the_check_reaches_nothing() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let questions = Arc::new(AtomicU32::new(0));
        let caller = || Caller::new(declared(&["service.example"]), rebinding(port, questions.clone()));
        let client = HttpClient { calls: caller(), webhooks: caller(), documents: Documents::default() };
        // The client connects to what this returns, and asks nobody else.
        let checked: Vec<_> =
            client.webhooks.resolver().resolve("service.example".parse().unwrap()).await.unwrap().collect();
        assert_eq!(checked, [SocketAddr::from(([93, 184, 216, 34], port))]);

        let called = client.post_webhook(&format!("https://service.example:{port}/"), &[], "{}".into()).await;

        let refused = CallError::PrivateForWebhooks { host: "service.example".into(), address: [127, 0, 0, 1].into() };
        assert!(refused.to_string().contains("purpose = \"webhooks\""), "{refused}");
        assert_eq!(called.map(|reply| reply.status), Err(FailedPost::from(refused)));
        assert_eq!(questions.load(Ordering::SeqCst), 2, "one call asks once");
        assert!(listener.accept().is_err(), "nobody has connected");
    }

    #[tokio::test]
    async fn of_several_addresses_only_the_allowed_ones_are_used() {
        let answer = |_| -> BoxFuture<'static, _> {
            let addresses = ["10.0.0.1:1", "93.184.216.34:1", "[::1]:1", "[2606:4700::1]:1"];
            Box::pin(async move { Ok(addresses.map(|address| address.parse().unwrap()).to_vec()) })
        };
        let client = Caller::new(declared(&["service.example"]), Arc::new(answer));
        let found = client.resolver().resolve("service.example".parse().unwrap()).await.unwrap();
        let found: Vec<_> = found.map(|address| address.to_string()).collect();
        assert_eq!(found, ["93.184.216.34:1", "[2606:4700::1]:1"]);
    }

    #[test]
    fn forms_are_encoded() {
        assert_eq!(encode(&[("a", "x y&z"), ("b", "é")]), "a=x+y%26z&b=%C3%A9");
    }
}
