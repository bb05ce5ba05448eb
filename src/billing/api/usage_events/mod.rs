//! The JSON format of usage events: the members of ours, with or without the attributes of CloudEvents 1.0.
//!
//! ```text
//! POST /v1/usage/events
//! [{"id":"17", "source":"https://gpu.example/farm-1", "workspace":"ws_...", "sku":"gpu.h100", "quantity":"3.5",
//!   "time":"2026-05-03T09:00:00Z", "key":"key_..."}]
//!
//! [{"specversion":"1.0", "type":"usage", "id":"17", "source":"https://gpu.example/farm-1", "time":"2026-05-03T09:00:00Z",
//!   "data":{"workspace":"ws_...", "sku":"gpu.h100", "quantity":"3.5"}}]
//! ```

mod batch;
mod event;
mod members;
mod schema;

use serde::{Deserializer, Serialize};
use utoipa::ToSchema;

use self::batch::Batch;
pub use self::schema::UsageEvents;
pub(super) use self::schema::quantity_schema;
use super::super::usage::{BATCH_EVENTS_MAX, BatchResult, Fault, NewEvent};
use crate::base::Problem;

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

/// Parses a body with a single event, which is not in an array.
///
/// # Errors
/// As [`read_events`], and for several events with commas between them.
pub(super) fn read_one_event(body: &[u8]) -> Result<Vec<Result<NewEvent, Fault>>, Problem> {
    let events = read_events(&[b"[", body, b"]"].concat())?;
    if events.len() > 1 {
        let sentence =
            "The body is not one CloudEvent. Send several as application/cloudevents-batch+json: [{...}, ...].";
        return Err(Problem::new(400, "malformed_json", sentence));
    }
    Ok(events)
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
        assert_eq!(fault_of("time", json!("2026-05-03T17:30:00")), "bad_time");
        assert_eq!(fault_of("time", json!("2026-05-03 17:30")), "bad_time");
        assert_eq!(fault_of("time", json!(1_777_000_000)), "bad_time");
        assert_eq!(fault_of("key", json!("ul_123")), "bad_key");
        assert_eq!(fault_of("authorization", json!("hold_1")), "unknown_authorization");
        assert_eq!(fault_of("quantity", json!(-1)), "bad_quantity");
        assert_eq!(fault_of("quantity", json!("-1")), "bad_quantity");
        assert_eq!(fault_of("corrects", json!("16")), "bad_quantity");
        assert_eq!(fault_of("corrects", json!("")), "unknown_event");
        for taken_back in [json!(-2), json!("-2.0")] {
            let mut correction = event();
            (correction["corrects"], correction["quantity"]) = (json!("16"), taken_back);
            let read = read(&correction).unwrap();
            assert_eq!(
                (read.quantity.micro(), read.corrects.unwrap().as_str().to_owned()),
                (2_000_000, "16".to_owned())
            );
        }
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

    #[test]
    fn a_body_with_a_single_event_has_only_one() {
        let event = event().to_string();

        assert!(matches!(&read_one_event(event.as_bytes()).unwrap()[..], [Ok(_)]));
        for several in [format!("{event},{event}"), format!("{event},"), format!("{event}],[{event}")] {
            assert_eq!(read_one_event(several.as_bytes()).unwrap_err().code, "malformed_json", "{several}");
        }
    }

    #[test]
    fn a_structured_cloud_event_is_an_event() {
        let attributes = json!({
            "specversion": "1.0", "type": "usage", "datacontenttype": "application/json", "subject": "farm",
            "dataschema": "https://gpu.example/schema", "traceparent": "00-1-2-01", "tracestate": "a=b",
        });
        let with = |changes: Value| {
            let mut event = event();
            for (name, value) in changes.as_object().unwrap() {
                event[name] = value.clone();
            }
            event
        };
        let moved = |more: Value| {
            let mut event = with(attributes.clone());
            let members = event.as_object_mut().unwrap();
            let about = |name| (name, members[name].clone());
            let mut data: Value = [about("workspace"), about("sku"), about("quantity")].into_iter().collect();
            for name in ["workspace", "sku", "quantity"] {
                members.remove(name);
            }
            for (name, value) in more.as_object().unwrap() {
                data[name] = value.clone();
            }
            members.insert("data".into(), data);
            event
        };
        let plain = format!("{:?}", read(&event()).unwrap());

        assert_eq!(format!("{:?}", read(&with(attributes.clone())).unwrap()), plain);
        assert_eq!(format!("{:?}", read(&moved(json!({}))).unwrap()), plain);
        let keyed = moved(json!({"key": "key_01k0r3v9qz8h2f7n5m4c6x1b0a"}));
        assert!(read(&keyed).unwrap().key.is_some());
        let code = |event: &Value| read(event).map(|_| ()).unwrap_err().code();
        assert_eq!(code(&moved(json!({"quantitty": 1}))), "unknown_member");
        assert_eq!(code(&moved(json!({"id": "17"}))), "unknown_member");
        assert_eq!(code(&moved(json!({"data": {}}))), "unknown_member");
        assert_eq!(code(&moved(json!({"authorization": "hold_1"}))), "unknown_authorization");
        assert_eq!(code(&with(json!({"data": {"sku": "gpu.h100"}}))), "repeated_member");
        assert_eq!(code(&with(json!({"data": "text"}))), "unknown_member");
        assert_eq!(code(&with(json!({"data_base64": "e30="}))), "unknown_member");
        assert_eq!(code(&with(json!({"specversion": "0.3"}))), "bad_specversion");
        assert_eq!(code(&with(json!({"specversion": null}))), "bad_specversion");
    }
}
