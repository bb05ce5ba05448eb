//! The parts of the archive and all their SQL.
//!
//! This folder reads tables of other slices, which nothing else may do: a copy of the personal data (GDPR Art. 15(3)) is
//! a copy of rows, and one list of parts can be compared with the data map.

mod statements;

use rusqlite::named_params;
use serde_json::{Map, Value};

use super::super::tables::DATA_REQUEST;
use super::cells;
use crate::base::{AccountId, WorkspaceId};
use crate::billing::{allowances, ledger, usage, vouchers};
use crate::db::{Cell, Error, Table, View, by_name};
use crate::signin::oauth;
use crate::{accounts, api_keys, factors, people, resources, sessions, workspaces};

pub use statements::STATEMENTS as PART_STATEMENTS;

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
pub const STATEMENTS: &[&str] = &[OWN_WORKSPACES];

/// All parts except the activity, which comes from the audit (see `activity.rs`).
pub const PARTS: &[Part] = &[
    Part {
        path: "account/profile",
        title: "Your profile",
        formats: &[Format::Object],
        subject: PartSubject::Account,
        tables: &[&accounts::ACCOUNT, &people::PICTURE, &accounts::PASSWORD],
        others: &[],
        sql: statements::PROFILE,
    },
    Part {
        path: "account/links",
        title: "Links on your profile",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&people::PROFILE_LINK],
        others: &[],
        sql: statements::LINKS,
    },
    Part {
        path: "account/preferences",
        title: "Your preferences",
        formats: &[Format::Object],
        subject: PartSubject::Account,
        tables: &[&people::PREFERENCE],
        others: &[],
        sql: statements::PREFERENCES,
    },
    Part {
        path: "account/emails",
        title: "Your e-mail addresses",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&accounts::ACCOUNT_EMAIL],
        others: &[],
        sql: statements::EMAILS,
    },
    Part {
        path: "account/email-changes",
        title: "Changes of your primary address, by the ids of your addresses",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&accounts::EMAIL_CHANGE],
        others: &[],
        sql: statements::EMAIL_CHANGES,
    },
    Part {
        path: "account/sessions",
        title: "Where you are signed in",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&sessions::SESSION],
        others: &[],
        sql: statements::SESSIONS,
    },
    Part {
        path: "account/devices",
        title: "Browsers you signed in with",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&sessions::DEVICE],
        others: &[],
        sql: statements::DEVICES,
    },
    Part {
        path: "account/authenticator",
        title: "Your authenticator app, without its secret",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&factors::TOTP],
        others: &[],
        sql: statements::AUTHENTICATOR,
    },
    Part {
        path: "account/passkeys",
        title: "Your passkeys",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&factors::PASSKEY],
        others: &[],
        sql: statements::PASSKEYS,
    },
    Part {
        path: "account/recovery_codes",
        title: "When your recovery codes were generated and used, without the codes",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&factors::RECOVERY_CODE],
        others: &[],
        sql: statements::RECOVERY_CODES,
    },
    Part {
        path: "account/factor_reset",
        title: "A pending removal of your second factors",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&factors::FACTOR_RESET],
        others: &[],
        sql: statements::FACTOR_RESETS,
    },
    Part {
        path: "account/identities",
        title: "Connected accounts of other providers",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&oauth::IDENTITY],
        others: &[],
        sql: statements::IDENTITIES,
    },
    Part {
        path: "account/exports",
        title: "Exports that you requested",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&DATA_REQUEST],
        others: &[],
        sql: statements::EXPORTS,
    },
    Part {
        path: "workspaces/{workspace}/workspace",
        title: "A workspace you are in",
        formats: &[Format::Object],
        subject: PartSubject::EachWorkspace,
        tables: &[&workspaces::WORKSPACE],
        others: &[],
        sql: statements::WORKSPACE,
    },
    Part {
        path: "workspaces/{workspace}/members",
        title: "Its members",
        formats: &[Format::Array],
        subject: PartSubject::EachWorkspace,
        tables: &[&workspaces::MEMBERSHIP],
        others: &[("display_name", Cell::Text)],
        sql: statements::MEMBERS,
    },
    Part {
        path: "workspaces/{workspace}/key_policy",
        title: "How long its new keys may live",
        formats: &[Format::Array],
        subject: PartSubject::EachWorkspace,
        tables: &[&api_keys::API_KEY_POLICY],
        others: &[],
        sql: statements::KEY_POLICY,
    },
    Part {
        path: "keys/keys",
        title: "Your API keys, without their secrets",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&api_keys::API_KEY, &api_keys::API_KEY_USE],
        others: &[],
        sql: statements::KEYS,
    },
    Part {
        path: "keys/days",
        title: "How often your API keys were used, by day and channel",
        formats: &[Format::Csv],
        subject: PartSubject::Account,
        tables: &[&api_keys::API_KEY_USE_DAY],
        others: &[],
        sql: statements::KEY_DAYS,
    },
    Part {
        path: "keys/rights",
        title: "When each scope of your API keys was last used",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&api_keys::API_KEY_RIGHT_USE],
        others: &[],
        sql: statements::KEY_RIGHTS,
    },
    Part {
        path: "keys/callers",
        title: "Who used API keys that were being replaced",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&api_keys::API_KEY_CALLER],
        others: &[],
        sql: statements::KEY_CALLERS,
    },
    Part {
        path: "keys/spending",
        title: "What the use of your API keys cost, by key and its successors",
        formats: &[Format::Array],
        subject: PartSubject::Account,
        tables: &[&api_keys::API_KEY_SPEND],
        others: &[],
        sql: statements::KEY_SPENDING,
    },
    Part {
        path: "billing/statement",
        title: "Every transaction, with the balance after it",
        formats: &[Format::Array, Format::Csv],
        subject: PartSubject::OwnWorkspace,
        tables: &[&ledger::STATEMENT_LINE, &ledger::LEDGER_TX],
        others: &[],
        sql: statements::STATEMENT,
    },
    Part {
        path: "billing/lots",
        title: "Credit that you received, and what is left of it",
        formats: &[Format::Array],
        subject: PartSubject::OwnWorkspace,
        tables: &[&ledger::CREDIT_LOT, &ledger::LEDGER_BALANCE],
        others: &[],
        sql: statements::LOTS,
    },
    Part {
        path: "billing/redemptions",
        title: "Codes that you redeemed, without the codes",
        formats: &[Format::Array],
        subject: PartSubject::OwnWorkspace,
        tables: &[&vouchers::VOUCHER_REDEMPTION],
        others: &[],
        sql: statements::REDEMPTIONS,
    },
    Part {
        path: "billing/allowance",
        title: "Credit that you get each month",
        formats: &[Format::Array],
        subject: PartSubject::OwnWorkspace,
        tables: &[&allowances::CREDIT_ALLOWANCE],
        others: &[],
        sql: statements::ALLOWANCE,
    },
    Part {
        path: "usage/usage",
        title: "Usage that services reported",
        formats: &[Format::Csv],
        subject: PartSubject::OwnWorkspace,
        tables: &[&usage::USAGE_EVENT],
        others: &[],
        sql: statements::USAGE,
    },
    Part {
        path: "usage/authorizations",
        title: "What services were allowed to charge, before the usage",
        formats: &[Format::Csv],
        subject: PartSubject::OwnWorkspace,
        tables: &[&usage::USAGE_AUTHORIZATION],
        others: &[],
        sql: statements::AUTHORIZATIONS,
    },
    Part {
        path: "workspaces/{workspace}/resources",
        title: "What services keep for the workspace",
        formats: &[Format::Array, Format::Csv],
        subject: PartSubject::EachWorkspace,
        tables: &[&resources::RESOURCE],
        others: &[],
        sql: statements::RESOURCES,
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
