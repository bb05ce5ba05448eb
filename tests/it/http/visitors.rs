//! Visitors: the redirect to the sign-in page and back, and IPv4 visitors on an IPv6 socket.

use crate::support::{Appliance, PASSWORD};

#[test]
fn a_visitor_returns_to_the_requested_page_after_signing_in() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();

    let redirect = ada.get("/settings/keys?create=1&page=2");
    assert_eq!((redirect.status, redirect.location()), (303, "/signin?next=/settings/keys?create=1%26page=2"));
    let next = ada.get(redirect.location()).value_of("name=\"next\"").replace("&#38;", "&").replace("&amp;", "&");
    assert_eq!(next, "/settings/keys?create=1&page=2");
    let answer = ada.submit("/signin", "/signin", &[("name", "ada-l"), ("password", PASSWORD), ("next", &next)]);
    assert_eq!((answer.status, answer.location()), (303, "/settings/keys?create=1&page=2"));

    // A query that could not be followed back is dropped.
    let hostile = site.call("GET", "/settings/keys?to=https://evil.example").send();
    assert_eq!((hostile.status, hostile.location()), (303, "/signin?next=/settings/keys"));
}

#[test]
fn an_ipv4_peer_is_the_same_peer_on_a_socket_of_both_families() {
    let mut site = Appliance::initialized_with("");
    let old = format!("address = \"127.0.0.1:{}\"", site.port);
    let new = format!("address = \"[::]:{}\"\nbehind_proxy = true\ntrusted_proxies = [\"127.0.0.0/8\"]", site.port);
    site.reconfigure(&old, &new);
    site.start();

    // 401: the network may ask, but the request has no key. Another network would get 403.
    let answer = site.call("GET", "/v1/forward-auth").send();

    assert_eq!((answer.status, answer.header("domicile-reason")), (401, "no_credential"));
}

#[test]
fn a_proxy_that_is_not_trusted_is_named_once_with_the_cure() {
    let mut site = Appliance::running();
    let ask = |site: &Appliance| site.call("GET", "/signin").header("X-Forwarded-For", "203.0.113.9").send();

    assert_eq!(ask(&site).status, 200);
    assert_eq!(ask(&site).status, 200);

    let log = site.log();
    assert_eq!(log.matches("trusted_proxies = [\"127.0.0.1\"]").count(), 1, "{log}");
    site.stop();
    site.reconfigure("[listen]", "[listen]\nbehind_proxy = true");
    site.start();
    assert_eq!(ask(&site).status, 200);
    // A proxy on this machine is trusted by default.
    assert_eq!(site.log().matches("is not in listen.trusted_proxies").count(), 1, "{}", site.log());
    let checked = site.run(&["check"]).ok();
    assert!(checked.contains("127.0.0.0/8, ::1/128, because of behind_proxy"), "{checked}");
}
