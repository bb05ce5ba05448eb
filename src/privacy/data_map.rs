//! Every table and column: whether an export contains it, what an erasure does to it, and why.
//!
//! This is the record of processing (GDPR Art. 30) in a form that tests enforce. One test compares it with the schema
//! and fails for a table or column that is missing here. Two more fill every table with the data of one person and
//! check the export and the erasure.

mod keys;
mod pending;
mod sessions;
mod tokens;

/// What an erasure does to the rows of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// Deletes the rows.
    Deletes,
    /// Keeps the rows and empties these columns. The second value is the reason.
    Empties(&'static [&'static str], &'static str),
    /// Keeps the rows: they no longer identify the person once the other rows are deleted. The reason names the law.
    Keeps(&'static str),
    /// The table has no rows about a person.
    NothingPersonal,
}

/// A column that is not exported, and the reason.
pub type ExcludedColumn = (&'static str, &'static str);

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name in the schema.
    pub name: &'static str,
    /// The part of the archive that contains its rows. `None`: nothing is exported.
    pub part: Option<&'static str>,
    /// The columns in that part.
    pub exported: &'static [&'static str],
    /// All other columns.
    pub excluded: &'static [ExcludedColumn],
    /// What an erasure does to the rows.
    pub erasure: Erasure,
}

pub(super) const SECRET: &str = "a secret, or a value that a secret is checked against";
pub(super) const LINK: &str = "an id that only joins rows of this appliance";
pub(super) const STATE: &str = "internal state; contains no information about the person";
const EVIDENCE: &str = "evidence without personal data";
const DERIVED: &str = "derived from data that is exported";
const BOOKS: &str =
    "accounting records are kept as the law of the site's country requires (GDPR Art. 17(3)(b)); ids are opaque";
const TYPED: &str = "text that an operator typed is emptied; text of the system (what was used, and how much) stays with the \
                     numbers: accounting records are kept as the law of the site's country requires (GDPR Art. 17(3)(b))";
const PROOF: &str = "evidence that the record was not changed (GDPR Art. 17(3)(e), Art. 32); ids are opaque";

/// The part with the activity, which comes from the audit and not from the rows of one table.
pub const ACTIVITY_PART: &str = "activity/activity";

/// Every table of the schema, in the order of the migrations.
pub const TABLES: &[Table] = &[
    Table {
        name: "site",
        part: None,
        exported: &[],
        excluded: &[
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
        excluded: &[
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
        part: Some(ACTIVITY_PART),
        exported: &["seq", "id", "at", "event", "outcome", "actor_kind", "actor_id", "target_id", "data_json"],
        excluded: &[
            ("workspace_id", LINK),
            ("commitments_json", EVIDENCE),
            ("prev_hash", EVIDENCE),
            ("leaf_hash", EVIDENCE),
        ],
        erasure: Erasure::Keeps(PROOF),
    },
    Table {
        name: "audit_private",
        part: Some(ACTIVITY_PART),
        exported: &["seq", "part"],
        excluded: &[("subject_id", LINK), ("salt", EVIDENCE), ("sealed", "its content is exported")],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "subject_key",
        part: None,
        exported: &[],
        excluded: &[("subject_id", LINK), ("sealed_key", SECRET), ("created_at", STATE)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "job",
        part: None,
        exported: &[],
        excluded: &[
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
        excluded: &[
            ("id", STATE),
            ("account_id", LINK),
            ("recipient", "the person's address, exported with the account; the mail itself was sent to the person"),
            ("subject", "sent to the person, and kept for a week"),
            ("body_text", "sent to the person, then emptied; may contain a code or link, which are secrets"),
            ("body_html", "the same as body_text"),
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
        excluded: &[
            ("actor_id", LINK),
            ("route", STATE),
            ("key", STATE),
            ("request_hash", STATE),
            ("status", STATE),
            ("body", "a response to a service, kept for 48 hours"),
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
        excluded: &[("skeleton", DERIVED)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "account_email",
        part: Some("account/emails"),
        exported: &["id", "address", "verified_at", "is_primary", "added_at"],
        excluded: &[("account_id", LINK), ("folded", DERIVED)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "email_code",
        part: None,
        exported: &[],
        excluded: &[
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
        excluded: &[("account_id", LINK), ("since", DERIVED)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "email_code_count",
        part: None,
        exported: &[],
        excluded: &[("account_id", LINK), ("counted_from", STATE), ("sent_count", STATE)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "profile_link",
        part: Some("account/links"),
        exported: &["platform", "value"],
        excluded: &[("account_id", LINK)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "picture",
        part: Some("account/profile"),
        exported: &["media", "uploaded_at"],
        excluded: &[
            ("account_id", LINK),
            ("name", DERIVED),
            ("large", "a separate file in the archive, account/picture"),
            ("medium", DERIVED),
            ("small", DERIVED),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "preference",
        part: Some("account/preferences"),
        exported: &["theme", "language", "time_zone", "is_mailed_key_reminders", "is_mailed_usage", "updated_at"],
        excluded: &[("account_id", LINK)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "password",
        part: Some("account/profile"),
        exported: &["changed_at"],
        excluded: &[("account_id", LINK), ("phc", SECRET)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "one_time_link",
        part: None,
        exported: &[],
        excluded: &[
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
        excluded: &[("digest", "created at erasure; gives no access"), ("until", "a year after the erasure")],
        erasure: Erasure::Keeps(
            "so that another person cannot take over the name of an erased account (GDPR Art. 6(1)(f)): a keyed digest without the name, for a year",
        ),
    },
    Table {
        name: "workspace",
        part: Some("workspaces/{workspace}/workspace"),
        exported: &["id", "kind", "slug", "name", "plan", "region", "owner_id", "state", "created_at"],
        excluded: &[],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "membership",
        part: Some("workspaces/{workspace}/members"),
        exported: &["account_id", "role", "joined_at"],
        excluded: &[("workspace_id", "in the name of the file")],
        erasure: Erasure::Deletes,
    },
    sessions::SESSION,
    sessions::SESSION_ROTATED,
    sessions::DEVICE,
    Table {
        name: "invitation",
        part: None,
        exported: &[],
        excluded: &[
            ("id", STATE),
            ("digest", SECRET),
            ("address", "of a person who has no account; the row is deleted when they create one, or after two weeks"),
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
        excluded: &[
            ("bucket", "a keyed digest that does not reveal whose it is"),
            ("failures", STATE),
            ("until", STATE),
            ("updated_at", STATE),
        ],
        erasure: Erasure::Keeps(
            "a counter under a keyed digest, deleted after a month at the latest, so that an erasure resets no throttle (Art. 32)",
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
        excluded: &[("id", STATE), ("pepper_id", STATE), ("data_key_id", STATE), ("since", STATE)],
        erasure: Erasure::NothingPersonal,
    },
    Table {
        name: "service",
        part: None,
        exported: &[],
        excluded: &[
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
        excluded: &[("seq", STATE), ("kind", STATE), ("subject_id", LINK)],
        erasure: Erasure::Keeps(
            "opaque ids that refer to nothing after the erasure; the newest ten thousand of all people are kept (Art. 32)",
        ),
    },
    Table {
        name: "ledger_account",
        part: None,
        exported: &[],
        excluded: &[
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
        excluded: &[
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
        excluded: &[("tx_id", LINK), ("n", LINK), ("account_id", LINK), ("amount_micro", DERIVED)],
        erasure: Erasure::Keeps(BOOKS),
    },
    Table {
        name: "ledger_balance",
        part: Some("billing/lots"),
        exported: &["balance_micro"],
        excluded: &[("account_id", LINK), ("low_micro", STATE), ("high_micro", STATE), ("last_seq", LINK)],
        erasure: Erasure::Keeps(BOOKS),
    },
    Table {
        name: "credit_lot",
        part: Some("billing/lots"),
        exported: &["id", "kind", "category", "original_micro", "effective_at", "expires_at"],
        excluded: &[
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
        excluded: &[("workspace_id", LINK)],
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
        excluded: &[("service_id", LINK), ("workspace_id", LINK), ("digest", EVIDENCE)],
        erasure: Erasure::Keeps(BOOKS),
    },
    Table {
        name: "usage_meter",
        part: None,
        exported: &[],
        excluded: &[("workspace_id", LINK), ("sku", DERIVED), ("charged_micro", DERIVED), ("rest_pico", DERIVED)],
        erasure: Erasure::Keeps(BOOKS),
    },
    Table {
        name: "data_request",
        part: Some("account/exports"),
        exported: &["id", "state", "recipient_kind", "requested_at", "finished_at", "problem"],
        excluded: &[
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
        excluded: &[
            ("id", LINK),
            ("request_id", LINK),
            ("account_id", LINK),
            ("file_name", "of an earlier archive, which the person has or can request again"),
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
        excluded: &[("digest", SECRET), ("artifact_id", LINK), ("account_id", LINK), ("expires_at", STATE)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "tombstone",
        part: None,
        exported: &[],
        excluded: &[
            ("seq", EVIDENCE),
            ("subject_id", "created at erasure"),
            ("kind", EVIDENCE),
            ("erased_at", EVIDENCE),
            ("receipt_id", "on the person's receipt"),
            ("prev_hash", EVIDENCE),
            ("hash", EVIDENCE),
        ],
        erasure: Erasure::Keeps(
            "so that a restored backup is cleaned again, and as proof of the erasure (GDPR Art. 5(2), 17(3)(b)): opaque ids",
        ),
    },
    Table {
        name: "identity",
        part: Some("account/identities"),
        exported: &["id", "provider", "issuer", "subject", "label", "email", "linked_at", "last_used_at"],
        excluded: &[("account_id", LINK)],
        erasure: Erasure::Deletes,
    },
    Table { name: "oauth_flow", part: None, exported: &[], excluded: pending::OAUTH_FLOW, erasure: Erasure::Deletes },
    Table {
        name: "totp",
        part: Some("account/authenticator"),
        exported: &["confirmed_at"],
        excluded: &[("account_id", LINK), ("sealed_secret", SECRET), ("last_step", STATE)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "totp_setup",
        part: None,
        exported: &[],
        excluded: &[("account_id", LINK), ("sealed_secret", SECRET), ("expires_at", "half an hour after it was shown")],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "recovery_code",
        part: Some("account/recovery_codes"),
        exported: &["created_at", "used_at"],
        excluded: &[("lookup", SECRET), ("account_id", LINK)],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "passkey_handle",
        part: None,
        exported: &[],
        excluded: &[
            ("account_id", LINK),
            ("handle", "a random id for authenticators; contains no information about the person"),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "passkey",
        part: Some("account/passkeys"),
        exported: &["id", "name", "sign_count", "is_backed_up", "created_at", "last_used_at"],
        excluded: &[
            ("account_id", LINK),
            ("credential_id", "a random id with which the person's device finds the passkey"),
            ("credential_json", SECRET),
        ],
        erasure: Erasure::Deletes,
    },
    Table {
        name: "passkey_challenge",
        part: None,
        exported: &[],
        excluded: pending::PASSKEY_CHALLENGE,
        erasure: Erasure::Deletes,
    },
    Table {
        name: "half_session",
        part: None,
        exported: &[],
        excluded: pending::PENDING_SIGN_IN,
        erasure: Erasure::Deletes,
    },
    Table {
        name: "factor_reset",
        part: Some("account/factor_reset"),
        exported: &["asked_by", "asked_at", "due_at"],
        excluded: &[("account_id", LINK)],
        erasure: Erasure::Deletes,
    },
];
