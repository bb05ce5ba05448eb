//! The events of credit and usage.

use crate::audit::{EventType, Fact, Part, events};

events! {
    /// What happens to credit.
    BillingEvent {
        CreditGranted = "billing.credit_granted":
            EventType::for_workspace().done("Credit granted").with(&[Part::Text]).facts(&[Fact::Credits("amount")]),
        CreditExpired = "billing.credit_expired": EventType::for_workspace().done("Credit expired").facts(&[Fact::Credits("amount")]),
        UsageRecorded = "usage.batch_recorded": EventType::for_operators().done("Usage recorded"),
    }
}
