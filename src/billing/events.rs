//! The events of credit and usage.

use crate::audit::{EventType, Part, events};

events! {
    /// What happens to credit.
    BillingEvent {
        CreditGranted = "billing.credit_granted":
            EventType::for_workspace().done("Credit granted").with(&[Part::Text]),
        CreditExpired = "billing.credit_expired": EventType::for_workspace().done("Credit expired"),
        UsageRecorded = "usage.batch_recorded": EventType::for_operators().done("Usage recorded"),
    }
}
