//! The sentences about refused keys.

use super::model::Refusal;
use crate::base::Problem;

/// The response to a program with a refused key. The reference's client knows these sentences; the codes say more.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let sentence = match refusal {
            Refusal::Malformed | Refusal::Unknown | Refusal::Replaced => "Invalid API key",
            Refusal::Expired => "Invalid API key: it has expired. Create a new one",
            Refusal::Disabled => "Invalid API key: its owner disabled it",
            Refusal::Quarantined => "Invalid API key: it was found in public. Its owner has to restore or replace it",
            Refusal::Network => "Permission denied for this operation: the key cannot be used from this network",
            Refusal::BudgetSpent => "Permission denied for this operation: the key's budget is spent",
            Refusal::RateLimited { .. } => "Rate limit exceeded",
        };
        let retry_after_seconds = match refusal {
            Refusal::RateLimited { retry_after_seconds, .. } => Some(retry_after_seconds),
            _ => None,
        };
        Problem { retry_after_seconds, ..Problem::new(refusal.status(), refusal.code(), sentence) }
    }
}
