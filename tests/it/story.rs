//! One life in a real browser, and every page of it looked at. The scripts stand in `tests/browser`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::oauth::Neighbours;
use crate::support::{Appliance, HelperProcess, finish, free_port, part, tool_script};

/// One browser at a time: a small machine that runs four gives none of them an answer in time.
static SCREEN: Mutex<()> = Mutex::new(());

/// Plays a script of `tests/browser` in Chromium; it says itself what was wrong.
fn play(name: &str, mut given: Value) {
    for needed in ["node_modules/playwright-core", "node_modules/axe-core"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools").join(needed);
        assert!(path.exists(), "this test needs {needed}, which is not here. Run: ./dev tools");
    }
    part("chromium");
    if let Ok(shots) = std::env::var("TEST_SHOTS") {
        given["shots"] = json!(shots);
    }
    let mut node = Command::new(part("node"));
    node.arg(tool_script(&format!("browser/{name}"))).arg(given.to_string());
    node.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A test that failed with the screen in its hands leaves nothing behind that the next one would see.
    let turn = SCREEN.lock().unwrap_or_else(|broken| broken.into_inner());
    let ran = finish(&mut node, "");
    drop(turn);
    assert_eq!(ran.status, 0, "{name} failed:\n{}{}", ran.stdout, ran.stderr);
}

/// An appliance that hands its mail to a real SMTP server, which lays it down in the folder `post`.
fn with_mail(post: &TempDir) -> (HelperProcess, Appliance) {
    let mut relay =
        HelperProcess::started(Command::new(part("python3")).arg(tool_script("browser/smtp.py")).arg(post.path()));
    let relay_port = relay.next_line();
    let site = Appliance::running_with(&format!(
        "[mail]\ntransport = \"smtp\"\nfrom = \"Domicile <account@example.org>\"\nsmtp_url = \"smtp://127.0.0.1:{relay_port}\"\n\
         [[egress]]\nhost = \"127.0.0.1\"\nregion = \"eu\"\npurpose = \"mail\"\n"
    ));
    (relay, site)
}

#[test]
fn a_person_signs_up_works_pays_and_leaves() {
    let post = TempDir::new().unwrap();
    let (_relay, site) = with_mail(&post);

    play(
        "story.mjs",
        json!({
            "url": site.url(),
            "mail": post.path(),
            "folder": site.folder(),
            "config": site.config(),
            "domicile": env!("CARGO_BIN_EXE_domicile"),
            "python": part("python3"),
            "age": part("age"),
        }),
    );
}

/// The demonstration is the appliance to look at: it has people with a past, and shows its mail.
fn demonstration(folder: &TempDir) -> (HelperProcess, String) {
    let port = free_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_domicile"));
    command.args(["demo", "--port", &port.to_string()]).env_clear().env("TMPDIR", folder.path());
    let mut demo = HelperProcess::started(command.stderr(Stdio::null()));
    while !demo.next_line().starts_with("curl") {}
    (demo, format!("http://localhost:{port}"))
}

#[test]
fn every_page_is_accessible() {
    let folder = TempDir::new().unwrap();
    let (_demo, url) = demonstration(&folder);

    play("pages.mjs", json!({ "url": url }));
}

#[test]
fn the_description_for_programs_is_a_page_for_people() {
    let site = Appliance::running_with("[[scopes]]\nname = \"reports:read\"\ndescription = \"Read the reports.\"\n");

    play("docs.mjs", json!({ "url": site.url() }));
}

#[test]
fn keys_are_made_limited_replaced_and_stopped_in_a_browser() {
    let site = Appliance::running_with("[api_keys]\nreveal = \"owner\"\nmax_lifetime = \"365d\"\n");
    site.account("ada-l");
    let service = site.service("training");

    play("keys.mjs", json!({ "url": site.url(), "service": service, "workspace": site.workspace("ada-l") }));
}

#[test]
fn the_forms_work_without_javascript() {
    let folder = TempDir::new().unwrap();
    let (_demo, url) = demonstration(&folder);

    play("no_script.mjs", json!({ "url": url }));
}

#[test]
fn the_script_adds_comfort_and_the_keyboard_suffices() {
    let folder = TempDir::new().unwrap();
    let (_demo, url) = demonstration(&folder);

    play("comfort.mjs", json!({ "url": url }));
}

#[test]
fn the_profile_saves_itself_and_an_address_can_be_changed_and_restored() {
    let folder = TempDir::new().unwrap();
    let (_demo, url) = demonstration(&folder);

    play("people.mjs", json!({ "url": url }));
}

#[test]
fn p3_passwords_are_rated_while_they_are_typed_and_taken_as_they_are_pasted() {
    let site = Appliance::running_with("[signup]\nmode = \"invite\"\n");
    let invitation = site.run(&["account", "invite", "--email", "ada-lovelace@example.org", "--print-link"]).ok();
    let claim = site.run(&["account", "operator-link"]).ok();

    play("passwords.mjs", json!({ "url": site.url(), "invitation": invitation, "claim": claim }));
}

#[test]
fn second_factors_are_set_up_used_and_taken_away() {
    let site = Appliance::running_with_clock("");
    let email = |username: &str| format!("{username}@example.org");
    for (username, operator) in [("ada-l", None), ("olga-o", Some("--operator"))] {
        let email = email(username);
        let made = ["account", "create", "--email", &email, "--username", username, "--password-stdin", "--verified"];
        let made: Vec<&str> = made.into_iter().chain(operator).collect();
        site.run_with_input(&made, "a walk by the river").ok();
    }
    part("oathtool");
    part("zbarimg");

    play("factors.mjs", json!({ "url": site.url(), "folder": site.folder(), "clock": site.folder().join("clock") }));
}

#[test]
fn without_a_mouse_one_signs_up_comes_in_with_two_factors_and_ends_a_session() {
    let post = TempDir::new().unwrap();
    let (_relay, site) = with_mail(&post);
    part("oathtool");

    play("keyboard.mjs", json!({ "url": site.url(), "mail": post.path() }));
}

#[test]
fn s3_a_session_says_when_it_ends_and_a_sign_in_that_was_somebody_elses_is_undone() {
    let site = Appliance::running_with_clock("");
    let made =
        ["account", "create", "--email", "ada-l@example.org", "--username", "ada-l", "--password-stdin", "--verified"];
    site.run_with_input(&made, "a walk by the river").ok();

    play(
        "session.mjs",
        json!({ "url": site.url(), "mail": site.folder().join("mail"), "clock": site.folder().join("clock") }),
    );
}

#[test]
fn somebody_lives_here_without_a_password_and_o2_crossed_answers_let_nobody_in() {
    let mut site = Appliance::made_with_clock();
    let (mut providers, said) =
        HelperProcess::provider_with_clock("strict.mjs", &json!({"callback": site.url()}), &site);
    let issuer = |name: &str| said[name].as_str().unwrap().to_owned();
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
    play("oauth.mjs", json!({ "url": site.url(), "neighbours": [issuer("corp"), issuer("other")], "clock": clock }));

    // Whoever crossed answers never made a code leave this machine: each exchange belongs to somebody who came in.
    for (name, exchanges) in [("corp", EXCHANGES_AT_CORP), ("other", EXCHANGES_AT_OTHER)] {
        let asked = providers.tell(&json!({"seen": name}));
        let tokens = asked.as_array().unwrap().iter().filter(|call| call[1] == "/token").count();
        assert_eq!(tokens, exchanges, "{name}");
    }
}

#[test]
fn apples_form_comes_across_sites_in_a_real_browser() {
    let neighbours = Neighbours::new();
    let (url, apple) = (neighbours.site.url(), neighbours.url("apple"));

    play("oauth_apple.mjs", json!({ "url": url, "neighbours": [apple] }));
}

/// Ann and Bea, once each.
const EXCHANGES_AT_CORP: usize = 2;
/// Ann connects, proves herself, is somebody else, proves herself once more, and comes again; and Bea.
const EXCHANGES_AT_OTHER: usize = 6;
