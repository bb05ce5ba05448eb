//! Requests that schemathesis makes from the description of the API: no address fails, and every answer is described.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Appliance, tool};

/// What is compared for each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance";
/// Requests for each address, so that all of them together are about a thousand. `FUZZ` sets another number.
const REQUESTS: &str = "12";

/// The plan with limits that generated requests reach.
const PLAN: &str = "[[plans]]\ncode = \"free\"\nname = \"Free\"\nmodels = 20\nstorage_bytes = 10000000\n";

#[test]
#[ignore = "deep: a thousand requests and the start of the generator take a minute"]
fn a_thousand_generated_requests_get_described_answers() {
    let site = Appliance::running_with(PLAN);
    site.account("ada-l");
    let (service, key, workspace) = (site.service("farm"), site.api_key("ada-l", &["admin"]), site.workspace("ada-l"));
    for (id, kind) in [("project-7", "project"), ("model-1", "model"), ("model-2", "model")] {
        let body = json!({"workspace": workspace, "type": kind, "name": id, "size": 5, "version": 1});
        assert_eq!(site.call("PUT", &format!("/v1/resources/{id}")).bearer(&service).json(&body).send().status, 201);
    }
    assert_eq!(site.call("POST", "/v1/resources/model-2/trash").bearer(&service).send().status, 200);
    // An open command, so that the inbox answers at once.
    site.run(&["inbox", "ping", "farm"]).ok();

    let described = site.folder().join("openapi.json");
    std::fs::write(&described, described_for(&workspace).to_string()).unwrap();
    let mut sent = 0;
    for (paths, credential) in [("^/v1/", &service), ("^/api/", &key), ("^/(healthz|readyz|.well-known)", &service)] {
        let report = site.folder().join("report.json");
        let mut generator = Command::new(tool("schemathesis"));
        generator.current_dir(site.folder()).arg("run").arg(&described).args(["--url", &site.url()]);
        generator.args(["--header", &format!("Authorization: Bearer {credential}"), "--include-path-regex", paths]);
        let count = std::env::var("FUZZ").unwrap_or(REQUESTS.to_owned());
        generator.args(["--max-examples", &count, "--checks", CHECKS, "--phases", "examples,coverage,fuzzing"]);
        // The same requests each time.
        generator.args(["--seed", "1", "--generation-deterministic", "--no-color", "--continue-on-failure"]);
        generator.args(["--suppress-health-check", "all", "--report", "ndjson", "--report-ndjson-path"]).arg(&report);
        let done = generator.output().unwrap();

        let log = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{paths}:\n{log}{}", String::from_utf8_lossy(&done.stderr));
        sent += std::fs::read_to_string(&report).unwrap().matches("\"status_code\"").count();
    }
    eprintln!("{sent} requests");
    assert!(sent >= 1_000, "only {sent} requests");
    assert_eq!(site.call("GET", "/readyz").send().status, 200);
}

/// The description with the workspace of a person as the example, and without waiting for what does not come.
fn described_for(workspace: &str) -> Value {
    let text = domicile::server::openapi::DOCUMENT.to_string();
    let mut document: Value = serde_json::from_str(&text.replace("ws_01k0r3v9qz8h2f7n5m4c6x1b0a", workspace)).unwrap();
    for path in ["/v1/inbox", "/v1/revocations"] {
        let parameters = document["paths"][path]["get"]["parameters"].as_array_mut().unwrap();
        parameters.retain(|parameter| parameter["name"] != "wait");
    }
    document
}
