//! The alert rules and the dashboard of the package, checked by Prometheus itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use domicile::server::{METRICS, MetricKind};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::packaged;
use crate::support::tool;

const RULES: &str = "monitoring/domicile.rules.yml";

fn promtool(folder: &Path, arguments: &[&str]) {
    let output = Command::new(tool("promtool")).args(arguments).current_dir(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {text}");
}

/// The names of metrics in a query, of which each must exist.
fn unknown_names(query: &str) -> Vec<String> {
    let words = query.split(|c: char| !c.is_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("domicile_") || word.starts_with("process_"));
    let is_known = |word: &&str| {
        METRICS.iter().any(|family| match family.kind {
            MetricKind::Histogram => {
                let part = word.strip_prefix(family.name);
                part.is_some_and(|part| matches!(part, "_bucket" | "_sum" | "_count"))
            }
            _ => family.name == *word,
        })
    };
    ours.filter(|word| !is_known(word)).map(str::to_owned).collect()
}

#[test]
fn the_alert_rules_are_right_and_fire_when_they_should() {
    let folder = TempDir::new().unwrap();
    let rules = std::fs::read_to_string(packaged(RULES)).unwrap();
    std::fs::write(folder.path().join("domicile.rules.yml"), &rules).unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/monitoring/rules.test.yml");
    std::fs::copy(&tests, folder.path().join("rules.test.yml")).unwrap();

    promtool(folder.path(), &["check", "rules", "domicile.rules.yml"]);
    promtool(folder.path(), &["test", "rules", "rules.test.yml"]);

    // Comments name no metric, so the whole file can be read.
    assert_eq!(unknown_names(&rules.replace("job=\"domicile\"", "")), Vec::<String>::new());
    let tests = std::fs::read_to_string(tests).unwrap();
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(alert), "no test makes {alert} fire");
    }
}

#[test]
fn every_query_of_the_dashboard_is_valid_and_every_metric_is_on_it() {
    let text = std::fs::read_to_string(packaged("monitoring/domicile.dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let variables: Vec<&str> = variables.iter().map(|one| one["query"]["query"].as_str().unwrap()).collect();

    for query in queries.iter().chain(&variables) {
        assert_eq!(unknown_names(query), Vec::<String>::new(), "{query}");
    }
    let shown: BTreeSet<&str> = METRICS.iter().map(|family| family.name).collect();
    let missing: Vec<_> = shown.iter().filter(|name| !queries.iter().any(|query| query.contains(**name))).collect();
    assert_eq!(missing, [&"domicile_writer_queue_max"], "a metric that no panel shows");

    // Grafana replaces its variables before it asks Prometheus.
    let plain = |query: &&str| query.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$job", ".*");
    let rules: Vec<Value> = queries
        .iter()
        .enumerate()
        .map(|(index, query)| json!({"record": format!("query_{index}"), "expr": plain(query)}))
        .collect();
    let folder = TempDir::new().unwrap();
    let groups = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    std::fs::write(folder.path().join("dashboard.yml"), groups.to_string()).unwrap();
    promtool(folder.path(), &["check", "rules", "dashboard.yml"]);
}
