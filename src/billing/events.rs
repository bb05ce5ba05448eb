//! The events of credit and usage.

use crate::audit::{EventType, Fact, Part, events};

/// How usage of a service is authorized.
const AUTHORIZATIONS: Fact =
    Fact::Changes(&[("mode", "mode"), ("margin_percent", "margin in percent"), ("hold_seconds", "seconds of a hold")]);

events! {
    /// What happens to credit.
    BillingEvent {
        CreditGranted = "billing.credit_granted":
            EventType::for_workspace().done("Credit granted").with(&[Part::Text]).facts(&[Fact::Credits("amount")]),
        CreditExpired = "billing.credit_expired": EventType::for_workspace().done("Credit expired").facts(&[Fact::Credits("amount")]),
        VouchersCreated = "billing.vouchers_created": EventType::for_operators().done("Vouchers created").facts(&[Fact::Credits("amount")]),
        VouchersRevoked = "billing.vouchers_revoked": EventType::for_operators().done("Vouchers revoked").ends_access(),
        VoucherRedeemed = "billing.voucher_redeemed":
            EventType::for_workspace().done("Code redeemed").failed("Wrong code for credit").facts(&[Fact::Credits("amount")]).lasts(),
        AllowanceChanged = "billing.allowance_changed":
            EventType::for_workspace().done("Monthly allowance changed").facts(&[Fact::CHANGE]).lasts(),
        AuthorizationsChanged = "usage.authorizations_changed":
            EventType::for_operators().done("Authorization of usage changed").facts(&[AUTHORIZATIONS]),
        AuthorizationReleased = "usage.authorization_released":
            EventType::for_operators().done("Authorization of usage released").facts(&[Fact::Credits("amount")]),
        UsageRecorded = "usage.batch_recorded": EventType::for_operators().done("Usage recorded"),
    }
}
