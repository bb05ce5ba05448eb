//! The JSON of money: usage as services send it, read event by event, and transactions as key holders get them.
//!
//! ```text
//! POST /v1/usage/events
//! [{"id":"17", "source":"https://gpu.example/farm-1", "workspace":"ws_...", "sku":"gpu.h100", "quantity":"3.5",
//!   "time":"2026-05-03T09:00:00Z", "key":"key_..."}]
//! ```

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::super::ledger::{Filter, Kind, STATEMENT_LINES_MAX, StatementLine};
use super::super::usage::{BATCH_EVENTS_MAX, BatchAnswer, EventName, Fault, NewEvent};
use crate::base::{ApiKeyId, Credits, Problem, Quantity, Timestamp, WorkspaceId, days};

/// The members of an event; anything else is a mistake of the sender and not passed over.
const MEMBERS: [&str; 8] = ["id", "source", "workspace", "sku", "quantity", "time", "authorization", "key"];
/// Characters of an unknown member's name that an answer repeats.
const NAME_CHARS_SHOWN: usize = 40;

/// Reads the body of `POST /v1/usage/events`: an array of 1 to 10,000 events. What is wrong with one event is its own
/// [`Fault`] and does not touch the others.
///
/// # Errors
/// A [`Problem`] of status 400 when the body is not such an array.
pub fn read_events(body: &[u8]) -> Result<Vec<Result<NewEvent, Fault>>, Problem> {
    let events: Vec<Value> = serde_json::from_slice(body).map_err(|error| {
        let sentence = format!("The body is not a JSON array of events ({error}). Send [{{...}}, ...].");
        Problem::new(400, "malformed_json", sentence)
    })?;
    if !(1..=BATCH_EVENTS_MAX).contains(&events.len()) {
        let sentence = format!("A batch has 1 to {BATCH_EVENTS_MAX} events. Send them in batches of that size.");
        return Err(Problem::new(400, "batch_size", sentence));
    }
    Ok(events.iter().map(read_event).collect())
}

fn read_event(event: &Value) -> Result<NewEvent, Fault> {
    let Value::Object(members) = event else { return Err(Fault::NotAnObject) };
    if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(Fault::UnknownMember(unknown.chars().take(NAME_CHARS_SHOWN).collect()));
    }
    if !is_absent(members, "authorization") {
        return Err(Fault::UnknownAuthorization);
    }
    Ok(NewEvent {
        source: text(members, "source").and_then(|text| parsed(text, EventName::parse, Fault::BadSource))?,
        id: text(members, "id").and_then(|text| parsed(text, EventName::parse, Fault::BadId))?,
        workspace: text(members, "workspace")
            .and_then(|text| parsed(text, WorkspaceId::parse, Fault::UnknownWorkspace))?,
        sku: text(members, "sku").and_then(|text| text.map(str::to_owned).ok_or(Fault::UnknownSku))?,
        quantity: quantity(member(members, "quantity")?).ok_or(Fault::BadQuantity)?,
        occurred_at: text(members, "time").and_then(|text| parsed(text, moment, Fault::BadTime))?,
        key: match is_absent(members, "key") {
            true => None,
            false => text(members, "key").and_then(|text| parsed(text, ApiKeyId::parse, Fault::BadKey)).map(Some)?,
        },
    })
}

fn member<'e>(members: &'e Map<String, Value>, name: &'static str) -> Result<&'e Value, Fault> {
    members.get(name).ok_or(Fault::Missing(name))
}

/// Left out, or null, which says the same.
fn is_absent(members: &Map<String, Value>, name: &str) -> bool {
    members.get(name).is_none_or(Value::is_null)
}

/// A member's text. `Ok(None)`: it is there and is something else.
fn text<'e>(members: &'e Map<String, Value>, name: &'static str) -> Result<Option<&'e str>, Fault> {
    member(members, name).map(Value::as_str)
}

fn parsed<T>(text: Option<&str>, parse: impl Fn(&str) -> Option<T>, fault: Fault) -> Result<T, Fault> {
    text.and_then(parse).ok_or(fault)
}

/// A full RFC 3339 time; a day alone is not the moment of a use.
fn moment(text: &str) -> Option<Timestamp> {
    text.contains(['T', 't', ' ']).then(|| Timestamp::parse(text))?
}

/// A decimal in text, or a whole number. A JSON number with a point or an exponent was a float somewhere, and a float is
/// not what was meant: it is refused instead of rounded.
fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => Quantity::parse(text).ok(),
        Value::Number(number) => Quantity::parse(&number.as_u64()?.to_string()).ok(),
        _ => None,
    }
}

/// The answer to a batch.
#[derive(Debug, Serialize)]
pub struct EventsResponse {
    /// Counted now.
    pub accepted: usize,
    /// Counted before.
    pub duplicates: usize,
    /// Not counted, by their place in the batch.
    pub rejected: Vec<RejectedEvent>,
}

/// An event that was not counted.
#[derive(Debug, Serialize)]
pub struct RejectedEvent {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// Why, for programs.
    pub code: &'static str,
    /// Why, for people.
    pub error: String,
}

impl From<BatchAnswer> for EventsResponse {
    fn from(answer: BatchAnswer) -> Self {
        let rejected = answer.rejected.into_iter().map(|rejected| RejectedEvent {
            index: rejected.index,
            code: rejected.fault.code(),
            error: rejected.fault.sentence(),
        });
        Self { accepted: answer.accepted, duplicates: answer.duplicates, rejected: rejected.collect() }
    }
}

/// Reads `from` and `to` of `GET /api/billing/transactions`: the earliest and the latest moment, both included; a day
/// alone is all of that day in UTC. Left out or empty: no end on that side.
///
/// # Errors
/// A [`Problem`] of status 400 that names the parameter.
pub fn read_range(from: Option<&str>, to: Option<&str>) -> Result<Filter, Problem> {
    let read = |name: &'static str, text: Option<&str>| {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let sentence = format!("\"{name}\" is a day such as 2026-05-03 or an RFC 3339 time. Write it like that.");
        Timestamp::parse(text).map(Some).ok_or_else(|| Problem::field(name, "bad_time", sentence))
    };
    let whole = |text: &str| if moment(text).is_none() { days(1) } else { std::time::Duration::from_millis(1) };
    let after = read("to", to)?.map(|last| last.plus(whole(to.unwrap_or_default())));
    Ok(Filter { from: read("from", from)?, to: after, before: None, limit: STATEMENT_LINES_MAX })
}

/// The answer to `GET /api/billing/transactions`, newest first.
#[derive(Debug, Serialize)]
pub struct TransactionsResponse {
    /// The lines of the statement.
    pub transactions: Vec<Transaction>,
}

/// A line of the statement, in the words of the client that reads it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// The transaction.
    pub id: String,
    /// Why, out of the client's closed list.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What the wallet gained, or lost below zero, in cents and fractions of them.
    pub amount_cents: Number,
    /// What the wallet held after it, in cents and fractions of them.
    pub balance_after: Number,
    /// The API key it was used with. `None`: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<String>,
    /// When, RFC 3339 in UTC.
    pub created_at: String,
}

impl From<&[StatementLine]> for TransactionsResponse {
    fn from(lines: &[StatementLine]) -> Self {
        let transactions = lines.iter().map(|line| Transaction {
            id: line.id.to_string(),
            kind: transaction_type(line.kind),
            amount_cents: cents(line.amount),
            balance_after: cents(line.balance_after),
            api_key_id: line.key.map(|key| key.to_string()),
            created_at: line.at.rfc3339(),
        });
        Self { transactions: transactions.collect() }
    }
}

/// The client's word for a kind (contract section 7).
const fn transaction_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Signup => "signup",
        Kind::Adjustment => "adjustment",
        Kind::Usage => "training",
        Kind::Purchase => "purchase",
        Kind::Expired => "pro_credit_expiry",
        Kind::Refund => "refund",
    }
}

/// An amount in cents, exact: four decimals are what a micro-credit needs, and the number is made from its digits.
fn cents(amount: Credits) -> Number {
    const MICRO_PER_CENT: u64 = 10_000;
    let (sign, micro) = (if amount < Credits::ZERO { "-" } else { "" }, amount.micro().unsigned_abs());
    let (whole, part) = (micro / MICRO_PER_CENT, micro % MICRO_PER_CENT);
    let fraction = if part == 0 { String::new() } else { format!(".{part:04}") };
    // Digits with at most one point between them are a JSON number.
    #[allow(clippy::expect_used)]
    format!("{sign}{whole}{fraction}").parse().expect("digits are a number")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({
            "id": "17", "source": "farm", "workspace": "ws_00000000000000000000000000", "sku": "gpu.h100",
            "quantity": "3.5", "time": "2026-05-03T09:00:00Z",
        })
    }

    fn read(event: &Value) -> Result<NewEvent, Fault> {
        read_events(json!([event]).to_string().as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn only_exact_quantities_above_zero_are_read() {
        let read_quantity = |raw: &str| {
            let body = json!([event()]).to_string().replace("\"3.5\"", raw);
            read_events(body.as_bytes()).map(|mut events| events.remove(0).map(|event| event.quantity.to_string()))
        };

        for (good, is) in
            [("3", "3"), ("\"3.500000\"", "3.5"), ("1000000000", "1000000000"), ("\"0.000001\"", "0.000001")]
        {
            assert_eq!(read_quantity(good).unwrap(), Ok(is.to_owned()), "{good}");
        }
        for bad in [
            "0",
            "-0",
            "-1",
            "0.1",
            "1.0",
            "1e3",
            "1e308",
            "9007199254740993",
            "9223372036854775808",
            "99999999999999999999999",
            "\"\"",
            "\"0\"",
            "\"-0\"",
            "\"-1\"",
            "\"+1\"",
            "\"1e3\"",
            "\"NaN\"",
            "\"Infinity\"",
            "\"0.0000001\"",
            "\"1000000000.000001\"",
            "\"9223372036854775808\"",
            "\" 1\"",
            "\"1,5\"",
            "\"١\"",
            "null",
            "true",
            "[1]",
            "{\"v\":1}",
        ] {
            assert_eq!(read_quantity(bad).unwrap(), Err(Fault::BadQuantity), "{bad}");
        }
        assert_eq!(read_quantity("NaN").unwrap_err().code, "malformed_json");
    }

    #[test]
    fn each_member_has_its_own_fault() {
        let fault_of = |name: &str, value: Value| {
            let mut event = event();
            event[name] = value;
            read(&event).map(|_| ()).unwrap_err().code()
        };

        assert!(read(&event()).is_ok());
        assert_eq!(fault_of("source", json!("")), "bad_source");
        assert_eq!(fault_of("id", json!(17)), "bad_id");
        assert_eq!(fault_of("workspace", json!("acc_1")), "unknown_workspace");
        assert_eq!(fault_of("sku", json!(1)), "unknown_sku");
        assert_eq!(fault_of("time", json!("2026-05-03")), "bad_time");
        assert_eq!(fault_of("time", json!(1_777_000_000)), "bad_time");
        assert_eq!(fault_of("key", json!("ul_123")), "bad_key");
        assert_eq!(fault_of("authorization", json!("hold_1")), "unknown_authorization");
        assert_eq!(fault_of("quantitty", json!(1)), "unknown_member");
        assert_eq!(read(&json!("event")).map(|_| ()), Err(Fault::NotAnObject));
        assert_eq!(read(&json!({"id": "17"})).map(|_| ()), Err(Fault::Missing("source")));
    }

    #[test]
    fn cents_are_exact_to_the_last_micro_credit() {
        let written = |micro: i64| cents(Credits::from_micro(micro).unwrap()).to_string();

        assert_eq!((written(5_000_000), written(0), written(-3_600_000)), ("500".into(), "0".into(), "-360".into()));
        assert_eq!((written(1), written(-12_345)), ("0.0001".into(), "-1.2345".into()));
        assert_eq!(written(999_999_999_999_999), "99999999999.9999");
    }

    #[test]
    fn a_range_includes_its_ends() {
        let at = |text: &str| Timestamp::parse(text);
        let range = |from, to| read_range(from, to).map(|filter| (filter.from, filter.to)).unwrap();

        assert_eq!(range(None, Some("")), (None, None));
        assert_eq!(range(Some("2026-05-01"), Some("2026-05-03")), (at("2026-05-01"), at("2026-05-04")));
        assert_eq!(range(None, Some("2026-05-03T09:00:00Z")).1, at("2026-05-03T09:00:00.001Z"));
        assert_eq!(read_range(Some("soon"), None).unwrap_err().field, Some("from"));
    }

    #[test]
    fn a_batch_has_a_beginning_and_an_end() {
        let code = |body: &str| read_events(body.as_bytes()).unwrap_err().code;

        assert_eq!(
            (code("[]"), code("{}"), code("[{"), code("")),
            ("batch_size", "malformed_json", "malformed_json", "malformed_json")
        );
        assert_eq!(code(&format!("[{}1]", "1,".repeat(BATCH_EVENTS_MAX))), "batch_size");
    }
}
