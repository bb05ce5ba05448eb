//! What programs send: services that authenticate in every way of OAuth, gateways, usage events and statements.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Answer, Appliance, finish, tool, tool_script};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

fn basic(name: &str, credential: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{credential}")))
}

/// `-` and `_` and letters as `%XX`, as a careful OAuth client encodes them.
fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn a_service_authenticates_in_every_way_of_oauth_and_a_wrong_secret_is_refused_wherever_it_is() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["models:read"]);
    let (farm, other) = (site.service("GPU-Farm"), site.service("other"));
    let shown: Value = serde_json::from_str(&site.run(&["service", "show", "GPU-FARM", "--json"]).ok()).unwrap();
    let id = shown["id"].as_str().unwrap().to_owned();
    let wrong = format!("{}x", &farm[..farm.len() - 1]);
    // (Authorization, more fields of the form) and the status.
    type Case<'c> = (Option<String>, Vec<(&'c str, &'c str)>, u16);
    let cases: Vec<Case<'_>> = vec![
        (Some(format!("Bearer {farm}")), vec![], 200),
        (Some(basic("gpu-farm", &farm)), vec![], 200),
        (Some(basic("GPU-Farm", &farm)), vec![], 200),
        (Some(basic(&id, &farm)), vec![], 200),
        (Some(basic(&percent("GPU-Farm"), &percent(&farm))), vec![], 200),
        (Some(basic("gpu-farm", &farm)), vec![("client_id", "gpu-farm")], 200),
        (None, vec![("client_id", "GPU-Farm"), ("client_secret", &farm)], 200),
        (None, vec![("client_id", &id), ("client_secret", &farm)], 200),
        (Some(basic("other", &farm)), vec![], 401),
        (Some(basic("gpu-farm", &wrong)), vec![], 401),
        (Some(basic("gpu-farm", "%")), vec![], 401),
        (Some("Basic ???".into()), vec![], 401),
        (Some("Digest x".into()), vec![], 401),
        (None, vec![("client_id", "gpu-farm"), ("client_secret", &wrong)], 401),
        (None, vec![("client_id", "gpu-farm"), ("client_secret", &other)], 401),
        (None, vec![("client_secret", &wrong)], 401),
        (None, vec![("client_secret", &farm), ("client_secret", &wrong)], 401),
        (None, vec![("client_id", "gpu-farm"), ("client_assertion", "a.b.c")], 401),
        (Some(format!("Bearer {farm}")), vec![("client_secret", &wrong)], 401),
        (Some(format!("Bearer {wrong}")), vec![("client_id", "gpu-farm"), ("client_secret", &farm)], 401),
        (Some(basic("gpu-farm", &farm)), vec![("client_id", "other")], 401),
        (Some(basic("gpu-farm", &farm)), vec![("client_id", "gpu-farm"), ("client_secret", &farm)], 400),
    ];
    let send = |path: &str, header: &Option<String>, form: &[(&str, &str)]| {
        let call = site.call("POST", path).form(form);
        match header {
            Some(header) => call.header("Authorization", header),
            None => call,
        }
        .send()
    };

    for (header, more, status) in &cases {
        let introspected = send("/v1/introspect", header, &[&[("token", key.as_str())], &more[..]].concat());
        assert_eq!(introspected.status, *status, "introspect {header:?} {more:?}: {introspected:?}");
        let form =
            [&[("grant_type", EXCHANGE), ("subject_token", key.as_str()), ("audience", "x")], &more[..]].concat();
        let exchanged = send("/v1/token", header, &form);
        assert_eq!(exchanged.status, *status, "token {header:?} {more:?}: {exchanged:?}");
        if *status == 401 {
            assert_eq!(exchanged.json()["error"], "invalid_client", "{header:?} {more:?}");
        }
    }
    for (name, value) in [("token", key.as_str()), ("scope", "models:read"), ("ip", "203.0.113.7")] {
        let form = [("token", key.as_str()), (name, value), (name, value)];
        let refused = send("/v1/introspect", &Some(basic("gpu-farm", &farm)), &form);
        assert_eq!(refused.status, 400, "{name} is sent twice: {refused:?}");
    }
    // Without any credential: introspection is refused, the holder of a key exchanges it.
    assert_eq!(send("/v1/introspect", &None, &[("token", &key), ("client_id", "gpu-farm")]).status, 401);
    let alone = [("grant_type", EXCHANGE), ("subject_token", key.as_str()), ("audience", "x"), ("client_id", "cli")];
    assert_eq!(send("/v1/token", &None, &alone).status, 200);
    // An audience is the name of the service in whatever case.
    let form = [("grant_type", EXCHANGE), ("subject_token", key.as_str()), ("audience", "GPU-FARM")];
    let token = send("/v1/token", &None, &form).json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(send("/v1/introspect", &Some(basic("gpu-farm", &farm)), &[("token", &token)]).json()["active"], true);
    let metadata = site.call("GET", "/.well-known/oauth-authorization-server").send().json();
    assert_eq!(
        metadata["token_endpoint_auth_methods_supported"],
        json!(["none", "client_secret_basic", "client_secret_post"])
    );
    assert_eq!(
        metadata["introspection_endpoint_auth_methods_supported"],
        json!(["client_secret_basic", "client_secret_post", "Bearer"])
    );
}

#[test]
fn the_usual_clients_verify_exchange_and_introspect() {
    let site = Appliance::running();
    site.account("ada-l");
    let (key, service) = (site.api_key("ada-l", &["models:read"]), site.service("gpu-farm"));
    let secrets = format!("{key}\n{service}\n");
    for (program, script) in [("node", "tokens/clients.mjs"), ("python3", "tokens/clients.py")] {
        let mut command = Command::new(tool(program));
        command.arg(tool_script(script)).arg(site.url());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ran = finish(&mut command, &secrets);

        assert_eq!(ran.status, 0, "{script}: {}{}", ran.stdout, ran.stderr);
        let seen: Value = serde_json::from_str(&ran.stdout).unwrap();
        for (what, value) in seen.as_object().unwrap() {
            assert_eq!(value, "ada-l", "{script}, {what}: {seen}");
        }
        assert!(seen.as_object().unwrap().len() >= 4, "{seen}");
    }
}

/// A request as it goes over the wire, where a header may stand twice. Returns the status line and the body.
fn raw(site: &Appliance, request_line: &str, headers: &[(&str, &str)], body: &str) -> (String, String) {
    let mut text = format!("{request_line} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n", site.port);
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(("127.0.0.1", site.port)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.lines().next().unwrap()[9..12].to_owned(), answer)
}

#[test]
fn two_credentials_are_refused_at_every_entry_point() {
    let site = Appliance::running();
    site.account("ada-l");
    let (key, service) = (site.api_key("ada-l", &["admin"]), site.service("farm"));
    let (good_key, bad_key) = (format!("Bearer {key}"), "Bearer dok_nonsense".to_owned());
    let (good, bad) = (format!("Bearer {service}"), "Bearer dos_nonsense".to_owned());
    let form = format!("token={key}");
    let exchange = format!("grant_type={EXCHANGE}&subject_token={key}&audience=x");
    let entry_points = [
        ("GET /v1/forward-auth", &good_key, &bad_key, "", "domicile-reason: repeated_credential"),
        ("GET /api/account/summary", &good_key, &bad_key, "", "repeated_credential"),
        ("DELETE /api/trash", &good_key, &bad_key, "{\"all\":true}", "repeated_credential"),
        ("POST /v1/introspect", &good, &bad, form.as_str(), "repeated_credential"),
        ("POST /%761/introspect", &good, &bad, form.as_str(), "repeated_credential"),
        ("POST /v1/token", &good, &bad, exchange.as_str(), "invalid_client"),
        ("POST /v1/usage/events", &good, &bad, "[]", "repeated_credential"),
        ("GET /v1/revocations", &good, &bad, "", "repeated_credential"),
    ];
    let kind = ("Content-Type", "application/x-www-form-urlencoded");

    for (line, good, bad, body, reason) in entry_points {
        for pair in [[good, bad], [bad, good], [good, good]] {
            let headers = [("Authorization", pair[0].as_str()), ("authorization", pair[1].as_str()), kind];
            let (status, answer) = raw(&site, line, &headers, body);
            assert!(status == "401" && answer.contains(reason), "{line}: {answer}");
        }
    }
    let ask = |headers: &[(&str, &str)]| raw(&site, "GET /v1/forward-auth", headers, "").0;
    assert_eq!(ask(&[("X-Api-Key", &key), ("X-Api-Key", &key)]), "401");
    assert_eq!(ask(&[("X-Api-Key", &key), ("Authorization", &bad_key)]), "401");
    assert_eq!(ask(&[("X-Api-Key", &key), ("Authorization", &good_key)]), "200");
    assert_eq!(ask(&[("X-Api-Key", &key), ("Authorization", "Basic eDp5")]), "200");
    assert_eq!(
        ask(&[("X-Api-Key", &key), ("X-Domicile-Service", &service), ("X-Domicile-Service", "dos_nonsense")]),
        "403"
    );
}

#[test]
fn pasted_space_around_a_token_or_an_address_does_not_matter() {
    let site = Appliance::running();
    site.account("ada-l");
    let service = site.service("farm");
    let key = site
        .run(&["key", "create", "--account", "ada-l", "--name", "n", "--scope", "read", "--network", "203.0.113.0/24"])
        .ok();
    let introspect = |fields: &[(&str, &str)]| {
        let answer = site.call("POST", "/v1/introspect").bearer(&service).form(fields).send();
        answer.json().get("active").cloned().unwrap_or_else(|| answer.json()["code"].clone())
    };

    for (ip, active) in [
        ("203.0.113.7", json!(true)),
        ("203.0.113.7:51234", json!(true)),
        (" 203.0.113.7\n", json!(true)),
        ("[::ffff:203.0.113.7]:80", json!(true)),
        ("198.51.100.7:51234", json!(false)),
        ("[2001:db8::7]:443", json!(false)),
        ("unknown", json!("ip_invalid")),
        ("203.0.113.7, 198.51.100.7", json!("ip_invalid")),
    ] {
        assert_eq!(introspect(&[("token", &format!("{key}\n")), ("ip", ip)]), active, "{ip}");
    }
    let form = [("grant_type", EXCHANGE), ("subject_token", &format!(" {key}\r\n")), ("ip", "203.0.113.7:9")];
    assert_eq!(site.call("POST", "/v1/token").bearer(&service).form(&form).send().status, 200);
}

#[test]
fn a_proxy_that_does_not_say_where_a_request_comes_from_is_refused_loudly() {
    let mut site = Appliance::initialized();
    site.reconfigure("[listen]", "[listen]\nbehind_proxy = true");
    site.start();
    site.account("ada-l");
    let (key, service) = (site.api_key("ada-l", &["read"]), site.service("gateway"));
    let page = |name: &str, value: &str| site.call("GET", "/signin").header(name, value).send();

    for (name, value) in [
        ("X-Forwarded-For", "203.0.113.10:51234"),
        ("X-Forwarded-For", "[2001:db8::7]:443"),
        ("X-Forwarded-For", "nonsense, 203.0.113.10"),
        ("Forwarded", "for=\"[2001:db8::7]:443\";proto=https"),
        ("Forwarded", "proto=https"),
        ("X-Forwarded-For", ""),
    ] {
        assert_eq!(page(name, value).status, 200, "{name}: {value}");
    }
    assert!(!site.log().contains("does not say where"), "{}", site.log());
    for (name, value) in [
        ("X-Forwarded-For", "unknown"),
        ("X-Forwarded-For", "unix:"),
        ("Forwarded", "for=_hidden"),
        ("X-Forwarded-For", "a b"),
    ] {
        let refused = page(name, value);
        assert_eq!(refused.status, 400, "{name}: {value}");
        assert!(refused.text().contains("X-Forwarded-For"), "{refused:?}");
        let program = site.call("GET", "/api/username/check?username=x").header(name, value).try_send();
        assert_eq!(program.unwrap().status, 400);
        let asked = site.call("GET", "/v1/forward-auth").bearer(&key).header("X-Domicile-Service", &service);
        let answer = asked.header(name, value).send();
        assert_eq!((answer.status, answer.header("domicile-reason")), (403, "forwarded_unreadable"), "{name}: {value}");
    }
    let log = site.log();
    assert_eq!(log.matches("does not say where").count(), 1, "{log}");
    assert!(log.contains("unknown") && log.contains("domicile doctor"), "{log}");
}

#[test]
fn a_visitor_of_the_proxy_in_front_is_no_gateway() {
    let mut site = Appliance::initialized();
    site.reconfigure("[listen]", "[listen]\nbehind_proxy = true");
    site.reconfigure("allow = [\"127.0.0.1/32\"]", "allow = [\"127.0.0.1/32\", \"192.0.2.0/24\"]");
    site.start();
    site.account("ada-l");
    let (key, service) = (site.api_key("ada-l", &["models:read"]), site.service("nginx"));
    let ask = |headers: &[(&str, &str)]| {
        let mut call = site.call("GET", "/v1/forward-auth").bearer(&key);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        let answer = call.send();
        (answer.status, answer.header("domicile-reason").to_owned())
    };
    let refused = (403, "caller_not_allowed".to_owned());

    // Somebody on the internet asks through the proxy, which is on this machine.
    assert_eq!(ask(&[("X-Forwarded-For", "203.0.113.9")]), refused);
    assert_eq!(ask(&[("X-Forwarded-For", "192.0.2.7, 203.0.113.9")]), refused);
    assert_eq!(ask(&[("Forwarded", "for=203.0.113.9")]), refused);
    assert_eq!(ask(&[("X-Forwarded-For", "203.0.113.9"), ("X-Domicile-Service", "dos_nonsense")]), refused);
    // A gateway: by its own address, behind the proxy, or with its credential.
    assert_eq!(ask(&[]).0, 200);
    assert_eq!(ask(&[("X-Forwarded-For", "203.0.113.9, 192.0.2.7")]).0, 200);
    assert_eq!(ask(&[("X-Forwarded-For", "203.0.113.9"), ("X-Domicile-Service", &service)]).0, 200);
}

#[test]
fn a_gateway_learns_the_address_of_a_person_only_from_a_key_that_may_read_the_account() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let identity = |answer: &Answer| {
        assert_eq!(answer.status, 200, "{answer:?}");
        ["remote-email", "remote-name", "remote-user"].map(|name| answer.header(name).to_owned())
    };
    let whole = ["ada-l@example.org", "ada-l", "ada-l"];

    for (scope, seen) in [
        ("models:read", ["", "", "ada-l"]),
        ("write", ["", "", "ada-l"]),
        ("account:read", whole),
        ("read", whole),
        ("admin", whole),
    ] {
        let key = site.api_key("ada-l", &[scope]);
        let answer = site.call("GET", "/v1/forward-auth").bearer(&key).send();
        assert_eq!(identity(&answer), seen, "{scope}");
        assert_eq!(
            answer.headers.iter().filter(|(name, _)| name == "remote-email").count(),
            1,
            "replaces the client's own"
        );
    }
    assert_eq!(identity(&ada.call("GET", "/v1/forward-auth").send()), whole);
}

#[test]
fn only_a_parameter_called_scope_is_the_business_of_the_gateway() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["models:read"]);
    let ask = |query: &str| raw(&site, &format!("GET /v1/forward-auth/search?{query}"), &[("X-Api-Key", &key)], "").0;

    for query in
        ["q=100%", "q=%zz&x=%ff", "%=%", "q=%00", "a=b=c&&;", "scopes=flying", "q=scope=flying", &"a=1&".repeat(600)]
    {
        assert_eq!(ask(query), "200", "{query}");
    }
    for query in [
        "scope=models:write",
        "q=100%&scope=models:write",
        "sc%6Fpe=models:write",
        "scope=models:read&scope=flying",
        "scope=%zz",
    ] {
        assert_eq!(ask(query), "403", "{query}");
    }
    assert_eq!(ask("q=%zz&scope=models%3Aread"), "200");
}

#[test]
fn structured_cloud_events_are_taken_in_both_formats() {
    let site = Appliance::running();
    site.account("ada-l");
    let (workspace, service) = (site.workspace("ada-l"), site.service("farm"));
    let event = |id: &str| {
        json!({
            "specversion": "1.0", "type": "org.example.usage", "source": "farm", "id": id, "datacontenttype": "application/json",
            "time": "2026-05-03T17:30:00+02:00", "data": {"workspace": workspace, "sku": "gpu.h100", "quantity": 2},
        })
    };
    let report = |kind: &str, body: &Value| {
        let call = site.call("POST", "/v1/usage/events").bearer(&service).header("Content-Type", kind);
        call.body(body.to_string()).send().json()
    };
    let counted = |accepted, duplicates| json!({"accepted": accepted, "duplicates": duplicates, "rejected": []});

    assert_eq!(report("application/cloudevents-batch+json", &json!([event("1"), event("2")])), counted(2, 0));
    assert_eq!(report("application/cloudevents+json; charset=utf-8", &event("3")), counted(1, 0));
    let plain = json!([{
        "id": "3", "source": "farm", "workspace": workspace, "sku": "gpu.h100", "quantity": "2.0", "time": "2026-05-03T15:30:00Z",
    }]);
    assert_eq!(report("application/json", &plain), counted(0, 1));
    let mut without_offset = plain.clone();
    without_offset[0]["id"] = json!("4");
    for time in ["2026-05-03T17:30:00", "2026-05-03", "1999-12-31T23:59:59Z", "0000-00-00T00:00:00Z"] {
        without_offset[0]["time"] = json!(time);
        assert_eq!(report("application/json", &without_offset)["rejected"][0]["code"], "bad_time", "{time}");
    }
}
