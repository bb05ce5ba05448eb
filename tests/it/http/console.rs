//! The operator console: who may use it, and for how long.

use domicile::server::ROUTES;

use crate::support::{Answer, Appliance, Browser, PASSWORD, oath_code};

/// An operator with an authenticator app, and the secret of the app.
fn operator(site: &Appliance) -> (Browser, String) {
    site.operator("olga-o")
}

fn person(site: &Appliance) -> Browser {
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    ada
}

/// A page without what differs in every answer.
fn comparable(answer: &Answer, path: &str) -> (u16, String, String) {
    let text = answer.text().replace(answer.header("x-request-id"), "REQUEST").replace(path, "PATH");
    (answer.status, answer.header("content-type").to_owned(), text)
}

#[test]
fn the_console_does_not_exist_for_other_persons() {
    let site = Appliance::running();
    let mut ada = person(&site);
    let csrf = ada.get("/settings/profile").value_of("name=\"csrf\"");
    let mut paths: Vec<_> = ROUTES.iter().filter(|route| route.access.is_console()).map(|route| route.path).collect();
    paths.dedup();
    assert!(paths.contains(&"/admin"));

    for path in paths {
        let path = path.replace("{id}", "svc_00000000000000000000000000");
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
            let send = |path: &str| {
                let call = ada.call(method, path).header("Sec-Fetch-Site", "same-origin");
                if method == "POST" { call.form(&[("csrf", csrf.as_str())]).send() } else { call.send() }
            };
            let (found, unknown) = (send(&path), send("/adminx/nothing"));
            assert_eq!(comparable(&found, &path), comparable(&unknown, "/adminx/nothing"), "{method} {path}");
            assert_eq!((found.status, found.header("allow")), (404, ""), "{method} {path}");
        }
    }
    let profile = ada.get("/settings/profile").text();
    assert!(!profile.contains("/admin") && !profile.contains("Operator"), "{profile}");
}

#[test]
fn an_operator_signs_in_and_returns_to_the_console_which_leads_back_to_the_account() {
    let site = Appliance::running();
    let (mut olga, secret) = operator(&site);
    let home = olga.get("/settings/profile").text();
    assert!(home.contains("<p class=\"group\">Operator</p>") && home.contains("href=\"/admin/services\""), "{home}");
    let console = olga.get("/admin").text();
    assert!(console.contains("Needs attention") && console.contains("href=\"/settings/profile\""), "{console}");
    assert!(console.contains("href=\"/admin\" aria-current=\"page\""), "{console}");
    assert!(console.contains("The keyring has not been exported"), "{console}");
    site.run(&["keyring", "export", "--waive", "a test"]).ok();
    let console = olga.get("/admin").text();
    assert!(console.contains("All is well") && console.contains("Not exported, as decided"), "{console}");

    let mut elsewhere = site.browser();
    let refused = elsewhere.get("/admin/services");
    assert_eq!((refused.status, refused.location()), (303, "/signin?next=/admin/services"));
    let first = elsewhere.submit(
        "/signin?next=/admin/services",
        "/signin",
        &[("name", "olga-o"), ("password", PASSWORD), ("next", "/admin/services")],
    );
    let later = domicile::base::Clock::system().now().unix_seconds() + 30;
    let factor = elsewhere.submit(first.location(), "/signin/factor", &[("code", &oath_code(&secret, later))]);
    assert_eq!((factor.status, factor.location()), (303, "/admin/services"), "{}", factor.text());
    assert!(elsewhere.follow(&factor).text().contains("No services yet"));
}

#[test]
fn an_operator_without_a_second_factor_is_led_to_set_one_up() {
    let site = Appliance::running();
    let mut olga = site.operator_without_factor("olga-o");

    let refused = olga.get("/admin");
    assert_eq!((refused.status, refused.location()), (303, "/settings/security"));
    let page = olga.follow(&refused).text();
    assert!(page.contains("You are an operator of this site") && page.contains("the operator console"), "{page}");
}

#[test]
fn the_console_asks_for_a_proof_after_a_pause_and_the_account_does_not() {
    let site = Appliance::running_with_clock("");
    let (mut olga, secret) = operator(&site);
    let minutes = |count: u64| count * 60;

    for used in [14, 28, 42] {
        site.set_ahead(minutes(used));
        assert_eq!(olga.get("/admin").status, 200, "it is used, minute {used}");
    }
    site.set_ahead(minutes(50));
    assert_eq!(olga.get("/settings/profile").status, 200);
    site.set_ahead(minutes(57) + 2);
    let asked = olga.get("/admin/services");
    assert_eq!(asked.status, 403, "15 minutes and a bit after the last use: the account pages do not count");
    assert!(asked.text().contains("To open the operator console, confirm that"), "{}", asked.text());
    assert!(asked.text().contains("when you have not used it for 15 minutes"), "{}", asked.text());
    assert_eq!(olga.get("/admin").status, 403, "asking does not count as use");
    assert_eq!(olga.get("/settings/security").status, 200, "the account does not ask");

    let prove = |olga: &mut Browser, code: &str| {
        olga.submit_open(&asked, "/admin/services", "/step-up", &[("proof_code", code)])
    };
    assert_eq!(prove(&mut olga, "000000").status, 403);
    assert_eq!(olga.get("/admin").status, 403);
    let now = domicile::base::Clock::system().now().unix_seconds() + 57 * 60 + 2;
    let proved = prove(&mut olga, &oath_code(&secret, now));
    assert_eq!((proved.status, proved.location()), (303, "/admin/services"), "{}", proved.text());
    assert_eq!(olga.get("/admin").status, 200);
    assert_eq!(olga.get("/admin/services").status, 200);
}
