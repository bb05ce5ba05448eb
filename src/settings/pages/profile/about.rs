//! The form about the person: names, company, use case, bio, links.

use actix_web::HttpRequest;

use super::page::{Done, PROFILE, answer};
use super::refusal::{Refusal, RefusedForm};
use crate::accounts::{AccountError, Bio, Company, DisplayName, Profile, UseCase};
use crate::http::page::AppData;
use crate::http::{Answer, CommonFlash, Form, SignedIn};
use crate::people::{self, Links, PeopleError};

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
    Ok((profile, Links::parse(|platform| form.text(platform.field())).map_err(PeopleError::Link)?))
}

/// `POST /settings/profile`.
pub async fn save_profile(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let done = match read(&form) {
        Ok((profile, links)) => app.write(move |tx| people::save_profile(tx, &actor, account, &profile, &links)).await,
        Err(error) => Err(error),
    };
    let done = done
        .map(|()| Done::new(PROFILE, CommonFlash::Saved))
        .map_err(|error| Refusal::new(RefusedForm::About(&form), error));
    answer(&app, &request, &who, done)
}
