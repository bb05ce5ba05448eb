//! Erasures.

use domicile::base::{Stopwatch, hours, seconds};
use domicile::billing::ledger;
use domicile::db;
use domicile::jobs::Outcome;
use domicile::journal::{self, TableState};
use domicile::sessions;

use super::*;
use crate::support::SessionBuilder;

impl TestApp {
    fn erase(&self, actor: Actor, account: AccountId) -> Result<privacy::Receipt, PrivacyError> {
        self.write(move |tx| privacy::erase(tx, &actor, account))
    }

    /// Starts a session and rotates its cookie after a day.
    fn start_and_rotate_session(&self, person: &Person) {
        let account = person.account.id;
        let new = SessionBuilder::new(account, home()).remember(true).build();
        let started = self.write(move |tx| sessions::start(tx, &Actor::Anonymous(home()), &new));
        let (session, token) = started.unwrap();
        self.clock.advance(hours(24));
        let rotated = self.write(move |tx| sessions::rotate(tx, session, token.expose())).unwrap();
        assert!(rotated.is_some());
    }

    fn delete(&self, person: &Person, word: &str, password: &str) -> Result<privacy::Receipt, PrivacyError> {
        let (actor, password) = (self.in_browser(person), Secret::new(password.to_owned()));
        self.block_on(flows::delete_account(
            &self.app,
            actor,
            person.account.id,
            word,
            password,
            person.account.created_at,
        ))
    }
}

#[test]
fn an_erasure_treats_every_table_as_the_data_map_says() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();
    site.start_and_rotate_session(&ada);
    site.second_factors(ada.account.id);
    site.exported(&ada);
    let artifact = site.export(&ada).artifact.unwrap().id;
    let actor = site.in_browser(&ada);
    site.write({
        let (actor, id) = (actor.clone(), ada.account.id);
        move |tx| privacy::export_link(tx, &actor, id, artifact)
    })
    .unwrap();
    site.read(|view| {
        for table in tables().filter(|table| matches!(table.erasure, Erasure::Deletes | Erasure::Empties(..))) {
            assert!(rows(view, table.name) > 0, "{} is empty, which proves nothing", table.name);
        }
    });
    let money = site.number("select sum(amount_micro * n) from ledger_posting");

    let receipt = site.delete(&ada, "DELETE", PASSWORD).unwrap();
    site.run_jobs();

    site.read(|view| {
        for table in tables() {
            match table.erasure {
                // The queue keeps jobs that belong to no account, for example mail delivery.
                Erasure::Deletes if table.name == "job" => {
                    assert_eq!(column(view, "job", "subject_id"), []);
                }
                // Parts without a known account are not the person's: a service's name, a failure with an unknown name.
                Erasure::Deletes if ["audit_private", "subject_key"].contains(&table.name) => {
                    assert_eq!(
                        column(view, table.name, "subject_id"),
                        [Value::Text("nobody".into())],
                        "{}",
                        table.name
                    );
                }
                Erasure::Deletes => assert_eq!(
                    rows(view, table.name),
                    0,
                    "{} is not empty: its slice must delete the rows when src/privacy/ops/erase.rs asks",
                    table.name
                ),
                // What is left are open commands to erase: one of before, and the one of this erasure.
                Erasure::Empties(_) if table.name == "service_command" => {
                    let sql =
                        "select kind || payload_json || detail from service_command where kind <> 'resource.purge'";
                    assert_eq!(
                        view.list(sql, [], |row| row.get::<_, String>(0)).unwrap(),
                        ["dsr.erase{}", "dsr.erase{}"]
                    );
                }
                Erasure::Empties(_) if table.name == "resource" => {
                    let sql = "select distinct name || slug from resource";
                    assert_eq!(view.list(sql, [], |row| row.get::<_, String>(0)).unwrap(), [""]);
                    let sql = "select count(*) from resource where state in ('active', 'trashed')";
                    assert_eq!(view.one(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "services are asked");
                }
                Erasure::Empties(_) => {
                    let emptied: Vec<_> = table.columns.iter().filter(|column| column.is_emptied).collect();
                    assert_eq!((table.name, emptied[0].name, emptied.len()), ("statement_line", "details", 1));
                    let sql = "select distinct details from statement_line where kind = 'adjustment'";
                    assert_eq!(view.list(sql, [], |row| row.get::<_, String>(0)).unwrap(), [""]);
                }
                Erasure::Keeps(_) | Erasure::NothingPersonal => {}
            }
        }
    });
    for trace in CANARIES.into_iter().chain(["canary-name@example.org", PASSWORD]) {
        assert_eq!(
            site.columns_with(trace),
            Vec::<String>::new(),
            "{trace:?} is still there: delete it in the function for erasures that src/privacy/ops/erase.rs calls"
        );
    }
    assert_eq!(site.exports_folder(), Vec::<String>::new());
    assert_eq!(receipt.exports, [artifact]);
    assert_eq!(site.number("select sum(amount_micro * n) from ledger_posting"), money);
    site.read(|view| {
        audit::verify(view).unwrap();
        ledger::check(view).unwrap();
        assert!(matches!(journal::check_table(view).unwrap(), TableState::Intact(_)));
    });
    assert_eq!(site.number("select count(*) from journal where kind = 'erasure'"), 1);
}

#[test]
fn what_services_gave_stays_only_where_they_delete_by_it_and_goes_when_they_have() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();
    let is_declared = |full: &str| {
        let (table, column) = full.split_once('.').unwrap();
        let declared = tables().find(|one| one.name == table).unwrap().columns.iter().find(|one| one.name == column);
        declared.is_some_and(|column| column.purpose.is_some())
    };
    for (trace, columns) in [
        (OF_SERVICES[0], &["kept_answer.body", "resource.external_id", "service_command.payload_json"][..]),
        (OF_SERVICES[2], &["service_command.detail"]),
        (OF_SERVICES[3], &["webhook_delivery.answer"]),
        (OF_SERVICES[5], &["kept_answer.body"]),
        // As a digest, and sealed.
        (OF_SERVICES[1], &[]),
        (OF_SERVICES[4], &[]),
        ("canary-external-purged", &[]),
    ] {
        let found = site.columns_with(trace);
        assert_eq!(found, columns, "{trace}");
        assert!(found.iter().all(|column| is_declared(column)), "{found:?}: tag it as personal(..) in tables.rs");
    }

    site.delete(&ada, "DELETE", PASSWORD).unwrap();

    let needed = ["resource.external_id", "service_command.payload_json"];
    for trace in OF_SERVICES {
        let expected = if trace == OF_SERVICES[0] { &needed[..] } else { &[] };
        assert_eq!(site.columns_with(trace), expected, "{trace}");
    }
    assert_eq!(site.columns_with("canary-external-left"), Vec::<String>::new(), "nobody can be asked to delete it");

    let farm = site.read(|view| services::find(view, "farm").unwrap()).id;
    let all = |site: &TestApp| {
        site.read(|view| inbox::list_commands(view, farm, CommandFilter::All, None, 100).unwrap()).rows
    };
    let acknowledge = |id, outcome| {
        let said = Acknowledgement::new(outcome, OF_SERVICES[2]).unwrap();
        site.write(move |tx| inbox::acknowledge(tx, ACK_HANDLERS, farm, id, &said)).unwrap()
    };
    let open = all(&site);
    let mut kinds: Vec<_> = open.iter().map(|command| command.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["dsr.erase", "dsr.erase", "resource.purge", "resource.purge"]);
    // One could not be deleted; it is asked for again a day later.
    let failed = open.iter().find(|command| command.kind == CommandKind::ResourcePurge).unwrap().id;
    acknowledge(failed, AckOutcome::Failed);
    for command in open.iter().filter(|command| command.id != failed) {
        let first = acknowledge(command.id, AckOutcome::Done);
        assert_eq!(acknowledge(command.id, AckOutcome::Done), first);
    }
    assert_eq!(site.columns_with(OF_SERVICES[0]), ["resource.external_id"], "the service must still delete it");
    assert_eq!(site.columns_with(OF_SERVICES[2]), Vec::<String>::new());
    site.clock.advance(hours(25));
    site.write(resources::purge_due).unwrap();
    site.write(resources::send_purges).unwrap();
    assert_eq!(site.columns_with(OF_SERVICES[0]), needed);
    let again = all(&site).remove(0).id;
    acknowledge(again, AckOutcome::Done);

    for trace in OF_SERVICES {
        assert_eq!(site.columns_with(trace), Vec::<String>::new(), "{trace}");
    }
    assert_eq!(site.number("select count(*) from resource where state <> 'purged'"), 0);
    assert_eq!(site.number("select count(*) from purged_resource"), 4);
}

#[test]
fn ids_that_were_stored_before_they_became_digests_go_with_an_erasure() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let workspace = ada.workspace;
    site.write(move |tx| {
        end_resources(tx, workspace);
        tx.execute("delete from purged_resource", [])?;
        tx.execute("update resource set external_id = 'canary-old' where state = 'purged'", [])
    })
    .unwrap();
    assert_eq!(site.columns_with("canary-old"), ["resource.external_id"]);

    site.erase(Actor::Operator, ada.account.id).unwrap();

    assert_eq!(site.columns_with("canary-"), Vec::<String>::new());
    assert_eq!(site.number("select count(*) from purged_resource"), 2);
}

#[test]
fn an_erasure_does_not_change_data_of_other_people() {
    let site = TestApp::new();
    let (ada, bob) = (site.person_with_all_data(), site.person("bob-bob"));
    let (token, key) = (site.session("bob-bob"), site.api_key(&bob, "ci"));
    site.exported(&bob);
    let (account, workspace) = (bob.account.id.to_string(), bob.workspace.to_string());
    let of_bob = |site: &TestApp| {
        let mut found = BTreeMap::new();
        for (column, value) in site.read(crate::support::stored_values) {
            if [account.as_str(), &workspace, "bob-bob"].iter().any(|trace| holds(&value, trace.as_bytes())) {
                *found.entry(column).or_insert(0) += 1;
            }
        }
        found
    };
    let before = of_bob(&site);
    assert!(before.len() > 20, "{before:?}");

    site.delete(&ada, "DELETE", PASSWORD).unwrap();

    assert_eq!(of_bob(&site), before);
    assert!(site.read(|view| sessions::current(view, token.expose()).unwrap()).is_some());
    assert!(Verifier::new(site.app.clone()).verify(key.secret.expose()).unwrap().into_result().is_ok());
    assert_eq!(site.exports_folder().len(), 1);
    let credit = site.read(|view| ledger::balance(view, bob.workspace).unwrap());
    assert_eq!(credit, Credits::whole(5));
}

#[test]
fn only_the_person_and_the_operator_may_erase_and_only_once() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let key = site.api_key(&ada, "ci").key.id;
    let scopes = site.app.config().scopes.rights_of("admin");
    let (account, workspace) = (ada.account.id, ada.workspace);
    let holder = Actor::KeyHolder { key, account, workspace, scopes, visitor: home() };
    let before = site.footprint();

    for actor in [bob.by_browser(), holder, Actor::Anonymous(site.visitor())] {
        assert!(matches!(site.erase(actor.clone(), account), Err(PrivacyError::NotFound)), "{}", actor.kind());
        let password = Secret::new(PASSWORD.to_owned());
        let refused =
            site.block_on(flows::delete_account(&site.app, actor, account, "DELETE", password, site.clock.now()));
        assert!(matches!(refused, Err(PrivacyError::NotFound)));
    }
    assert_eq!(site.footprint(), before);

    site.erase(site.in_browser(&ada), account).unwrap();
    flows::erase_by_operator(&site.app, Actor::Operator, bob.account.id).unwrap();
    let after = site.footprint();
    for gone in [account, bob.account.id] {
        assert!(matches!(site.erase(Actor::Operator, gone), Err(PrivacyError::NotFound)));
        let again = flows::erase_by_operator(&site.app, Actor::Operator, gone);
        assert!(matches!(again, Err(PrivacyError::NotFound)));
    }
    assert_eq!(site.footprint(), after);
    assert_eq!(site.number("select count(*) from journal where kind = 'erasure'"), 2);
}

#[test]
fn an_account_is_deleted_after_the_word_and_the_password() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let before = site.footprint();

    for word in ["", "delete", "DELETE ", "yes"] {
        assert!(matches!(site.delete(&ada, word, PASSWORD), Err(PrivacyError::NotConfirmed)), "{word:?}");
    }
    assert_eq!(site.footprint(), before);
    assert!(matches!(site.delete(&ada, "DELETE", "not my password"), Err(PrivacyError::WrongPassword)));
    let failed = "select count(*) from audit_event where event = 'auth.stepup_failed' and outcome = 'failure'";
    assert_eq!((site.number(failed), site.number("select count(*) from account")), (1, 1));

    let receipt = site.delete(&ada, "DELETE", PASSWORD).unwrap();

    assert_eq!((receipt.account, receipt.erased_at), (ada.account.id, site.clock.now()));
    assert!(site.message("ada-ada@example.org", "Your account is deleted").text.contains(&receipt.id.to_string()));
    assert!(matches!(site.delete(&ada, "DELETE", PASSWORD), Err(PrivacyError::WrongPassword | PrivacyError::NotFound)));
}

#[test]
fn wrong_passwords_at_the_deletion_are_throttled_also_in_parallel() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");

    let results = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..20).map(|_| scope.spawn(|| site.delete(&ada, "DELETE", "not my password"))).collect();
        tries.into_iter().map(|tried| tried.join().unwrap()).collect::<Vec<_>>()
    });

    assert_eq!(results.iter().filter(|result| matches!(result, Err(PrivacyError::WrongPassword))).count(), 4);
    assert!(matches!(
        site.delete(&ada, "DELETE", PASSWORD),
        Err(PrivacyError::Signin(signin::SigninError::Throttled(_)))
    ));
    site.clock.advance(minutes(15));
    site.delete(&ada, "DELETE", PASSWORD).unwrap();
}

#[test]
fn the_last_mail_goes_only_to_a_verified_address_and_leaves_no_trace() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.sign_up("unproved@example.org", "pending").unwrap();
    let pending = site.read(|view| accounts::find_by_name(view, "pending").unwrap().unwrap()).id;
    site.erase(Actor::Operator, pending).unwrap();
    assert_eq!(site.columns_with("unproved@example.org"), Vec::<String>::new());

    site.erase(Actor::Operator, ada.account.id).unwrap();
    assert_eq!(site.number("select count(*) from mail_outbox"), 1);
    site.run_jobs();

    let messages = site.mailbox().messages();
    assert_eq!(messages.iter().map(|message| message.to.as_str()).collect::<Vec<_>>(), ["ada-ada@example.org"]);
    assert_eq!((site.number("select count(*) from mail_outbox"), site.columns_with("ada-ada")), (0, vec![]));
}

#[test]
fn an_erasure_during_an_export_leaves_no_export() {
    for round in 0..4 {
        let site = TestApp::new();
        let ada = site.person_with_all_data();
        let request = site.request(&ada, &some_key()).unwrap();
        let payload = serde_json::json!({"request": request.to_string()});

        let export = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(privacy::jobs::export(site.app.clone(), payload.clone()))
        };
        std::thread::scope(|scope| {
            let exporting = scope.spawn(export);
            // Waits for 0, 30, 60 or 90 percent. The job may be faster, which is one of the cases.
            let watch = Stopwatch::start();
            let far_enough = |view: &View<'_>| {
                let sql = "select count(*) from data_request where progress_percent >= :percent or state = 'ready'";
                view.one(sql, named_params! {":percent": round * 30}, |row| row.get::<_, i64>(0)).unwrap() > 0
            };
            while !site.read(far_enough) {
                assert!(watch.elapsed() < seconds(30), "the export makes no progress");
            }
            flows::erase_by_operator(&site.app, Actor::Operator, ada.account.id).unwrap();
            // If its file is removed while it runs, the job is retried and finds no request.
            let outcome = exporting.join().unwrap();
            assert!(!matches!(outcome, Outcome::GiveUp(_)), "{outcome:?}");
        });
        assert_eq!(export(), Outcome::Done);

        assert_eq!(site.exports_folder(), Vec::<String>::new(), "round {round}");
        for table in ["data_request", "export_artifact", "export_link"] {
            assert_eq!(site.read(|view| rows(view, table)), 0, "{table} in round {round}");
        }
        assert_eq!(site.number("select count(*) from mail_outbox where subject = 'Your export is ready'"), 0);
    }
}

#[test]
fn an_export_that_finishes_after_the_erasure_is_deleted() {
    // The job may finish before its last step is read. The previous test covers that case.
    let was_late = (0..20).any(|_| {
        let site = TestApp::new();
        let ada = site.person("ada-ada");
        let request = site.request(&ada, &some_key()).unwrap();
        let payload = serde_json::json!({"request": request.to_string()});
        let step = || {
            let sql = "select iif(state = 'ready', 'Ready', step) from data_request";
            site.read(|view| view.one(sql, [], |row| row.get::<_, String>(0)).unwrap())
        };
        let is_written = {
            let folder = site.layout().exports();
            move || TestApp::files_in(&folder).iter().any(|name| name.ends_with(".zip.age"))
        };

        let receipt = std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                assert_eq!(runtime.block_on(privacy::jobs::export(site.app.clone(), payload)), Outcome::Done);
            });
            while !["Packing", "Ready"].contains(&step().as_str()) {
                std::thread::yield_now();
            }
            let id = ada.account.id;
            site.write(move |tx| {
                // After its last step, the job needs the writer only to store the result.
                crate::support::wait_for("the file", || is_written().then_some(()));
                privacy::erase(tx, &Actor::Operator, id)
            })
        });

        receipt.unwrap();
        assert_eq!(site.number("select count(*) from export_artifact"), 0);
        let was_late = site.number("select count(*) from audit_event where event = 'privacy.export_ready'") == 0;
        assert!(!was_late || site.exports_folder().is_empty(), "{:?}", site.exports_folder());
        was_late
    });

    assert!(was_late, "no erasure happened between the file and its database row");
}

#[test]
fn nothing_is_recorded_about_a_person_who_is_erased_during_their_sign_in() {
    let site = TestApp::new();
    for (round, password) in ["wrong", PASSWORD, "wrong", PASSWORD].into_iter().enumerate() {
        let ada = site.person(["ada-one", "ada-two", "ada-three", "ada-four"][round]);
        std::thread::scope(|scope| {
            let name = ada.account.username.clone();
            let signing_in = scope.spawn(|| drop(site.sign_in(&{ name }, password)));
            site.erase(Actor::Operator, ada.account.id).unwrap();
            signing_in.join().unwrap();
        });

        let id = ada.account.id;
        site.read(|view| {
            for table in ["subject_key", "audit_private"] {
                let sql = format!("select count(*) from {table} where subject_id = :id");
                let left: i64 = view.one(&sql, named_params! {":id": id}, |row| row.get(0)).unwrap();
                assert_eq!(left, 0, "{table} in round {round}");
            }
        });
    }
    assert_eq!(site.number("select count(*) from session"), 0);
}

#[test]
fn a_restarted_site_keeps_the_erasure() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();
    site.delete(&ada, "DELETE", PASSWORD).unwrap();
    site.run_jobs();

    let site = site.reopen();

    site.clock.advance(hours(1));
    assert!(site.sign_in(CANARIES[0], PASSWORD).is_err());
    assert!(!site.read(|view| accounts::is_username_free(view, CANARIES[0]).unwrap()));
    assert!(site.read(|view| workspaces::personal(view, ada.account.id).unwrap()).is_none());
    for trace in CANARIES {
        assert_eq!(site.columns_with(trace), Vec::<String>::new(), "{trace}");
    }
}

#[test]
fn a_receipt_names_the_copies_that_remain_and_they_are_deleted_after_thirty_days() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let made = |act: &str, ending: &str| db::kept_copy_path(site.layout(), act, site.clock.now(), ending);
    let (file, folder) = (made("migration-17-18", ".sqlite"), made("restore", ""));
    std::fs::write(&file, "a database").unwrap();
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("live.sqlite"), "a database").unwrap();
    assert_ne!(made("restore", ""), folder, "a second copy on the same day has its own name");

    let receipt = site.delete(&ada, "DELETE", PASSWORD).unwrap();

    let remaining = receipt.remaining().unwrap();
    for copy in ["before-migration-17-18-2026-05-03.sqlite", "before-restore-2026-05-03", "2 June 2026"] {
        assert!(remaining.contains(copy), "{copy}: {remaining}");
    }
    assert!(site.message("ada-ada@example.org", "deleted").text.contains(&remaining));
    let expire = || site.block_on(privacy::jobs::expire_exports(site.app.clone(), serde_json::Value::Null));
    site.clock.advance(days(29));
    assert!(matches!(expire(), Outcome::Done) && file.exists() && folder.exists());
    site.clock.advance(days(1));
    assert!(matches!(expire(), Outcome::Done) && !file.exists() && !folder.exists());
    assert!(site.layout().root().join("exports").exists(), "nothing else was deleted");
}
