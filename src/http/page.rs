//! Rendering of pages, and what every page shows around its own content.

use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;

use super::flash::CommonFlash::NoMail;
use super::flash::{self, FLASH, Flash};
use super::{
    Answer, Avatar, Identity, RenewedCookie, SessionTimeLeft, SignOutNotice, StandingNotice, StandingNotices, csrf,
    forget,
};
use crate::app::App;
use crate::base::Problem;
use crate::config::SiteInfo;

/// The cookie with the theme of this browser, `light`, `dark` or `system`.
pub const THEME: &str = "__Host-theme";

/// What the server puts on every page. This module knows no other module's paths and sentences.
#[derive(Clone, Debug, Default)]
pub struct PageFrame {
    /// The pages in the sidebar, in this order.
    pub sidebar: Vec<SidebarEntry>,
    /// The flash messages of all slices.
    pub flashes: Vec<&'static [Flash]>,
}

/// The entry of a page in the sidebar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SidebarEntry {
    /// The path of the page.
    pub path: &'static str,
    /// The heading above the entry.
    pub group: &'static str,
    /// The text of the link.
    pub label: &'static str,
    /// The name of an icon in `_icons.html`.
    pub icon: &'static str,
    /// Whether only operators see it.
    pub is_for_operators: bool,
}

/// A heading of the sidebar and the links below it.
#[allow(missing_docs)]
pub struct SidebarGroup {
    pub label: &'static str,
    pub items: Vec<SidebarItem>,
}

/// A link of the sidebar.
#[allow(missing_docs)]
pub struct SidebarItem {
    pub href: &'static str,
    pub label: &'static str,
    pub icon: &'static str,
    pub is_current: bool,
}

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
    /// The path of the page, for the sidebar.
    pub path: String,
    /// The path of the page with its query, for forms that return to it.
    pub back: String,
    /// `None`: the visitor is anonymous.
    pub person: Option<Person>,
    /// Whether the person runs this appliance.
    pub is_operator: bool,
    /// The CSRF token for the forms of this browser.
    pub csrf: String,
    /// `light`, `dark` or `system`.
    pub theme: String,
    /// The language of the page (BCP 47).
    pub language: String,
    /// The flash message.
    pub flash: Option<Flash>,
    /// The id of the part of the page that shows it. Empty: the top.
    pub flash_place: String,
    /// What the person has to know on every page.
    pub notices: Vec<StandingNotice>,
    /// `None`: a test without a server.
    frame: Option<Data<PageFrame>>,
    /// `None`: the visitor is anonymous.
    pub left: Option<SessionTimeLeft>,
    /// Whether this appliance is a demonstration.
    pub is_demo: bool,
    /// The name and the looks of the site.
    pub site: SiteInfo,
    /// `false`: `mail.transport` is "log", so pages must not say that a mail was sent.
    pub sends_mail: bool,
    /// Seconds after which the page reloads itself. `None`: it does not.
    pub refresh_seconds: Option<u32>,
}

impl PageContext {
    /// The context of a page that answers `request`.
    pub fn new(app: &App, request: &HttpRequest, title: &str) -> Self {
        // Read before the extensions are borrowed: the first access to cookies stores the parsed cookies there.
        let theme = request.cookie(THEME).map(|cookie| cookie.value().to_owned());
        let frame = request.app_data::<Data<PageFrame>>().cloned();
        let sends_mail = app.config().sends_mail();
        let flash = frame.as_ref().and_then(|frame| flash::requested(request, &frame.flashes));
        let (flash, flash_place) = flash.unzip();
        let flash = flash.map(|flash| if flash.promises_mail && !sends_mail { NoMail.into() } else { flash });
        let extensions = request.extensions();
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
            back: path_with_query(request),
            person,
            is_operator: identity.is_some_and(|identity| identity.is_operator),
            csrf: binding.map(|binding| csrf::token(app, &binding)).unwrap_or_default(),
            theme: theme.filter(|theme| matches!(theme.as_str(), "light" | "dark")).unwrap_or_else(|| "system".into()),
            language,
            flash,
            flash_place: flash_place.unwrap_or_default(),
            notices: extensions.get::<StandingNotices>().cloned().unwrap_or_default().0,
            frame,
            left: extensions.get::<Identity>().map(|identity| identity.left),
            is_demo: app.config().demo,
            site: app.config().site.clone(),
            sends_mail,
            refresh_seconds: None,
        }
    }

    /// The flash message for the part of the page with this id. An empty id is the top.
    pub fn flash_at(&self, place: &str) -> Option<Flash> {
        self.flash.filter(|_| self.flash_place == place)
    }

    /// Explains why the session of this browser ended, if the page shows no other flash message. The reason comes from
    /// the session cookie and not from the flash cookie, so that every window shows it, not only the first.
    pub fn show_sign_out_notice(&mut self, request: &HttpRequest) {
        // A message for a place of another page is not shown here.
        if self.flash_at("").is_none()
            && let Some(notice) = request.extensions().get::<SignOutNotice>()
        {
            (self.flash, self.flash_place) = (Some(notice.0), String::new());
        }
    }

    /// The links of the sidebar; the one of this page is current.
    pub fn sidebar(&self) -> Vec<SidebarGroup> {
        let Some(frame) = &self.frame else { return Vec::new() };
        let shown = frame.sidebar.iter().filter(|entry| self.is_operator || !entry.is_for_operators);
        sidebar_of(shown.copied(), &self.path)
    }

    /// The label of this page in the sidebar. `None`: it is not there.
    pub fn current_label(&self) -> Option<&'static str> {
        let items = self.sidebar().into_iter().flat_map(|group| group.items);
        items.into_iter().find(|item| item.is_current).map(|item| item.label)
    }

    /// The three themes to choose from.
    pub fn themes(&self) -> Vec<ThemeChoice> {
        [("system", "System"), ("light", "Light"), ("dark", "Dark")]
            .into_iter()
            .map(|(value, label)| ThemeChoice { value, label, is_current: self.theme == value })
            .collect()
    }
}

/// The address of a page, without its query if that has characters that [`safe_path`] rejects.
fn path_with_query(request: &HttpRequest) -> String {
    let whole = request.uri().path_and_query().map_or("", |whole| whole.as_str());
    safe_path(whole).unwrap_or_else(|| request.path()).to_owned()
}

/// The sidebar of the page at `path`: one group for each heading.
fn sidebar_of(entries: impl Iterator<Item = SidebarEntry> + Clone, path: &str) -> Vec<SidebarGroup> {
    let mut groups: Vec<SidebarGroup> = Vec::new();
    // A page may be below another one: the longest path is the current one.
    let paths = entries.clone().map(|entry| entry.path);
    let current = paths.filter(|known| is_within(path, known)).max_by_key(|known| known.len());
    for entry in entries {
        let item = SidebarItem {
            href: entry.path,
            label: entry.label,
            icon: entry.icon,
            is_current: current == Some(entry.path),
        };
        match groups.iter_mut().find(|group| group.label == entry.group) {
            Some(group) => group.items.push(item),
            None => groups.push(SidebarGroup { label: entry.group, items: vec![item] }),
        }
    }
    groups
}

/// Whether `path` is that of a page, or below it.
fn is_within(path: &str, page: &str) -> bool {
    path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What was wrong with a form: shown at the field, or above the form.
pub struct FormFault {
    /// The id of the wrong field. `None`: it is not about one field.
    pub field: Option<&'static str>,
    /// What happened and what to do.
    pub sentence: String,
    /// What is wrong with other fields.
    pub others: Vec<(&'static str, String)>,
}

impl FormFault {
    /// Whether the field with this id is wrong.
    pub fn is_at(&self, field: &str) -> bool {
        self.sentence_at(field).is_some()
    }

    /// What is wrong with the field with this id.
    pub fn sentence_at(&self, field: &str) -> Option<&str> {
        if self.field == Some(field) {
            return Some(&self.sentence);
        }
        self.others.iter().find(|(other, _)| *other == field).map(|(_, sentence)| sentence.as_str())
    }
}

impl From<&Problem> for FormFault {
    fn from(problem: &Problem) -> Self {
        Self { field: problem.field, sentence: problem.sentence.clone(), others: problem.others.clone() }
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
    // For a script, which gets a problem document instead of the page.
    response.extensions_mut().insert(problem.clone());
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

/// Returns `path` if it is certainly a path of this site: prevents open redirects.
pub fn safe_path(path: &str) -> Option<&str> {
    let is_harmless = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_?=&.".contains(&b));
    let is_path = path.starts_with('/') && !path.starts_with("//") && !path.contains("/.");
    (is_harmless && is_path).then_some(path)
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
        assert_eq!(safe_path("/a/b?create=1"), Some("/a/b?create=1"));
        for unsafe_path in
            ["", "//evil", "/\\evil", "https://evil", "/%2f%2fevil", "/@evil", "evil", "/\t/evil", "/../x", "/a\nb"]
        {
            assert_eq!(safe_path(unsafe_path), None, "{unsafe_path:?}");
        }
    }
}
