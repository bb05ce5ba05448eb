//! How people come in, with everything that goes wrong on the way: two windows, old links, typos, attacks of others.

use domicile::server::{ROUTES, Route};

use crate::support::{Answer, Appliance, PASSWORD};

const OTHER: &str = "a quieter walk by the river";

fn has_form(answer: &Answer, action: &str) -> bool {
    answer.forms().iter().any(|form| form.is_sent_to("", action))
}

fn attack(site: &Appliance, name: &str) -> Answer {
    let attempt = || site.browser().submit("/signin", "/signin", &[("name", name), ("password", "wrong wrong wrong")]);
    (0..4).for_each(|_| assert_eq!(attempt().status, 401));
    attempt()
}

#[test]
fn an_attacked_person_confirms_a_new_browser_by_mail_and_comes_in() {
    let site = Appliance::running();
    site.account("ada-l");
    let known = attack(&site, "ada-l");
    let unknown = attack(&site, "nobody-l");
    let places = [&known, &unknown].map(|answer| (answer.status, answer.location().to_owned()));
    assert_eq!(places, [(303, "/signin/confirm".to_owned()), (303, "/signin/confirm".to_owned())]);

    let mut ada = site.browser();
    let asked = ada.submit("/signin", "/signin", &[("name", "ada-l"), ("password", PASSWORD)]);
    assert_eq!(asked.location(), "/signin/confirm");
    assert!(ada.get("/signin/confirm").text().contains("Open the link <strong>in this browser</strong>"));
    let link = site.mailbox().wait_for("ada-l@example.org", "Confirm your browser").link("/signin/confirm?token=");
    let path = link.strip_prefix(&site.url()).unwrap();
    // A scanner that follows the link uses nothing up.
    (0..2).for_each(|_| assert_eq!(site.browser().get(path).status, 200));
    let confirmed = ada.submit(path, "/signin/confirm", &[]);
    assert_eq!((confirmed.status, confirmed.location()), (303, "/signin"), "{}", confirmed.text());
    assert!(ada.get("/signin").text().contains("This browser is confirmed"));
    ada.sign_in("ada-l");
    assert_eq!(ada.get("/settings/profile").status, 200);

    let again = site.browser().get(path);
    assert_eq!((again.status, has_form(&again, "/signin/confirm")), (400, false));
}

#[test]
fn c14_every_form_that_signs_in_gives_way_to_the_session_of_another_window() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    let csrf = ada.get("/signin").forms()[0].hidden("csrf").unwrap().to_owned();
    ada.sign_in("ada-l");

    let is_sign_in = |route: &&Route| route.method == "POST" && route.gives_way_unless.is_some();
    for route in ROUTES.iter().filter(is_sign_in) {
        for (next, target) in [("/settings/keys", "/settings/keys"), ("//evil.example", "/settings/profile")] {
            let answer = ada.post(route.path, &[("csrf", &csrf), ("next", next)]);
            assert_eq!((answer.status, answer.location()), (303, target), "{}: {}", route.path, answer.text());
        }
        for field in route.gives_way_unless.unwrap() {
            let answer = ada.post(route.path, &[("csrf", &csrf), (field, "somebody-else")]);
            assert!(answer.status >= 400, "{} with {field}: {}", route.path, answer.status);
        }
    }
    assert_eq!(ROUTES.iter().filter(is_sign_in).count(), 6);
    assert_eq!(ada.get("/settings/profile").status, 200, "still signed in");
}

#[test]
fn c14_a_second_window_on_the_sign_in_page_goes_where_it_wanted() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    let opened = ada.get("/signin?next=/settings/keys");
    let signing_up = ada.get("/signup");
    let forgot = ada.get("/forgot");
    ada.sign_in("ada-l");

    let second = ada.submit_open(&opened, "/signin", "/signin", &[("name", "ada-l"), ("password", PASSWORD)]);
    assert_eq!((second.status, second.location()), (303, "/settings/keys"), "{}", second.text());
    let fields = [("email", "x@example.org"), ("username", "other"), ("password", OTHER)];
    let third = ada.submit_open(&signing_up, "/signup", "/signup", &fields);
    assert_eq!((third.status, third.location()), (303, "/settings/profile"), "{}", third.text());
    let mailed = ada.submit_open(&forgot, "/forgot", "/forgot", &[("email", "ada-l@example.org")]);
    assert_eq!(mailed.status, 200, "{}", mailed.text());
    // The token of the visit is no token for what needs the session.
    let csrf = opened.forms()[0].hidden("csrf").unwrap().to_owned();
    assert_eq!(ada.post("/signout", &[("csrf", &csrf)]).status, 403);
    assert_eq!(ada.get("/settings/profile").status, 200, "still signed in");
}

#[test]
fn c15_links_that_are_not_valid_are_refused_before_anything_is_typed() {
    let site = Appliance::running();
    site.account("ada-l");
    for (path, action) in [
        ("/reset?token=invented", "/reset"),
        ("/reset", "/reset"),
        ("/signup?claim=invented", "/signup"),
        ("/signup?invite=invented", "/signup"),
        ("/signin/factor/keep?token=invented", "/signin/factor/keep"),
        ("/signin/confirm?token=invented", "/signin/confirm"),
        ("/revert?token=invented", "/revert"),
        ("/not-me?token=invented", "/not-me"),
    ] {
        let answer = site.browser().get(path);
        assert_eq!((answer.status, has_form(&answer, action)), (400, false), "{path}: {}", answer.text());
    }
    site.browser().submit("/forgot", "/forgot", &[("email", "ada-l@example.org")]);
    let link = site.mailbox().wait_for("ada-l@example.org", "Set your password").link("/reset?token=");
    let path = link.strip_prefix(&site.url()).unwrap();
    let token = path.split_once("token=").unwrap().1;
    assert_eq!(site.browser().submit(path, "/reset", &[("token", token), ("password", OTHER)]).status, 303);
    let used = site.browser().get(path);
    assert_eq!((used.status, has_form(&used, "/reset")), (400, false));
    assert!(used.text().contains("Request a new link"));
}

#[test]
fn c8_c10_e8_a_sign_up_tells_what_is_wrong_where_the_code_went_and_starts_again() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut grace = site.browser();
    let fields = [("email", "grace@"), ("username", "ada-l"), ("password", "password-password")];
    let wrong = grace.submit("/signup", "/signup", &fields);
    assert_eq!(wrong.status, 400);
    for sentence in ["not a valid email address", "This username is taken", "too common"] {
        assert!(wrong.text().contains(sentence), "{sentence}: {}", wrong.text());
    }
    assert!(wrong.text().contains("value=\"grace@\"") && wrong.text().contains("value=\"ada-l\""));

    let typo = [("email", "grace@exmaple.org"), ("username", "grace-h"), ("password", PASSWORD)];
    assert_eq!(grace.submit("/signup", "/signup", &typo).location(), "/verify");
    assert!(grace.get("/verify").text().contains("grace@exmaple.org"));
    let resent = grace.submit("/verify", "/verify/resend", &[]);
    assert_eq!(resent.status, 429, "{}", resent.text());
    assert!(resent.text().contains("No new code was sent") && !resent.header("retry-after").is_empty());

    let restarted = grace.submit("/verify", "/verify/restart", &[]);
    assert_eq!((restarted.status, restarted.location()), (303, "/signup"));
    let right = [("email", "grace@example.org"), ("username", "grace-h"), ("password", PASSWORD)];
    assert_eq!(grace.submit("/signup", "/signup", &right).location(), "/verify");
    let code = site.mailbox().wait_for("grace@example.org", "code").code();
    assert!(
        !site.mailbox().wait_for("grace@example.org", "code").text.contains("grace-h"),
        "no text of an unproved person"
    );
    assert_eq!(grace.submit("/verify", "/verify", &[("code", &format!("{}-{}", &code[..3], &code[3..]))]).status, 303);
}

#[test]
fn d3_too_many_mails_are_told_as_429() {
    let site = Appliance::running();
    let ask = || site.browser().submit("/forgot", "/forgot", &[("email", "victim@example.org")]);
    let answers: Vec<u16> = (0..5).map(|_| ask().status).collect();
    assert_eq!(answers, [200, 200, 200, 200, 429]);
    let refused = ask();
    assert!(refused.text().contains("Several mails were sent to this address"), "{}", refused.text());
    assert!(!refused.header("retry-after").is_empty());
    let fields = [("email", "victim@example.org"), ("username", "victim"), ("password", PASSWORD)];
    assert_eq!(site.browser().submit("/signup", "/signup", &fields).status, 429);
}

#[test]
fn c18_c19_d8_browsers_find_the_page_for_passwords_a_way_back_and_files_without_cookies() {
    let site = Appliance::running_with_clock("");
    site.account("ada-l");
    let mut ada = site.browser();
    let found = ada.get("/.well-known/change-password");
    assert_eq!((found.status, found.location()), (303, "/settings/security#password-title"));
    assert!(ada.get("/signin").text().contains("autocomplete=\"username webauthn\""));
    let page = ada.get("/signin").text();
    let css = page.split('"').find(|part| part.starts_with("/assets/") && part.contains(".css")).unwrap();
    let file = site.browser().get(css);
    assert!(file.status == 200 && file.headers.iter().all(|(name, _)| name != "set-cookie"), "{css}");

    ada.sign_in("ada-l");
    let keys = ada.get("/settings/keys");
    site.set_ahead(11 * 60);
    let csrf = keys.forms()[0].hidden("csrf").unwrap().to_owned();
    let from = format!("{}/settings/keys?create=1", site.url());
    let form = [("csrf", csrf.as_str()), ("name", "ci"), ("scope", "models:read")];
    let asked = ada.call("POST", "/settings/keys").header("Referer", &from).form(&form).send();
    assert_eq!(asked.status, 403, "{}", asked.text());
    assert!(asked.text().contains("href=\"/settings/keys?create=1\" data-refill"), "{}", asked.text());
    let wrong = ada.submit_open(&asked, "/settings/keys", "/settings/keys", &[("proof_password", "wrong wrong wrong")]);
    assert_eq!(wrong.status, 403);
    assert!(wrong.text().contains("href=\"/settings/keys?create=1\" data-refill"), "after a wrong password too");
}
