//! The one client for calls over HTTP: only declared hosts, only TLS, only addresses that were looked at, no redirects, no
//! proxy from the environment, an end in time and in bytes.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};

use super::addresses::is_public;
use super::documents::Documents;
use crate::base::seconds;
use crate::config::Config;

/// One call, from the look-up of the name to the last byte.
const CALL_TIMEOUT: Duration = seconds(10);
/// Until the other machine answers the connection.
const CONNECT_TIMEOUT: Duration = seconds(5);
/// More than this is no answer that we asked for.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// See the module. Costs nothing until the first call.
pub struct Caller {
    declared: Arc<Declared>,
    client: OnceLock<Result<Client, CallError>>,
    pub(super) documents: Documents,
}

/// What came back, whatever the status; a redirect is an answer like another.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// 256 KiB at most.
    pub body: Vec<u8>,
}

/// Why there is no answer. Nothing in it was said by the other machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The address cannot be called: not a URL, or not https.
    #[error("{0} cannot be called: it must begin with https:// and name a host")]
    Address(String),
    /// The host is not in `[[egress]]`.
    #[error("{0} is not declared. Add a table [[egress]] with host = \"{0}\", its region and its purpose")]
    Undeclared(String),
    /// The name leads to an address of a private network that is not in `[[egress]]` itself.
    #[error(
        "{host} leads to {address}, which is not public. If that is right, add a table [[egress]] with host = \"{address}\", too"
    )]
    Private {
        /// The name.
        host: String,
        /// Where it leads.
        address: IpAddr,
    },
    /// The system has no list of certificate authorities, or it cannot be read.
    #[error("this machine's certificate authorities cannot be read: install ca-certificates ({0})")]
    Authorities(String),
    /// No answer in time.
    #[error("there was no answer in time")]
    TooSlow,
    /// The answer is longer than 256 KiB.
    #[error("the answer is too long")]
    TooLong,
    /// The connection, the certificate or the protocol failed.
    #[error("the call failed: {0}")]
    Failed(String),
}

/// The hosts of `[[egress]]`.
struct Declared(Vec<String>);

impl Declared {
    /// A host may be called when it is written down, or is this machine itself.
    fn has(&self, host: &str) -> bool {
        is_this_machine(host) || self.0.iter().any(|known| known == host)
    }

    /// A name leads to the public network, unless the address itself is written down; this machine's own name leads to it
    /// and nowhere else.
    fn may_lead_to(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if is_this_machine(host) {
            return address.is_loopback();
        }
        is_public(address) || self.0.iter().any(|known| literal(known) == Some(address))
    }
}

/// An address written as a host: as it is, or in the brackets that URLs have around IPv6.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || literal(host).is_some_and(|address| address.is_loopback())
}

impl Caller {
    /// A client for the hosts that the configuration declares. Opens no connection.
    pub fn new(config: &Config) -> Self {
        let hosts = config.egress.iter().map(|line| line.host.clone()).collect();
        Self { declared: Arc::new(Declared(hosts)), client: OnceLock::new(), documents: Documents::default() }
    }

    /// Asks for `url`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Reply, CallError> {
        self.call(Method::GET, url, headers, None).await
    }

    /// Sends a form.
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
        let mut response = request.send().await.map_err(|error| told(&error))?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| told(&error))? {
            if body.len() + piece.len() > BODY_BYTES_MAX {
                return Err(CallError::TooLong);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Reply { status: response.status().as_u16(), body })
    }

    /// Whether the URL may be called at all. An address in place of a name is not looked up, so it is looked at here.
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

fn build(declared: Arc<Declared>) -> Result<Client, CallError> {
    // Done by the program at its start; a second time changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("Domicile/", env!("CARGO_PKG_VERSION")))
        .timeout(CALL_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .dns_resolver(Guard(declared))
        .build()
        .map_err(|error| CallError::Authorities(chain(&error)))
}

/// Looks names up and lets only allowed addresses through; the connection goes to what was looked at, so that a name cannot
/// mean something else a moment later.
struct Guard(Arc<Declared>);

/// What [`Guard`] refuses, on its way through the client's own errors.
#[derive(Debug, thiserror::Error)]
#[error("the address is not allowed")]
struct NotAllowed(CallError);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let declared = self.0.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                found.iter().copied().filter(|one| declared.may_lead_to(&host, one.ip())).collect();
            match (allowed.is_empty(), found.first()) {
                (true, Some(refused)) => {
                    Err(Box::new(NotAllowed(CallError::Private { host, address: refused.ip() })).into())
                }
                (_, _) => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// The reason inside the client's error. Its words name no more than the machine that was called.
fn told(error: &reqwest::Error) -> CallError {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(NotAllowed(reason)) = inner.downcast_ref() {
            return reason.clone();
        }
        cause = inner.source();
    }
    if error.is_timeout() { CallError::TooSlow } else { CallError::Failed(chain(error)) }
}

/// The last cause says most.
fn chain(error: &reqwest::Error) -> String {
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

    fn declared(hosts: &[&str]) -> Declared {
        Declared(hosts.iter().map(|host| (*host).to_owned()).collect())
    }

    #[test]
    fn a_name_leads_to_the_public_network_or_to_what_is_written_down() {
        let may =
            |hosts: &[&str], host: &str, address: &str| declared(hosts).may_lead_to(host, address.parse().unwrap());
        assert!(may(&["idp.example"], "idp.example", "93.184.216.34"));
        for inside in ["10.0.0.5", "127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.5"] {
            assert!(!may(&["idp.example"], "idp.example", inside), "{inside}");
        }
        assert!(may(&["idp.example", "10.0.0.5"], "idp.example", "10.0.0.5"));
        assert!(!may(&["idp.example", "10.0.0.5"], "idp.example", "10.0.0.6"));
        assert!(may(&[], "localhost", "127.0.0.1"));
        assert!(!may(&[], "localhost", "93.184.216.34"), "this machine's name leads to this machine");
    }

    #[test]
    fn forms_are_encoded() {
        assert_eq!(encode(&[("a", "x y&z"), ("b", "é")]), "a=x+y%26z&b=%C3%A9");
    }
}
