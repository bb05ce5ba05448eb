//! The log of a running appliance.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use serde_json::Value;

use super::packaged;
use crate::support::{Appliance, PASSWORD, tool, wait_for};

/// An appliance behind a proxy on this machine, which says who asks.
fn behind_proxy(more: &str) -> Appliance {
    let mut site = Appliance::initialized_with(more);
    site.reconfigure("[listen]", "[listen]\ntrusted_proxies = [\"127.0.0.1/32\"]");
    site.start();
    site
}

/// Sends bytes that are no request, and waits for the end of the connection.
fn send_nonsense(port: u16, bytes: &[u8]) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.write_all(bytes).unwrap();
    let _ = connection.shutdown(std::net::Shutdown::Write);
    let _ = connection.read_to_end(&mut Vec::new());
}

/// A wrong sign-in by a visitor with this address.
fn wrong_sign_in(site: &Appliance, name: &str, address: &str) -> u16 {
    let mut browser = site.browser();
    let page = browser.get("/signin");
    let fields = [("name", name), ("password", "this is not the one"), ("csrf", &page.value_of("name=\"csrf\""))];
    let call = site.call("POST", "/signin").header("X-Forwarded-For", address).form(&fields);
    let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    call.header("Cookie", &cookies.join("; ")).send().status
}

#[test]
fn fail2ban_finds_who_guesses_and_nobody_else() {
    let site = behind_proxy("");
    site.account("ada-l");
    let mut ada = site.browser();
    assert_eq!(ada.submit("/signin", "/signin", &[("name", "ada-l"), ("password", PASSWORD)]).status, 303);
    let key = site.api_key("ada-l", &["models:read"]);
    assert_eq!(site.call("GET", "/api/account/summary").bearer(&key).send().status, 403);

    // An e-mail address and a line of a log as names: neither gets into the log.
    let forged =
        "x\n2026-05-03T09:00:00Z NOTICE Security. event=auth.signin_failed outcome=failure visitor=198.51.100.66 ";
    for name in ["ada-l", "grace@example.org", forged] {
        assert_eq!(wrong_sign_in(&site, name, "203.0.113.7"), 401);
    }
    let forged_form =
        site.call("POST", "/signin").header("X-Forwarded-For", "2001:db8::9").header("Sec-Fetch-Site", "cross-site");
    assert_eq!(forged_form.form(&[("name", "ada-l"), ("password", "x")]).send().status, 403);
    for _ in 0..25 {
        let guess = site.call("GET", "/api/account/summary").header("X-Forwarded-For", "203.0.113.99");
        assert_eq!(guess.bearer("dok_guessed").send().status, 401);
    }
    // Ten wrong keys are a program that was not told about its new key.
    for _ in 0..10 {
        let old = site.call("GET", "/api/account/summary").header("X-Forwarded-For", "203.0.113.55");
        assert_eq!(old.bearer("dok_old").send().status, 401);
    }
    // It is logged after the caller was answered.
    let log = wait_for("the events in the log", || {
        let log = site.log();
        (log.matches("auth.signin_failed").count() >= 3 && log.contains("key.refused")).then_some(log)
    });

    let file = site.folder().join("log");
    let filter = packaged("fail2ban/domicile.conf");
    let mut command = Command::new(tool("fail2ban-regex"));
    command.args(["--print-all-matched", "--out", "ip"]).arg(&file).arg(&filter);
    let output = command.output().unwrap();
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    let count = |address: &str| found.lines().filter(|line| line.trim() == address).count();
    assert_eq!(count("203.0.113.7"), 3, "{found}\n{log}");
    assert_eq!(count("2001:db8::9"), 1, "{found}\n{log}");
    assert_eq!(count("203.0.113.99"), 5, "{found}\n{log}");
    assert_eq!((count("203.0.113.55"), count("127.0.0.1"), count("198.51.100.66")), (0, 0, 0), "{found}\n{log}");
    for secret in ["grace@", "this is not the one", "dok_", PASSWORD] {
        assert!(!log.contains(secret), "the log has {secret}:\n{log}");
    }
}

#[test]
fn fail2ban_reads_lines_as_the_journal_gives_them() {
    let line = "May 03 09:00:00 host domicile[123]: Security. event=auth.throttled outcome=denied visitor=203.0.113.7 actor=anonymous account=\"\" reason=too_many_tries";
    let ids = "May 03 09:00:00 host domicile[123]: A request was refused. path=\"/ Security. event=auth.throttled outcome=denied visitor=203.0.113.8 \"";
    let found = |line: &str| {
        let mut command = Command::new(tool("fail2ban-regex"));
        let output = command.args(["--out", "ip", line]).arg(packaged("fail2ban/domicile.conf")).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };

    assert_eq!(found(line), "203.0.113.7");
    assert_eq!(found(ids), "");
}

#[test]
fn the_id_of_a_refused_request_is_on_its_page_and_in_the_log() {
    let site = behind_proxy("");
    let call = || site.call("POST", "/signin").header("Sec-Fetch-Site", "cross-site").form(&[("name", "a")]);

    let refused = call().send();
    let id = refused.header("x-request-id").to_owned();
    assert_eq!((refused.status, id.len()), (403, 16));
    assert!(refused.text().contains(&id), "{refused:?}");
    assert!(site.log().contains(&format!("request={id} path=/signin status=403 code=cross_site")), "{}", site.log());
    let noted = format!(
        "event=form.refused outcome=denied visitor=127.0.0.1 actor=anonymous account=\"\" reason=cross_site request={id}\n"
    );
    assert!(site.log().contains(&noted), "{}", site.log());
    // What an operation records has it too.
    let mut browser = site.browser();
    let wrong = browser.submit("/signin", "/signin", &[("name", "ada-l"), ("password", "this is not the one")]);
    let noted = format!(" reason=\"\" request={}\n", wrong.header("x-request-id"));
    let log = wait_for("the event", || Some(site.log()).filter(|log| log.contains("auth.signin_failed")));
    assert!(log.contains(&noted), "{log}");

    // The proxy's id, if it looks like one.
    let given = call().header("X-Request-Id", "8f14e45f-ceea-467f").send();
    assert_eq!(given.header("x-request-id"), "8f14e45f-ceea-467f");
    assert!(site.log().contains("request=8f14e45f-ceea-467f path=/signin"));
    assert_ne!(call().header("X-Request-Id", "x y\" z=1 aaaaaa").send().header("x-request-id").len(), 15);

    // Everybody can type a wrong address, so it is not in the log, and its page does not ask for an id.
    let unknown = site.call("GET", "/nothing").send();
    let id = unknown.header("x-request-id");
    assert!(unknown.status == 404 && !id.is_empty() && !unknown.text().contains(id) && !site.log().contains(id));
}

#[test]
fn an_id_is_taken_from_trusted_proxies_only() {
    let site = Appliance::running();

    let answer = site.call("GET", "/nothing").header("X-Request-Id", "8f14e45f-ceea-467f").send();

    assert_eq!(answer.header("x-request-id").len(), 16);
}

/// Each line begins with its time and its level.
fn is_a_line(line: &str) -> bool {
    let (time, rest) = line.split_once(' ').unwrap_or_default();
    time.ends_with('Z')
        && time.len() == 24
        && ["ERROR ", "WARN ", "NOTICE ", "INFO ", "DEBUG "].iter().any(|word| rest.starts_with(word))
}

#[test]
fn all_lines_have_one_format_and_what_others_cause_is_no_error() {
    let mut site = Appliance::initialized();
    site.reconfigure("[listen]", "[listen]\ntls = \"self-signed\"");
    site.reconfigure("public_url = \"http://", "public_url = \"https://");
    site.start();
    send_nonsense(site.port, b"GET / HTTP/1.1\r\nHost: a\r\nHost\r\n\r\n");
    send_nonsense(site.port, &[22, 3, 1, 0, 5, 1, 0, 0, 1, 0]);
    site.stop();
    site.reconfigure("[listen]\ntls = \"self-signed\"", "[listen]");
    site.reconfigure("public_url = \"https://", "public_url = \"http://");
    site.start();
    for nonsense in
        [&b"\x16\x03\x01\x00"[..], b"GET /%zz HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
    {
        send_nonsense(site.port, nonsense);
    }
    site.call("GET", "/nothing").send();
    site.stop();

    let log = site.log();
    for line in log.lines() {
        assert!(is_a_line(line), "another format: {line}\n{log}");
        let is_known = line.contains("The keyring has not been exported");
        let is_noise = [" ERROR ", " WARN ", " DEBUG "].iter().any(|word| line.contains(word));
        assert!(is_known || !is_noise, "{log}");
    }

    // At the level debug, one sees it.
    let mut site = Appliance::initialized_with("[log]\nlevel = \"debug\"\n");
    site.start();
    site.call("GET", "/nothing").send();
    assert!(site.log().contains("DEBUG A request was refused. request="), "{}", site.log());
}

#[test]
fn a_machine_that_locks_no_memory_is_no_warning() {
    let mut site = Appliance::initialized();
    let serve = site.command(&["serve"]);
    let mut limited = Command::new("sh");
    // Root may lock memory whatever the limit is.
    let script = "ulimit -l 0; [ $(id -u) != 0 ] || set -- setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock -- \"$@\"; exec \"$@\"";
    limited.args(["-c", script, "sh"]).arg(serve.get_program()).arg("serve").env_clear();
    limited.env("DOMICILE_CONFIG", site.config()).env("PATH", "/usr/bin:/bin");
    site.start_as(limited);

    assert!(!site.log().contains("mlock") && site.log().lines().all(is_a_line), "{}", site.log());
}

#[test]
fn the_journal_gets_priorities_and_no_times() {
    let mut site = Appliance::initialized();
    let path = site.folder().join("log");
    std::fs::write(&path, "").unwrap();
    let file = std::fs::metadata(&path).unwrap();
    let mut serve = site.command(&["serve"]);
    serve.env("JOURNAL_STREAM", format!("{}:{}", file.dev(), file.ino()));
    site.start_as(serve);
    assert_eq!(wrong_sign_in(&site, "ada-l", "203.0.113.7"), 401);
    wait_for("the event", || site.log().contains("signin_failed").then_some(()));
    site.stop();

    let log = site.log();
    assert!(log.lines().all(|line| line.starts_with('<') && line[2..].starts_with('>')), "{log}");
    assert!(log.contains("\n<5>Security. event=auth.signin_failed outcome=failure visitor=127.0.0.1 "), "{log}");
    assert!(log.contains("<6>Domicile is serving. address=http://127.0.0.1:"), "{log}");

    // A start that fails says so with the priority of an error.
    std::fs::remove_file(site.keyring()).unwrap();
    let failed = std::fs::File::create(site.folder().join("failed")).unwrap();
    let file = failed.metadata().unwrap();
    let mut serve = site.command(&["serve"]);
    serve.env("JOURNAL_STREAM", format!("{}:{}", file.dev(), file.ino())).stderr(failed);
    assert_eq!(serve.status().unwrap().code(), Some(2));
    let failed = std::fs::read_to_string(site.folder().join("failed")).unwrap();
    assert!(failed.starts_with("<3>domicile: the keyring cannot be used"), "{failed}");
}

#[test]
fn json_has_one_object_on_each_line() {
    let site = behind_proxy("[log]\nformat = \"json\"\n");
    assert_eq!(wrong_sign_in(&site, "ada-l", "203.0.113.7"), 401);
    wait_for("the event", || site.log().contains("signin_failed").then_some(()));

    let objects: Vec<Value> = site.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    let event = objects.iter().find(|object| object["event"] == "auth.signin_failed").unwrap();
    assert_eq!((event["level"].as_str(), event["visitor"].as_str()), (Some("notice"), Some("203.0.113.7")));
    assert!(objects.iter().all(|object| object["time"].is_string() && object["message"].is_string()));
}
