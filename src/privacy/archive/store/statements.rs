//! The statements of the parts.

use super::super::super::tables::DATA_REQUEST;
use crate::billing::{allowances, ledger, usage, vouchers};
use crate::db::{exported_columns, sql};
use crate::signin::oauth;
use crate::{accounts, api_keys, factors, people, resources, sessions, workspaces};

pub(super) const PROFILE: &str = sql!(
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
pub(super) const LINKS: &str = sql!(
    "select ",
    exported_columns!(people::PROFILE_LINK as "l"),
    "
    from profile_link l
    where account_id = :subject order by platform"
);
// A person without preferences gets nulls: the defaults of the system are not data about them.
pub(super) const PREFERENCES: &str = sql!(
    "select ",
    exported_columns!(people::PREFERENCE as "p"),
    "
    from account a left join preference p on p.account_id = a.id
    where a.id = :subject"
);
pub(super) const EMAIL_CHANGES: &str = sql!(
    "select ",
    exported_columns!(accounts::EMAIL_CHANGE as "c"),
    "
    from email_change c
    where account_id = :subject
    order by changed_at, id"
);
pub(super) const EMAILS: &str = sql!(
    "select ",
    exported_columns!(accounts::ACCOUNT_EMAIL as "e"),
    "
    from account_email e
    where account_id = :subject
    order by is_primary desc, added_at"
);
pub(super) const SESSIONS: &str = sql!(
    "select ",
    exported_columns!(sessions::SESSION as "s"),
    "
    from session s
    where account_id = :subject
    order by created_at"
);
pub(super) const IDENTITIES: &str = sql!(
    "select ",
    exported_columns!(oauth::IDENTITY as "i"),
    "
    from identity i
    where account_id = :subject
    order by linked_at"
);
pub(super) const DEVICES: &str = sql!(
    "select ",
    exported_columns!(sessions::DEVICE as "d"),
    "
    from device d
    where account_id = :subject
    order by first_seen_at"
);
pub(super) const AUTHENTICATOR: &str = sql!(
    "select ",
    exported_columns!(factors::TOTP as "t"),
    "
    from totp t
    where account_id = :subject"
);
pub(super) const PASSKEYS: &str = sql!(
    "select ",
    exported_columns!(factors::PASSKEY as "p"),
    "
    from passkey p
    where account_id = :subject
    order by created_at"
);
pub(super) const RECOVERY_CODES: &str = sql!(
    "select ",
    exported_columns!(factors::RECOVERY_CODE as "c"),
    "
    from recovery_code c
    where account_id = :subject
    order by created_at, used_at"
);
pub(super) const FACTOR_RESETS: &str = sql!(
    "select ",
    exported_columns!(factors::FACTOR_RESET as "r"),
    "
    from factor_reset r
    where account_id = :subject"
);
pub(super) const EXPORTS: &str = sql!(
    "select ",
    exported_columns!(DATA_REQUEST as "r"),
    "
    from data_request r
    where account_id = :subject
    order by requested_at"
);
pub(super) const WORKSPACE: &str = sql!(
    "select ",
    exported_columns!(workspaces::WORKSPACE as "w"),
    "
    from workspace w
    where id = :subject"
);
// Other members appear as every member of the workspace sees them, without further data (domain 4.1, 5).
pub(super) const MEMBERS: &str = sql!(
    "select ",
    exported_columns!(workspaces::MEMBERSHIP as "m"),
    ", a.display_name",
    "
    from membership m join account a on a.id = m.account_id
    where m.workspace_id = :subject
    order by m.joined_at"
);
pub(super) const KEYS: &str = sql!(
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
pub(super) const KEY_DAYS: &str = sql!(
    "select ",
    exported_columns!(api_keys::API_KEY_USE_DAY as "d"),
    "
    from api_key_use_day d join api_key k on k.id = d.key_id
    where k.account_id = :subject
    order by d.key_id, d.day, d.door"
);
pub(super) const KEY_RIGHTS: &str = sql!(
    "select ",
    exported_columns!(api_keys::API_KEY_RIGHT_USE as "r"),
    "
    from api_key_right_use r join api_key k on k.id = r.key_id
    where k.account_id = :subject
    order by r.key_id, r.right_name"
);
pub(super) const KEY_CALLERS: &str = sql!(
    "select ",
    exported_columns!(api_keys::API_KEY_CALLER as "c"),
    "
    from api_key_caller c join api_key k on k.id = c.key_id
    where k.account_id = :subject
    order by c.key_id, c.first_at"
);
pub(super) const KEY_SPENDING: &str = sql!(
    "select ",
    exported_columns!(api_keys::API_KEY_SPEND as "s"),
    "
    from api_key_spend s
    where s.family_id in (select family_id from api_key where account_id = :subject)
    order by s.family_id, s.period"
);
pub(super) const KEY_POLICY: &str = sql!(
    "select ",
    exported_columns!(api_keys::API_KEY_POLICY as "p"),
    "
    from api_key_policy p
    where workspace_id = :subject"
);
pub(super) const STATEMENT: &str = sql!(
    "select ",
    exported_columns!(ledger::STATEMENT_LINE as "l"),
    ", ",
    exported_columns!(ledger::LEDGER_TX as "t"),
    "
    from statement_line l join ledger_tx t on t.id = l.tx_id
    where l.workspace_id = :subject
    order by l.seq"
);
pub(super) const LOTS: &str = sql!(
    "select ",
    exported_columns!(ledger::CREDIT_LOT as "l"),
    ", ",
    exported_columns!(ledger::LEDGER_BALANCE as "b"),
    "
    from credit_lot l left join ledger_balance b on b.account_id = l.account_id
    where l.workspace_id = :subject
    order by l.tx_seq"
);
pub(super) const REDEMPTIONS: &str = sql!(
    "select ",
    exported_columns!(vouchers::VOUCHER_REDEMPTION as "r"),
    "
    from voucher_redemption r
    where workspace_id = :subject
    order by redeemed_at, tx_id"
);
pub(super) const ALLOWANCE: &str = sql!(
    "select ",
    exported_columns!(allowances::CREDIT_ALLOWANCE as "a"),
    "
    from credit_allowance a
    where workspace_id = :subject"
);
pub(super) const USAGE: &str = sql!(
    "select ",
    exported_columns!(usage::USAGE_EVENT as "u"),
    "
    from usage_event u
    where workspace_id = :subject
    order by occurred_at"
);
pub(super) const AUTHORIZATIONS: &str = sql!(
    "select ",
    exported_columns!(usage::USAGE_AUTHORIZATION as "a"),
    "
    from usage_authorization a
    where workspace_id = :subject
    order by created_at, id"
);

pub(super) const RESOURCES: &str = sql!(
    "select ",
    exported_columns!(resources::RESOURCE as "r"),
    "
    from resource r
    where workspace_id = :subject and state <> 'purged'
    order by id"
);

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
    REDEMPTIONS,
    ALLOWANCE,
    USAGE,
    AUTHORIZATIONS,
    RESOURCES,
];
