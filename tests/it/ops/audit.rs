//! The audit: every change of it is detected, and it can erase a person.

use domicile::accounts::{self, AccountEvent, DisplayName, Profile};
use domicile::api_keys::ApiKeyEvent;
use domicile::audit::{self, AuditError, AuditSummary, Event, Filter, GENESIS, Part, SiteEvent};
use domicile::base::{Actor, Visitor, hours};
use domicile::db;
use domicile::privacy;
use domicile::sessions::SessionEvent;
use domicile::signin::SigninEvent;
use rusqlite::named_params;
use serde_json::json;

use crate::support::{Person, TestSite};

impl TestSite {
    fn verify(&mut self) -> Result<AuditSummary, (i64, &'static str)> {
        self.write(|tx| audit::verify(tx)).map_err(|error| match error {
            AuditError::Damaged { seq, what } => (seq, what),
            error => panic!("{error}"),
        })
    }

    fn record(&mut self, actor: &Actor, event: Event) {
        self.write(|tx| audit::record(tx, actor, event)).unwrap();
    }

    /// Drops the triggers, as an attacker with the database key could.
    fn drop_triggers(&self) {
        self.connection
            .execute_batch(
                "drop trigger audit_event_is_never_changed; drop trigger audit_event_is_never_deleted; pragma foreign_keys = off;",
            )
            .unwrap();
    }

    fn tamper(&self, sql: &str) -> usize {
        self.connection.execute(sql, []).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

/// A site with some history: two people, API keys, private parts of all kinds, a failed anonymous sign-in.
fn site_with_history() -> (TestSite, Person, Person) {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    site.clock.advance(hours(1));
    site.api_key(&ada, "ci", &["read"]);
    site.api_key(&bob, "laptop", &["read"]);
    let anonymous = site.anonymous();
    site.record(&anonymous, Event::new(SigninEvent::Failed).outcome(audit::Outcome::Failure));
    site.record(&ada.by_browser(), Event::new(SessionEvent::Revoked).target(ada.account.id).workspace(ada.workspace));
    site.record(&Actor::System, Event::new(SiteEvent::KeyringRotated));
    (site, ada, bob)
}

#[test]
fn an_untouched_chain_verifies_from_its_first_event_to_its_last() {
    let mut empty = TestSite::new();
    assert_eq!(
        empty.verify().unwrap(),
        AuditSummary { events: 0, private_parts: 0, head: GENESIS, epochs: Vec::new() }
    );

    let (mut site, _, _) = site_with_history();
    let verified = site.verify().unwrap();

    assert_eq!(verified.events, site.count("audit_event"));
    assert_eq!(verified.private_parts, site.count("audit_private"));
    assert!(verified.private_parts >= 8, "{verified:?}");
    assert_eq!(site.read(|tx| audit::head(tx).unwrap()), (verified.events, verified.head));
}

#[test]
fn an_event_is_recorded_only_if_its_transaction_commits() {
    let (mut site, ada, _) = site_with_history();
    let before = site.verify().unwrap();

    let failed: Result<(), db::Error> = site.write(|tx| {
        audit::record(tx, &ada.by_browser(), Event::new(AccountEvent::ProfileUpdated))?;
        Err(db::Error::Stopped)
    });

    assert!(failed.is_err());
    assert_eq!(site.verify().unwrap(), before);
}

#[test]
fn the_table_itself_refuses_changes() {
    let (site, _, _) = site_with_history();

    for sql in [
        "update audit_event set event = 'nothing.happened'",
        "delete from audit_event where seq = 3",
        "insert or replace into audit_event select * from audit_event where seq = 1",
    ] {
        let before = site.number("select sum(length(event)) from audit_event");
        let refused = site.connection.execute(sql, []);
        assert!(refused.is_err() || site.number("select sum(length(event)) from audit_event") == before, "{sql}");
    }
}

#[test]
fn a_change_of_any_column_of_any_event_is_found_and_named() {
    let (mut site, _, _) = site_with_history();
    site.drop_triggers();
    let untouched = site.verify().unwrap();
    let changes = [
        ("id", "id || 'x'"),
        ("at", "at + 1"),
        ("at", "at - 86400000"),
        ("event", "event || 'd'"),
        ("outcome", "case outcome when 'denied' then 'success' else 'denied' end"),
        ("workspace_id", "case when workspace_id is null then '' else null end"),
        ("actor_kind", "case actor_kind when 'operator' then 'system' else 'operator' end"),
        ("actor_id", "case when actor_id is null then 'acc_x' else null end"),
        ("target_id", "coalesce(target_id, '') || 'x'"),
        ("data_json", "data_json || ' '"),
        ("commitments_json", "case commitments_json when '{}' then '{ }' else '{}' end"),
        ("prev_hash", "cast(zeroblob(31) || x'01' as blob)"),
        ("leaf_hash", "cast(zeroblob(31) || x'01' as blob)"),
    ];

    for seq in 1..=untouched.events {
        for (column, change) in changes {
            let mut copy = site.copied();
            assert_eq!(copy.tamper(&format!("update audit_event set {column} = {change} where seq = {seq}")), 1);
            assert_eq!(copy.verify().map_err(|(seq, _)| seq), Err(seq), "{column} of event {seq}");
        }
    }

    assert_eq!(site.verify().unwrap(), untouched);
}

#[test]
fn a_missing_an_added_and_a_moved_event_are_found_and_named() {
    let (mut site, _, _) = site_with_history();
    let events = site.verify().unwrap().events;
    site.drop_triggers();
    let first_damaged = |sql: &str| {
        let mut copy = site.copied();
        copy.connection.execute_batch("pragma foreign_keys = off").unwrap();
        copy.connection.execute_batch(sql).unwrap();
        copy.verify().map_err(|(seq, _)| seq).err()
    };

    for seq in 1..events {
        assert_eq!(first_damaged(&format!("delete from audit_event where seq = {seq}")), Some(seq));
        let next = seq + 1;
        let swap = format!(
            "update audit_event set seq = -1 where seq = {seq};
             update audit_event set seq = {seq} where seq = {next};
             update audit_event set seq = {next} where seq = -1;"
        );
        assert_eq!(first_damaged(&swap), Some(seq), "{seq} and {next} changed places");
        let close_the_gap = format!(
            "delete from audit_event where seq = {seq};
             update audit_event set seq = seq - 1 where seq > {seq};"
        );
        assert_eq!(first_damaged(&close_the_gap), Some(seq), "{seq} was taken out and the rest moved up");
    }
    let added = format!(
        "insert into audit_event select {events} + 1, 'evt_x', at, event, outcome, workspace_id, actor_kind, actor_id, target_id,
         data_json, '{{}}', leaf_hash, leaf_hash from audit_event where seq = {events}"
    );
    assert_eq!(first_damaged(&added), Some(events + 1));
    assert_eq!(first_damaged("select 1"), None);
}

#[test]
fn missing_events_at_the_end_are_detected_with_a_stored_head() {
    let (mut site, _, _) = site_with_history();
    let kept = site.read(|tx| audit::head(tx).unwrap());
    site.drop_triggers();

    site.tamper(&format!("delete from audit_event where seq = {}", kept.0));
    site.tamper(&format!("delete from audit_private where seq = {}", kept.0));

    let shortened = site.verify().unwrap();
    assert_ne!((shortened.events, shortened.head), kept);
}

#[test]
fn a_change_of_a_private_part_is_found_and_named() {
    let (mut site, ada, bob) = site_with_history();
    let parts: Vec<(i64, String)> = site.read(|tx| {
        tx.list("select seq, part from audit_private order by seq, part", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
    });
    site.drop_triggers();

    for (seq, part) in &parts {
        let (ada, bob) = (ada.account.id, bob.account.id);
        for change in [
            "salt = cast(substr(salt, 1, 31) || x'00' as blob)".to_owned(),
            "sealed = cast(substr(sealed, 1, length(sealed) - 1) || x'00' as blob)".to_owned(),
            "sealed = (select sealed from audit_private other where other.sealed <> audit_private.sealed limit 1)"
                .to_owned(),
            format!("subject_id = case subject_id when '{ada}' then '{bob}' else '{ada}' end"),
        ] {
            let mut copy = site.copied();
            let sql = format!("update audit_private set {change} where seq = {seq} and part = '{part}'");
            assert_eq!(copy.tamper(&sql), 1);
            assert_eq!(copy.verify().map_err(|(seq, _)| seq), Err(*seq), "{change} of {part} of event {seq}");
        }
    }

    site.verify().unwrap();
}

#[test]
fn a_private_part_without_a_commitment_is_found() {
    let (mut site, _, _) = site_with_history();
    let plain = site.number("select seq from audit_event where event = 'site.keyring_rotated'");

    site.tamper(&format!(
        "insert into audit_private select {plain}, part, subject_id, salt, sealed from audit_private where part = 'network' limit 1"
    ));

    assert_eq!(site.verify().map_err(|(seq, _)| seq), Err(plain));
}

#[test]
fn a_person_reads_the_private_parts_of_their_own_events() {
    let (mut site, ada, _) = site_with_history();

    let events = site.activity_of(&ada);

    let created = events.iter().find(|event| event.name == "account.created").unwrap();
    assert_eq!(created.private_text(Part::Contact, "email"), Some("ada-ada@example.org"));
    let key = events.iter().find(|event| event.name == "api_key.created").unwrap();
    assert_eq!(key.private_text(Part::Text, "name"), Some("ci"));
    assert_eq!(key.private_text(Part::Network, "address"), Some("203.0.113.7"));
    assert!(events.iter().all(|event| event.private_text(Part::Text, "name") != Some("laptop")));
}

#[test]
fn personal_data_is_in_no_event_as_plain_text() {
    let mut site = TestSite::new();
    let canaries = ["canary-address-2001:db8::7", "canary-agent", "canary-key-name", "canary-contact"];
    let ada = site.person("ada-ada");
    let mut actor = ada.by_browser();
    if let Actor::SignedIn { visitor, .. } = &mut actor {
        *visitor = Visitor { address: canaries[0].into(), agent: canaries[1].into(), ..Visitor::default() };
    }

    let event = Event::new(ApiKeyEvent::ExposureReported)
        .target(ada.account.id)
        .private(Part::Text, json!({"name": canaries[2]}))
        .private(Part::Contact, json!({"email": canaries[3]}));
    site.record(&actor, event);

    for canary in canaries {
        assert_eq!(site.columns_with(canary), Vec::<String>::new());
    }
    let newest = site.activity_of(&ada).remove(0);
    assert_eq!(newest.private_text(Part::Network, "agent"), Some("canary-agent"));
    assert_eq!(newest.private_text(Part::Contact, "email"), Some("canary-contact"));
}

#[test]
fn the_chain_verifies_after_an_erasure_and_nothing_identifies_the_person() {
    let (mut site, ada, bob) = site_with_history();
    let profile = Profile::named(DisplayName::parse("Augusta Ada King").unwrap());
    let actor = ada.by_browser();
    site.write(|tx| accounts::update_profile(tx, &actor, ada.account.id, &profile)).unwrap();
    let (before, bobs) = (site.verify().unwrap(), site.activity_of(&bob).len());

    site.write(|tx| privacy::erase(tx, &actor, ada.account.id)).unwrap();
    site.connection.execute("delete from mail_outbox where forget_when_sent = 1", []).unwrap();

    let after = site.verify().unwrap();
    assert_eq!(after.events, before.events + 1);
    for trace in ["ada-ada", "Augusta", "203.0.113.7", "Firefox"] {
        let left: Vec<_> = site.columns_with(trace);
        assert_eq!(left, Vec::<String>::new(), "{trace}");
    }
    let keys = "select count(*) from subject_key where subject_id = :id";
    let id = ada.account.id;
    let left = site.read(|tx| tx.one(keys, named_params! {":id": id}, |row| row.get::<_, i64>(0)).unwrap());
    assert_eq!(left, 0);
    let activity = site.activity_of(&ada);
    assert!(!activity.is_empty() && activity.iter().all(|event| event.private.is_empty()));
    assert_eq!(site.activity_of(&bob).len(), bobs);
    assert!(site.activity_of(&bob).iter().any(|event| !event.private.is_empty()));
    assert!(site.write(|tx| audit::forget(tx, id)).unwrap() == 0);
}

#[test]
fn a_copy_from_before_the_erasure_cannot_be_read_without_the_subject_key() {
    let (mut site, ada, _) = site_with_history();
    let id = ada.account.id;
    let mut copy = site.copied();

    site.write(|tx| audit::forget(tx, id)).unwrap();
    copy.read(|tx| tx.execute("delete from subject_key where subject_id = :id", named_params! {":id": id}).unwrap());

    let events = copy.activity_of(&ada);
    assert!(!events.is_empty() && events.iter().all(|event| event.private.is_empty()));
}

#[test]
fn the_activity_is_listed_in_pages_newest_first() {
    let (mut site, ada, _) = site_with_history();
    let all: Vec<_> = site.activity_of(&ada).into_iter().map(|event| event.seq).collect();

    let mut read = Vec::new();
    let mut filter = Filter { limit: 2, ..Filter::default() };
    loop {
        let page = site.read(|tx| audit::list(tx, ada.account.id, ada.workspace, &filter).unwrap());
        assert!(page.rows.len() <= 2);
        read.extend(page.rows.iter().map(|event| event.seq));
        match page.next {
            Some(next) => filter.before = Some(next),
            None => break,
        }
    }

    assert_eq!(read, all);
    assert!(all.is_sorted_by(|newer, older| newer > older));
}
