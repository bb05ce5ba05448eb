//! The form of the preferences, and the theme switch of the sidebar.

use actix_web::HttpRequest;

use super::page::{APPEARANCE, Done, PROFILE, answer};
use super::refusal::{Refusal, RefusedForm};
use crate::base::{Zone, days};
use crate::http::page::{self, AppData, THEME};
use crate::http::{Answer, CommonFlash, Form, SignedIn, VisitorOf, cookie, redirect};
use crate::people::{self, Language, PeopleError, Settings, Theme};

fn read(form: &Form) -> Result<Settings, PeopleError> {
    Ok(Settings {
        theme: Theme::parse(form.text("theme")).ok_or(PeopleError::Theme)?,
        language: Language::parse(form.text("language")).ok_or(PeopleError::Language)?,
        zone: Zone::parse(form.text("time_zone")).ok_or(PeopleError::Zone)?,
    })
}

/// `POST /settings/profile/appearance`.
pub async fn save_preferences(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let saved = match read(&form) {
        Ok(settings) => {
            app.write(move |tx| people::save_settings(tx, &actor, account, settings.clone()).map(|()| settings.theme))
                .await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(theme) => {
            let mut response = answer(&app, &request, &who, Ok(Done::new(APPEARANCE, CommonFlash::Saved)))?;
            let _ = response.add_cookie(&cookie(THEME, theme.as_str().to_owned(), Some(days(365))));
            Ok(response)
        }
        Err(error) => answer(&app, &request, &who, Err(Refusal::new(RefusedForm::Preferences(&form), error))),
    }
}

/// `POST /theme`: light, dark, or the same as the system. It is stored with the account if there is one, and in this
/// browser.
pub async fn theme(app: AppData, who: Option<SignedIn>, _visitor: VisitorOf, form: Form) -> Answer {
    let theme = Theme::parse(form.text("theme")).unwrap_or_default();
    if let Some(who) = who {
        let (actor, account) = (who.actor(), who.identity.account);
        app.write(move |tx| people::set_theme(tx, &actor, account, theme)).await?;
    }
    let mut response = redirect(page::safe_path(form.text("back")).unwrap_or(PROFILE));
    let _ = response.add_cookie(&cookie(THEME, theme.as_str().to_owned(), Some(days(365))));
    Ok(response)
}
