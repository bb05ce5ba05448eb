//! S1 to S4 over HTTP: cookies are renewed and invalidated when they must be; and "this was not me".

use crate::support::{Answer, Appliance, Browser, PASSWORD};

const NEW: &str = "a quieter walk by the river";
const SESSION: &str = "domicile-session";
const DAY: u64 = 24 * 3600;

fn is_in(browser: &Browser) -> bool {
    browser.clone().get("/settings/profile").status == 200
}

fn signed_in(site: &Appliance, name: &str) -> Browser {
    let mut browser = site.browser();
    browser.sign_in(name);
    browser
}

/// A browser with only this session cookie, as a thief has it.
fn browser_with(site: &Appliance, cookie: &str) -> Browser {
    let mut browser = site.browser();
    browser.cookies.insert(SESSION.into(), cookie.into());
    browser
}

/// Follows the redirect after the end of a session. Returns the text of the sign-in page.
fn sign_in_page_after_the_end(browser: &mut Browser) -> String {
    let redirect = browser.get("/settings/keys?create=1");
    assert_eq!((redirect.status, redirect.location()), (303, "/signin?next=/settings/keys?create=1"));
    browser.get("/signin?next=/settings/keys?create=1").text()
}

/// Submits a page that asks for a proof, with the password.
fn prove(browser: &mut Browser, page: &Answer, action: &str) -> Answer {
    let mut fields = page.fields();
    fields.push(("proof_password".into(), PASSWORD.into()));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(action, &fields)
}

#[test]
fn s1_a_cookie_from_before_the_sign_in_is_never_valid() {
    let site = Appliance::running();
    site.account("ada-l");
    for planted in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x", ""] {
        let mut ada = browser_with(&site, planted);
        // An attacker could have planted every cookie from before the sign-in, also the one of the visit.
        ada.get("/signin");
        let before = ada.clone();

        ada.sign_in("ada-l");

        assert!(is_in(&ada));
        assert!(ada.cookies[SESSION].len() >= 43 && ada.cookies[SESSION] != planted, "256 bits in base64url");
        assert!(!is_in(&before), "{planted:?} became valid");
        let visit = before.cookies.get("domicile-visit").cloned().unwrap_or_default();
        assert!(!is_in(&browser_with(&site, &visit)));
    }
}

#[test]
fn s1_another_sign_in_ends_the_session_of_its_browser_and_of_no_other() {
    let site = Appliance::running();
    site.account("ada-l");
    site.account("grace-h");
    let elsewhere = signed_in(&site, "ada-l");
    let mut laptop = signed_in(&site, "ada-l");
    let first = laptop.clone();
    let form =
        |csrf: &str, name: &str| [("csrf", csrf.to_owned()), ("name", name.into()), ("password", PASSWORD.into())];
    let again = |laptop: &mut Browser, name: &str| {
        let csrf = laptop.get("/settings/profile").value_of("name=\"csrf\"");
        let fields = form(&csrf, name);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        laptop.post("/signin", &fields)
    };

    assert_eq!(again(&mut laptop, "nobody-here").status, 401);
    assert!(is_in(&first), "a wrong password does not end the session");
    assert_eq!(again(&mut laptop, "ada-l").status, 303);
    let second = laptop.clone();
    assert_eq!(again(&mut laptop, "grace-h").status, 303);

    assert!(is_in(&laptop) && is_in(&elsewhere));
    assert!(!is_in(&first) && !is_in(&second));
}

#[test]
fn s1_a_cookie_is_new_every_day_and_an_old_one_ends_the_session() {
    let site = Appliance::running_with_clock("");
    site.account("ada-l");
    let mut ada = site.browser();
    ada.submit("/signin", "/signin", &[("name", "ada-l"), ("password", PASSWORD), ("remember", "yes")]);
    let mut old = ada.clone();
    site.set_ahead(DAY - 30);
    ada.get("/settings/profile");
    assert_eq!(ada.cookies[SESSION], old.cookies[SESSION], "it is not old enough");

    site.set_ahead(DAY + 5);
    let kept = ada.get("/settings/profile");
    let sent = ada.set_cookies.last().unwrap();
    assert!(sent.starts_with(SESSION) && sent.contains("Max-Age=2505"), "29 days are left: {sent}");
    assert_ne!(ada.cookies[SESSION], old.cookies[SESSION]);
    let form =
        [("csrf", kept.value_of("name=\"csrf\"")), ("theme", "dark".into()), ("back", "/settings/profile".into())];
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(ada.post("/theme", &form).status, 303, "the form of the page that came with the new cookie is valid");
    assert_eq!(old.get("/settings/profile").status, 200, "a request that was under way");
    assert_eq!(old.cookies[SESSION], browser_with(&site, &old.cookies[SESSION]).cookies[SESSION]);

    site.set_ahead(DAY + 5 + 90);
    assert!(is_in(&ada));
    assert!(sign_in_page_after_the_end(&mut old).contains("your session was ended"));
    assert!(
        sign_in_page_after_the_end(&mut ada).contains("your session was ended"),
        "one of the two holders is a thief"
    );
    let activity = signed_in(&site, "ada-l").get("/activity").text();
    let shown = "Session ended: its cookie was copied</strong> <span class=\"tag bad\">Denied</span>";
    assert!(activity.contains(shown), "{activity}");
}

#[test]
fn s2_every_cookie_is_for_this_host_only_and_not_for_scripts() {
    let mut site = Appliance::initialized_with_clock();
    site.reconfigure(&format!("\"http://localhost:{}\"", site.port), "\"https://site.example.org\"");
    site.start();
    cookies_are_safe(&site, "__Host-", &["Path=/", "Secure", "HttpOnly"]);
}

/// WebKit keeps no `Secure` cookie over http, and no browser keeps one that begins with `__Host-` and is not `Secure`.
#[test]
fn s2_where_the_site_is_http_cookies_have_plain_names() {
    let site = Appliance::running_with_clock("");
    cookies_are_safe(&site, "domicile-", &["Path=/", "HttpOnly"]);
}

/// Visits every kind of page and form that sets cookies.
fn cookies_are_safe(site: &Appliance, prefix: &str, always: &[&str]) {
    let mut ada = site.browser();
    ada.sign_up(&site.mailbox(), "ada-l");
    ada.submit("/settings/profile", "/theme", &[("theme", "dark"), ("back", "/settings/profile")]);
    ada.submit("/settings/profile", "/settings/profile", &[("display_name", "Ada")]);
    site.set_ahead(601);
    let asked = ada.get("/step-up?next=/settings/keys");
    assert_eq!(prove(&mut ada, &asked, "/step-up").status, 303);
    ada.submit("/settings/security", "/settings/security/password", &[("password", NEW)]);
    ada.submit("/settings/profile", "/signout", &[]);
    ada.submit("/signin", "/signin", &[("name", "ada-l"), ("password", NEW), ("remember", "yes")]);
    site.set_ahead(601 + DAY);
    ada.get("/settings/profile");
    site.set_ahead(601 + 40 * DAY);
    ada.get("/settings/profile");
    ada.get("/signin");
    ada.submit("/forgot", "/forgot", &[("email", "ada-l@example.org")]);
    let link = site.mailbox().wait_for("ada-l@example.org", "Set your password").link("/reset");
    let (_, path) = link.split_once("/reset").unwrap();
    let token = path.split_once("token=").unwrap().1;
    let set = ada.submit(&format!("/reset{path}"), "/reset", &[("token", token), ("password", PASSWORD)]);
    assert_eq!(set.status, 303, "{}", set.text());
    ada.get("/nothing/here");

    let mut names = std::collections::BTreeSet::new();
    for set in &ada.set_cookies {
        let mut parts = set.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attributes: Vec<_> = parts.collect();
        assert!(name.starts_with(prefix), "{set}");
        assert_eq!(attributes.contains(&"Secure"), always.contains(&"Secure"), "{set}");
        for needed in always {
            assert!(attributes.contains(needed), "{set} lacks {needed}");
        }
        assert!(attributes.contains(&"SameSite=Lax") || attributes.contains(&"SameSite=Strict"), "{set}");
        assert!(!attributes.iter().any(|attribute| attribute.to_lowercase().starts_with("domain")), "{set}");
        let age = attributes.iter().find_map(|attribute| attribute.strip_prefix("Max-Age="));
        assert!(age.is_none_or(|age| age.parse::<u64>().unwrap() <= 400 * DAY), "{set}");
        assert!(!value.contains(' ') && !value.contains('"'), "{set}");
        names.insert(name);
    }
    let known = ["device", "flash", "pending", "session", "theme", "visit"].map(|name| format!("{prefix}{name}"));
    assert!(known.iter().all(|name| names.contains(name.as_str())), "only these were set: {names:?}");
}

#[test]
fn s3_a_query_for_the_remaining_time_does_not_extend_a_session_and_the_button_does() {
    let site = Appliance::running_with_clock("[session]\nidle_timeout = \"30m\"\nabsolute_timeout = \"1h\"\n");
    site.account("ada-l");
    let mut ada = signed_in(&site, "ada-l");
    let left = |ada: &mut Browser| {
        let answer = ada.get("/session/left").json();
        (answer["seconds"].as_u64().unwrap(), answer["final"].as_bool().unwrap())
    };
    let (seconds, is_final) = left(&mut ada);
    assert!((1700..=1800).contains(&seconds) && !is_final, "{seconds}");
    site.set_ahead(1740);
    let (seconds, _) = left(&mut ada);
    assert!(seconds <= 60, "{seconds}");
    let csrf = ada.get("/settings/profile").value_of("name=\"csrf\"");

    // That page counted as use; the button counts too.
    site.set_ahead(1740 + 1700);
    let (seconds, is_final) = left(&mut ada);
    assert!(seconds <= 100 && !is_final, "{seconds}");
    assert_eq!(ada.post("/session/stay", &[("csrf", &csrf)]).status, 204);
    let (seconds, is_final) = left(&mut ada);
    assert!((101..=160).contains(&seconds) && is_final, "the session ends after an hour, whatever its use: {seconds}");

    site.set_ahead(3605);
    let gone = ada.get("/session/left");
    assert_eq!((gone.status, gone.location()), (303, "/signin?next=/session/left"));
    assert!(sign_in_page_after_the_end(&mut ada).contains("its maximum length"));
}

#[test]
fn s3_a_person_who_returns_too_late_is_told_why_and_redirected_to_the_page_they_wanted() {
    let site = Appliance::running_with_clock("");
    site.account("ada-l");
    let mut ada = signed_in(&site, "ada-l");
    site.set_ahead(1795);
    assert_eq!(ada.get("/session/left").status, 200, "it does not count as use");
    site.set_ahead(1805);

    assert!(sign_in_page_after_the_end(&mut ada).contains("because you were inactive for a while"));

    let back = ada.submit(
        "/signin?next=/settings/keys?create=1",
        "/signin",
        &[("name", "ada-l"), ("password", PASSWORD), ("next", "/settings/keys?create=1")],
    );
    assert_eq!((back.status, back.location()), (303, "/settings/keys?create=1"));
}

#[test]
fn s4_every_cookie_is_invalid_after_sign_out_end_change_reset_suspension_or_deletion() {
    let site = Appliance::running();
    // The answer to a gateway about a captured cookie.
    let replay = |browser: &Browser| {
        let cookie = format!("{SESSION}={}", browser.cookies[SESSION]);
        site.call("GET", "/v1/forward-auth").header("Cookie", &cookie).send().status
    };
    type End = fn(&Appliance, &mut Browser, &str);
    let ends: [(&str, End); 6] = [
        ("signed-out", |_, laptop, _| {
            laptop.submit("/settings/profile", "/signout", &[]);
        }),
        ("ended", |_, laptop, _| {
            laptop.submit("/settings/security", "/settings/security/sessions/end-others", &[]);
        }),
        ("changed", |_, laptop, _| {
            laptop.submit("/settings/security", "/settings/security/password", &[("password", NEW)]);
        }),
        ("reset", |site, _, name| {
            let mut anonymous = site.browser();
            let email = format!("{name}@example.org");
            anonymous.submit("/forgot", "/forgot", &[("email", &email)]);
            let link = site.mailbox().wait_for(&email, "Set your password").link("/reset");
            let token = link.rsplit('=').next().unwrap();
            anonymous.submit(&format!("/reset?token={token}"), "/reset", &[("token", token), ("password", NEW)]);
        }),
        ("stopped", |site, _, name| {
            site.run(&["account", "suspend", name]).ok();
        }),
        ("deleted", |_, laptop, _| {
            let form = [("confirm", "DELETE"), ("password", PASSWORD)];
            laptop.submit("/settings/privacy/delete", "/settings/privacy/delete", &form);
        }),
    ];

    for (what, end) in ends {
        let name = format!("ada-{what}");
        site.account(&name);
        let (mut laptop, phone) = (signed_in(&site, &name), signed_in(&site, &name));
        let captured = laptop.clone();
        assert_eq!((replay(&captured), replay(&phone)), (200, 200), "{what}");

        end(&site, &mut laptop, &name);

        let expected = match what {
            "signed-out" => (401, 200),
            "ended" => (200, 401),
            _ => (401, 401),
        };
        assert_eq!((replay(&captured), replay(&phone)), expected, "{what}");
        assert!(what != "changed" || replay(&laptop) == 200, "the session of the change continues with a new cookie");
    }
}

#[test]
fn one_click_in_the_mail_about_a_new_device_closes_the_account_without_signing_in() {
    let site = Appliance::running();
    site.account("ada-l");
    let home = signed_in(&site, "ada-l");
    let key = site.api_key("ada-l", &["read"]);
    let ask = || site.call("GET", "/v1/forward-auth").bearer(&key).send().status;
    let mut thief = site.browser();
    thief.sign_in("ada-l");
    let link = site.mailbox().wait_for("ada-l@example.org", "A new device signed in").link("/not-me");
    let path = link.strip_prefix(&site.url()).unwrap();
    let token = path.split_once("token=").unwrap().1;

    // Mail scanners follow links.
    let before = site.content();
    for _ in 0..2 {
        let shown = site.browser().get(path);
        assert_eq!(shown.status, 200);
        assert!(shown.text().contains("Firefox on Linux") && shown.text().contains("127.0.0.1"), "{}", shown.text());
        assert_eq!(shown.header("referrer-policy"), "same-origin");
    }
    assert_eq!(site.content(), before, "opening the page changes nothing");
    assert!(ask() == 200 && is_in(&thief) && is_in(&home));

    let done = site.browser().submit(path, "/not-me", &[("token", token)]);

    assert!(done.status == 200 && done.text().contains("Your account is locked"), "{}", done.text());
    assert!(ask() == 401 && !is_in(&thief) && !is_in(&home));
    let attempt = |password: &str| {
        site.browser().submit("/signin", "/signin", &[("name", "ada-l"), ("password", password)]).status
    };
    assert_eq!(attempt(PASSWORD), 401);
    let again = site.browser().get(path);
    assert!(again.status == 400 && again.text().contains("This link is no longer valid"));
    let again = site.browser().submit_unlisted("/signin", "/not-me", &[("token", token)]);
    assert!(again.status == 400 && again.text().contains("This link is no longer valid"));
    let link = site.mailbox().wait_for("ada-l@example.org", "Set your password").link("/reset");
    let reset = link.rsplit('=').next().unwrap();
    let mut own = site.browser();
    own.submit(&format!("/reset?token={reset}"), "/reset", &[("token", reset), ("password", NEW)]);
    assert_eq!((ask(), attempt(NEW), attempt(PASSWORD)), (200, 303, 401));
    site.mailbox().wait_for("ada-l@example.org", "API keys work again");
}

#[test]
fn s4_an_operator_can_list_and_end_the_sessions_of_a_person() {
    let site = Appliance::running();
    site.account("ada-l");
    site.account("grace-h");
    let (laptop, phone) = (signed_in(&site, "ada-l"), signed_in(&site, "ada-l"));
    let graces = signed_in(&site, "grace-h");
    let listed = |name: &str| -> Vec<serde_json::Value> {
        let output = site.run(&["account", "sessions", name, "--json"]).ok();
        let output: serde_json::Value = serde_json::from_str(&output).unwrap();
        output["sessions"].as_array().unwrap().clone()
    };
    let both = listed("ada-l");
    assert_eq!(both.len(), 2);
    assert_eq!(
        (&both[0]["device"], &both[0]["address"], &both[0]["method"]),
        (&"Firefox on Linux".into(), &"127.0.0.1".into(), &"password".into())
    );
    let one = both[0]["id"].as_str().unwrap().to_owned();

    assert_eq!(
        site.run(&["account", "sessions", "grace-h", "--end", &one]).status,
        1,
        "it is the session of another person"
    );
    assert_eq!(site.run(&["account", "sessions", "ada-l", "--end", "nonsense"]).status, 1);
    assert!(is_in(&laptop) && is_in(&phone));
    assert_eq!(site.run(&["account", "sessions", "ada-l", "--end", &one]).ok(), one);

    assert_eq!(u8::from(is_in(&laptop)) + u8::from(is_in(&phone)), 1);
    assert_eq!(listed("ada-l").len(), 1);
    assert_eq!(site.run(&["account", "sessions", "ada-l", "--end-all"]).ok(), "1");
    assert!(!is_in(&laptop) && !is_in(&phone) && is_in(&graces));
    assert_eq!(site.run(&["account", "sessions", "ada-l"]).ok(), "");
}
