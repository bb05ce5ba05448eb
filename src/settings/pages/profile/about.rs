//! The card about the person: names, company, use case, bio, links.

use actix_web::HttpRequest;

use super::{RefusedForm, answer};
use crate::accounts::{Account, AccountError, Bio, Company, DisplayName, Profile, UseCase};
use crate::base::Problem;
use crate::http::page::{AppData, FormFault};
use crate::http::{Answer, Form, SignedIn};
use crate::people::{self, Links, PeopleError, Platform};

/// An option of a list.
pub(super) struct Choice {
    pub value: &'static str,
    pub label: &'static str,
    pub is_chosen: bool,
}

pub(super) struct LinkField {
    pub field: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
    pub value: String,
}

pub(super) struct AboutCard {
    pub fault: Option<FormFault>,
    pub display_name: String,
    pub username: String,
    pub company: String,
    pub use_cases: Vec<Choice>,
    pub bio: String,
    pub links: Vec<LinkField>,
}

pub(super) fn card(person: &Account, links: &Links, refused: Option<(&RefusedForm<'_>, &Problem)>) -> AboutCard {
    let (typed, fault) = match refused {
        Some((RefusedForm::About(form), problem)) => (Some(*form), Some(FormFault::from(problem))),
        _ => (None, None),
    };
    let field = |name: &str, stored: &str| typed.map_or(stored, |form| form.text(name)).to_owned();
    let use_case = field("use_case", &person.use_case);
    let choice =
        |known: &UseCase| Choice { value: known.as_str(), label: known.label(), is_chosen: known.as_str() == use_case };
    let link = |platform: Platform| LinkField {
        field: platform.field(),
        label: platform.label(),
        hint: platform.hint(),
        value: field(platform.field(), links.value_of(platform)),
    };
    AboutCard {
        fault,
        display_name: field("display_name", &person.display_name),
        username: person.username.clone(),
        company: field("company", &person.company),
        use_cases: UseCase::ALL.iter().map(choice).collect(),
        bio: field("bio", &person.bio),
        links: Platform::ALL.into_iter().map(link).collect(),
    }
}

fn read(form: &Form) -> Result<(Profile, Links), PeopleError> {
    let use_case = form.text("use_case");
    let profile = Profile {
        display_name: DisplayName::parse(form.text("display_name")).ok_or(AccountError::DisplayName)?,
        company: Company::parse(form.text("company")).ok_or(AccountError::Company)?,
        use_case: match use_case {
            "" => None,
            chosen => Some(UseCase::parse(chosen).ok_or(AccountError::UseCase)?),
        },
        bio: Bio::parse(form.text("bio")).ok_or(AccountError::Bio)?,
    };
    Ok((profile, Links::parse(|platform| form.text(platform.field()))?))
}

/// `POST /settings/profile`.
pub async fn save_profile(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let done = match read(&form) {
        Ok((profile, links)) => app.write(move |tx| people::save_profile(tx, &actor, account, &profile, &links)).await,
        Err(error) => Err(error),
    };
    let done = done.map(|()| "saved").map_err(|error| (RefusedForm::About(&form), error.into()));
    answer(&app, &request, &who, done).await
}
