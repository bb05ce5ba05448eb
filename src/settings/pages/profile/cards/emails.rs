//! The card of the addresses.

use super::super::refusal::{Refusal, RefusedForm};
use crate::accounts::addresses::{AddressList, ListedEmail};
use crate::base::{EmailId, Problem};
use crate::http::page::FormFault;
use crate::http::{Moment, TimeFormat};

pub(in super::super) struct EmailRow {
    pub id: String,
    /// The ids of its line and of the field for its code, where the page says what happened.
    pub line: String,
    pub code: String,
    pub address: String,
    pub is_primary: bool,
    pub is_verified: bool,
    pub is_company: bool,
    /// A code was sent and is not entered yet.
    pub is_waiting: bool,
    pub can_be_primary: bool,
    pub can_be_removed: bool,
    /// Until when the address can undo a change and cannot be removed. `None`: it undoes nothing.
    pub kept_until: Option<Moment>,
    /// What is wrong with the entered code.
    pub fault: Option<FormFault>,
}

impl EmailRow {
    fn new(listed: &ListedEmail, times: TimeFormat<'_>, code_fault: Option<&Problem>) -> Self {
        let email = &listed.email;
        Self {
            id: email.id.to_string(),
            line: format!("line-{}", email.id),
            code: format!("code-{}", email.id),
            address: email.address.to_string(),
            is_primary: email.is_primary,
            is_verified: email.verified_at.is_some(),
            is_company: email.is_company(),
            is_waiting: email.awaits_code(),
            can_be_primary: email.can_be_primary(),
            can_be_removed: listed.check_removable().is_ok(),
            kept_until: listed.kept_until.map(|until| times.moment(until)),
            fault: code_fault.map(FormFault::from),
        }
    }
}

pub(in super::super) struct EmailsCard {
    /// About the typed address, or about the whole card.
    pub fault: Option<FormFault>,
    pub rows: Vec<EmailRow>,
    pub typed: String,
    pub is_full: bool,
}

impl EmailsCard {
    pub fn new(addresses: &AddressList, times: TimeFormat<'_>, refusal: Option<&Refusal<'_>>) -> Self {
        let (fault, typed) = match refusal {
            Some(Refusal { form: RefusedForm::NewEmail(form), problem }) => (Some(problem), form.text("email")),
            Some(Refusal { form: RefusedForm::EmailButton, problem }) => (Some(problem), ""),
            _ => (None, ""),
        };
        let code_fault = |id: EmailId| match refusal {
            Some(Refusal { form: RefusedForm::EmailCode(refused), problem }) if *refused == id => Some(problem),
            _ => None,
        };
        let row = |listed: &ListedEmail| EmailRow::new(listed, times, code_fault(listed.email.id));
        Self {
            fault: fault.map(FormFault::from),
            rows: addresses.emails.iter().map(row).collect(),
            typed: typed.to_owned(),
            is_full: addresses.check_room().is_err(),
        }
    }
}
