//! The requests of the loads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fixture::{self, Fixture, PASSWORD};
use crate::load::Source;

/// The path of forward-auth.
pub const FORWARD_AUTH: &str = "/v1/forward-auth";
/// The path of introspection.
pub const INTROSPECT: &str = "/v1/introspect";
/// The path of reports of usage.
pub const USAGE: &str = "/v1/usage/events";
/// The path of a page with a form.
pub const PROFILE: &str = "/settings/profile";

/// A pseudo-random number for each input (splitmix64), the same in every run.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Chooses among the first `among` keys at random. Continues the sequence of the previous source, so that no two
/// samples use the same keys in the same order.
fn chooser(fixture: &Fixture, among: usize) -> impl Fn(&mut dyn FnMut(&str)) + Send + Sync + 'static {
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    let ((keys, bytes), among) = (fixture.keys(), among.min(fixture.count()).max(1) as u64);
    move |take| {
        let place = (mix(REQUESTS.fetch_add(1, Ordering::Relaxed)) % among) as usize * bytes;
        take(&keys[place..place + bytes]);
    }
}

/// A gateway asks about one of the first `among` keys.
pub fn forward_auth(fixture: &Fixture, among: usize) -> Source {
    let choose = chooser(fixture, among);
    Arc::new(move |_, request| {
        request.extend_from_slice(b"GET /v1/forward-auth HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ");
        choose(&mut |key| request.extend_from_slice(key.as_bytes()));
        request.extend_from_slice(b"\r\n\r\n");
    })
}

/// A service asks about one of the first `among` keys.
pub fn introspect(fixture: &Fixture, among: usize) -> Source {
    let choose = chooser(fixture, among);
    let head = format!(
        "POST {INTROSPECT} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\ntoken=",
        fixture.service,
        "token=".len() + fixture.key(0).len()
    );
    Arc::new(move |_, request| {
        request.extend_from_slice(head.as_bytes());
        choose(&mut |key| request.extend_from_slice(key.as_bytes()));
    })
}

/// The same bytes every time.
pub fn always(request: String) -> Source {
    Arc::new(move |_, buffer| buffer.extend_from_slice(request.as_bytes()))
}

/// A person in a session requests a path.
pub fn page(fixture: &Fixture, path: &str) -> Source {
    always(format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\ncookie: domicile-session={}\r\nuser-agent: bench\r\n\r\n",
        fixture.session
    ))
}

fn form(path: &str, cookie: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\nuser-agent: bench\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A person saves their profile.
pub fn save_profile(fixture: &Fixture) -> Source {
    let cookie = format!("domicile-session={}", fixture.session);
    let csrf = fixture.csrf.clone();
    Arc::new(move |number, buffer| {
        let body = format!("csrf={csrf}&display_name=Ada+{:06}", number % 1_000_000);
        buffer.extend_from_slice(form(PROFILE, &cookie, &body).as_bytes());
    })
}

/// Each request is a sign-in of the next one of `people` with the right password, with this visit cookie and its CSRF
/// token.
pub fn sign_in_each(visit: &str, csrf: &str, people: u64) -> Source {
    let (cookie, csrf) = (format!("domicile-visit={visit}"), csrf.to_owned());
    let password = PASSWORD.replace(' ', "+");
    Arc::new(move |number, buffer| {
        let body = format!("csrf={csrf}&next=&name={}&password={password}", fixture::person_name(number % people));
        buffer.extend_from_slice(form("/signin", &cookie, &body).as_bytes());
    })
}

/// New usage events for all customers in turn, as JSON.
pub fn usage_body(customers: &[String], events: usize) -> String {
    static REPORTED: AtomicU64 = AtomicU64::new(0);
    let mut body = String::with_capacity(events * 200);
    for place in 0..events {
        let id = REPORTED.fetch_add(1, Ordering::Relaxed);
        let workspace = &customers[place % customers.len()];
        body.push_str(if place == 0 { "[" } else { "," });
        body.push_str(&format!(
            "{{\"id\":\"{id}\",\"source\":\"https://gpu.example/farm-1\",\"workspace\":\"{workspace}\",\
             \"sku\":\"gpu.h100\",\"quantity\":\"3.5\",\"time\":\"2026-05-03T09:00:00Z\"}}"
        ));
    }
    body.push(']');
    body
}

/// A service reports `events` new events for all customers in turn.
pub fn usage(fixture: &Fixture, events: usize) -> Source {
    let (service, customers) = (fixture.service.clone(), fixture.customers.clone());
    Arc::new(move |_, buffer| {
        let body = usage_body(&customers, events);
        let head = format!(
            "POST {USAGE} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {service}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        buffer.extend_from_slice(head.as_bytes());
        buffer.extend_from_slice(body.as_bytes());
    })
}

/// The first request of a source.
pub fn first(source: &Source) -> Vec<u8> {
    let mut request = Vec::new();
    source(0, &mut request);
    request
}
