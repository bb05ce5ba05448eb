//! The profile page: about you, picture, e-mails, preferences, notifications, data region. Each card is one form and
//! saves alone. A refused form is shown again in its card, with the typed values.

mod about;
mod emails;
mod picture;
mod preferences;

use actix_web::HttpRequest;
use askama::Template;

use crate::accounts;
use crate::base::{EmailId, Problem};
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Form, SignedIn};
use crate::people;
use crate::signin::SigninError;

pub use about::save_profile;
pub use emails::{add_email, remove_email, resend_email, set_primary, verify_email};
pub use picture::{remove_picture, set_colour, set_picture};
pub use preferences::{save_notifications, save_preferences, theme};

const PATH: &str = "/settings/profile";

/// The refused form, with its values.
enum RefusedForm<'f> {
    About(&'f Form),
    Picture,
    Email(&'f Form),
    Code(EmailId),
    EmailAction,
    Preferences(&'f Form),
    Notifications,
}

#[derive(Template)]
#[template(path = "settings/profile.html")]
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
    app: &AppData,
    request: &HttpRequest,
    who: &SignedIn,
    refused: Option<(RefusedForm<'_>, &Problem)>,
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
    // A refused form is shown at a path that only accepts POST. The sidebar and the theme switch need the path of the
    // page.
    context.path = PATH.to_owned();
    let refused = refused.as_ref().map(|(what, problem)| (what, *problem));
    let zone = &who.identity.zone;
    Ok(ProfilePage {
        about: about::card(&person, &links, refused),
        picture: picture::card(&person, who.identity.avatar.picture.clone(), refused),
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
pub async fn profile(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    page::render(&build(&app, &request, &who, None)?)
}

/// Redirects to the page with a confirmation, or shows the page again with the refused form.
async fn answer(
    app: &AppData,
    request: &HttpRequest,
    who: &SignedIn,
    done: Result<&'static str, (RefusedForm<'_>, Problem)>,
) -> Answer {
    match done {
        Ok(flash) => Ok(page::redirect_with_flash(PATH, flash)),
        // A thing of another person is not found, whichever form asked for it.
        Err((_, problem)) if problem.status == 404 => Err(problem.into()),
        Err((what, problem)) => page::render_form_error(&problem, &build(app, request, who, Some((what, &problem)))?),
    }
}
