//! `/help`: the manual, for everybody. It is Markdown in `templates/manual`, which the package has too.

use std::sync::OnceLock;

use actix_web::{HttpRequest, web};
use askama::Template;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use crate::base::Problem;
use crate::http::Answer;
use crate::http::page::{self, AppData, PageContext};

/// Where the manual is.
const ROOT: &str = "/help";

macro_rules! sources {
    ($($name:literal)*) => {
        /// The pages of the manual in their order: the name in the path, and the Markdown.
        pub(super) const MANUAL: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../templates/manual/", $name, ".md"))),)*
            // The package has this file beside the manual.
            ("settings", concat!(
                include_str!("../../templates/manual/settings.md"),
                "\n```toml\n", include_str!("../../packaging/domicile.toml"), "```\n"
            )),
        ];
    };
}

sources! {
    "index" "install" "first-start" "proxy" "connect-a-service" "gateways" "services" "tls" "mail" "providers" "provider-google" "provider-apple"
    "provider-github" "provider-auth0" "provider-entra" "provider-okta" "provider-keycloak" "provider-authelia"
    "provider-authentik" "provider-zitadel" "provider-cognito" "provider-gitlab" "resources" "usage" "credit" "console" "people" "privacy" "backup" "upgrade"
    "monitoring"
    "troubleshooting" "air-gapped" "capacity" "security" "limits"
}

/// A page as HTML.
struct ManualPage {
    name: &'static str,
    title: String,
    html: String,
}

/// A link to a page of the manual.
struct Entry<'p> {
    href: String,
    title: &'p str,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "server/manual.html")]
struct ManualTemplate<'p> {
    context: PageContext,
    entries: Vec<Entry<'p>>,
    html: &'p str,
}

/// `GET /help`.
pub(super) async fn index(app: AppData, request: HttpRequest) -> Answer {
    show(&app, &request, "index")
}

/// `GET /help/{name}`.
pub(super) async fn named(app: AppData, request: HttpRequest, name: web::Path<String>) -> Answer {
    // The first page has one address.
    if name.as_str() == "index" { Err(Problem::not_found().into()) } else { show(&app, &request, &name) }
}

fn show(app: &AppData, request: &HttpRequest, name: &str) -> Answer {
    let shown = pages().iter().find(|page| page.name == name).ok_or_else(Problem::not_found)?;
    let entry = |page: &'static ManualPage| Entry {
        href: path_of(page.name),
        title: &page.title,
        is_current: page.name == shown.name,
    };
    // The pages about one provider each are listed where somebody looks for them only.
    let is_about_provider = |page: &ManualPage| page.name.starts_with("provider-");
    let is_listed =
        |page: &&ManualPage| !is_about_provider(page) || is_about_provider(shown) || shown.name == "providers";
    page::render(&ManualTemplate {
        context: PageContext::new(app, request, &shown.title),
        entries: pages().iter().filter(is_listed).map(entry).collect(),
        html: &shown.html,
    })
}

fn pages() -> &'static [ManualPage] {
    static PAGES: OnceLock<Vec<ManualPage>> = OnceLock::new();
    PAGES.get_or_init(|| MANUAL.iter().map(|(name, text)| render(name, text)).collect())
}

fn path_of(name: &str) -> String {
    if name == "index" { ROOT.to_owned() } else { format!("{ROOT}/{name}") }
}

fn render(name: &'static str, text: &str) -> ManualPage {
    let mut events: Vec<Event<'_>> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
    let mut title = String::new();
    for index in 0..events.len() {
        let words = match &events[index] {
            Event::Start(Tag::Heading { .. }) => words_after(&events[index..]),
            _ => String::new(),
        };
        match &mut events[index] {
            Event::Start(Tag::Heading { id, .. }) => {
                *id = Some(anchor_of(&words).into());
                if title.is_empty() {
                    title = words;
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => *dest_url = target_of(dest_url),
            _ => {}
        }
    }
    let mut html = String::new();
    html::push_html(&mut html, events.into_iter().flat_map(framed));
    ManualPage { name, title, html }
}

/// The words of the heading that begins here.
fn words_after(events: &[Event<'_>]) -> String {
    let inside = events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let words = inside.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    words.collect()
}

/// The anchor of a heading, as other programs that show Markdown make it.
fn anchor_of(words: &str) -> String {
    let kept = words.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// In Markdown, a link names the file beside it.
fn target_of<'t>(target: &CowStr<'t>) -> CowStr<'t> {
    let (file, anchor) = target.split_once('#').map_or((&**target, None), |(file, anchor)| (file, Some(anchor)));
    match (file.strip_suffix(".md"), anchor) {
        (None, _) => target.clone(),
        (Some(name), None) => path_of(name).into(),
        (Some(name), Some(anchor)) => format!("{}#{anchor}", path_of(name)).into(),
    }
}

/// Wide parts scroll by themselves, also with the keyboard.
fn framed(event: Event<'_>) -> Vec<Event<'_>> {
    let own = |text: &'static str| Event::Html(text.into());
    match event {
        Event::Start(Tag::CodeBlock(_)) => {
            vec![own("<pre class=\"sample\" tabindex=\"0\" role=\"group\" aria-label=\"Example\">")]
        }
        Event::End(TagEnd::CodeBlock) => vec![own("</pre>\n")],
        Event::Start(Tag::Table(_)) => {
            vec![own("<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Table\">"), event]
        }
        Event::End(TagEnd::Table) => vec![event, own("</div>\n")],
        other => vec![other],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_anchors_and_links_and_frames() {
        let page = render(
            "a",
            "# A `b` c\n\n[x](tls.md#what-it-is) [y](index.md) [z](/v1/docs)\n\n```sh\na < b\n```\n\n|a|\n|-|\n|b|\n",
        );

        assert_eq!(page.title, "A b c");
        for part in [
            "<h1 id=\"a-b-c\">",
            "href=\"/help/tls#what-it-is\"",
            "href=\"/help\"",
            "href=\"/v1/docs\"",
            "aria-label=\"Example\">a &lt; b\n</pre>",
            "aria-label=\"Table\"><table>",
            "</table>\n</div>",
        ] {
            assert!(page.html.contains(part), "{part} is not in {}", page.html);
        }
    }
}
