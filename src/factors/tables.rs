//! The tables of factors: each column once, with its tags.

use crate::db::{Cell, Erasure, LINK, SECRET, STATE, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] =
    &[TOTP, TOTP_SETUP, RECOVERY_CODE, PASSKEY_HANDLE, PASSKEY, PASSKEY_CHALLENGE, PENDING_SIGN_IN, FACTOR_RESET];

table! {
    /// Authenticator apps. `last_step` follows the clock by itself (`follow_clock`).
    pub(crate) TOTP: "totp" { part: Some("account/authenticator"), erasure: Erasure::Deletes }
    confirmed_at = exported(Cell::Time);
    account_id = left_out(LINK);
    sealed_secret = left_out(SECRET);
    last_step = left_out(STATE);
}

table! {
    /// Authenticator apps that are not confirmed yet.
    pub(crate) TOTP_SETUP: "totp_setup" { part: None, kept: "half an hour", erasure: Erasure::Deletes }
    account_id = left_out(LINK);
    sealed_secret = left_out(SECRET);
    expires_at = left_out("half an hour after it was shown").ends();
}

table! {
    /// Recovery codes.
    pub(crate) RECOVERY_CODE: "recovery_code" { part: Some("account/recovery_codes"), erasure: Erasure::Deletes }
    created_at = exported(Cell::Time);
    used_at = exported(Cell::Time).set_later();
    lookup = left_out(SECRET);
    account_id = left_out(LINK);
}

table! {
    /// The random id of each person for authenticators.
    pub(crate) PASSKEY_HANDLE: "passkey_handle" { part: None, erasure: Erasure::Deletes }
    account_id = left_out(LINK);
    handle = left_out("a random id for authenticators; contains no information about the person");
}

table! {
    /// Passkeys.
    pub(crate) PASSKEY: "passkey" { part: Some("account/passkeys"), erasure: Erasure::Deletes }
    id = exported(Cell::Text);
    name = exported(Cell::Text).personal("tells passkeys apart");
    sign_count = exported(Cell::Number);
    is_backed_up = exported(Cell::Flag);
    created_at = exported(Cell::Time);
    last_used_at = exported(Cell::Time).set_later().ends();
    account_id = left_out(LINK);
    credential_id = left_out("a random id with which the person's device finds the passkey");
    credential_json = left_out(SECRET);
}

table! {
    /// Challenges for passkeys.
    pub(crate) PASSKEY_CHALLENGE: "passkey_challenge" {
        part: None,
        kept: "five minutes",
        erasure: Erasure::Deletes,
    }
    digest = left_out(SECRET);
    purpose = left_out(STATE);
    account_id = left_out(LINK);
    state_json = left_out(SECRET);
    expires_at = left_out("five minutes after it was issued").ends();
}

table! {
    /// Sign-ins with the first factor only.
    pub(crate) PENDING_SIGN_IN: "half_session" { part: None, kept: "ten minutes", erasure: Erasure::Deletes }
    digest = left_out(SECRET);
    account_id = left_out(LINK);
    method = left_out(STATE);
    remember = left_out(STATE);
    password_stamp = left_out(SECRET);
    tries = left_out(STATE).set_later();
    expires_at = left_out("ten minutes after the first step").ends();
}

table! {
    /// Requests to remove lost second factors.
    pub(crate) FACTOR_RESET: "factor_reset" {
        part: Some("account/factor_reset"),
        kept: "three days",
        erasure: Erasure::Deletes,
    }
    asked_by = exported(Cell::Text);
    asked_at = exported(Cell::Time).ends();
    due_at = exported(Cell::Time).ends();
    account_id = left_out(LINK);
}
