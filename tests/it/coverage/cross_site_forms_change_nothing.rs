//! Row 51 of the fault catalogue, and S5: every POST route refuses forms of other sites, and GET requests change
//! nothing.

use domicile::server::{Access, ClientKind, ROUTES, Route};

use crate::support::{Appliance, Browser};

fn paths(which: impl Fn(&Route) -> bool) -> impl Iterator<Item = String> {
    ROUTES
        .iter()
        .filter(move |route| which(route))
        .map(|route| route.path.replace("{id}", "key_00000000000000000000000000").replace("{name:.*}", "app.css"))
}

/// The paths of all forms of our pages.
fn forms() -> impl Iterator<Item = String> {
    paths(|route| route.needs_csrf_token)
}

fn token_of(browser: &mut Browser, page: &str) -> String {
    browser.get(page).value_of("name=\"csrf\"")
}

#[test]
fn s5_every_form_from_another_site_is_refused_and_changes_nothing() {
    let site = Appliance::running();
    // An operator can open every page.
    let (mut ada, _) = site.operator("ada-l");
    let token = token_of(&mut ada, "/settings/privacy");
    let fields = [
        ("csrf", token.as_str()),
        ("confirm", "DELETE"),
        ("password", crate::support::PASSWORD),
        ("name", "x"),
        ("scope", "read"),
    ];
    let before = site.content();

    for path in forms() {
        // Each form has the right cookie and the right token. Only its origin is wrong.
        let foreign: [(&str, &str); 3] =
            [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site"), ("Origin", "https://evil.example")];
        for (header, value) in foreign {
            let answer = ada.call("POST", &path).header(header, value).form(&fields).send();
            assert_eq!(answer.status, 403, "{path} took a form with {header}: {value}");
        }
        for content_type in ["text/plain", "application/json", "multipart/form-data; boundary=x"] {
            let answer = ada
                .call("POST", &path)
                .header("Sec-Fetch-Site", "cross-site")
                .header("Content-Type", content_type)
                .body("{}")
                .send();
            assert_eq!(answer.status, 403, "{path} took {content_type}");
        }
    }
    // Programs authenticate with a header and not with a cookie, so that a browser never does it for another site.
    for route in ROUTES.iter().filter(|route| route.method == "POST" && route.path.starts_with("/v1/")) {
        let answer = ada.call("POST", route.path).header("Sec-Fetch-Site", "cross-site").form(&fields).send();
        // The public routes expect a key in the body. A cookie is no credential there.
        let refused = if route.access == Access::Public { 400 } else { 401 };
        assert_eq!(answer.status, refused, "{}", route.path);
    }
    assert_eq!(site.content(), before);
}

#[test]
fn s5_a_form_without_its_token_is_refused_and_changes_nothing() {
    let site = Appliance::running();
    site.account("grace-h");
    let (ada, _) = site.operator("ada-l");
    let mut grace = site.browser();
    grace.sign_in("grace-h");
    let foreign = token_of(&mut grace, "/settings/privacy");
    let before = site.content();

    for path in forms() {
        for token in ["", "0000", foreign.as_str()] {
            let answer =
                ada.call("POST", &path).header("Sec-Fetch-Site", "same-origin").form(&[("csrf", token)]).send();
            assert_eq!(answer.status, 403, "{path} took the token {token:?}");
        }
    }
    assert_eq!(site.content(), before);
}

#[test]
fn s5_reading_pages_changes_nothing() {
    let site = Appliance::running();
    let (mut ada, _) = site.operator("ada-l");
    let before = site.content();

    for path in paths(|route| route.method == "GET" && route.client == ClientKind::Page) {
        let answer = ada.get(&path);
        assert!(answer.status < 500, "{path}: {}", answer.status);
        let head = ada.call("HEAD", &path).send();
        assert_eq!((head.status, head.body.len()), (answer.status, 0), "HEAD {path}");
    }
    assert_eq!(site.content(), before);
}
