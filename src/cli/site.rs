//! `domicile credit …`, `ledger …`, `snapshot …`, `keyring …` and `verify`.

use std::path::Path;

use serde_json::json;

use super::arguments::{ClockCommand, Common, CreditCommand, KeyringCommand, LedgerCommand, SnapshotCommand};
use super::context::{self, find_account, open};
use super::failure::Failure;
use super::maintenance;
use super::output::{out, result, tell};
use crate::audit::SiteEvent;
use crate::audit::{self, Event};
use crate::base::{Actor, Clock, Credits, MoneyError, Problem, Rng};
use crate::billing::{self, allowances, ledger};
use crate::crypto::{KeyIds, Keyring};
use crate::db::Tx;
use crate::snapshots::{Damage, SnapshotError};
use crate::{clock, db, snapshots, tokens};

/// An amount of credit above zero.
pub(super) fn parse_amount(typed: &str) -> Result<Credits, Failure> {
    let amount = Credits::parse(typed).map_err(|fault| {
        Failure::refused(match fault {
            MoneyError::TooPrecise => format!("\"{typed}\" has more than six decimals. Give at most six."),
            MoneyError::TooLarge => format!("\"{typed}\" is too large. Give at most {}.", Credits::MAX),
            MoneyError::NotADecimal | MoneyError::NotPositive => {
                format!("\"{typed}\" is not an amount. Give decimal credits above zero, for example 25.00.")
            }
        })
    })?;
    if amount == Credits::ZERO {
        return Err(Failure::refused("the amount is zero. Give decimal credits above zero, for example 25.00."));
    }
    Ok(amount)
}

pub(super) fn credit(common: &Common, command: &CreditCommand) -> Result<(), Failure> {
    match command {
        CreditCommand::Grant { account, amount, reason } => grant(common, account, amount, reason),
        CreditCommand::Allowance { account, amount } => allowance(common, account, amount.as_deref()),
    }
}

fn allowance(common: &Common, account: &str, typed: Option<&str>) -> Result<(), Failure> {
    let wanted = match typed {
        None => None,
        Some("none") => Some(None),
        Some(amount) => Some(Some(parse_amount(amount)?)),
    };
    let app = open(common)?;
    let (_, workspace) = find_account(&app, account)?;
    let id = workspace.id;
    if let Some(amount) = wanted {
        let set = move |tx: &mut Tx<'_>| allowances::set(tx, &Actor::Operator, id, amount);
        app.store().write_blocking(set).map_err(Problem::from)?;
    }
    let found = app.store().read_blocking(move |view| allowances::find(view, id)).map_err(Problem::from)?;
    if common.json {
        let value = json!({
            "amount": found.map(|found| found.amount.to_string()),
            "next_grant": found.map(|found| found.granted_until.rfc3339()),
        });
        return out!("{value}");
    }
    match found {
        Some(found) => out!("{} a month, the next on {}", found.amount, found.granted_until.iso_day()),
        None => out!("none"),
    }
}

fn grant(common: &Common, account: &str, amount: &str, reason: &str) -> Result<(), Failure> {
    let amount = parse_amount(amount)?;
    let app = open(common)?;
    let (_, workspace) = find_account(&app, account)?;
    let reason = reason.to_owned();
    let posted = app
        .store()
        .write_blocking(move |tx| billing::grant_by_operator(tx, &Actor::Operator, workspace.id, amount, &reason))
        .map_err(Problem::from)?;
    if common.json {
        out!("{}", json!({"transaction": posted.id.to_string(), "balance": posted.balance_after.to_string()}))?;
    } else {
        out!("{}", posted.id)?;
    }
    Ok(())
}

pub(super) fn ledger(common: &Common, command: &LedgerCommand) -> Result<(), Failure> {
    let LedgerCommand::Check = command;
    let app = open(common)?;
    let checked = app.store().read_blocking(ledger::check).map_err(|error| match error {
        ledger::LedgerError::Damaged { .. } => {
            Failure::damage(format!("{error}. Restore the last good snapshot and compare."))
        }
        other => Problem::from(other).into(),
    })?;
    if common.json {
        out!("{}", json!({"ok": true, "transactions": checked.transactions, "accounts": checked.accounts}))?;
    } else {
        out!("The ledger is correct: {} transactions, {} accounts.", checked.transactions, checked.accounts)?;
    }
    Ok(())
}

pub(super) fn snapshot(common: &Common, command: &SnapshotCommand) -> Result<(), Failure> {
    let SnapshotCommand::Now = command;
    let app = open(common)?;
    let manifest = snapshots::publish(&app).map_err(|error| {
        let cure = match error {
            SnapshotError::NoSpace { .. } => {
                format!(" Free some space on the disk of {}, then try again.", app.config().data_dir.display())
            }
            _ => String::new(),
        };
        Failure::refused(format!("{error}.{cure}"))
    })?;
    if common.json {
        out!("{}", manifest.to_json())?;
    } else {
        out!("{}", app.store().layout().snapshot().display())?;
    }
    Ok(())
}

pub(super) fn clock(common: &Common, command: &ClockCommand) -> Result<(), Failure> {
    match command {
        ClockCommand::Confirm => {
            let app = open(common)?;
            let was_open = clock::confirm(&app).map_err(Problem::from)?;
            if common.json {
                out!("{}", json!({"time": app.now().rfc3339(), "confirmed": was_open}))?;
            } else {
                out!("It is {}.", app.now().day_and_time())?;
            }
            Ok(())
        }
    }
}

pub(super) fn keyring(common: &Common, command: &KeyringCommand) -> Result<(), Failure> {
    match command {
        KeyringCommand::ShowDatabaseKey => {
            let app = open(common)?;
            app.store()
                .write_blocking(|tx| audit::record(tx, &Actor::Operator, Event::new(SiteEvent::DatabaseKeyShown)))
                .map_err(|error: db::Error| Problem::from(error))?;
            let key = app.keyring().database_key_hex();
            result(common, &json!({"key": key.expose()}), key.expose())
        }
        KeyringCommand::Rotate => rotate_keyring(common),
        KeyringCommand::Export { to, waive } => match waive {
            Some(reason) => maintenance::waive_export(common, reason),
            None => maintenance::export_keyring(common, to.as_deref().unwrap_or_default()),
        },
        KeyringCommand::RotateTokenKey { compromised } => {
            let app = open(common)?;
            let change = if *compromised { tokens::replace_compromised } else { tokens::rotate };
            let key = app.store().write_blocking(move |tx| change(tx, &Actor::Operator)).map_err(Problem::from)?;
            if common.json {
                out!("{}", json!({"kid": key.kid, "signs_from": key.not_before.rfc3339()}))?;
            } else {
                out!("{} signs from {}.", key.kid, key.not_before.day_and_time())?;
            }
            Ok(())
        }
    }
}

fn rotate_keyring(common: &Common) -> Result<(), Failure> {
    let path = context::writable_keyring_path(&context::config(common)?)?;
    let KeyIds { pepper, data_key } = Keyring::rotate(&path, &mut Rng::system())?.newest();
    // Open the appliance with the new keyring, to check it against the database before it is used.
    let app = open(common)?;
    let event = Event::new(SiteEvent::KeyringRotated).data(json!({"pepper": pepper, "data_key": data_key}));
    app.store()
        .write_blocking(|tx| audit::record(tx, &Actor::Operator, event))
        .map_err(|error: db::Error| Problem::from(error))?;
    if common.json {
        out!("{}", json!({"pepper": pepper, "data_key": data_key}))?;
    } else {
        out!("{}", path.display())?;
    }
    tell!("The server uses the new keys from its next start. Back up the keyring again.");
    Ok(())
}

/// A file that cannot be read is refused and not reported as damaged.
fn to_failure(file: &Path, damage: &Damage) -> Failure {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    let name = file.display();
    match damage {
        Damage::Unreadable(error) if error.kind() == NotFound => {
            Failure::refused(format!("there is no file {name}, so nothing was verified. Check the path."))
        }
        Damage::Unreadable(error) if error.kind() == PermissionDenied => Failure::refused(format!(
            "this user may not read {name}, so nothing was verified. Run the command as another user."
        )),
        damage => Failure::damage(format!("{name} must not be restored: {damage}.")),
    }
}

pub(super) fn verify(common: &Common, file: &Path) -> Result<(), Failure> {
    let config = context::config(common)?;
    let keyring = context::keyring(&config)?;
    let site = std::sync::Arc::new(db::Site { config, keyring });
    let report =
        snapshots::verify_file(file, &site, Clock::system().now()).map_err(|damage| to_failure(file, &damage))?;
    if common.json {
        out!("{}", report.to_json())?;
    } else {
        out!(
            "{} is correct: created {}, {} audit events, {} ledger transactions.",
            file.display(),
            report.stamp.made_at.day_and_time(),
            report.audit_events,
            report.ledger_transactions
        )?;
    }
    Ok(())
}
