//! What can be done with a key, and what a page says about its state. Every entry point asks here.

use std::time::Duration;

use super::{ApiKey, KeyEvent, QUARANTINE};
use crate::base::{Timestamp, days};

/// A key that ends within this time needs attention: a week to create the next one.
const SOON: Duration = days(7);

/// What the owner of a key can do with it in its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct KeyActs {
    pub can_rotate: bool,
    pub can_disable: bool,
    pub can_enable: bool,
    /// It is in quarantine, and the owner decides.
    pub can_restore: bool,
    pub can_revoke: bool,
    /// Its name and limits can be changed.
    pub can_change: bool,
}

impl ApiKey {
    /// What its owner can do with it now: what the operations of these names allow.
    pub fn acts(&self) -> KeyActs {
        let can = |event| self.state.after(event, self.state_before).is_some();
        KeyActs {
            can_rotate: can(KeyEvent::Rotate),
            can_disable: can(KeyEvent::Disable),
            can_enable: can(KeyEvent::Enable),
            can_restore: can(KeyEvent::Restore),
            can_revoke: can(KeyEvent::Revoke),
            can_change: !self.state.is_over(),
        }
    }

    /// When the key ends by time: the earlier of its expiry and the end of its overlap. `None`: never.
    pub fn good_until(&self) -> Option<Timestamp> {
        [self.expires_at, self.retire_at].into_iter().flatten().min()
    }

    /// Whether it ends by time within a week.
    pub fn ends_soon(&self, now: Timestamp) -> bool {
        !self.state.is_over() && self.good_until().is_some_and(|end| end.since(now) < SOON)
    }

    /// When it is revoked unless its owner restores it. `None`: it is not in quarantine.
    pub fn quarantine_ends_at(&self) -> Option<Timestamp> {
        self.acts().can_restore.then(|| self.state_at.plus(QUARANTINE))
    }
}
