//! The metrics of a running appliance.

use std::collections::BTreeMap;
use std::process::Command;

use domicile::server::METRICS;

use super::{packaged, piped};
use crate::support::{Answer, Appliance, Call, PASSWORD, finish, free_port, tool, wait_for};

struct Watched {
    site: Appliance,
    port: u16,
}

impl Watched {
    fn running() -> Self {
        let port = free_port();
        let mut site = Appliance::initialized();
        site.reconfigure("[listen]", &format!("[listen]\nmetrics_address = \"127.0.0.1:{port}\""));
        site.start();
        Self { site, port }
    }

    fn scrape(&self) -> Answer {
        let answer = Call::new(self.port, "GET", "/metrics").send();
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// Each line without a comment: name with labels, value.
    fn values(&self) -> BTreeMap<String, f64> {
        let text = self.scrape().text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pair = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        };
        lines.map(pair).collect()
    }
}

#[test]
fn prometheus_accepts_the_metrics_and_each_is_documented() {
    let watched = Watched::running();
    watched.site.account("ada-l");

    let answer = watched.scrape();

    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"), "{answer:?}");
    let text = answer.text();
    let output = finish(piped(Command::new(tool("promtool")).args(["check", "metrics"])), &text);
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (0, "", ""), "{text}");
    let served: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert_eq!(served, METRICS.iter().map(|family| family.name).collect::<Vec<_>>());
    let manual = std::fs::read_to_string(packaged("man/domicile.8")).unwrap();
    for family in METRICS {
        let entry = format!(".It Ic {}\n{}\n", family.name, family.help.replace(". ", ".\n"));
        assert!(manual.contains(&entry), "the manual page lacks:\n{entry}");
    }
}

#[test]
fn the_metrics_are_on_their_own_address_only() {
    let watched = Watched::running();

    assert_eq!(watched.site.call("GET", "/metrics").send().status, 404);
    assert_eq!(Call::new(watched.port, "GET", "/").send().status, 404);
    // Nothing about a person or a path with an id.
    let text = watched.scrape().text();
    assert!(!text.contains("acc_") && !text.contains('@') && !text.contains("path="), "{text}");
}

#[test]
fn the_metrics_count_what_happens() {
    let mut watched = Watched::running();
    let site = &watched.site;
    site.account("ada-l");
    let (key, service) = (site.api_key("ada-l", &["models:read"]), site.service("gateway"));
    let requests =
        |class: &str, status: &str| format!("domicile_http_requests_total{{class=\"{class}\",status=\"{status}\"}}");
    let before = watched.values();

    let mut ada = site.browser();
    let wrong = ada.submit("/signin", "/signin", &[("name", "ada-l"), ("password", "a wrong one, it is")]);
    assert_eq!(wrong.status, 401);
    assert_eq!(ada.submit("/signin", "/signin", &[("name", "ada-l"), ("password", PASSWORD)]).status, 303);
    for (path, status) in [("/v1/forward-auth", 200), ("/api/account/summary", 403)] {
        assert_eq!(site.call("GET", path).bearer(&key).send().status, status);
    }
    let introspect = || site.call("POST", "/v1/introspect").bearer(&service).form(&[("token", &key)]).send();
    assert_eq!((introspect().status, introspect().status), (200, 200));
    assert_eq!(site.call("GET", "/readyz").send().status, 200);

    let after = watched.values();
    let grown = |name: &str| after[name] - before.get(name).copied().unwrap_or_default();
    assert_eq!((grown(&requests("page", "2xx")), grown(&requests("page", "3xx"))), (2.0, 1.0));
    assert_eq!((grown(&requests("page", "4xx")), grown(&requests("verify", "2xx"))), (1.0, 3.0));
    assert_eq!((grown(&requests("api", "4xx")), grown(&requests("probe", "2xx"))), (1.0, 1.0));
    assert_eq!(grown("domicile_http_request_duration_seconds_count{class=\"page\"}"), 4.0);
    let event =
        |name: &str, outcome: &str| format!("domicile_security_events_total{{event=\"{name}\",outcome=\"{outcome}\"}}");
    assert_eq!(grown(&event("auth.signin_failed", "failure")), 1.0);
    assert_eq!(grown(&event("auth.signin_succeeded", "success")), 1.0);
    assert!(grown("domicile_writer_commit_seconds_count") >= 2.0 && grown("domicile_writer_wait_seconds_count") >= 2.0);
    assert_eq!((after["domicile_ready"], after["domicile_writer_queue_max"]), (1.0, 4096.0));
    assert!(after["process_resident_memory_bytes"] > 1e7 && after["process_open_fds"] > 5.0);
    assert!(after.keys().any(|name| name.starts_with("domicile_build_info{version=")));
    let is_done = |name: &str| name.starts_with("domicile_job_runs_total") && name.contains("outcome=\"done\"");
    wait_for("a job", || watched.values().iter().any(|(name, runs)| is_done(name) && *runs >= 1.0).then_some(()));
    wait_for("a snapshot", || {
        (watched.values()["domicile_snapshots_total{result=\"published\"}"] >= 1.0).then_some(())
    });
    assert!(watched.values()["domicile_snapshot_bytes"] > 1e5);

    // Read once more after half a minute only; a new server reads at its start.
    watched.site.stop();
    watched.site.start();
    let stored = watched.values();
    assert_eq!(
        (stored["domicile_accounts"], stored["domicile_sessions"], stored["domicile_api_keys"]),
        (1.0, 1.0, 1.0)
    );
    assert!(stored["domicile_mails_waiting"] >= 0.0 && stored["domicile_disk_free_bytes"] > 1e6);
}

#[test]
fn an_address_that_is_in_use_or_open_to_others_is_told() {
    let site = Appliance::initialized();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    site.reconfigure("[listen]", &format!("[listen]\nmetrics_address = \"{address}\""));

    let refused = site.run(&["serve"]);

    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("listen.metrics_address") && refused.stderr.contains("in use"), "{refused:?}");

    site.reconfigure(&format!("\"{address}\""), "\"0.0.0.0:9\"");
    let checked = site.run(&["check"]);
    assert_eq!(checked.status, 0, "{checked:?}");
    assert!(checked.stderr.contains("other machines can read the metrics"), "{checked:?}");
    site.reconfigure("\"0.0.0.0:9\"", &format!("\"127.0.0.1:{}\"", site.port));
    assert!(site.run(&["check"]).stderr.contains("is an address of the pages too"));
}
