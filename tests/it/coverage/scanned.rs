//! S8: what a scanner of web sites that is not ours (Debian's `wapiti`) finds in the running program: nothing.

use std::process::Command;

use serde_json::Value;

use crate::support::{Appliance, tool, tool_script};

/// What it misses, and should not find: a filter that browsers gave up because it made holes of its own, and a promise that
/// means something over TLS only, where it is given (`headers_of_every_answer`).
const MISSED: [&str; 2] = ["X-XSS-Protection is not set", "Strict-Transport-Security is not set"];
/// Each tries its kind of attack on every page, form and parameter that it reaches.
const AS_A_STRANGER: &str =
    "backup,cookieflags,crlf,csp,csrf,exec,file,htaccess,http_headers,methods,permanentxss,redirect,shellshock,sql,xss";
/// Those whose danger hangs on who somebody is. All of them would take minutes, because there are so many more forms.
const SIGNED_IN: &str = "cookieflags,crlf,csp,http_headers,permanentxss,redirect,sql,xss";
/// What would end the session, or give it a cookie that the scanner does not take.
const LEFT_ALONE: [&str; 2] = ["/signout*", "/settings/security/password"];

#[test]
fn s8_a_scanner_finds_nothing_as_a_stranger() {
    let site = Appliance::running();
    let pages = ["/signin", "/signup", "/reset"];

    let looked_at = scan(&site, &pages, AS_A_STRANGER, None);

    for page in pages {
        assert!(looked_at.contains(page), "{page} was not reached:\n{looked_at}");
    }
}

#[test]
fn s8_a_scanner_finds_nothing_as_somebody_signed_in() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");

    let looked_at = scan(&site, &["/settings/profile", "/settings/keys"], SIGNED_IN, Some(&ada.cookie_header()));

    for page in ["/settings/profile", "/settings/keys", "/settings/security", "/settings/privacy", "/activity"] {
        assert!(looked_at.contains(page), "{page} was not reached:\n{looked_at}");
    }
    assert_eq!(ada.get("/settings/profile").status, 200, "it was signed in from the beginning to the end");
}

/// Scans from these pages, and answers what it looked at.
#[track_caller]
fn scan(site: &Appliance, from: &[&str], modules: &str, cookies: Option<&str>) -> String {
    let report = site.folder().join("scan.json");
    // The installed program is asked for, and run with its one fault repaired, by the Python that it is installed for.
    tool("wapiti");
    let mut scanner = Command::new("/usr/bin/python3");
    scanner.arg(tool_script("scan.py"));
    for path in LEFT_ALONE {
        scanner.args(["--exclude", &format!("{}{path}", site.url())]);
    }
    scanner.args(["--flush-session", "--no-bugreport", "--scope", "domain", "--depth", "3", "--verbose", "1"]);
    // The token of each form stays as it is: with another one nothing else in the form is looked at.
    scanner.args(["--skip", "csrf"]);
    scanner.args(["--format", "json", "--module", modules, "--url", &format!("{}{}", site.url(), from[0])]);
    scanner.arg("--output").arg(&report).env("HOME", site.folder());
    for page in from {
        scanner.arg("--start").arg(format!("{}{page}", site.url()));
    }
    if let Some(cookies) = cookies {
        scanner.args(["--header", &format!("Cookie: {cookies}")]);
    }
    let done = scanner.output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{told}{}", String::from_utf8_lossy(&done.stderr));

    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let kinds = ["vulnerabilities", "anomalies"].into_iter().flat_map(|part| report[part].as_object().unwrap());
    let found = kinds.flat_map(|(kind, found)| found.as_array().unwrap().iter().map(move |one| (kind, one)));
    let found: Vec<_> = found.filter(|(_, one)| !MISSED.contains(&one["info"].as_str().unwrap_or_default())).collect();
    assert!(found.is_empty(), "{found:#?}");
    told
}
