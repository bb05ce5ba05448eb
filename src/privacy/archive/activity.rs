//! The activity: what the person did and what was recorded about them, with the private parts that only they may read.

use serde_json::{Value, json};

use crate::audit::{self, Part, Recorded};
use crate::base::{AccountId, WorkspaceId};
use crate::db::{Error, View};

/// Events read together.
const PORTION: u32 = 500;

/// The columns of the table for spreadsheets.
pub(super) const COLUMNS: [&str; 10] =
    ["seq", "id", "at", "event", "outcome", "actor", "target", "address", "agent", "more"];

/// Walks over the events of the person and of their own workspace, the oldest first.
pub(super) fn walk<E: From<Error>>(
    view: &View<'_>,
    account: AccountId,
    workspace: Option<WorkspaceId>,
    mut each: impl FnMut(&Recorded) -> Result<(), E>,
) -> Result<(), E> {
    let mut after = 0;
    loop {
        let events = audit::own_events(view, account, workspace, after, PORTION)?;
        let Some(last) = events.last() else { return Ok(()) };
        after = last.seq;
        events.iter().try_for_each(&mut each)?;
    }
}

/// As a line of JSON.
pub(super) fn json(event: &Recorded) -> Value {
    json!({
        "seq": event.seq,
        "id": event.id,
        "at": event.at.rfc3339(),
        "event": event.name,
        "outcome": event.outcome,
        "actor": {"kind": event.actor_kind, "id": event.actor_id},
        "target": event.target,
        "data": event.data,
        "private": event.private,
    })
}

/// As a row of the table; what has no column of its own is in the last one.
pub(super) fn cells(event: &Recorded) -> [String; COLUMNS.len()] {
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
        event.outcome.clone(),
        event.actor_id.clone().unwrap_or_else(|| event.actor_kind.clone()),
        event.target.clone().unwrap_or_default(),
        super::cells::guarded(&network("address")),
        super::cells::guarded(&network("agent")),
        if more.is_empty() { String::new() } else { Value::Object(more).to_string() },
    ]
}
