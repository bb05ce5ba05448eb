//! Responses about refused keys to programs, gateways and services; reports about exposed keys.

use serde_json::json;

use crate::support::{Answer, Appliance, Browser};

/// Creates a key with options of the command line. Returns its text and its id.
fn key(site: &Appliance, options: &[&str]) -> (String, String) {
    let mut arguments =
        vec!["--json", "key", "create", "--account", "ada-l", "--name", "ci", "--scope", "account:read"];
    arguments.extend(options);
    let created: serde_json::Value = serde_json::from_str(&site.run(&arguments).ok()).unwrap();
    let text = |name: &str| created[name].as_str().unwrap().to_owned();
    (text("key"), text("id"))
}

fn summary(site: &Appliance, key: &str) -> Answer {
    site.call("GET", "/api/account/summary").bearer(key).send()
}

fn forward(site: &Appliance, key: &str, query: &str) -> Answer {
    site.call("GET", &format!("/v1/forward-auth{query}")).header("X-Api-Key", key).send()
}

/// Sends the form for `action` of the key at `path`: on its page, or on the page that asks for a confirmation.
fn submit(ada: &mut Browser, path: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
    let target = format!("{path}/{action}");
    let page = if matches!(action, "revoke" | "disable" | "rotate") { target.as_str() } else { path };
    ada.submit(page, &target, fields)
}

fn press(ada: &mut Browser, id: &str, action: &str) {
    let answer = submit(ada, &format!("/settings/keys/{id}"), action, &[]);
    assert_eq!(answer.status, 303, "{action}: {answer:?}");
}

#[test]
fn programs_and_gateways_get_the_reason_of_a_refusal_and_services_do_not() {
    let mut site = Appliance::running_with_clock("");
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let farm = site.service("farm");
    let (good, _) = key(&site, &[]);
    let (expired, _) = key(&site, &["--expires", "1h"]);
    let (disabled, disabled_id) = key(&site, &[]);
    press(&mut ada, &disabled_id, "disable");
    let (quarantined, _) = key(&site, &[]);
    site.call("POST", "/v1/key-exposures").json(&json!([{"token": quarantined}])).send();
    let (revoked, revoked_id) = key(&site, &[]);
    site.run(&["key", "revoke", &revoked_id]).ok();
    let (replaced, replaced_id) = key(&site, &[]);
    site.run(&["key", "rotate", &replaced_id, "--overlap", "0"]).ok();
    let (elsewhere, _) = key(&site, &["--network", "192.0.2.0/24"]);
    let (spent, spent_id) = key(&site, &["--budget", "0.001", "--budget-in-all"]);
    let event = json!([{"id": "1", "source": "farm", "workspace": site.workspace("ada-l"), "sku": "gpu.h100",
        "quantity": "1", "time": "2026-05-01T00:00:00Z", "key": spent_id}]);
    let used = site.call("POST", "/v1/usage/events").bearer(&farm).json(&event).send();
    assert_eq!(used.json()["accepted"], 1, "{used:?}");
    let (fast, _) = key(&site, &["--rate", "1"]);
    assert_eq!(summary(&site, &fast).status, 200);
    let unknown = format!("{}{}", &good[..4], "0123456789abcdef0123456789abcdef");
    let unknown = format!("{unknown}{:08x}", crc32fast::hash(unknown.as_bytes()));
    site.set_ahead(3601);

    let cases = [
        ("mistyped", &good[..43], 401, "malformed_key"),
        ("unknown", &unknown, 401, "invalid_key"),
        ("revoked", &revoked, 401, "invalid_key"),
        ("replaced", &replaced, 401, "invalid_key"),
        ("expired", &expired, 401, "key_expired"),
        ("disabled", &disabled, 401, "key_disabled"),
        ("quarantined", &quarantined, 401, "key_quarantined"),
        ("elsewhere", &elsewhere, 403, "network_not_allowed"),
        ("spent", &spent, 403, "budget_exhausted"),
    ];
    for (case, text, status, code) in cases {
        let (api, gateway) = (summary(&site, text), forward(&site, text, ""));
        assert_eq!((api.status, api.json()["code"].as_str()), (status, Some(code)), "{case}: {api:?}");
        let sentence = if status == 401 { "Invalid API key" } else { "Permission denied for this operation" };
        assert!(api.json()["error"].as_str().unwrap().starts_with(sentence), "{case}: {api:?}");
        assert_eq!((gateway.status, gateway.header("domicile-reason")), (status, code), "{case}: {gateway:?}");
        assert_eq!(gateway.header("www-authenticate").contains("invalid_token"), status == 401, "{case}: {gateway:?}");
        let answer = site.call("POST", "/v1/introspect").bearer(&farm).form(&[("token", text)]).send();
        assert_eq!((answer.status, answer.text().as_str()), (200, "{\"active\":false}"), "{case}");
    }
    let answers = [&unknown, &revoked, &replaced].map(|text| summary(&site, text).text());
    assert!(
        answers.iter().all(|text| text == &answers[0]),
        "unknown and revoked keys get the same answer: {answers:?}"
    );
    assert_eq!((summary(&site, &good).status, forward(&site, &good, "").status), (200, 200));
    // If a service sends the address of the key's program, the list of networks applies to it.
    let at = |address: &str| {
        let fields = [("token", elsewhere.as_str()), ("ip", address)];
        site.call("POST", "/v1/introspect").bearer(&farm).form(&fields).send().json()["active"].clone()
    };
    assert_eq!((at("192.0.2.7"), at("192.0.3.7")), (json!(true), json!(false)));
    assert_eq!(site.stop().code(), Some(0));
}

#[test]
fn every_channel_says_how_long_a_rate_limited_program_has_to_wait() {
    let site = Appliance::running();
    site.account("ada-l");
    let (fast, _) = key(&site, &["--rate", "2"]);

    let first = summary(&site, &fast);
    assert_eq!((first.status, first.header("ratelimit-policy")), (200, "\"key\";q=2;w=60"));
    assert!(first.header("ratelimit").starts_with("\"key\";r=1;t="), "{first:?}");
    let second = forward(&site, &fast, "");
    assert_eq!((second.status, second.header("ratelimit").starts_with("\"key\";r=0;t=")), (200, true), "{second:?}");
    let refused = summary(&site, &fast);

    assert_eq!((refused.status, refused.json()["error"].as_str()), (429, Some("Rate limit exceeded")));
    let wait: u32 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{refused:?}");
    let gateway = forward(&site, &fast, "");
    assert_eq!((gateway.status, gateway.header("domicile-reason")), (429, "rate_limited"));
    assert!(gateway.header("retry-after").parse::<u32>().is_ok());
    let nginx = forward(&site, &fast, "?nginx=1");
    assert_eq!((nginx.status, nginx.header("domicile-reason")), (403, "rate_limited"));
    let (other, _) = key(&site, &[]);
    assert_eq!((summary(&site, &other).status, summary(&site, &other).header("ratelimit")), (200, ""));
}

#[test]
fn a_request_without_the_required_scope_does_not_count_against_the_rate_limit() {
    let site = Appliance::running();
    site.account("ada-l");
    let (fast, _) = key(&site, &["--rate", "1"]);

    for _ in 0..5 {
        let denied = site.call("GET", "/api/billing/transactions").bearer(&fast).send();
        assert_eq!((denied.status, denied.json()["code"].as_str()), (403, Some("insufficient_scope")));
        assert_eq!(forward(&site, &fast, "?scope=models:read").status, 403);
    }

    assert_eq!([summary(&site, &fast).status, summary(&site, &fast).status], [200, 429]);
}

#[test]
fn an_exposed_key_can_be_reported_and_the_reporter_learns_nothing() {
    let site = Appliance::running();
    site.account("ada-l");
    let (found, id) = key(&site, &[]);
    let report = |body: serde_json::Value| site.call("POST", "/v1/key-exposures").json(&body).send();
    let one =
        |token: &str| json!([{"token": token, "type": "domicile", "url": "https://git.example/x", "source": "commit"}]);

    let unknown = report(one(&format!("dok_{}", "0".repeat(40))));
    let mine = report(one(&found));
    let again = report(one(&found));
    let as_form = site.call("POST", "/v1/key-exposures").form(&[("token", found.as_str())]).send();
    for answer in [&unknown, &mine, &again, &as_form] {
        assert_eq!((answer.status, answer.text().as_str()), (202, "{\"received\":true}"));
    }
    assert_eq!(summary(&site, &found).json()["code"], "key_quarantined");
    let message = site.mailbox().wait_for("ada-l@example.org", "was found in public");
    assert!(message.text.contains("https://git.example/x"), "{message:?}");
    assert!(message.text.contains(&found[..12]) && !message.text.contains(&found), "{message:?}");

    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let page = ada.get("/settings/keys").text();
    assert!(page.contains("was found in public") && page.contains(&format!("/settings/keys/{id}/restore")), "{page}");
    for path in [&format!("/settings/keys/{id}"), "/activity"] {
        assert!(ada.get(path).text().contains("https://git.example/x"), "{path} says where it was found");
    }
    press(&mut ada, &id, "restore");
    assert_eq!(summary(&site, &found).status, 200);
    for bad in [json!({}), json!(["x"]), json!([{"url": "x"}]), json!(vec![json!({"token": "x"}); 101])] {
        assert_eq!(report(bad).status, 400);
    }
    let answers: Vec<_> = (0..40).map(|_| report(one(&found))).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("reports of one network are limited");
    assert!(refused.header("retry-after").parse::<u32>().is_ok(), "{refused:?}");
}

#[test]
fn a_key_with_one_of_several_scopes_counts_against_its_rate_limit() {
    let site = Appliance::running();
    site.account("ada-l");
    let (fast, _) = key(&site, &["--scope", "models:read", "--rate", "2"]);
    let trash = || site.call("GET", "/api/trash").bearer(&fast).send();

    let answers = [trash(), trash(), trash()];

    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 200, 429], "{answers:?}");
    assert!(answers[0].header("ratelimit").starts_with("\"key\";r=1;t="), "{answers:?}");
}

#[test]
fn the_page_of_a_rotation_says_how_long_the_new_key_lives() {
    let site = Appliance::running();
    site.account("ada-l");
    let (_, id) = key(&site, &[]);
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let path = format!("/settings/keys/{id}/rotate");
    assert!(ada.get(&path).text().contains("<dd>No end, as the old key</dd>"));

    ada.submit("/settings/keys", "/settings/keys/policy", &[("max_life_days", "30")]);

    let page = ada.get(&path).text();
    assert!(page.contains("<dd>30 days, the maximum for new keys</dd>"), "{page}");
    assert!(page.contains("value=\"24h\" selected"), "{page}");
}

#[test]
fn the_page_of_an_old_key_shows_the_programs_that_still_use_it() {
    let mut site = Appliance::running();
    site.account("ada-l");
    let (old, id) = key(&site, &[]);
    let mut ada = site.browser();
    ada.sign_in("ada-l");

    let page = submit(&mut ada, &format!("/settings/keys/{id}"), "rotate", &[("overlap", "24h")]);
    let new = ada.follow(&page).value_of("id=\"new-key\"");
    for text in [&old, &new] {
        assert_eq!(summary(&site, text).status, 200);
    }
    let called = site.call("GET", "/api/account/summary").bearer(&old).header("User-Agent", "trainer/7.1").send();
    assert_eq!(called.status, 200);
    // Usage in memory is written when the server stops.
    site.stop();
    site.start();

    let page = ada.get(&format!("/settings/keys/{id}")).text();
    assert!(page.contains("Programs that still use this key") && page.contains("trainer/7.1"), "{page}");
    assert!(page.contains("127.0.0.1"), "{page}");
    assert_eq!([&old, &new].map(|text| summary(&site, text).status), [200, 200], "the overlap outlives a restart");
}

#[test]
fn a_stored_key_is_revealed_only_after_a_recent_confirmation() {
    let site = Appliance::running_with_clock("[api_keys]\nreveal = \"owner\"\n");
    site.account("ada-l");
    let (text, id) = key(&site, &[]);
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let path = format!("/settings/keys/{id}");
    let reveal = format!("{path}/reveal");

    assert!(ada.get(&path).text().contains("Reveal"));
    let revealed = ada.submit(&path, &reveal, &[]);
    let revealed = ada.follow(&revealed);
    assert!(revealed.text().contains(&format!("<output id=\"revealed-key\">{text}</output>")), "{revealed:?}");
    site.set_ahead(11 * 60);
    let page = ada.submit(&path, &reveal, &[]);

    assert!(!page.text().contains(&text), "the page asks for a confirmation first");
    let status = |ada: &mut Browser, action: &str| submit(ada, &path, action, &[("overlap", "0")]).status;
    assert_eq!(status(&mut ada, "rotate"), 403);
    assert_eq!(status(&mut ada, "disable"), 303, "to disable a key, a session is enough");
    assert_eq!(summary(&site, &text).json()["code"], "key_disabled");
    status(&mut ada, "enable");
    assert_eq!(summary(&site, &text).json()["code"], "key_disabled", "to enable it needs a confirmation");
    assert_eq!(status(&mut ada, "revoke"), 303);
    assert_eq!(summary(&site, &text).status, 401);
    assert!(ada.get("/activity").text().contains("API key revealed"), "it is in the person's activity");
}

#[test]
fn a_note_is_on_the_pages_and_in_the_list_of_keys_and_services_never_get_it() {
    let site = Appliance::running();
    site.account("ada-l");
    let farm = site.service("farm");
    let (text, id) = key(&site, &[]);
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let page = format!("/settings/keys/{id}");
    let mut change = |note: &str| ada.submit(&page, &page, &[("name", "ci"), ("note", note)]);

    let refused = change(&"<too long>".repeat(51));
    assert_eq!(refused.status, 400, "{refused:?}");
    let body = refused.text();
    assert!(body.contains("at most 500 visible characters") && body.contains("&#60;too long"), "it keeps the text");
    assert_eq!(change("Ask <Grace>.\r\nShe knows.").location(), format!("{page}#details"));

    let shown = ada.get(&page).text();
    assert!(shown.contains("<dd class=\"typed\">Ask &#60;Grace&#62;.\nShe knows.</dd>"), "{shown}");
    assert!(shown.contains("She knows.</textarea>"), "{shown}");
    assert!(!ada.get("/settings/keys").text().contains("Grace"), "the list shows short notes only");
    let listed = site.call("GET", "/api/api-keys").bearer(&text).send().json();
    assert_eq!(listed["keys"][0]["note"], "Ask <Grace>.\nShe knows.");
    let verified = site.call("POST", "/v1/introspect").bearer(&farm).form(&[("token", &text)]).send();
    assert!(verified.json()["active"] == true && !verified.text().contains("Grace"), "{verified:?}");
    let gateway = forward(&site, &text, "");
    assert!(!format!("{:?}{}", gateway.headers, gateway.text()).contains("Grace"), "{gateway:?}");

    let new = [("name", "nightly"), ("note", "On the farm"), ("scope", "read"), ("expires", "90d")];
    let created = ada.submit("/settings/keys?create=1", "/settings/keys", &new);
    assert!(ada.follow(&created).text().contains("is ready"));
    assert!(ada.get("/settings/keys").text().contains("<span class=\"under\">On the farm</span>"));
    let wrong = [("name", ""), ("note", "On the farm"), ("scope", "read"), ("expires", "90d")];
    let again = ada.submit("/settings/keys?create=1", "/settings/keys", &wrong).text();
    assert!(again.contains("On the farm</textarea>"), "the form keeps the note: {again}");
}

#[test]
fn a_new_key_is_shown_by_a_page_that_can_be_loaded_again_for_minutes() {
    let site = Appliance::running_with_clock("");
    site.account("ada-l");
    let [mut ada, mut phone] = [site.browser(), site.browser()];
    ada.sign_in("ada-l");
    phone.sign_in("ada-l");
    let count = |site: &Appliance| {
        let listed: serde_json::Value =
            serde_json::from_str(&site.run(&["--json", "key", "list", "--account", "ada-l"]).ok()).unwrap();
        listed["keys"].as_array().unwrap().len()
    };
    let form = [("name", "ci"), ("scope", "account:read"), ("expires", "90d")];

    let created = ada.submit("/settings/keys?create=1", "/settings/keys", &form);
    let text = ada.follow(&created).value_of("id=\"new-key\"");
    assert_eq!(ada.follow(&created).value_of("id=\"new-key\""), text, "a reload shows it again");
    assert_eq!((count(&site), summary(&site, &text).status), (1, 200), "and makes no second key");
    let themed = ada.submit(created.location(), "/theme", &[("theme", "dark")]);
    assert_eq!(themed.location(), created.location(), "the switch of the theme comes back to it");
    let elsewhere = phone.follow(&created).text();
    assert!(!elsewhere.contains(&text) && elsewhere.contains("It cannot be shown again."), "{elsewhere}");

    let id = created.location().split_once("new=").unwrap().1.to_owned();
    let path = format!("/settings/keys/{id}");
    let rotated = submit(&mut ada, &path, "rotate", &[("overlap", "24h")]);
    let [first, second] = [ada.follow(&rotated), ada.follow(&rotated)].map(|page| page.value_of("id=\"new-key\""));
    assert!(first == second && first != text && count(&site) == 2);
    site.set_ahead(301);
    let late = ada.follow(&rotated).text();
    assert!(!late.contains(&first) && late.contains("It cannot be shown again."), "{late}");
}

#[test]
fn scopes_are_chosen_as_levels_of_resources_and_reduced_on_a_page_of_their_own() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let levels = [
        ("name", "ci"),
        ("expires", "90d"),
        ("scope-models", "models:write"),
        ("scope-datasets", ""),
        ("scope-usage", "usage:read"),
        ("scope", "training"),
    ];
    let created = ada.submit("/settings/keys?create=1", "/settings/keys", &levels);
    let id = created.location().split_once("new=").unwrap().1.to_owned();
    let path = format!("/settings/keys/{id}");
    let page = ada.get(&path).text();
    for shown in ["training</code>", "models:write</code>", "usage:read</code>", "Read and write"] {
        assert!(page.contains(shown), "{shown} is not on {page}");
    }

    let reduce = format!("{path}/scopes");
    let form = ada.get(&reduce).text();
    assert!(form.contains("value=\"models:write\" checked") && !form.contains("billing:read"), "{form}");
    let grown = ada.submit(&reduce, &reduce, &[("scope-models", "models:read"), ("scope", "billing:read")]);
    assert!(grown.status == 400 && grown.text().contains("A key can only lose scopes."), "{}", grown.text());
    let none = ada.submit(&reduce, &reduce, &[("scope-models", "")]);
    assert!(none.status == 400 && none.text().contains("Choose at least one scope"), "{}", none.text());
    let reduced = ada.submit(&reduce, &reduce, &[("scope-models", "models:read")]);
    let page = ada.follow(&reduced).text();
    assert!(page.contains("The scopes were reduced.") && !page.contains("models:write</code>"), "{page}");
    assert!(ada.get("/activity").text().contains("API key scopes reduced"));
    let same = ada.submit(&reduce, &reduce, &[("scope-models", "models:read")]);
    let page = ada.follow(&same).text();
    assert!(page.contains("Nothing was changed") && !page.contains("The scopes were reduced."), "{page}");
}

#[test]
fn the_list_of_keys_is_sorted_and_ended_keys_have_a_filter_of_their_own() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let make = |name: &str, more: &[&str]| {
        let mut call = vec!["--json", "key", "create", "--account", "ada-l", "--name", name, "--scope", "read"];
        call.extend(more);
        let made: serde_json::Value = serde_json::from_str(&site.run(&call).ok()).unwrap();
        made["id"].as_str().unwrap().to_owned()
    };
    make("beta", &["--expires", "3d"]);
    make("alpha", &["--expires", "90d", "--scope", "models:write", "--scope", "usage:read", "--scope", "admin"]);
    let ended = make("gamma", &[]);
    site.run(&["key", "revoke", &ended]).ok();
    let mut order = |query: &str| {
        let page = ada.get(&format!("/settings/keys{query}")).text();
        let (_, table) = page.split_once("<table class=\"keys\">").unwrap_or(("", ""));
        let (table, _) = table.split_once("</table>").unwrap_or(("", ""));
        let names = table.split("<strong>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        (names.collect::<Vec<_>>().join(" "), page)
    };

    assert_eq!(order("").0, "alpha beta", "the newest first, without ended ones");
    assert_eq!(order("?sort=name&order=up").0, "alpha beta");
    assert_eq!(order("?sort=name&order=down").0, "beta alpha");
    assert_eq!(order("?sort=expires&order=up").0, "beta alpha");
    assert_eq!(order("?sort=created&order=up&state=all").0, "beta alpha gamma");
    assert_eq!(order("?state=ended").0, "gamma");
    let (_, page) = order("?sort=name&order=up&q=a");
    assert!(
        page.contains("aria-sort=\"ascending\"") && page.contains("sort=name&amp;order=down")
            || page.contains("sort=name&#38;order=down"),
        "{page}"
    );
    assert!(page.contains("read, models:write") && page.contains("and 2 more"), "{page}");
    assert!(page.contains("Soon</span>") && page.contains("1 ended key</a>"), "{page}");
}

#[test]
fn settings_pages_answer_scripts_with_problem_documents() {
    let site = Appliance::running_with_clock("");
    site.account("ada-l");
    let visitor = site.call("GET", "/settings/keys").header("Accept", "application/json").send();
    assert_eq!((visitor.status, visitor.json()["code"].as_str()), (401, Some("signed_out")));
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let csrf = ada.get("/settings/keys?create=1").value_of("name=\"csrf\"");
    let post = |path: &str, accept: &str, fields: &[(&str, &str)]| {
        let call = ada.call("POST", path).header("Sec-Fetch-Site", "same-origin").header("Accept", accept);
        call.form(&[&[("csrf", csrf.as_str())], fields].concat()).send()
    };

    let refused = post("/settings/keys", "application/problem+json", &[("name", ""), ("scope", "read")]);
    assert_eq!((refused.status, refused.header("content-type")), (400, "application/problem+json"));
    assert_eq!(
        (refused.json()["code"].as_str(), refused.json()["field"].as_str()),
        (Some("key_name_invalid"), Some("name"))
    );
    let page = post("/settings/keys", "text/html,application/json;q=0.9", &[("name", ""), ("scope", "read")]);
    assert!(page.status == 400 && page.header("content-type").starts_with("text/html"), "{page:?}");
    let unknown = ada.call("GET", "/settings/keys/key_0").header("Accept", "application/json").send();
    assert_eq!((unknown.status, unknown.json()["code"].as_str()), (404, Some("not_found")));
    site.set_ahead(601);
    let stale = post("/settings/keys", "application/json", &[("name", "ci"), ("scope", "read"), ("expires", "90d")]);
    assert_eq!((stale.status, stale.json()["code"].as_str()), (403, Some("proof_needed")));
    let asked = post("/settings/keys", "text/html", &[("name", "ci"), ("scope", "read"), ("expires", "90d")]).text();
    assert!(asked.contains("To create an API key, confirm that you are <strong>"), "{asked}");
}
