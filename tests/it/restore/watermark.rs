//! What services learn of a restore, so that the usage that it lost is counted after all.

use serde_json::{Value, json};

use super::{Backup, restored};
use crate::support::Appliance;

/// A service that reports usage, and remembers what it must.
struct Producer {
    credential: String,
    workspace: String,
    /// `restored_at` of the restore after which everything was reported again.
    known: Option<String>,
}

impl Producer {
    fn report(&self, site: &Appliance, ids: &[&str]) -> Value {
        let event = |id: &&str| {
            json!({"id": id, "source": "https://gpu.example", "workspace": self.workspace, "sku": "gpu.h100",
                   "quantity": "1000", "time": "2026-05-03T09:00:00Z"})
        };
        let events: Value = ids.iter().map(event).collect();
        site.call("POST", "/v1/usage/events").bearer(&self.credential).json(&events).send().json()
    }

    fn watermark(&self, site: &Appliance) -> Value {
        let query = self.known.as_ref().map(|known| format!("?after={known}")).unwrap_or_default();
        site.call("GET", &format!("/v1/ingest/watermark{query}")).bearer(&self.credential).send().json()
    }
}

fn balance(site: &Appliance) -> String {
    let shown: Value = serde_json::from_str(&site.run(&["account", "show", "ada-l", "--json"]).ok()).unwrap();
    shown["balance"].as_str().unwrap().to_owned()
}

#[test]
fn services_learn_what_to_report_again_and_the_balance_is_as_without_the_restore() {
    let mut site = Appliance::running();
    site.account("ada-l");
    let workspace = site.workspace("ada-l");
    let mut producer = Producer { credential: site.service("training"), workspace, known: None };
    assert_eq!(producer.watermark(&site), json!({"epoch": 1}));
    producer.report(&site, &["1"]);
    let backup = Backup::of(&site);
    assert_eq!(producer.report(&site, &["2", "3"])["accepted"], 2);
    let expected = balance(&site);
    site.stop();

    let result = restored(&site, &backup.file(), &["--replace"]);
    site.start();
    assert_ne!(balance(&site), expected);
    let told = producer.watermark(&site);

    assert_eq!(told["epoch"], 2, "{told}");
    let (made, since) = (result["snapshot_made_at"].as_str().unwrap(), told["resend_since"].as_str().unwrap());
    // A whole second, not after the snapshot.
    assert!(since <= made && since[..19] == made[..19] && since.ends_with("00Z"), "{since}, {made}");
    assert_eq!(producer.report(&site, &["1", "2", "3"]), json!({"accepted": 2, "duplicates": 1, "rejected": []}));
    assert_eq!(balance(&site), expected);
    producer.known = told["restored_at"].as_str().map(str::to_owned);
    assert_eq!(producer.watermark(&site), json!({"epoch": 2}));

    // The same backup on a bare machine opens an epoch with the same number.
    site.stop();
    let mut machine = backup.bare_machine();
    restored(&machine, &backup.file(), &[]);
    machine.start();
    let told = producer.watermark(&machine);
    assert_eq!((&told["epoch"], told["resend_since"].as_str()), (&json!(2), Some(since)), "{told}");
    assert_eq!(producer.report(&machine, &["2", "3"])["accepted"], 2);
    assert_eq!(balance(&machine), expected);
}
