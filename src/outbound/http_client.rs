//! The only HTTP client: it calls only hosts that are declared in `[[egress]]`, only over TLS and only at checked
//! addresses, follows no redirects, uses no proxy from the environment, and limits the time and the size of an answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};

use super::addresses::is_public;
use super::documents::Documents;
use super::trust::Authorities;
use crate::base::seconds;
use crate::config::Config;

/// The maximum duration of a call, from the name resolution to the last byte.
const CALL_TIMEOUT: Duration = seconds(10);
/// The maximum duration of the connection setup.
const CONNECT_TIMEOUT: Duration = seconds(5);
/// The maximum size of an answer in bytes. The answers that we expect are much smaller.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// The HTTP client, see the module. It is built when the first call is made.
pub struct HttpClient {
    declared: Arc<EgressHosts>,
    client: OnceLock<Result<Client, CallError>>,
    pub(super) documents: Documents,
}

/// The answer to a call, with any status. A redirect is returned like every other answer.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Reply {
    pub status: u16,
    /// At most 256 KiB.
    pub body: Vec<u8>,
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
    /// The name resolves to a private address that is not in `[[egress]]` itself.
    #[error(
        "{host} resolves to {address}, which is not a public address. If that is intended, also add a table [[egress]] \
         with host = \"{address}\""
    )]
    #[allow(missing_docs)]
    Private { host: String, address: IpAddr },
    /// The machine has no list of certificate authorities, or the list cannot be read.
    #[error("this machine's certificate authorities cannot be read: install ca-certificates ({0})")]
    Authorities(String),
    /// No answer in time.
    #[error("there was no answer within 10 seconds")]
    TooSlow,
    /// The answer is longer than 256 KiB.
    #[error("the answer is longer than 256 KiB")]
    TooLong,
    /// The connection, the certificate or the protocol failed.
    #[error("the call failed: {0}")]
    Failed(String),
}

/// The hosts of `[[egress]]`.
struct EgressHosts(Vec<String>);

impl EgressHosts {
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

/// The address in a host, if the host is an address and not a name. URLs put brackets around IPv6 addresses.
fn parse_ip_literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || parse_ip_literal(host).is_some_and(|address| address.is_loopback())
}

impl HttpClient {
    /// A client for the hosts that the configuration declares. It does not connect yet.
    pub fn new(config: &Config) -> Self {
        let hosts = config.egress.iter().map(|entry| entry.host.clone()).collect();
        Self { declared: Arc::new(EgressHosts(hosts)), client: OnceLock::new(), documents: Documents::default() }
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

    async fn call(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        form: Option<&[(&str, &str)]>,
    ) -> Result<Reply, CallError> {
        let url = self.allowed(url)?;
        let client = self.client.get_or_init(|| build(self.declared.clone())).as_ref().map_err(Clone::clone)?;
        let mut request = client.request(method, url).header(ACCEPT, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(form) = form {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(encode(form));
        }
        let mut response = request.send().await.map_err(|error| call_error(&error))?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| call_error(&error))? {
            if body.len() + piece.len() > BODY_BYTES_MAX {
                return Err(CallError::TooLong);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Reply { status: response.status().as_u16(), body })
    }

    /// Checks whether the URL may be called. An address instead of a host name is checked here, because it is never
    /// resolved.
    fn allowed(&self, text: &str) -> Result<Url, CallError> {
        let url = Url::parse(text).map_err(|_| CallError::Address(text.to_owned()))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_this_machine(&host);
        if host.is_empty() || !is_safe || !url.username().is_empty() || url.password().is_some() {
            return Err(CallError::Address(text.to_owned()));
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if !self.declared.has(&host) && !self.declared.has(bare) {
            return Err(CallError::Undeclared(bare.to_owned()));
        }
        Ok(url)
    }
}

fn build(declared: Arc<EgressHosts>) -> Result<Client, CallError> {
    let authorities = Authorities::of_system().map_err(CallError::Authorities)?;
    Client::builder()
        .tls_backend_preconfigured(authorities.client_config())
        .user_agent(concat!("Domicile/", env!("CARGO_PKG_VERSION")))
        .timeout(CALL_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .dns_resolver(AllowedResolver(declared))
        .build()
        .map_err(|error| CallError::Failed(root_cause(&error)))
}

/// Resolves names and returns only allowed addresses. The client connects to these addresses, so a name cannot resolve
/// to another one after the check (DNS rebinding).
struct AllowedResolver(Arc<EgressHosts>);

/// An address that [`AllowedResolver`] refused, inside the client's own error type.
#[derive(Debug, thiserror::Error)]
#[error("the address is not allowed")]
struct NotAllowed(CallError);

impl Resolve for AllowedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let declared = self.0.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let resolved: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
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
        let resolver = AllowedResolver(Arc::new(declared(&["10.0.0.5"])));
        let refused = resolver.resolve("10.0.0.6".parse().unwrap()).await.err().unwrap();

        let expected = CallError::Private { host: "10.0.0.6".into(), address: "10.0.0.6".parse().unwrap() };
        assert_eq!(refusal_in(refused.as_ref()), Some(expected.clone()));
        assert!(expected.to_string().contains("[[egress]]"));
        assert!(resolver.resolve("10.0.0.5".parse().unwrap()).await.is_ok());
    }

    #[test]
    fn forms_are_encoded() {
        assert_eq!(encode(&[("a", "x y&z"), ("b", "é")]), "a=x+y%26z&b=%C3%A9");
    }
}
