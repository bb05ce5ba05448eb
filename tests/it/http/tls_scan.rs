//! TLS as testssl.sh sees it: protocols, ciphers, keys and known attacks.

use std::process::Command;

use serde_json::Value;

use crate::support::{Appliance, finish, tool};

/// What testssl.sh finds wrong with any self-signed certificate of a host without DNS, and what is not about TLS.
const ABOUT_THE_TEST: [&str; 8] = [
    "engine_problem",
    "cert_trust",
    "cert_chain_of_trust",
    "cert_revocation",
    "cert_extlifeSpan",
    "DNS_CAArecord",
    "HTTP_status_code",
    // Only the public address gets it, if it is set.
    "HSTS",
];

#[test]
#[ignore = "deep: some hundred handshakes"]
fn testssl_finds_nothing_to_mend() {
    let mut site = Appliance::initialized();
    site.reconfigure("[listen]", "[listen]\ntls = \"self-signed\"");
    site.start();
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");

    let mut scan = Command::new(tool("testssl"));
    scan.args(["--quiet", "--color", "0", "--warnings", "batch", "--jsonfile"]).arg(&report);
    let output = finish(scan.arg(site.url().split("://").last().unwrap()), "");

    let findings: Vec<Value> = serde_json::from_slice(&std::fs::read(&report).expect(&output.stdout)).unwrap();
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap_or_default().to_owned();
    let offered =
        |id: &str| findings.iter().any(|finding| text(finding, "id") == id && text(finding, "severity") == "OK");
    assert!(offered("TLS1_3") && offered("TLS1_2"), "it did not reach the server:\n{}", output.stdout);
    let wrong: Vec<_> = findings
        .iter()
        .filter(|finding| !["OK", "INFO"].contains(&text(finding, "severity").as_str()))
        .filter(|finding| !ABOUT_THE_TEST.contains(&text(finding, "id").as_str()))
        .map(|finding| format!("{} {}: {}", text(finding, "severity"), text(finding, "id"), text(finding, "finding")))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}
