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
    assert_eq!(results["follow"], refused(403, "Permission denied for this operation"));

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

#[test]
fn the_client_sees_restores_and_deletes_what_services_keep() {
    let site = Appliance::running();
    site.account("ada-l");
    let (farm, workspace) = (site.service("farm"), site.workspace("ada-l"));
    let put = |id: &str, kind: &str, parent: Option<&str>| {
        let body = json!({
            "workspace": workspace, "type": kind, "name": format!("The {id}"), "slug": id, "parent": parent,
            "size": 100, "version": 1,
        });
        let answer = site.call("PUT", &format!("/v1/resources/{id}")).bearer(&farm).json(&body).send();
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["resource_id"].as_str().unwrap().to_owned()
    };
    let (project, model) = (put("p-1", "project", None), put("m-1", "model", Some("p-1")));
    put("d-1", "dataset", None);
    for id in ["m-1", "p-1"] {
        assert_eq!(site.call("POST", &format!("/v1/resources/{id}/trash")).bearer(&farm).send().status, 200);
    }

    // The shapes are compared by the script.
    let results = calls(&site, &site.api_key("ada-l", &["read"]));
    let items = results["trash"]["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[1]["parentProject"]["name"]), (2, &json!("The p-1")));
    assert_eq!(results["trash"]["summary"]["byType"]["models"], json!({"count": 1, "sizeBytes": 100}));
    let storage = &results["storage_details"];
    assert_eq!(
        (&storage["usage"]["storage"]["current"], &storage["usage"]["models"]["current"]),
        (&json!(300), &json!(1))
    );
    assert_eq!(storage["breakdown"]["topItems"].as_array().map(Vec::len), Some(3));
    assert_eq!(results["summary"]["counts"], json!({"projects": 1, "datasets": 1, "models": 1}));
    assert_eq!(results["follow"], refused(403, "Permission denied for this operation"));

    let key = site.api_key("ada-l", &["admin"]);
    let cloud = |arguments: &[&str]| command_line(&site, &key, arguments);
    let listed: Value = serde_json::from_str(&cloud(&["lifecycle", "trash", "type=model"]).ok()).unwrap();
    assert_eq!(listed["total"], 1);
    let id = format!("id={model}");
    let early = cloud(&["lifecycle", "restore", &id, "type=model"]);
    let sentence = "Cannot restore model while its parent project is in trash. Restore the project first.";
    assert!(early.status == 1 && early.stderr.contains("HTTP 409") && early.stderr.contains(sentence), "{early:?}");
    let restored: Value =
        serde_json::from_str(&cloud(&["lifecycle", "restore", &format!("id={project}"), "type=project"]).ok()).unwrap();
    assert_eq!(restored, json!({"success": true, "restoredModels": 0}));
    let body = format!("body={}", json!({"id": model, "type": "model"}));
    let deleted: Value = serde_json::from_str(&cloud(&["lifecycle", "delete-trash", &body]).ok()).unwrap();
    assert_eq!(deleted["deletedCount"], 1);
}
