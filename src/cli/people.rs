//! `domicile account …`.

use serde_json::json;

use super::arguments::{AccountCommand, Common};
use super::context::{find_account, open, secret_from_stdin};
use super::factors;
use super::failure::Failure;
use super::invitations;
use super::output::{Table, out, result, tell};
use super::sessions;
use crate::accounts::{self, Account, AccountError, Username};
use crate::api_keys;
use crate::base::{AccountId, Actor, EmailAddress, PAGE_SIZE_MAX, Problem};
use crate::billing::ledger;
use crate::crypto::age_file::Recipient;
use crate::signin::{self, NewPerson, SigninError};
use crate::{db, privacy, snapshots, workspaces};

pub(super) fn account(common: &Common, command: &AccountCommand) -> Result<(), Failure> {
    match command {
        AccountCommand::Create { email, username, password_stdin, operator, verified } => {
            create(common, email, username, *password_stdin, *operator, *verified)
        }
        AccountCommand::Invite { email, operator, print_link } => {
            invitations::invite(common, email, *operator, *print_link)
        }
        AccountCommand::Invitations => invitations::list(common),
        AccountCommand::Uninvite { invitation } => invitations::withdraw(common, invitation),
        AccountCommand::OperatorLink => invitations::operator_link(common),
        AccountCommand::List { all } => list(common, *all),
        AccountCommand::Show { account } => show(common, account),
        AccountCommand::Suspend { account, reason } => {
            let reason = reason.clone();
            change_state(common, account, move |tx, id| signin::suspend(tx, &Actor::Operator, id, &reason))
        }
        AccountCommand::Reactivate { account } => {
            change_state(common, account, |tx, id| signin::reactivate(tx, &Actor::Operator, id))
        }
        AccountCommand::Plan { account, plan } => change_plan(common, account, plan),
        AccountCommand::Sessions { account, end, end_all } => {
            sessions::sessions(common, account, end.as_deref(), *end_all)
        }
        AccountCommand::Delete { account, yes } => delete(common, account, *yes),
        AccountCommand::ResetFactors { account, second_operator, cancel } => {
            factors::reset(common, account, second_operator.as_deref(), *cancel)
        }
        AccountCommand::Export { account, passphrase_stdin, recipient, output } => {
            let recipient = match (recipient, passphrase_stdin) {
                (Some(key), _) => Recipient::key(key),
                (None, true) => Recipient::passphrase(secret_from_stdin("passphrase")?),
                (None, false) => {
                    return Err(Failure::configuration(
                        "an export is always encrypted. Give --passphrase-stdin, or --recipient with an age or SSH public key.",
                    ));
                }
            };
            let recipient = recipient.map_err(|fault| Problem::from(privacy::PrivacyError::Recipient(fault)))?;
            export(common, account, recipient, output)
        }
    }
}

fn create(
    common: &Common,
    email: &str,
    username: &str,
    password_stdin: bool,
    operator: bool,
    verified: bool,
) -> Result<(), Failure> {
    let email = EmailAddress::parse(email).map_err(|_| Problem::from(AccountError::EmailAddress))?;
    let username = Username::parse(username).map_err(|fault| Problem::from(AccountError::Username(fault)))?;
    let password = if password_stdin { Some(secret_from_stdin("password")?) } else { None };
    let app = open(common)?;
    let password = match password {
        Some(typed) => {
            let password =
                signin::flows::new_password(&app, typed, username.as_str(), &email).map_err(Problem::from)?;
            Some(app.passwords().hash_and_wait(&password).map_err(Problem::from)?)
        }
        None => None,
    };
    let account = app
        .store()
        .write_blocking(move |tx| {
            let person = NewPerson { email, username, password, is_verified: verified, is_operator: operator };
            signin::create_account(tx, &Actor::Operator, person)
        })
        .map_err(Problem::from)?;
    if common.json {
        out!("{}", json!({"id": account.id.to_string(), "username": account.username}))?;
    } else {
        out!("{}", account.id)?;
    }
    Ok(())
}

fn list(common: &Common, all: bool) -> Result<(), Failure> {
    let app = open(common)?;
    let read = |view: &db::View<'_>| Ok::<_, db::Error>((newest(view, all)?, accounts::count(view)?));
    let (people, total) = app.store().read_blocking(read).map_err(Problem::from)?;
    let has_more = total > i64::try_from(people.len()).unwrap_or(i64::MAX);
    if has_more {
        tell!("Showing the newest {} of {total} accounts. Use --all to show all.", people.len());
    }
    if common.json {
        let people: Vec<_> = people.iter().map(account_json).collect();
        out!("{}", json!({"accounts": people, "total": total}))?;
        return Ok(());
    }
    let mut table = Table::new(&["id", "username", "state", "since"]);
    for person in people {
        let state = person.state.as_str().to_owned();
        table.row([person.id.to_string(), person.username, state, person.created_at.iso_day()]);
    }
    table.print()
}

/// The newest accounts: one page, or all pages in one consistent read.
fn newest(view: &db::View<'_>, all: bool) -> Result<Vec<Account>, db::Error> {
    let mut page = accounts::list(view, None, PAGE_SIZE_MAX)?;
    let mut people = page.rows;
    while let Some(next) = page.next.filter(|_| all) {
        page = accounts::list(view, Some(next), PAGE_SIZE_MAX)?;
        people.append(&mut page.rows);
    }
    Ok(people)
}

fn account_json(person: &Account) -> serde_json::Value {
    json!({
        "id": person.id.to_string(),
        "username": person.username,
        "display_name": person.display_name,
        "state": person.state.as_str(),
        "operator": person.is_operator,
        "region": person.region,
        "created_at": person.created_at.rfc3339(),
    })
}

fn show(common: &Common, name: &str) -> Result<(), Failure> {
    let app = open(common)?;
    let (person, workspace) = find_account(&app, name)?;
    let (id, ws) = (person.id, workspace.id);
    let (emails, balance, keys) = app
        .store()
        .read_blocking(move |view| {
            Ok::<_, db::Error>((
                accounts::emails(view, id)?,
                ledger::balance(view, ws)?,
                api_keys::count_live(view, ws)?,
            ))
        })
        .map_err(Problem::from)?;
    if common.json {
        let mut shown = account_json(&person);
        shown["workspace"] = json!(ws.to_string());
        shown["plan"] = json!(workspace.plan);
        shown["balance"] = json!(balance.to_string());
        shown["live_keys"] = json!(keys);
        shown["emails"] = emails
            .iter()
            .map(|email| json!({"address": email.address.as_str(), "verified": email.verified_at.is_some(), "primary": email.is_primary}))
            .collect();
        out!("{shown}")?;
        return Ok(());
    }
    out!("Account     {}", person.id)?;
    out!("Username    {}", person.username)?;
    out!("Name        {}", person.display_name)?;
    out!("State       {}", person.state.as_str())?;
    out!("Region      {}", person.region)?;
    out!("Since       {}", person.created_at.day_and_time())?;
    for email in emails {
        let state = if email.verified_at.is_some() { "verified" } else { "unverified" };
        let rank = if email.is_primary { "primary, " } else { "" };
        out!("E-mail      {} ({rank}{state})", email.address)?;
    }
    out!("Workspace   {} (plan {})", workspace.id, workspace.plan)?;
    out!("Balance     {balance}")?;
    out!("Live keys   {keys}")?;
    Ok(())
}

fn change_state(
    common: &Common,
    name: &str,
    change: impl FnOnce(&mut db::Tx<'_>, AccountId) -> Result<Account, SigninError> + Send + 'static,
) -> Result<(), Failure> {
    let app = open(common)?;
    let (person, _) = find_account(&app, name)?;
    let changed = app.store().write_blocking(move |tx| change(tx, person.id)).map_err(Problem::from)?;
    if common.json {
        out!("{}", account_json(&changed))?;
    } else {
        out!("{}", changed.id)?;
    }
    Ok(())
}

fn change_plan(common: &Common, name: &str, plan: &str) -> Result<(), Failure> {
    let app = open(common)?;
    let (person, workspace) = find_account(&app, name)?;
    let (id, before, plan) = (workspace.id, workspace.plan, plan.to_owned());
    let change = move |tx: &mut db::Tx<'_>| workspaces::change_plan(tx, &Actor::Operator, id, &plan);
    let changed = app.store().write_blocking(change).map_err(Problem::from)?;
    let shown = json!({
        "id": person.id.to_string(), "workspace": id.to_string(), "plan": changed.plan, "before": before,
    });
    result(common, &shown, &changed.plan)
}

fn delete(common: &Common, name: &str, yes: bool) -> Result<(), Failure> {
    let app = open(common)?;
    let (person, _) = find_account(&app, name)?;
    if !yes {
        return Err(Failure::refused(format!(
            "this would permanently delete {} ({}) and all their data. Nothing was changed. Add --yes to confirm.",
            person.username, person.id
        )));
    }
    let receipt = privacy::flows::erase_by_operator(&app, Actor::Operator, person.id).map_err(Problem::from)?;
    let copies: Vec<_> = receipt.copies.iter().map(|copy| &copy.name).collect();
    let shown = json!({
        "receipt": receipt.id.to_string(), "copies": copies, "services": receipt.services, "final": false,
    });
    // What follows is done also when nobody reads the result.
    let printed = result(common, &shown, &receipt.id.to_string());
    if let Some(remaining) = receipt.remaining() {
        tell!("{remaining}");
    }
    if !receipt.services.is_empty() {
        tell!("The receipt waits for services: {}.", receipt.services.join(", "));
    }
    // A server publishes by itself. If none runs, only this command removes the person from the file that backup jobs
    // copy.
    let layout = app.store().layout();
    if db::try_lock_file(&layout.lock()).map_err(Problem::from)?.is_some()
        && let Err(error) = snapshots::publish(&app)
    {
        tell!("The published snapshot still contains the person: {error}. Run: domicile snapshot now");
    }
    tell!(
        "The account is deleted. The receipt is final when a running server has also sent the last mail and replaced the \
         published snapshot, and the services have answered. `domicile erasure show` says what is left to do."
    );
    printed
}

fn export(common: &Common, name: &str, recipient: Recipient, output: &std::path::Path) -> Result<(), Failure> {
    let app = open(common)?;
    let (person, _) = find_account(&app, name)?;
    privacy::flows::export_to_file(&app, Actor::Operator, person.id, &recipient, output).map_err(Problem::from)?;
    result(common, &json!({"file": output}), &output.display().to_string())
}
