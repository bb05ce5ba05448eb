//! The page of the profile: about you, picture, e-mails, preferences, notifications, data region. One card is one form is one
//! save; a form that was refused is shown again in its card, with what was typed.

mod about;
mod emails;
mod picture;
mod preferences;

use actix_web::HttpRequest;
use askama::Template;

use super::super::error::SigninError;
use crate::accounts;
use crate::base::{EmailId, Problem};
use crate::http::page::{self, PageContext, TheApp};
use crate::http::{Answer, Form, SignedIn};
use crate::people;

pub use about::save_profile;
pub use emails::{add_email, remove_email, resend_email, set_primary, verify_email};
pub use picture::{remove_picture, set_colour, set_picture};
pub use preferences::{save_notifications, save_preferences, theme};

const PATH: &str = "/settings/profile";

/// Which form was refused, with what was typed into it.
enum Refused<'f> {
    About(&'f Form),
    Picture,
    Email(&'f Form),
    Code(EmailId),
    EmailAct,
    Preferences(&'f Form),
    Notifications,
}

#[derive(Template)]
#[template(path = "signin/profile.html")]
struct ProfilePage {
    context: PageContext,
    about: about::AboutCard,
    picture: picture::PictureCard,
    emails: emails::EmailsCard,
    preferences: preferences::PreferencesCard,
    notifications: preferences::NotificationsCard,
    region: String,
    account_id: String,
    since: String,
}

fn build(
    app: &TheApp,
    request: &HttpRequest,
    who: &SignedIn,
    refused: Option<(Refused<'_>, &Problem)>,
) -> Result<ProfilePage, Problem> {
    let account = who.identity.account;
    let (person, links, emails, kept, chosen) = app.read_inline(|view| {
        Ok::<_, SigninError>((
            accounts::find(view, account)?,
            people::links(view, account)?,
            accounts::emails(view, account)?,
            accounts::addresses::emails_kept(view, account)?,
            people::preferences(view, account)?,
        ))
    })?;
    let person = person.ok_or_else(Problem::not_found)?;
    let mut context = PageContext::new(app, request, "Profile");
    // A form shown again stands at an address that only takes posts; the rail and the theme lead back to the page.
    context.path = PATH.to_owned();
    let refused = refused.as_ref().map(|(what, problem)| (what, *problem));
    let zone = &who.identity.zone;
    Ok(ProfilePage {
        about: about::card(&person, &links, refused),
        picture: picture::card(&person, who.identity.face.picture.clone(), refused),
        emails: emails::card(emails, &kept, zone, refused),
        preferences: preferences::card(&chosen.settings, &context.theme, refused),
        notifications: preferences::notifications(chosen.mails, refused),
        region: person.region,
        account_id: person.id.to_string(),
        since: person.created_at.day_in(zone),
        context,
    })
}

/// `GET /settings/profile`.
pub async fn profile(app: TheApp, request: HttpRequest, who: SignedIn) -> Answer {
    page::render(&build(&app, &request, &who, None)?)
}

/// Shows the page again with what was refused, or goes on to the page that says what was done.
async fn answer(
    app: &TheApp,
    request: &HttpRequest,
    who: &SignedIn,
    done: Result<&'static str, (Refused<'_>, Problem)>,
) -> Answer {
    match done {
        Ok(flash) => Ok(page::go(PATH, flash)),
        // What is not the person's is not found, whatever page it was asked on.
        Err((_, problem)) if problem.status == 404 => Err(problem.into()),
        Err((what, problem)) => page::again(&problem, &build(app, request, who, Some((what, &problem)))?),
    }
}
