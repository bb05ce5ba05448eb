//! The Security page: sessions, and a new password.

use crate::support::{Appliance, Browser, PASSWORD};

const NEW: &str = "a quieter walk by the river";

/// Two signed-in browsers of one person.
fn two(site: &Appliance) -> (Browser, Browser) {
    site.account("ada-l");
    let (mut laptop, mut phone) = (site.browser(), site.browser());
    laptop.sign_in("ada-l");
    phone.sign_in("ada-l");
    (laptop, phone)
}

fn is_in(browser: &Browser) -> bool {
    browser.clone().get("/settings/profile").status == 200
}

/// The path that ends the first other session in the list.
fn path_to_end(browser: &mut Browser) -> String {
    let page = browser.get("/settings/security").text();
    let (_, rest) = page.split_once("action=\"/settings/security/sessions/ses_").expect("another session is listed");
    format!("/settings/security/sessions/ses_{}", rest.split('"').next().unwrap())
}

#[test]
fn s4_a_session_that_is_ended_in_the_list_is_refused_at_once() {
    let site = Appliance::running();
    let (mut laptop, phone) = two(&site);
    let listed = laptop.get("/settings/security").text();
    assert_eq!(listed.matches("Firefox on Linux</strong>").count(), 2, "{listed}");
    assert_eq!(listed.matches(">This device<").count(), 1);

    let path = path_to_end(&mut laptop);
    let answer = laptop.submit("/settings/security", &path, &[]);

    assert_eq!((answer.status, answer.location()), (303, "/settings/security#sessions-card"));
    assert!(is_in(&laptop) && !is_in(&phone));
    assert_eq!(laptop.submit_unlisted("/settings/security", &path, &[]).status, 404, "it has ended");
}

#[test]
fn s4_sign_out_everywhere_else_keeps_this_session() {
    let site = Appliance::running();
    let (mut laptop, phone) = two(&site);

    laptop.submit("/settings/security", "/settings/security/sessions/end-others", &[]);

    assert!(is_in(&laptop) && !is_in(&phone));
    assert!(!laptop.get("/settings/security").text().contains("Sign out everywhere else"));
}

#[test]
fn the_session_of_another_person_is_not_found() {
    let site = Appliance::running();
    let (mut laptop, phone) = two(&site);
    let path = path_to_end(&mut laptop);
    site.account("grace-h");
    let mut grace = site.browser();
    grace.sign_in("grace-h");

    assert_eq!(grace.submit_unlisted("/settings/security", &path, &[]).status, 404);
    assert!(is_in(&laptop) && is_in(&phone));
}

#[test]
fn row_75_a_new_password_ends_the_other_sessions_and_sends_a_mail() {
    let site = Appliance::running();
    let (mut laptop, phone) = two(&site);
    let change = |browser: &mut Browser, password: &str| {
        browser.submit("/settings/security", "/settings/security/password", &[("password", password)])
    };
    assert_eq!(change(&mut laptop, "password-password").status, 400);
    assert!(is_in(&phone), "a refusal changes nothing");

    let changed = change(&mut laptop, NEW);

    assert_eq!(changed.status, 303, "{}", changed.text());
    assert!(is_in(&laptop) && !is_in(&phone));
    site.mailbox().wait_for("ada-l@example.org", "password was changed");
    let attempt = |password: &str| {
        site.browser().submit("/signin", "/signin", &[("name", "ada-l"), ("password", password)]).status
    };
    assert_eq!((attempt(PASSWORD), attempt(NEW)), (401, 303));
}

#[test]
fn row_75_a_suspended_person_is_signed_out_at_once_and_can_return() {
    let site = Appliance::running();
    let (laptop, _) = two(&site);
    let key = site.api_key("ada-l", &["read"]);
    let ask = || site.call("GET", "/v1/forward-auth").bearer(&key).send().status;
    let attempt = || site.browser().submit("/signin", "/signin", &[("name", "ada-l"), ("password", PASSWORD)]).status;
    assert_eq!(ask(), 200);

    site.run(&["account", "suspend", "ada-l", "--reason", "left the project"]).ok();
    assert_eq!((ask(), is_in(&laptop), attempt()), (401, false, 401));
    let shown: serde_json::Value =
        serde_json::from_str(&site.run(&["account", "show", "ada-l", "--json"]).ok()).unwrap();
    assert_eq!(shown["state"], "suspended");

    site.run(&["account", "reactivate", "ada-l"]).ok();
    assert_eq!((ask(), is_in(&laptop), attempt()), (200, false, 303), "the old session stays ended");
    site.mailbox().wait_for("ada-l@example.org", "suspended");
    site.mailbox().wait_for("ada-l@example.org", "active again");
}

#[test]
fn s3_a_remembered_session_stays_remembered_after_a_step_up() {
    let site = Appliance::running_with_clock("");
    site.account("ada-l");
    let mut ada = site.browser();
    ada.submit("/signin", "/signin", &[("name", "ada-l"), ("password", PASSWORD), ("remember", "yes")]);
    site.set_ahead(601);
    let asked = ada.get("/step-up?next=/settings/keys");
    let mut fields = asked.fields();
    fields.push(("proof_password".into(), PASSWORD.into()));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();

    let proved = ada.post("/step-up", &fields);

    assert_eq!((proved.status, proved.location()), (303, "/settings/keys"));
    let days = 24 * 3600;
    let kept: u64 =
        proved.header("set-cookie").split("Max-Age=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    assert!((29 * days..30 * days).contains(&kept), "{kept}");
}

#[test]
fn s3_a_session_ends_after_its_idle_time_and_not_before() {
    let site = Appliance::running_with_clock("[session]\nidle_timeout = \"30m\"\nabsolute_timeout = \"1h\"\n");
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");

    site.set_ahead(1790);
    assert_eq!(ada.get("/settings/profile").status, 200, "used before the idle end");
    site.set_ahead(1790 + 1790);
    assert_eq!(ada.get("/settings/profile").status, 200, "and used again");
    site.set_ahead(3605);
    assert_eq!(ada.get("/settings/profile").status, 303, "the absolute end comes in spite of activity");

    site.set_ahead(7000);
    ada.sign_in("ada-l");
    site.set_ahead(7000 + 1805);
    assert_eq!(ada.get("/settings/profile").status, 303, "the idle end");
}
