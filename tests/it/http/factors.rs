//! The second step over HTTP: the rights of a pending sign-in, concurrent codes, required factors, lost factors.

use std::collections::BTreeSet;
use std::path::Path;

use domicile::base::Clock;
use domicile::server::{Access, ROUTES};

use crate::architecture::files_under;
use crate::support::{Answer, Appliance, Browser, PASSWORD, oath_code};

/// The secret of an authenticator app, and the recovery codes that came with it.
struct App {
    secret: String,
    codes: Vec<String>,
}

/// The code that the app shows `ahead` seconds from now.
fn code(secret: &str, ahead: i64) -> String {
    oath_code(secret, Clock::system().now().unix_seconds() + ahead)
}

fn set_up(browser: &mut Browser) -> App {
    let begun = browser.submit("/settings/security", "/settings/security/totp/new", &[]);
    assert_eq!((begun.status, begun.location()), (303, "/settings/security/totp"), "{}", begun.text());
    let secret = browser.get("/settings/security/totp").value_of("id=\"totp-secret\"").replace(' ', "");
    let shown = browser.submit("/settings/security/totp", "/settings/security/totp", &[("code", &code(&secret, 0))]);
    let codes = codes_on(&browser.follow(&shown));
    assert_eq!(codes.len(), 10);
    App { secret, codes }
}

/// The recovery codes on a page.
fn codes_on(page: &Answer) -> Vec<String> {
    let text = page.text();
    let items = text.split("<li>").filter_map(|rest| rest.split_once("</li>")).map(|(code, _)| code.to_owned());
    items.filter(|code| code.len() == 17).collect()
}

/// A browser after the first step.
fn first_step(site: &Appliance, name: &str) -> Browser {
    let mut browser = site.browser();
    let answer = browser.sign_in(name);
    assert!(answer.location().starts_with("/signin/factor"), "{}", answer.location());
    assert!(!browser.cookies.contains_key("domicile-session"));
    browser
}

fn second_step(browser: &mut Browser, typed: &str) -> Answer {
    browser.submit("/signin/factor", "/signin/factor", &[("code", typed)])
}

fn with_factor(site: &Appliance) -> (Browser, App) {
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let app = set_up(&mut ada);
    (ada, app)
}

#[test]
fn t2_fifty_posts_of_one_code_at_the_same_moment_are_one_sign_in() {
    let site = Appliance::running();
    let (_, app) = with_factor(&site);
    let browsers: Vec<_> = (0..50)
        .map(|_| {
            let mut browser = first_step(&site, "ada-l");
            let csrf = browser.get("/signin/factor").value_of("name=\"csrf\"");
            (browser, csrf)
        })
        .collect();
    let code = code(&app.secret, 30);
    let gate = std::sync::Barrier::new(browsers.len());

    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let (gate, code) = (&gate, code.as_str());
        let posts: Vec<_> = browsers
            .into_iter()
            .map(|(mut browser, csrf)| {
                scope.spawn(move || {
                    gate.wait();
                    browser.post("/signin/factor", &[("csrf", &csrf), ("code", code)])
                })
            })
            .collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });

    let is_in = |answer: &&Answer| answer.headers.iter().any(|(_, value)| value.starts_with("domicile-session="));
    assert_eq!(answers.iter().filter(is_in).count(), 1);
    for refused in answers.iter().filter(|answer| !is_in(answer)) {
        assert!(matches!(refused.status, 401 | 429), "{} {}", refused.status, refused.text());
    }
}

#[test]
fn t5_one_recovery_code_at_the_same_moment_is_one_sign_in() {
    let site = Appliance::running();
    let (_, app) = with_factor(&site);
    let browsers: Vec<_> = (0..5).map(|_| first_step(&site, "ada-l")).collect();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let typed = app.codes[0].as_str();
        let posts: Vec<_> =
            browsers.into_iter().map(|mut browser| scope.spawn(move || second_step(&mut browser, typed))).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    let location = |answer: &Answer| answer.location().to_owned();
    assert_eq!(answers.iter().filter(|answer| location(answer) == "/settings/profile").count(), 1);
    site.mailbox().wait_for("ada-l@example.org", "A recovery code was used");
}

#[test]
fn s70_a_pending_sign_in_can_open_only_the_second_step() {
    let site = Appliance::running();
    let (_, app) = with_factor(&site);
    let mut pending = first_step(&site, "ada-l");
    let csrf = pending.get("/signin/factor").value_of("name=\"csrf\"");
    // The cookie as it is, and used as a session cookie.
    let mut forged = pending.clone();
    forged.cookies.insert("domicile-session".into(), pending.cookies["domicile-half"].clone());
    for route in ROUTES
        .iter()
        .filter(|route| matches!(route.access, Access::SignedIn | Access::Fresh) || route.access.is_console())
    {
        let path = route.path.replace("{id}", "psk_00000000000000000000000000");
        for browser in [&pending, &forged] {
            let answer =
                browser.call(route.method, &path).header("Sec-Fetch-Site", "same-origin").form(&[("csrf", &csrf)]);
            let answer = answer.send();
            assert_eq!(answer.status, 303, "{} {path}", route.method);
            assert!(answer.location().starts_with("/signin"), "{} {path}: {}", route.method, answer.location());
        }
    }
    assert_eq!(forged.call("GET", "/v1/forward-auth").send().status, 401);
    // Another first step only starts another pending sign-in; the reset of a password starts none.
    assert!(pending.get("/signin").status == 200);
    let link = {
        pending.submit("/forgot", "/forgot", &[("email", "ada-l@example.org")]);
        site.mailbox().wait_for("ada-l@example.org", "Set your password").link("/reset?token=")
    };
    let page = &link[link.find("/reset").unwrap()..];
    let token = page.rsplit('=').next().unwrap();
    let answer = pending.submit(page, "/reset", &[("token", token), ("password", PASSWORD)]);
    assert_eq!((answer.status, answer.location()), (303, "/signin"));
    assert!(!pending.cookies.contains_key("domicile-session"));
    let over = pending.get("/signin/factor");
    assert_eq!((over.status, over.location()), (303, "/signin"), "the new password ended the pending sign-in");

    let mut again = first_step(&site, "ada-l");
    let answer = second_step(&mut again, &code(&app.secret, 30));
    assert_eq!((answer.status, answer.location()), (303, "/settings/profile"), "{}", answer.text());
    assert!(!again.cookies.contains_key("domicile-half"));
}

#[test]
fn s70_an_api_key_cannot_reach_factors() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["admin"]);
    for route in ROUTES.iter().filter(|route| route.path.starts_with("/settings/security")) {
        let path = route.path.replace("{id}", "psk_00000000000000000000000000");
        let answer = site.call(route.method, &path).bearer(&key).form(&[("csrf", "x")]).send();
        assert!(answer.status == 303 && answer.location().starts_with("/signin"), "{path}: {}", answer.status);
    }
}

#[test]
fn t4_no_page_and_no_export_contains_the_seed_after_enrolment() {
    let site = Appliance::running();
    let (mut ada, app) = with_factor(&site);
    let grouped = |text: &str| text.replace([' ', '\n'], "");
    for path in ["/settings/security", "/settings/security/totp", "/settings/security/totp/remove", "/activity"] {
        assert!(!grouped(&ada.get(path).text()).contains(&app.secret), "{path}");
    }
    let redirect = ada.get("/settings/security/totp");
    assert_eq!((redirect.status, redirect.location()), (303, "/settings/security"));
    let file = site.folder().join("ada.zip.age");
    let export = ["account", "export", "ada-l", "--passphrase-stdin", "--output", file.to_str().unwrap()];
    site.run_with_input(&export, "seven grey herons of spring").ok();
    let identity = age::scrypt::Identity::new("seven grey herons of spring".to_owned().into());
    let mut plain = Vec::new();
    let sealed = std::fs::read(&file).unwrap();
    let mut reader = age::Decryptor::new(sealed.as_slice()).unwrap().decrypt(std::iter::once(&identity as _)).unwrap();
    std::io::Read::read_to_end(&mut reader, &mut plain).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(plain)).unwrap();
    let mut saw_the_app = false;
    for index in 0..archive.len() {
        let mut text = String::new();
        let mut file = archive.by_index(index).unwrap();
        let name = file.name().unwrap().into_owned();
        std::io::Read::read_to_string(&mut file, &mut text).unwrap();
        assert!(!text.contains(&app.secret), "{name}");
        assert!(app.codes.iter().all(|code| !text.contains(code.as_str())), "{name}");
        saw_the_app |= name == "account/authenticator.json" && text.contains("confirmed_at");
    }
    assert!(saw_the_app);
}

#[test]
fn an_operator_must_set_up_a_factor_before_other_pages_open() {
    let site = Appliance::running();
    let made = ["account", "create", "--email", "olga-o@example.org", "--username", "olga-o", "--password-stdin"];
    site.run_with_input(&[&made[..], &["--verified", "--operator"]].concat(), PASSWORD).ok();
    let mut olga = site.browser();
    olga.sign_in("olga-o");

    for path in ["/settings/profile", "/settings/keys", "/settings/privacy", "/activity", "/"] {
        let redirect = olga.get(path);
        assert_eq!((redirect.status, redirect.location()), (303, "/settings/security"), "{path}");
    }
    let csrf = olga.get("/settings/security").value_of("name=\"csrf\"");
    let key = [("csrf", csrf.as_str()), ("name", "x"), ("scope", "read"), ("expires", "90d")];
    assert_eq!(olga.post("/settings/keys", &key).location(), "/settings/security");
    assert_eq!(olga.call("GET", "/v1/forward-auth").send().status, 401);
    assert!(olga.get("/settings/security").text().contains("Set up a second factor first"));

    set_up(&mut olga);
    assert_eq!(olga.get("/settings/keys").status, 200);
    assert_eq!(olga.call("GET", "/v1/forward-auth").send().status, 200);
    let refused = olga.submit("/settings/security/totp/remove", "/settings/security/totp/remove", &[]);
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert_eq!(olga.get("/settings/keys").status, 200);
}

#[test]
fn s3_a_factor_is_changed_with_a_fresh_proof_only() {
    let site = Appliance::running_with_clock("");
    let (mut ada, app) = with_factor(&site);
    site.set_ahead(601);
    let shown = ada.get("/settings/security/totp/remove");
    let csrf = shown.value_of("name=\"csrf\"");
    let page = ada.post("/settings/security/totp/remove", &[("csrf", &csrf)]);
    assert_eq!(page.status, 403);
    assert!(page.text().contains("Confirm that it is you") && page.text().contains("proof_code"));
    let with = |field: &str, value: &str| {
        ada.clone().post("/settings/security/totp/remove", &[("csrf", &csrf), (field, value)])
    };
    assert_eq!(with("proof_password", PASSWORD).status, 403, "a password is weaker than what was enrolled");
    assert_eq!(with("proof_code", "000000").status, 403);
    // Not a code of the app: these are used up while a clock that was set is followed.
    let done = with("proof_code", &app.codes[0]);
    assert_eq!((done.status, done.location()), (303, "/settings/security#two-step-card"), "{}", done.text());
}

#[test]
fn a_lost_factor_is_removed_after_three_days_unless_a_link_stops_it() {
    let site = Appliance::running_with_clock("");
    let (_, app) = with_factor(&site);
    let mut thief = first_step(&site, "ada-l");
    let started = thief.submit("/signin/factor", "/signin/factor/lost", &[]);
    assert_eq!(started.status, 303);
    assert!(thief.get("/signin/factor").text().contains("will be removed on"));
    let link = site.mailbox().wait_for("ada-l@example.org", "will be removed").link("/signin/factor/keep?token=");
    let page = &link[link.find("/signin").unwrap()..];
    let mut owner = site.browser();
    let opened = owner.get(page);
    assert!(opened.text().contains("Stop the removal"), "opening the page changes nothing");
    assert!(thief.get("/signin/factor").text().contains("will be removed on"));
    let token = page.rsplit('=').next().unwrap();
    let kept = owner.submit(page, "/signin/factor/keep", &[("token", token)]);
    assert!(kept.text().contains("Your second factors were not changed"), "{}", kept.text());
    assert_eq!(owner.get(page).status, 400, "refused before anything is sent");
    assert!(!thief.get("/signin/factor").text().contains("will be removed on"));

    // The operator on the command line alone, and with another operator.
    site.run(&["account", "reset-factors", "ada-l"]).ok();
    assert_eq!(site.run(&["account", "reset-factors", "ada-l", "--cancel"]).status, 0);
    assert_eq!(site.run(&["account", "reset-factors", "ada-l", "--cancel"]).status, 1);
    let made = ["account", "create", "--email", "olga-o@example.org", "--username", "olga-o", "--password-stdin"];
    site.run_with_input(&[&made[..], &["--verified", "--operator"]].concat(), PASSWORD).ok();
    let mut olga = site.browser();
    olga.sign_in("olga-o");
    let olgas = set_up(&mut olga);
    let agree = ["account", "reset-factors", "ada-l", "--second-operator", "olga-o"];
    let wrong = site.run_with_input(&agree, &format!("{PASSWORD}\n000000\n"));
    assert_eq!(wrong.status, 1, "{wrong:?}");
    assert!(first_step(&site, "ada-l").get("/signin/factor").status == 200);
    let done = site.run_with_input(&agree, &format!("{PASSWORD}\n{}\n", code(&olgas.secret, 30)));
    assert_eq!(done.status, 0, "{done:?}");
    let mut ada = site.browser();
    assert_eq!(ada.sign_in("ada-l").location(), "/settings/profile");
    site.mailbox().wait_for("ada-l@example.org", "Your second factors were removed");
    assert!(!app.secret.is_empty());
}

/// The templates that tell of a mail, from the sources.
fn templates_about_mail() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let all = files_under(&root, "html").into_iter();
    let told = all.filter(|path| std::fs::read_to_string(path).unwrap().contains("context.sends_mail"));
    told.map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect()
}

#[test]
fn no_page_of_a_site_without_mail_promises_one() {
    let mut site = Appliance::running();
    let (mut ada, _) = with_factor(&site);
    site.account("grace-h");
    let (mut home, mut thief) = (site.browser(), site.browser());
    home.sign_in("grace-h");
    thief.sign_in("grace-h");
    let link = site.mailbox().wait_for("grace-h@example.org", "A new device signed in").link("/not-me");
    let not_me = link.strip_prefix(&site.url()).unwrap();
    site.stop();
    site.reconfigure("transport = \"directory\"", "transport = \"log\"");
    site.start();

    let mut visitor = site.browser();
    let form = [("email", "lin@example.org"), ("username", "lin-h"), ("password", PASSWORD)];
    assert_eq!(visitor.submit("/signup", "/signup", &form).status, 303);
    ada.submit("/settings/profile/emails", "/settings/profile/emails", &[("email", "second@example.org")]);
    let mut pending = first_step(&site, "ada-l");
    pending.submit("/signin/factor", "/signin/factor/lost", &[]);
    let token = not_me.split_once("token=").unwrap().1;
    let pages = [
        ("settings/_profile_emails.html", ada.get("/settings/profile/emails")),
        ("signin/factor.html", pending.get("/signin/factor")),
        ("signin/forgot.html", visitor.get("/forgot")),
        ("signin/not_me.html", site.browser().submit(not_me, "/not-me", &[("token", token)])),
        ("signin/verify.html", visitor.get("/verify")),
    ];

    assert_eq!(templates_about_mail(), pages.iter().map(|(name, _)| (*name).to_owned()).collect());
    for (name, page) in pages {
        let text = page.text();
        assert_eq!(page.status, 200, "{name}: {text}");
        // The removal of a factor goes on without mail, and its page says when.
        let is_told = text.contains("does not send email yet") || text.contains("will be removed on");
        assert!(is_told && !text.contains("We sent") && !text.contains("on its way"), "{name}: {text}");
    }
}

#[test]
fn new_recovery_codes_survive_a_reload_and_then_the_page_says_that_they_were_shown() {
    const PAGE: &str = "/settings/security/recovery-codes";
    let site = Appliance::running_with_clock("");
    let (mut ada, _) = with_factor(&site);

    let made = ada.submit("/settings/security", PAGE, &[]);
    let shown = ada.follow(&made);
    let codes = codes_on(&shown);
    assert!(codes.len() == 10 && shown.text().contains("The old codes no longer work."), "{}", shown.text());
    assert_eq!(codes_on(&ada.get(PAGE)), codes, "a reload makes no new codes");
    let mut other = first_step(&site, "ada-l");
    assert_eq!(second_step(&mut other, &codes[0]).status, 303, "the codes that are shown are good");
    let elsewhere = other.get(PAGE);
    assert!(codes_on(&elsewhere).is_empty() && elsewhere.text().contains("cannot be shown again"), "{elsewhere:?}");

    site.set_ahead(301);
    let later = ada.get(PAGE);
    assert!(codes_on(&later).is_empty() && later.text().contains("You have 9 left"), "{later:?}");
}

#[test]
fn pages_that_are_opened_leave_few_challenges_and_a_network_with_too_many_still_signs_in() {
    let site = Appliance::frozen_at("2026-05-03 09:00:00");
    site.account("ada-l");
    let mut ada = site.browser();
    let csrf = ada.get("/signin").forms()[0].hidden("csrf").unwrap().to_owned();
    let mut ask = || ada.post("/signin/passkey/challenge", &[("csrf", &csrf)]);

    let given = std::iter::repeat_with(&mut ask).take_while(|answer| answer.status == 200).take(1000).count();

    let refused = ask();
    assert_eq!((given, refused.status, refused.header("retry-after")), (300, 429, "1"), "{}", refused.text());
    let count = "select count(*) from passkey_challenge";
    assert_eq!(site.database().query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 300);
    assert!(has_form_for_password(&ada.get("/signin")));
    assert_eq!(ada.sign_in("ada-l").location(), "/settings/profile");
}

fn has_form_for_password(page: &Answer) -> bool {
    page.forms().iter().any(|form| form.is_sent_to("/signin", "/signin")) && page.text().contains("type=\"password\"")
}
