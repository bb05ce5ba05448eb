//! S2, S6, S8: what every answer carries, faults included.

use domicile::server::ROUTES;

use crate::support::{Answer, Appliance};

fn check(answer: &Answer, what: &str, is_page: bool) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert!(!answer.header("cache-control").is_empty(), "{what} says nothing about caches");
    assert!(answer.header("server").is_empty() && answer.header("x-powered-by").is_empty(), "{what} tells what it is");
    assert!(answer.header("x-page").is_empty(), "{what} leaks a mark of ours");
    if is_page {
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
        assert!(!policy.contains("unsafe"), "{what}: {policy}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{what}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{what}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{what}");
    }
    for (_, cookie) in answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
        let is_right = cookie.starts_with("__Host-")
            && ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"].iter().all(|part| cookie.contains(part))
            && !cookie.contains("Domain=");
        assert!(is_right, "{what} sets the cookie {cookie}");
    }
}

#[test]
fn every_answer_is_dressed() {
    let house = Appliance::running();
    house.account("ada-l");
    let mut ada = house.browser();
    check(&ada.sign_in("ada-l"), "sign-in", true);

    let unknown = ["/nothing/here", "/v1/nothing", "/api/nothing", "/assets/nothing.js", "/settings/keys/x/revoke"];
    let known = ROUTES.iter().map(|route| route.path.replace("{id}", "key_0").replace("{name:.*}", "app.css"));
    for path in known.chain(unknown.map(str::to_owned)) {
        for method in ["GET", "POST", "PUT", "TRACE"] {
            let answer = ada.call(method, &path).send();
            let is_program = ["/v1/", "/api/", "/.well-known/"].iter().any(|start| path.starts_with(start));
            let is_page = path == "/v1/docs" || !is_program && !path.ends_with('z');
            check(&answer, &format!("{method} {path}"), is_page);
            assert!(method != "TRACE" || answer.status >= 400 || path.starts_with("/v1/forward-auth"), "TRACE {path}");
            assert!(answer.status < 500, "{method} {path}: {}", answer.status);
        }
    }
}

#[test]
fn faults_have_the_form_their_reader_knows() {
    let house = Appliance::running();

    let page = house.call("GET", "/nothing/here").send();
    assert_eq!(page.status, 404);
    assert!(page.text().contains("<h1") && page.header("content-type").starts_with("text/html"));

    let service = house.call("GET", "/v1/nothing").send();
    assert_eq!((service.status, service.header("content-type")), (404, "application/problem+json"));
    assert_eq!(service.json()["code"], "not_found");
    assert_eq!(service.json()["status"], 404);

    let holder = house.call("GET", "/api/account/summary").bearer("dok_nonsense").send();
    assert_eq!((holder.status, holder.json()["error"].as_str()), (401, Some("Invalid API key")));

    let wrong_method = house.call("DELETE", "/v1/introspect").send();
    assert_eq!((wrong_method.status, wrong_method.json()["code"].as_str()), (405, Some("method_not_allowed")));
    assert_eq!(wrong_method.header("allow"), "POST");
}
