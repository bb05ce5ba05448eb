//! The door to a person's profile, and the choice of theme.

use actix_web::HttpRequest;
use askama::Template;

use super::error::AccountError;
use super::model::{DisplayName, Profile};
use super::ops;
use crate::base::{Problem, days};
use crate::http::page::{self, Chrome, FormFault, THEME, TheApp};
use crate::http::{Answer, Form, SignedIn, VisitorOf, cookie, redirect};

const PATH: &str = "/settings/profile";

struct EmailRow {
    address: String,
    is_primary: bool,
    is_verified: bool,
}

#[derive(Template)]
#[template(path = "accounts/profile.html")]
struct ProfilePage {
    chrome: Chrome,
    fault: Option<FormFault>,
    display_name: String,
    username: String,
    emails: Vec<EmailRow>,
    region: String,
    account_id: String,
    since: String,
}

async fn build(
    app: &TheApp,
    request: &HttpRequest,
    who: &SignedIn,
    typed: Option<(&str, &Problem)>,
) -> Result<ProfilePage, Problem> {
    let account = who.identity.account;
    let (person, emails) =
        app.read(move |view| Ok::<_, AccountError>((ops::find(view, account)?, ops::emails(view, account)?))).await?;
    let person = person.ok_or_else(Problem::not_found)?;
    Ok(ProfilePage {
        chrome: Chrome::of(app, request, "Profile"),
        fault: typed.map(|(_, problem)| FormFault::from(problem)),
        display_name: typed.map_or(person.display_name, |(typed, _)| typed.to_owned()),
        username: person.username,
        emails: emails
            .into_iter()
            .map(|email| EmailRow {
                address: email.address.to_string(),
                is_primary: email.is_primary,
                is_verified: email.verified_at.is_some(),
            })
            .collect(),
        region: person.region,
        account_id: person.id.to_string(),
        since: person.created_at.day(),
    })
}

/// `GET /settings/profile`.
pub async fn profile(app: TheApp, request: HttpRequest, who: SignedIn) -> Answer {
    page::render(&build(&app, &request, &who, None).await?)
}

/// `POST /settings/profile`.
pub async fn save(app: TheApp, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let typed = form.text("display_name");
    let Some(display_name) = DisplayName::parse(typed) else {
        let problem = Problem::from(AccountError::DisplayName);
        return page::again(&problem, &build(&app, &request, &who, Some((typed, &problem))).await?);
    };
    let (actor, account) = (who.actor(), who.identity.account);
    app.write(move |tx| ops::update_profile(tx, &actor, account, &Profile { display_name })).await?;
    Ok(page::go(PATH, "saved"))
}

/// `POST /theme`: light, dark, or as the system has it; kept in this browser.
pub async fn theme(_visitor: VisitorOf, form: Form) -> Answer {
    let mut response = redirect(page::safe_path(form.text("back")));
    let choice = form.text("theme");
    let kept = if matches!(choice, "light" | "dark") { choice } else { "system" };
    let _ = response.add_cookie(&cookie(THEME, kept.to_owned(), Some(days(365))));
    Ok(response)
}
