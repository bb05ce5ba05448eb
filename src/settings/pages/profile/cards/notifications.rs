//! The card of the optional and the required mails.

use super::super::refusal::{Refusal, RefusedForm};
use crate::http::page::FormFault;
use crate::people::MailChoices;

/// A row of the matrix. Mails without a field are always sent.
pub(in super::super) struct MailRow {
    pub field: Option<&'static str>,
    pub label: &'static str,
    pub about: &'static str,
    pub is_wanted: bool,
}

pub(in super::super) struct NotificationsCard {
    pub fault: Option<FormFault>,
    pub rows: Vec<MailRow>,
}

impl NotificationsCard {
    pub fn new(chosen: MailChoices, refusal: Option<&Refusal<'_>>) -> Self {
        let row = |field, label, about, is_wanted| MailRow { field, label, about, is_wanted };
        Self {
            fault: match refusal {
                Some(Refusal { form: RefusedForm::Notifications, problem }) => Some(FormFault::from(problem)),
                _ => None,
            },
            rows: vec![
                row(None, "Account activity", "Addresses, exports and keys of your account.", true),
                row(None, "Billing alerts", "Low credit, payments and receipts.", true),
                row(None, "Security", "Sign-ins, passwords and second factors.", true),
                row(Some("key_reminders"), "Key reminders", "Your keys that expire soon.", chosen.key_reminders),
                row(Some("usage"), "Usage", "Budgets that are used up, and limits that are close.", chosen.usage),
            ],
        }
    }
}
