//! The card of the sessions.

use crate::base::SessionId;
use crate::config::Provider;
use crate::http::{Moment, TimeFormat};
use crate::sessions::{Session, device_of};
use crate::signin::method_label;

/// A row of the list.
pub(in super::super) struct SessionRow {
    pub id: String,
    pub device: String,
    pub address: String,
    /// How the person signed in. Empty: not known.
    pub method: String,
    pub began: Moment,
    pub seen: Moment,
    pub is_this: bool,
}

impl SessionRow {
    fn new(session: Session, own: SessionId, times: TimeFormat<'_>, providers: &[Provider]) -> Self {
        Self {
            id: session.id.to_string(),
            device: device_of(&session.visitor.agent),
            address: session.visitor.address,
            method: method_label(&session.method, providers),
            began: times.moment(session.created_at),
            seen: times.moment(session.last_seen_at),
            is_this: session.id == own,
        }
    }
}

pub(in super::super) struct SessionsCard {
    /// The current session first.
    pub rows: Vec<SessionRow>,
    pub has_others: bool,
}

impl SessionsCard {
    /// `own`: the session that asks.
    pub fn new(mut sessions: Vec<Session>, own: SessionId, times: TimeFormat<'_>, providers: &[Provider]) -> Self {
        sessions.sort_by_key(|session| session.id != own);
        let rows: Vec<_> =
            sessions.into_iter().map(|session| SessionRow::new(session, own, times, providers)).collect();
        Self { has_others: rows.iter().any(|row| !row.is_this), rows }
    }
}
