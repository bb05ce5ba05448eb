//! The card about the person: names, company, use case, bio, links.

use super::super::refusal::{Refusal, RefusedForm};
use super::choice::Choice;
use crate::accounts::{Account, UseCase};
use crate::http::page::FormFault;
use crate::people::{Links, Platform};

pub(in super::super) struct LinkField {
    pub field: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
    pub value: String,
}

pub(in super::super) struct AboutCard {
    pub fault: Option<FormFault>,
    pub display_name: String,
    pub username: String,
    pub company: String,
    pub use_cases: Vec<Choice>,
    pub bio: String,
    pub links: Vec<LinkField>,
}

impl AboutCard {
    pub fn new(person: &Account, links: &Links, refusal: Option<&Refusal<'_>>) -> Self {
        let (typed, fault) = match refusal {
            Some(Refusal { form: RefusedForm::About(form), problem }) => (Some(*form), Some(FormFault::from(problem))),
            _ => (None, None),
        };
        let field = |name: &str, stored: &str| typed.map_or(stored, |form| form.text(name)).to_owned();
        let use_case = field("use_case", &person.use_case);
        let choice = |known: &UseCase| Choice {
            value: known.as_str(),
            label: known.label(),
            is_chosen: known.as_str() == use_case,
        };
        let link = |platform: Platform| LinkField {
            field: platform.field(),
            label: platform.label(),
            hint: platform.hint(),
            value: field(platform.field(), links.value_of(platform)),
        };
        Self {
            fault,
            display_name: field("display_name", &person.display_name),
            username: person.username.clone(),
            company: field("company", &person.company),
            use_cases: UseCase::ALL.iter().map(choice).collect(),
            bio: field("bio", &person.bio),
            links: Platform::ALL.into_iter().map(link).collect(),
        }
    }
}
