//! The JSON answers of every described operation.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{all_are_same, differs, none_is_left_over};
use crate::support::{Answer, Appliance, Call, redacted};

const NOW: &str = "2026-05-03 09:00:00";

struct Answers {
    site: Appliance,
    /// `METHOD path` of the operations that have an answer.
    described: BTreeSet<String>,
    /// The names of the snapshots.
    compared: BTreeSet<String>,
    differences: Vec<String>,
}

impl Answers {
    fn compare(&mut self, name: String, answer: &Answer) {
        self.differences.extend(differs("answers", &name, &text_of(answer)));
        self.compared.insert(name);
    }

    /// One answer: its status and its body. `operation`: `METHOD path` as described; `case` tells its answers apart.
    fn add(&mut self, operation: &str, case: &str, call: impl FnOnce(Call) -> Call) {
        let (method, path) = operation.split_once(' ').unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let answer = call(self.site.call(method, &target)).send();
        self.described.insert(format!("{method} {path}"));
        let name = format!("{}{}.{case}", method.to_lowercase(), path.replace('/', "."));
        self.compare(name, &answer);
    }

    /// As [`Answers::add`], for an operation whose path has an `{id}`.
    fn add_at(&mut self, operation: &str, id: &str, case: &str, call: impl FnOnce(Call) -> Call) {
        let (method, path) = operation.split_once(' ').unwrap();
        let answer = call(self.site.call(method, &path.replace("{id}", id))).send();
        self.described.insert(operation.to_owned());
        let name = format!("{}{}.{case}", method.to_lowercase(), path.replace("{id}", "id").replace('/', "."));
        self.compare(name, &answer);
    }
}

/// A new lease.
fn answers_lease(site: &Appliance, service: &str, wanted: &Value) -> String {
    let answer = site.call("POST", "/v1/leases").bearer(service).json(wanted).send();
    answer.json()["lease"].as_str().unwrap().to_owned()
}

fn text_of(answer: &Answer) -> String {
    let kind = answer.header("content-type");
    let body = if kind.contains("json") {
        serde_json::to_string_pretty(&answer.json()).unwrap()
    } else if kind.contains("html") {
        "a page".to_owned()
    } else {
        answer.text()
    };
    redacted(&format!("{} {kind}\n{body}", answer.status))
}

#[test]
fn every_described_operation_has_its_reviewed_answer() {
    let site = Appliance::frozen_at(NOW);
    site.account("ada-l");
    let key = site.api_key("ada-l", &["admin"]);
    let narrow = site.api_key("ada-l", &["models:read"]);
    let service = site.service("training");
    let workspace = site.workspace("ada-l");
    let command = site.run(&["inbox", "ping", "training"]).ok();
    let document = site.call("GET", "/v1/openapi.json").send().json();
    let mut answers = Answers { site, described: BTreeSet::new(), compared: BTreeSet::new(), differences: Vec::new() };

    for probe in
        ["GET /healthz", "GET /readyz", "GET /.well-known/jwks.json", "GET /.well-known/oauth-authorization-server"]
    {
        answers.add(probe, "ok", |call| call);
    }
    answers.add("GET /v1/docs", "ok", |call| call);
    // The document itself is a file of the source tree.
    answers.described.insert("GET /v1/openapi.json".to_owned());

    answers.add("POST /v1/introspect", "active", |call| call.bearer(&service).form(&[("token", &key)]));
    answers.add("POST /v1/introspect", "unknown", |call| call.bearer(&service).form(&[("token", "dok_nothing")]));
    answers.add("POST /v1/introspect", "no-service", |call| call.form(&[("token", &key)]));
    answers.add("GET /v1/forward-auth", "ok", |call| call.header("X-Api-Key", &key));
    answers.add("GET /v1/forward-auth", "no-key", |call| call);
    answers.add("POST /v1/token", "no-key", |call| call.form(&[("grant_type", "something")]));
    answers.add("GET /v1/revocations", "ok", |call| call.bearer(&service));
    answers.add("GET /v1/revocations", "no-service", |call| call);
    let event = |quantity: &str| {
        json!([{"id": "run-1", "source": "https://gpu.example", "workspace": workspace, "sku": "gpu.h100",
                "quantity": quantity, "time": "2026-05-03T09:00:00Z"}])
    };
    answers.add("POST /v1/usage/events", "ok", |call| call.bearer(&service).json(&event("600")));
    answers.add("POST /v1/usage/events", "wrong", |call| call.bearer(&service).json(&event("many")));
    let planned = |quantity: &str| json!({"workspace": workspace, "sku": "gpu.h100", "quantity": quantity});
    answers.add("POST /v1/usage/quote", "ok", |call| call.bearer(&service).json(&planned("1000")));
    answers.add("POST /v1/usage/quote", "wrong", |call| call.bearer(&service).json(&planned("many")));
    answers.add("POST /v1/usage/authorize", "ok", |call| call.bearer(&service).json(&planned("1000")));
    answers.add("POST /v1/usage/authorize", "no-credit", |call| call.bearer(&service).json(&planned("9000")));
    answers.add("POST /v1/usage/authorize", "no-service", |call| call);
    let [settled, released] = ["10", "20"].map(|quantity| {
        let answer = answers.site.call("POST", "/v1/usage/authorize").bearer(&service).json(&planned(quantity)).send();
        json!({"authorization": answer.json()["authorization"]})
    });
    answers.add("POST /v1/usage/settle", "ok", |call| call.bearer(&service).json(&settled));
    answers.add("POST /v1/usage/release", "ok", |call| call.bearer(&service).json(&released));
    let unknown = json!({"authorization": "hold_00000000000000000000000000"});
    answers.add("POST /v1/usage/settle", "unknown", |call| call.bearer(&service).json(&unknown));

    answers.add("GET /v1/inbox", "ok", |call| call.bearer(&service));
    answers.add("GET /v1/inbox", "no-service", |call| call);
    let path = format!("/v1/inbox/{command}/ack");
    let done = json!({"outcome": "done", "detail": "pong"});
    let acknowledged = answers.site.call("POST", &path).bearer(&service).json(&done).send();
    answers.described.insert("POST /v1/inbox/{id}/ack".to_owned());
    answers.compare("post.v1.inbox.ack.ok".to_owned(), &acknowledged);

    answers.add("GET /v1/ingest/watermark", "ok", |call| call.bearer(&service));
    answers.add("GET /v1/ingest/watermark", "no-service", |call| call);
    answers.add("GET /v1/ingest/watermark?after=soon", "wrong", |call| call.bearer(&service));

    answers.add("GET /v1/services/self", "ok", |call| call.bearer(&service));
    let manifest =
        json!({"version": 1, "resource_types": [{"name": "checkpoint", "label": "Checkpoint", "parent": "model"}]});
    answers.add("PUT /v1/services/self", "ok", |call| call.bearer(&service).json(&manifest));
    answers.add("PUT /v1/services/self", "stale", |call| call.bearer(&service).json(&json!({"version": 1})));
    answers.add("PUT /v1/services/self", "wrong", |call| call.bearer(&service).json(&json!({"version": 0})));
    let code = answers.site.run(&["service", "enrol-code", "farm"]).ok();
    answers.add("POST /v1/services/enrol", "ok", |call| call.json(&json!({"code": code})));
    answers.add("POST /v1/services/enrol", "used", |call| call.json(&json!({"code": code})));

    let model =
        |version: u32| json!({"workspace": workspace, "type": "model", "name": "Birds", "size": 9, "version": version});
    answers.add_at("PUT /v1/resources/{id}", "birds", "created", |call| call.bearer(&service).json(&model(2)));
    answers.add_at("PUT /v1/resources/{id}", "birds", "stale", |call| call.bearer(&service).json(&model(1)));
    answers
        .add_at("PUT /v1/resources/{id}", "birds", "wrong", |call| call.bearer(&service).json(&json!({"version": 3})));
    answers.add_at("GET /v1/resources/{id}", "birds", "ok", |call| call.bearer(&service));
    answers.add_at("GET /v1/resources/{id}", "unknown", "unknown", |call| call.bearer(&service));
    answers.add("GET /v1/resources", "ok", |call| call.bearer(&service));
    answers.add("GET /v1/resources", "no-service", |call| call);
    let two = json!({"resources": [{"id": "cats", "workspace": workspace, "type": "dataset", "name": "Cats", "size": 5, "version": 1},
                                   {"id": "", "workspace": workspace, "type": "dataset", "name": "Dogs", "size": 5, "version": 1}]});
    answers.add("POST /v1/resources/batch", "ok", |call| call.bearer(&service).json(&two));
    answers.add_at("POST /v1/resources/{id}/trash", "birds", "ok", |call| call.bearer(&service));
    answers.add_at("POST /v1/resources/{id}/restore", "birds", "ok", |call| call.bearer(&service));
    let wanted = json!({"workspace": workspace, "type": "model", "quantity": 1, "size": 100});
    answers.add("POST /v1/limits/check", "ok", |call| call.bearer(&service).json(&wanted));
    answers.add("POST /v1/limits/check", "wrong", |call| call.bearer(&service).json(&json!({})));
    answers.add("POST /v1/leases", "ok", |call| call.bearer(&service).json(&wanted));
    let lease = || answers_lease(&answers.site, &service, &wanted);
    let (renewed, committed, released) = (lease(), lease(), lease());
    let seconds = json!({"seconds": 60});
    answers.add_at("POST /v1/leases/{id}/renew", &renewed, "ok", |call| call.bearer(&service).json(&seconds));
    let create = json!({"resources": [{"id": "owls", "workspace": workspace, "type": "model", "name": "Owls", "size": 9, "version": 1}]});
    answers.add_at("POST /v1/leases/{id}/commit", &committed, "ok", |call| call.bearer(&service).json(&create));
    answers.add_at("POST /v1/leases/{id}/release", &released, "ok", |call| call.bearer(&service));
    let trained = json!({"workspace": workspace, "type": "model", "action": "created", "resource": "owls"});
    answers.add("POST /v1/activity", "ok", |call| call.bearer(&service).json(&trained));
    answers.add_at("DELETE /v1/resources/{id}", "owls", "ok", |call| call.bearer(&service));

    // Its text is compared with the command's in `cli/audit.rs`; each run signs other bytes.
    answers.described.insert("GET /v1/audit/head".to_owned());
    answers.add("GET /api/username/check?username=grace-h", "ok", |call| call);
    for path in [
        "account/summary",
        "api-keys",
        "billing/transactions",
        "billing/usage-summary",
        "storage",
        "resources",
        "trash",
    ] {
        let operation = format!("GET /api/{path}");
        answers.add(&operation, "ok", |call| call.bearer(&key));
        answers.add(&operation, "no-key", |call| call);
        if !["resources", "trash"].contains(&path) {
            answers.add(&operation, "no-right", |call| call.bearer(&narrow));
        }
    }
    answers.add("GET /api/users?username=ada-l", "ok", |call| call.bearer(&key));
    let followed = json!({"username": "ada-l", "followed": true});
    answers.add("PATCH /api/users", "refused", |call| call.bearer(&key).json(&followed));
    let item = json!({"id": "unknown", "type": "model"});
    answers.add("POST /api/trash", "unknown", |call| call.bearer(&key).json(&item));
    answers.add("PUT /api/trash", "unknown", |call| call.bearer(&key).json(&json!({"service": "unknown"})));
    answers.add("DELETE /api/trash", "unknown", |call| call.bearer(&key).json(&item));
    answers.add("POST /v1/key-exposures", "ok", |call| call.json(&json!([{"token": key}])));
    answers.add("GET /api/storage", "exposed-key", |call| call.bearer(&key));

    let methods = ["get", "post", "put", "patch", "delete"];
    let operations = document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        let own = methods.iter().filter(|method| !matches!(item[**method], Value::Null));
        own.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    let missing: Vec<_> = operations.filter(|operation| !answers.described.contains(operation)).collect();
    assert!(missing.is_empty(), "no snapshot of {missing:?}: add the operations to tests/it/texts/answers.rs");
    all_are_same(&answers.differences);
    none_is_left_over("answers", answers.compared.into_iter());
}
