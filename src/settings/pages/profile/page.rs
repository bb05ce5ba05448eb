//! Shows the pages, and shows one again after a form of it.

use actix_web::HttpRequest;
use askama::Template;

use super::cards::{AboutCard, EmailsCard, NotificationsCard, PictureCard, PreferencesCard};
use super::refusal::{Refusal, RefusedForm};
use crate::base::Problem;
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Flash, Moment, SignedIn, TimeFormat, redirect_with_flash};
use crate::settings::{OwnProfile, ops};

pub(super) const PROFILE: &str = "/settings/profile";
pub(super) const EMAILS: &str = "/settings/profile/emails";
pub(super) const APPEARANCE: &str = "/settings/profile/appearance";
pub(super) const NOTIFICATIONS: &str = "/settings/profile/notifications";

#[derive(Template)]
#[template(path = "settings/profile.html")]
struct ProfilePage {
    context: PageContext,
    about: AboutCard,
    picture: PictureCard,
    region: String,
    account_id: String,
    since: Moment,
}

#[derive(Template)]
#[template(path = "settings/emails.html")]
struct EmailsPage {
    context: PageContext,
    emails: EmailsCard,
}

#[derive(Template)]
#[template(path = "settings/appearance.html")]
struct AppearancePage {
    context: PageContext,
    preferences: PreferencesCard,
}

#[derive(Template)]
#[template(path = "settings/notifications.html")]
struct NotificationsPage {
    context: PageContext,
    notifications: NotificationsCard,
}

/// A request for one of the pages, and the refused form that it shows again.
struct RequestedPage<'r> {
    app: &'r AppData,
    request: &'r HttpRequest,
    who: &'r SignedIn,
    refusal: Option<&'r Refusal<'r>>,
}

impl RequestedPage<'_> {
    /// `path`: the address of the page. A refused form may be shown at another one, which only takes forms.
    fn context(&self, title: &str, path: &str) -> PageContext {
        let mut context = PageContext::new(self.app, self.request, title);
        context.path = path.to_owned();
        context
    }

    fn read(&self) -> Result<OwnProfile, Problem> {
        let account = self.who.identity.account;
        self.app.read_inline(|view| ops::read_profile(view, account))?.ok_or_else(Problem::not_found)
    }

    fn answer(&self, page: &impl Template) -> Answer {
        match self.refusal {
            Some(refusal) => page::render_form_error(&refusal.problem, page),
            None => page::render(page),
        }
    }

    fn profile(&self) -> Answer {
        let profile = self.read()?;
        let (person, identity) = (&profile.account, &self.who.identity);
        self.answer(&ProfilePage {
            context: self.context("Profile", PROFILE),
            about: AboutCard::new(person, &profile.links, self.refusal),
            picture: PictureCard::new(person, identity.avatar.picture.as_deref(), self.refusal),
            region: person.region.clone(),
            account_id: person.id.to_string(),
            since: TimeFormat::new(self.app.now(), &identity.zone).day(person.created_at),
        })
    }

    fn emails(&self) -> Answer {
        let times = TimeFormat::new(self.app.now(), &self.who.identity.zone);
        self.answer(&EmailsPage {
            context: self.context("Emails", EMAILS),
            emails: EmailsCard::new(&self.read()?.addresses, times, self.refusal),
        })
    }

    fn appearance(&self) -> Answer {
        let context = self.context("Appearance", APPEARANCE);
        let chosen = self.read()?.preferences.settings;
        let preferences = PreferencesCard::new(&chosen, &context.theme, self.refusal);
        self.answer(&AppearancePage { context, preferences })
    }

    fn notifications(&self) -> Answer {
        self.answer(&NotificationsPage {
            context: self.context("Notifications", NOTIFICATIONS),
            notifications: NotificationsCard::new(self.read()?.preferences.mails, self.refusal),
        })
    }
}

/// `GET /settings/profile`.
pub async fn profile(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    RequestedPage { app: &app, request: &request, who: &who, refusal: None }.profile()
}

/// `GET /settings/profile/emails`.
pub async fn emails(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    RequestedPage { app: &app, request: &request, who: &who, refusal: None }.emails()
}

/// `GET /settings/profile/appearance`.
pub async fn appearance(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    RequestedPage { app: &app, request: &request, who: &who, refusal: None }.appearance()
}

/// `GET /settings/profile/notifications`.
pub async fn notifications(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    RequestedPage { app: &app, request: &request, who: &who, refusal: None }.notifications()
}

/// What a form did: the place to return to, as a path with the id of a part of the page, and what is said there.
pub(super) struct Done {
    pub place: String,
    pub flash: Flash,
}

impl Done {
    pub fn new(place: impl Into<String>, flash: impl Into<Flash>) -> Self {
        Self { place: place.into(), flash: flash.into() }
    }
}

/// Redirects to the place of the form with a confirmation, or shows its page again with the refused form.
pub(super) fn answer(app: &AppData, request: &HttpRequest, who: &SignedIn, done: Result<Done, Refusal<'_>>) -> Answer {
    match done {
        Ok(Done { place, flash }) => Ok(redirect_with_flash(&place, flash)),
        // A thing of another person is not found, whichever form named it.
        Err(refusal) if refusal.problem.status == 404 => Err(refusal.problem.into()),
        Err(refusal) => {
            let page = RequestedPage { app, request, who, refusal: Some(&refusal) };
            match refusal.form {
                RefusedForm::About(_) | RefusedForm::Picture => page.profile(),
                RefusedForm::NewEmail(_) | RefusedForm::EmailCode(_) | RefusedForm::EmailButton => page.emails(),
                RefusedForm::Preferences(_) => page.appearance(),
                RefusedForm::Notifications => page.notifications(),
            }
        }
    }
}
