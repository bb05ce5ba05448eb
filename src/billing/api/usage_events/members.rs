//! The members of an event, parsed without building values for what events do not use.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::super::usage::Fault;

/// The members of an event. Any other member is an error of the sender and is not ignored.
const MEMBERS: [&str; 11] =
    ["id", "source", "workspace", "sku", "quantity", "time", "authorization", "key", "corrects", SPECVERSION, DATA];
pub(super) const SPECVERSION: &str = "specversion";
const DATA: &str = "data";
/// The members that may be in `data` instead, where structured CloudEvents have what they are about.
pub(super) const DATA_MEMBERS: [&str; 6] = ["workspace", "sku", "quantity", "authorization", "key", "corrects"];
/// Other attributes of CloudEvents (section 3.1, and its extension for tracing), which say nothing about the usage.
const IGNORED: [&str; 6] = ["type", "datacontenttype", "dataschema", "subject", "traceparent", "tracestate"];
/// The version of CloudEvents.
pub(super) const SPECVERSIONS: [&str; 1] = ["1.0"];
/// How many characters of an unknown member's name the response repeats.
const UNKNOWN_NAME_CHARS_MAX: usize = 40;

/// A JSON value. Only the kinds that events use keep their content.
pub(super) enum Member<'de> {
    Null,
    Text(Cow<'de, str>),
    Whole(u64),
    /// The absolute value of a whole number below zero.
    Negative(u64),
    Object(Box<Members<'de>>),
    Other,
}

/// The members of one event. If a name occurs twice, the last value counts, as in most JSON parsers.
#[derive(Default)]
pub(super) struct Members<'de> {
    /// In the order of [`MEMBERS`].
    values: [Option<Member<'de>>; MEMBERS.len()],
    /// The alphabetically first unknown name, truncated.
    unknown: Option<String>,
}

pub(super) struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Member<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an event")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Member<'de>, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Member<'de>, E> {
        // serde_json calls this for numbers below zero only.
        Ok(Member::Negative(number.unsigned_abs()))
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
            } else if IGNORED.contains(&name.as_ref()) {
                map.next_value::<IgnoredAny>()?;
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

impl<'de> Members<'de> {
    /// The member of the event itself.
    pub(super) fn own(&self, name: &str) -> Option<&Member<'de>> {
        self.values[MEMBERS.iter().position(|known| *known == name)?].as_ref()
    }

    /// The member of its `data`.
    pub(super) fn in_data(&self, name: &str) -> Option<&Member<'de>> {
        let Some(Member::Object(data)) = self.own(DATA) else { return None };
        data.own(name)
    }

    fn find(&self, name: &str) -> Option<&Member<'de>> {
        self.own(name).or_else(|| self.in_data(name).filter(|_| DATA_MEMBERS.contains(&name)))
    }

    /// The alphabetically first member that an event does not have, of the event or of its `data`.
    pub(super) fn find_unknown(&self) -> Option<String> {
        let in_data = match self.own(DATA) {
            None => None,
            Some(Member::Object(data)) => data.unknown.clone().or_else(|| {
                let misplaced = MEMBERS.iter().filter(|name| !DATA_MEMBERS.contains(name));
                misplaced.copied().find(|name| data.own(name).is_some()).map(str::to_owned)
            }),
            Some(_) => Some(DATA.to_owned()),
        };
        self.unknown.clone().or(in_data)
    }

    pub(super) fn get(&self, name: &'static str) -> Result<&Member<'de>, Fault> {
        self.find(name).ok_or(Fault::Missing(name))
    }

    /// Whether the member is missing or null, which means the same.
    pub(super) fn is_absent(&self, name: &str) -> bool {
        matches!(self.find(name), None | Some(Member::Null))
    }

    /// The parsed text of a member, or `fault` if it is not text or cannot be parsed.
    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        fault: Fault,
    ) -> Result<T, Fault> {
        match self.get(name)? {
            Member::Text(text) => parse(text).ok_or(fault),
            _ => Err(fault),
        }
    }
}
