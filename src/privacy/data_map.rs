//! Every table and every column: what a person's export holds of it, what an erasure does to it, and why.
//!
//! It is the record of processing (GDPR Art. 30) that code can be held to: a test compares it with the schema, and fails for
//! a table or column that nobody decided about. Two more fill every table with one person's data, and look at what the
//! export holds and the erasure leaves.

mod keys;
mod sessions;
mod tokens;

/// What an erasure does to the rows about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// Deletes them.
    Deletes,
    /// Keeps the rows and empties these columns, for the reason.
    Empties(&'static [&'static str], &'static str),
    /// Keeps the rows: nothing in them leads to the person once the others are gone. The reason names the law.
    Keeps(&'static str),
    /// There are no rows about a person.
    NothingPersonal,
}

/// A column that the export leaves out, and why.
pub type LeftOut = (&'static str, &'static str);

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name in the schema.
    pub name: &'static str,
    /// The part of the archive with its rows. `None`: nothing of it is exported.
    pub part: Option<&'static str>,
    /// Columns that are in that part.
    pub exported: &'static [&'static str],
    /// All others.
    pub left_out: &'static [LeftOut],
    /// What an erasure does.
    pub erasure: Erasure,
}

pub(super) const SECRET: &str = "a secret, or what one is checked against";
pub(super) const LINK: &str = "an id that only joins rows of this appliance";
pub(super) const STATE: &str = "how the appliance works it off; says nothing about the person";
const EVIDENCE: &str = "evidence, without anything personal";
const DERIVED: &str = "follows from rows that are exported";
const BOOKS: &str = "accounts are kept as the law of the site's country asks (GDPR Art. 17(3)(b)); ids are opaque";
const TYPED: &str = "what an operator typed is emptied; what the house wrote itself (what was used, and how much) stays with the \
                     numbers: accounts are kept as the law of the site's country asks (GDPR Art. 17(3)(b))";
const PROOF: &str = "evidence that nobody changed the record (GDPR Art. 17(3)(e), Art. 32); ids are opaque";

/// The parts that are not rows of a table: the activity, which the audit tells.
pub const TOLD_BY_THE_AUDIT: &str = "activity/activity";

/// Every table of the schema, in the order of the migrations.
pub const TABLES: &[Table] = &[
    Table {
        name: "site",
        part: None,
        exported: &[],
        left_out: &[
            ("id", STATE),
            ("region", "in the manifest"),
            ("site_id", "in the manifest"),
            ("created_at", STATE),
        ],
        erasure: Erasure::NothingPersonal,
    },
    Table {
        name: "snapshot_stamp",
        part: None,
        exported: &[],
        left_out: &[
            ("id", STATE),
            ("made_at", STATE),
            ("schema_version", STATE),
            ("engine_version", STATE),
            ("keyring_id", STATE),
            ("audit_seq", STATE),
            ("audit_head", EVIDENCE),
            ("tombstone_seq", STATE),
        ],
        erasure: Erasure::NothingPersonal,
    },
    Table {
        name: "audit_event",
        part: Some(TOLD_BY_THE_AUDIT),
        exported: &["seq", "id", "at", "event", "outcome", "actor_kind", "actor_id", "target_id", "data_json"],
        left_out: &[
            ("workspace_id", LINK),
            ("commitments_json", EVIDENCE),
            ("prev_hash", EVIDENCE),
            ("leaf_hash", EVIDENCE),
        ],
        erasure: Erasure::Keeps(PROOF),
    },
    Table {
        name: "audit_private",
        part: Some(TOLD_BY_THE_AUDIT),
        exported: &["seq", "part"],
        left_out: &[("subject_id", LINK), ("salt", EVIDENCE), ("sealed", "exported as what was sealed")],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "subject_key",
        part: None,
        exported: &[],
        left_out: &[("subject_id", LINK), ("sealed_key", SECRET), ("created_at", STATE)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "job",
        part: None,
        exported: &[],
        left_out: &[
            ("id", STATE),
            ("name", STATE),
            ("payload_json", LINK),
            ("subject_id", LINK),
            ("unique_key", STATE),
            ("state", STATE),
            ("run_at", STATE),
            ("attempts", STATE),
            ("last_error", STATE),
            ("created_at", STATE),
            ("finished_at", STATE),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "mail_outbox",
        part: None,
        exported: &[],
        left_out: &[
            ("id", STATE),
            ("account_id", LINK),
            ("recipient", "the person's address, exported with the account; the mail itself was sent to them"),
            ("subject", "sent to the person, and kept here a week"),
            ("body_text", "sent to the person, then emptied; may hold a code or link, which are secrets"),
            ("body_html", "as the text"),
            ("created_at", STATE),
            ("next_at", STATE),
            ("attempts", STATE),
            ("last_error", STATE),
            ("sent_at", STATE),
            ("given_up_at", STATE),
            ("forget_when_sent", STATE),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "kept_answer",
        part: None,
        exported: &[],
        left_out: &[
            ("actor_id", LINK),
            ("route", STATE),
            ("key", STATE),
            ("request_hash", STATE),
            ("status", STATE),
            ("body", "an answer to a service, kept 48 hours"),
            ("expires_at", STATE),
        ],
        erasure: Erasure::NothingPersonal,
    },
    Table {
        name: "account",
        part: Some("account/profile"),
        exported: &[
            "id",
            "username",
            "display_name",
            "company",
            "use_case",
            "bio",
            "colour",
            "region",
            "state",
            "is_operator",
            "created_at",
            "keys_locked_at",
        ],
        left_out: &[("skeleton", DERIVED)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "account_email",
        part: Some("account/emails"),
        exported: &["id", "address", "verified_at", "is_primary", "added_at"],
        left_out: &[("account_id", LINK), ("folded", DERIVED)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "email_code",
        part: None,
        exported: &[],
        left_out: &[
            ("email_id", LINK),
            ("digest", SECRET),
            ("tries", STATE),
            ("sent_at", STATE),
            ("expires_at", "ten minutes after it was sent"),
            ("counted_from", STATE),
            ("sent_count", STATE),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "email_change",
        part: Some("account/email-changes"),
        exported: &["id", "from_id", "to_id", "changed_at", "revert_until", "closed_at"],
        left_out: &[("account_id", LINK), ("since", DERIVED)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "email_code_count",
        part: None,
        exported: &[],
        left_out: &[("account_id", LINK), ("counted_from", STATE), ("sent_count", STATE)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "profile_link",
        part: Some("account/links"),
        exported: &["platform", "value"],
        left_out: &[("account_id", LINK)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "picture",
        part: Some("account/profile"),
        exported: &["media", "uploaded_at"],
        left_out: &[
            ("account_id", LINK),
            ("name", DERIVED),
            ("large", "in the archive as a file of its own, account/picture"),
            ("medium", DERIVED),
            ("small", DERIVED),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "preference",
        part: Some("account/preferences"),
        exported: &["theme", "language", "time_zone", "is_mailed_key_reminders", "is_mailed_usage", "updated_at"],
        left_out: &[("account_id", LINK)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "password",
        part: Some("account/profile"),
        exported: &["changed_at"],
        left_out: &[("account_id", LINK), ("phc", SECRET)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "one_time_link",
        part: None,
        exported: &[],
        left_out: &[
            ("digest", SECRET),
            ("purpose", "in the activity"),
            ("account_id", LINK),
            ("about", LINK),
            ("created_at", "in the activity"),
            ("expires_at", STATE),
            ("used_at", "in the activity"),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "retired_username",
        part: None,
        exported: &[],
        left_out: &[("digest", "made at erasure; opens nothing"), ("until", "a year after the erasure")],
        erasure: Erasure::Keeps(
            "so that nobody can pass for somebody who left (GDPR Art. 6(1)(f)): a keyed digest without the name, for a year",
        ),
    },
    Table {
        name: "workspace",
        part: Some("workspaces/{workspace}/workspace"),
        exported: &["id", "kind", "slug", "name", "plan", "region", "owner_id", "state", "created_at"],
        left_out: &[],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "membership",
        part: Some("workspaces/{workspace}/members"),
        exported: &["account_id", "role", "joined_at"],
        left_out: &[("workspace_id", "in the name of the file")],
        erasure: Erasure::Deletes,
    },
    sessions::SESSION,
    sessions::SESSION_ROTATED,
    sessions::DEVICE,
    Table {
        name: "invitation",
        part: None,
        exported: &[],
        left_out: &[
            ("id", STATE),
            ("digest", SECRET),
            ("address", "of somebody who has no account; the row goes when they make one, or after two weeks"),
            ("folded", DERIVED),
            ("is_operator", STATE),
            ("created_at", STATE),
            ("expires_at", STATE),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "throttle",
        part: None,
        exported: &[],
        left_out: &[
            ("bucket", "a keyed digest; nobody can tell whose"),
            ("failures", STATE),
            ("until", STATE),
            ("updated_at", STATE),
        ],
        erasure: Erasure::Keeps(
            "a count behind a keyed digest, deleted after a month at the latest, so that leaving resets no guard (Art. 32)",
        ),
    },
    keys::API_KEY,
    keys::API_KEY_USE,
    keys::API_KEY_USE_DAY,
    keys::API_KEY_RIGHT_USE,
    keys::API_KEY_CALLER,
    keys::API_KEY_NOTICE,
    keys::API_KEY_SPEND,
    keys::API_KEY_POLICY,
    Table {
        name: "keyring_in_use",
        part: None,
        exported: &[],
        left_out: &[("id", STATE), ("pepper_id", STATE), ("data_key_id", STATE), ("since", STATE)],
        erasure: Erasure::NothingPersonal,
    },
    Table {
        name: "service",
        part: None,
        exported: &[],
        left_out: &[
            ("id", STATE),
            ("name", "a program's name, given by an operator"),
            ("lookup", SECRET),
            ("pepper_id", STATE),
            ("created_at", STATE),
        ],
        erasure: Erasure::NothingPersonal,
    },
    tokens::JWT_KEY,
    tokens::REVOCATION,
    Table {
        name: "credential_change",
        part: None,
        exported: &[],
        left_out: &[("seq", STATE), ("kind", STATE), ("subject_id", LINK)],
        erasure: Erasure::Keeps(
            "opaque ids that join nothing once the person is gone; the newest ten thousand of all people stay (Art. 32)",
        ),
    },
    Table {
        name: "ledger_account",
        part: None,
        exported: &[],
        left_out: &[
            ("id", LINK),
            ("workspace_id", LINK),
            ("code", DERIVED),
            ("lot_id", LINK),
            ("low_micro", STATE),
            ("high_micro", STATE),
        ],
        erasure: Erasure::Keeps(BOOKS),
    },
    Table {
        name: "ledger_tx",
        part: Some("billing/statement"),
        exported: &["id", "seq", "kind", "posted_at", "key_id"],
        left_out: &[
            ("workspace_id", LINK),
            ("idem_key", LINK),
            ("digest", EVIDENCE),
            ("actor_kind", "in the activity"),
            ("actor_id", "in the activity"),
            ("reverses_tx_id", LINK),
            ("sealed", STATE),
        ],
        erasure: Erasure::Keeps(BOOKS),
    },
    Table {
        name: "ledger_posting",
        part: None,
        exported: &[],
        left_out: &[("tx_id", LINK), ("n", LINK), ("account_id", LINK), ("amount_micro", DERIVED)],
        erasure: Erasure::Keeps(BOOKS),
    },
    Table {
        name: "ledger_balance",
        part: Some("billing/lots"),
        exported: &["balance_micro"],
        left_out: &[("account_id", LINK), ("low_micro", STATE), ("high_micro", STATE), ("last_seq", LINK)],
        erasure: Erasure::Keeps(BOOKS),
    },
    Table {
        name: "credit_lot",
        part: Some("billing/lots"),
        exported: &["id", "kind", "category", "original_micro", "effective_at", "expires_at"],
        left_out: &[
            ("workspace_id", LINK),
            ("account_id", LINK),
            ("tx_seq", LINK),
            ("priority", STATE),
            ("exhausted", DERIVED),
        ],
        erasure: Erasure::Keeps(BOOKS),
    },
    Table {
        name: "statement_line",
        part: Some("billing/statement"),
        exported: &["seq", "tx_id", "at", "kind", "details", "amount_micro", "balance_after_micro"],
        left_out: &[("workspace_id", LINK)],
        erasure: Erasure::Empties(&["details"], TYPED),
    },
    Table {
        name: "usage_event",
        part: Some("usage/usage"),
        exported: &[
            "source",
            "id",
            "sku",
            "quantity_micro",
            "price_micro",
            "charge_micro",
            "key_id",
            "occurred_at",
            "received_at",
            "tx_id",
        ],
        left_out: &[("service_id", LINK), ("workspace_id", LINK), ("digest", EVIDENCE)],
        erasure: Erasure::Keeps(BOOKS),
    },
    Table {
        name: "usage_meter",
        part: None,
        exported: &[],
        left_out: &[("workspace_id", LINK), ("sku", DERIVED), ("charged_micro", DERIVED), ("rest_pico", DERIVED)],
        erasure: Erasure::Keeps(BOOKS),
    },
    Table {
        name: "data_request",
        part: Some("account/exports"),
        exported: &["id", "state", "recipient_kind", "requested_at", "finished_at", "problem"],
        left_out: &[
            ("account_id", LINK),
            ("artifact_id", LINK),
            ("kind", DERIVED),
            ("progress_percent", STATE),
            ("step", STATE),
            ("sealed_recipient", SECRET),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "export_artifact",
        part: None,
        exported: &[],
        left_out: &[
            ("id", LINK),
            ("request_id", LINK),
            ("account_id", LINK),
            ("file_name", "of an earlier archive, which the person has or can make again"),
            ("bytes", STATE),
            ("sha256", STATE),
            ("ready_at", STATE),
            ("delete_after", STATE),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "export_link",
        part: None,
        exported: &[],
        left_out: &[("digest", SECRET), ("artifact_id", LINK), ("account_id", LINK), ("expires_at", STATE)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "tombstone",
        part: None,
        exported: &[],
        left_out: &[
            ("seq", EVIDENCE),
            ("subject_id", "made at erasure"),
            ("kind", EVIDENCE),
            ("erased_at", EVIDENCE),
            ("receipt_id", "on the person's receipt"),
            ("prev_hash", EVIDENCE),
            ("hash", EVIDENCE),
        ],
        erasure: Erasure::Keeps(
            "so that a restored backup is cleaned again, and to show that the erasure happened (GDPR Art. 5(2), 17(3)(b)): opaque ids",
        ),
    },
    Table {
        name: "identity",
        part: Some("account/identities"),
        exported: &["id", "provider", "issuer", "subject", "label", "email", "linked_at", "last_used_at"],
        left_out: &[("account_id", LINK)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "oauth_flow",
        part: None,
        exported: &[],
        left_out: super::left_out::OAUTH_FLOW,
        erasure: Erasure::Deletes,
    },
    Table {
        name: "totp",
        part: Some("account/authenticator"),
        exported: &["confirmed_at"],
        left_out: &[("account_id", LINK), ("sealed_secret", SECRET), ("last_step", STATE)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "totp_setup",
        part: None,
        exported: &[],
        left_out: &[("account_id", LINK), ("sealed_secret", SECRET), ("expires_at", "half an hour after it was shown")],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "recovery_code",
        part: Some("account/recovery_codes"),
        exported: &["created_at", "used_at"],
        left_out: &[("lookup", SECRET), ("account_id", LINK)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "passkey_handle",
        part: None,
        exported: &[],
        left_out: &[
            ("account_id", LINK),
            ("handle", "a random name for authenticators; says nothing about the person"),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "passkey",
        part: Some("account/passkeys"),
        exported: &["id", "name", "sign_count", "is_backed_up", "created_at", "last_used_at"],
        left_out: &[
            ("account_id", LINK),
            ("credential_id", "a random name, by which the person's own device finds the passkey"),
            ("credential_json", SECRET),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "passkey_challenge",
        part: None,
        exported: &[],
        left_out: super::left_out::PASSKEY_CHALLENGE,
        erasure: Erasure::Deletes,
    },
    Table {
        name: "half_session",
        part: None,
        exported: &[],
        left_out: super::left_out::HALF_SESSION,
        erasure: Erasure::Deletes,
    },
    Table {
        name: "factor_reset",
        part: Some("account/factor_reset"),
        exported: &["asked_by", "asked_at", "due_at"],
        left_out: &[("account_id", LINK)],
        erasure: Erasure::Deletes,
    },
];
