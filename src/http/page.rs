//! Rendering of pages, and what every page shows around its own content.

use std::sync::Arc;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;

use super::{Answer, Avatar, Identity, RenewedCookie, SessionTimeLeft, SignOutNotice, cookie, csrf, forget, redirect};
use crate::app::App;
use crate::base::Problem;

/// The cookie with the name of the flash message: a sentence that the next page shows once.
pub const FLASH: &str = "__Host-flash";
/// The page that tells a person why their session ended.
const SIGN_IN: &str = "/signin";
/// The cookie with the theme of this browser, `light`, `dark` or `system`.
pub const THEME: &str = "__Host-theme";

/// The flash messages. The cookie holds only the name of one, so an attacker cannot make a page show a text of their
/// own.
const FLASHES: &[(&str, &str)] = &[
    ("saved", "Saved."),
    ("key-revoked", "The key was revoked. Programs can no longer use it."),
    ("key-disabled", "The key is disabled. Programs cannot use it until you enable it."),
    ("key-enabled", "The key is enabled."),
    ("key-restored", "The key is no longer in quarantine and works again."),
    ("signed-out", "You are signed out."),
    ("code-sent", "A new code is on its way."),
    ("verified", "Your address is verified. Welcome."),
    ("password-changed", "Your password is changed. Sign in with the new one."),
    ("own-password-changed", "Your password is changed. Your other sessions were signed out."),
    ("session-ended", "That device is signed out."),
    ("others-ended", "You are signed out everywhere else."),
    ("export-started", "Your export is being prepared. We send you an e-mail when it is ready."),
    ("connected", "Account connected. You can now use it to sign in."),
    ("disconnected", "Account disconnected. You can no longer use it to sign in."),
    (
        "ended-idle",
        "You were signed out because you were inactive for a while. Sign in again to return to the page you were on.",
    ),
    ("ended-age", "You were signed out because your session reached its maximum length. Sign in again to continue."),
    ("ended", "You were signed out because your session was ended. Sign in again to continue."),
    ("email-added", "A code is on its way to the new address. Enter it below."),
    ("email-verified", "The address is verified. You can sign in with it, and you can make it your primary address."),
    (
        "email-primary",
        "Your primary address is changed. Both addresses get an e-mail, and the previous one can undo this for a week.",
    ),
    ("email-removed", "The address is removed."),
    ("picture-saved", "Your picture is saved."),
    ("picture-removed", "Your picture is removed."),
    ("signin-over", "The sign-in took too long, or there were too many wrong codes. Sign in again."),
    ("two-step-on", "The authenticator app is set up."),
    ("passkey-added", "The passkey was added."),
    ("factor-removed", "The second factor was removed. Your other sessions were signed out."),
    ("factors-kept", "Your second factors were not changed."),
    ("signed-in-again", "Sign in again to continue."),
];

/// A link of the sidebar.
#[allow(missing_docs)]
pub struct SidebarItem {
    pub href: &'static str,
    pub label: &'static str,
    /// The name of an icon in `_icons.html`.
    pub icon: &'static str,
    pub is_current: bool,
}

const SIDEBAR: [(&str, &str, &str); 6] = [
    ("/settings/profile", "Profile", "user"),
    ("/settings/security", "Security", "lock"),
    ("/settings/keys", "API keys", "key"),
    ("/settings/billing", "Billing", "card"),
    ("/settings/privacy", "Privacy", "shield"),
    ("/activity", "Activity", "activity"),
];

/// A theme that a person can choose.
#[allow(missing_docs)]
pub struct ThemeChoice {
    pub value: &'static str,
    pub label: &'static str,
    pub is_current: bool,
}

/// The person as the sidebar shows them.
#[allow(missing_docs)]
pub struct Person {
    pub display_name: String,
    pub username: String,
    pub avatar: Avatar,
}

impl Person {
    /// The initials in the circle that stands in for a picture: see [`initials`].
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

/// What every page needs beyond its own content.
#[allow(missing_docs)]
pub struct PageContext {
    pub title: String,
    /// The path of the page, for the sidebar and for forms that return to it.
    pub path: String,
    /// `None`: the visitor is anonymous.
    pub person: Option<Person>,
    /// The CSRF token for the forms of this browser.
    pub csrf: String,
    /// `light`, `dark` or `system`.
    pub theme: String,
    /// The language of the page (BCP 47).
    pub language: String,
    /// The flash message.
    pub flash: Option<&'static str>,
    /// Whether the flash message reports a success. `false`: it explains why a session ended.
    pub is_flash_good: bool,
    /// `None`: the visitor is anonymous.
    pub left: Option<SessionTimeLeft>,
    /// Whether this appliance is a demonstration.
    pub is_demo: bool,
    /// Seconds after which the page reloads itself. `None`: it does not.
    pub refresh_seconds: Option<u32>,
}

impl PageContext {
    /// The context of a page that answers `request`.
    pub fn new(app: &App, request: &HttpRequest, title: &str) -> Self {
        // Read before the extensions are borrowed: the first access to cookies stores the parsed cookies there.
        let theme = request.cookie(THEME).map(|cookie| cookie.value().to_owned());
        let flash = request.cookie(FLASH).map(|cookie| cookie.value().to_owned());
        let extensions = request.extensions();
        // This comes from the session cookie and not from the flash cookie, so that every window shows it, not only the
        // first.
        let is_sign_in_page = request.method() == Method::GET && request.path() == SIGN_IN;
        let notice = extensions.get::<SignOutNotice>().filter(|_| is_sign_in_page).map(|notice| notice.0.to_owned());
        let flash = flash.or(notice).unwrap_or_default();
        let person = extensions.get::<Identity>().map(|identity| Person {
            display_name: identity.display_name.clone(),
            username: identity.username.clone(),
            avatar: identity.avatar.clone(),
        });
        let identity = extensions.get::<Identity>();
        // The choice of a person applies in every browser; without a person the cookie of the browser applies.
        let theme = identity.and_then(|identity| identity.theme.clone()).or(theme);
        let language = identity.map_or_else(|| "en".to_owned(), |identity| identity.language.clone());
        let renewed = extensions.get::<RenewedCookie>().map(|renewed| renewed.token.expose().clone());
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
            flash: FLASHES.iter().find(|(name, _)| *name == flash).map(|(_, sentence)| *sentence),
            is_flash_good: !flash.starts_with("ended"),
            left: extensions.get::<Identity>().map(|identity| identity.left),
            is_demo: app.config().demo,
            refresh_seconds: None,
        }
    }

    /// The links of the sidebar; the one of this page is marked as current.
    pub fn sidebar(&self) -> Vec<SidebarItem> {
        SIDEBAR
            .iter()
            .map(|(href, label, icon)| SidebarItem { href, label, icon, is_current: self.path.starts_with(href) })
            .collect()
    }

    /// The three themes to choose from.
    pub fn themes(&self) -> Vec<ThemeChoice> {
        [("system", "System"), ("light", "Light"), ("dark", "Dark")]
            .into_iter()
            .map(|(value, label)| ThemeChoice { value, label, is_current: self.theme == value })
            .collect()
    }
}

/// What was wrong with a form: shown at the field, or above the form.
pub struct FormFault {
    /// The id of the wrong field. `None`: it is not about one field.
    pub field: Option<&'static str>,
    /// What happened and what to do.
    pub sentence: String,
}

impl FormFault {
    /// Whether the field with this id is wrong.
    pub fn is_at(&self, field: &str) -> bool {
        self.field == Some(field)
    }
}

impl From<&Problem> for FormFault {
    fn from(problem: &Problem) -> Self {
        Self { field: problem.field, sentence: problem.sentence.clone() }
    }
}

/// Renders a page with status 200.
pub fn render(page: &impl Template) -> Answer {
    with_status(StatusCode::OK, page)
}

/// Renders a form again, with the status of the problem; `page` shows the problem. An internal error is not about the
/// form and is returned as an error.
pub fn render_form_error(problem: &Problem, page: &impl Template) -> Answer {
    if problem.status >= 500 && problem.status != 503 {
        return Err(problem.clone().into());
    }
    let mut response = with_status(StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST), page)?;
    if let Some(seconds) = problem.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    }
    Ok(response)
}

/// Renders a page with the given status, and deletes the cookie of the flash message that it shows.
pub fn with_status(status: StatusCode, page: &impl Template) -> Answer {
    let html = page.render().map_err(Problem::internal)?;
    Ok(HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        // Tells the middleware that this response needs no further rendering. The middleware removes the header.
        .insert_header(("x-page", "1"))
        .cookie(forget(FLASH))
        .body(html))
}

/// Redirects to a page that shows the flash message of this name.
pub fn redirect_with_flash(to: &str, flash: &'static str) -> HttpResponse {
    let mut response = redirect(to);
    set_flash(&mut response, flash);
    response
}

/// Makes the next page show the flash message of this name.
pub fn set_flash(response: &mut HttpResponse, flash: &'static str) {
    // If the cookie cannot be added, the message is not shown.
    let _ = response.add_cookie(&cookie(FLASH, flash.to_owned(), Some(crate::base::minutes(1))));
}

/// Returns `path` if it is certainly a path of this site, otherwise the profile page: prevents open redirects after a
/// sign-in.
pub fn safe_path(path: &str) -> &str {
    let is_harmless = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_?=&.".contains(&b));
    if is_harmless && path.starts_with('/') && !path.starts_with("//") && !path.contains("/.") {
        path
    } else {
        "/settings/profile"
    }
}

/// The app as handlers receive it.
pub type AppData = actix_web::web::Data<Arc<App>>;

#[cfg(test)]
mod tests {
    use super::{initials, safe_path};

    #[test]
    fn initials_are_one_letter_or_two() {
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
    fn only_paths_of_this_site_are_safe() {
        assert_eq!(safe_path("/settings/keys?create=1"), "/settings/keys?create=1");
        for unsafe_path in
            ["", "//evil", "/\\evil", "https://evil", "/%2f%2fevil", "/@evil", "evil", "/\t/evil", "/../x", "/a\nb"]
        {
            assert_eq!(safe_path(unsafe_path), "/settings/profile", "{unsafe_path:?}");
        }
    }
}
