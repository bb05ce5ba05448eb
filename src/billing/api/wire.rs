//! The JSON format of usage events and transactions.
//!
//! ```text
//! POST /v1/usage/events
//! [{"id":"17", "source":"https://gpu.example/farm-1", "workspace":"ws_...", "sku":"gpu.h100", "quantity":"3.5",
//!   "time":"2026-05-03T09:00:00Z", "key":"key_..."}]
//! ```

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::super::ledger::{Filter, Kind, STATEMENT_LINES_MAX, StatementLine};
use super::super::usage::{BATCH_EVENTS_MAX, BatchResult, EventName, Fault, NewEvent};
use crate::base::{ApiKeyId, Credits, Problem, Quantity, Timestamp, WorkspaceId, days};
use crate::http::schema;

/// The members of an event. Any other member is an error of the sender and is not ignored.
const MEMBERS: [&str; 8] = ["id", "source", "workspace", "sku", "quantity", "time", "authorization", "key"];
/// How many characters of an unknown member's name the response repeats.
const UNKNOWN_NAME_CHARS_MAX: usize = 40;

// Only describes: `read_events` reads it.
/// The body of a report: a batch of events.
pub struct UsageEvents;

impl PartialSchema for UsageEvents {
    fn schema() -> RefOr<Schema> {
        schema::list_of::<UsageEvent>(1..=BATCH_EVENTS_MAX)
    }
}

impl ToSchema for UsageEvents {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((UsageEvent::name().into_owned(), UsageEvent::schema()));
    }
}

// Only describes: `read_event` reads it.
/// What a workspace has used of one thing for sale.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only describes")]
struct UsageEvent {
    /// The id of the event, unique for its source.
    #[schema(min_length = 1, max_length = 200, example = "17")]
    id: String,
    /// Who measured it.
    #[schema(min_length = 1, max_length = 200, example = "https://gpu.example/farm-1")]
    source: String,
    /// The workspace that pays.
    #[schema(pattern = "^ws_[0-9a-z]{26}$", example = "ws_00000000000000000000000000")]
    workspace: String,
    /// What was used: a `sku` of the price list.
    #[schema(example = "gpu.h100")]
    sku: String,
    #[schema(schema_with = quantity_schema)]
    quantity: String,
    /// When it was used, RFC 3339.
    #[schema(format = DateTime, example = "2026-05-03T09:00:00Z")]
    time: String,
    /// The id of the API key that it was used with.
    #[schema(example = "key_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    key: Option<String>,
    /// Not supported yet: leave it out, or send null.
    #[schema(example = json!(null))]
    authorization: Option<String>,
}

/// A decimal number as text, or a whole number.
fn quantity_schema() -> Schema {
    let decimal = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^[0-9]+(\.[0-9]{1,6})?$"));
    let whole = ObjectBuilder::new().schema_type(Type::Integer).exclusive_minimum(Some(0));
    OneOfBuilder::new().item(decimal).item(whole).examples(["3.5"]).into()
}

/// Parses the body of `POST /v1/usage/events`: an array of 1 to 10,000 events. An invalid event gets its own [`Fault`]
/// and does not affect the others.
///
/// Each element is converted while it is parsed, and parsing stops at the first element over the limit. So the memory
/// for a body depends on its events, not on other JSON that fits into the same number of bytes.
///
/// # Errors
/// A [`Problem`] with status 400 if the body is not such an array.
pub fn read_events(body: &[u8]) -> Result<Vec<Result<NewEvent, Fault>>, Problem> {
    let mut batch = Batch::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = json.deserialize_seq(&mut batch).and_then(|()| json.end());
    if batch.is_too_long || (read.is_ok() && batch.events.is_empty()) {
        let sentence = format!("A batch must have 1 to {BATCH_EVENTS_MAX} events. Send batches of that size.");
        return Err(Problem::new(400, "batch_size", sentence));
    }
    read.map(|()| batch.events).map_err(|error| {
        let sentence = format!("The body is not a JSON array of events ({error}). Send [{{...}}, ...].");
        Problem::new(400, "malformed_json", sentence)
    })
}

/// The events, collected while the array is parsed.
#[derive(Default)]
struct Batch {
    events: Vec<Result<NewEvent, Fault>>,
    is_too_long: bool,
}

impl<'de> Visitor<'de> for &mut Batch {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while self.events.len() < BATCH_EVENTS_MAX {
            match elements.next_element::<Element>()? {
                Some(element) => self.events.push(element.0),
                None => return Ok(()),
            }
        }
        self.is_too_long = elements.next_element::<IgnoredAny>()?.is_some();
        Ok(())
    }
}

/// One element of the array: an event, or its fault.
struct Element(Result<NewEvent, Fault>);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(|value| match value {
            Member::Object(members) => Self(read_event(&members)),
            _ => Self(Err(Fault::NotAnObject)),
        })
    }
}

/// A JSON value. Only the kinds that events use keep their content.
enum Member<'de> {
    Null,
    Text(Cow<'de, str>),
    Whole(u64),
    Object(Box<Members<'de>>),
    Other,
}

/// The members of one event. If a name occurs twice, the last value counts, as in most JSON parsers.
#[derive(Default)]
struct Members<'de> {
    /// In the order of [`MEMBERS`].
    values: [Option<Member<'de>>; MEMBERS.len()],
    /// The alphabetically first unknown name, truncated.
    unknown: Option<String>,
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Member<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an event")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Member<'de>, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Member<'de>, E> {
        Ok(Member::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Member<'de>, E> {
        Ok(Member::Whole(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Member<'de>, E> {
        Ok(Member::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Cow::Borrowed(text)))
    }

    fn visit_unit<E>(self) -> Result<Member<'de>, E> {
        Ok(Member::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Member<'de>, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member<'de>, A::Error> {
        let mut members = Box::<Members<'de>>::default();
        while let Some(Name(name)) = map.next_key()? {
            if let Some(index) = MEMBERS.iter().position(|known| *known == name) {
                members.values[index] = Some(map.next_value::<Value>()?.0);
            } else {
                map.next_value::<IgnoredAny>()?;
                let truncated: String = name.chars().take(UNKNOWN_NAME_CHARS_MAX).collect();
                members.unknown = Some(match members.unknown.take() {
                    Some(first) => first.min(truncated),
                    None => truncated,
                });
            }
        }
        Ok(Member::Object(members))
    }
}

/// A member's name, which is copied only if it contains escapes.
#[derive(Deserialize)]
struct Name<'n>(#[serde(borrow)] Cow<'n, str>);

/// A member's value. The content of objects and arrays is ignored, because no member of an event has one.
struct Value<'de>(Member<'de>);

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

fn read_event(members: &Members<'_>) -> Result<NewEvent, Fault> {
    if let Some(unknown) = &members.unknown {
        return Err(Fault::UnknownMember(unknown.clone()));
    }
    if !members.is_absent("authorization") {
        return Err(Fault::UnknownAuthorization);
    }
    Ok(NewEvent {
        source: members.parsed("source", EventName::parse, Fault::BadSource)?,
        id: members.parsed("id", EventName::parse, Fault::BadId)?,
        workspace: members.parsed("workspace", WorkspaceId::parse, Fault::UnknownWorkspace)?,
        sku: members.parsed("sku", |sku| Some(sku.to_owned()), Fault::UnknownSku)?,
        quantity: quantity(members.get("quantity")?).ok_or(Fault::BadQuantity)?,
        occurred_at: members.parsed("time", parse_time, Fault::BadTime)?,
        key: match members.is_absent("key") {
            true => None,
            false => members.parsed("key", ApiKeyId::parse, Fault::BadKey).map(Some)?,
        },
    })
}

impl<'de> Members<'de> {
    fn find(&self, name: &str) -> Option<&Member<'de>> {
        self.values[MEMBERS.iter().position(|known| *known == name)?].as_ref()
    }

    fn get(&self, name: &'static str) -> Result<&Member<'de>, Fault> {
        self.find(name).ok_or(Fault::Missing(name))
    }

    /// Whether the member is missing or null, which means the same.
    fn is_absent(&self, name: &str) -> bool {
        matches!(self.find(name), None | Some(Member::Null))
    }

    /// The parsed text of a member, or `fault` if it is not text or cannot be parsed.
    fn parsed<T>(&self, name: &'static str, parse: impl Fn(&str) -> Option<T>, fault: Fault) -> Result<T, Fault> {
        match self.get(name)? {
            Member::Text(text) => parse(text).ok_or(fault),
            _ => Err(fault),
        }
    }
}

/// A decimal as text, or a whole number. A JSON number with a point or an exponent was probably a float in the sender,
/// which is not exact: it is refused, not rounded.
fn quantity(value: &Member<'_>) -> Option<Quantity> {
    match value {
        Member::Text(text) => Quantity::parse(text).ok(),
        Member::Whole(number) => Quantity::parse(&number.to_string()).ok(),
        _ => None,
    }
}

/// A full RFC 3339 time. A day alone is not accepted as the time of an event.
fn parse_time(text: &str) -> Option<Timestamp> {
    text.contains(['T', 't', ' ']).then(|| Timestamp::parse(text))?
}

/// The response to a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsResponse {
    /// Events that were counted now.
    #[schema(example = 1)]
    pub accepted: usize,
    /// Events that were counted before.
    pub duplicates: usize,
    /// Events that were not counted, in the order of the batch.
    pub rejected: Vec<RejectedEvent>,
}

/// An event that was not counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedEvent {
    /// Its index in the batch, from 0.
    pub index: usize,
    /// The reason, for programs.
    #[schema(example = "unknown_sku")]
    pub code: &'static str,
    /// The reason, for people.
    #[schema(example = "\"sku\" is not in the price list.")]
    pub error: String,
}

impl From<BatchResult> for EventsResponse {
    fn from(answer: BatchResult) -> Self {
        let rejected = answer.rejected.into_iter().map(|rejected| RejectedEvent {
            index: rejected.index,
            code: rejected.fault.code(),
            error: rejected.fault.sentence(),
        });
        Self { accepted: answer.accepted, duplicates: answer.duplicates, rejected: rejected.collect() }
    }
}

/// Parses `from` and `to` of `GET /api/billing/transactions`: the earliest and the latest time, both included. A day
/// alone means the whole day in UTC. Missing or empty: no limit on that side.
///
/// # Errors
/// A [`Problem`] with status 400 that names the parameter.
pub fn read_range(from: Option<&str>, to: Option<&str>) -> Result<Filter, Problem> {
    let read = |name: &'static str, text: Option<&str>| {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let sentence = format!("\"{name}\" must be a day such as 2026-05-03 or an RFC 3339 time.");
        Timestamp::parse(text).map(Some).ok_or_else(|| Problem::field(name, "bad_time", sentence))
    };
    let whole = |text: &str| if parse_time(text).is_none() { days(1) } else { std::time::Duration::from_millis(1) };
    let after = read("to", to)?.map(|last| last.plus(whole(to.unwrap_or_default())));
    Ok(Filter { from: read("from", from)?, to: after, before: None, limit: STATEMENT_LINES_MAX })
}

/// The response of `GET /api/billing/transactions`, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransactionsResponse {
    /// The lines of the statement.
    pub transactions: Vec<Transaction>,
}

/// A line of the statement, with the names that the client expects.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// The id of the transaction.
    #[schema(example = "txn_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    pub id: String,
    /// The kind, from the client's closed list.
    #[serde(rename = "type")]
    #[schema(example = "training")]
    pub kind: &'static str,
    /// The change of the balance, in cents with fractions. Below zero: a charge.
    #[schema(value_type = f64, example = -360.0)]
    pub amount_cents: Number,
    /// The balance after it, in cents with fractions.
    #[schema(value_type = f64, example = 140.0)]
    pub balance_after: Number,
    /// The API key it was used with. `None`: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "key_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    pub api_key_id: Option<String>,
    /// The time, RFC 3339 in UTC.
    #[schema(format = DateTime, example = "2026-05-03T09:00:00Z")]
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

/// The client's name for a kind (contract section 7).
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

/// The exact amount in cents. A micro-credit needs four decimals. The number is built from its digits, not from a
/// float.
fn cents(amount: Credits) -> Number {
    const MICRO_PER_CENT: u64 = 10_000;
    let (sign, micro) = (if amount < Credits::ZERO { "-" } else { "" }, amount.micro().unsigned_abs());
    let (whole, part) = (micro / MICRO_PER_CENT, micro % MICRO_PER_CENT);
    let fraction = if part == 0 { String::new() } else { format!(".{part:04}") };
    // Digits with at most one point between them are always a JSON number.
    #[allow(clippy::expect_used)]
    format!("{sign}{whole}{fraction}").parse().expect("digits are a number")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
        assert_eq!(fault_of("quantity", json!({"of": {"of": []}})), "bad_quantity");
        assert_eq!(read(&json!({"b": [1, {"c": 2}], "a": null})).map(|_| ()), Err(Fault::UnknownMember("a".into())));
        let escaped = event().to_string().replace("\"sku\"", "\"sk\\u0075\"").replace("farm", "f\\u0061rm");
        assert_eq!(
            read_events(format!("[{escaped}]").as_bytes()).unwrap()[0].as_ref().unwrap().source.as_str(),
            "farm"
        );
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
        assert_eq!(read_events(format!("[1{}]", ",1".repeat(BATCH_EVENTS_MAX - 1)).as_bytes()).unwrap().len(), 10_000);
        // Parsing stops there, so the syntax error after it is not reported.
        assert_eq!(code(&format!("[{}!", "1,".repeat(BATCH_EVENTS_MAX + 1))), "batch_size");
        assert_eq!((code("[1] 2"), code("[1,]"), code("1")), ("malformed_json", "malformed_json", "malformed_json"));
    }
}
