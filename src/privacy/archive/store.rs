//! The parts of the archive and all their SQL.
//!
//! This file reads tables of other slices, which no other file may do: a copy of the personal data (GDPR Art. 15(3)) is
//! a copy of rows, and one list of parts can be compared with the data map.

use rusqlite::named_params;
use serde_json::{Map, Value};

use super::cells::Cell;
use crate::base::{AccountId, WorkspaceId};
use crate::db::{Error, View};

/// The id that selects the rows of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartSubject {
    /// The person's account.
    Account,
    /// Each workspace the person is in.
    EachWorkspace,
    /// The person's own workspace.
    OwnWorkspace,
}

/// The file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object.
    Object,
    /// A JSON array of objects.
    Array,
    /// A CSV table for spreadsheets.
    Csv,
}

/// A part of the archive.
#[derive(Debug)]
pub struct Part {
    /// The path in the archive without extension. `{workspace}` is replaced by the workspace's id.
    pub path: &'static str,
    /// The title, for people.
    pub title: &'static str,
    /// One file is written per format.
    pub formats: &'static [Format],
    /// The value of `:subject`.
    pub subject: PartSubject,
    /// The names and types of the columns, in the order of the statement.
    pub columns: &'static [(&'static str, Cell)],
    /// The statement. Its only parameter is `:subject`.
    pub sql: &'static str,
}

const PROFILE: &str = "
    select a.id, a.username, a.display_name, a.company, a.use_case, a.bio, a.colour, i.media, i.uploaded_at, a.region, a.state,
           a.is_operator, a.created_at, p.changed_at, a.keys_locked_at
    from account a left join password p on p.account_id = a.id left join picture i on i.account_id = a.id
    where a.id = :subject";
const LINKS: &str = "select platform, value from profile_link where account_id = :subject order by platform";
// A person without preferences gets nulls: the defaults of the system are not data about them.
const PREFERENCES: &str = "
    select p.theme, p.language, p.time_zone, p.is_mailed_key_reminders, p.is_mailed_usage, p.updated_at
    from account a left join preference p on p.account_id = a.id
    where a.id = :subject";
const EMAIL_CHANGES: &str = "
    select id, from_id, to_id, changed_at, revert_until, closed_at from email_change
    where account_id = :subject
    order by changed_at, id";
const EMAILS: &str = "
    select id, address, verified_at, is_primary, added_at from account_email
    where account_id = :subject
    order by is_primary desc, added_at";
const SESSIONS: &str = "
    select id, created_at, last_seen_at, ends_at, proved_at, address, agent, method from session
    where account_id = :subject
    order by created_at";
const IDENTITIES: &str = "
    select id, provider, issuer, subject, label, email, linked_at, last_used_at from identity
    where account_id = :subject
    order by linked_at";
const DEVICES: &str = "
    select first_seen_at, last_seen_at, is_trusted from device
    where account_id = :subject
    order by first_seen_at";
const AUTHENTICATOR: &str = "select confirmed_at from totp where account_id = :subject";
const PASSKEYS: &str = "
    select id, name, sign_count, is_backed_up, created_at, last_used_at from passkey
    where account_id = :subject
    order by created_at";
const RECOVERY_CODES: &str = "
    select created_at, used_at from recovery_code
    where account_id = :subject
    order by created_at, used_at";
const FACTOR_RESETS: &str = "
    select asked_by, asked_at, due_at from factor_reset where account_id = :subject";
const EXPORTS: &str = "
    select id, state, recipient_kind, requested_at, finished_at, problem from data_request
    where account_id = :subject
    order by requested_at";
const WORKSPACE: &str = "
    select id, kind, slug, name, plan, region, owner_id, state, created_at from workspace where id = :subject";
// Other members appear as every member of the workspace sees them, without further data (domain 4.1, 5).
const MEMBERS: &str = "
    select m.account_id, a.display_name, m.role, m.joined_at
    from membership m join account a on a.id = m.account_id
    where m.workspace_id = :subject
    order by m.joined_at";
const KEYS: &str = "
    select k.id, k.workspace_id, k.name, k.display, k.scopes, k.state, k.state_at, k.ended_as, k.created_at, k.expires_at,
           k.retire_at, k.revoked_at, k.predecessor_id, k.networks, k.rate_per_minute, k.budget_micro, k.budget_period,
           k.spent_until, u.last_used_at, u.uses, u.last_address, u.last_agent
    from api_key k left join api_key_use u on u.key_id = k.id
    where k.account_id = :subject
    order by k.created_at";
// Days are stored as day numbers from 1970 and exported as times.
const KEY_DAYS: &str = "
    select d.key_id, d.day * 86400000, d.door, d.uses
    from api_key_use_day d join api_key k on k.id = d.key_id
    where k.account_id = :subject
    order by d.key_id, d.day, d.door";
const KEY_RIGHTS: &str = "
    select r.key_id, r.right_name, r.last_day * 86400000
    from api_key_right_use r join api_key k on k.id = r.key_id
    where k.account_id = :subject
    order by r.key_id, r.right_name";
const KEY_CALLERS: &str = "
    select c.key_id, c.address, c.agent, c.first_at, c.last_at, c.uses
    from api_key_caller c join api_key k on k.id = c.key_id
    where k.account_id = :subject
    order by c.key_id, c.first_at";
const KEY_SPENDING: &str = "
    select s.family_id, s.period, s.spent_micro from api_key_spend s
    where s.family_id in (select family_id from api_key where account_id = :subject)
    order by s.family_id, s.period";
const KEY_POLICY: &str = "select max_life_days, changed_at from api_key_policy where workspace_id = :subject";
const STATEMENT: &str = "
    select l.seq, l.tx_id, l.at, l.kind, l.details, l.amount_micro, l.balance_after_micro, t.key_id
    from statement_line l join ledger_tx t on t.id = l.tx_id
    where l.workspace_id = :subject
    order by l.seq";
const LOTS: &str = "
    select l.id, l.kind, l.category, l.original_micro, -coalesce(b.balance_micro, 0), l.effective_at, l.expires_at
    from credit_lot l left join ledger_balance b on b.account_id = l.account_id
    where l.workspace_id = :subject
    order by l.tx_seq";
const USAGE: &str = "
    select source, id, sku, quantity_micro, price_micro, charge_micro, key_id, occurred_at, received_at, tx_id
    from usage_event
    where workspace_id = :subject
    order by occurred_at";
const OWN_WORKSPACES: &str = "
    select m.workspace_id, w.kind = 'personal' and w.owner_id = m.account_id
    from membership m join workspace w on w.id = m.workspace_id
    where m.account_id = :subject
    order by m.joined_at";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    PROFILE,
    LINKS,
    PREFERENCES,
    EMAILS,
    EMAIL_CHANGES,
    SESSIONS,
    IDENTITIES,
    DEVICES,
    AUTHENTICATOR,
    PASSKEYS,
    RECOVERY_CODES,
    FACTOR_RESETS,
    EXPORTS,
    WORKSPACE,
    MEMBERS,
    KEY_POLICY,
    KEYS,
    KEY_DAYS,
    KEY_RIGHTS,
    KEY_CALLERS,
    KEY_SPENDING,
    STATEMENT,
    LOTS,
    USAGE,
    OWN_WORKSPACES,
];

/// All parts except the activity, which comes from the audit (see `activity.rs`).
pub const PARTS: &[Part] = &[
    Part {
        path: "account/profile",
        title: "Your profile",
        formats: &[Format::Object],
        subject: PartSubject::Account,
        columns: &[
            ("id", Cell::Text),
            ("username", Cell::Text),
            ("display_name", Cell::Text),
            ("company", Cell::Text),
            ("use_case", Cell::Text),
            ("bio", Cell::Text),
            ("colour", Cell::Text),
            ("picture", Cell::Text),
            ("picture_uploaded_at", Cell::Time),
            ("region", Cell::Text),
            ("state", Cell::Text),
            ("is_operator", Cell::Flag),
            ("created_at", Cell::Time),
            ("password_changed_at", Cell::Time),
            ("keys_locked_at", Cell::Time),
        ],
        sql: PROFILE,
    },
    Part {
        path: "account/links",
        title: "Links on your profile",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[("platform", Cell::Text), ("value", Cell::Text)],
        sql: LINKS,
    },
    Part {
        path: "account/preferences",
        title: "Your preferences",
        formats: &[Format::Object],
        subject: PartSubject::Account,
        columns: &[
            ("theme", Cell::Text),
            ("language", Cell::Text),
            ("time_zone", Cell::Text),
            ("mail_key_reminders", Cell::Flag),
            ("mail_usage", Cell::Flag),
            ("changed_at", Cell::Time),
        ],
        sql: PREFERENCES,
    },
    Part {
        path: "account/emails",
        title: "Your e-mail addresses",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[
            ("id", Cell::Text),
            ("address", Cell::Text),
            ("verified_at", Cell::Time),
            ("is_primary", Cell::Flag),
            ("added_at", Cell::Time),
        ],
        sql: EMAILS,
    },
    Part {
        path: "account/email-changes",
        title: "Changes of your primary address, by the ids of your addresses",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[
            ("id", Cell::Text),
            ("from", Cell::Text),
            ("to", Cell::Text),
            ("changed_at", Cell::Time),
            ("revert_until", Cell::Time),
            ("closed_at", Cell::Time),
        ],
        sql: EMAIL_CHANGES,
    },
    Part {
        path: "account/sessions",
        title: "Where you are signed in",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[
            ("id", Cell::Text),
            ("created_at", Cell::Time),
            ("last_seen_at", Cell::Time),
            ("ends_at", Cell::Time),
            ("proved_at", Cell::Time),
            ("address", Cell::Text),
            ("agent", Cell::Text),
            ("method", Cell::Text),
        ],
        sql: SESSIONS,
    },
    Part {
        path: "account/devices",
        title: "Browsers you signed in with",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[("first_seen_at", Cell::Time), ("last_seen_at", Cell::Time), ("is_trusted", Cell::Flag)],
        sql: DEVICES,
    },
    Part {
        path: "account/authenticator",
        title: "Your authenticator app, without its secret",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[("confirmed_at", Cell::Time)],
        sql: AUTHENTICATOR,
    },
    Part {
        path: "account/passkeys",
        title: "Your passkeys",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[
            ("id", Cell::Text),
            ("name", Cell::Text),
            ("sign_count", Cell::Number),
            ("is_backed_up", Cell::Flag),
            ("created_at", Cell::Time),
            ("last_used_at", Cell::Time),
        ],
        sql: PASSKEYS,
    },
    Part {
        path: "account/recovery_codes",
        title: "When your recovery codes were generated and used, without the codes",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[("created_at", Cell::Time), ("used_at", Cell::Time)],
        sql: RECOVERY_CODES,
    },
    Part {
        path: "account/factor_reset",
        title: "A pending removal of your second factors",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[("asked_by", Cell::Text), ("asked_at", Cell::Time), ("due_at", Cell::Time)],
        sql: FACTOR_RESETS,
    },
    Part {
        path: "account/identities",
        title: "Connected accounts of other providers",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[
            ("id", Cell::Text),
            ("provider", Cell::Text),
            ("issuer", Cell::Text),
            ("subject", Cell::Text),
            ("label", Cell::Text),
            ("email", Cell::Text),
            ("linked_at", Cell::Time),
            ("last_used_at", Cell::Time),
        ],
        sql: IDENTITIES,
    },
    Part {
        path: "account/exports",
        title: "Exports that you requested",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[
            ("id", Cell::Text),
            ("state", Cell::Text),
            ("recipient_kind", Cell::Text),
            ("requested_at", Cell::Time),
            ("finished_at", Cell::Time),
            ("problem", Cell::Text),
        ],
        sql: EXPORTS,
    },
    Part {
        path: "workspaces/{workspace}/workspace",
        title: "A workspace you are in",
        formats: &[Format::Object],
        subject: PartSubject::EachWorkspace,
        columns: &[
            ("id", Cell::Text),
            ("kind", Cell::Text),
            ("slug", Cell::Text),
            ("name", Cell::Text),
            ("plan", Cell::Text),
            ("region", Cell::Text),
            ("owner", Cell::Text),
            ("state", Cell::Text),
            ("created_at", Cell::Time),
        ],
        sql: WORKSPACE,
    },
    Part {
        path: "workspaces/{workspace}/members",
        title: "Its members",
        formats: &[Format::Array],
        subject: PartSubject::EachWorkspace,
        columns: &[
            ("account", Cell::Text),
            ("display_name", Cell::Text),
            ("role", Cell::Text),
            ("joined_at", Cell::Time),
        ],
        sql: MEMBERS,
    },
    Part {
        path: "workspaces/{workspace}/key_policy",
        title: "How long its new keys may live",
        formats: &[Format::Array],
        subject: PartSubject::EachWorkspace,
        columns: &[("max_life_days", Cell::Number), ("changed_at", Cell::Time)],
        sql: KEY_POLICY,
    },
    Part {
        path: "keys/keys",
        title: "Your API keys, without their secrets",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[
            ("id", Cell::Text),
            ("workspace", Cell::Text),
            ("name", Cell::Text),
            ("display", Cell::Text),
            ("scopes", Cell::Words),
            ("state", Cell::Text),
            ("state_at", Cell::Time),
            ("ended_as", Cell::Text),
            ("created_at", Cell::Time),
            ("expires_at", Cell::Time),
            ("retire_at", Cell::Time),
            ("revoked_at", Cell::Time),
            ("predecessor", Cell::Text),
            ("networks", Cell::Words),
            ("rate_per_minute", Cell::Number),
            ("budget", Cell::Credits),
            ("budget_period", Cell::Text),
            ("spent_until", Cell::Time),
            ("last_used_at", Cell::Time),
            ("uses", Cell::Number),
            ("last_address", Cell::Text),
            ("last_agent", Cell::Text),
        ],
        sql: KEYS,
    },
    Part {
        path: "keys/days",
        title: "How often your API keys were used, by day and channel",
        formats: &[Format::Csv],
        subject: PartSubject::Account,
        columns: &[("key", Cell::Text), ("day", Cell::Time), ("door", Cell::Text), ("uses", Cell::Number)],
        sql: KEY_DAYS,
    },
    Part {
        path: "keys/rights",
        title: "When each scope of your API keys was last used",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[("key", Cell::Text), ("right", Cell::Text), ("last_day", Cell::Time)],
        sql: KEY_RIGHTS,
    },
    Part {
        path: "keys/callers",
        title: "Who used API keys that were being replaced",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[
            ("key", Cell::Text),
            ("address", Cell::Text),
            ("agent", Cell::Text),
            ("first_at", Cell::Time),
            ("last_at", Cell::Time),
            ("uses", Cell::Number),
        ],
        sql: KEY_CALLERS,
    },
    Part {
        path: "keys/spending",
        title: "What the use of your API keys cost, by key and its successors",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        columns: &[("first_key", Cell::Text), ("period", Cell::Text), ("spent", Cell::Credits)],
        sql: KEY_SPENDING,
    },
    Part {
        path: "billing/statement",
        title: "Every transaction, with the balance after it",
        formats: &[Format::Array, Format::Csv],
        subject: PartSubject::OwnWorkspace,
        columns: &[
            ("seq", Cell::Number),
            ("id", Cell::Text),
            ("at", Cell::Time),
            ("kind", Cell::Text),
            ("details", Cell::Text),
            ("amount", Cell::Credits),
            ("balance_after", Cell::Credits),
            ("key", Cell::Text),
        ],
        sql: STATEMENT,
    },
    Part {
        path: "billing/lots",
        title: "Credit that you received, and what is left of it",
        formats: &[Format::Array],
        subject: PartSubject::OwnWorkspace,
        columns: &[
            ("id", Cell::Text),
            ("kind", Cell::Text),
            ("category", Cell::Text),
            ("original", Cell::Credits),
            ("left", Cell::Credits),
            ("effective_at", Cell::Time),
            ("expires_at", Cell::Time),
        ],
        sql: LOTS,
    },
    Part {
        path: "usage/usage",
        title: "Usage that services reported",
        formats: &[Format::Csv],
        subject: PartSubject::OwnWorkspace,
        columns: &[
            ("source", Cell::Text),
            ("id", Cell::Text),
            ("sku", Cell::Text),
            ("quantity", Cell::Quantity),
            ("price", Cell::Credits),
            ("charge", Cell::Credits),
            ("key", Cell::Text),
            ("occurred_at", Cell::Time),
            ("received_at", Cell::Time),
            ("transaction", Cell::Text),
        ],
        sql: USAGE,
    },
];

/// The workspaces of a person, and whether each is their own.
pub(super) fn list_workspaces(view: &View<'_>, account: AccountId) -> Result<Vec<(WorkspaceId, bool)>, Error> {
    view.list(OWN_WORKSPACES, named_params! {":subject": account}, |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Calls `each` for every row of a part.
pub(super) fn walk_part<E: From<Error>>(
    view: &View<'_>,
    part: &Part,
    subject: &str,
    mut each: impl FnMut(Map<String, Value>) -> Result<(), E>,
) -> Result<(), E> {
    view.walk(part.sql, named_params! {":subject": subject}, |row| {
        let mut values = Map::new();
        for (index, (name, cell)) in part.columns.iter().enumerate() {
            values.insert((*name).to_owned(), cell.read(row, index).map_err(Error::from)?);
        }
        each(values)
    })
}
