use super::{Appliance, PASSWORD, PermissionsExt, open_live};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_rotated_or_revoked_credential_of_a_service_is_refused_at_the_next_request() {
    let site = Appliance::running();
    let leaked = site.service("training");
    let status = |credential: &str| {
        site.call("POST", "/v1/introspect").bearer(credential).form(&[("token", "dok_none")]).send().status
    };
    assert_eq!(status(&leaked), 200);

    let second = site.run(&["service", "rotate", "training"]).ok();
    assert_eq!([&leaked, &second].map(|credential| status(credential)), [200, 200]);
    let third = site.run(&["service", "rotate", "training", "--overlap", "0"]).ok();
    assert_eq!([&leaked, &second, &third].map(|credential| status(credential)), [401, 401, 200]);
    let shown = site.run(&["service", "show", "training"]).ok();
    assert_eq!((shown.matches("revoked").count(), shown.matches(" active)").count()), (2, 1), "{shown}");
    assert!(shown.contains(&third[..12]) && !shown.contains(&third), "{shown}");

    site.run(&["service", "revoke", "training"]).ok();
    assert_eq!(status(&third), 401);
    assert!(site.run(&["service", "list"]).ok().contains("\t0 valid\t"));
    let refused = site.run(&["service", "revoke", "training"]);
    assert!(refused.status == 1 && refused.stderr.contains("service show"), "{refused:?}");
    let refused = site.run(&["service", "rotate", "other"]);
    assert!(refused.status == 1 && refused.stderr.contains("service list"), "{refused:?}");
}

#[test]
fn the_address_for_webhooks_of_a_service_is_shown() {
    let site =
        Appliance::initialized_with("[[egress]]\nhost = \"127.0.0.1\"\nregion = \"eu\"\npurpose = \"webhooks\"\n");
    site.run(&["service", "create", "training"]).ok();
    let shown = || [site.run(&["inbox", "webhook", "training"]).ok(), site.run(&["service", "show", "training"]).ok()];
    assert!(shown().iter().all(|text| text.contains("reads its inbox")), "{:?}", shown());

    site.run(&["inbox", "webhook", "training", "--url", "https://127.0.0.1/hook"]).ok();
    assert!(shown().iter().all(|text| text.contains("https://127.0.0.1/hook: working")), "{:?}", shown());
    site.run(&["inbox", "webhook", "training", "--rotate-secret"]).ok();
    let value = json(&site.run(&["inbox", "webhook", "training", "--json"]).ok());
    assert_eq!((value["url"].as_str(), value["state"].as_str()), (Some("https://127.0.0.1/hook"), Some("working")));
    assert!(value["previous_secret_until"].is_string(), "{value}");
    let value = json(&site.run(&["service", "show", "training", "--json"]).ok());
    assert_eq!(value["webhook"]["state"], "working");
}

#[test]
fn what_services_keep_for_a_person_is_listed_and_moved_to_the_trash() {
    let site = Appliance::running();
    site.account("ada-l");
    let (service, workspace) = (site.service("registry"), site.workspace("ada-l"));
    for (id, name, size) in [("m-1", "Orchard", 10), ("m-2", "Apples", 2_000_000)] {
        let body =
            serde_json::json!({"workspace": workspace, "type": "model", "name": name, "size": size, "version": 1});
        let answer = site.call("PUT", &format!("/v1/resources/{id}")).bearer(&service).json(&body).send();
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    let listed = || site.run(&["resource", "list", "--account", "ada-l"]).ok();
    let lines: Vec<String> = listed().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with("\tmodel\tApples\t\tregistry\t2.0 MB"), "{lines:?}");
    let found = site.run(&["resource", "list", "--account", "ada-l", "--search", "orch", "--json"]).ok();
    let found = json(&found);
    assert_eq!((found["resources"][0]["name"].as_str(), found["more"].as_bool()), (Some("Orchard"), Some(false)));
    let id = found["resources"][0]["id"].as_str().unwrap();
    let moved = site.run(&["resource", "trash", id, "--account", "ada-l"]);
    assert!(moved.stderr.contains("restored for 30 days") && moved.status == 0, "{moved:?}");
    assert!(!listed().contains("Orchard"));
    let unknown = site.run(&["resource", "trash", "res_unknown", "--account", "ada-l"]);
    assert!(unknown.status == 1 && unknown.stderr.contains("There is no such resource"), "{unknown:?}");
}

#[test]
fn check_describes_the_settings() {
    let site = Appliance::initialized();

    let output = site.run(&["check"]).ok();
    for word in ["eu", "127.0.0.1", "mail", "snapshot"] {
        assert!(output.to_lowercase().contains(word), "{word:?} is not in:\n{output}");
    }
    assert!(json(&site.run(&["check", "--json"]).ok())["settings"].is_object());
}

#[test]
fn init_creates_files_that_only_their_owner_can_read() {
    let site = Appliance::initialized();

    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(site.keyring()), 0o600);
    assert_eq!((mode(site.data()), mode(site.data().join("live"))), (0o700, 0o700));
    assert_eq!(mode(site.data().join("live/live.sqlite")) & 0o077, 0);
}

#[test]
fn a_change_at_the_command_line_takes_effect_at_the_next_request() {
    let site = Appliance::running();
    site.account("ada-l");
    let service = site.service("training");
    let key = site.api_key("ada-l", &["read"]);
    let is_active = || {
        site.call("POST", "/v1/introspect").bearer(&service).form(&[("token", &key)]).send().json()["active"] == true
    };
    let id = json(&site.run(&["key", "list", "--account", "ada-l", "--json"]).ok())["keys"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();

    for _ in 0..3 {
        assert!(is_active());
    }
    site.run(&["key", "revoke", &id]).ok();
    assert!(!is_active());

    let balance = || {
        json(&site.call("GET", "/api/account/summary").bearer(&site.api_key("ada-l", &["account:read"])).send().text())
    };
    let before = balance()["creditsCents"].as_i64().unwrap();
    site.run(&["credit", "grant", "--account", "ada-l", "--amount", "25.00", "--reason", "Workshop"]).ok();
    assert_eq!(balance()["creditsCents"].as_i64().unwrap(), before + 2500);
}

#[test]
fn an_account_is_shown_and_deleted_and_its_session_ends() {
    let site = Appliance::running();
    let id = site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    assert_eq!(json(&site.run(&["account", "show", "ada-l@example.org", "--json"]).ok())["id"], id.as_str());
    assert_eq!(json(&site.run(&["account", "list", "--json"]).ok())["total"], 1);

    let receipt = site.run(&["account", "delete", "ada-l", "--yes"]).ok();

    assert!(receipt.starts_with("dsr_"), "{receipt}");
    assert_eq!(ada.get("/settings/profile").status, 303);
    assert_eq!(site.run(&["account", "show", &id]).status, 1);
    assert_eq!(json(&site.run(&["account", "list", "--json"]).ok())["total"], 0);
    site.mailbox().wait_for("ada-l@example.org", "deleted");
    let journal = std::fs::read_to_string(site.data().join("tombstones.jsonl")).unwrap();
    assert!(journal.contains(&id), "{journal}");
}

#[test]
fn an_account_without_a_password_gets_a_link_to_set_one() {
    let site = Appliance::running();
    site.run(&["account", "create", "--email", "ada@example.org", "--username", "ada-l", "--verified"]).ok();

    let link = site.mailbox().wait_for("ada@example.org", "password").link("/reset");
    let path = link.strip_prefix(&site.url()).unwrap().to_owned();
    let mut ada = site.browser();
    let token = path.split_once("token=").unwrap().1;
    let done = ada.submit(&path, "/reset", &[("token", token), ("password", PASSWORD)]);
    assert_eq!(done.status, 303, "{}", done.text());
    ada.sign_in("ada-l");
    assert_eq!(ada.get("/settings/profile").status, 200);
}

#[test]
fn an_account_is_exported_into_a_sealed_file() {
    let site = Appliance::initialized();
    site.account("ada-l");
    let output = site.folder().join("ada.zip.age").display().to_string();

    let arguments = ["account", "export", "ada-l", "--passphrase-stdin", "--output", &output];
    site.run_with_input(&arguments, "a long passphrase").ok();

    let sealed = std::fs::read(&output).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
    assert_eq!(std::fs::metadata(&output).unwrap().permissions().mode() & 0o777, 0o600);
    let again = site.run_with_input(&arguments, "a long passphrase");
    assert_eq!(again.status, 1, "{again:?}");
    assert_eq!(std::fs::read(&output).unwrap(), sealed);
    let unsealed = site.run(&["account", "export", "ada-l", "--output", "x"]);
    assert_eq!(unsealed.status, 2, "{unsealed:?}");
}

#[test]
fn healthcheck_reports_whether_the_server_is_ready() {
    let mut site = Appliance::initialized();
    assert_eq!(site.run(&["healthcheck"]).status, 1);
    site.start();
    assert_eq!(site.run(&["healthcheck"]).ok(), "ready");
    site.stop();
    assert_eq!(site.run(&["healthcheck"]).status, 1);
}

#[test]
fn the_first_operators_link_works_once() {
    let mut site = Appliance::configured("");
    let link = site.run(&["init"]).ok();
    site.start();
    let path = link.strip_prefix(&site.url()).unwrap().to_owned();
    let claim = path.split_once("claim=").unwrap().1;
    let mut ada = site.browser();
    let fields = [("claim", claim), ("email", "ada@example.org"), ("username", "ada-l"), ("password", PASSWORD)];

    let signed_in = ada.submit(&path, "/signup", &fields);
    assert_eq!((signed_in.status, signed_in.header("location")), (303, "/settings/profile"), "no code is needed");
    let shown = json(&site.run(&["account", "show", "ada-l", "--json"]).ok());
    assert_eq!(shown["operator"], true);

    assert_eq!(site.browser().get(&path).status, 400, "a used link shows no form");
    let mut eve = site.browser();
    let fields = [("claim", claim), ("email", "eve@example.org"), ("username", "eve-x"), ("password", PASSWORD)];
    assert_eq!(eve.submit("/signup", "/signup", &fields).status, 400);
    assert_eq!(site.run(&["account", "show", "eve-x"]).status, 1);
}

#[test]
fn account_list_shows_all_accounts_with_the_option_all() {
    let site = Appliance::initialized();
    site.account("ada-l");
    open_live(&site)
        .execute_batch(
            "with recursive n(i) as (select 100 union all select i + 1 from n where i < 349)
             insert into account (id, username, display_name, company, use_case, bio, region, state, is_operator, created_at)
             select substr(id, 1, length(id) - 3) || i, 'person-' || i, display_name, company, use_case, bio, region, state,
                    is_operator, created_at + i
             from account, n",
        )
        .unwrap();
    let names = |arguments: &[&str]| -> Vec<String> {
        let output = json(&site.run(arguments).ok());
        assert_eq!(output["total"], 251);
        let accounts = output["accounts"].as_array().unwrap();
        accounts.iter().map(|account| account["username"].as_str().unwrap().to_owned()).collect()
    };

    let page = names(&["account", "list", "--json"]);
    let all = names(&["account", "list", "--json", "--all"]);

    assert_eq!((page.len(), page[0].as_str(), page[99].as_str()), (100, "person-349", "person-250"));
    let mut expected: Vec<String> = (100..350).rev().map(|number| format!("person-{number}")).collect();
    expected.push("ada-l".into());
    assert_eq!(all, expected);
    assert_eq!(site.run(&["account", "list", "--all"]).ok().lines().count(), 251);
    let page = site.run(&["account", "list"]);
    assert!(page.stderr.contains("100 of 251") && page.stderr.contains("--all"), "{}", page.stderr);
}

#[test]
fn an_erasure_removes_the_person_from_the_published_snapshot() {
    let mut site = Appliance::initialized();
    let accounts = |site: &Appliance| {
        let manifest = std::fs::read_to_string(site.data().join("domicile.sqlite.json")).unwrap();
        json(&manifest)["rows"]["account"].as_i64().unwrap()
    };
    site.account("ada-l");
    site.account("grace-h");
    site.run(&["snapshot", "now"]).ok();
    assert_eq!(accounts(&site), 2);

    // Without a server, the command publishes; with a server, the deletion by the person does.
    site.run(&["account", "delete", "ada-l", "--yes"]).ok();
    assert_eq!(accounts(&site), 1);
    site.start();
    let mut grace = site.browser();
    grace.sign_in("grace-h");
    let fields = [("confirm", "DELETE"), ("password", PASSWORD)];
    assert_eq!(grace.submit("/settings/privacy/delete", "/settings/privacy/delete", &fields).status, 200);

    crate::support::wait_for("a snapshot without people", || (accounts(&site) == 0).then_some(()));
}

#[test]
fn exposed_keys_are_found_and_not_printed() {
    let site = Appliance::initialized();
    site.account("ada-l");
    let (key, service) = (site.api_key("ada-l", &["read"]), site.service("farm"));
    let tree = site.folder().join("tree");
    std::fs::create_dir_all(tree.join("deep/.git")).unwrap();
    std::fs::create_dir_all(tree.join("windows")).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(tree.join(name), bytes).unwrap();
    write("clean.txt", b"dok_0123456789abcdef0123456789abcdef01234567 looks like one\n");
    assert_eq!(site.run(&["key", "scan", "tree"]).status, 0);

    write("deep/settings.py", format!("# keys\nKEY = \"{key}\"\n").as_bytes());
    // Across the border of two chunks, in a binary file.
    write("large.bin", &[vec![0xff; (1 << 20) - 20], b"\n".to_vec(), service.clone().into_bytes()].concat());
    write("deep/.git/packed", key.as_bytes());
    // As Windows writes text: UTF-16 in either byte order, at an odd place, and across the border of two chunks.
    let utf_16 =
        |text: &str, to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> { text.encode_utf16().flat_map(to_bytes).collect() };
    let border = |before: usize| [vec![b'-'; (1 << 20) - before], utf_16(&key, u16::to_le_bytes)].concat();
    write("windows/be.txt", &[vec![0xfe, 0xff], utf_16(&format!("a\r\nKEY={key}\r\n"), u16::to_be_bytes)].concat());
    write("windows/border-49.bin", &border(49));
    write("windows/border-97.bin", &border(97));
    write("windows/border-98.bin", &[border(98), b"\0".to_vec()].concat());
    write("windows/le.txt", &[vec![0xff, 0xfe], utf_16(&format!("é\nKEY=\"{key}\""), u16::to_le_bytes)].concat());
    write("windows/odd.bin", &[vec![0], utf_16(&key, u16::to_le_bytes)].concat());
    std::os::unix::fs::symlink(tree.join("deep"), tree.join("link")).unwrap();
    let scanned = site.run(&["key", "scan", "tree"]);

    let mut expected =
        vec![format!("tree/deep/settings.py:2: {}…", &key[..12]), format!("tree/large.bin:2: {}…", &service[..12])];
    for (name, line) in
        [("be.txt", 2), ("border-49.bin", 1), ("border-97.bin", 1), ("border-98.bin", 1), ("le.txt", 2), ("odd.bin", 1)]
    {
        expected.push(format!("tree/windows/{name}:{line}: {}…", &key[..12]));
    }
    assert_eq!(
        (scanned.status, scanned.stdout.lines().collect::<Vec<_>>()),
        (1, expected.iter().map(String::as_str).collect())
    );
    assert!(!format!("{scanned:?}").contains(&key[..20]));
    assert_eq!(
        site.run_with_input(&["key", "scan", "-"], &format!("+{key}")).stdout,
        format!("-:1: {}…\n", &key[..12])
    );
    assert!(site.run(&["key", "pattern"]).ok().contains("\\bdok_[0-9a-f]{40}\\b"));
}

#[test]
fn a_rotation_at_the_command_line_takes_effect_at_the_next_request() {
    let site = Appliance::running();
    site.account("ada-l");
    let old = site.api_key("ada-l", &["account:read"]);
    let status = |key: &str| site.call("GET", "/api/account/summary").bearer(key).send().status;
    assert_eq!(status(&old), 200);
    let listed = || -> serde_json::Value {
        serde_json::from_str(&site.run(&["--json", "key", "list", "--account", "ada-l"]).ok()).unwrap()
    };
    let id = listed()["keys"][0]["id"].as_str().unwrap().to_owned();

    assert_eq!(site.run(&["key", "rotate", &id, "--overlap", "8d"]).status, 1);
    let new = site.run(&["key", "rotate", &id]);
    assert!(new.stderr.contains("The old key is valid until"), "{new:?}");
    let new = new.ok();
    assert_eq!((status(&old), status(&new)), (200, 200));
    assert_eq!(site.run(&["key", "rotate", &id]).status, 1, "it has a successor");
    let newest = listed()["keys"][0]["id"].as_str().unwrap().to_owned();
    let third = site.run(&["key", "rotate", &newest, "--overlap", "0"]).ok();

    assert_eq!((status(&old), status(&new), status(&third)), (200, 401, 200));
    assert_eq!(site.run(&["key", "rotate", "key_unknown"]).status, 1);
}

#[test]
fn a_note_is_stored_with_a_new_key_and_listed() {
    let site = Appliance::initialized();
    site.account("ada-l");
    let create = ["key", "create", "--account", "ada-l", "--name", "ci", "--scope", "read", "--note"];

    site.run(&[&create[..], &[" Nightly training.\nAsk Grace. "]].concat()).ok();

    let listed = site.run(&["key", "list", "--account", "ada-l"]).ok();
    assert!(listed.ends_with("\tci\tread\tNightly training. Ask Grace."), "{listed}");
    let listed = json(&site.run(&["--json", "key", "list", "--account", "ada-l"]).ok());
    assert_eq!(listed["keys"][0]["note"], "Nightly training.\nAsk Grace.");
}

#[test]
fn c4_a_keyring_rotation_keeps_all_keys_and_an_older_copy_is_refused() {
    let mut site = Appliance::running();
    site.account("ada-l");
    let (key, service) = (site.api_key("ada-l", &["account:read"]), site.service("farm"));
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let verify = |site: &Appliance| {
        let introspected = site.call("POST", "/v1/introspect").bearer(&service).form(&[("token", &key)]).send();
        let summary = site.call("GET", "/api/account/summary").bearer(&key).send();
        (summary.status, introspected.json()["active"].as_bool())
    };
    let older = std::fs::read(site.keyring()).unwrap();

    site.run(&["keyring", "rotate"]).ok();
    assert_eq!(verify(&site), (200, Some(true)), "the running server does not use the new keys");
    let new_key = site.api_key("ada-l", &["account:read"]);
    assert_eq!(site.call("GET", "/api/account/summary").bearer(&new_key).send().status, 200);
    site.stop();
    site.start();
    for _ in 0..2 {
        assert_eq!(verify(&site), (200, Some(true)));
    }
    assert_eq!(ada.get("/settings/profile").status, 200, "the session is still valid");
    assert_eq!(site.run(&["audit", "verify"]).status, 0);
    site.stop();
    site.start();
    assert_eq!(verify(&site), (200, Some(true)), "also with its digest under the new pepper");
    site.stop();

    std::fs::write(site.keyring(), older).unwrap();
    for command in ["check", "serve"] {
        let refused = site.run(&[command]);
        assert_eq!(refused.status, 2, "{refused:?}");
        assert!(refused.stderr.contains("the keyring is older than the database"), "{refused:?}");
    }
}

#[test]
fn the_printed_hook_refuses_a_push_with_a_key() {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    let site = Appliance::initialized();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["read"]);
    let (server, work) = (site.folder().join("server.git"), site.folder().join("work"));
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_domicile")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let git = |arguments: &[&str]| {
        let mut git = Command::new(crate::support::tool("git"));
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]).args(arguments).current_dir(&work);
        let done =
            git.env("PATH", &path).env("HOME", site.folder()).env("DOMICILE_CONFIG", site.config()).output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    std::fs::create_dir(&work).unwrap();
    assert!(git(&["init", "-q", "--bare", server.to_str().unwrap()]).0);
    assert!(git(&["init", "-q", "-b", "main", "."]).0);
    let printed = site.run(&["key", "pattern"]).ok();
    let (_, hook) = printed.split_once("# For a git server, as hooks/pre-receive:\n").unwrap();
    let hook_path = server.join("hooks/pre-receive");
    std::fs::write(&hook_path, format!("{hook}\n")).unwrap();
    std::fs::set_permissions(&hook_path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let commit = |text: &str, branch: &str| {
        std::fs::write(work.join("settings.py"), text).unwrap();
        git(&["add", "."]);
        assert!(git(&["commit", "-q", "-m", "settings"]).0);
        git(&["push", "-q", server.to_str().unwrap(), &format!("HEAD:refs/heads/{branch}")])
    };

    assert!(commit("KEY = None\n", "main").0);
    let (pushed, stderr) = commit(&format!("KEY = \"{key}\"\n"), "main");
    assert!(!pushed && stderr.contains("contains a key") && !stderr.contains(&key), "{stderr}");
    // Removing it in a later commit is not enough, because the history still contains it.
    let (pushed, _) = commit("KEY = None  # now from the environment\n", "other");

    assert!(!pushed);
    assert!(git(&["push", "-q", server.to_str().unwrap(), "HEAD~2:refs/heads/clean"]).0);
}

#[test]
fn vouchers_are_made_listed_redeemed_and_revoked() {
    let site = Appliance::running();
    site.account("ada-l");
    let create = ["voucher", "create", "--amount", "25", "--codes", "2", "--reason", "Workshop", "--expires", "90d"];
    let created = site.run(&create);
    let codes: Vec<&str> = created.stdout.lines().collect();
    assert!(codes.len() == 2 && codes.iter().all(|code| code.len() == 23), "{created:?}");
    assert!(created.stderr.contains("domicile voucher revoke vch_"), "{created:?}");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let redeem = |browser: &mut crate::support::Browser, code: &str| {
        browser.submit("/settings/billing", "/settings/billing/redeem", &[("code", code)]).status
    };
    assert_eq!(redeem(&mut ada, codes[0]), 303);

    let listed = json(&site.run(&["voucher", "list", "--json"]).ok())["vouchers"][0].clone();
    let id = listed["id"].as_str().unwrap();
    assert_eq!((listed["uses"].as_i64(), listed["state"].as_str()), (Some(1), Some("active")), "{listed}");
    assert_eq!((listed["amount"].as_str(), listed["kind"].as_str()), (Some("25.00"), Some("voucher")));
    assert_eq!(site.run(&["voucher", "revoke", id]).ok().trim(), id);
    assert!(site.run(&["voucher", "revoke", id]).stderr.contains("revoked before"));
    assert_eq!(redeem(&mut ada, codes[1]), 400, "in force at the server's next request");
    assert!(site.run(&["voucher", "list"]).ok().contains("\t1 of 2\trevoked\t"));

    let promo = ["voucher", "create", "--amount", "5", "--promo", "Welcome-24", "--uses", "9", "--reason", "Welcome"];
    assert_eq!(site.run(&promo).ok().trim(), "Welcome-24");
    for (arguments, code) in [
        (&promo[..], "promo_code_taken"),
        (&["voucher", "create", "--amount", "0", "--reason", "x"], "refused"),
        (&["voucher", "create", "--amount", "1", "--reason", " "], "bad_reason"),
        (&["voucher", "create", "--amount", "1", "--reason", "x", "--codes", "1001"], "bad_codes"),
        (&["voucher", "create", "--amount", "1", "--reason", "x", "--expires", "soon"], "refused"),
        (&["voucher", "create", "--amount", "1", "--reason", "x", "--promo", "abc", "--uses", "1"], "bad_promo_code"),
        (&["voucher", "create", "--amount", "1", "--reason", "x", "--promo", "abcd"], "usage"),
        (&["voucher", "revoke", "vch_none"], "not_found"),
    ] {
        let output = site.run(&[arguments, &["--json"]].concat());
        assert_eq!(json(&output.stdout)["code"], code, "{arguments:?}: {output:?}");
        assert_ne!(output.status, 0);
    }
}

#[test]
fn a_monthly_allowance_is_set_shown_and_ended() {
    let site = Appliance::running();
    site.account("ada-l");
    let allowance = |rest: &[&str]| site.run(&[&["credit", "allowance", "ada-l"], rest].concat());

    assert_eq!(allowance(&[]).ok().trim(), "none");
    assert!(allowance(&["30"]).ok().starts_with("30.00 a month, the next on "));
    let value = json(&allowance(&["--json"]).ok());
    assert_eq!(value["amount"], "30.00");
    assert!(value["next_grant"].as_str().unwrap().ends_with("-01T00:00:00.000Z"), "{value}");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let page = ada.get("/settings/billing").text();
    assert!(page.contains("35.00") && page.contains("You get 30.00"), "{page}");
    let key = site.api_key("ada-l", &["billing:read"]);
    let summary = site.call("GET", "/api/billing/usage-summary").bearer(&key).send().json();
    assert_eq!(summary["trainingCredit"]["monthlyGrant"], 30.0);

    assert_eq!(allowance(&["none"]).ok().trim(), "none");
    for bad in ["0", "-1", "many", "1.0000001"] {
        assert_eq!(allowance(&[bad]).status, 1, "{bad}");
    }
}
