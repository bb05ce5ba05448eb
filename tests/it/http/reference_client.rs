//! The unmodified client of the reference: its synchronous and asynchronous library, and its command line.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Appliance, CommandOutput, finish, tool, tool_script};

/// The results of every call about accounts, synchronous and asynchronous. A refused call has its error as the result.
fn calls(site: &Appliance, key: &str) -> Value {
    let mut command = Command::new(tool("python3"));
    command.arg(tool_script("browser/reference_client.py")).args([&site.url(), "ada-l"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finish(&mut command, &format!("{key}\n"));
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn command_line(site: &Appliance, key: &str, arguments: &[&str]) -> CommandOutput {
    let mut command = Command::new(tool("ul"));
    command.arg("cloud").args(arguments).env_clear().current_dir(site.folder()).env("HOME", site.folder());
    command.env("ULTRALYTICS_PLATFORM_URL", site.url()).env("ULTRALYTICS_API_KEY", key);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(&mut command, "")
}

fn refused(status: u16, sentence: &str) -> Value {
    json!({"error": sentence, "status": status, "members": ["code", "error"]})
}

#[test]
fn every_call_about_accounts_gets_the_response_that_the_client_describes() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["admin"]);
    site.run(&["credit", "grant", "--account", "ada-l", "--amount", "1.239", "--reason", "test"]).ok();
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let profile =
        [("display_name", "Ada"), ("company", "Analytical Engines"), ("link_github", "ada-l"), ("link_x", "ada_l")];
    assert_eq!(ada.submit("/settings/profile", "/settings/profile", &profile).status, 303);

    let results = calls(&site, &key);

    let summary = &results["summary"];
    assert_eq!(
        (&summary["username"], &summary["plan"], &summary["creditsCents"]),
        (&json!("ada-l"), &json!("free"), &json!(623))
    );
    let listed = &results["api_keys"]["keys"];
    assert_eq!((listed.as_array().map(Vec::len), &listed[0]["name"]), (Some(1), &json!("ci")));
    assert!(key.starts_with(listed[0]["keyPrefix"].as_str().unwrap()) && !results.to_string().contains(&key));
    assert_eq!((&results["storage"]["tier"], &results["storage"]["region"]), (&json!("free"), &json!("eu")));
    assert_eq!(results["storage_details"]["username"], "ada-l");
    assert_eq!(
        (&results["profile"]["user"]["username"], &results["profile"]["user"]["isFollowed"]),
        (&json!("ada-l"), &json!(false))
    );
    let types: Vec<_> =
        results["transactions"]["transactions"].as_array().unwrap().iter().map(|one| &one["type"]).collect();
    assert_eq!(types, ["adjustment", "signup"]);
    let user = &results["profile"]["user"];
    assert_eq!((&user["fullName"], &user["company"]), (&json!("Ada"), &json!("Analytical Engines")));
    assert_eq!(user["socials"], json!({"github": "ada-l", "twitter": "ada_l"}));
    assert_eq!(results["none_yet"]["transactions"], json!([]));
    assert_eq!(results["all_days"], results["transactions"]);
    assert_eq!(
        (&results["usage_summary"]["plan"]["planId"], &results["usage_summary"]["creditsCents"]),
        (&json!("free"), &json!(623))
    );
    assert_eq!(
        (&results["trash"]["total"], &results["trash"]["page"], &results["trash"]["limit"]),
        (&json!(0), &json!(1), &json!(10))
    );
    assert_eq!(results["restore"], refused(404, "Resource not found in trash"));
    assert_eq!(results["delete"], refused(404, "Resource not found in trash"));
    assert_eq!(results["empty"], json!({"success": true, "deletedCount": 0}));
    assert_eq!(results["nobody"]["status"], 404);

    // Only the person themselves sees their company.
    site.account("grace-h");
    let of_grace = calls(&site, &site.api_key("grace-h", &["account:read"]));
    let user = &of_grace["profile"]["user"];
    assert_eq!((&user["fullName"], &user["socials"]["github"]), (&json!("Ada"), &json!("ada-l")));
    assert!(user.get("company").is_none(), "{user}");
}

#[test]
fn refused_calls_get_the_sentences_that_the_client_knows() {
    let site = Appliance::running();
    site.account("ada-l");
    let reading = site.api_key("ada-l", &["models:read"]);

    let results = calls(&site, &reading);
    for (name, answer) in results.as_object().unwrap() {
        if name != "trash" {
            assert_eq!(answer, &refused(403, "Permission denied for this operation"), "{name}");
        }
    }
    assert_eq!(results["trash"]["total"], 0, "of the types that it can read");

    site.run(&["account", "suspend", "ada-l", "--reason", "test"]).ok();
    for key in [reading.as_str(), "dok_nonsense", ""] {
        for (name, answer) in calls(&site, key).as_object().unwrap() {
            assert_eq!(answer, &refused(401, "Invalid API key"), "{name} with {key:?}");
        }
    }
}

#[test]
fn the_command_line_of_the_client_works_unchanged() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["account:read"]);

    let summary: Value = serde_json::from_str(&command_line(&site, &key, &["account", "summary"]).ok()).unwrap();
    assert_eq!((&summary["username"], &summary["creditsCents"]), (&json!("ada-l"), &json!(500)));

    let refused = command_line(&site, &key, &["billing", "transactions"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (1, ""));
    assert!(
        refused.stderr.contains("HTTP 403") && refused.stderr.contains("Permission denied for this operation"),
        "{refused:?}"
    );

    let wrong = command_line(&site, "dok_nonsense", &["account", "summary"]);
    assert_eq!(wrong.status, 1);
    assert!(wrong.stderr.contains("HTTP 401") && wrong.stderr.contains("Invalid API key"), "{wrong:?}");
    // The client prints a link that leads to the page.
    let link = wrong.stderr.split_whitespace().find(|word| word.starts_with(&site.url())).unwrap();
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let answer = ada.get(link.strip_prefix(&site.url()).unwrap());
    assert_eq!((answer.status, answer.location()), (303, "/settings/keys"));
}
