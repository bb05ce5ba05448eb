//! The parts of the archive and all their SQL.
//!
//! This file reads tables of other slices, which no other file may do: a copy of the personal data (GDPR Art. 15(3)) is
//! a copy of rows, and one list of parts can be compared with the data map.

use rusqlite::named_params;
use serde_json::{Map, Value};

use super::super::tables::DATA_REQUEST;
use super::cells;
use crate::base::{AccountId, WorkspaceId};
use crate::billing::{ledger, usage};
use crate::db::{Cell, Error, Table, View, by_name, exported_columns, sql};
use crate::signin::oauth;
use crate::{accounts, api_keys, factors, people, sessions, workspaces};

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
    /// The tables whose exported columns the statement selects.
    pub tables: &'static [&'static Table],
    /// Further columns of the statement.
    pub others: &'static [(&'static str, Cell)],
    /// The statement. Its only parameter is `:subject`.
    pub sql: &'static str,
}

const PROFILE: &str = sql!(
    "select ",
    exported_columns!(accounts::ACCOUNT as "a"),
    ", ",
    exported_columns!(people::PICTURE as "i"),
    ", ",
    exported_columns!(accounts::PASSWORD as "p"),
    "
    from account a left join password p on p.account_id = a.id left join picture i on i.account_id = a.id
    where a.id = :subject"
);
const LINKS: &str = sql!(
    "select ",
    exported_columns!(people::PROFILE_LINK as "l"),
    "
    from profile_link l
    where account_id = :subject order by platform"
);
// A person without preferences gets nulls: the defaults of the system are not data about them.
const PREFERENCES: &str = sql!(
    "select ",
    exported_columns!(people::PREFERENCE as "p"),
    "
    from account a left join preference p on p.account_id = a.id
    where a.id = :subject"
);
const EMAIL_CHANGES: &str = sql!(
    "select ",
    exported_columns!(accounts::EMAIL_CHANGE as "c"),
    "
    from email_change c
    where account_id = :subject
    order by changed_at, id"
);
const EMAILS: &str = sql!(
    "select ",
    exported_columns!(accounts::ACCOUNT_EMAIL as "e"),
    "
    from account_email e
    where account_id = :subject
    order by is_primary desc, added_at"
);
const SESSIONS: &str = sql!(
    "select ",
    exported_columns!(sessions::SESSION as "s"),
    "
    from session s
    where account_id = :subject
    order by created_at"
);
const IDENTITIES: &str = sql!(
    "select ",
    exported_columns!(oauth::IDENTITY as "i"),
    "
    from identity i
    where account_id = :subject
    order by linked_at"
);
const DEVICES: &str = sql!(
    "select ",
    exported_columns!(sessions::DEVICE as "d"),
    "
    from device d
    where account_id = :subject
    order by first_seen_at"
);
const AUTHENTICATOR: &str = sql!(
    "select ",
    exported_columns!(factors::TOTP as "t"),
    "
    from totp t
    where account_id = :subject"
);
const PASSKEYS: &str = sql!(
    "select ",
    exported_columns!(factors::PASSKEY as "p"),
    "
    from passkey p
    where account_id = :subject
    order by created_at"
);
const RECOVERY_CODES: &str = sql!(
    "select ",
    exported_columns!(factors::RECOVERY_CODE as "c"),
    "
    from recovery_code c
    where account_id = :subject
    order by created_at, used_at"
);
const FACTOR_RESETS: &str = sql!(
    "select ",
    exported_columns!(factors::FACTOR_RESET as "r"),
    "
    from factor_reset r
    where account_id = :subject"
);
const EXPORTS: &str = sql!(
    "select ",
    exported_columns!(DATA_REQUEST as "r"),
    "
    from data_request r
    where account_id = :subject
    order by requested_at"
);
const WORKSPACE: &str = sql!(
    "select ",
    exported_columns!(workspaces::WORKSPACE as "w"),
    "
    from workspace w
    where id = :subject"
);
// Other members appear as every member of the workspace sees them, without further data (domain 4.1, 5).
const MEMBERS: &str = sql!(
    "select ",
    exported_columns!(workspaces::MEMBERSHIP as "m"),
    ", a.display_name",
    "
    from membership m join account a on a.id = m.account_id
    where m.workspace_id = :subject
    order by m.joined_at"
);
const KEYS: &str = sql!(
    "select ",
    exported_columns!(api_keys::API_KEY as "k"),
    ", ",
    exported_columns!(api_keys::API_KEY_USE as "u"),
    "
    from api_key k left join api_key_use u on u.key_id = k.id
    where k.account_id = :subject
    order by k.created_at"
);
// Days are stored as day numbers from 1970 and exported as times.
const KEY_DAYS: &str = sql!(
    "select ",
    exported_columns!(api_keys::API_KEY_USE_DAY as "d"),
    "
    from api_key_use_day d join api_key k on k.id = d.key_id
    where k.account_id = :subject
    order by d.key_id, d.day, d.door"
);
const KEY_RIGHTS: &str = sql!(
    "select ",
    exported_columns!(api_keys::API_KEY_RIGHT_USE as "r"),
    "
    from api_key_right_use r join api_key k on k.id = r.key_id
    where k.account_id = :subject
    order by r.key_id, r.right_name"
);
const KEY_CALLERS: &str = sql!(
    "select ",
    exported_columns!(api_keys::API_KEY_CALLER as "c"),
    "
    from api_key_caller c join api_key k on k.id = c.key_id
    where k.account_id = :subject
    order by c.key_id, c.first_at"
);
const KEY_SPENDING: &str = sql!(
    "select ",
    exported_columns!(api_keys::API_KEY_SPEND as "s"),
    "
    from api_key_spend s
    where s.family_id in (select family_id from api_key where account_id = :subject)
    order by s.family_id, s.period"
);
const KEY_POLICY: &str = sql!(
    "select ",
    exported_columns!(api_keys::API_KEY_POLICY as "p"),
    "
    from api_key_policy p
    where workspace_id = :subject"
);
const STATEMENT: &str = sql!(
    "select ",
    exported_columns!(ledger::STATEMENT_LINE as "l"),
    ", ",
    exported_columns!(ledger::LEDGER_TX as "t"),
    "
    from statement_line l join ledger_tx t on t.id = l.tx_id
    where l.workspace_id = :subject
    order by l.seq"
);
const LOTS: &str = sql!(
    "select ",
    exported_columns!(ledger::CREDIT_LOT as "l"),
    ", ",
    exported_columns!(ledger::LEDGER_BALANCE as "b"),
    "
    from credit_lot l left join ledger_balance b on b.account_id = l.account_id
    where l.workspace_id = :subject
    order by l.tx_seq"
);
const USAGE: &str = sql!(
    "select ",
    exported_columns!(usage::USAGE_EVENT as "u"),
    "
    from usage_event u
    where workspace_id = :subject
    order by occurred_at"
);
const OWN_WORKSPACES: &str = "
    select m.workspace_id, w.kind = 'personal' and w.owner_id = m.account_id as is_own
    from membership m join workspace w on w.id = m.workspace_id
    where m.account_id = :subject
    order by m.joined_at";

impl Part {
    /// The names and types of its columns, in the order of the CSV file.
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, Cell)> {
        self.tables.iter().flat_map(|table| table.exported()).chain(self.others.iter().copied())
    }
}

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
        tables: &[&accounts::ACCOUNT, &people::PICTURE, &accounts::PASSWORD],
        others: &[],
        sql: PROFILE,
    },
    Part {
        path: "account/links",
        title: "Links on your profile",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&people::PROFILE_LINK],
        others: &[],
        sql: LINKS,
    },
    Part {
        path: "account/preferences",
        title: "Your preferences",
        formats: &[Format::Object],
        subject: PartSubject::Account,
        tables: &[&people::PREFERENCE],
        others: &[],
        sql: PREFERENCES,
    },
    Part {
        path: "account/emails",
        title: "Your e-mail addresses",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&accounts::ACCOUNT_EMAIL],
        others: &[],
        sql: EMAILS,
    },
    Part {
        path: "account/email-changes",
        title: "Changes of your primary address, by the ids of your addresses",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&accounts::EMAIL_CHANGE],
        others: &[],
        sql: EMAIL_CHANGES,
    },
    Part {
        path: "account/sessions",
        title: "Where you are signed in",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&sessions::SESSION],
        others: &[],
        sql: SESSIONS,
    },
    Part {
        path: "account/devices",
        title: "Browsers you signed in with",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&sessions::DEVICE],
        others: &[],
        sql: DEVICES,
    },
    Part {
        path: "account/authenticator",
        title: "Your authenticator app, without its secret",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&factors::TOTP],
        others: &[],
        sql: AUTHENTICATOR,
    },
    Part {
        path: "account/passkeys",
        title: "Your passkeys",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&factors::PASSKEY],
        others: &[],
        sql: PASSKEYS,
    },
    Part {
        path: "account/recovery_codes",
        title: "When your recovery codes were generated and used, without the codes",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&factors::RECOVERY_CODE],
        others: &[],
        sql: RECOVERY_CODES,
    },
    Part {
        path: "account/factor_reset",
        title: "A pending removal of your second factors",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&factors::FACTOR_RESET],
        others: &[],
        sql: FACTOR_RESETS,
    },
    Part {
        path: "account/identities",
        title: "Connected accounts of other providers",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&oauth::IDENTITY],
        others: &[],
        sql: IDENTITIES,
    },
    Part {
        path: "account/exports",
        title: "Exports that you requested",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&DATA_REQUEST],
        others: &[],
        sql: EXPORTS,
    },
    Part {
        path: "workspaces/{workspace}/workspace",
        title: "A workspace you are in",
        formats: &[Format::Object],
        subject: PartSubject::EachWorkspace,
        tables: &[&workspaces::WORKSPACE],
        others: &[],
        sql: WORKSPACE,
    },
    Part {
        path: "workspaces/{workspace}/members",
        title: "Its members",
        formats: &[Format::Array],
        subject: PartSubject::EachWorkspace,
        tables: &[&workspaces::MEMBERSHIP],
        others: &[("display_name", Cell::Text)],
        sql: MEMBERS,
    },
    Part {
        path: "workspaces/{workspace}/key_policy",
        title: "How long its new keys may live",
        formats: &[Format::Array],
        subject: PartSubject::EachWorkspace,
        tables: &[&api_keys::API_KEY_POLICY],
        others: &[],
        sql: KEY_POLICY,
    },
    Part {
        path: "keys/keys",
        title: "Your API keys, without their secrets",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&api_keys::API_KEY, &api_keys::API_KEY_USE],
        others: &[],
        sql: KEYS,
    },
    Part {
        path: "keys/days",
        title: "How often your API keys were used, by day and channel",
        formats: &[Format::Csv],
        subject: PartSubject::Account,
        tables: &[&api_keys::API_KEY_USE_DAY],
        others: &[],
        sql: KEY_DAYS,
    },
    Part {
        path: "keys/rights",
        title: "When each scope of your API keys was last used",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&api_keys::API_KEY_RIGHT_USE],
        others: &[],
        sql: KEY_RIGHTS,
    },
    Part {
        path: "keys/callers",
        title: "Who used API keys that were being replaced",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&api_keys::API_KEY_CALLER],
        others: &[],
        sql: KEY_CALLERS,
    },
    Part {
        path: "keys/spending",
        title: "What the use of your API keys cost, by key and its successors",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&api_keys::API_KEY_SPEND],
        others: &[],
        sql: KEY_SPENDING,
    },
    Part {
        path: "billing/statement",
        title: "Every transaction, with the balance after it",
        formats: &[Format::Array, Format::Csv],
        subject: PartSubject::OwnWorkspace,
        tables: &[&ledger::STATEMENT_LINE, &ledger::LEDGER_TX],
        others: &[],
        sql: STATEMENT,
    },
    Part {
        path: "billing/lots",
        title: "Credit that you received, and what is left of it",
        formats: &[Format::Array],
        subject: PartSubject::OwnWorkspace,
        tables: &[&ledger::CREDIT_LOT, &ledger::LEDGER_BALANCE],
        others: &[],
        sql: LOTS,
    },
    Part {
        path: "usage/usage",
        title: "Usage that services reported",
        formats: &[Format::Csv],
        subject: PartSubject::OwnWorkspace,
        tables: &[&usage::USAGE_EVENT],
        others: &[],
        sql: USAGE,
    },
];

/// The workspaces of a person, and whether each is their own.
pub(super) fn list_workspaces(view: &View<'_>, account: AccountId) -> Result<Vec<(WorkspaceId, bool)>, Error> {
    view.list(OWN_WORKSPACES, named_params! {":subject": account}, |row| {
        by_name!(row, OWN_WORKSPACES => workspace_id, is_own);
        Ok((workspace_id.get()?, is_own.get()?))
    })
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
        for (name, cell) in part.columns() {
            values.insert(name.to_owned(), cells::read(cell, row, name).map_err(Error::from)?);
        }
        each(values)
    })
}
