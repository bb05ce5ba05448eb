//! What an invitation is.

use std::time::Duration;

use crate::base::{EmailAddress, InvitationId, Timestamp, days};

/// How long an invitation is good (domain 6).
pub const LIFE: Duration = days(14);

/// An invitation that nobody took yet.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Its name in lists and the audit.
    pub id: InvitationId,
    /// Who is invited; the account gets this address, and it counts as proved.
    pub address: EmailAddress,
    /// Whether the person will run the appliance.
    pub is_operator: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its link stops being good.
    pub expires_at: Timestamp,
}
