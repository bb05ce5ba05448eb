//! The activity: events that the person caused and events about them, with the private parts that only they may read.

use serde_json::{Value, json};

use crate::audit::{self, Part, RecordedEvent};
use crate::base::{AccountId, WorkspaceId, escape_formula};
use crate::db::{Error, View};

/// Events per query.
const BATCH_SIZE: u32 = 500;

/// The columns of the CSV file.
pub(super) const COLUMNS: [&str; 10] =
    ["seq", "id", "at", "event", "outcome", "actor", "target", "address", "agent", "more"];

/// Calls `each` for every event of the person and of their own workspace, oldest first.
pub(super) fn walk<E: From<Error>>(
    view: &View<'_>,
    account: AccountId,
    workspace: Option<WorkspaceId>,
    mut each: impl FnMut(&RecordedEvent) -> Result<(), E>,
) -> Result<(), E> {
    let mut after = 0;
    loop {
        let events = audit::own_events(view, account, workspace, after, BATCH_SIZE)?;
        let Some(last) = events.last() else { return Ok(()) };
        after = last.seq;
        events.iter().try_for_each(&mut each)?;
    }
}

/// The event as JSON.
pub(super) fn json(event: &RecordedEvent) -> Value {
    json!({
        "seq": event.seq,
        "id": event.id,
        "at": event.at.rfc3339(),
        "event": event.name,
        "outcome": event.outcome.as_str(),
        "actor": {"kind": event.actor_kind, "id": event.actor_id},
        "target": event.target,
        "data": event.data,
        "private": event.private,
    })
}

/// The event as a row of the CSV file. Values without a column of their own are in the last one.
pub(super) fn cells(event: &RecordedEvent) -> [String; COLUMNS.len()] {
    let network = |member| event.private_text(Part::Network, member).unwrap_or_default().to_owned();
    let mut more: serde_json::Map<_, _> = event.private.clone();
    more.remove(Part::Network.as_str());
    if event.data != json!({}) {
        more.insert("data".into(), event.data.clone());
    }
    [
        event.seq.to_string(),
        event.id.clone(),
        event.at.rfc3339(),
        event.name.clone(),
        event.outcome.as_str().to_owned(),
        event.actor_id.clone().unwrap_or_else(|| event.actor_kind.clone()),
        event.target.clone().unwrap_or_default(),
        escape_formula(&network("address")),
        escape_formula(&network("agent")),
        if more.is_empty() { String::new() } else { Value::Object(more).to_string() },
    ]
}
