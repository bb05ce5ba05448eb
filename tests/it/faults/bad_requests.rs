use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::{Appliance, Reporter};

/// Resident memory of the server, in KiB.
fn resident_kib(site: &Appliance) -> i64 {
    memory_kib(site, "VmRSS")
}

fn memory_kib(site: &Appliance, which: &str) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", site.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(which)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn row_27_oversized_bodies_are_refused_and_need_no_memory() {
    let site = Appliance::running();
    let reporter = Reporter::new(&site);
    let post = |path: &str, kind: &str, body: Vec<u8>| {
        site.call("POST", path).bearer(&reporter.service).header("Content-Type", kind).body(body).send()
    };
    // Requests to warm up, so that only growth is measured.
    for _ in 0..20 {
        reporter.report(&site, &["warm".into()]).unwrap();
        post("/v1/usage/events", "application/json", vec![b'['; 1 << 20]);
    }
    let before = resident_kib(&site);

    let form = "application/x-www-form-urlencoded";
    for _ in 0..5 {
        let large = post("/v1/usage/events", "application/json", vec![b' '; 9 << 20]);
        assert_eq!((large.status, large.json()["code"].as_str()), (413, Some("too_large")));
        assert_eq!(post("/v1/introspect", form, vec![b'x'; 1 << 20]).status, 413);
        assert_eq!(
            post("/signin", form, vec![b'x'; 1 << 20]).status,
            403,
            "without the cookie of our page, before the body"
        );
        let deep = post("/v1/usage/events", "application/json", vec![b'['; 1_000_000]);
        assert_eq!(deep.status, 400, "{}", deep.text());
        let fields = post("/v1/introspect", form, "a=1&".repeat(15_000).into_bytes());
        assert_eq!((fields.status, fields.json()["code"].as_str()), (400, Some("malformed_form")));
        let header = site.call("GET", "/healthz").header("X-Long", &"x".repeat(200_000)).try_send();
        assert!(header.is_err() || matches!(header.unwrap().status, 400 | 413 | 431));
    }

    let growth = resident_kib(&site) - before;
    assert!(growth < 10 * 1024, "{growth} KiB more");
    assert_eq!(site.call("GET", "/readyz").send().status, 200);
}

#[test]
fn a_form_that_is_too_large_gets_a_page_that_says_so() {
    let site = Appliance::running();
    let mut browser = site.browser();
    browser.get("/forgot");

    let answer = browser.post("/forgot", &[("email", &"x".repeat(100_000))]);

    assert_eq!((answer.status, answer.header("content-type")), (413, "text/html; charset=utf-8"));
    let text = answer.text();
    assert!(text.contains("Too large") && text.contains("Send less at once."), "{text}");
    assert!(!answer.header("x-request-id").is_empty() && text.contains(answer.header("x-request-id")), "{text}");
}

#[test]
fn row_27_a_batch_of_millions_needs_little_more_memory_than_its_body() {
    let site = Appliance::running();
    let reporter = Reporter::new(&site);
    reporter.report(&site, &["warm".into()]).unwrap();
    let before = memory_kib(&site, "VmHWM");
    let body = format!("[{}1]", "1,".repeat(4_000_000 - 1));

    let many = site
        .call("POST", "/v1/usage/events")
        .bearer(&reporter.service)
        .header("Content-Type", "application/json")
        .body(body)
        .send();

    assert_eq!((many.status, many.json()["code"].as_str()), (400, Some("batch_size")));
    let growth = memory_kib(&site, "VmHWM") - before;
    // The body has 8 MB, and the buffer needs twice as much while it grows.
    assert!(growth < 40 * 1024, "{growth} KiB at most");
}

#[test]
fn malformed_bodies_are_refused_with_the_field() {
    let site = Appliance::running();
    let reporter = Reporter::new(&site);
    let events = |body: &str| {
        let answer = site
            .call("POST", "/v1/usage/events")
            .bearer(&reporter.service)
            .header("Content-Type", "application/json")
            .body(body)
            .send();
        (answer.status, answer.json())
    };

    for body in ["", "{", "{}", "null", "[{}]x", "\"x\"", "[1", "[]]"] {
        let (status, told) = events(body);
        assert_eq!(status, 400, "{body:?}: {told}");
        let sentence = told["error"].as_str().unwrap_or_default();
        assert!(sentence.len() > 20 && sentence.ends_with('.'), "{body:?}: {told}");
    }
    let missing = site.call("POST", "/v1/introspect").bearer(&reporter.service).form(&[("tokn", "x")]).send();
    assert_eq!((missing.status, missing.json()["field"].as_str()), (400, Some("token")));
    let not_utf8 = site.call("POST", "/v1/introspect").bearer(&reporter.service).body(&b"token=%ff"[..]).send();
    assert_eq!(not_utf8.status, 400);
}

#[test]
fn row_46_invalid_quantities_are_refused_event_by_event() {
    let site = Appliance::running();
    let reporter = Reporter::new(&site);
    let bad = [
        json!("-1"),
        json!(-1),
        json!("0"),
        json!(0),
        json!("1e3"),
        json!(0.5),
        json!("NaN"),
        json!("Infinity"),
        json!("-0"),
        json!(""),
        json!(" 1"),
        json!("1 "),
        json!("+1"),
        json!("0x10"),
        json!("1,5"),
        json!("0.0000001"),
        json!(null),
        json!(true),
        json!([1]),
        json!({"n": 1}),
        json!("9223372036854775808"),
        json!("99999999999999999999999999"),
    ];
    let mut events: Vec<Value> = bad
        .iter()
        .enumerate()
        .map(|(number, quantity)| {
            let mut event = reporter.event(&format!("bad-{number}"));
            event["quantity"] = quantity.clone();
            event
        })
        .collect();
    events.push(reporter.event("good"));

    let answer = site.call("POST", "/v1/usage/events").bearer(&reporter.service).json(&Value::Array(events)).send();

    let told = answer.json();
    assert_eq!((answer.status, told["accepted"].as_i64()), (200, Some(1)), "{told}");
    let rejected: Vec<i64> =
        told["rejected"].as_array().unwrap().iter().map(|fault| fault["index"].as_i64().unwrap()).collect();
    assert_eq!(rejected, (0..bad.len() as i64).collect::<Vec<_>>(), "{told}");
}

#[test]
fn row_45_a_repeated_event_is_billed_once_and_another_body_is_a_conflict() {
    let mut site = Appliance::running();
    let reporter = Reporter::new(&site);
    let send = |site: &Appliance, key: &str, body: &Value| {
        site.call("POST", "/v1/usage/events").bearer(&reporter.service).header("Idempotency-Key", key).json(body).send()
    };
    let event = json!([reporter.event("once")]);

    let first = send(&site, "k1", &event);
    assert_eq!(first.json()["accepted"], 1);
    for _ in 0..100 {
        let again = send(&site, "k1", &event);
        assert_eq!((again.json(), again.header("idempotent-replayed")), (first.json(), "true"));
    }
    let other = send(&site, "k1", &json!([reporter.event("twice")]));
    assert_eq!((other.status, other.json()["code"].as_str()), (409, Some("idempotency_mismatch")));
    site.stop();
    site.start();
    assert_eq!(send(&site, "k1", &event).json(), first.json());
    assert_eq!(send(&site, "k2", &event).json()["duplicates"], 1);

    let mut altered = event.clone();
    altered[0]["quantity"] = json!("2");
    let conflict = send(&site, "k3", &altered).json();
    assert_eq!(
        (conflict["accepted"].as_i64(), conflict["rejected"][0]["code"].as_str()),
        (Some(0), Some("event_conflict"))
    );
}

#[test]
fn broken_http_is_answered_once_or_not_at_all() {
    let site = Appliance::running();
    let ask = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(("127.0.0.1", site.port)).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };

    for broken in [
        &b"GET /healthz HTTP/9.9\r\n\r\n"[..],
        b"nonsense\r\n\r\n",
        b"POST /signin HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /signin HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /signin HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /heal\0thz HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let answer = ask(broken);
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answers <= 1 && !answer.contains(" 200 "), "{:?}: {answer}", String::from_utf8_lossy(broken));
    }
    assert_eq!(site.call("GET", "/healthz").send().status, 200);
}
