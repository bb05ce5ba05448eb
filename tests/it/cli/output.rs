//! What commands print: JSON for programs, tables for people, and what happens when nobody reads.

use std::fs::File;
use std::process::Stdio;

use serde_json::Value;

use super::commands::commands;
use crate::support::{Appliance, PASSWORD};

/// A running appliance with a person, a key and a service.
fn seeded() -> Appliance {
    let egress = "[[egress]]\nhost = \"127.0.0.1\"\nregion = \"eu\"\npurpose = \"webhooks\"\n";
    let site = Appliance::initialized_with(egress);
    let create =
        ["account", "create", "--email", "ada@example.org", "--username", "ada-l", "--password-stdin", "--verified"];
    site.run_with_input(&create, PASSWORD).ok();
    site.run(&["key", "create", "--account", "ada-l", "--name", "ci", "--scope", "models:read"]).ok();
    site.run(&["service", "create", "training"]).ok();
    site
}

#[test]
fn every_command_gives_one_json_value_for_programs_also_when_it_fails() {
    let site = Appliance::configured("");
    for command in commands() {
        // Without an appliance most of them fail. These two would go on until they are stopped.
        if ["demo", "serve"].contains(&command.words.as_str()) {
            continue;
        }
        let required = command.required();
        let arguments: Vec<&str> = command.words.split(' ').chain(required.iter().map(String::as_str)).collect();
        let output = site.run(&[&arguments[..], &["--json"]].concat());
        let value: Value = serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("`domicile {} --json`: {error}: {output:?}", arguments.join(" ")));
        if output.status != 0 {
            for member in ["error", "code"] {
                assert!(value[member].as_str().is_some_and(|text| !text.is_empty()), "{arguments:?}: {value}");
            }
            let code = value["code"].as_str().unwrap();
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{value}");
        }
    }
    for (arguments, code) in [(vec!["--json"], "usage"), (vec!["acount", "list", "--json"], "usage")] {
        let output = site.run(&arguments);
        let value: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        assert_eq!((output.status, value["code"].as_str()), (2, Some(code)), "{value}");
    }
}

/// Commands that need more than this file gives them, and the files of the tests that run them.
const ELSEWHERE: [(&str, &str); 10] = [
    ("account create", "tests/it/cli/changes.rs"),
    ("account export", "tests/it/cli/changes.rs"),
    ("account reset-factors", "tests/it/http/factors.rs"),
    ("healthcheck", "tests/it/cli/cures.rs"),
    ("init", "tests/it/cli/init.rs"),
    ("mail retry", "tests/it/cli/mail.rs"),
    ("mail test", "tests/it/cli/mail.rs"),
    ("resource trash", "tests/it/cli/changes.rs"),
    ("restore", "tests/it/restore/places.rs"),
    ("service release", "tests/it/http/usage.rs"),
];

#[test]
fn every_command_that_succeeds_gives_one_json_value() {
    let site = seeded();
    let key = site.run(&["key", "list", "--account", "ada-l", "--json"]).ok();
    let key = serde_json::from_str::<Value>(&key).unwrap()["keys"][0]["id"].as_str().unwrap().to_owned();
    let ping = site.run(&["inbox", "ping", "training"]).ok().trim().to_owned();
    // An erasure that waits for a service that was disconnected.
    site.run_with_input(
        &["account", "create", "--email", "go@example.org", "--username", "gone-g", "--password-stdin", "--verified"],
        PASSWORD,
    )
    .ok();
    site.run(&["service", "create", "archive"]).ok();
    site.database()
        .execute_batch(
            "insert into service_manifest (service_id, version, can_export, can_erase, digest, updated_at)
             select id, 1, 0, 1, zeroblob(32), 1 from service where name = 'archive'",
        )
        .unwrap();
    let receipt = site.run(&["account", "delete", "gone-g", "--yes"]).ok().trim().to_owned();
    site.run(&["service", "disconnect", "archive", "--yes"]).ok();
    let snapshot = site.data().join("domicile.sqlite").display().to_string();
    let text = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut calls = [
        "check",
        "doctor --support -",
        "status",
        "snapshot now",
        "drill",
        "ledger check",
        "audit verify",
        "audit head",
        "audit key",
        "clock confirm",
        "account list",
        "account show ada-l",
        "account sessions ada-l",
        "account sessions ada-l --end-all",
        "account suspend ada-l",
        "account reactivate ada-l",
        "account invitations",
        "account invite --email bo@example.org --print-link",
        "account invite --email cy@example.org",
        "account uninvite cy@example.org",
        "account operator-link",
        "key list --account ada-l",
        "key pattern",
        "key scan domicile.toml",
        "service list",
        "service show training",
        "service rotate training",
        "resource list --account ada-l",
        "inbox ping training",
        "inbox list",
        "mail list",
        "inbox list training",
        "inbox webhook training --url https://127.0.0.1/hook",
        "inbox webhook training",
        "inbox webhook training --rotate-secret",
        "inbox webhook training --remove",
        "service revoke training",
        "service create other",
        "service enrol-code third",
        "service change other --scope usage:write",
        "service authorizations other",
        "service authorizations other --mode check --margin 20 --hold 2h",
        "service disconnect other --yes",
        "credit grant --account ada-l --amount 1 --reason x",
        "voucher create --amount 5 --promo WELCOME-24 --uses 9 --reason x",
        "voucher list",
        "credit allowance ada-l 30",
        "credit allowance ada-l",
        "keyring show-database-key",
        "keyring rotate-token-key",
        "keyring export --waive reason",
        "keyring rotate",
        "backup copy/",
        "completions bash",
        "man",
        "man key list",
        "key create --account ada-l --name two --scope models:read",
        "account plan ada-l free",
        "account delete ada-l --yes",
        "erasure list",
        "erasure list --state open",
    ]
    .map(text)
    .to_vec();
    calls.insert(4, vec!["verify".into(), snapshot]);
    for (position, verb) in [(20, "rotate"), (21, "revoke")] {
        calls.insert(position, vec!["key".into(), verb.into(), key.clone()]);
    }
    let vouchers = site.run(&["voucher", "create", "--amount", "1", "--reason", "x", "--json"]).ok();
    let vouchers: Value = serde_json::from_str(&vouchers).unwrap();
    calls.insert(20, text(&format!("voucher revoke {}", vouchers["id"].as_str().unwrap())));
    let reduce = ["key", "reduce", &key, "--scope", "models:read"].map(str::to_owned);
    calls.insert(20, reduce.to_vec());
    for (position, verb) in ["show", "retry", "cancel"].into_iter().enumerate() {
        calls.insert(position, vec!["inbox".into(), verb.into(), ping.clone()]);
    }
    calls.push(["erasure", "show", &receipt].map(str::to_owned).to_vec());
    let attest = ["erasure", "attest", &receipt, "--service", "archive", "--statement", "Its disk was destroyed"];
    calls.push(attest.map(str::to_owned).to_vec());
    for command in commands() {
        let words = text(&command.words);
        let is_called = calls.iter().any(|call| call.starts_with(&words));
        let is_elsewhere = ["demo", "serve"].contains(&command.words.as_str())
            || ELSEWHERE.iter().any(|(known, _)| *known == command.words);
        assert!(is_called != is_elsewhere, "{}: call it here, or name it in ELSEWHERE", command.words);
    }
    for call in &calls {
        let arguments: Vec<&str> = call.iter().map(String::as_str).chain(["--json"]).collect();
        let output = site.run(&arguments);
        assert_eq!(output.status, 0, "{call:?}: {output:?}");
        serde_json::from_str::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{call:?}: {error}: {output:?}"));
    }
}

#[test]
fn a_closed_pipe_ends_a_command_quietly_and_a_full_disk_is_told() {
    let site = seeded();
    for call in ["account list", "account show ada-l", "key list --account ada-l", "status", "check", "man", "--help"] {
        let arguments: Vec<&str> = call.split(' ').collect();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = site.command(&arguments).stdout(writer).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{call}: {told}");
        assert!(!told.contains("panicked") && !told.contains("rror"), "{call}: {told}");

        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = site.command(&arguments).stdout(full).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{call}: {told}");
        assert!(told.contains("could not be written"), "{call}: {told}");

        // Messages that nobody reads change nothing either.
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = site.command(&arguments).stdout(Stdio::piped()).stderr(full).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{call}");
    }
}

#[test]
fn a_secret_that_cannot_be_printed_is_not_made() {
    let site = seeded();
    let state = || {
        [
            "service show training --json",
            "key list --account ada-l --json",
            "account invitations --json",
            "voucher list --json",
        ]
        .map(|call| site.run(&call.split(' ').collect::<Vec<_>>()).ok())
    };
    let key = serde_json::from_str::<Value>(&state()[1]).unwrap()["keys"][0]["id"].as_str().unwrap().to_owned();
    let before = state();
    let rotate = format!("key rotate {key}");
    for call in [
        "service create other",
        "service rotate training",
        "key create --account ada-l --name two --scope models:read",
        &rotate,
        "account invite --email bo@example.org --print-link",
        "voucher create --amount 1 --reason x --codes 1000",
    ] {
        let arguments: Vec<&str> = call.split(' ').collect();
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        let full = File::options().write(true).open("/dev/full").unwrap();
        for stdout in [Stdio::from(full), Stdio::from(closed)] {
            let output = site.command(&arguments).stdout(stdout).output().unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{call}: {told}");
            assert!(told.contains("was not made") && !told.contains("panicked"), "{call}: {told}");
        }
        assert_eq!(state(), before, "{call}");
    }
    assert!(!site.run(&["service", "list"]).ok().contains("other"));
    // A reader that does not read does not hold the database for long.
    let (_reader, mut full) = std::io::pipe().unwrap();
    nix::fcntl::fcntl(&full, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
    while std::io::Write::write(&mut full, &[b'x'; 4096]).is_ok() {}
    nix::fcntl::fcntl(&full, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty())).unwrap();
    let output = site.command(&["service", "rotate", "training"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(state(), before);
}

#[test]
fn lists_have_a_header_at_a_terminal_and_tabs_elsewhere() {
    let site = seeded();
    let piped = site.run(&["service", "list"]).ok();
    let fields: Vec<&str> = piped.split('\t').collect();
    assert!(fields[0].starts_with("svc_") && fields[1..3] == ["training", "1 valid"], "{piped}");

    let program = env!("CARGO_BIN_EXE_domicile");
    let call = format!("{program} --config {} service list", site.config().display());
    let output = std::process::Command::new("script").args(["-qec", &call, "/dev/null"]).stdin(Stdio::null()).output();
    let shown = String::from_utf8(output.unwrap().stdout).unwrap();
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let header: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(header, ["ID", "NAME", "CREDENTIALS", "SINCE", "STATE", "LAST", "SEEN"], "{shown}");
    assert!(lines[1].contains("  training  ") && !shown.contains('\t'), "{shown}");
}
