//! `domicile mail test`, `list` and `retry`, with a real relay.

use serde_json::{Value, json};

use super::refused;
use crate::support::{Appliance, Certificate, PASSWORD, Relay, wait_for};

fn settings(relay: &Relay, url: &str, more: &str) -> String {
    let url = url.replace("PORT", &relay.port.to_string());
    format!("[mail]\ntransport = \"smtp\"\nfrom = \"Domicile <account@example.org>\"\nsmtp_url = \"{url}\"\n{more}\n")
}

fn ca_file(relay: &Relay) -> String {
    format!("ca_file = \"{}\"", relay.ca_file().display())
}

#[test]
fn a_test_mail_shows_the_dialogue_and_no_secret() {
    let relay = Relay::start("required", Certificate::Good, Some("hunter2"));
    let url = "smtp://domicile:hunter2@localhost:PORT?tls=required";
    // Before `init` too.
    let site = Appliance::configured(&settings(&relay, url, &ca_file(&relay)));

    let shown = site.run(&["mail", "test", "ada@example.org"]).ok();

    for line in [
        "> STARTTLS",
        "* TLS 1.3",
        "* certificate ",
        "issued by CN=Example Corp Root",
        "> AUTH PLAIN (name and password)",
        "< 235 ",
        "> MAIL FROM:<account@example.org>",
        "> RCPT TO:<ada@example.org>",
        "< 250 taken",
    ] {
        assert!(shown.contains(line), "{line} is not in:\n{shown}");
    }
    assert!(!shown.contains("hunter2") && !shown.contains("AGRvbWljaWxl"), "{shown}");
    assert!(relay.mails()[0].contains("Auto-Submitted: auto-generated"));
    let json: Value = serde_json::from_str(&site.run(&["mail", "test", "ada@example.org", "--json"]).ok()).unwrap();
    assert_eq!((json["sent"].as_bool(), json["failure"].is_null()), (Some(true), true));
}

#[test]
fn a_test_mail_that_fails_names_cause_and_cure() {
    let relay = Relay::start("implicit", Certificate::Good, Some("hunter2"));
    let site = Appliance::configured(&settings(&relay, "smtps://domicile:wrong@localhost:PORT", &ca_file(&relay)));
    let wrong = site.run(&["mail", "test", "ada@example.org"]);
    assert_eq!(wrong.status, 1, "{wrong:?}");
    for word in ["refused the name or the password (auth: 535)", "mail.smtp_url"] {
        assert!(wrong.stderr.contains(word), "{word} is not in: {}", wrong.stderr);
    }
    let json: Value = serde_json::from_str(&site.run(&["mail", "test", "a@example.org", "--json"]).stdout).unwrap();
    assert_eq!(json["failure"]["stage"], "auth");
    refused(&site, &["mail", "test", "nobody"], 2, &["e-mail address"]);
}

#[test]
fn the_authorities_of_the_system_are_trusted() {
    let relay = Relay::start("implicit", Certificate::Good, None);
    let site = Appliance::configured(&settings(&relay, "smtps://localhost:PORT", ""));
    let unknown = site.run(&["mail", "test", "ada@example.org"]);
    assert!(unknown.stderr.contains("issuer that is not trusted") && unknown.stderr.contains("ca_file"), "{unknown:?}");

    // In place of the files of the system, as the libraries of TLS know it.
    let mut command = site.command(&["mail", "test", "ada@example.org"]);
    command.env("SSL_CERT_FILE", relay.ca_file());

    assert_eq!(crate::support::finish(&mut command, "").status, 0);
    assert_eq!(relay.mails().len(), 1);
}

#[test]
fn check_says_which_tls_is_used_and_refuses_what_serve_refuses() {
    let relay = Relay::plain();
    let with = |url: &str, more: &str| Appliance::configured(&settings(&relay, url, more));
    let shown = with("smtp://127.0.0.1:PORT", "").run(&["check"]).ok();
    assert!(shown.contains("with STARTTLS if the relay offers it"), "{shown}");
    for (url, word) in [
        ("smtp://127.0.0.1:PORT?tls=requred", "?tls=required"),
        ("smtp://127.0.0.1:notaport", "there must be a port"),
        ("smtp://user:se/cret@127.0.0.1:PORT", "%2F"),
    ] {
        let site = with(url, "");
        for command in ["check", "serve"] {
            let output = refused(&site, &[command], 2, &["domicile.toml:", "mail.smtp_url", word]);
            assert!(!output.stderr.contains("cret"), "{output:?}");
        }
    }
    let site = with("smtps://localhost:PORT", "ca_file = \"/nowhere/ca.pem\"");
    refused(&site, &["check"], 2, &["/nowhere/ca.pem", "[mail]"]);
}

#[test]
fn what_waits_is_listed_and_sent_when_it_is_tried_again() {
    let mut relay = Relay::plain();
    relay.answer(json!({"mail": "530 5.7.0 sign in first"}));
    let mut site = Appliance::initialized_with(&settings(&relay, "smtp://127.0.0.1:PORT", ""));
    site.run(&["account", "invite", "--email", "ada@example.org"]).ok();
    site.start();
    let listed = wait_for("a failed attempt", || {
        let listed: Value = serde_json::from_str(&site.run(&["mail", "list", "--json"]).ok()).unwrap();
        (!listed["mails"][0]["failure"].is_null()).then_some(listed)
    });
    let mail = &listed["mails"][0];
    assert_eq!((mail["to"].as_str(), mail["failure"]["code"].as_u64()), (Some("ada@example.org"), Some(530)));
    let text = site.run(&["mail", "list"]).ok();
    assert!(text.contains("ada@example.org") && text.contains("(sender: 530)"), "{text}");
    let log = site.log();
    assert!(log.contains("stage=sender") && log.contains("code=530") && !log.contains("ada@example.org"), "{log}");

    let refused = site.run(&["mail", "retry"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (1, "0 sent, 0 given up, 1 waiting\n"));
    relay.answer(json!({}));
    assert_eq!(site.run(&["mail", "retry"]).ok(), "1 sent, 0 given up, 0 waiting");

    assert_eq!(relay.mails().len(), 1);
    assert!(site.run(&["mail", "list"]).stderr.contains("No mail waits"));
}

#[test]
fn a_site_without_mail_does_not_promise_any() {
    let site = Appliance::running_with("[mail]\ntransport = \"log\"\n");
    let invited = site.run(&["account", "invite", "--email", "ada@example.org"]);
    assert!(invited.stderr.contains("not mailed") && invited.stderr.contains("--print-link"), "{invited:?}");
    let stopped = Appliance::configured("[mail]\ntransport = \"log\"\n");
    refused(&stopped, &["mail", "test", "ada@example.org"], 1, &["mail.transport is \"log\""]);
    let mut browser = site.browser();
    let forgot = browser.get("/forgot");
    assert!(forgot.text().contains("does not send email yet"), "{}", forgot.text());
    let sent = browser.submit("/forgot", "/forgot", &[("email", "ada@example.org")]);
    assert!(!sent.text().contains("we sent a link"), "{}", sent.text());
}

#[test]
fn operators_see_on_their_pages_that_mail_waits() {
    let mut relay = Relay::plain();
    relay.answer(json!({"mail": "530 5.7.0 sign in first"}));
    let mut site = Appliance::initialized_with_clock();
    let smtp = format!("transport = \"smtp\"\nsmtp_url = \"smtp://127.0.0.1:{}\"", relay.port);
    site.reconfigure("transport = \"directory\"", &smtp);
    for (name, more) in [("grace-h", Some("--operator")), ("ada-l", None)] {
        let email = format!("{name}@example.org");
        let create = ["account", "create", "--email", &email, "--username", name, "--password-stdin", "--verified"];
        let create: Vec<_> = create.into_iter().chain(more).collect();
        site.run_with_input(&create, PASSWORD).ok();
    }
    site.start();
    site.run(&["account", "invite", "--email", "eve@example.org"]).ok();
    wait_for("a failed attempt", || site.run(&["mail", "list"]).ok().contains("(sender: 530)").then_some(()));
    let shown = |name: &str| {
        let mut browser = site.browser();
        browser.sign_in(name);
        // Operators must set up a second factor first, on this page.
        browser.get("/settings/security").text().to_owned()
    };
    assert!(!shown("grace-h").contains("domicile mail list"));

    site.set_ahead(11 * 60);

    // The server follows the clock within a second.
    let page = wait_for("the notice", || Some(shown("grace-h")).filter(|page| page.contains("domicile mail list")));
    assert!(page.contains("wants a sign-in or TLS first (sender: 530)"), "{page}");
    assert!(!shown("ada-l").contains("domicile mail list"), "other people do not see it");
}
