//! Parses an array of events: each element is converted while it is parsed.

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::super::usage::{BATCH_EVENTS_MAX, Fault, NewEvent};
use super::event::read_event;
use super::members::{AnyValue, Member};

/// The events, collected while the array is parsed.
#[derive(Default)]
pub(super) struct Batch {
    pub events: Vec<Result<NewEvent, Fault>>,
    pub is_too_long: bool,
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
