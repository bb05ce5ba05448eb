//! The exchange of keys for tokens, and services that verify tokens themselves, with a library of a third party.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use domicile::api_keys::KeyText;
use domicile::base::Rng;
use serde_json::{Value, json};

use crate::support::{Answer, Appliance, finish, tool, tool_script, wait_for};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

fn exchange(site: &Appliance, service: Option<&str>, fields: &[(&str, &str)]) -> Answer {
    let mut form = vec![("grant_type", EXCHANGE)];
    form.extend(fields);
    let call = site.call("POST", "/v1/token");
    match service {
        Some(credential) => call.bearer(credential),
        None => call,
    }
    .form(&form)
    .send()
}

fn introspect(site: &Appliance, service: &str, token: &str) -> Value {
    let answer = site.call("POST", "/v1/introspect").bearer(service).form(&[("token", token)]).send();
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    answer.json()
}

fn feed(site: &Appliance, service: &str, query: &str) -> Answer {
    site.call("GET", &format!("/v1/revocations?{query}")).bearer(service).send()
}

fn key_id(site: &Appliance, account: &str) -> String {
    let listed: Value = serde_json::from_str(&site.run(&["key", "list", "--account", account, "--json"]).ok()).unwrap();
    listed["keys"][0]["id"].as_str().unwrap().to_owned()
}

/// Runs a script of `tests/tokens`, which reads the secrets from its standard input.
fn python(site: &Appliance, script: &str, arguments: &[&str], secrets: &str) -> Value {
    let mut command = Command::new(tool("python3"));
    command.arg(tool_script(&format!("tokens/{script}"))).arg(site.url()).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finish(&mut command, &format!("{secrets}\n"));
    assert_eq!(ran.status, 0, "{script}: {}{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{script} printed no JSON ({error}): {}", ran.stdout))
}

#[test]
fn o7_two_rotations_under_load_refuse_no_token() {
    let site = Appliance::running_with_clock("[tokens]\nrotate_every = \"2d\"\n");
    site.account("ada-l");
    let key = site.api_key("ada-l", &["models:read"]);

    let clock = site.folder().join("clock").display().to_string();
    let seen = python(&site, "rotation.py", &[&clock], &key);

    assert_eq!(seen["refused"], json!([]), "{seen}");
    let kids = seen["kids"].as_array().unwrap();
    assert_eq!(kids.len(), 3, "two rotations are three keys: {seen}");
    assert!(seen["verified"].as_u64().unwrap() > 1_000, "{seen}");
    for ahead in seen["published_ahead"].as_array().unwrap() {
        assert!(ahead.as_f64().unwrap() > 86_390.0, "published a day before it signed: {seen}");
    }
    assert!(
        !seen["published_now"].as_array().unwrap().contains(&kids[0]),
        "the first key is no longer published: {seen}"
    );
}

#[test]
fn row_80_manipulated_tokens_are_refused() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["models:read"]);
    let service = site.service("inference");

    let seen = python(&site, "attacks.py", &[], &format!("{key} {service}"));

    assert!(seen["tried"].as_u64().unwrap() >= 25);
    assert_eq!(seen["library"], json!(["good"]));
    assert_eq!(seen["introspection"], json!(["good"]));
    assert_eq!(seen["routes"], json!([]), "no route of ours accepts a token as a credential");
}

#[test]
fn a_token_says_what_introspection_says_and_ends_with_the_key() {
    let site = Appliance::running_with_clock("");
    let account = site.account("ada-l");
    let workspace = site.workspace("ada-l");
    let key = site.api_key("ada-l", &["models", "datasets:read"]);
    let inference = site.service("inference");
    let storage = site.service("storage");

    let answer = exchange(&site, Some(&inference), &[("subject_token", &key)]);

    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.text());
    let made = answer.json();
    assert_eq!((&made["token_type"], &made["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert_eq!(made["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    let token = made["access_token"].as_str().unwrap();
    let claims = introspect(&site, &inference, token);
    assert_eq!(claims["active"], true, "{claims}");
    assert_eq!(
        (claims["sub"].as_str(), claims["workspace"].as_str()),
        (Some(account.as_str()), Some(workspace.as_str()))
    );
    assert_eq!((claims["iss"].as_str(), claims["aud"].as_str()), (Some(site.url().as_str()), Some("inference")));
    assert_eq!(claims["client_id"], introspect(&site, &inference, &key)["client_id"]);
    // Expanded, because a verifier has no table of bundles.
    assert_eq!(claims["scope"], "models models:read models:write datasets:read");
    assert_eq!(introspect(&site, &storage, token), json!({"active": false}), "the token is not for storage");

    site.set_ahead(301);
    assert_eq!(introspect(&site, &inference, token), json!({"active": false}), "the token has expired");
    let fresh = exchange(&site, Some(&inference), &[("subject_token", &key)]).json();
    let fresh = fresh["access_token"].as_str().unwrap();
    assert_eq!(introspect(&site, &inference, fresh)["active"], true);
    site.run(&["key", "revoke", &key_id(&site, "ada-l")]).ok();
    assert_eq!(introspect(&site, &inference, fresh), json!({"active": false}), "the next request sees the revocation");
    let after = exchange(&site, None, &[("subject_token", &key), ("audience", "inference")]);
    assert_eq!((after.status, after.json()["error"].as_str()), (400, Some("invalid_request")));
}

#[test]
fn keys_that_were_locked_after_a_foreign_sign_in_are_refused_at_the_next_request_and_their_tokens_end() {
    let site = Appliance::running();
    site.account("ada-l");
    site.account("grace-h");
    let inference = site.service("inference");
    let (locked, other) = (site.api_key("ada-l", &["models:read"]), site.api_key("grace-h", &["models:read"]));
    let made = |key: &str| exchange(&site, Some(&inference), &[("subject_token", key)]).json()["access_token"].clone();
    let (ended, lasting) = (made(&locked), made(&other));
    let (ended, lasting) = (ended.as_str().unwrap(), lasting.as_str().unwrap());
    let forward = |key: &str| site.call("GET", "/v1/forward-auth").header("X-Api-Key", key).send().status;
    // Verified before, so that all caches are filled.
    for text in [&locked, ended, &other, lasting] {
        assert_eq!(introspect(&site, &inference, text)["active"], true);
    }
    assert_eq!((forward(&locked), forward(&other)), (200, 200));
    let next = feed(&site, &inference, "after=0").json()["next"].as_i64().unwrap();
    for _ in 0..2 {
        site.browser().sign_in("ada-l");
    }
    let link = site.mailbox().wait_for("ada-l@example.org", "A new device signed in").link("/not-me");
    let path = link.strip_prefix(&site.url()).unwrap();
    let token = path.split_once("token=").unwrap().1;

    assert_eq!(site.browser().submit(path, "/not-me", &[("token", token)]).status, 200);

    assert_eq!((forward(&locked), forward(&other)), (401, 200));
    for text in [locked.as_str(), ended] {
        assert_eq!(introspect(&site, &inference, text), json!({"active": false}));
    }
    for text in [other.as_str(), lasting] {
        assert_eq!(introspect(&site, &inference, text)["active"], true, "the keys of the other person are not locked");
    }
    let page = feed(&site, &inference, &format!("after={next}")).json();
    assert_eq!(page["revocations"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(page["revocations"][0]["kind"], "subject");
    let refused = exchange(&site, Some(&inference), &[("subject_token", &locked)]);
    assert_eq!((refused.status, refused.json()["error"].as_str()), (400, Some("invalid_request")));

    // After a new password the key is valid again. Tokens from before the lock stay revoked.
    let link = site.mailbox().wait_for("ada-l@example.org", "Set your password").link("/reset");
    let reset = link.rsplit('=').next().unwrap();
    let fields = [("token", reset), ("password", "a quieter walk by the river")];
    site.browser().submit(&format!("/reset?token={reset}"), "/reset", &fields);
    assert_eq!(forward(&locked), 200);
    assert_eq!(introspect(&site, &inference, ended), json!({"active": false}));
    assert_eq!(introspect(&site, &inference, made(&locked).as_str().unwrap())["active"], true);
}

#[test]
fn o8_the_answer_is_the_same_for_everything_that_is_not_valid() {
    let site = Appliance::running_with_clock("");
    site.account("ada-l");
    site.account("grace-h");
    let (service, storage) = (site.service("inference"), site.service("storage"));
    let good = site.api_key("ada-l", &["models:read"]);
    let expiring =
        site.run(&["key", "create", "--account", "ada-l", "--name", "x", "--scope", "read", "--expires", "1d"]).ok();
    let of_grace = site.api_key("grace-h", &["models:read"]);
    let made = |service: &str, key: &str| {
        let made = exchange(&site, Some(service), &[("subject_token", key)]).json();
        made["access_token"].as_str().unwrap().to_owned()
    };
    let old = made(&service, &good);
    site.set_ahead(2 * 86_400);
    let (token, foreign, of_grace_token) = (made(&service, &good), made(&storage, &good), made(&service, &of_grace));
    site.run(&["account", "suspend", "grace-h", "--reason", "test"]).ok();
    let revoked = site.api_key("ada-l", &["admin"]);
    let listed: Value = serde_json::from_str(&site.run(&["key", "list", "--account", "ada-l", "--json"]).ok()).unwrap();
    let newest = listed["keys"].as_array().unwrap().iter().max_by_key(|key| key["id"].as_str().unwrap()).unwrap();
    let of_revoked = made(&service, &revoked);
    site.run(&["key", "revoke", newest["id"].as_str().unwrap()]).ok();
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let cookie = ada.cookies["domicile-session"].clone();
    let unknown = KeyText::generate("dok", &mut Rng::seeded(1)).expose().to_owned();

    let ask = |token: &str| {
        let form = [("token", token), ("scope", "models:read")];
        let mut answer = site.call("POST", "/v1/introspect").bearer(&service).form(&form).send();
        answer.headers.retain(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
        answer.headers.sort_unstable();
        (answer.status, answer.headers.clone(), answer.text())
    };
    let expected = ask("nonsense");
    assert_eq!((expected.0, expected.2.as_str()), (200, r#"{"active":false}"#));
    let invalid = [
        ("unknown", unknown.as_str()),
        ("mistyped", &format!("{}x", &good[..good.len() - 1])),
        ("truncated", &good[..good.len() - 1]),
        ("with a space inside", &format!("{} {}", &good[..9], &good[9..])),
        ("revoked", &revoked),
        ("expired", &expiring),
        ("of a suspended account", &of_grace),
        ("a service credential", &service),
        ("a session cookie", &cookie),
        ("an expired token", &old),
        ("a token for another service", &foreign),
        ("a token of a revoked key", &of_revoked),
        ("a token of a suspended account", &of_grace_token),
        ("a truncated token", &token[..token.len() - 3]),
        ("a very long text", &"x".repeat(20_000)),
    ];
    for (what, token) in invalid {
        assert_eq!(ask(token), expected, "{what}");
    }
    for (what, token) in [("key", &good), ("token", &token)] {
        assert!(ask(token).2.starts_with(r#"{"active":true"#), "the valid {what}");
    }
    // A caller without a service credential learns nothing: the answer is the same for valid and invalid keys.
    for credential in ["", "dos_nonsense", good.as_str()] {
        let answers = [good.as_str(), revoked.as_str(), "nonsense"].map(|token| {
            let answer = site.call("POST", "/v1/introspect").bearer(credential).form(&[("token", token)]).send();
            (answer.status, answer.json()["code"].clone(), answer.json()["detail"].clone())
        });
        assert_eq!((answers[0].0, &answers[0]), (401, &answers[1]));
        assert_eq!(answers[0], answers[2]);
    }
}

#[test]
fn a_refused_exchange_has_an_oauth_error_and_no_token() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["models:read"]);
    let service = site.service("inference");
    let good: [(&str, &str); 2] = [("subject_token", &key), ("audience", "inference")];
    assert_eq!(exchange(&site, None, &good).status, 200, "the key alone is enough");

    let with = |more: &[(&str, &str)]| {
        let mut fields = good.to_vec();
        fields.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        fields.extend(more);
        exchange(&site, None, &fields)
    };
    for (more, code) in [
        (&[("subject_token", "")][..], "invalid_request"),
        (&[("subject_token", "dok_nonsense")], "invalid_request"),
        (&[("subject_token", service.as_str())], "invalid_request"),
        (&[("audience", "")], "invalid_request"),
        (&[("audience", "two words")], "invalid_target"),
        (&[("scope", "models:write")], "invalid_scope"),
        (&[("scope", "models:read flying")], "invalid_scope"),
        (&[("subject_token_type", "urn:ietf:params:oauth:token-type:id_token")], "invalid_request"),
        (&[("requested_token_type", "urn:ietf:params:oauth:token-type:saml2")], "invalid_request"),
        (&[("actor_token", "x")], "invalid_request"),
        (&[("audience", "a"), ("audience", "b")], "invalid_request"),
        (&[("grant_type", "client_credentials")], "invalid_request"),
    ] {
        let answer = with(more);
        let body = answer.json();
        assert_eq!(
            (answer.status, body["error"].as_str(), body["code"].as_str()),
            (400, Some(code), Some(code)),
            "{more:?}"
        );
        assert!(!body["error_description"].as_str().unwrap().is_empty() && body["access_token"].is_null(), "{body}");
        assert_eq!((answer.header("content-type"), answer.header("cache-control")), ("application/json", "no-store"));
    }
    let other = site.call("POST", "/v1/token").form(&[("grant_type", "password"), ("subject_token", &key)]).send();
    assert_eq!((other.status, other.json()["error"].as_str()), (400, Some("unsupported_grant_type")));
    for credential in ["dos_nonsense", key.as_str()] {
        let answer = exchange(&site, Some(credential), &good);
        assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("invalid_client")));
        assert!(answer.header("www-authenticate").contains("Basic"));
    }
}

#[test]
fn a_key_with_limits_is_exchanged_within_them() {
    let site = Appliance::running();
    site.account("ada-l");
    let service = site.service("inference");
    let key = |more: &[&str]| {
        let arguments = ["key", "create", "--account", "ada-l", "--name", "x", "--scope", "models:read"];
        site.run(&[&arguments, more].concat()).ok()
    };
    let elsewhere = key(&["--network", "192.0.2.0/24"]);
    let at_home = key(&["--network", "127.0.0.0/8", "--network", "::1/128"]);

    let by_service = |fields: &[(&str, &str)]| exchange(&site, Some(&service), fields);
    let by_itself = |key: &str| exchange(&site, None, &[("subject_token", key), ("audience", "inference")]);
    assert_eq!(by_service(&[("subject_token", &elsewhere), ("ip", "192.0.2.7")]).status, 200);
    for refused in [
        by_service(&[("subject_token", &elsewhere)]),
        by_service(&[("subject_token", &elsewhere), ("ip", "198.51.100.7")]),
        by_itself(&elsewhere),
    ] {
        let body = refused.json();
        assert_eq!((refused.status, body["error"].as_str()), (400, Some("invalid_request")), "{body}");
        assert!(body["error_description"].as_str().unwrap().contains("network"), "{body}");
    }
    assert_eq!(by_itself(&at_home).status, 200);
    assert_eq!(by_service(&[("subject_token", &at_home), ("ip", "somewhere")]).status, 400);
    let forged = [("subject_token", elsewhere.as_str()), ("audience", "inference"), ("ip", "192.0.2.7")];
    assert_eq!(exchange(&site, None, &forged).status, 400, "only a service may name the address");

    let slow = key(&["--rate", "1"]);
    let answers: Vec<_> = (0..3).map(|_| by_itself(&slow)).collect();
    assert_eq!(answers[0].status, 200);
    let last = &answers[2];
    assert_eq!((last.status, last.json()["error"].as_str()), (429, Some("rate_limited")), "{}", last.text());
    assert!(last.header("retry-after").parse::<u32>().unwrap() > 0);
}

#[test]
fn the_metadata_of_the_server_is_correct() {
    let site = Appliance::running();
    let answer = site.call("GET", "/.well-known/oauth-authorization-server").send();
    let metadata = answer.json();

    assert_eq!(metadata["issuer"], site.url());
    assert!(answer.header("cache-control").contains("max-age="));
    for (member, method) in [
        ("token_endpoint", "POST"),
        ("introspection_endpoint", "POST"),
        ("jwks_uri", "GET"),
        ("service_documentation", "GET"),
    ] {
        let address = metadata[member].as_str().unwrap();
        let path =
            address.strip_prefix(&site.url()).unwrap_or_else(|| panic!("{member} is on another site: {address}"));
        let status = site.call(method, path).send().status;
        assert!(![404, 405].contains(&status) && status < 500, "{member} answers {status}");
    }
    assert!(metadata["scopes_supported"].as_array().unwrap().contains(&json!("models:read")));
    let keys = site.call("GET", "/.well-known/jwks.json").send();
    assert!(keys.header("cache-control").starts_with("public, max-age="), "{keys:?}");
    let key = &keys.json()["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    assert!(key.get("d").is_none(), "the private key is not published");
}

#[test]
fn revocations_are_in_the_feed_at_once_and_end_a_waiting_request() {
    let site = Appliance::running();
    let account = site.account("ada-l");
    site.api_key("ada-l", &["models:read"]);
    let service = site.service("inference");
    let key = key_id(&site, "ada-l");
    let start = feed(&site, &service, "after=0").json();
    assert_eq!(start, json!({"revocations": [], "next": 0, "more": false}));

    let page = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| feed(&site, &service, "after=0&wait=30").json());
        site.run(&["key", "revoke", &key]).ok();
        waiting.join().unwrap()
    });
    site.run(&["account", "suspend", "ada-l", "--reason", "test"]).ok();

    assert_eq!(page["revocations"][0]["kind"], "key");
    assert_eq!(page["revocations"][0]["id"], key.as_str());
    let next = page["next"].as_i64().unwrap();
    let later = feed(&site, &service, &format!("after={next}")).json();
    assert_eq!(later["revocations"], json!([{"seq": next + 1, "kind": "subject", "id": account}]));
    let ahead = feed(&site, &service, "after=900");
    assert_eq!((ahead.status, ahead.json()["code"].as_str()), (409, Some("feed_restarted")));
    for bad in ["after=-1", "after=x", "after=0&wait=31", "after=0&wait=1.5"] {
        assert_eq!(feed(&site, &service, bad).status, 400, "{bad}");
    }
}

#[test]
fn a_request_that_waits_for_the_feed_does_not_delay_a_stop() {
    let mut site = Appliance::running();
    let service = site.service("inference");
    let mut waiting = std::net::TcpStream::connect(("127.0.0.1", site.port)).unwrap();
    let request = format!(
        "GET /v1/revocations?after=0&wait=30 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {service}\r\n\r\n"
    );
    waiting.write_all(request.as_bytes()).unwrap();
    // The server has read the request when its end of the connection belongs to a process and its receive queue is
    // empty.
    let server_end = format!(":{:04X}", site.port);
    wait_for("the server to read the request", || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let is_read = |line: &str| {
            let columns: Vec<_> = line.split_whitespace().collect();
            columns[1].ends_with(&server_end)
                && columns[3] == "01"
                && columns[4].ends_with(":00000000")
                && columns[9] != "0"
        };
        table.lines().skip(1).any(is_read).then_some(())
    });

    let watch = domicile::base::Stopwatch::start();
    assert!(site.stop().success());

    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with(r#"{"revocations":[],"next":0,"more":false}"#),
        "{answer}"
    );
    assert!(
        watch.elapsed().as_secs() < 9,
        "the request was answered at once, not after the ten seconds of a stop: {:?}",
        watch.elapsed()
    );
}

#[test]
fn the_operator_rotates_the_signing_key_or_withdraws_it() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["models:read"]);
    let service = site.service("inference");
    let kids = || {
        let keys = site.call("GET", "/.well-known/jwks.json").send().json();
        keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let made = exchange(&site, Some(&service), &[("subject_token", &key)]).json();
    let token = made["access_token"].as_str().unwrap();
    let first = kids();
    assert_eq!(first.len(), 1);

    let rotated: Value = serde_json::from_str(&site.run(&["keyring", "rotate-token-key", "--json"]).ok()).unwrap();
    assert_eq!(
        kids(),
        [rotated["kid"].as_str().unwrap(), &first[0]],
        "the next key is published, and the old one still signs"
    );
    let again: Value = serde_json::from_str(&site.run(&["keyring", "rotate-token-key", "--json"]).ok()).unwrap();
    assert_eq!((&again, introspect(&site, &service, token)["active"].as_bool()), (&rotated, Some(true)));

    site.run(&["keyring", "rotate-token-key", "--compromised"]).ok();

    assert_eq!(introspect(&site, &service, token), json!({"active": false}));
    assert!(kids().len() == 1 && !first.contains(&kids()[0]));
    let made = exchange(&site, Some(&service), &[("subject_token", &key)]).json();
    assert_eq!(introspect(&site, &service, made["access_token"].as_str().unwrap())["active"], true);
}
