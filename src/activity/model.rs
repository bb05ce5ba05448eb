//! Events in words.

/// What an event is called for people. Unknown names are shown as they are: better odd than hidden.
pub fn title_of(name: &str) -> &str {
    match name {
        "account.created" => "Account created",
        "account.profile_updated" => "Profile changed",
        "workspace.created" => "Workspace created",
        "email.code_sent" => "Code sent by mail",
        "email.verified" => "Address verified",
        "email.verify_failed" => "Wrong code",
        "auth.signin_succeeded" => "Signed in",
        "auth.signin_failed" => "Sign-in failed",
        "auth.signin_disowned" => "Reported a sign-in as somebody else's",
        "auth.stepup_failed" => "Wrong password",
        "auth.password_changed" => "Password changed",
        "auth.password_reset_requested" => "Password reset asked for",
        "auth.password_reset_completed" => "Password reset",
        "account.keys_locked" => "API keys stopped",
        "account.keys_unlocked" => "API keys given back",
        "account.suspended" => "Account suspended",
        "account.reactivated" => "Account given back",
        "session.reuse_detected" => "Session ended: its cookie was copied",
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
