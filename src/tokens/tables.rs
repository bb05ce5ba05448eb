//! The tables of tokens: each column once, with its tags.

use crate::db::{Erasure, LINK, SECRET, STATE, Table, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[JWT_KEY, REVOCATION];

table! {
    /// Signing keys.
    pub(crate) JWT_KEY: "jwt_key" {
        part: None,
        kept: "until its last token has expired",
        erasure: Erasure::NothingPersonal,
    }
    kid = left_out(STATE);
    public_key = left_out(STATE);
    sealed_secret = left_out(SECRET);
    created_at = left_out(STATE);
    not_before = left_out(STATE).ends();
    sign_until = left_out(STATE).set_later().ends();
    publish_until = left_out(STATE).set_later().ends();
}

table! {
    /// Tokens and credentials that ended before they expired.
    pub(crate) REVOCATION: "revocation" {
        part: None,
        kept: "a day after it was published",
        erasure: Erasure::Keeps("opaque ids that refer to nothing after the erasure, deleted after a day, so that \
            services refuse the person's tokens at once (Art. 32)"),
    }
    seq = left_out(STATE);
    kind = left_out(STATE);
    subject_id = left_out(LINK);
    seen_at = left_out(STATE).ends();
}
