//! Tools for pages: what every page shows around its own content.

use std::sync::Arc;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;

use super::{Answer, Face, Identity, Renewed, SessionLeft, SignedOut, cookie, csrf, forget, redirect};
use crate::app::App;
use crate::base::Problem;

/// Holds which sentence the next page says once.
pub const FLASH: &str = "__Host-flash";
/// Where somebody whose session ended is led, and told why.
const SIGN_IN: &str = "/signin";
/// Light or dark, where the person chose.
pub const THEME: &str = "__Host-theme";

/// Sentences a page can say after a redirect; the cookie holds the name, so nobody can put words into our mouth.
const FLASHES: &[(&str, &str)] = &[
    ("saved", "Saved."),
    ("key-revoked", "The key was revoked. Programs that use it are refused from now on."),
    ("key-disabled", "The key is disabled. Programs that use it are refused until you enable it."),
    ("key-enabled", "The key is enabled."),
    ("key-restored", "The key is out of quarantine and works again."),
    ("signed-out", "You are signed out."),
    ("code-sent", "A new code is on its way."),
    ("verified", "Your address is verified. Welcome."),
    ("password-changed", "Your password is changed. Sign in with the new one."),
    ("own-password-changed", "Your password is changed, and your other sessions are ended."),
    ("session-ended", "That device is signed out."),
    ("others-ended", "You are signed out everywhere else."),
    ("export-started", "Your export is being made. A mail tells you when it is ready."),
    ("connected", "Your account there is connected: you can come in with it from now on."),
    ("disconnected", "It is disconnected and does not open your account any more."),
    (
        "ended-idle",
        "You were signed out because nothing happened here for a while. Sign in again, and you come back to where you were.",
    ),
    (
        "ended-age",
        "You were signed out because a session ends after a time, however busy it is. Sign in again to go on.",
    ),
    ("ended", "You were signed out because your session was ended. Sign in again to go on."),
    ("email-added", "A code is on its way to the new address. Type it below."),
    ("email-verified", "The address is verified. You can sign in with it, and make it the primary one."),
    (
        "email-primary",
        "The primary address is changed. Both addresses are told; the one before can undo it for a week.",
    ),
    ("email-removed", "The address is removed."),
    ("picture-saved", "Your picture is saved."),
    ("picture-removed", "Your picture is removed."),
    ("signin-over", "This took too long, or there were too many wrong codes. Sign in again."),
    ("two-step-on", "The authenticator app is set up."),
    ("passkey-added", "The passkey was added."),
    ("factor-removed", "It was removed, and your other sessions were signed out."),
    ("factors-kept", "Your second factors stay as they are."),
    ("signed-in-again", "Sign in again to go on."),
];

/// A light on the rail.
pub struct SidebarItem {
    /// Where it leads.
    pub href: &'static str,
    /// Its words.
    pub label: &'static str,
    /// Its picture.
    pub icon: &'static str,
    /// Whether the page shown is this one.
    pub is_current: bool,
}

const RAIL: [(&str, &str, &str); 6] = [
    ("/settings/profile", "Profile", "user"),
    ("/settings/security", "Security", "lock"),
    ("/settings/keys", "API keys", "key"),
    ("/settings/billing", "Billing", "card"),
    ("/settings/privacy", "Privacy", "shield"),
    ("/activity", "Activity", "activity"),
];

/// A choice of theme.
pub struct ThemeChoice {
    /// As posted.
    pub value: &'static str,
    /// Its word.
    pub label: &'static str,
    /// Whether it is in force.
    pub is_current: bool,
}

/// The person as the rail shows them.
pub struct Person {
    /// What to call them.
    pub display_name: String,
    /// Their username.
    pub username: String,
    /// Their picture, or what stands in its place.
    pub face: Face,
}

impl Person {
    /// The letters in the circle beside the name: of its first and its last word.
    pub fn initials(&self) -> String {
        initials(&self.display_name)
    }
}

/// The first letters of the first and the last word of a name.
pub fn initials(name: &str) -> String {
    let mut letters = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let (first, last) = (letters.next(), letters.next_back());
    let upper = |letter: char| letter.to_uppercase().next().unwrap_or(letter);
    [first, last].into_iter().flatten().map(upper).collect()
}

/// What surrounds a page.
pub struct PageContext {
    /// The page's name, in the tab.
    pub title: String,
    /// The path, for the rail and for coming back.
    pub path: String,
    /// The person. `None`: a stranger.
    pub person: Option<Person>,
    /// The token of this browser's forms.
    pub csrf: String,
    /// `light`, `dark` or `system`.
    pub theme: String,
    /// BCP 47.
    pub language: String,
    /// A sentence said once.
    pub flash: Option<&'static str>,
    /// Whether that sentence is about something that was done, and not about something that ended by itself.
    pub is_flash_good: bool,
    /// How long the session still lives. `None`: a stranger.
    pub left: Option<SessionLeft>,
    /// Whether this is a throw-away appliance.
    pub is_demo: bool,
    /// Seconds after which the page loads itself again. `None`: never.
    pub refresh_seconds: Option<u32>,
}

impl PageContext {
    /// What surrounds a page answered to `request`.
    pub fn new(app: &App, request: &HttpRequest, title: &str) -> Self {
        // Before the extensions are borrowed: the first who asks for cookies has them parsed into there.
        let theme = request.cookie(THEME).map(|cookie| cookie.value().to_owned());
        let said = request.cookie(FLASH).map(|cookie| cookie.value().to_owned());
        let extensions = request.extensions();
        // Out of the cookie of the session itself, so that every window is told, and not only the first.
        let is_at_the_door = request.method() == Method::GET && request.path() == SIGN_IN;
        let ended = extensions.get::<SignedOut>().filter(|_| is_at_the_door).map(|ended| ended.0.to_owned());
        let said = said.or(ended).unwrap_or_default();
        let person = extensions.get::<Identity>().map(|identity| Person {
            display_name: identity.display_name.clone(),
            username: identity.username.clone(),
            face: identity.face.clone(),
        });
        let chosen = extensions.get::<Identity>();
        // What the person chose goes with them; a browser without a person has its own cookie.
        let theme = chosen.and_then(|identity| identity.theme.clone()).or(theme);
        let language = chosen.map_or_else(|| "en".to_owned(), |identity| identity.language.clone());
        let renewed = extensions.get::<Renewed>().map(|renewed| renewed.token.expose().clone());
        let binding = renewed
            .or_else(|| csrf::binding(request))
            .or_else(|| extensions.get::<csrf::NewVisit>().map(|visit| visit.0.clone()));
        Self {
            title: title.to_owned(),
            path: request.path().to_owned(),
            person,
            csrf: binding.map(|binding| csrf::token(app, &binding)).unwrap_or_default(),
            theme: theme.filter(|theme| matches!(theme.as_str(), "light" | "dark")).unwrap_or_else(|| "system".into()),
            language,
            flash: FLASHES.iter().find(|(name, _)| *name == said).map(|(_, sentence)| *sentence),
            is_flash_good: !said.starts_with("ended"),
            left: extensions.get::<Identity>().map(|identity| identity.left),
            is_demo: app.config().demo,
            refresh_seconds: None,
        }
    }

    /// The rail, with the current page marked.
    pub fn rail(&self) -> Vec<SidebarItem> {
        RAIL.iter()
            .map(|(href, label, icon)| SidebarItem { href, label, icon, is_current: self.path.starts_with(href) })
            .collect()
    }

    /// The three themes.
    pub fn themes(&self) -> Vec<ThemeChoice> {
        [("system", "System"), ("light", "Light"), ("dark", "Dark")]
            .into_iter()
            .map(|(value, label)| ThemeChoice { value, label, is_current: self.theme == value })
            .collect()
    }
}

/// What was wrong with a form, shown above it.
pub struct FormFault {
    /// The id of the field at fault. `None`: not about one.
    pub field: Option<&'static str>,
    /// What happened and what to do.
    pub sentence: String,
}

impl FormFault {
    /// Whether the field of this id is at fault.
    pub fn is_at(&self, field: &str) -> bool {
        self.field == Some(field)
    }
}

impl From<&Problem> for FormFault {
    fn from(problem: &Problem) -> Self {
        Self { field: problem.field, sentence: problem.sentence.clone() }
    }
}

/// A page with status 200; what it said once is forgotten.
pub fn render(page: &impl Template) -> Answer {
    with_status(StatusCode::OK, page)
}

/// A form shown again with what was wrong: the status is the problem's, the page is ours. A failure of our own is not the
/// form's fault, and passes on.
pub fn again(problem: &Problem, page: &impl Template) -> Answer {
    if problem.status >= 500 && problem.status != 503 {
        return Err(problem.clone().into());
    }
    let mut response = with_status(StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST), page)?;
    if let Some(seconds) = problem.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    }
    Ok(response)
}

/// A page with a status of its own.
pub fn with_status(status: StatusCode, page: &impl Template) -> Answer {
    let html = page.render().map_err(Problem::ours)?;
    Ok(HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        // Tells the front that this answer has its final form; it takes the mark off.
        .insert_header(("x-page", "1"))
        .cookie(forget(FLASH))
        .body(html))
}

/// 303 to a page that says one sentence.
pub fn go(to: &str, flash: &'static str) -> HttpResponse {
    let mut response = redirect(to);
    say(&mut response, flash);
    response
}

/// Lets the next page say one sentence.
pub fn say(response: &mut HttpResponse, flash: &'static str) {
    // A cookie that cannot be added is a sentence that is not said.
    let _ = response.add_cookie(&cookie(FLASH, flash.to_owned(), Some(crate::base::minutes(1))));
}

/// Only a path of our own, so that nobody is led elsewhere after signing in.
pub fn safe_path(wanted: &str) -> &str {
    let harmless = wanted.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_?=&.".contains(&b));
    if harmless && wanted.starts_with('/') && !wanted.starts_with("//") && !wanted.contains("/.") {
        wanted
    } else {
        "/settings/profile"
    }
}

/// The app every handler has.
pub type TheApp = actix_web::web::Data<Arc<App>>;

#[cfg(test)]
mod tests {
    use super::{initials, safe_path};

    #[test]
    fn a_name_has_one_letter_or_two() {
        for (name, letters) in [
            ("Ada Lovelace", "AL"),
            ("ada", "A"),
            ("Ada B. (King) of Lovelace", "AL"),
            ("東京 太郎", "東太"),
            ("!", ""),
        ] {
            assert_eq!(initials(name), letters, "{name}");
        }
    }

    #[test]
    fn nobody_is_led_elsewhere() {
        assert_eq!(safe_path("/settings/keys?create=1"), "/settings/keys?create=1");
        for lure in
            ["", "//evil", "/\\evil", "https://evil", "/%2f%2fevil", "/@evil", "evil", "/\t/evil", "/../x", "/a\nb"]
        {
            assert_eq!(safe_path(lure), "/settings/profile", "{lure:?}");
        }
    }
}
