//! Passwords over HTTP: the meter, the length limit, reset links, and invitations from the command line to the page.

use crate::support::{Appliance, Browser, PASSWORD};

const NEW: &str = "a quieter walk by the river";

fn path_of(site: &Appliance, link: &str) -> String {
    link.strip_prefix(&site.url()).unwrap_or_else(|| panic!("{link} leads elsewhere")).to_owned()
}

fn ask_for_reset(site: &Appliance, email: &str) {
    let asked = site.browser().submit("/forgot", "/forgot", &[("email", email)]);
    assert!(asked.text().contains("we sent a link to it"), "{}", asked.text());
}

/// The newest reset link to the address that is not among `known`.
fn reset_link(site: &Appliance, email: &str, known: &[&str]) -> String {
    crate::support::wait_for("a new reset link", || {
        let messages = site.mailbox().messages().into_iter();
        let mut links = messages
            .filter(|message| message.to.contains(email) && message.subject.contains("Set your password"))
            .map(|message| path_of(site, &message.link("/reset?token=")));
        links.find(|link| !known.contains(&link.as_str()))
    })
}

fn set(browser: &mut Browser, link: &str, password: &str) -> crate::support::Answer {
    let token = link.split_once("token=").unwrap().1.to_owned();
    browser.submit(link, "/reset", &[("token", &token), ("password", password)])
}

fn is_in(browser: &Browser) -> bool {
    browser.clone().get("/settings/profile").status == 200
}

#[test]
fn p9_a_reset_link_works_once_within_30_minutes_ends_every_session_and_sends_a_mail() {
    let site = Appliance::running_with_clock("");
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    ask_for_reset(&site, "ada-l@example.org");
    let late = reset_link(&site, "ada-l@example.org", &[]);

    site.set_ahead(31 * 60);
    assert_eq!(site.browser().get(&late).status, 400, "refused before anything is typed");
    let attempt = |password: &str| {
        site.browser().submit("/signin", "/signin", &[("name", "ada-l"), ("password", password)]).status
    };
    assert_eq!((attempt(PASSWORD), attempt(NEW)), (303, 401), "a refusal changes nothing");

    ask_for_reset(&site, "ada-l@example.org");
    let link = reset_link(&site, "ada-l@example.org", &[&late]);
    ada.sign_in("ada-l");
    let weak = set(&mut site.browser(), &link, "password-password");
    assert_eq!(weak.status, 400);
    assert!(weak.text().contains("is too common"), "{}", weak.text());
    let answer = set(&mut site.browser(), &link, NEW);

    assert_eq!((answer.status, answer.location()), (303, "/signin"), "{}", answer.text());
    assert!(!is_in(&ada));
    assert_eq!((attempt(PASSWORD), attempt(NEW)), (401, 303));
    assert_eq!(site.browser().get(&link).status, 400, "twice");
    let message = site.mailbox().wait_for("ada-l@example.org", "Your password was changed");
    assert!(message.text.contains("Network address: 127.0.0.1"), "{message:?}");
}

#[test]
fn p2_a_password_of_a_megabyte_is_refused_at_once() {
    let site = Appliance::running();
    let megabyte = "several words in a row, ".repeat(1 << 16);
    let longer = "several words in a row, ".chars().cycle().take(1025).collect::<String>();
    let sign_up = |password: &str| {
        let fields = [("email", "ada@example.org"), ("username", "ada-l"), ("password", password)];
        site.browser().submit("/signup", "/signup", &fields)
    };

    assert_eq!(sign_up(&megabyte).status, 413);
    let refused = sign_up(&longer);
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("at most 1,024 bytes"), "{}", refused.text());
    assert_eq!(site.run(&["account", "show", "ada-l"]).status, 1);
    assert_eq!(sign_up(&longer[..1024]).status, 303);
    for (password, status) in [(longer.as_str(), 401), (&megabyte, 413), (&longer[..1024], 303)] {
        let answer = site.browser().submit("/signin", "/signin", &[("name", "ada-l"), ("password", password)]);
        assert_eq!(answer.status, status, "{} bytes", password.len());
    }
}

#[test]
fn p3_password_fields_have_the_attributes_for_password_managers() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let field = |page: String, attribute: &str| {
        let found = page.split('<').find(|tag| tag.starts_with("input") && tag.contains(attribute)).map(str::to_owned);
        found.unwrap_or_else(|| panic!("no field with {attribute} in {page}"))
    };

    ask_for_reset(&site, "ada-l@example.org");
    let link = reset_link(&site, "ada-l@example.org", &[]);
    for path in ["/signup", link.as_str(), "/settings/security"] {
        let tag = field(ada.get(path).text(), "name=\"password\"");
        assert!(tag.contains("autocomplete=\"new-password\"") && !tag.contains("maxlength"), "{path}: {tag}");
    }
    let tag = field(site.browser().get("/signin").text(), "name=\"password\"");
    assert!(tag.contains("autocomplete=\"current-password\"") && !tag.contains("maxlength"), "{tag}");
}

#[test]
fn the_meter_agrees_with_the_form_and_answers_only_our_own_pages() {
    let site = Appliance::running();
    let mut visitor = site.browser();
    let csrf = visitor.get("/signup").value_of("name=\"csrf\"");
    let mut rate = |password: &str| {
        let fields = [
            ("csrf", csrf.as_str()),
            ("email", "ada@example.org"),
            ("username", "ada-lovelace"),
            ("password", password),
        ];
        let answer = visitor.post("/password/strength", &fields);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.header("cache-control").contains("no-store"), "{answer:?}");
        let rating = answer.json();
        (rating["score"].as_u64().unwrap(), rating["sentence"].as_str().unwrap().to_owned())
    };

    assert_eq!(rate(""), (0, String::new()));
    assert!(rate("fourteen chars").1.starts_with("1 more character."));
    assert!(rate("ada-lovelace-1815").1.contains("which others know"));
    assert!(rate("password-password").1.contains("is too common"));
    assert_eq!(rate("the kettle sings before the train leaves"), (4, "Strong.".to_owned()));
    let bare = site.call("POST", "/password/strength").form(&[("password", "the kettle sings")]).send();
    assert!((400..500).contains(&bare.status), "{bare:?}");
}

#[test]
fn an_invited_person_signs_up_with_the_mailed_link_while_sign_up_is_closed() {
    let site = Appliance::running_with("[signup]\nmode = \"invite\"\n");
    let closed = site.browser().get("/signup").text();
    assert!(closed.contains("Sign-up is by invitation") && !closed.contains("name=\"password\""), "{closed}");

    site.run(&["account", "invite", "--email", "ada@example.org"]).ok();
    let link = path_of(&site, &site.mailbox().wait_for("ada@example.org", "You are invited").link("/signup?invite="));
    let token = link.split_once("invite=").unwrap().1.to_owned();
    let mut ada = site.browser();
    let page = ada.get(&link);
    assert!(page.text().contains("value=\"ada@example.org\"") && page.text().contains("readonly"), "{}", page.text());
    let fields = |email: &'static str, username: &'static str, password: &'static str| {
        vec![("invite", token.as_str()), ("email", email), ("username", username), ("password", password)]
    };
    let weak = ada.submit(&link, "/signup", &fields("ada@example.org", "ada-l", "password-password"));
    assert_eq!(weak.status, 400);
    assert!(weak.text().contains(&format!("value=\"{token}\"")), "the invitation stays in the form");
    let answer = ada.submit(&link, "/signup", &fields("eve@evil.example", "ada-l", PASSWORD));

    assert_eq!((answer.status, answer.location()), (303, "/settings/profile"), "{}", answer.text());
    assert!(is_in(&ada));
    let shown: serde_json::Value =
        serde_json::from_str(&site.run(&["account", "show", "ada-l", "--json"]).ok()).unwrap();
    assert_eq!(
        (shown["emails"][0]["address"].as_str(), shown["operator"].as_bool()),
        (Some("ada@example.org"), Some(false)),
        "{shown}"
    );
    let again = site.browser().get(&link);
    assert_eq!(again.status, 400);
    assert!(again.text().contains("was used or withdrawn"), "{}", again.text());
    let mut eve = site.browser();
    let csrf = eve.get("/signin").value_of("name=\"csrf\"");
    let mut uninvited = vec![("csrf", csrf.as_str())];
    uninvited.extend(fields("eve@example.org", "eve-x", PASSWORD).into_iter().filter(|(name, _)| *name != "invite"));
    assert_eq!(eve.post("/signup", &uninvited).status, 403, "without an invitation the form is refused, too");
}

#[test]
fn row_54_pages_are_only_served_under_the_host_name_of_the_site() {
    let site = Appliance::running_with("");
    site.account("ada-l");
    let ask = |host: &str, path: &str| site.call("GET", path).header("Host", host).send().status;

    for host in ["evil.example", "localhost.evil.example", "evil.example@localhost", "localhost:x", ""] {
        assert_eq!(ask(host, "/signin"), 421, "{host}");
    }
    for host in ["localhost", "127.0.0.1:99", "[::1]", &format!("LOCALHOST:{}", site.port)] {
        assert_eq!(ask(host, "/signin"), 200, "{host}");
    }
    assert_eq!(
        (ask("10.0.0.7:8080", "/healthz"), ask("domicile", "/v1/forward-auth")),
        (200, 401),
        "probes and programs"
    );
    let mut ada = site.browser();
    let csrf = ada.get("/forgot").value_of("name=\"csrf\"");
    let forged = [("X-Forwarded-Host", "evil.example"), ("Forwarded", "host=evil.example")];
    let call = forged.iter().fold(ada.call("POST", "/forgot"), |call, (name, value)| call.header(name, value));
    call.form(&[("csrf", &csrf), ("email", "ada-l@example.org")]).send();
    let message = site.mailbox().wait_for("ada-l@example.org", "Set your password");
    assert!(message.link("/reset?token=").starts_with(&site.url()) && !message.text.contains("evil"), "{message:?}");
}
