//! Sensitive actions need a fresh proof (S3): it is valid for ten minutes.

use crate::support::{Answer, Appliance, Browser, PASSWORD};

/// Ten minutes and a second.
const STALE: u64 = 601;

fn signed_in(site: &Appliance) -> Browser {
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    ada
}

const KEY: [(&str, &str); 3] = [("name", "nightly \"run\""), ("expires", "90d"), ("scope", "read")];

fn create_key(ada: &mut Browser) -> Answer {
    ada.submit("/settings/keys?create=1", "/settings/keys", &KEY)
}

fn keys(site: &Appliance) -> usize {
    let listed: serde_json::Value =
        serde_json::from_str(&site.run(&["key", "list", "--account", "ada-l", "--json"]).ok()).unwrap();
    listed["keys"].as_array().unwrap().len()
}

/// Submits the step-up page with a password.
fn prove(ada: &mut Browser, asked: &Answer, password: &str) -> Answer {
    let mut fields = asked.fields();
    fields.retain(|(name, _)| name != "proof_password");
    fields.push(("proof_password".into(), password.into()));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    ada.post("/settings/keys", &fields)
}

#[test]
fn s3_a_key_is_created_only_with_a_fresh_proof_and_the_form_is_kept() {
    let site = Appliance::running_with_clock("");
    let mut ada = signed_in(&site);
    site.set_ahead(STALE - 2);
    assert_eq!(create_key(&mut ada).status, 303, "the proof of the sign-in was fresh");
    site.set_ahead(STALE);
    let asked = create_key(&mut ada);
    assert_eq!((asked.status, keys(&site)), (403, 1), "{}", asked.text());
    assert!(asked.text().contains("Confirm that it is you"));

    let wrong = prove(&mut ada, &asked, "not the password at all");
    assert_eq!((wrong.status, keys(&site)), (403, 1));
    let old = ada.clone();
    let made = prove(&mut ada, &wrong, PASSWORD);

    let shown = ada.follow(&made).text();
    assert!(keys(&site) == 2 && shown.contains("nightly &#34;run&#34;"), "the name was kept: {shown}");
    assert_ne!(ada.cookies["domicile-session"], old.cookies["domicile-session"], "S1: a step-up gives a new cookie");
    assert_eq!(old.clone().get("/settings/profile").status, 303, "S1: the old cookie is refused");
    assert_eq!(create_key(&mut ada).status, 303, "the proof is valid for the next action");
}

#[test]
fn s3_the_lifetime_of_a_proof_is_a_setting() {
    let site = Appliance::running_with_clock("[session]\nstep_up_after = \"3m\"\n");
    let mut ada = signed_in(&site);
    site.set_ahead(178);
    assert_eq!(create_key(&mut ada).status, 303);
    site.set_ahead(180);
    let asked = create_key(&mut ada);

    assert_eq!((asked.status, keys(&site)), (403, 1));
    assert!(asked.text().contains("not older than 3 minutes"), "{}", asked.text());
}

#[test]
fn s5_a_cross_site_form_is_refused_without_a_step_up() {
    let site = Appliance::running_with_clock("");
    let ada = signed_in(&site);
    site.set_ahead(STALE);

    let fields = [("csrf", "0000"), ("proof_password", PASSWORD), ("name", "x"), ("scope", "read"), ("expires", "90d")];
    let foreign = ada.call("POST", "/settings/keys").header("Sec-Fetch-Site", "cross-site").form(&fields).send();
    let stale = ada.call("POST", "/settings/keys").header("Sec-Fetch-Site", "same-origin").form(&fields).send();

    for answer in [foreign, stale] {
        assert_eq!((answer.status, keys(&site)), (403, 0));
        assert!(!answer.text().contains("Confirm that it is you"));
    }
}
