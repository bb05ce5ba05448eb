//! C1, O9: every route × every place of a credential × every scope. The expected result follows from the declaration of
//! the route and from the contract's table of scopes; the observed result comes from the real program. A new route is
//! included automatically.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domicile::server::{Access, ROUTES, Route};
use serde_json::{Value, json};

use crate::support::{Answer, Appliance, Call, is_deep};

/// Each scope and its single rights, as in the contract. Does not use the table of the program.
fn scopes() -> BTreeMap<String, BTreeSet<String>> {
    let resources = ["models", "datasets", "deployments", "projects"];
    let levels = |levels: &[&str]| -> BTreeSet<String> {
        resources.iter().flat_map(|resource| levels.iter().map(move |level| format!("{resource}:{level}"))).collect()
    };
    let words = |text: &str| -> BTreeSet<String> { text.split(' ').map(str::to_owned).collect() };
    let mut scopes = BTreeMap::new();
    let mut add = |name: &str, rights: BTreeSet<String>| scopes.insert(name.to_owned(), rights);
    for resource in resources {
        add(&format!("{resource}:read"), words(&format!("{resource}:read")));
        add(&format!("{resource}:write"), words(&format!("{resource}:read {resource}:write")));
    }
    for bundle in ["models", "datasets", "deployments"] {
        add(bundle, words(&format!("{bundle}:read {bundle}:write")));
    }
    for single in ["account:read", "billing:read", "usage:read", "training:start", "metrics:write", "reports:read"] {
        add(single, words(single));
    }
    add("training", words("models:read datasets:read training:start metrics:write"));
    add("read", levels(&["read"]).into_iter().chain(words("account:read billing:read usage:read")).collect());
    add("write", levels(&["read", "write"]));
    let everything = scopes.values().flatten().cloned().collect();
    scopes.insert("admin".into(), everything);
    scopes
}

/// The kind of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A key with only this scope.
    Key(&'static str),
    /// A key that is not valid, with the reason.
    DeadKey(&'static str),
    Service,
    /// An access token that was exchanged for a key.
    Token,
    /// The value of a session cookie.
    Session,
}

/// The place of the credential in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Bearer,
    BearerInLowerCase,
    NoScheme,
    OtherScheme,
    BasicPassword,
    BasicUser,
    ApiKeyHeader,
    ServiceHeader,
    Cookie,
    Query,
    OtherQuery,
}

const PLACES: [Place; 11] = [
    Place::Bearer,
    Place::BearerInLowerCase,
    Place::NoScheme,
    Place::OtherScheme,
    Place::BasicPassword,
    Place::BasicUser,
    Place::ApiKeyHeader,
    Place::ServiceHeader,
    Place::Cookie,
    Place::Query,
    Place::OtherQuery,
];

impl Place {
    fn is_bearer(self) -> bool {
        matches!(self, Self::Bearer | Self::BearerInLowerCase)
    }

    fn is_authorization(self) -> bool {
        !matches!(self, Self::ApiKeyHeader | Self::ServiceHeader | Self::Cookie | Self::Query | Self::OtherQuery)
    }

    /// The request with the credential in this place, sent to `path`.
    fn carry(self, site: &Appliance, method: &str, path: &str, credential: &str) -> Call {
        let with = |query: &str| format!("{path}{}{query}={credential}", if path.contains('?') { '&' } else { '?' });
        let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
        let call = |path: &str| site.call(method, path);
        match self {
            Self::Bearer => call(path).header("Authorization", &format!("Bearer {credential}")),
            Self::BearerInLowerCase => call(path).header("authorization", &format!("bearer {credential}")),
            Self::NoScheme => call(path).header("Authorization", credential),
            Self::OtherScheme => call(path).header("Authorization", &format!("Token {credential}")),
            Self::BasicPassword => call(path).header("Authorization", &basic(format!("inference:{credential}"))),
            Self::BasicUser => call(path).header("Authorization", &basic(format!("{credential}:"))),
            Self::ApiKeyHeader => call(path).header("X-Api-Key", credential),
            Self::ServiceHeader => call(path).header("X-Domicile-Service", credential),
            Self::Cookie => call(path).header("Cookie", &format!("domicile-session={credential}")),
            Self::Query => call(&with("access_token")),
            Self::OtherQuery => call(&with("api_key")),
        }
    }
}

/// How the route treats the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    LacksScope,
    /// As if there were no such path: the console, for a person who is no operator.
    NotFound,
    /// As if there were no credential.
    Anonymous,
}

/// The outcome that the declaration of the route promises.
fn expected(access: Access, kind: Kind, place: Place, scopes: &BTreeMap<String, BTreeSet<String>>) -> Outcome {
    let is_accepted = match (access, kind) {
        (access, Kind::Session) if access.is_console() && place == Place::Cookie => return Outcome::NotFound,
        (Access::KeyHolder(wanted), Kind::Key(held)) if place.is_bearer() => {
            let has_one = wanted.iter().any(|wanted| scopes[*wanted].is_subset(&scopes[held]));
            return if has_one { Outcome::Accepted } else { Outcome::LacksScope };
        }
        (Access::Service, Kind::Service) => place.is_bearer() || place == Place::BasicPassword,
        (Access::SignedIn | Access::Fresh, Kind::Session) => place == Place::Cookie,
        _ => false,
    };
    if is_accepted { Outcome::Accepted } else { Outcome::Anonymous }
}

/// The outcome according to the answer. `None`: the answer is none of them.
fn observed(access: Access, answer: &Answer) -> Option<Outcome> {
    let is_program = matches!(access, Access::KeyHolder(_) | Access::Service);
    match answer.status {
        500.. => None,
        401 if is_program => (!answer.header("www-authenticate").is_empty()).then_some(Outcome::Anonymous),
        403 if is_program => {
            let problem = answer.json();
            let is_scope_error = problem["error"] == "Permission denied for this operation";
            match problem["code"].as_str() {
                Some("insufficient_scope") => is_scope_error.then_some(Outcome::LacksScope),
                // Followers are switched off: refused to everybody, with the sentence that the client knows.
                _ => Some(Outcome::Accepted),
            }
        }
        303 if !is_program && answer.location().starts_with("/signin") => Some(Outcome::Anonymous),
        404 if access.is_console() => Some(Outcome::NotFound),
        404 if access == Access::Demo => Some(Outcome::Anonymous),
        _ => Some(Outcome::Accepted),
    }
}

/// The path with parameters for which nothing exists.
fn path_of(route: &Route) -> String {
    let mut path = route.path.replace("{name:.*}", "app.css");
    while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
        path.replace_range(start..=end, "key_00000000000000000000000000");
    }
    path
}

/// Requests that are well-formed except for the credential: one for each scope that the route accepts.
fn requests(route: &Route) -> Vec<(String, Option<String>, Access)> {
    let path = path_of(route);
    let one = |path: String, body: Option<Value>| vec![(path, body.map(|body| body.to_string()), route.access)];
    match (route.method, route.path, route.access) {
        ("GET", "/api/users", _) => one(format!("{path}?username=ada-l"), None),
        // It is about all types, so each scope gets as far as the service, which there is not.
        ("PUT", "/api/trash", _) => one(path, Some(json!({"service": "svc_00000000000000000000000000"}))),
        // One request for each type, with the scope of the type.
        (method, "/api/trash", Access::KeyHolder(wanted)) => wanted
            .iter()
            .map(|scope| {
                let kind = scope.split("s:").next().unwrap();
                let body = (method != "GET").then(|| json!({"id": "x", "type": kind}).to_string());
                let path = if method == "GET" { format!("{path}?type={kind}") } else { path.clone() };
                (path, body, Access::KeyHolder(std::slice::from_ref(scope)))
            })
            .collect(),
        (_, "/v1/usage/events", _) => one(path, Some(json!([]))),
        _ => one(path, None),
    }
}

fn finish(call: Call, route: &Route, body: Option<&str>) -> Call {
    match (body, route.method, route.path) {
        (Some(body), ..) => call.header("Content-Type", "application/json").body(body),
        (None, _, "/v1/introspect") => call.form(&[("token", "x")]),
        (None, "POST", _) => call.form(&[("csrf", "x")]),
        _ => call,
    }
}

struct Holder {
    kind: Kind,
    credential: String,
}

/// A credential of every kind, and one key for each scope.
fn holders(site: &Appliance, scopes: &BTreeMap<String, BTreeSet<String>>) -> Vec<Holder> {
    site.account("ada-l");
    let mut holders: Vec<Holder> = scopes
        .keys()
        .map(|scope| Holder { kind: Kind::Key(scope.clone().leak()), credential: site.api_key("ada-l", &[scope]) })
        .collect();
    let admin = holders.iter().find(|holder| holder.kind == Kind::Key("admin")).unwrap().credential.clone();
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", admin.as_str()),
        ("audience", "inference"),
    ];
    let token = site.call("POST", "/v1/token").form(&form).send().json()["access_token"].as_str().unwrap().to_owned();
    holders.push(Holder { kind: Kind::Token, credential: token });

    site.account("grace-h");
    let of_grace = site.api_key("grace-h", &["admin"]);
    site.run(&["account", "suspend", "grace-h", "--reason", "test"]).ok();
    holders.push(Holder { kind: Kind::DeadKey("of a suspended account"), credential: of_grace });
    site.account("joan-c");
    let revoked = site.api_key("joan-c", &["admin"]);
    let listed: Value =
        serde_json::from_str(&site.run(&["key", "list", "--account", "joan-c", "--json"]).ok()).unwrap();
    site.run(&["key", "revoke", listed["keys"][0]["id"].as_str().unwrap()]).ok();
    let mut mistyped = admin.clone();
    let last = if mistyped.pop() == Some('0') { '1' } else { '0' };
    mistyped.push(last);
    holders.push(Holder { kind: Kind::DeadKey("revoked"), credential: revoked });
    holders.push(Holder { kind: Kind::DeadKey("mistyped"), credential: mistyped });

    holders.push(Holder { kind: Kind::Service, credential: site.service("inference") });
    let mut browser = site.browser();
    browser.sign_in("ada-l");
    let cookie = browser.cookies["domicile-session"].clone();
    holders.push(Holder { kind: Kind::Session, credential: cookie });
    holders
}

/// A key of each kind of scope: a right, the right that includes it, a bundle, one over several resources, all, and one of
/// the site.
const SOME_KEYS: &[&str] = &["models:read", "models:write", "models", "training", "read", "admin", "reports:read"];

/// In a quick run only the `chosen` ones of the keys, and all other credentials: every scope takes minutes.
fn some_of(mut holders: Vec<Holder>, chosen: &[&str]) -> Vec<Holder> {
    holders.retain(|holder| is_deep() || !matches!(holder.kind, Kind::Key(scope) if !chosen.contains(&scope)));
    holders
}

fn appliance() -> Appliance {
    let mut site = Appliance::initialized_with("[[scopes]]\nname = \"reports:read\"\ndescription = \"Read reports\"\n");
    // No network is trusted, so a gateway must authenticate itself.
    site.reconfigure("allow = [\"127.0.0.1/32\"]", "allow = []");
    site.start();
    site
}

/// The row counts of all tables that a request must not change. Usage of keys and refused requests are recorded
/// elsewhere.
fn rows(site: &Appliance) -> BTreeMap<String, Value> {
    site.run(&["snapshot", "now"]).ok();
    let manifest: Value =
        serde_json::from_str(&std::fs::read_to_string(site.data().join("domicile.sqlite.json")).unwrap()).unwrap();
    let is_record = |name: &str| {
        ["job", "service_use"].contains(&name) || name.starts_with("audit_") || name.starts_with("api_key_")
    };
    let rows = manifest["rows"].as_object().unwrap().clone();
    rows.into_iter().filter(|(name, _)| !is_record(name)).collect()
}

#[test]
fn c1_a_route_accepts_only_its_own_kind_of_credential_and_only_in_the_right_place() {
    let site = appliance();
    let scopes = scopes();
    let holders = some_of(holders(&site, &scopes), &["admin", "models:read"]);
    let agent = Call::agent();
    let before = rows(&site);
    let (mut holes, mut count, mut known) = (Vec::new(), 0, HashSet::new());

    for (turn, route) in ROUTES.iter().enumerate() {
        for (path, body, access) in requests(route) {
            let bare = finish(site.call(route.method, &path), route, body.as_deref()).send_over(&agent);
            // A quick run asks the first route of each access at all places, the others at the usual ones and another one.
            let all_places = is_deep() || known.insert(std::mem::discriminant(&access));
            for (who, holder) in holders.iter().enumerate() {
                let one = PLACES[(turn + who) % PLACES.len()];
                for place in PLACES {
                    if !(all_places || place == one || matches!(place, Place::Bearer | Place::Cookie)) {
                        continue;
                    }
                    let call = place.carry(&site, route.method, &path, &holder.credential);
                    let answer = finish(call, route, body.as_deref()).send_over(&agent);
                    count += 1;
                    let is_right = match access {
                        Access::Public | Access::Pending => {
                            is_as_without_credential(route, holder.kind, place, &answer, &bare)
                        }
                        Access::Gateway => {
                            (answer.status, answer.header("domicile-reason")) == at_gateway(holder.kind, place)
                        }
                        _ => observed(access, &answer) == Some(expected(access, holder.kind, place, &scopes)),
                    };
                    if !is_right {
                        holes.push(format!(
                            "{} {path}: {:?} as {place:?} got {}",
                            route.method, holder.kind, answer.status
                        ));
                    }
                }
            }
        }
    }

    assert!(holes.is_empty(), "{} of {count}:\n{}", holes.len(), holes[..holes.len().min(40)].join("\n"));
    let places = if is_deep() { PLACES.len() } else { 2 };
    assert!(count >= ROUTES.len() * holders.len() * places, "only {count} requests");
    assert_eq!(rows(&site), before, "a request with a credential in the wrong place changed something");
    // This includes the credentials in a query: the log has no queries.
    let log = site.log();
    for holder in &holders {
        assert!(!log.contains(&holder.credential), "the log holds a credential: {:?}", holder.kind);
    }
}

/// Whether a public route gives the same answer as without the credential. Only the exchange refuses an invalid service
/// credential.
fn is_as_without_credential(route: &Route, kind: Kind, place: Place, answer: &Answer, bare: &Answer) -> bool {
    if kind == Kind::Session && place == Place::Cookie {
        return answer.status < 500 && answer.status != 401;
    }
    let is_service = kind == Kind::Service && (place.is_bearer() || place == Place::BasicPassword);
    if route.path == "/v1/token" && place.is_authorization() && !is_service {
        return (answer.status, answer.json()["error"].as_str()) == (401, Some("invalid_client"));
    }
    (answer.status, answer.location()) == (bare.status, bare.location()) || answer.status == 429
}

/// The answer for a gateway: no network is trusted, so only a service may ask, and its question has no credential.
fn at_gateway(kind: Kind, place: Place) -> (u16, &'static str) {
    if kind == Kind::Service && place == Place::ServiceHeader {
        (401, "no_credential")
    } else {
        (403, "caller_not_allowed")
    }
}

#[test]
fn o9_a_gateway_may_pass_only_valid_keys_and_sessions_and_only_within_their_scope() {
    let site = appliance();
    let scopes = scopes();
    let holders = some_of(holders(&site, &scopes), SOME_KEYS);
    let gateway = site.service("gateway");
    let agent = Call::agent();
    let mut holes = Vec::new();

    let mut ask = |holder: &Holder, place: Place, method: &str, path: &str, header: Option<&str>, expected: u16| {
        let mut call = place.carry(&site, method, path, &holder.credential);
        // The gateway's own credential is added, unless the credential under test is in its header.
        if place != Place::ServiceHeader {
            call = call.header("X-Domicile-Service", &gateway);
        }
        if let Some(scope) = header {
            call = call.header("X-Domicile-Scope", scope);
        }
        let status = call.send_over(&agent).status;
        if status != expected {
            holes.push(format!("{method} {path} {header:?}: {:?} as {place:?} got {status}", holder.kind));
        }
    };
    for holder in &holders {
        for place in PLACES {
            let is_allowed = match holder.kind {
                Kind::Key(_) => place.is_bearer() || place == Place::ApiKeyHeader,
                Kind::Session => place == Place::Cookie,
                _ => false,
            };
            let refusal = match (place, holder.kind) {
                (Place::ServiceHeader, Kind::Service) => 401,
                (Place::ServiceHeader, _) => 403,
                _ => 401,
            };
            for method in ["GET", "POST", "DELETE", "PROPFIND"] {
                ask(holder, place, method, "/v1/forward-auth", None, if is_allowed { 200 } else { refusal });
            }
        }
        for (wanted, rights) in &scopes {
            let (is_allowed, place) = match holder.kind {
                Kind::Key(held) => (rights.is_subset(&scopes[held]), Place::Bearer),
                Kind::Session => (true, Place::Cookie),
                _ => continue,
            };
            let expected = if is_allowed { 200 } else { 403 };
            ask(holder, place, "GET", &format!("/v1/forward-auth?scope={wanted}"), None, expected);
            ask(holder, place, "GET", "/v1/forward-auth/below", Some(wanted), expected);
        }
        if let Kind::Key(_) = holder.kind {
            ask(holder, Place::Bearer, "GET", "/v1/forward-auth?scope=flying", None, 403);
            ask(holder, Place::Bearer, "GET", "/v1/forward-auth?scope=", Some("flying"), 403);
        }
    }

    assert!(holes.is_empty(), "{}:\n{}", holes.len(), holes[..holes.len().min(40)].join("\n"));
}

#[test]
fn o9_introspection_and_exchange_grant_exactly_what_the_table_of_scopes_says() {
    let site = appliance();
    let scopes = scopes();
    let holders = some_of(holders(&site, &scopes), SOME_KEYS);
    let service = site.service("training");
    let agent = Call::agent();
    let mut holes = Vec::new();

    for holder in &holders {
        let Kind::Key(held) = holder.kind else { continue };
        for (wanted, rights) in
            scopes.iter().map(|(name, rights)| (name.as_str(), Some(rights))).chain([("flying", None)])
        {
            let expected = rights.is_some_and(|rights| rights.is_subset(&scopes[held]));
            let form = [("token", holder.credential.as_str()), ("scope", wanted)];
            let answer = site.call("POST", "/v1/introspect").bearer(&service).form(&form).send_over(&agent).json();
            if (&answer["active"], &answer["granted"]) != (&json!(true), &json!(expected)) {
                holes.push(format!("introspection: {held} asked for {wanted}: {answer}"));
            }
            let form = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token", holder.credential.as_str()),
                ("scope", wanted),
            ];
            let made = site.call("POST", "/v1/token").bearer(&service).form(&form).send_over(&agent);
            let names: BTreeSet<String> =
                made.json()["scope"].as_str().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
            // Expanded: every scope within the wanted one, and no other.
            let within = |rights: &BTreeSet<String>| -> BTreeSet<String> {
                scopes.iter().filter(|(_, each)| each.is_subset(rights)).map(|(name, _)| name.clone()).collect()
            };
            let is_right = match rights.filter(|_| expected) {
                Some(rights) => made.status == 200 && names == within(rights),
                None => made.status == 400 && made.json()["error"] == "invalid_scope",
            };
            if !is_right {
                holes.push(format!("exchange: {held} asked for {wanted}: {} {}", made.status, made.text()));
            }
        }
    }

    assert!(holes.is_empty(), "{}:\n{}", holes.len(), holes[..holes.len().min(40)].join("\n"));
}

#[test]
fn the_openapi_document_and_the_documentation_name_the_scope_of_each_route() {
    let document: &Value = &domicile::server::openapi::DOCUMENT;
    let site = Appliance::running_with("[[scopes]]\nname = \"reports:read\"\ndescription = \"Read the reports.\"\n");
    let page = site.call("GET", "/v1/docs").send().text();
    for route in ROUTES {
        let Access::KeyHolder(wanted) = route.access else { continue };
        let security = document["paths"][route.path][route.method.to_lowercase()]["security"].as_array().unwrap();
        let scopes: Vec<&str> = security.iter().filter_map(|scheme| scheme["apiKey"][0].as_str()).collect();
        assert_eq!(scopes, wanted, "{} {}", route.method, route.path);
    }
    for (name, rights) in scopes() {
        let row = page.split("<tr>").find(|row| row.starts_with(&format!("<td><code>{name}</code>")));
        let row = row.unwrap_or_else(|| panic!("{name} is not on the page"));
        let last = row.rsplit("<td").next().unwrap();
        let shown: BTreeSet<&str> = last.split(['>', '<']).nth(1).unwrap().split_whitespace().collect();
        let within: BTreeSet<String> =
            scopes().into_iter().filter(|(_, each)| each.is_subset(&rights)).map(|(each, _)| each).collect();
        assert_eq!(shown, within.iter().map(String::as_str).collect(), "what {name} grants");
    }
}
