//! `domicile account invite`, `invitations`, `uninvite` and `operator-link`.

use serde_json::json;

use super::arguments::Common;
use super::context::open;
use super::failure::Failure;
use crate::accounts::AccountError;
use crate::base::{Actor, EmailAddress, Problem};
use crate::invitations::{self, InvitationError};
use crate::signin;

pub(super) fn invite(common: &Common, email: &str, is_operator: bool, print_link: bool) -> Result<(), Failure> {
    let address = EmailAddress::parse(email).map_err(|_| Problem::from(AccountError::EmailAddress))?;
    let app = open(common)?;
    let (invitation, link) = app
        .store()
        .write_blocking(move |tx| {
            let (invitation, link) = invitations::issue(tx, &Actor::Operator, address, is_operator)?;
            if !print_link {
                invitations::mail_link(tx, &invitation, &link)?;
            }
            Ok::<_, InvitationError>((invitation, link))
        })
        .map_err(Problem::from)?;
    if common.json {
        let mut result = json!({"id": invitation.id.to_string(), "expires_at": invitation.expires_at.rfc3339()});
        if print_link {
            result["link"] = json!(link.expose());
        }
        println!("{result}");
    } else if print_link {
        println!("{}", link.expose());
        eprintln!(
            "Give the link to the person yourself. By doing so, you confirm that the address belongs to them. It works once, within 14 days."
        );
    } else {
        println!("{}", invitation.id);
        eprintln!("The link will be mailed to {}. It works once, within 14 days.", invitation.address);
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
        println!("{}", json!({"invitations": waiting}));
        return Ok(());
    }
    for invitation in waiting {
        let kind = if invitation.is_operator { "operator" } else { "person" };
        println!("{}  {kind:<8}  until {}  {}", invitation.id, invitation.expires_at.iso_day(), invitation.address);
    }
    Ok(())
}

pub(super) fn withdraw(common: &Common, name: &str) -> Result<(), Failure> {
    let app = open(common)?;
    let name = name.to_owned();
    let id = app
        .store()
        .write_blocking(move |tx| invitations::withdraw(tx, &Actor::Operator, &name))
        .map_err(Problem::from)?;
    println!("{}", if common.json { json!({"id": id.to_string()}).to_string() } else { id.to_string() });
    Ok(())
}

pub(super) fn operator_link(common: &Common) -> Result<(), Failure> {
    let app = open(common)?;
    let link = app.store().write_blocking(signin::claim_link).map_err(Problem::from)?;
    if common.json {
        println!("{}", json!({"operator_link": link}));
    } else {
        println!("{link}");
        eprintln!(
            "The link creates the account of the first operator. It works once, within 24 hours. Earlier links no longer work."
        );
    }
    Ok(())
}
