//! Sends a request without a credential to every route.

use domicile::server::{Access, ROUTES, Route};

use crate::support::{Answer, Appliance};

fn path_of(route: &Route) -> String {
    route.path.replace("{id}", "key_00000000000000000000000000").replace("{name:.*}", "app.css")
}

/// Sends a request that is well-formed except for the missing credential.
fn request(site: &Appliance, route: &Route) -> Answer {
    let call = site.call(route.method, &path_of(route));
    match route.path {
        "/v1/usage/events" => call.json(&serde_json::json!([])),
        "/v1/introspect" => call.form(&[("token", "x")]),
        _ if route.method == "POST" => call.form(&[("csrf", "x")]),
        _ => call,
    }
    .send()
}

fn redirects_to_sign_in(answer: &Answer) -> bool {
    answer.status == 303 && answer.location().starts_with("/signin")
}

#[test]
fn anonymous_requests_are_refused_by_every_route_that_is_not_public() {
    let site = Appliance::running();

    for route in ROUTES {
        let answer = request(&site, route);
        let is_right = match route.access {
            Access::Public => answer.status < 500 && !redirects_to_sign_in(&answer),
            // Their forms are refused because this request has no token.
            Access::Pending => redirects_to_sign_in(&answer) || answer.status == 403,
            Access::SignedIn | Access::Fresh | Access::Operator | Access::FreshOperator => {
                redirects_to_sign_in(&answer)
            }
            Access::KeyHolder(_) | Access::Service => {
                answer.status == 401 && !answer.header("www-authenticate").is_empty()
            }
            // The test runs on a trusted network, but its question has no credential.
            Access::Gateway => answer.status == 401,
            Access::Demo => answer.status == 404,
        };
        assert!(
            is_right,
            "{} {} answered an anonymous request with {} {}",
            route.method,
            route.path,
            answer.status,
            answer.location()
        );
    }
}

#[test]
fn only_trusted_networks_and_services_get_an_answer_from_forward_auth() {
    let site = Appliance::initialized();
    site.reconfigure("allow = [\"127.0.0.1/32\"]", "allow = [\"192.0.2.0/24\"]");
    let mut site = site;
    site.start();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["read"]);
    let service = site.service("gateway");

    let ask = |service: Option<&str>| {
        let call = site.call("GET", "/v1/forward-auth").bearer(&key).header("X-Forwarded-For", "192.0.2.1");
        match service {
            Some(credential) => call.header("X-Domicile-Service", credential),
            None => call,
        }
        .send()
        .status
    };
    assert_eq!((ask(None), ask(Some("dos_nonsense")), ask(Some(&service))), (403, 403, 200));
}
