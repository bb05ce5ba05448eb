//! What an invitation is.

use std::time::Duration;

use crate::base::{EmailAddress, InvitationId, Timestamp, days};

/// How long an invitation is valid (domain 6).
pub const LIFE: Duration = days(14);

/// An invitation that is not used yet.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Opaque; shown in lists and in the audit.
    pub id: InvitationId,
    /// The invited address. The account gets it, and it counts as verified.
    pub address: EmailAddress,
    /// Whether the person will run the appliance.
    pub is_operator: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its link expires.
    pub expires_at: Timestamp,
}
