//! Webhooks to services of all kinds: good, slow, endless, moved, gone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use domicile::base::{Actor, Problem, ServiceId, days, hours, minutes, seconds};
use domicile::config::Egress;
use domicile::inbox::{self, AckOutcome, Delivery, WebhookState};

use super::{acknowledge, ping, send, service};
use crate::support::{TestApp, rounds, wait_for};

/// A request that a service got.
#[derive(Debug)]
struct Received {
    /// In lower case, with their values.
    headers: Vec<(String, String)>,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// A service that answers each request as `answer` says.
struct Hook {
    url: String,
    received: Receiver<Received>,
}

impl Hook {
    fn new(answer: impl Fn(&Received, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, received) = channel();
        let answer = std::sync::Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, sender, answer) = (stream.unwrap(), sender.clone(), answer.clone());
                std::thread::spawn(move || {
                    // The client uses a connection again.
                    while let Some(request) = read_request(&stream) {
                        let copy = Received { headers: request.headers.clone(), body: request.body.clone() };
                        let _ = sender.send(copy);
                        answer(&request, &mut stream);
                    }
                });
            }
        });
        Self { url, received }
    }

    /// Answers with this status line and body.
    fn answering(status: &'static str, body: &'static str) -> Self {
        Self::new(move |_, stream| respond(stream, status, body))
    }

    fn count(&self) -> usize {
        self.received.try_iter().count()
    }
}

fn respond(stream: &mut TcpStream, status: &str, body: &str) {
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
}

fn read_request(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    assert!(line.starts_with("POST /hook "), "{line}");
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some(Received { headers, body: String::from_utf8(body).unwrap() })
}

/// An appliance that may call this machine.
fn site() -> TestApp {
    TestApp::with(|config| {
        let region = config.region.clone();
        config.egress.push(Egress { host: "127.0.0.1".into(), region: region.clone(), purpose: "webhooks".into() });
        config.egress.push(Egress { host: "idp.example".into(), region, purpose: "sign-in".into() });
    })
}

fn set(site: &TestApp, service: ServiceId, url: &str) -> Option<domicile::base::Secret<String>> {
    let url = url.to_owned();
    site.write(move |tx| inbox::set_webhook(tx, &Actor::Operator, service, Some(&url))).unwrap()
}

fn deliver(site: &TestApp) -> usize {
    site.block_on(inbox::deliver_due(&site.app)).unwrap()
}

fn last(site: &TestApp, command: domicile::base::CommandId) -> Delivery {
    site.read(|view| inbox::deliveries(view, command).unwrap()).remove(0)
}

fn state(site: &TestApp, service: ServiceId) -> WebhookState {
    site.read(|view| inbox::webhook(view, service).unwrap()).unwrap().state
}

#[test]
fn a_webhook_has_the_command_and_its_answer_is_in_the_log() {
    let site = site();
    let farm = service(&site, "farm");
    let before = send(&site, farm, ping());
    assert_eq!(deliver(&site), 0, "there is no address yet");
    let hook = Hook::answering("202 Accepted", "queued \u{202e}<b>\r\n\u{0}");
    assert!(set(&site, farm, &hook.url).unwrap().expose().starts_with("whsec_"));
    assert!(set(&site, farm, &hook.url).is_none(), "the secret is shown once");
    let after = send(&site, farm, ping());
    assert_eq!(deliver(&site), 2);

    let requests: Vec<_> = hook.received.try_iter().collect();
    let ids: Vec<_> = requests.iter().map(|request| request.header("webhook-id")).collect();
    assert_eq!(ids, [before.to_string(), after.to_string()]);
    let body: serde_json::Value = serde_json::from_str(&requests[0].body).unwrap();
    assert_eq!((body["type"].as_str(), body["id"].as_str()), (Some("test.ping"), Some(before.to_string().as_str())));
    assert_eq!(requests[0].header("content-type"), "application/json");
    assert_eq!(requests[0].header("webhook-timestamp"), site.clock.now().unix_seconds().to_string());
    let delivery = last(&site, before);
    assert_eq!((delivery.status, delivery.failure), (Some(202), None));
    assert_eq!(delivery.answer, "queued \u{fffd}<b>  \u{fffd}");
    // It is open until it is acknowledged, and not sent again.
    site.clock.advance(days(1));
    assert_eq!(deliver(&site), 0);
    assert_eq!(site.read(|view| inbox::inbox(view, farm, 0).unwrap()).0.len(), 2);
}

#[test]
fn a_webhook_that_is_not_taken_is_tried_ten_times_in_three_days_and_stays_in_the_inbox() {
    let site = site();
    let farm = service(&site, "farm");
    let hook = Hook::answering("500 Internal Server Error", "oops");
    set(&site, farm, &hook.url);
    let id = send(&site, farm, ping());
    let waits = [
        seconds(0),
        seconds(5),
        minutes(5),
        minutes(30),
        hours(2),
        hours(5),
        hours(10),
        hours(14),
        hours(20),
        hours(24),
    ];
    for (attempt, wait) in waits.into_iter().enumerate() {
        if attempt > 0 {
            site.clock.advance(wait - seconds(1));
            assert_eq!(deliver(&site), 0, "attempt {attempt} is early");
            site.clock.advance(seconds(1));
        }
        assert_eq!(deliver(&site), 1, "attempt {attempt}");
    }
    site.clock.advance(days(9));
    assert_eq!((deliver(&site), hook.count()), (0, 10));
    let delivery = last(&site, id);
    assert_eq!((delivery.status, delivery.answer.as_str()), (Some(500), "oops"));
    assert_eq!(delivery.failure.as_deref(), Some("the service answered 500"));
    assert!(matches!(state(&site, farm), WebhookState::Failing(_)));
    assert_eq!(site.read(|view| inbox::inbox(view, farm, 0).unwrap()).0[0].attempts, 10);

    // An operator tries it once more.
    site.write(move |tx| inbox::retry_now(tx, &Actor::Operator, id)).unwrap();
    assert_eq!(deliver(&site), 1);
}

#[test]
fn what_waits_for_a_service_is_due_when_it_works_again() {
    let site = site();
    let farm = service(&site, "farm");
    let hook = Hook::new({
        let count = std::sync::atomic::AtomicU32::new(0);
        move |_, stream| {
            let is_down = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 3;
            respond(stream, if is_down { "503 Service Unavailable" } else { "204 No Content" }, "");
        }
    });
    set(&site, farm, &hook.url);
    let many = rounds(50, 1_000);
    let all: Vec<_> = (0..many).map(|_| ping()).collect();
    site.write(move |tx| all.iter().try_for_each(|new| inbox::send(tx, farm, new).map(drop))).unwrap();
    // However many commands wait, a service that takes none gets one call for each pause.
    assert_eq!(deliver(&site), 1);
    assert_eq!(deliver(&site), 0);
    for wait in [seconds(5), minutes(5)] {
        site.clock.advance(wait - seconds(1));
        assert_eq!(deliver(&site), 0);
        site.clock.advance(seconds(1));
        assert_eq!((deliver(&site), deliver(&site)), (1, 0));
    }
    assert!(matches!(state(&site, farm), WebhookState::Failing(_)));
    assert_eq!(site.number("select max(attempts) from service_command"), 1, "each call had another command");
    // A new command does not end the pause. At its end one is taken, and with it all others.
    send(&site, farm, ping());
    assert_eq!(deliver(&site), 0);
    site.clock.advance(minutes(30));
    assert_eq!((deliver(&site), state(&site, farm)), (many + 1, WebhookState::Working));
    assert_eq!(hook.count(), many + 4);
}

#[test]
fn a_service_that_says_when_it_can_be_called_again_is_called_then() {
    let site = site();
    let later = |status: &'static str, after: &'static str| {
        Hook::answering(Box::leak(format!("{status}\r\nRetry-After: {after}").into_boxed_str()), "")
    };
    let cases = [
        ("soon", later("503 Service Unavailable", "90"), seconds(90)),
        ("limited", later("429 Too Many Requests", "7200"), hours(2)),
        ("at-once", later("503 Service Unavailable", "0"), seconds(5)),
        ("never", later("503 Service Unavailable", "99999999999"), days(1)),
        // These say nothing that counts.
        ("other", later("500 Internal Server Error", "90"), seconds(5)),
        ("date", later("503 Service Unavailable", "Wed, 21 Oct 2099 07:28:00 GMT"), seconds(5)),
        ("nonsense", later("503 Service Unavailable", "-1"), seconds(5)),
    ];
    for (name, hook, wait) in cases {
        let farm = service(&site, name);
        set(&site, farm, &hook.url);
        let first = send(&site, farm, ping());
        send(&site, farm, ping());
        assert_eq!(deliver(&site), 1, "{name}");
        let endpoint = site.read(|view| inbox::webhook(view, farm).unwrap()).unwrap();
        assert_eq!(endpoint.paused_until, Some(site.clock.now().plus(wait)), "{name}");
        site.clock.advance(wait - seconds(1));
        assert_eq!(deliver(&site), 0, "{name}");

        // An operator need not wait, and a new address neither.
        site.write(move |tx| inbox::retry_now(tx, &Actor::Operator, first)).unwrap();
        assert_eq!(deliver(&site), 1, "{name}");
        let good = Hook::answering("200 OK", "");
        set(&site, farm, &good.url);
        assert_eq!((deliver(&site), state(&site, farm)), (2, WebhookState::Working), "{name}");
    }
}

#[test]
fn an_answer_about_a_person_who_is_erased_during_the_call_is_not_stored() {
    let site = site();
    let (farm, ada) = (service(&site, "farm"), site.person("ada-l"));
    let (app, id) = (site.app.clone(), ada.account.id);
    let hook = Hook::new(move |_, stream| {
        let erased = app.store().write_blocking(move |tx| domicile::privacy::erase(tx, &Actor::Operator, id));
        erased.unwrap();
        respond(stream, "500 Internal Server Error", "canary-answer");
    });
    set(&site, farm, &hook.url);
    let kind = inbox::CommandKind::DsrErase;
    let new = inbox::NewCommand { kind, workspace: Some(ada.workspace), subject: Some(id), ..ping() };
    let command = send(&site, farm, new);

    assert_eq!(deliver(&site), 1);

    assert_eq!((last(&site, command).status, last(&site, command).answer.as_str()), (Some(500), ""));
    assert_eq!(site.columns_with("canary-answer"), Vec::<String>::new());
}

#[test]
fn a_service_that_acknowledges_while_it_is_called_gets_no_second_call() {
    let site = site();
    let farm = service(&site, "farm");
    let app = site.app.clone();
    let hook = Hook::new(move |request, stream| {
        let id = domicile::base::CommandId::parse(request.header("webhook-id")).unwrap();
        let said = inbox::Acknowledgement::new(AckOutcome::Done, "").unwrap();
        app.store().write_blocking(move |tx| inbox::acknowledge(tx, &[], farm, id, &said)).unwrap();
        respond(stream, "500 Internal Server Error", "");
    });
    set(&site, farm, &hook.url);
    let id = send(&site, farm, ping());
    assert_eq!(deliver(&site), 1);
    site.clock.advance(days(1));
    assert_eq!((deliver(&site), last(&site, id).status), (0, Some(500)));
}

#[test]
fn an_address_that_is_removed_while_it_is_called_is_not_called_again() {
    let site = site();
    let farm = service(&site, "farm");
    let app = site.app.clone();
    let hook = Hook::new(move |_, stream| {
        app.store().write_blocking(move |tx| inbox::set_webhook(tx, &Actor::Operator, farm, None)).unwrap();
        respond(stream, "500 Internal Server Error", "");
    });
    set(&site, farm, &hook.url);
    send(&site, farm, ping());
    assert_eq!(deliver(&site), 1);

    site.clock.advance(days(1));
    assert_eq!(deliver(&site), 0);
    assert_eq!(site.number("select count(*) from service_command where next_at is not null"), 0);
}

#[test]
fn a_service_that_answers_410_gets_no_more_webhooks_until_an_address_is_set() {
    let site = site();
    let farm = service(&site, "farm");
    let hook = Hook::answering("410 Gone", "");
    set(&site, farm, &hook.url);
    let [first, second] = [(); 2].map(|()| send(&site, farm, ping()));
    assert_eq!((deliver(&site), hook.count()), (1, 1));
    assert!(matches!(state(&site, farm), WebhookState::Gone(_)));
    assert_eq!(last(&site, first).status, Some(410));
    let third = send(&site, farm, ping());
    site.clock.advance(days(3));
    assert_eq!(deliver(&site), 0);
    assert_eq!(site.number("select count(*) from audit_event where event = 'service.webhook_gone'"), 1);
    assert_eq!(site.read(|view| inbox::inbox(view, farm, 0).unwrap()).0.len(), 3);

    let good = Hook::answering("200 OK", "");
    set(&site, farm, &good.url);
    assert_eq!((deliver(&site), state(&site, farm)), (3, WebhookState::Working));
    for id in [first, second, third] {
        acknowledge(&site, farm, id, AckOutcome::Done).unwrap();
    }
}

#[test]
fn redirects_are_not_followed_and_long_answers_are_refused() {
    let site = site();
    let secret = Hook::answering("200 OK", "a secret of this machine");
    let location = format!("302 Found\r\nLocation: {}", secret.url);
    let moved = Hook::new(move |_, stream| respond(stream, &location, ""));
    // A gigabyte is announced; the service writes for as long as somebody reads.
    let huge = Hook::new(|_, stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
        while stream.write_all(&[b'x'; 8192]).is_ok() {}
    });
    let chunked = Hook::new(|_, stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while write!(stream, "1000\r\n{}\r\n", "y".repeat(4096)).is_ok() {}
    });
    let not_http = Hook::new(|_, stream| drop(stream.write_all(b"220 smtp.example\r\n")));
    let cases = [
        ("moved", &moved, Some(302), "the service answered 302, and redirects are not followed"),
        ("huge", &huge, Some(200), "the answer is longer than 64 KiB"),
        ("chunked", &chunked, Some(200), "the answer is longer than 64 KiB"),
        ("not-http", &not_http, None, "the call failed: "),
    ];
    for (name, hook, status, failure) in cases {
        let farm = service(&site, name);
        set(&site, farm, &hook.url);
        let id = send(&site, farm, ping());
        assert_eq!(deliver(&site), 1);
        let delivery = last(&site, id);
        assert_eq!(delivery.status, status, "{name}: {delivery:?}");
        assert!(delivery.failure.as_deref().unwrap_or_default().starts_with(failure), "{name}: {delivery:?}");
        assert_eq!(delivery.answer, "", "{name}");
    }
    assert_eq!(secret.count(), 0);
}

#[test]
fn a_service_that_never_answers_delays_no_other() {
    let site = site();
    // Accepts, and says nothing; and says a byte now and then, for ever.
    let silent = Hook::new(|_, _| std::thread::park());
    let endless = Hook::new(|_, stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n");
        while stream.write_all(b"z").is_ok() {
            std::thread::park_timeout(Duration::from_millis(100));
        }
    });
    let good = Hook::answering("200 OK", "");
    let (first, second, farm) = (service(&site, "silent"), service(&site, "endless"), service(&site, "farm"));
    for (service, hook) in [(first, &silent), (second, &endless), (farm, &good)] {
        set(&site, service, &hook.url);
    }
    // The tarpits have more to do than the good one.
    let stuck: Vec<_> =
        [first, second].into_iter().flat_map(|service| [(); 5].map(|()| send(&site, service, ping()))).collect();
    let app = site.app.clone();
    let mut delivering = None;
    site.block_on(async { delivering = Some(tokio::spawn(inbox::deliver_webhooks(app))) });
    // Each is called once, and then waits for an answer.
    silent.received.recv().unwrap();
    endless.received.recv().unwrap();
    for _ in 0..20 {
        let id = send(&site, farm, ping());
        wait_for("the good service", || site.read(|view| inbox::find_command(view, id).unwrap()).unwrap().delivered_at);
    }
    delivering.unwrap().abort();
    assert_eq!(good.count(), 20);
    assert!(stuck.iter().all(|id| site.read(|view| inbox::deliveries(view, *id).unwrap()).is_empty()));
}

#[test]
fn only_addresses_that_may_be_called_are_accepted() {
    let site = site();
    let farm = service(&site, "farm");
    let set = |url: String| site.write(move |tx| inbox::set_webhook(tx, &Actor::Operator, farm, Some(&url)).map(drop));
    let before = site.footprint();
    for (url, code) in [
        ("http://service.example/hook", "webhook_url_invalid"),
        ("ftp://127.0.0.1/hook", "webhook_url_invalid"),
        ("https://user@127.0.0.1/hook", "webhook_url_invalid"),
        ("https://127.0.0.1/hook#part", "webhook_url_invalid"),
        ("https://127.0.0.1/ho ok", "webhook_url_invalid"),
        ("not an address", "webhook_url_invalid"),
        ("", "webhook_url_invalid"),
        ("https://service.example/hook", "webhook_host_undeclared"),
        ("https://10.0.0.5/hook", "webhook_host_undeclared"),
        ("https://169.254.169.254/latest", "webhook_host_undeclared"),
        // Declared for something else.
        ("https://idp.example/hook", "webhook_host_undeclared"),
        // This machine has more names, and only one is declared.
        ("http://localhost/hook", "webhook_host_undeclared"),
        ("http://[::1]/hook", "webhook_host_undeclared"),
        ("http://127.0.0.2/hook", "webhook_host_undeclared"),
    ] {
        assert_eq!(Problem::from(set(url.into()).unwrap_err()).code, code, "{url}");
    }
    assert_eq!(
        Problem::from(set(format!("https://127.0.0.1/{}", "x".repeat(2100))).unwrap_err()).code,
        "webhook_url_invalid"
    );
    assert_eq!(site.footprint(), before);
    // Other spellings of the same address are the same.
    set("http://2130706433/hook".into()).unwrap();
}

#[test]
fn a_rotated_secret_signs_together_with_the_old_one_until_its_end() {
    let site = site();
    let farm = service(&site, "farm");
    let none = site.write(move |tx| inbox::rotate_webhook_secret(tx, &Actor::Operator, farm, hours(1)).map(drop));
    assert_eq!(Problem::from(none.unwrap_err()).code, "webhook_secret_missing");
    let hook = Hook::answering("200 OK", "");
    set(&site, farm, &hook.url);
    let signatures = || {
        send(&site, farm, ping());
        deliver(&site);
        let request = hook.received.try_iter().last().unwrap();
        request.header("webhook-signature").split(' ').count()
    };
    assert_eq!(signatures(), 1);
    let rotate =
        |overlap| site.write(move |tx| inbox::rotate_webhook_secret(tx, &Actor::Operator, farm, overlap).map(drop));
    assert_eq!(Problem::from(rotate(days(8)).unwrap_err()).code, "overlap_invalid");
    rotate(hours(1)).unwrap();
    assert_eq!(signatures(), 2);
    site.clock.advance(hours(1));
    assert_eq!(signatures(), 1);
    rotate(hours(0)).unwrap();
    assert_eq!(signatures(), 1);
}
