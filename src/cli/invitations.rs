//! `domicile account invite`, `invitations`, `uninvite` and `operator-link`.

use serde_json::json;

use super::arguments::Common;
use super::context::open;
use super::failure::Failure;
use super::output::{Table, issue, out, result, tell};
use crate::accounts::AccountError;
use crate::base::{Actor, EmailAddress, Problem};
use crate::db::Tx;
use crate::invitations::{self, InvitationError};
use crate::signin;

pub(super) fn invite(common: &Common, email: &str, is_operator: bool, print_link: bool) -> Result<(), Failure> {
    let address = EmailAddress::parse(email).map_err(|_| Problem::from(AccountError::EmailAddress))?;
    let app = open(common)?;
    let is_json = common.json;
    let make = move |tx: &mut Tx<'_>| {
        let (invitation, link) = invitations::issue(tx, &Actor::Operator, address, is_operator)?;
        if !print_link {
            invitations::mail_link(tx, &invitation, &link)?;
        }
        Ok::<_, InvitationError>((invitation, link))
    };
    let (invitation, _) = issue(&app, make, move |(invitation, link)| {
        let link = print_link.then(|| link.expose().as_str());
        let (id, end) = (invitation.id.to_string(), invitation.expires_at.rfc3339());
        match (is_json, link) {
            (true, Some(link)) => json!({"id": id, "expires_at": end, "link": link}).to_string(),
            (true, None) => json!({"id": id, "expires_at": end}).to_string(),
            (false, link) => link.map_or(id, str::to_owned),
        }
    })?;
    if print_link && !is_json {
        tell!(
            "Give the link to the person yourself. By doing so, you confirm that the address belongs to them. It works once, within 14 days."
        );
    } else if !app.config().sends_mail() && !is_json {
        tell!(
            "The link is not mailed, because mail.transport is \"log\". Set up mail and invite {} again, or use --print-link.",
            invitation.address
        );
    } else if !print_link && !is_json {
        tell!("The link will be mailed to {}. It works once, within 14 days.", invitation.address);
    }
    Ok(())
}

pub(super) fn list(common: &Common) -> Result<(), Failure> {
    let app = open(common)?;
    let waiting = app.store().read_blocking(invitations::list).map_err(Problem::from)?;
    if common.json {
        let waiting: Vec<_> = waiting
            .iter()
            .map(|invitation| {
                json!({
                    "id": invitation.id.to_string(),
                    "email": invitation.address.as_str(),
                    "operator": invitation.is_operator,
                    "created_at": invitation.created_at.rfc3339(),
                    "expires_at": invitation.expires_at.rfc3339(),
                })
            })
            .collect();
        out!("{}", json!({"invitations": waiting}))?;
        return Ok(());
    }
    let mut table = Table::new(&["id", "kind", "until", "address"]);
    for invitation in waiting {
        let kind = if invitation.is_operator { "operator" } else { "person" };
        table.row([
            invitation.id.to_string(),
            kind.to_owned(),
            format!("until {}", invitation.expires_at.iso_day()),
            invitation.address.to_string(),
        ]);
    }
    table.print()
}

pub(super) fn withdraw(common: &Common, name: &str) -> Result<(), Failure> {
    let app = open(common)?;
    let name = name.to_owned();
    let id = app
        .store()
        .write_blocking(move |tx| invitations::withdraw(tx, &Actor::Operator, &name))
        .map_err(Problem::from)?;
    result(common, &json!({"id": id.to_string()}), &id.to_string())
}

pub(super) fn operator_link(common: &Common) -> Result<(), Failure> {
    let app = open(common)?;
    let is_json = common.json;
    issue(&app, signin::claim_link, move |link| match is_json {
        true => json!({"operator_link": link}).to_string(),
        false => link.clone(),
    })?;
    if !is_json {
        tell!(
            "The link creates the account of the first operator. It works once, within 24 hours. Earlier links no longer work."
        );
    }
    Ok(())
}
