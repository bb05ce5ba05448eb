//! `[site]`: the name and the looks of the platform on pages, in mails and in authenticator apps; files at fixed addresses.

use crate::support::{Answer, Appliance};

const LOGO: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\"><script>alert(1)</script></svg>";

/// The address in an attribute of the page, unescaped.
fn link(page: &Answer, start: &str) -> String {
    let text = page.text();
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start} in {text}"));
    rest.split('"').next().unwrap().replace("&#38;", "&")
}

#[test]
fn a_site_has_its_own_name_and_looks_everywhere() {
    let mut site = Appliance::initialized();
    let logo = site.folder().join("logo");
    std::fs::write(&logo, LOGO).unwrap();
    site.add_settings(&format!(
        "[site]\nname = \"Hillside <Lab>\"\nlogo_file = \"{}\"\naccent = \"#7a1fa2\"\n\
         platform_url = \"https://hillside.example/app\"\nsupport = \"help@hillside.example\"\n\
         terms_url = \"https://hillside.example/terms\"\nprivacy_url = \"https://hillside.example/privacy\"\n",
        logo.display()
    ));
    site.start();
    let mut ada = site.browser();
    let front = ada.get("/signin");
    let message = ada.sign_up(&site.mailbox(), "ada-l");
    assert_eq!(message.subject, "Your code for Hillside <Lab>");
    assert!(message.text.contains("Hillside <Lab>, http://localhost"), "{message:?}");
    assert!(message.text.contains("Help: help@hillside.example"), "{message:?}");

    for page in [&front, &ada.get("/settings/profile")] {
        let text = page.text();
        assert!(text.contains("· Hillside &#60;Lab&#62;</title>") && !text.contains("Domicile"), "{text}");
        for shown in [
            "href=\"https://hillside.example/app\"",
            "https://hillside.example/terms",
            "https://hillside.example/privacy",
            "mailto:help@hillside.example",
        ] {
            assert!(text.contains(shown), "{shown} is not on {text}");
        }
    }
    let style = site
        .call("GET", &link(&front, "<link rel=\"stylesheet\" href=\"/site/").replacen("accent", "/site/accent", 1))
        .send();
    assert!(style.text().contains("--accent:light-dark(#7a1fa2,"), "{style:?}");
    let picture = site.call("GET", &format!("/site/{}", link(&front, "<img class=\"logo\" src=\"/site/"))).send();
    assert_eq!((picture.header("content-type"), picture.text().as_str()), ("image/svg+xml", LOGO));
    assert!(picture.header("content-security-policy").contains("default-src 'none'"), "its scripts never run");
    assert!(picture.header("cache-control").contains("immutable"));
    assert!(site.call("GET", "/favicon.ico").send().location().starts_with("/site/logo.svg?v="));
    assert_eq!(site.call("GET", "/site/../domicile.toml").send().status, 404);

    ada.submit("/settings/security", "/settings/security/totp/new", &[]);
    let totp = ada.get("/settings/security/totp").text();
    assert!(totp.contains("otpauth://totp/Hillside%20%3CLab%3E:ada-l"), "{totp}");
}

#[test]
fn browsers_and_crawlers_find_what_they_ask_every_site_for() {
    let site = Appliance::running();
    let get = |path: &str| site.call("GET", path).send();

    let icon = get("/favicon.ico");
    assert_eq!((icon.status, icon.header("content-type")), (200, "image/vnd.microsoft.icon"));
    assert!(icon.body.starts_with(&[0, 0, 1, 0]));
    assert!(get("/apple-touch-icon.png").body.starts_with(b"\x89PNG"));
    assert_eq!(get("/robots.txt").text(), "User-agent: *\nDisallow: /\n");
    let page = get("/signin").text();
    assert!(page.matches("<meta name=\"theme-color\"").count() == 2 && page.contains("apple-touch-icon"), "{page}");
    assert_eq!((get("/site/accent.css").status, get("/site/logo.svg").status), (404, 404), "no such settings");
}
