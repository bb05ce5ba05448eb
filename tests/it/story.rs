//! Scripts in a real browser: a whole story of one person, and checks of every page. The scripts are in
//! `tests/browser`.

use std::path::Path;
use std::process::{Command, Stdio};

use domicile::base::Clock;
use domicile::server::{Access, ClientKind, ROUTES};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::coverage::forms::WITHOUT_PAGE;
use crate::coverage::seeded::Seeded;
use crate::http::oauth::EmulatedProviders;
use crate::support::{Appliance, HelperProcess, PASSWORD, finish, free_port, is_deep, tool, tool_script};

/// Runs a script of `tests/browser` in Chromium. The script itself reports what is wrong.
fn run_script(name: &str, mut input: Value) {
    for needed in ["node_modules/playwright-core", "node_modules/axe-core"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools").join(needed);
        assert!(path.exists(), "this test needs {needed}, which is missing. Run: ./dev tools");
    }
    tool("chromium-headless-shell");
    input["deep"] = json!(is_deep());
    if let Ok(shots) = std::env::var("TEST_SHOTS") {
        input["shots"] = json!(shots);
    }
    let mut node = Command::new(tool("node"));
    node.arg(tool_script(&format!("browser/{name}"))).arg(input.to_string());
    node.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = finish(&mut node, "");
    assert_eq!(output.status, 0, "{name} failed:\n{}{}", output.stdout, output.stderr);
}

/// An appliance that sends its mail to a real SMTP server, which stores it in the folder `mail`.
fn with_mail(mail: &TempDir) -> (HelperProcess, Appliance) {
    let mut relay =
        HelperProcess::start(Command::new(tool("python3")).arg(tool_script("browser/smtp.py")).arg(mail.path()));
    let relay_port = relay.next_line();
    let site = Appliance::running_with(&format!(
        "[mail]\ntransport = \"smtp\"\nfrom = \"Domicile <account@example.org>\"\nsmtp_url = \"smtp://127.0.0.1:{relay_port}\"\n\
         [[egress]]\nhost = \"127.0.0.1\"\nregion = \"eu\"\npurpose = \"mail\"\n"
    ));
    (relay, site)
}

#[test]
fn a_person_signs_up_works_pays_and_leaves() {
    let mail = TempDir::new().unwrap();
    let (_relay, site) = with_mail(&mail);

    run_script(
        "story.mjs",
        json!({
            "url": site.url(),
            "mail": mail.path(),
            "folder": site.folder(),
            "config": site.config(),
            "domicile": env!("CARGO_BIN_EXE_domicile"),
            "python": tool("python3"),
            "age": tool("age"),
        }),
    );
}

/// Starts `domicile demo`, whose people have some history and whose mail can be read.
fn demo(folder: &TempDir) -> (HelperProcess, String) {
    let port = free_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_domicile"));
    command.args(["demo", "--port", &port.to_string()]).env_clear().env("TMPDIR", folder.path());
    let mut demo = HelperProcess::start(command.stderr(Stdio::null()));
    while !demo.next_line().starts_with("curl") {}
    (demo, format!("http://localhost:{port}"))
}

#[test]
fn every_page_is_accessible() {
    let folder = TempDir::new().unwrap();
    let (_demo, url) = demo(&folder);

    run_script("pages.mjs", json!({ "url": url }));
}

/// Runs `others.mjs` against a demonstration.
fn in_another_browser(more: Value) {
    let folder = TempDir::new().unwrap();
    let (_demo, url) = demo(&folder);
    let mut input = json!({ "url": url });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    run_script("others.mjs", input);
}

fn firefox() -> Value {
    json!({ "firefox": tool("firefox-esr") })
}

fn webkit() -> Value {
    tool("xvfb-run");
    let folders = std::fs::read_dir("/usr/lib/x86_64-linux-gnu").unwrap().map(|entry| entry.unwrap().path());
    let browsers = folders.filter(|path| path.to_string_lossy().contains("/webkit2gtk-4."));
    let browser = browsers.map(|folder| folder.join("MiniBrowser")).find(|file| file.exists());
    let browser = browser.expect("MiniBrowser is missing. Run: ./dev tools");
    json!({ "driver": tool("WebKitWebDriver"), "minibrowser": browser, "port": free_port() })
}

#[test]
#[ignore = "deep: starts Firefox"]
fn the_core_works_in_firefox() {
    in_another_browser(firefox());
}

#[test]
#[ignore = "deep: starts WebKit"]
fn the_core_works_in_webkit() {
    in_another_browser(webkit());
}

/// Opens every page of the table of routes, each as a person who may see it, at four widths and in both themes.
fn walk(name: &str, mut more: Value) {
    let mut world = Seeded::new();
    world.ada.submit("/settings/security", "/settings/security/totp/new", &[]);
    world.grace.set_up_app(Clock::system().now().unix_seconds());
    let visitor = world.site.browser();
    let mut verifying = world.site.browser();
    let fields = [("email", "new@example.org"), ("username", "new-person"), ("password", PASSWORD)];
    assert_eq!(verifying.submit("/signup", "/signup", &fields).location(), "/verify");
    let mut pending = world.site.browser();
    assert!(pending.sign_in("ada-l").location().starts_with("/signin/factor"));

    let is_without_page = |path: &str| WITHOUT_PAGE.iter().any(|(known, _)| *known == path);
    let pages = ROUTES.iter().filter(|route| route.method == "GET" && route.client == ClientKind::Page);
    let mut pages: Vec<_> = pages.filter(|route| !is_without_page(route.path)).collect();
    // A proof is good for ten minutes, so what needs one is first.
    pages.sort_by_key(|route| (!route.access.is_fresh(), !route.access.is_console()));
    let mut visits: Vec<Value> = Vec::new();
    for route in pages {
        let path = match route.path {
            "/help/{name}" => "/help/gateways".to_owned(),
            path if path.contains("{id}") => path.replace("{id}", world.id_for(path)),
            path => path.to_owned(),
        };
        let (who, browser) = match (route.access, route.path) {
            (Access::Operator | Access::FreshOperator, _) => ("an operator", &world.olga),
            (Access::Pending, "/verify") => ("a new person", &verifying),
            (Access::Pending, _) => ("a person with a second factor", &pending),
            (Access::SignedIn | Access::Fresh, "/settings/security/totp/remove") => ("another person", &world.grace),
            (Access::SignedIn | Access::Fresh, _) => ("a person", &world.ada),
            _ => ("a visitor", &visitor),
        };
        match visits.iter_mut().find(|visit| visit["who"] == who) {
            Some(visit) => visit["paths"].as_array_mut().unwrap().push(json!(path)),
            None => visits.push(json!({ "who": who, "cookies": browser.cookies, "paths": [path] })),
        }
    }
    assert!(visits.len() == 6, "{visits:#?}");
    let mut input = json!({ "url": world.site.url(), "name": name, "visits": visits });
    input.as_object_mut().unwrap().append(more.as_object_mut().unwrap());
    run_script("walk.mjs", input);
}

#[test]
#[ignore = "deep: visits every page"]
fn every_page_is_readable_in_chromium() {
    walk("chromium", json!({ "chromium": tool("chromium-headless-shell") }));
}

#[test]
#[ignore = "deep: visits every page in Firefox"]
fn every_page_is_readable_in_firefox() {
    walk("firefox", firefox());
}

#[test]
#[ignore = "deep: visits every page in WebKit"]
fn every_page_is_readable_in_webkit() {
    walk("webkit", webkit());
}

#[test]
fn the_openapi_description_is_a_page_for_people() {
    let site = Appliance::running_with("[[scopes]]\nname = \"reports:read\"\ndescription = \"Read the reports.\"\n");

    run_script("docs.mjs", json!({ "url": site.url() }));
}

#[test]
fn keys_are_created_limited_rotated_and_revoked_in_a_browser() {
    let site = Appliance::running_with("[api_keys]\nreveal = \"owner\"\nmax_lifetime = \"365d\"\n");
    site.account("ada-l");
    let service = site.service("training");

    run_script("keys.mjs", json!({ "url": site.url(), "service": service, "workspace": site.workspace("ada-l") }));
}

#[test]
fn the_trash_and_the_storage_work_in_a_browser() {
    let site = Appliance::running();
    site.account("ada-l");
    let (service, workspace) = (site.service("registry"), site.workspace("ada-l"));

    run_script("trash.mjs", json!({ "url": site.url(), "service": service, "workspace": workspace }));
}

#[test]
fn the_forms_work_without_javascript() {
    let folder = TempDir::new().unwrap();
    let (_demo, url) = demo(&folder);

    run_script("no_script.mjs", json!({ "url": url }));
}

#[test]
fn the_script_adds_comfort_and_the_keyboard_is_enough() {
    let folder = TempDir::new().unwrap();
    let (_demo, url) = demo(&folder);

    run_script("comfort.mjs", json!({ "url": url }));
}

#[test]
fn the_profile_saves_itself_and_an_address_can_be_changed_and_restored() {
    let folder = TempDir::new().unwrap();
    let (_demo, url) = demo(&folder);

    run_script("people.mjs", json!({ "url": url }));
}

#[test]
fn p3_passwords_are_rated_while_they_are_typed_and_can_be_pasted() {
    let site = Appliance::running_with("[signup]\nmode = \"invite\"\n");
    let invitation = site.run(&["account", "invite", "--email", "ada-lovelace@example.org", "--print-link"]).ok();
    let claim = site.run(&["account", "operator-link"]).ok();

    run_script("passwords.mjs", json!({ "url": site.url(), "invitation": invitation, "claim": claim }));
}

#[test]
fn second_factors_are_set_up_used_and_removed() {
    let site = Appliance::running_with_clock("");
    let email = |username: &str| format!("{username}@example.org");
    for (username, operator) in [("ada-l", None), ("olga-o", Some("--operator"))] {
        let email = email(username);
        let create = ["account", "create", "--email", &email, "--username", username, "--password-stdin", "--verified"];
        let create: Vec<&str> = create.into_iter().chain(operator).collect();
        site.run_with_input(&create, "a walk by the river").ok();
    }
    tool("oathtool");
    tool("zbarimg");

    run_script(
        "factors.mjs",
        json!({ "url": site.url(), "folder": site.folder(), "clock": site.folder().join("clock") }),
    );
}

#[test]
fn an_operator_connects_a_service_in_the_console() {
    let site = Appliance::running_with_clock("");
    let arguments = [
        "account",
        "create",
        "--email",
        "olga@example.org",
        "--username",
        "olga-o",
        "--password-stdin",
        "--verified",
        "--operator",
    ];
    site.run_with_input(&arguments, "a walk by the river").ok();
    tool("oathtool");

    run_script("console.mjs", json!({ "url": site.url(), "clock": site.folder().join("clock") }));
}

#[test]
fn sign_up_sign_in_with_two_factors_and_ending_a_session_work_without_a_mouse() {
    let mail = TempDir::new().unwrap();
    let (_relay, site) = with_mail(&mail);
    tool("oathtool");

    run_script("keyboard.mjs", json!({ "url": site.url(), "mail": mail.path() }));
}

#[test]
fn s3_a_session_warns_before_it_ends_and_a_foreign_sign_in_can_be_undone() {
    let site = Appliance::running_with_clock("");
    let create =
        ["account", "create", "--email", "ada-l@example.org", "--username", "ada-l", "--password-stdin", "--verified"];
    site.run_with_input(&create, "a walk by the river").ok();

    run_script(
        "session.mjs",
        json!({ "url": site.url(), "mail": site.folder().join("mail"), "clock": site.folder().join("clock") }),
    );
}

#[test]
fn an_account_works_without_a_password_and_o2_mixed_up_responses_are_refused() {
    let mut site = Appliance::initialized_with_clock();
    let (mut providers, ready) =
        HelperProcess::provider_with_clock("strict.mjs", &json!({"callback": site.url()}), &site);
    let issuer = |name: &str| ready[name].as_str().unwrap().to_owned();
    site.add_settings(&format!(
        "[oauth.google]\nclient_id = \"g\"\nclient_secret = \"s\"\nissuer = \"http://localhost:1\"\n\
         [oauth.github]\nclient_id = \"g\"\nclient_secret = \"s\"\nissuer = \"http://localhost:1\"\n\
         [oauth.oidc.corp]\nlabel = \"Firm\"\nclient_id = \"domicile\"\nclient_secret = \"secret-of-corp\"\nissuer = \"{}\"\n\
         trusted_domains = [\"corp.example\"]\n\
         [oauth.oidc.other]\nclient_id = \"domicile\"\nclient_secret = \"secret-of-other\"\nissuer = \"{}\"\n\
         trusted_domains = [\"other.example\"]\n",
        issuer("corp"),
        issuer("other")
    ));
    site.start();

    let clock = site.folder().join("clock");
    run_script(
        "oauth.mjs",
        json!({ "url": site.url(), "providers": [issuer("corp"), issuer("other")], "clock": clock }),
    );

    // A mixed-up response never sends a code to a provider: each exchange belongs to a successful sign-in.
    for (name, exchanges) in [("corp", EXCHANGES_AT_CORP), ("other", EXCHANGES_AT_OTHER)] {
        let calls = providers.request(&json!({"seen": name}));
        let tokens = calls.as_array().unwrap().iter().filter(|call| call[1] == "/token").count();
        assert_eq!(tokens, exchanges, "{name}");
    }
}

#[test]
fn the_cross_site_form_of_apple_works_in_a_real_browser() {
    let providers = EmulatedProviders::new();
    let (url, apple) = (providers.site.url(), providers.url("apple"));

    run_script("oauth_apple.mjs", json!({ "url": url, "providers": [apple] }));
}

/// Ann and Bea, one exchange each.
const EXCHANGES_AT_CORP: usize = 2;
/// Ann connects, steps up, uses another identity, steps up again and signs in again; and Bea.
const EXCHANGES_AT_OTHER: usize = 6;
