//! S7: no parameter can redirect a person to another host (open redirect). The rules of browsers decide what is another
//! host: the URL parser of node, which follows the WHATWG standard, reads each answer.

use crate::support::{Appliance, Browser, finish, is_deep, tool};

/// Targets of known open-redirect attacks.
const TARGETS: [&str; 60] = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\\/evil.example",
    "/\\\\evil.example",
    "\\/\\/evil.example",
    "https://evil.example",
    "http://evil.example",
    "HTTPS://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https:\\\\evil.example",
    "http:/\\evil.example",
    "//evil.example/settings/profile",
    "//evil.example:443/settings",
    "//localhost@evil.example",
    "https://localhost@evil.example",
    "https://localhost:80@evil.example/",
    "//user:secret@evil.example",
    "/@evil.example",
    "@evil.example",
    "/%2f%2fevil.example",
    "/%2fevil.example",
    "%2f%2fevil.example",
    "%2F%2Fevil.example",
    "/%5cevil.example",
    "/%5c%5cevil.example",
    "%5c%5cevil.example",
    "/%252f%252fevil.example",
    "/%09/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "\r\n//evil.example",
    "/%0d%0aLocation:%20https://evil.example",
    "/settings\r\nLocation: https://evil.example",
    " //evil.example",
    "//evil.example ",
    "\u{0}//evil.example",
    "/\u{0}/evil.example",
    "/\u{2044}evil.example",
    "/\u{ff0f}evil.example",
    "\u{ff0f}\u{ff0f}evil.example",
    "//evil\u{3002}example",
    "//evil%E3%80%82example",
    "//ev\u{ad}il.example",
    "//[::ffff:203.0.113.1]",
    "//3405803777",
    "//0xcb007101",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,evil",
    "/../..//evil.example",
    "/.//evil.example",
    "/..;//evil.example",
    "/settings/../../\\evil.example",
];

/// Reads lines with a base URL and a target. Prints the targets that lead to another host, and fails for an invalid
/// target.
const JUDGE: &str = "
const lines = require('fs').readFileSync(0, 'utf8').split('\\n').filter(Boolean).map((line) => JSON.parse(line));
for (const [base, target] of lines) {
  const url = new URL(target, base);
  if (url.origin !== new URL(base).origin) console.log(`${JSON.stringify(target)} leads to ${url}`);
}";

fn csrf(browser: &mut Browser) -> String {
    browser.get("/settings/profile").value_of("name=\"csrf\"")
}

#[test]
fn s7_sixty_attacks_redirect_to_no_other_host() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let token = csrf(&mut ada);
    let mut redirects = Vec::new();
    let mut record = |what: &str, target: &str, status: u16, location: &str| {
        // A form with a zero byte is refused.
        assert!(
            status == 303 || (status == 400 && location.is_empty() && target.contains('\0')),
            "{what}: {target:?} {status}"
        );
        assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{what}: {target:?} became {location:?}");
        redirects.push((what.to_owned(), target.to_owned(), location.to_owned()));
    };

    for target in TARGETS {
        let query = crate::support::encode(target);
        let shown = ada.get(&format!("/signin?next={query}"));
        record("signin", target, shown.status, shown.location());
        let proved = ada.post("/step-up", &[("csrf", &token), ("next", target)]);
        record("step-up", target, proved.status, proved.location());
        let themed = ada.post("/theme", &[("csrf", &token), ("theme", "dark"), ("back", target)]);
        record("theme", target, themed.status, themed.location());
    }
    // The sign-in form, and the redirects of an anonymous visitor, with the targets that a path or a header can
    // contain.
    for target in TARGETS.iter().filter(|target| target.starts_with('/')).step_by(if is_deep() { 1 } else { 6 }) {
        let mut anonymous = site.browser();
        let page = format!("/signin?next={}", crate::support::encode(target));
        let fields = [("name", "ada-l"), ("password", crate::support::PASSWORD), ("next", *target)];
        let entered = anonymous.submit(&page, "/signin", &fields);
        record("the sign-in form", target, entered.status, entered.location());
    }
    for target in
        ["/settings/keys?x=//evil.example", "/settings/keys?next=https://evil.example", "/settings?@evil.example"]
    {
        let answer = site.browser().get(target);
        record("an anonymous page request", target, answer.status, answer.location());
    }
    for referer in ["https://evil.example/settings", "http://localhost.evil.example/", "//evil.example"] {
        let call = site.call("POST", "/settings/profile").header("Referer", referer).form(&[("csrf", "x")]);
        let answer = call.send();
        record("an anonymous form", referer, answer.status, answer.location());
    }

    assert!(redirects.len() >= 180 + 10);
    let lines: Vec<_> = redirects
        .iter()
        .map(|(_, _, location)| serde_json::json!([format!("{}/signin", site.url()), location]).to_string())
        .collect();
    let mut node = std::process::Command::new(tool("node"));
    node.args(["-e", JUDGE]);
    node.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let judged = finish(&mut node, &lines.join("\n"));
    assert_eq!((judged.status, judged.stdout.as_str()), (0, ""), "{}", judged.stderr);
}

#[test]
fn s7_a_path_that_looks_like_a_host_is_not_found() {
    let site = Appliance::running();

    for path in ["//evil.example", "//evil.example/%2e%2e", "/\\evil.example", "/%2f/evil.example", "/.//evil.example"]
    {
        let answer = site.call("GET", path).try_send();
        // A client may also refuse to send it.
        if let Ok(answer) = answer {
            assert!(answer.status == 404 || answer.status == 400, "{path}: {} {}", answer.status, answer.location());
        }
    }
}
