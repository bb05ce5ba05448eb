//! What an admin, or a program that blocks attackers, must see in the log.

/// The target of security events in the log. They have the priority "notice".
pub const SECURITY: &str = "domicile::security";

/// Something that is about the security of the appliance: a proof that was wrong, an act of an operator, access that ended.
/// It has ids and a network address, and no names, e-mail addresses or secrets.
#[derive(Clone, Debug)]
pub struct SecurityEvent {
    /// The dotted name, such as `auth.signin_failed`: that of the audit event if there is one.
    pub name: &'static str,
    /// `success`, `failure` or `denied`.
    pub outcome: &'static str,
    /// Who did it, as in the audit.
    pub actor: &'static str,
    /// The network address of the visitor. Empty: it is not known, or there is none.
    pub visitor: String,
    /// The id of the account that it is about. Empty: none, or unknown.
    pub account: String,
    /// What else says why, such as the code of the refusal. Empty: nothing.
    pub reason: &'static str,
    /// The id of the request, as in its answer and in other lines of the log. Empty: it was no request.
    pub request: String,
}

impl SecurityEvent {
    /// Writes the event to the log. The order of the fields does not change: `packaging/fail2ban` reads it.
    pub fn log(&self) {
        let Self { name, outcome, actor, visitor, account, reason, request } = self;
        tracing::info!(target: SECURITY, event = name, outcome, visitor, actor, account, reason, request, "Security.");
    }
}
