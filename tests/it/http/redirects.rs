//! S7: nobody is led to another host, whatever stands where a page to go on to is named. A browser's own rules decide what
//! counts as another host: each answer is read by the URL parser of the WHATWG standard that node brings.

use crate::support::{Appliance, Browser, finish, tool};

/// What people who lead others astray have written there.
const LURES: [&str; 60] = [
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

/// Reads a line of base and one of target after the other: tells which leave the host, or are no address to go to.
const JUDGE: &str = "
const lines = require('fs').readFileSync(0, 'utf8').split('\\n').filter(Boolean).map((line) => JSON.parse(line));
for (const [base, target] of lines) {
  const led = new URL(target, base);
  if (led.origin !== new URL(base).origin) console.log(`${JSON.stringify(target)} leads to ${led}`);
}";

fn csrf(browser: &mut Browser) -> String {
    browser.get("/settings/profile").value_of("name=\"csrf\"")
}

#[test]
fn s7_sixty_lures_lead_nobody_to_another_host() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let token = csrf(&mut ada);
    let mut told = Vec::new();
    let mut note = |what: &str, lure: &str, status: u16, location: &str| {
        // No form may hold a zero byte.
        assert!(
            status == 303 || (status == 400 && location.is_empty() && lure.contains('\0')),
            "{what}: {lure:?} {status}"
        );
        assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{what}: {lure:?} became {location:?}");
        told.push((what.to_owned(), lure.to_owned(), location.to_owned()));
    };

    for lure in LURES {
        let query = crate::support::encode(lure);
        let shown = ada.get(&format!("/signin?next={query}"));
        note("signin", lure, shown.status, shown.location());
        let proved = ada.post("/step-up", &[("csrf", &token), ("next", lure)]);
        note("step-up", lure, proved.status, proved.location());
        let themed = ada.post("/theme", &[("csrf", &token), ("theme", "dark"), ("back", lure)]);
        note("theme", lure, themed.status, themed.location());
    }
    // The form itself, and the way there and back of a stranger, with those that a path or a header can carry.
    for lure in LURES.iter().filter(|lure| lure.starts_with('/')).step_by(3) {
        let mut stranger = site.browser();
        let page = format!("/signin?next={}", crate::support::encode(lure));
        let fields = [("name", "ada-l"), ("password", crate::support::PASSWORD), ("next", *lure)];
        let entered = stranger.submit(&page, "/signin", &fields);
        note("the form to sign in", lure, entered.status, entered.location());
    }
    for lure in
        ["/settings/keys?x=//evil.example", "/settings/keys?next=https://evil.example", "/settings?@evil.example"]
    {
        let led = site.browser().get(lure);
        note("a stranger's path", lure, led.status, led.location());
    }
    for referer in ["https://evil.example/settings", "http://localhost.evil.example/", "//evil.example"] {
        let call = site.call("POST", "/settings/profile").header("Referer", referer).form(&[("csrf", "x")]);
        let led = call.send();
        note("a stranger's form", referer, led.status, led.location());
    }

    assert!(told.len() >= 180 + 10);
    let lines: Vec<_> = told
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
fn s7_a_path_that_looks_like_a_host_is_not_found_and_leads_nowhere() {
    let site = Appliance::running();

    for path in ["//evil.example", "//evil.example/%2e%2e", "/\\evil.example", "/%2f/evil.example", "/.//evil.example"]
    {
        let answer = site.call("GET", path).try_send();
        // A client that refuses to send it is as good.
        if let Ok(answer) = answer {
            assert!(answer.status == 404 || answer.status == 400, "{path}: {} {}", answer.status, answer.location());
        }
    }
}
