//! The events of second factors.

use crate::audit::{EventType, Fact, Part, events};

events! {
    /// What happens to second factors.
    FactorEvent {
        TotpEnabled = "auth.totp_enabled":
            EventType::for_person().done("Authenticator app set up").may_end_access(),
        TotpDisabled = "auth.totp_disabled": EventType::for_person().done("Authenticator app removed").ends_access(),
        RecoveryCodesGenerated = "auth.recovery_codes_generated":
            EventType::for_person().done("Recovery codes generated").ends_access(),
        RecoveryCodeUsed = "auth.recovery_code_used": EventType::for_person().done("Recovery code used").ends_access().facts(&[Fact::Count("left", "code left", "codes left")]),
        PasskeyAdded = "auth.passkey_added": EventType::for_person().done("Passkey added").with(&[Part::Text]),
        PasskeyRenamed = "auth.passkey_renamed": EventType::for_person().done("Passkey renamed").with(&[Part::Text]),
        PasskeyRemoved = "auth.passkey_removed":
            EventType::for_person().done("Passkey removed").with(&[Part::Text]).ends_access(),
        PasskeyRefused = "auth.passkey_refused":
            EventType::for_person().failed("Passkey not accepted").denied("Passkey refused: it may have been copied"),
        CodeFailed = "auth.factor_failed": EventType::for_person().failed("Wrong second factor"),
        ResetStarted = "auth.recovery_started": EventType::for_person().done("Removal of second factors requested"),
        ResetCancelled = "auth.recovery_cancelled":
            EventType::for_person().done("Removal of second factors cancelled").ends_access(),
        ResetRefused = "auth.recovery_refused":
            EventType::for_person().denied("Removal of second factors refused"),
        ResetCompleted = "auth.recovery_completed":
            EventType::for_person().done("Second factors removed").ends_access(),
    }
}
