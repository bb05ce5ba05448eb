//! What ended after a backup ends again in a database that is restored from it.

use domicile::accounts::{self, AccountEvent, AccountState, addresses};
use domicile::activity::CATALOGUE;
use domicile::api_keys::{self, ApiKeyEvent, KeyState, Limits};
use domicile::audit::{self, AccessChange, Event, EventKind, Outcome};
use domicile::base::{Actor, ApiKeyId, EmailAddress, EmailId, WorkspaceId, days, hours};
use domicile::factors::{self, FactorEvent};
use domicile::journal::{self, TableState};
use domicile::privacy::PrivacyEvent;
use domicile::restore::{self, Replayed};
use domicile::services::{ServiceScopes, WorkspaceGrant};
use domicile::signin::{self, SigninEvent, oauth};
use domicile::{invitations, privacy, services, sessions, snapshots};
use rusqlite::named_params;

use crate::support::{KeyBuilder, PASSWORD, Person, TestApp, create_service};

/// A backup of a site, which goes on afterwards.
pub struct Backup {
    folder: tempfile::TempDir,
    known: journal::Head,
}

impl Backup {
    pub fn of(site: &TestApp) -> Self {
        snapshots::publish(&site.app).unwrap();
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::copy(site.layout().snapshot(), folder.path().join("domicile.sqlite")).unwrap();
        std::fs::copy(&site.app.config().keyring, folder.path().join("keyring")).unwrap();
        Self { folder, known: site.read(|view| journal::head(view).unwrap()) }
    }

    /// The database of the backup, with the journal that the site has now.
    pub fn restored_with_journal_of(&self, site: &TestApp) -> (TestApp, Replayed) {
        let restored = TestApp::from_snapshot(self.folder.path(), &site.clock.now().rfc3339());
        let mut entries = Vec::new();
        let path = site.layout().tombstones();
        let file = std::fs::File::open(&path).unwrap();
        journal::read(&file, &path, site.app.keyring(), |entry| entries.push(entry)).unwrap();
        entries.retain(|entry| entry.seq > self.known.seq);
        let replayed = restored.write(move |tx| restore::apply(tx, &entries)).unwrap();
        // The chain goes on, and the file of the restored database has the same lines.
        let heads = [site, &restored].map(|site| site.read(|view| journal::check_table(view).unwrap()));
        assert!(matches!(heads[0], TableState::Intact(_)));
        assert_eq!(heads[0], heads[1]);
        let text = |site: &TestApp| std::fs::read_to_string(site.layout().tombstones()).unwrap();
        assert_eq!(text(&restored), text(site));
        (restored, replayed)
    }
}

impl TestApp {
    fn state_of_key(&self, key: ApiKeyId) -> String {
        self.read(|view| {
            let sql = "select state from api_key where id = :id";
            view.one(sql, named_params! {":id": key}, |row| row.get(0)).unwrap()
        })
    }

    fn state_of(&self, person: &Person) -> AccountState {
        self.read(|view| accounts::find(view, person.account.id).unwrap().unwrap().state)
    }

    fn has_password(&self, person: &Person) -> bool {
        self.read(|view| accounts::password_hash(view, person.account.id).unwrap().is_some())
    }

    fn addresses(&self, person: &Person) -> Vec<(String, bool)> {
        let emails = self.read(|view| accounts::emails(view, person.account.id).unwrap());
        let mut addresses: Vec<_> =
            emails.into_iter().map(|email| (email.address.as_str().to_owned(), email.is_primary)).collect();
        addresses.sort();
        addresses
    }

    /// Adds a verified address.
    fn second_address(&self, person: &Person, address: &str) -> EmailId {
        let (account, actor) = (person.account.id, person.by_browser());
        let address = EmailAddress::parse(address).unwrap();
        self.write(move |tx| {
            let id = addresses::add_email(tx, &actor, account, &address)?;
            let sql = "update account_email set verified_at = :now where id = :id";
            let now = tx.now();
            tx.execute(sql, named_params! {":now": now, ":id": id})?;
            Ok::<_, accounts::AccountError>(id)
        })
        .unwrap()
    }

    /// An authenticator app, a recovery code with a known digest, another one, and a pending removal of all.
    fn insert_factors_of(&self, person: &Person) {
        let account = person.account.id;
        let is_known = person.account.username.as_str() == "cy-cy-cy";
        let code = if is_known { "zeroblob(32)" } else { "randomblob(32)" };
        let rows = [
            "totp (account_id, sealed_secret, last_step, confirmed_at) values (:id, x'00', 1, 1)".to_owned(),
            format!("recovery_code (lookup, account_id, created_at) values ({code}, :id, 1)"),
            "recovery_code (lookup, account_id, created_at) values (randomblob(32), :id, 1)".to_owned(),
            "factor_reset (account_id, asked_by, asked_at, due_at) values (:id, 'person', 1, 2)".to_owned(),
        ];
        self.write(move |tx| {
            rows.iter()
                .try_for_each(|row| tx.execute(&format!("insert into {row}"), named_params! {":id": account}).map(drop))
        })
        .unwrap();
    }

    fn factors_of(&self, person: &Person) -> (bool, usize, usize) {
        let found = self.read(|view| factors::enrolled(view, person.account.id).unwrap());
        (found.has_totp, usize::try_from(found.passkeys).unwrap(), usize::try_from(found.codes_left).unwrap())
    }

    fn record_event(&self, event: Event) {
        self.write(move |tx| audit::record(tx, &Actor::System, event)).unwrap();
    }
}

#[test]
fn every_type_of_event_that_changes_access_can_be_replayed() {
    let mut checked = 0;
    for kind in CATALOGUE.iter().copied().flatten() {
        let is_erasure = kind.name == PrivacyEvent::AccountDeleted.event_type().name;
        if kind.access == AccessChange::None || is_erasure {
            assert!(!restore::can_replay(kind), "{} has a replay and no entries", kind.name);
            continue;
        }
        checked += 1;
        assert!(
            restore::can_replay(kind),
            "{} changes access, so a restored backup must make it again: add a row to src/restore/replay.rs",
            kind.name
        );
    }
    assert!(checked > 25, "{checked}");
}

#[test]
fn keys_that_ended_end_again_and_those_that_came_back_come_back() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let key = |name: &str| site.api_key(&ada, name).key.id;
    let (revoked, disabled, switched, rotated) = (key("one"), key("two"), key("three"), key("four"));
    let (quarantined, narrowed, untouched) = (key("five"), key("six"), key("seven"));
    let wide = KeyBuilder::named("nine").scopes(&["read", "models:write"]).build();
    let reduced = site.make_key(&ada, wide).key.id;
    let backup = Backup::of(&site);
    let later = key("eight");

    let admin = ada.credential_admin();
    site.write(move |tx| {
        api_keys::revoke(tx, &admin, revoked)?;
        api_keys::disable(tx, &admin, disabled)?;
        api_keys::disable(tx, &admin, switched)?;
        api_keys::enable(tx, &admin, switched)?;
        api_keys::rotate(tx, &admin, rotated, hours(1))?;
        api_keys::revoke(tx, &admin, later)?;
        api_keys::reduce_scopes(tx, &admin, reduced, &["models:read".into()])?;
        let limits = Limits::parse("192.0.2.0/24", "", "", "month").unwrap();
        api_keys::change(tx, &admin, narrowed, &KeyBuilder::named("six").limits(limits).change())
    })
    .unwrap();
    let about = Event::new(ApiKeyEvent::Quarantined).workspace(ada.workspace).target(quarantined);
    site.record_event(about.subject(ada.account.id));
    let (restored, replayed) = backup.restored_with_journal_of(&site);

    let scopes = restored.read(|view| api_keys::find(view, &ada.credential_admin(), reduced).unwrap()).scopes;
    assert_eq!(scopes, "models:read", "scopes that were taken away do not come back");
    assert_eq!((replayed.lines, replayed.changed, replayed.erased), (9, 8, 0));
    let states = [revoked, disabled, switched, rotated, quarantined, narrowed, untouched];
    assert_eq!(
        states.map(|key| restored.state_of_key(key)),
        ["revoked", "disabled", "active", "retiring", "quarantined", "disabled", "active"]
    );
    let ends =
        |site: &TestApp| site.read(|view| api_keys::find(view, &ada.credential_admin(), rotated).unwrap()).retire_at;
    assert_eq!((ends(&restored), KeyState::Retiring), (ends(&site), KeyState::Retiring));
}

#[test]
fn limits_that_exclude_no_network_leave_no_line() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let limits = |networks: &str| Limits::parse(networks, "", "", "month").unwrap();
    let key = site.make_key(&ada, KeyBuilder::named("ci").limits(limits("192.0.2.0/24")).build()).key.id;
    let change = |networks: &str| {
        let (admin, change) = (ada.credential_admin(), KeyBuilder::named("ci").limits(limits(networks)).change());
        site.write(move |tx| api_keys::change(tx, &admin, key, &change)).unwrap();
        site.number("select count(*) from journal")
    };

    assert_eq!(change("192.0.2.0/24 198.51.100.0/24"), 0);
    assert_eq!(change("192.0.0.0/16 198.51.100.0/24"), 0);
    assert_eq!(change("192.0.0.0/16"), 1);
    assert_eq!(change(""), 1);
    assert_eq!(change("192.0.0.0/16"), 2);
}

#[test]
fn credentials_of_services_end_again() {
    let site = TestApp::new();
    let [rotated, revoked, leaked, gone] = ["rotated", "revoked", "leaked", "gone"]
        .map(|name| site.write(move |tx| create_service(tx, name)).map(|(_, secret)| secret).unwrap());
    let second = site.write(|tx| services::rotate(tx, &Actor::Operator, "leaked", hours(24))).unwrap().secret;
    let backup = Backup::of(&site);
    let one = site.read(|view| {
        let service = services::find(view, "leaked").unwrap();
        let listed = services::list_credentials(view, service.id).unwrap();
        listed.into_iter().find(|one| leaked.expose().starts_with(&one.display)).unwrap().id
    });
    site.write(move |tx| {
        services::rotate(tx, &Actor::Operator, "rotated", hours(1))?;
        services::revoke(tx, &Actor::Operator, "revoked", None)?;
        services::revoke(tx, &Actor::Operator, "leaked", Some(one))?;
        services::disconnect(tx, &Actor::Operator, "gone").map(drop)
    })
    .unwrap();

    let (restored, replayed) = backup.restored_with_journal_of(&site);

    assert_eq!((replayed.lines, replayed.changed), (4, 4));
    let valid = || {
        [&rotated, &revoked, &leaked, &second, &gone]
            .map(|secret| restored.read(|view| services::find_by_credential(view, secret.expose()).unwrap()).is_some())
    };
    assert_eq!(valid(), [true, false, false, true, false]);
    restored.clock.advance(hours(1));
    assert_eq!(valid(), [false, false, false, true, false]);
    assert!(restored.read(|view| services::find(view, "gone").unwrap().disconnected_at.is_some()));
}

#[test]
fn what_was_taken_from_a_service_is_taken_again() {
    let site = TestApp::new();
    let [ada, bob] = ["ada-ada", "bob-bob"].map(|name| site.person(name).workspace);
    site.write(|tx| create_service(tx, "farm").map(drop)).unwrap();
    let change = |scopes: &'static str, workspaces: WorkspaceGrant| {
        let scopes = ServiceScopes::parse(scopes);
        site.write(move |tx| services::change(tx, &Actor::Operator, "farm", scopes, Some(workspaces)).map(drop))
            .unwrap();
    };
    let only = |workspaces: &[WorkspaceId]| WorkspaceGrant::only(workspaces.to_vec()).unwrap();
    change("keys:verify usage:write", only(&[ada, bob]));
    let backup = Backup::of(&site);
    // Something is given too, which the journal does not give again.
    change("keys:verify resources:write", only(&[bob]));

    let (restored, replayed) = backup.restored_with_journal_of(&site);

    assert_eq!((replayed.lines, replayed.changed), (1, 1));
    let grant = restored.read(|view| services::find(view, "farm").unwrap().grant);
    assert_eq!((grant.scopes.names().as_str(), grant.workspaces), ("keys:verify", only(&[bob])));
}

#[test]
fn suspensions_and_reactivations_are_made_again_in_their_order() {
    let site = TestApp::new();
    let [ada, bob, cy] = ["ada-ada", "bob-bob", "cy-cy-cy"].map(|name| site.person(name));
    site.suspend(&cy);
    let backup = Backup::of(&site);
    let reactivate = |person: &Person| {
        let account = person.account.id;
        site.write(move |tx| signin::reactivate(tx, &Actor::Operator, account)).unwrap();
    };
    site.suspend(&ada);
    site.suspend(&bob);
    reactivate(&bob);
    reactivate(&cy);

    let (restored, _) = backup.restored_with_journal_of(&site);

    let states = [&ada, &bob, &cy].map(|person| restored.state_of(person));
    assert_eq!(states, [AccountState::Suspended, AccountState::Active, AccountState::Active]);
    assert!(restored.sign_in("ada-ada", PASSWORD).is_err());
    assert!(restored.sign_in("cy-cy-cy", PASSWORD).is_ok());
}

#[test]
fn an_old_password_and_keys_that_were_locked_are_refused_and_erased_people_are_erased() {
    let site = TestApp::new();
    let [ada, bob, cy, di] = ["ada-ada", "bob-bob", "cy-cy-cy", "di-di-di"].map(|name| site.person(name));
    let backup = Backup::of(&site);
    let ids = [ada.account.id, bob.account.id, cy.account.id];
    site.write(move |tx| {
        accounts::set_password(tx, &Actor::Operator, ids[0], "$argon2id$new")?;
        accounts::lock_keys(tx, &Actor::System, ids[1])?;
        privacy::erase(tx, &Actor::Operator, ids[2]).map(drop).unwrap();
        Ok::<_, accounts::AccountError>(())
    })
    .unwrap();

    let (restored, replayed) = backup.restored_with_journal_of(&site);

    assert!(restored.sign_in("ada-ada", PASSWORD).is_err() && !restored.has_password(&ada));
    assert!(restored.read(|view| accounts::keys_locked_at(view, bob.account.id).unwrap()).is_some());
    assert!(restored.read(|view| accounts::find(view, cy.account.id).unwrap()).is_none());
    assert!(restored.sign_in("di-di-di", PASSWORD).is_ok() && restored.has_password(&di));
    assert_eq!((replayed.erased, replayed.changed), (1, 2));
}

#[test]
fn a_removed_address_is_removed_also_if_it_was_the_primary_one() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let second = site.second_address(&ada, "second@example.org");
    let third = site.second_address(&bob, "third@example.org");
    let first = site.read(|view| accounts::emails(view, ada.account.id).unwrap())[0].id;
    let backup = Backup::of(&site);
    let (actor, account) = (ada.by_browser(), ada.account.id);
    site.write(move |tx| addresses::set_primary(tx, &actor, account, second).map(drop)).unwrap();
    site.clock.advance(days(8));
    let (actor, of_bob) = (ada.by_browser(), bob.by_browser());
    let bobs = bob.account.id;
    site.write(move |tx| {
        addresses::remove_email(tx, &actor, account, first)?;
        addresses::remove_email(tx, &of_bob, bobs, third).map(drop)
    })
    .unwrap();

    let (restored, _) = backup.restored_with_journal_of(&site);

    for person in [&ada, &bob] {
        assert_eq!(restored.addresses(person), site.addresses(person));
    }
    assert_eq!(restored.addresses(&ada), [("second@example.org".to_owned(), true)]);
}

#[test]
fn removed_factors_used_codes_and_cancelled_resets_do_not_come_back() {
    let site = TestApp::new();
    let [ada, bob, cy, di] = ["ada-ada", "bob-bob", "cy-cy-cy", "di-di-di"].map(|name| site.person(name));
    for person in [&ada, &bob, &cy, &di] {
        site.insert_factors_of(person);
    }
    let backup = Backup::of(&site);
    let about =
        |kind: FactorEvent, person: &Person| Event::new(kind).target(person.account.id).subject(person.account.id);
    site.record_event(about(FactorEvent::TotpDisabled, &ada));
    site.record_event(about(FactorEvent::ResetCompleted, &bob));
    site.record_event(about(FactorEvent::RecoveryCodeUsed, &cy).detail("00".repeat(32)));
    site.record_event(about(FactorEvent::ResetCancelled, &cy));
    site.record_event(about(FactorEvent::TotpEnabled, &di).ends_access());
    site.record_event(about(FactorEvent::RecoveryCodesGenerated, &di));

    let (restored, _) = backup.restored_with_journal_of(&site);

    assert_eq!(restored.factors_of(&ada), (false, 0, 0));
    assert_eq!(restored.factors_of(&bob), (false, 0, 0));
    assert_eq!(restored.factors_of(&cy), (true, 0, 1));
    assert!(restored.read(|view| factors::reset_of(view, cy.account.id).unwrap()).is_none());
    assert_eq!(restored.factors_of(&di), (false, 0, 0));
    assert!(!restored.has_password(&di) && restored.has_password(&cy));
}

#[test]
fn what_was_reported_as_a_thief_s_is_removed_again() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    site.connect(&ada, "before");
    site.connect(&bob, "kept");
    site.clock.advance(hours(1));
    let since = site.clock.now();
    site.connect(&ada, "thief");
    let (invitation, _) = site
        .write(|tx| invitations::issue(tx, &Actor::Operator, EmailAddress::parse("new@example.org").unwrap(), false))
        .unwrap();
    let backup = Backup::of(&site);
    let about = |kind, person: &Person| {
        let kind: SigninEvent = kind;
        Event::new(kind).target(person.account.id).subject(person.account.id)
    };
    site.record_event(about(SigninEvent::Disowned, &ada).detail(since.millis()));
    let identity = site.read(|view| oauth::identities(view, bob.account.id).unwrap())[0].id;
    site.record_event(Event::new(oauth::IdentityEvent::Unlinked).target(identity).subject(bob.account.id));
    site.write(move |tx| invitations::withdraw(tx, &Actor::Operator, &invitation.id.to_string())).unwrap();

    let (restored, _) = backup.restored_with_journal_of(&site);

    assert_eq!(restored.connected(&ada), ["before"]);
    assert_eq!(restored.connected(&bob), Vec::<String>::new());
    assert!(restored.read(|view| invitations::list(view).unwrap()).is_empty());
}

#[test]
fn a_denied_attempt_leaves_no_line_and_a_copied_cookie_leaves_one() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let id = ada.account.id;
    site.record_event(Event::new(oauth::IdentityEvent::Unlinked).outcome(Outcome::Denied).target(id).subject(id));
    assert_eq!(site.number("select count(*) from journal"), 0);
    site.record_event(
        Event::new(sessions::SessionEvent::ReuseDetected).outcome(Outcome::Denied).target(id).subject(id),
    );
    assert_eq!(site.number("select count(*) from journal"), 1);
}

#[test]
fn an_entry_of_a_newer_version_is_refused_and_changes_nothing() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let backup = Backup::of(&site);
    site.record_event(
        Event::new(AccountEvent::EmailRemoved).target(ada.account.id).subject(ada.account.id).detail("odd"),
    );
    let restored = TestApp::from_snapshot(backup.folder.path(), &site.clock.now().rfc3339());
    let mut entries = Vec::new();
    let file = std::fs::File::open(site.layout().tombstones()).unwrap();
    journal::read(&file, &site.layout().tombstones(), site.app.keyring(), |entry| entries.push(entry)).unwrap();

    let refused = restored.write(move |tx| restore::apply(tx, &entries)).unwrap_err();

    assert!(refused.to_string().contains("line 1 of the journal is about email.removed"), "{refused}");
    assert_eq!(restored.number("select count(*) from journal"), 0);
}
