//! Events in words.

/// What an event is called for people. Unknown names are shown as they are: better odd than hidden.
pub fn title_of(name: &str) -> &str {
    match name {
        "account.created" => "Account created",
        "account.profile_updated" => "Profile changed",
        "account.invitation_accepted" => "Invitation accepted",
        "workspace.created" => "Workspace created",
        "account.avatar_changed" => "Picture changed",
        "account.preferences_updated" => "Preferences changed",
        "email.added" => "Address added",
        "email.primary_changed" => "Primary address changed",
        "email.change_reverted" => "Change of address undone",
        "email.removed" => "Address removed",
        "email.code_sent" => "Code sent by mail",
        "email.verified" => "Address verified",
        "email.verify_failed" => "Wrong code",
        "auth.signin_succeeded" => "Signed in",
        "auth.signin_failed" => "Sign-in failed",
        "auth.stepup_failed" => "Wrong proof",
        "auth.stepup_succeeded" => "Confirmed that it is you",
        "auth.factor_asked" => "Second factor asked for",
        "auth.factor_failed" => "Wrong code of a second factor",
        "auth.totp_enabled" => "Authenticator app set up",
        "auth.totp_disabled" => "Authenticator app removed",
        "auth.recovery_codes_generated" => "Recovery codes made",
        "auth.recovery_code_used" => "Recovery code used",
        "auth.passkey_added" => "Passkey added",
        "auth.passkey_renamed" => "Passkey renamed",
        "auth.passkey_removed" => "Passkey removed",
        "auth.passkey_refused" => "Passkey refused",
        "auth.recovery_started" => "Removal of second factors asked for",
        "auth.recovery_cancelled" => "Removal of second factors stopped",
        "auth.recovery_refused" => "Removal of second factors refused",
        "auth.recovery_completed" => "Second factors removed",
        "auth.password_changed" => "Password changed",
        "auth.password_reset_requested" => "Password reset asked for",
        "auth.password_reset_completed" => "Password reset",
        "session.started" => "Session started",
        "session.revoked" => "Signed out",
        "session.revoked_all" => "Signed out everywhere",
        "api_key.created" => "API key created",
        "api_key.revoked" => "API key revoked",
        "billing.credit_granted" => "Credit granted",
        "billing.credit_expired" => "Credit expired",
        "usage.batch_recorded" => "Usage recorded",
        "privacy.export_requested" => "Export asked for",
        "privacy.export_ready" => "Export ready",
        "privacy.export_downloaded" => "Export downloaded",
        "privacy.export_expired" => "Export removed",
        other => other,
    }
}

/// Browser and system in words, from what the browser calls itself: enough to recognise one's own.
pub fn device_of(agent: &str) -> String {
    let browser =
        [("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]
            .into_iter()
            .find(|(mark, _)| agent.contains(mark))
            .map(|(_, name)| name);
    let system = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]
    .into_iter()
    .find(|(mark, _)| agent.contains(mark))
    .map(|(_, name)| name);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => agent.chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_said_in_words() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36";

        assert_eq!(device_of(chrome), "Chrome on Linux");
        assert_eq!(device_of("curl/8.5"), "curl/8.5");
    }
}
