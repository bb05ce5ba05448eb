//! Every form of every page can be sent: it has its token, and its target has a route.

use std::collections::BTreeSet;

use domicile::base::Clock;
use domicile::server::{ClientKind, ROUTES};

use super::seeded::Seeded;
use crate::support::{Answer, Browser, PASSWORD};

/// Routes for GET that show no page in this site, and why.
pub const WITHOUT_PAGE: &[(&str, &str)] = &[
    ("/", "redirects"),
    ("/settings", "redirects"),
    ("/.well-known/change-password", "redirects"),
    ("/session/left", "answers JSON"),
    ("/assets/{name:.*}", "a file"),
    ("/settings/billing/download", "a file"),
    ("/activity/download", "a file"),
    ("/favicon.ico", "a picture"),
    ("/apple-touch-icon.png", "a picture"),
    ("/robots.txt", "a text for crawlers"),
    ("/site/{name}", "files"),
    ("/avatars/{id}", "a picture"),
    ("/demo/mail", "only in a demonstration"),
    ("/oauth/sign-up", "needs a provider: tested in http::oauth"),
    ("/oauth/connect", "needs a provider: tested in http::oauth"),
    ("/oauth/{name}/start", "redirects to a provider"),
    ("/oauth/{name}/callback", "redirects from a provider"),
    ("/oauth/{name}/finish", "redirects from a provider"),
    ("/signin/factor/keep", "needs the link of a mail: tested in http::factors"),
    ("/revert", "needs the link of a mail: tested in http::profile"),
];

fn is_routed(method: &str, path: &str) -> bool {
    let parts: Vec<&str> = path.split(['?', '#']).next().unwrap_or_default().split('/').collect();
    ROUTES.iter().any(|route| {
        let known: Vec<&str> = route.path.split('/').collect();
        route.method.eq_ignore_ascii_case(method)
            && known.len() == parts.len()
            && known.iter().zip(&parts).all(|(known, part)| known.starts_with('{') || known == part)
    })
}

/// Checks each form of a page. Returns what is wrong, and the token of the page.
fn check(path: &str, page: &Answer) -> (Vec<String>, Option<String>) {
    let (mut wrong, mut tokens) = (Vec::new(), BTreeSet::new());
    for form in page.forms() {
        let own = if form.action.is_empty() { path } else { &form.action };
        for action in form.button_actions.iter().map(String::as_str).chain([own]) {
            if form.method != "dialog" && !is_routed(&form.method, action) {
                wrong.push(format!("{path}: no route for the form {} {action}", form.method));
            }
        }
        match form.hidden("csrf") {
            _ if form.method != "post" => {}
            None => wrong.push(format!("{path}: the form for {own} has no token")),
            Some("") => wrong.push(format!("{path}: the form for {own} has an empty token")),
            Some(token) => {
                tokens.insert(token.to_owned());
            }
        }
    }
    if tokens.len() > 1 {
        wrong.push(format!("{path}: its forms have different tokens"));
    }
    (wrong, tokens.pop_first())
}

#[test]
fn every_form_of_every_page_has_its_token_and_a_route() {
    let mut world = Seeded::new();
    let mut visitor = world.site.browser();
    let mut verifying = world.site.browser();
    let fields = [("email", "new@example.org"), ("username", "new-person"), ("password", PASSWORD)];
    assert_eq!(verifying.submit("/signup", "/signup", &fields).location(), "/verify");
    // The owner has a passkey, so their sign-in needs a second step.
    let mut pending = world.site.browser();
    assert!(pending.sign_in("ada-l").location().starts_with("/signin/factor"));
    world.ada.submit("/settings/security", "/settings/security/totp/new", &[]);
    // The other person has an authenticator app.
    world.grace.set_up_app(Clock::system().now().unix_seconds());
    let mailbox = world.site.mailbox();
    let device = mailbox.wait_for("ada-l@example.org", "A new device signed in").link("/not-me");
    let mut mailed = vec![("/not-me", device)];
    visitor.submit("/forgot", "/forgot", &[("email", "grace-h@example.org")]);
    mailed.push(("/reset", mailbox.wait_for("grace-h@example.org", "Set your password").link("/reset")));

    mailed.push(("/help/{name}", format!("{}/help/install", world.site.url())));

    let (mut wrong, mut shown, mut forms) = (Vec::new(), BTreeSet::new(), 0);
    let mut visit = |browser: &mut Browser, route: &'static str, path: &str| {
        let page = browser.get(path);
        assert!(page.status < 500, "{path}: {}", page.text());
        if page.status != 200 || !page.header("content-type").starts_with("text/html") {
            return;
        }
        shown.insert(route);
        forms += page.forms().len();
        let (faults, token) = check(path, &page);
        wrong.extend(faults);
        if let Some(token) = token {
            let sent = browser.post("/theme", &[("csrf", &token), ("theme", "system"), ("back", "/signin")]);
            assert_eq!(sent.status, 303, "{path}: its token is not the one of its browser");
        }
    };
    let pages: Vec<&str> = ROUTES
        .iter()
        .filter(|route| route.method == "GET" && route.client == ClientKind::Page)
        .map(|route| route.path)
        .collect();
    let is_without_page = |path: &str| WITHOUT_PAGE.iter().any(|(known, _)| *known == path);
    for &route in pages.iter().filter(|route| !is_without_page(route)) {
        let path = if route.contains("{id}") { route.replace("{id}", world.id_for(route)) } else { route.to_owned() };
        for browser in [&mut world.ada, &mut world.grace, &mut world.olga, &mut visitor, &mut verifying, &mut pending] {
            visit(browser, route, &path);
        }
    }
    for (route, link) in mailed {
        visit(&mut visitor, route, link.strip_prefix(&world.site.url()).unwrap());
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let missing: Vec<_> = pages.iter().filter(|path| !shown.contains(**path) && !is_without_page(path)).collect();
    assert!(missing.is_empty(), "no visitor saw {missing:?}: let one visit it, or say why in WITHOUT_PAGE");
    assert!(forms > 100, "only {forms} forms");
}
