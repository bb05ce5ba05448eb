//! Shows the page, and shows it again after a form.

use actix_web::HttpRequest;
use askama::Template;

use super::cards::{AboutCard, EmailsCard, NotificationsCard, PictureCard, PreferencesCard};
use super::refusal::Refusal;
use crate::base::Problem;
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Flash, Moment, SignedIn, TimeFormat, redirect_with_flash};
use crate::settings::ops;

pub(super) const PATH: &str = "/settings/profile";

#[derive(Template)]
#[template(path = "settings/profile.html")]
struct ProfilePage {
    context: PageContext,
    about: AboutCard,
    picture: PictureCard,
    emails: EmailsCard,
    preferences: PreferencesCard,
    notifications: NotificationsCard,
    region: String,
    account_id: String,
    since: Moment,
}

impl ProfilePage {
    fn build(
        app: &AppData,
        request: &HttpRequest,
        who: &SignedIn,
        refusal: Option<&Refusal<'_>>,
    ) -> Result<Self, Problem> {
        let identity = &who.identity;
        let profile = app.read_inline(|view| ops::read_profile(view, identity.account))?;
        let profile = profile.ok_or_else(Problem::not_found)?;
        let mut context = PageContext::new(app, request, "Profile");
        // A refused form is shown at a path that only accepts POST. The sidebar and the theme switch need the path of
        // the page.
        context.path = PATH.to_owned();
        let (person, chosen) = (&profile.account, &profile.preferences);
        let times = TimeFormat::new(app.now(), &identity.zone);
        Ok(Self {
            about: AboutCard::new(person, &profile.links, refusal),
            picture: PictureCard::new(person, identity.avatar.picture.as_deref(), refusal),
            emails: EmailsCard::new(&profile.addresses, times, refusal),
            preferences: PreferencesCard::new(&chosen.settings, &context.theme, refusal),
            notifications: NotificationsCard::new(chosen.mails, refusal),
            region: person.region.clone(),
            account_id: person.id.to_string(),
            since: times.day(person.created_at),
            context,
        })
    }
}

/// `GET /settings/profile`.
pub async fn profile(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    page::render(&ProfilePage::build(&app, &request, &who, None)?)
}

/// Redirects to the page with a confirmation, or shows the page again with the refused form.
pub(super) fn answer(app: &AppData, request: &HttpRequest, who: &SignedIn, done: Result<Flash, Refusal<'_>>) -> Answer {
    match done {
        Ok(flash) => Ok(redirect_with_flash(PATH, flash)),
        // A thing of another person is not found, whichever form named it.
        Err(refusal) if refusal.problem.status == 404 => Err(refusal.problem.into()),
        Err(refusal) => {
            page::render_form_error(&refusal.problem, &ProfilePage::build(app, request, who, Some(&refusal))?)
        }
    }
}
