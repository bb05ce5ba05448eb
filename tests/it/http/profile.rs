//! The Profile page, and the links in mails about addresses, in a browser without JavaScript.

use crate::support::{Answer, Appliance, Browser, PASSWORD};

const PAGE: &str = "/settings/profile";
const EMAILS: &str = "/settings/profile/emails";
const APPEARANCE: &str = "/settings/profile/appearance";
const NOTIFICATIONS: &str = "/settings/profile/notifications";
const OLD: &str = "ada-l@example.org";
const NEW: &str = "ada@work.example";

fn signed_in(site: &Appliance) -> Browser {
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    ada
}

/// A PNG of one colour, 40 pixels square.
fn a_picture() -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(40, 40, image::Rgb([0, 99, 0])).write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

/// Sends a file like the form of a browser (RFC 7578).
fn upload(browser: &mut Browser, csrf: &str, file: &[u8]) -> Answer {
    let part = |head: &str, body: &[u8]| {
        [format!("--edge\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(), body, b"\r\n"].concat()
    };
    let body = [
        part("name=\"csrf\"", csrf.as_bytes()),
        part("name=\"file\"; filename=\"../../me.png\"", file),
        b"--edge--\r\n".to_vec(),
    ];
    let call = browser.call("POST", "/settings/profile/picture").header("Sec-Fetch-Site", "same-origin");
    call.header("Content-Type", "multipart/form-data; boundary=edge").body(body.concat()).send()
}

/// The path of the action at the first address that offers it.
fn action_path(page: &Answer, name: &str) -> String {
    let text = page.text();
    let actions = text.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let found = actions.into_iter().find(|path| path.contains("/emails/") && path.ends_with(name));
    found.unwrap_or_else(|| panic!("no {name} on\n{text}")).to_owned()
}

/// Adds [`NEW`] and verifies it.
fn add_and_verify(site: &Appliance, ada: &mut Browser) {
    let added = ada.submit(EMAILS, EMAILS, &[("email", NEW)]);
    let code = site.mailbox().wait_for(NEW, "code").code();
    let page = ada.follow(&added);
    let path = action_path(&page, "/verify");
    let (_, field) = added.location().split_once('#').unwrap();
    let line = page.text().split_once(&format!("id=\"{}\"", field.replace("code-", "line-"))).unwrap().1.to_owned();
    let (line, _) = line.split_once("</li>").unwrap();
    assert!(
        line.contains("A code is on its way to this address.") && line.contains(&format!("id=\"{field}\"")),
        "{line}"
    );
    assert_eq!(ada.submit(EMAILS, &path, &[("code", &code)]).status, 303);
}

#[test]
fn saved_values_are_shown_with_a_confirmation() {
    let site = Appliance::running();
    let mut ada = signed_in(&site);
    let values = [
        ("display_name", "Ada \"Augusta\" <King>"),
        ("company", "Analytical Engines"),
        ("use_case", "research"),
        ("bio", "I build engines.\r\nOn paper."),
        ("link_github", "https://github.com/ada-l"),
        ("link_website", "ada.example"),
    ];

    let saved = ada.submit(PAGE, PAGE, &values);
    assert_eq!((saved.status, saved.location()), (303, PAGE), "{}", saved.text());
    let page = ada.get(PAGE).text();
    assert!(page.contains("Saved."), "{page}");
    for shown in [
        "Ada &#34;Augusta&#34; &#60;King&#62;",
        "value=\"Analytical Engines\"",
        "value=\"research\" selected",
        "I build engines.\nOn paper.",
        "value=\"ada-l\"",
        "value=\"https://ada.example\"",
    ] {
        assert!(page.contains(shown), "{shown} is not on\n{page}");
    }

    let refused = ada.submit(PAGE, PAGE, &[("display_name", "Ada"), ("company", "Kept as typed"), ("bio", "short")]);
    assert_eq!(refused.status, 400);
    let text = refused.text();
    assert!(text.contains("Kept as typed") && text.contains("Write 10 to 500") && text.contains(">short</textarea>"));
    assert!(ada.get(PAGE).text().contains("value=\"Analytical Engines\""), "a refusal changes nothing");
}

#[test]
fn preferences_apply_to_every_page_and_to_other_browsers() {
    let site = Appliance::running();
    let mut ada = signed_in(&site);
    let zone = [("theme", "dark"), ("language", "en"), ("time_zone", "Asia/Almaty")];
    assert_eq!(ada.submit(APPEARANCE, APPEARANCE, &zone).status, 303);
    let mut phone = site.browser();
    phone.sign_in("ada-l");

    let page = phone.get("/settings/security").text();
    assert!(page.contains("data-theme=\"dark\"") && page.contains("UTC+05"), "{page}");
    assert_eq!(phone.cookies["domicile-theme"], "dark", "so that the sign-in page has the theme, too");
    for bad in [("theme", "blue"), ("language", "tlh"), ("time_zone", "Mars/Olympus")] {
        let tried: Vec<_> = zone.iter().map(|known| if known.0 == bad.0 { bad } else { *known }).collect();
        assert_eq!(ada.submit(APPEARANCE, APPEARANCE, &tried).status, 400, "{bad:?}");
    }
    let off: [(&str, &str); 0] = [];
    assert_eq!(ada.submit(NOTIFICATIONS, NOTIFICATIONS, &off).status, 303);
    let page = phone.get(NOTIFICATIONS).text() + &phone.get(APPEARANCE).text();
    assert!(!page.contains("name=\"usage\" value=\"yes\" checked") && page.matches("Required").count() >= 3);
    assert!(page.contains("value=\"Asia/Almaty\" selected"));
}

#[test]
fn a_picture_is_accepted_only_from_our_own_page_and_served_safely() {
    let site = Appliance::running();
    let mut ada = signed_in(&site);
    let csrf = ada.get(PAGE).value_of("name=\"csrf\"");
    let file = a_picture();
    assert_eq!(upload(&mut ada, "forged", &file).status, 403);
    let foreign = ada.call("POST", "/settings/profile/picture").header("Sec-Fetch-Site", "cross-site");
    let foreign = foreign.header("Content-Type", "multipart/form-data; boundary=edge").body("--edge--\r\n").send();
    assert_eq!(foreign.status, 403);
    assert!(!ada.get(PAGE).text().contains("/avatars/"));

    let taken = upload(&mut ada, &csrf, &file);

    assert_eq!(taken.status, 303, "{}", taken.text());
    let page = ada.get(PAGE).text();
    let path = format!("/avatars/{}", page.split("/avatars/").nth(1).unwrap().split('"').next().unwrap());
    let served = site.call("GET", &path).send();
    assert_eq!((served.status, served.header("content-type")), (200, "image/jpeg"));
    assert_eq!(served.header("x-content-type-options"), "nosniff");
    assert!(served.header("cache-control").starts_with("private"), "{}", served.header("cache-control"));
    assert!(served.body.starts_with(&[0xff, 0xd8, 0xff]));
    let again = site.call("GET", &path).header("If-None-Match", served.header("etag")).send();
    assert_eq!((again.status, again.body.len()), (304, 0));
    for wrong in ["/avatars/x-512", "/avatars/", &format!("{path}0"), "/avatars/..%2f..%2fkeyring-48"] {
        assert_eq!(site.call("GET", wrong).send().status, 404, "{wrong}");
    }

    let text = upload(&mut ada, &csrf, b"<svg xmlns='http://www.w3.org/2000/svg'/>");
    assert!(text.status == 400 && text.text().contains("not a PNG, JPEG or WebP"), "{}", text.text());
    let large = upload(&mut ada, &csrf, &vec![0x89; 6 << 20]);
    assert!(large.status == 413 && large.text().contains("larger than 5 MB"), "{}", large.status);
    assert!(ada.get(PAGE).text().contains(&path), "the previous picture stays");
    assert_eq!(ada.submit(PAGE, "/settings/profile/picture/remove", &[]).status, 303);
    assert_eq!(site.call("GET", &path).send().status, 404);
}

#[test]
fn s3_addresses_are_changed_only_with_a_fresh_proof() {
    let site = Appliance::running_with_clock("");
    let mut ada = signed_in(&site);
    site.set_ahead(601);

    let asked = ada.submit(EMAILS, EMAILS, &[("email", NEW)]);

    assert_eq!(asked.status, 403);
    assert!(asked.text().contains("Confirm that it is you"));
    assert!(!ada.get(EMAILS).text().contains(NEW));
    let mut fields = asked.fields();
    fields.push(("proof_password".into(), PASSWORD.into()));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(ada.post(EMAILS, &fields).status, 303);
    assert!(ada.get(EMAILS).text().contains(NEW), "the address was kept in the form");
}

#[test]
fn the_mail_to_the_old_address_restores_the_account_without_signing_in() {
    let site = Appliance::running();
    let mut thief = signed_in(&site);
    add_and_verify(&site, &mut thief);
    let path = action_path(&thief.get(EMAILS), "/primary");
    assert_eq!(thief.submit(EMAILS, &path, &[]).status, 303);
    let text = thief.get(EMAILS).text();
    assert!(text.contains("can undo the change") && !text.contains("/remove\""), "{text}");
    site.mailbox().wait_for(NEW, "now your primary address");
    let link = site.mailbox().wait_for(OLD, "primary address was changed").link("/revert");
    let path = link.split_once(&site.port.to_string()).unwrap().1.to_owned();

    let mut owner = site.browser();
    let shown = owner.get(&path);
    assert!(shown.status == 200 && shown.text().contains("Restore my address"), "{}", shown.text());
    assert_eq!(thief.get(PAGE).status, 200, "looking at a link changes nothing");
    let csrf = shown.value_of("name=\"csrf\"");
    let token = shown.value_of("name=\"token\"");
    let restored = owner.post("/revert", &[("csrf", &csrf), ("token", &token)]);
    assert!(restored.status == 200 && restored.text().contains(OLD), "{}", restored.text());

    assert_eq!(thief.get(PAGE).status, 303, "the thief is signed out");
    let attempt = site.browser().submit("/signin", "/signin", &[("name", "ada-l"), ("password", PASSWORD)]);
    assert_eq!(attempt.status, 401, "the password no longer works");
    site.mailbox().wait_for(OLD, "Your address is restored");
    site.mailbox().wait_for(OLD, "Set your password");
    let again = owner.get(&path);
    assert!(again.status == 400 && again.text().contains("already used"), "{}", again.text());
    assert_eq!(owner.post("/revert", &[("csrf", &csrf), ("token", &token)]).status, 400);
    let shown: serde_json::Value =
        serde_json::from_str(&site.run(&["account", "show", "ada-l", "--json"]).ok()).unwrap();
    assert_eq!(shown["emails"].as_array().unwrap().len(), 1, "{shown}");
}

#[test]
fn the_availability_of_a_username_is_shown_while_it_is_typed() {
    let site = Appliance::running();
    site.account("modern-ada");
    let ask = |name: &str| site.call("GET", &format!("/api/username/check?suggest=true&username={name}")).send().json();

    assert_eq!(ask("lovelace"), serde_json::json!({"available": true}));
    for (name, code, suggestion) in [
        ("modern-ada", "username_taken", "modern-ada-2"),
        ("MODERN-ada", "username_taken", "modern-ada-2"),
        ("rnodern-ada", "username_confusable", "rnodern-ada-2"),
        ("settings", "username_reserved", "settings-2"),
        ("adrnin", "username_confusable", "adrnin-2"),
        ("a--da", "username_letters", "a-da"),
    ] {
        let answer = ask(name);
        let actual = (answer["available"].as_bool(), answer["code"].as_str(), answer["suggestion"].as_str());
        assert_eq!(actual, (Some(false), Some(code), Some(suggestion)), "{name}: {answer}");
        assert!(answer["reason"].as_str().unwrap().ends_with('.'), "{answer}");
    }
    let refused =
        (0..100).map(|_| site.call("GET", "/api/username/check?username=ada-l").send()).find(|a| a.status != 200);
    let refused = refused.expect("more than sixty requests were sent");
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
}

#[test]
fn every_place_that_a_form_returns_to_says_there_what_happened() {
    let site = Appliance::running_with(
        "[oauth.google]\nclient_id = \"g\"\nclient_secret = \"s\"\nissuer = \"http://localhost:1\"\n",
    );
    let mut ada = signed_in(&site);
    ada.submit("/settings/privacy", "/settings/privacy/export", &[("passphrase", PASSWORD)]);
    for place in [
        "/settings/profile#picture-card",
        "/settings/profile/emails#emails",
        "/settings/security#password-card",
        "/settings/security#two-step-card",
        "/settings/security#passkeys-card",
        "/settings/security#identities-card",
        "/settings/security#sessions-card",
        "/settings/privacy#exports",
    ] {
        let (path, id) = place.split_once('#').unwrap();
        ada.cookies.insert("domicile-flash".into(), format!("saved.{id}"));
        let page = ada.get(path).text();
        let (_, after) = page.split_once(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {place}"));
        assert!(after.contains("<p>Saved.</p>") && page.matches("<p>Saved.</p>").count() == 1, "{place}: {page}");
        assert!(!ada.get(path).text().contains("<p>Saved.</p>"), "it is said once");
    }
}

#[test]
fn an_address_that_only_takes_forms_leads_to_its_page() {
    let site = Appliance::running();
    let mut ada = signed_in(&site);
    for (path, page) in [
        ("/settings/security/password", "/settings/security"),
        ("/settings/profile/emails/email_1/verify", EMAILS),
        ("/settings/profile/colour", PAGE),
        ("/settings/keys/policy", "/settings/keys"),
    ] {
        let refused = ada.submit_unlisted(
            "/activity",
            path,
            &[("password", "short"), ("colour", "none"), ("max_life_days", "soon")],
        );
        assert!(refused.status >= 400, "{path}: {refused:?}");
        let reloaded = ada.get(path);
        assert_eq!((reloaded.status, reloaded.location()), (303, page), "{path}");
    }
    assert_eq!(ada.get("/signout").status, 405, "it has no page");
}

#[test]
fn a_browser_without_cookies_is_told_about_cookies() {
    let site = Appliance::running();
    site.account("ada-l");
    let token = site.browser().get("/signin").value_of("name=\"csrf\"");
    let form = [("csrf", token.as_str()), ("name", "ada-l"), ("password", PASSWORD)];

    let refused = site.browser().post("/signin", &form);
    assert!(refused.status == 403 && refused.text().contains("Allow cookies for this site"), "{refused:?}");
    let mut other = site.browser();
    other.cookies.insert("unrelated".into(), "1".into());
    // On this machine, all sites share their cookies.
    let refused = other.post("/signin", &form);
    assert!(refused.text().contains("Allow cookies for this site"), "{refused:?}");
}
