//! The cards of preferences and notifications, and the theme switch of the sidebar.

use std::sync::LazyLock;

use actix_web::HttpRequest;
use askama::Template;

use super::about::Choice;
use super::{RefusedForm, answer};
use crate::base::{Problem, Zone, days};
use crate::http::page::{self, AppData, FormFault, THEME};
use crate::http::{Answer, Form, SignedIn, VisitorOf, cookie, redirect};
use crate::people::{self, Language, MailChoices, PeopleError, Settings, Theme};

/// The time zones of one region of the world.
struct ZoneGroup {
    label: &'static str,
    /// The name of each zone, and its place without the region.
    zones: Vec<(&'static str, String)>,
}

/// All zones as options; none is selected.
#[derive(Template)]
#[template(
    source = r#"{% for group in groups %}<optgroup label="{{ group.label }}">{% for (name, place) in group.zones %}<option value="{{ name }}">{{ place }}</option>{% endfor %}</optgroup>{% endfor %}"#,
    ext = "html"
)]
struct ZoneOptions {
    groups: Vec<ZoneGroup>,
}

/// Hundreds of options that are the same for everybody except for the selected one, so they are rendered once.
static ZONE_OPTIONS: LazyLock<String> = LazyLock::new(|| {
    let mut groups: Vec<ZoneGroup> = Vec::new();
    for name in Zone::names().iter().map(String::as_str) {
        let (region, place) = name.split_once('/').unwrap_or(("Everywhere", name));
        let zone = (name, place.replace('_', " ").replace('/', ", "));
        match groups.last_mut().filter(|group| group.label == region) {
            Some(group) => group.zones.push(zone),
            None => groups.push(ZoneGroup { label: region, zones: vec![zone] }),
        }
    }
    ZoneOptions { groups }.render().unwrap_or_default()
});

/// The options of the zones, split where the selected one needs its `selected` attribute.
pub(super) struct Zones {
    pub before: &'static str,
    pub after: &'static str,
    pub is_chosen: bool,
}

impl Zones {
    fn with(chosen: &str) -> Self {
        let option = format!("<option value=\"{chosen}\"");
        // An unknown zone from a form is not found, and none is selected.
        match ZONE_OPTIONS.find(&option).map(|place| ZONE_OPTIONS.split_at(place + option.len())) {
            Some((before, after)) => Self { before, after, is_chosen: true },
            None => Self { before: &ZONE_OPTIONS, after: "", is_chosen: false },
        }
    }
}

pub(super) struct PreferencesCard {
    pub fault: Option<FormFault>,
    pub themes: Vec<Choice>,
    pub languages: Vec<Choice>,
    pub zones: Zones,
}

pub(super) fn card(
    chosen: &Settings,
    theme_now: &str,
    refused: Option<(&RefusedForm<'_>, &Problem)>,
) -> PreferencesCard {
    let (typed, fault) = match refused {
        Some((RefusedForm::Preferences(form), problem)) => (Some(*form), Some(FormFault::from(problem))),
        _ => (None, None),
    };
    let theme = typed.map_or(theme_now, |form| form.text("theme"));
    let themes = [("system", "Same as the system"), ("light", "Light"), ("dark", "Dark")];
    let language = typed.map_or(chosen.language.as_str(), |form| form.text("language"));
    let zone = typed.map_or(chosen.zone.name(), |form| form.text("time_zone"));
    PreferencesCard {
        fault,
        themes: themes.map(|(value, label)| Choice { value, label, is_chosen: value == theme }).into(),
        languages: Language::ALL
            .map(|known| Choice { value: known.as_str(), label: known.label(), is_chosen: known.as_str() == language })
            .into(),
        zones: Zones::with(zone),
    }
}

/// A row of the matrix. Mails without a field are always sent.
pub(super) struct MailRow {
    pub field: Option<&'static str>,
    pub label: &'static str,
    pub about: &'static str,
    pub is_wanted: bool,
}

pub(super) struct NotificationsCard {
    pub fault: Option<FormFault>,
    pub rows: Vec<MailRow>,
}

pub(super) fn notifications(chosen: MailChoices, refused: Option<(&RefusedForm<'_>, &Problem)>) -> NotificationsCard {
    let row = |field, label, about, is_wanted| MailRow { field, label, about, is_wanted };
    NotificationsCard {
        fault: match refused {
            Some((RefusedForm::Notifications, problem)) => Some(FormFault::from(problem)),
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

fn read(form: &Form) -> Result<Settings, PeopleError> {
    Ok(Settings {
        theme: Theme::parse(form.text("theme")).ok_or(PeopleError::Theme)?,
        language: Language::parse(form.text("language")).ok_or(PeopleError::Language)?,
        zone: Zone::parse(form.text("time_zone")).ok_or(PeopleError::Zone)?,
    })
}

/// `POST /settings/profile/preferences`.
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
            let mut response = answer(&app, &request, &who, Ok("saved")).await?;
            let _ = response.add_cookie(&cookie(THEME, theme.as_str().to_owned(), Some(days(365))));
            Ok(response)
        }
        Err(error) => answer(&app, &request, &who, Err((RefusedForm::Preferences(&form), error.into()))).await,
    }
}

/// `POST /settings/profile/notifications`.
pub async fn save_notifications(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let mails = MailChoices { key_reminders: form.is_ticked("key_reminders"), usage: form.is_ticked("usage") };
    let saved = app.write(move |tx| people::save_mail_choices(tx, &actor, account, mails)).await;
    let done = saved.map(|()| "saved").map_err(|error| (RefusedForm::Notifications, error.into()));
    answer(&app, &request, &who, done).await
}

/// `POST /theme`: light, dark, or the same as the system. It is stored with the account if there is one, and in this
/// browser.
pub async fn theme(app: AppData, who: Option<SignedIn>, _visitor: VisitorOf, form: Form) -> Answer {
    let theme = Theme::parse(form.text("theme")).unwrap_or_default();
    if let Some(who) = who {
        let (actor, account) = (who.actor(), who.identity.account);
        app.write(move |tx| people::set_theme(tx, &actor, account, theme)).await?;
    }
    let mut response = redirect(page::safe_path(form.text("back")));
    let _ = response.add_cookie(&cookie(THEME, theme.as_str().to_owned(), Some(days(365))));
    Ok(response)
}
