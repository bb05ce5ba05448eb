//! `domicile account sessions …`: lists the sessions of a person and ends them.

use serde_json::json;

use super::arguments::Common;
use super::context::{find_account, open};
use super::failure::Failure;
use super::output::{Table, out, result};
use crate::app::App;
use crate::base::{AccountId, Actor, Problem, SessionId};
use crate::db;
use crate::factors;
use crate::sessions::{self, Session, device_of};

pub(super) fn sessions(common: &Common, name: &str, end: Option<&str>, end_all: bool) -> Result<(), Failure> {
    let app = open(common)?;
    let (person, _) = find_account(&app, name)?;
    match (end, end_all) {
        (Some(session), _) => end_one(common, &app, person.id, session),
        (None, true) => end_all_sessions(common, &app, person.id),
        (None, false) => list(common, &app, person.id),
    }
}

fn list(common: &Common, app: &App, account: AccountId) -> Result<(), Failure> {
    let live = app.store().read_blocking(|view| sessions::list(view, account)).map_err(Problem::from)?;
    if common.json {
        let live: Vec<_> = live.iter().map(session_json).collect();
        out!("{}", json!({"sessions": live}))?;
        return Ok(());
    }
    let mut table = Table::new(&["id", "since", "last seen", "address", "device"]);
    for session in live {
        table.row([
            session.id.to_string(),
            session.created_at.day_and_time(),
            session.last_seen_at.day_and_time(),
            session.visitor.address.clone(),
            device_of(&session.visitor.agent),
        ]);
    }
    table.print()
}

fn session_json(session: &Session) -> serde_json::Value {
    json!({
        "id": session.id.to_string(),
        "created_at": session.created_at.rfc3339(),
        "last_seen_at": session.last_seen_at.rfc3339(),
        "ends_at": session.ends_at.rfc3339(),
        "address": session.visitor.address,
        "device": device_of(&session.visitor.agent),
        "method": session.method,
    })
}

fn end_one(common: &Common, app: &App, account: AccountId, typed: &str) -> Result<(), Failure> {
    let unknown = || {
        Failure::refused(format!(
            "this account has no session {typed}. Run the command without --end to list its sessions."
        ))
    };
    let session = SessionId::parse(typed).ok_or_else(unknown)?;
    let end = move |tx: &mut db::Tx<'_>| sessions::end_live(tx, &Actor::Operator, account, session);
    if !app.store().write_blocking(end).map_err(Problem::from)? {
        return Err(unknown());
    }
    result(common, &json!({"ended": 1}), &session.to_string())
}

fn end_all_sessions(common: &Common, app: &App, account: AccountId) -> Result<(), Failure> {
    let end = move |tx: &mut db::Tx<'_>| factors::end_other_access(tx, &Actor::Operator, account, None);
    let ended = app.store().write_blocking(end).map_err(Problem::from)?;
    result(common, &json!({"ended": ended}), &ended.to_string())
}
