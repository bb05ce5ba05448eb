//! Makes an event of its members.

use super::super::super::usage::{EventName, Fault, NewEvent};
use super::members::{DATA_MEMBERS, Member, Members, SPECVERSION, SPECVERSIONS};
use crate::base::{ApiKeyId, HoldId, Quantity, Timestamp, WorkspaceId};

/// Reads an event.
pub(super) fn read_event(members: &Members<'_>) -> Result<NewEvent, Fault> {
    if let Some(unknown) = members.find_unknown() {
        return Err(Fault::UnknownMember(unknown));
    }
    if let Some(twice) = DATA_MEMBERS.iter().find(|name| members.own(name).is_some() && members.in_data(name).is_some())
    {
        return Err(Fault::RepeatedMember(twice));
    }
    let is_known_version =
        |version: &Member<'_>| matches!(version, Member::Text(text) if SPECVERSIONS.contains(&&**text));
    if members.own(SPECVERSION).is_some_and(|version| !is_known_version(version)) {
        return Err(Fault::BadVersion);
    }
    let corrects = match members.is_absent("corrects") {
        true => None,
        false => Some(members.parsed("corrects", EventName::parse, Fault::UnknownEvent)?),
    };
    Ok(NewEvent {
        source: members.parsed("source", EventName::parse, Fault::BadSource)?,
        id: members.parsed("id", EventName::parse, Fault::BadId)?,
        workspace: members.parsed("workspace", WorkspaceId::parse, Fault::UnknownWorkspace)?,
        sku: members.parsed("sku", |sku| Some(sku.to_owned()), Fault::UnknownSku)?,
        quantity: quantity(members.get("quantity")?, corrects.is_some()).ok_or(Fault::BadQuantity)?,
        occurred_at: members.parsed("time", Timestamp::parse_rfc3339, Fault::BadTime)?,
        key: match members.is_absent("key") {
            true => None,
            false => members.parsed("key", ApiKeyId::parse, Fault::BadKey).map(Some)?,
        },
        authorization: match members.is_absent("authorization") {
            true => None,
            false => members.parsed("authorization", HoldId::parse, Fault::UnknownAuthorization).map(Some)?,
        },
        corrects,
    })
}

/// A decimal as text, or a whole number. A JSON number with a point or an exponent was probably a float in the sender,
/// which is not exact: it is refused, not rounded. A correction has a number below zero, other events one above zero.
fn quantity(value: &Member<'_>, is_correction: bool) -> Option<Quantity> {
    match (value, is_correction) {
        (Member::Text(text), false) => Quantity::parse(text).ok(),
        (Member::Text(text), true) => Quantity::parse(text.strip_prefix('-')?).ok(),
        (Member::Whole(number), false) | (Member::Negative(number), true) => Quantity::parse(&number.to_string()).ok(),
        _ => None,
    }
}
