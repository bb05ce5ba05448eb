//! Whether a username is free, for the sign-up page while a person types. Usernames are public, so this tells nothing
//! that a public profile would not. It has a rate limit all the same, so that a program cannot copy the list of
//! usernames.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use actix_web::web::Query;
use serde::{Deserialize, Serialize};

use crate::accounts::{self, AccountError, Username};
use crate::base::{Problem, Timestamp, Visitor, minutes};
use crate::db;
use crate::http::page::AppData;
use crate::http::{Answer, VisitorOf, json};

/// Requests of one network in a minute: a person who types makes at most two in a second.
const REQUESTS_PER_MINUTE_MAX: u32 = 60;
/// Networks that are counted. With more, all counts start again.
const NETWORKS_MAX: usize = 10_000;

/// The query of the request.
#[derive(Deserialize)]
pub struct UsernameQuery {
    #[serde(default)]
    username: String,
    #[serde(default)]
    suggest: bool,
}

#[derive(Serialize)]
struct UsernameAvailability {
    available: bool,
    /// For people: why not, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// A stable code for the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// A similar name that is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
}

/// `GET /api/username/check`.
pub async fn check_username(app: AppData, visitor: VisitorOf, query: Query<UsernameQuery>) -> Answer {
    if !is_allowed(&visitor.0, app.now()) {
        let problem =
            Problem::new(429, "too_many_requests", "Too many usernames were checked. Wait a minute, then try again.");
        return Err(Problem { retry_after_seconds: Some(60), ..problem }.into());
    }
    let query = query.into_inner();
    let availability = app
        .read_offloaded(move |view| {
            let fault = match Username::parse(&query.username) {
                Err(fault) => Some(AccountError::Username(fault)),
                Ok(name) => match accounts::must_be_free(view, &name) {
                    Err(AccountError::Db(error)) => return Err(error),
                    tried => tried.err(),
                },
            };
            let wants_suggestion = fault.is_some() && query.suggest;
            let suggestion = if wants_suggestion { accounts::suggest_username(view, &query.username)? } else { None };
            let problem = fault.map(Problem::from);
            Ok::<_, db::Error>(UsernameAvailability {
                available: problem.is_none(),
                code: problem.as_ref().map(|problem| problem.code),
                reason: problem.map(|problem| problem.sentence),
                suggestion: suggestion.map(|name| name.as_str().to_owned()),
            })
        })
        .await?;
    Ok(json::private(200, serde_json::to_string(&availability).map_err(Problem::internal)?))
}

/// The present minute, and the requests of each network in it.
static REQUESTS: LazyLock<Mutex<(i64, HashMap<String, u32>)>> = LazyLock::new(Mutex::default);

fn is_allowed(visitor: &Visitor, now: Timestamp) -> bool {
    let minute = now.millis() / i64::try_from(minutes(1).as_millis()).unwrap_or(i64::MAX);
    // After a panic the lock still protects only counts, so it stays usable.
    let mut requests = REQUESTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if requests.0 != minute || requests.1.len() >= NETWORKS_MAX {
        *requests = (minute, HashMap::new());
    }
    let count = requests.1.entry(network_of(&visitor.address)).or_default();
    *count += 1;
    *count <= REQUESTS_PER_MINUTE_MAX
}

/// An IPv4 address, or the first half of an IPv6 address: the rest of it belongs to one subscriber (RFC 6177).
fn network_of(address: &str) -> String {
    match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V6(six)) => hex::encode(&six.octets()[..8]),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_sixty_requests_a_minute() {
        let visitor = |address: &str| Visitor { address: address.into(), ..Visitor::default() };
        let now = Timestamp::from_millis(0);
        let first = (0..60).all(|_| is_allowed(&visitor("2001:db8:1::1"), now));

        assert!(first && !is_allowed(&visitor("2001:db8:1::2"), now) && is_allowed(&visitor("2001:db8:2::1"), now));
        assert!(is_allowed(&visitor("2001:db8:1::1"), now.plus(minutes(1))));
    }
}
