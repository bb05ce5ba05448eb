//! S8: what a scanner of web sites that is not ours (Debian's `wapiti`) finds in the running program: nothing.

use std::process::Command;

use serde_json::Value;

use crate::support::{Appliance, part};

/// What it misses, and should not find: a filter that browsers gave up because it made holes of its own, and a promise that
/// means something over TLS only, where it is given (`headers_of_every_answer`).
const MISSED: [&str; 2] = ["X-XSS-Protection is not set", "Strict-Transport-Security is not set"];
/// Each tries its kind of attack on every page, form and parameter that it reaches.
const MODULES: &str =
    "backup,cookieflags,crlf,csp,csrf,exec,file,htaccess,http_headers,methods,permanentxss,redirect,shellshock,sql,xss";

#[test]
fn s8_a_scanner_finds_nothing_neither_as_a_stranger_nor_as_somebody_signed_in() {
    let house = Appliance::running();
    house.account("ada-l");
    let mut ada = house.browser();
    ada.sign_in("ada-l");

    let stranger = scan(&house, &["/signin", "/signup", "/reset"], None, "stranger");
    let inside = scan(&house, &["/settings/profile", "/settings/keys"], Some(&ada.cookie_header()), "inside");

    for page in ["/signin", "/signup", "/reset"] {
        assert!(stranger.contains(page), "{page} was not reached:\n{stranger}");
    }
    for page in ["/settings/profile", "/settings/keys", "/settings/security", "/settings/privacy", "/activity"] {
        assert!(inside.contains(page), "{page} was not reached:\n{inside}");
    }
}

/// Scans from these pages, and answers what it looked at.
#[track_caller]
fn scan(house: &Appliance, from: &[&str], cookies: Option<&str>, name: &str) -> String {
    let report = house.folder().join(format!("{name}.json"));
    let mut scanner = Command::new(part("wapiti"));
    scanner.args(["--flush-session", "--no-bugreport", "--scope", "domain", "--depth", "3", "--verbose", "1"]);
    scanner.args(["--format", "json", "--module", MODULES, "--url", &format!("{}{}", house.url(), from[0])]);
    scanner.arg("--output").arg(&report).env("HOME", house.folder());
    for page in from {
        scanner.arg("--start").arg(format!("{}{page}", house.url()));
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
    assert!(found.is_empty(), "{name}: {found:#?}");
    told
}
