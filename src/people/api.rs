//! Whether a username is free, for the page of the sign-up while somebody types. Usernames are public, so this tells nothing
//! that a look at a profile would not; it is bounded all the same, so that nobody copies the list.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use actix_web::web::Query;
use serde::{Deserialize, Serialize};

use crate::accounts::{self, AccountError, Username};
use crate::base::{Problem, Timestamp, Visitor, minutes};
use crate::db;
use crate::http::page::TheApp;
use crate::http::{Answer, VisitorOf, json};

/// Questions from one network a minute: somebody who types asks about twice a second at most.
const ASKED_A_MINUTE_MAX: u32 = 60;
/// Networks remembered; with more, the oldest minute is forgotten whole.
const NETWORKS_MAX: usize = 10_000;

/// What is asked.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    username: String,
    #[serde(default)]
    suggest: bool,
}

#[derive(Serialize)]
struct Told {
    available: bool,
    /// Why not, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// A stable word for the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// A name like it that is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
}

/// `GET /api/username/check`.
pub async fn check_username(app: TheApp, visitor: VisitorOf, asked: Query<Asked>) -> Answer {
    if !may_ask(&visitor.0, app.now()) {
        let told = Problem::new(429, "too_many_requests", "Too many names were asked for. Wait a minute, then go on.");
        return Err(Problem { retry_after_seconds: Some(60), ..told }.into());
    }
    let asked = asked.into_inner();
    let told = app
        .read_offloaded(move |view| {
            let fault = match Username::parse(&asked.username) {
                Err(fault) => Some(AccountError::Username(fault)),
                Ok(name) => match accounts::must_be_free(view, &name) {
                    Err(AccountError::Db(error)) => return Err(error),
                    tried => tried.err(),
                },
            };
            let wants_other = fault.is_some() && asked.suggest;
            let other = if wants_other { accounts::suggest_username(view, &asked.username)? } else { None };
            let problem = fault.map(Problem::from);
            Ok::<_, db::Error>(Told {
                available: problem.is_none(),
                code: problem.as_ref().map(|problem| problem.code),
                reason: problem.map(|problem| problem.sentence),
                suggestion: other.map(|name| name.as_str().to_owned()),
            })
        })
        .await?;
    Ok(json::private(200, serde_json::to_string(&told).map_err(Problem::ours)?))
}

/// The minute that is counted, and how often each network asked in it.
static ASKED: LazyLock<Mutex<(i64, HashMap<String, u32>)>> = LazyLock::new(Mutex::default);

fn may_ask(visitor: &Visitor, now: Timestamp) -> bool {
    let minute = now.millis() / i64::try_from(minutes(1).as_millis()).unwrap_or(i64::MAX);
    // A lock that a panic left behind guards nothing but counts.
    let mut asked = ASKED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if asked.0 != minute || asked.1.len() >= NETWORKS_MAX {
        *asked = (minute, HashMap::new());
    }
    let count = asked.1.entry(network_of(&visitor.address)).or_default();
    *count += 1;
    *count <= ASKED_A_MINUTE_MAX
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
    fn a_network_asks_sixty_times_a_minute() {
        let visitor = |address: &str| Visitor { address: address.into(), ..Visitor::default() };
        let now = Timestamp::from_millis(0);
        let first = (0..60).all(|_| may_ask(&visitor("2001:db8:1::1"), now));

        assert!(first && !may_ask(&visitor("2001:db8:1::2"), now) && may_ask(&visitor("2001:db8:2::1"), now));
        assert!(may_ask(&visitor("2001:db8:1::1"), now.plus(minutes(1))));
    }
}
