//! Requests of commands to the appliance itself, as a browser reaches it: with the machine's certificate authorities.

use reqwest::Client;
use reqwest::redirect::Policy;

use crate::base::seconds;
use crate::outbound::{Authorities, CallError};

/// The maximum duration of a request, in seconds.
const TIMEOUT_SECONDS: u64 = 10;

/// An answer with any status.
pub(super) struct Answer {
    #[allow(missing_docs)]
    pub status: u16,
    /// `Date`.
    pub date: Option<String>,
    /// What the server saw of the request; see `http::diagnosis`.
    pub diagnosis: Option<String>,
    #[allow(missing_docs)]
    pub body: Vec<u8>,
}

/// Sends a GET request. Follows no redirects and uses no proxy of the environment.
///
/// # Errors
/// The most specific cause, for people.
pub(super) fn get(url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let authorities = Authorities::of_system().map_err(|error| CallError::Authorities(error).to_string())?;
        let client = Client::builder()
            .tls_backend_preconfigured(authorities.client_config())
            .user_agent(concat!("Domicile/", env!("CARGO_PKG_VERSION")))
            .timeout(seconds(TIMEOUT_SECONDS))
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| root_cause(&error))?;
        let mut request = client.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.map_err(|error| root_cause(&error))?;
        let status = response.status().as_u16();
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let (date, diagnosis) = (header("date"), header(crate::http::diagnosis::HEADER));
        let body = response.bytes().await.map_err(|error| root_cause(&error))?.to_vec();
        Ok(Answer { status, date, diagnosis, body })
    })
}

/// The innermost cause of an error, which is the most specific one.
fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("there was no answer within {TIMEOUT_SECONDS} seconds");
    }
    let mut last: &dyn std::error::Error = error;
    while let Some(inner) = last.source() {
        last = inner;
    }
    last.to_string()
}
