//! S8: a web vulnerability scanner (Debian's `wapiti`) finds nothing in the running program.

use std::process::Command;

use serde_json::Value;

use crate::support::{Appliance, tool, tool_script};

/// Findings that we ignore: a filter that browsers have removed because it caused vulnerabilities of its own, and what is
/// only valid over TLS, where it is sent (`headers_of_every_answer`): a header, and the flag of cookies.
const IGNORED: [&str; 3] = [
    "X-XSS-Protection is not set",
    "Strict-Transport-Security is not set",
    "Secure flag is not set in the cookie : domicile-",
];
/// The modules for anonymous visitors. Each tries its kind of attack on every page, form and parameter that it reaches.
const ANONYMOUS: &str =
    "backup,cookieflags,crlf,csp,csrf,exec,file,htaccess,http_headers,methods,permanentxss,redirect,shellshock,sql,xss";
/// The modules for a signed-in person. All modules would take minutes, because there are many more forms.
const SIGNED_IN: &str = "cookieflags,crlf,csp,http_headers,permanentxss,redirect,sql,xss";
/// Paths that would end the session, or change its cookie, which the scanner does not notice.
const EXCLUDED: [&str; 2] = ["/signout*", "/settings/security/password"];

#[test]
#[ignore = "deep: the scanner takes minutes"]
fn s8_a_scanner_finds_nothing_without_a_session() {
    let site = Appliance::running();
    let pages = ["/signin", "/signup", "/reset"];

    let log = scan(&site, &pages, ANONYMOUS, None);

    for page in pages {
        assert!(log.contains(page), "{page} was not reached:\n{log}");
    }
}

#[test]
#[ignore = "deep: the scanner takes minutes"]
fn s8_a_scanner_finds_nothing_with_a_session() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");

    let log = scan(&site, &["/settings/profile", "/settings/keys"], SIGNED_IN, Some(&ada.cookie_header()));

    for page in ["/settings/profile", "/settings/keys", "/settings/security", "/settings/privacy", "/activity"] {
        assert!(log.contains(page), "{page} was not reached:\n{log}");
    }
    assert_eq!(ada.get("/settings/profile").status, 200, "the session is still live");
}

/// Scans the site from these pages. Returns the log of the scanner.
#[track_caller]
fn scan(site: &Appliance, from: &[&str], modules: &str, cookies: Option<&str>) -> String {
    let report = site.folder().join("scan.json");
    // Runs the installed scanner with a fix for its one bug, with the Python that it is installed for.
    tool("wapiti");
    let mut scanner = Command::new("/usr/bin/python3");
    scanner.arg(tool_script("scan.py"));
    for path in EXCLUDED {
        scanner.args(["--exclude", &format!("{}{path}", site.url())]);
    }
    scanner.args(["--flush-session", "--no-bugreport", "--scope", "domain", "--depth", "3", "--verbose", "1"]);
    // The CSRF token of each form must not change: with a wrong one the server ignores the rest of the form.
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
    let log = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{log}{}", String::from_utf8_lossy(&done.stderr));

    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let kinds = ["vulnerabilities", "anomalies"].into_iter().flat_map(|part| report[part].as_object().unwrap());
    let found = kinds.flat_map(|(kind, found)| found.as_array().unwrap().iter().map(move |one| (kind, one)));
    let is_ignored = |info: &str| IGNORED.iter().any(|ignored| info.starts_with(ignored));
    let found: Vec<_> = found.filter(|(_, one)| !is_ignored(one["info"].as_str().unwrap_or_default())).collect();
    assert!(found.is_empty(), "{found:#?}");
    log
}
