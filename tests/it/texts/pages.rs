//! The outline of every page.

use std::collections::BTreeSet;

use domicile::server::ROUTES;

use super::{all_are_same, differs, none_is_left_over};
use crate::support::{Answer, Appliance, Browser, PASSWORD, oath_code, outline};

/// The time at which the clock of the server stands.
const NOW: &str = "2026-05-03 09:00:00";
const NOW_UNIX: i64 = 1_777_798_800;

/// Paths that answer with a page and have no snapshot, each with the reason.
const LEFT_OUT: [(&str, &str); 19] = [
    ("/", "redirects"),
    ("/settings", "redirects"),
    ("/activity/download", "a file"),
    ("/settings/billing/download", "a file"),
    ("/assets/{name:.*}", "files"),
    ("/favicon.ico", "a picture"),
    ("/apple-touch-icon.png", "a picture"),
    ("/robots.txt", "a text for crawlers"),
    ("/site/{name}", "files"),
    ("/avatars/{id}", "pictures"),
    ("/session/left", "an answer for the script of the page"),
    ("/demo/mail", "only in a demonstration"),
    ("/oauth/sign-up", "needs another provider; compared in tests/it/http/oauth.rs"),
    ("/oauth/connect", "needs another provider; compared in tests/it/http/oauth.rs"),
    ("/oauth/{name}/start", "redirects"),
    ("/oauth/{name}/callback", "redirects"),
    ("/oauth/{name}/finish", "redirects"),
    ("/help", "the manual, whose text is in templates/manual"),
    ("/help/{name}", "the same"),
];

/// Collects outlines.
struct Pages {
    site: Appliance,
    shown: BTreeSet<String>,
    differences: Vec<String>,
}

impl Pages {
    fn add(&mut self, name: &str, status: u16, answer: &Answer) {
        assert_eq!(answer.status, status, "{name}: {} {}", answer.location(), answer.text());
        assert!(self.shown.insert(name.to_owned()), "{name} is there twice");
        self.differences.extend(differs("pages", name, &outline(&answer.text())));
    }

    /// The page at `path`. Its name is the path with `.` for `/`.
    fn get(&mut self, browser: &mut Browser, path: &str) {
        let name = path.split('?').next().unwrap_or_default().trim_start_matches('/').replace('/', ".");
        let answer = browser.get(path);
        self.add(&name, 200, &answer);
    }
}

fn anonymous_pages(pages: &mut Pages) {
    let mut visitor = pages.site.browser();
    for path in ["/signin", "/signin/confirm", "/signup", "/forgot", "/v1/docs"] {
        pages.get(&mut visitor, path);
    }
    for path in ["/reset", "/not-me", "/revert"] {
        let answer = visitor.get(&format!("{path}?token=unknown"));
        let name = path.trim_start_matches('/');
        pages.add(&format!("{name}.unknown-link"), answer.status, &answer);
    }
    let answer = visitor.get("/nothing/here");
    pages.add("not-found", 404, &answer);
    let answer = visitor.submit("/signin", "/signin", &[("name", "nobody-x"), ("password", "wrong and long enough")]);
    pages.add("signin.wrong", answer.status, &answer);
    let answer =
        visitor.submit("/signup", "/signup", &[("email", "no address"), ("username", "x"), ("password", "short")]);
    pages.add("signup.wrong", answer.status, &answer);

    let form = [("email", "grace@example.org"), ("username", "grace-h"), ("password", PASSWORD)];
    assert_eq!(visitor.submit("/signup", "/signup", &form).status, 303);
    pages.get(&mut visitor, "/verify");
}

fn settings_pages(pages: &mut Pages, ada: &mut Browser) {
    for path in [
        "/settings/profile",
        "/settings/profile/emails",
        "/settings/profile/appearance",
        "/settings/profile/notifications",
        "/settings/keys",
        "/settings/keys/scopes",
        "/settings/billing",
        "/settings/usage",
        "/settings/usage/items",
        "/settings/trash",
        "/settings/trash/empty",
        "/settings/security",
        "/settings/privacy",
        "/settings/privacy/delete",
        "/activity",
        "/step-up",
    ] {
        pages.get(ada, path);
    }
    let form = [("name", "ci"), ("note", "Nightly training"), ("scope", "models:read"), ("expires", "90d")];
    let created = ada.submit("/settings/keys?create=1", "/settings/keys", &form);
    let shown = ada.follow(&created);
    pages.add("settings.keys.created", 200, &shown);
    let text = pages.site.run(&["--json", "key", "list", "--account", "ada-l"]).ok();
    let keys: serde_json::Value = serde_json::from_str(&text).unwrap();
    let id = keys["keys"][0]["id"].as_str().unwrap();
    for (name, path) in [
        ("key", ""),
        ("key.revoke", "/revoke"),
        ("key.rotate", "/rotate"),
        ("key.disable", "/disable"),
        ("key.scopes", "/scopes"),
    ] {
        let answer = ada.get(&format!("/settings/keys/{id}{path}"));
        pages.add(&format!("settings.keys.{name}"), 200, &answer);
    }
    let answer = ada.submit("/settings/keys?create=1", "/settings/keys", &[("name", ""), ("expires", "never ever")]);
    pages.add("settings.keys.wrong", answer.status, &answer);
    let answer = ada.get("/settings/keys");
    pages.add("settings.keys.one", 200, &answer);
}

/// The trash and the storage with something in them.
fn resource_pages(pages: &mut Pages, ada: &mut Browser) {
    let service = pages.site.service("registry");
    let workspace = pages.site.workspace("ada-l");
    let call = |method, path: &str| pages.site.call(method, path).bearer(&service);
    let body = serde_json::json!({
        "workspace": workspace, "type": "dataset", "name": "Apples", "size": 2_000_000, "version": 1,
    });
    assert!(call("PUT", "/v1/resources/d-1").json(&body).send().status < 300);
    let answer = ada.get("/settings/usage");
    pages.add("settings.usage.used", 200, &answer);
    let answer = ada.get("/settings/usage/items");
    pages.add("settings.usage.items.used", 200, &answer);
    let call = |method, path: &str| pages.site.call(method, path).bearer(&service);
    assert!(call("POST", "/v1/resources/d-1/trash").send().status < 300);
    let answer = ada.get("/settings/trash");
    pages.add("settings.trash.full", 200, &answer);
    let text = answer.text();
    let path = text.split('"').find(|word| word.starts_with("/settings/trash/res_") && word.ends_with("/delete"));
    let answer = ada.get(path.unwrap());
    pages.add("settings.trash.item.delete", 200, &answer);
    let call = |method, path: &str| pages.site.call(method, path).bearer(&service);
    assert!(call("PUT", "/v1/resources/d-2").json(&body).send().status < 300);
    pages.site.run(&["service", "disconnect", "registry", "--yes"]).ok();
    let answer = ada.get("/settings/trash");
    pages.add("settings.trash.left", 200, &answer);
}

fn second_factor_pages(pages: &mut Pages, ada: &mut Browser) {
    assert_eq!(ada.submit("/settings/security", "/settings/security/totp/new", &[]).status, 303);
    let answer = ada.get("/settings/security/totp");
    let secret = answer.value_of("id=\"totp-secret\"");
    // The secret is in the page as text and in a link with the name of the site.
    let port = pages.site.port;
    let text = answer.text().replace(&secret, "SECRET").replace(&secret.replace(' ', ""), "SECRET");
    let body = text.replace(&format!("%20{port}"), "%20PORT").into_bytes();
    let hidden = Answer { body, ..answer };
    pages.add("settings.security.totp", 200, &hidden);
    let code = oath_code(&secret.replace(' ', ""), NOW_UNIX);
    let confirmed = ada.submit("/settings/security/totp", "/settings/security/totp", &[("code", &code)]);
    let shown = ada.follow(&confirmed);
    let text = shown.text();
    let codes = text.split("<li>").filter_map(|rest| rest.split_once("</li>")).map(|(code, _)| code);
    let codes: Vec<_> = codes.filter(|code| code.len() == 17).map(str::to_owned).collect();
    let text = codes.iter().fold(text, |text, code| text.replace(code.as_str(), "RECOVERY-CODE"));
    let body = text.replace(&format!("%3A{port}"), "%3APORT").into_bytes();
    pages.add("settings.security.recovery-codes", 200, &Answer { body, ..shown });
    pages.get(ada, "/settings/security/totp/remove");

    let mut second = pages.site.browser();
    let answer = second.sign_in("ada-l");
    assert!(answer.location().starts_with("/signin/factor"), "{}", answer.location());
    pages.get(&mut second, "/signin/factor");
    let answer = second.get("/signin/factor/keep?token=unknown");
    pages.add("signin.factor.keep.unknown-link", answer.status, &answer);
}

fn console_pages(pages: &mut Pages) {
    let site = &pages.site;
    let mut olga = site.operator_without_factor("olga-o");
    let answer = olga.get("/settings/security");
    pages.add("settings.security.operator", 200, &answer);
    olga.set_up_app(NOW_UNIX);
    pages.site.run(&["snapshot", "now"]).ok();
    let answer = olga.get("/admin");
    let body = answer.text().replace(env!("CARGO_PKG_VERSION"), "VERSION").into_bytes();
    pages.add("admin", 200, &Answer { body, ..answer });
    pages.get(&mut olga, "/admin/services");
    let fields = [("name", "training"), ("scope", "keys:verify"), ("workspaces", "all")];
    let made = olga.submit("/admin/services?create=1", "/admin/services", &fields);
    let answer = olga.follow(&made);
    let secret = answer.value_of("id=\"new-secret\"");
    let body = answer.text().replace(&secret, "CREDENTIAL").into_bytes();
    pages.add("admin.services.service", 200, &Answer { body, ..answer });
    let path = made.location().split('?').next().unwrap().to_owned();
    pages.site.run(&["inbox", "ping", "training"]).ok();
    let text = olga.get(&path).text();
    let command = text.split('"').find(|word| word.starts_with("/admin/commands/")).unwrap().to_owned();
    let answer = olga.get(&command);
    pages.add("admin.commands.command", 200, &answer);
    for name in ["rotate", "disconnect"] {
        let answer = olga.get(&format!("{path}/{name}"));
        pages.add(&format!("admin.services.service.{name}"), 200, &answer);
    }
    let answer = olga.get("/admin/erasures");
    pages.add("admin.erasures", 200, &answer);
    // One that waits for an answer, and for an operator because of a service that was disconnected.
    let site = &pages.site;
    site.account("gone-g");
    let gone = site.workspace("gone-g");
    for name in ["archive", "registry-2"] {
        let service = site.service(name);
        let body = serde_json::json!({"workspace": gone, "type": "model", "name": "Crows", "size": 9, "version": 1});
        assert_eq!(site.call("PUT", "/v1/resources/crows").bearer(&service).json(&body).send().status, 201);
    }
    site.run(&["service", "disconnect", "archive", "--yes"]).ok();
    let receipt = site.run(&["account", "delete", "gone-g", "--yes"]).ok().trim().to_owned();
    let answer = olga.get("/admin/erasures");
    pages.add("admin.erasures.some", 200, &answer);
    let answer = olga.get(&format!("/admin/erasures/{receipt}"));
    pages.add("admin.erasures.erasure", 200, &answer);
    let answer = pages.site.browser().get(&format!("/erasure/{receipt}"));
    pages.add("erasure.receipt", 200, &answer);
    let answer = olga.get("/admin/services?create=1");
    pages.add("admin.services.connect", 200, &answer);
}

/// Chooses a colour, with two changes whatever the random first colour was: a choice of the same colour is no event.
fn choose_teal(ada: &mut Browser) {
    let first = ada.get("/settings/profile").text();
    let other = ["amber", "slate"].into_iter().find(|colour| !first.contains(&format!("value=\"{colour}\" checked")));
    for colour in [other.unwrap(), "teal"] {
        assert_eq!(ada.submit("/settings/profile", "/settings/profile/colour", &[("colour", colour)]).status, 303);
    }
}

/// Pages that other tests compare, because they need a provider or a restore.
const COMPARED_ELSEWHERE: [&str; 3] = ["oauth.sign-up", "oauth.connect", "settings.security.restored"];

#[test]
fn every_page_has_its_reviewed_words() {
    let site = Appliance::frozen_at(NOW);
    site.account("ada-l");
    let mut pages = Pages { site, shown: BTreeSet::new(), differences: Vec::new() };
    let mut ada = pages.site.browser();
    ada.sign_in("ada-l");
    choose_teal(&mut ada);

    anonymous_pages(&mut pages);
    settings_pages(&mut pages, &mut ada);
    resource_pages(&mut pages, &mut ada);
    second_factor_pages(&mut pages, &mut ada);
    console_pages(&mut pages);

    let programs = ["/v1/", "/api/", "/.well-known/", "/healthz", "/readyz"];
    let is_page = |path: &str| path == "/v1/docs" || !programs.iter().any(|start| path.starts_with(start));
    let routes = ROUTES.iter().filter(|route| route.method == "GET" && is_page(route.path));
    let has_snapshot = |path: &str| {
        let name = path.trim_start_matches('/').replace("keys/{id}", "keys/key").replace("trash/{id}", "trash/item");
        let name = name
            .replace("services/{id}", "services/service")
            .replace("commands/{id}", "commands/command")
            .replace("erasures/{id}", "erasures/erasure")
            .replace("erasure/{id}", "erasure/receipt")
            .replace('/', ".");
        pages.shown.iter().any(|shown| *shown == name || shown.starts_with(&format!("{name}.")))
    };
    let passkey = "/settings/security/passkeys/{id}";
    let missing: Vec<_> = routes
        .map(|route| route.path)
        .filter(|path| !has_snapshot(path) && *path != passkey && !LEFT_OUT.iter().any(|(known, _)| known == path))
        .collect();
    assert!(missing.is_empty(), "no snapshot of {missing:?}: add the pages to tests/it/texts/pages.rs");
    all_are_same(&pages.differences);
    none_is_left_over("pages", pages.shown.into_iter().chain(COMPARED_ELSEWHERE.map(str::to_owned)));
}
