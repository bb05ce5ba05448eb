//! What services do about an erasure, and when its receipt is final.

use domicile::base::{ServiceId, hours, seconds};
use domicile::inbox::{Acknowledged, InboxError, Retention, RetentionBasis};
use domicile::privacy::erasures::{self, ErasureFilter, ErasureReport, ServiceAnswer, Statement};
use domicile::services::{Manifest, ManifestDraft, WorkspaceGrant};
use domicile::snapshots;

use super::*;

impl TestApp {
    /// A service whose manifest says whether it erases people.
    fn service_that(&self, name: &'static str, can_erase: bool) -> ServiceId {
        let (service, _) = self.write(move |tx| create_service(tx, name)).unwrap();
        let actor = Actor::Service { service: service.id, name: service.name, request: String::new() };
        let manifest = Manifest::new(ManifestDraft { version: 1, can_erase, ..Default::default() }).unwrap();
        self.write(move |tx| services::put_manifest(tx, &actor, &manifest)).unwrap();
        service.id
    }

    fn keep_for(&self, service: ServiceId, name: &str, person: &Person, id: &str) {
        let actor = Actor::Service { service, name: name.to_owned(), request: String::new() };
        let new = NewResource {
            external_id: ExternalId::parse(id).unwrap(),
            workspace: person.workspace,
            kind: "dataset".into(),
            name: ResourceName::parse("Apples").unwrap(),
            slug: None,
            parent: None,
            size_bytes: 1,
            version: 1,
        };
        self.write(move |tx| resources::put(tx, &actor, &new)).unwrap();
    }

    fn erased(&self, person: &Person) -> RequestId {
        let id = person.account.id;
        flows::erase_by_operator(&self.app, Actor::Operator, id).unwrap().id
    }

    fn erasure_report(&self, receipt: RequestId) -> ErasureReport {
        self.read(|view| erasures::find(view, receipt).unwrap()).unwrap()
    }

    /// The name and the answer of each service.
    fn answers(&self, receipt: RequestId) -> Vec<(String, &'static str)> {
        self.erasure_report(receipt).services.into_iter().map(|one| (one.name, one.answer.as_str())).collect()
    }

    /// The open commands of a service to erase.
    fn to_erase(&self, service: ServiceId) -> Vec<inbox::Command> {
        let open = self.read(|view| inbox::list_commands(view, service, CommandFilter::Open, None, 100).unwrap()).rows;
        open.into_iter().filter(|command| command.kind == CommandKind::DsrErase).collect()
    }

    fn say(&self, service: ServiceId, id: CommandId, said: Acknowledgement) -> Result<Acknowledged, InboxError> {
        self.write(move |tx| inbox::acknowledge(tx, ACK_HANDLERS, service, id, &said))
    }

    /// Answers the only command of the service to erase.
    fn answer(&self, service: ServiceId, outcome: AckOutcome) {
        let command = self.to_erase(service).remove(0).id;
        self.say(service, command, Acknowledgement::new(outcome, "").unwrap()).unwrap();
    }

    /// Does what the jobs do to the files, so that only services can be left.
    fn clean_files(&self) {
        self.run_jobs();
        assert_eq!(self.block_on(privacy::jobs::finish_erasures(self.app.clone(), serde_json::Value::Null)), DONE);
        snapshots::publish(&self.app).unwrap();
        assert_eq!(self.block_on(privacy::jobs::finish_erasures(self.app.clone(), serde_json::Value::Null)), DONE);
        assert_eq!(self.read(|view| privacy::pending_erasures(view).unwrap()), []);
    }

    fn finish_job(&self) {
        assert_eq!(self.block_on(privacy::jobs::finish_erasures(self.app.clone(), serde_json::Value::Null)), DONE);
    }

    fn attest(&self, receipt: RequestId, service: &str) -> Result<ErasureReport, PrivacyError> {
        let (service, statement) = (service.to_owned(), Statement::parse("its disk was destroyed").unwrap());
        self.write(move |tx| erasures::attest(tx, &Actor::Operator, receipt, &service, &statement))
    }
}

const DONE: domicile::jobs::Outcome = domicile::jobs::Outcome::Done;

#[test]
fn services_that_can_erase_or_keep_something_are_asked_with_ids_only() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let eraser = site.service_that("eraser", true);
    let keeping = site.service_that("keeping", false);
    let other = site.service_that("other", false);
    let of_bob = site.service_that("of-bob", true);
    let workspace = bob.workspace;
    site.write(move |tx| {
        let only_bob = WorkspaceGrant::only(vec![workspace]).unwrap();
        services::change(tx, &Actor::Operator, "of-bob", None, Some(only_bob))
    })
    .unwrap();
    site.keep_for(keeping, "keeping", &ada, "d-1");
    site.keep_for(other, "other", &bob, "d-1");

    let receipt = site.erased(&ada);

    assert_eq!(site.answers(receipt), [("eraser".to_owned(), "requested"), ("keeping".to_owned(), "requested")]);
    for service in [eraser, keeping] {
        let command = site.to_erase(service).remove(0);
        assert_eq!((command.subject, command.workspace), (Some(ada.account.id), Some(ada.workspace)));
        assert_eq!((command.data, command.deadline), (json!({}), Some(site.clock.now().plus(hours(24)))));
    }
    assert!(site.to_erase(other).is_empty() && site.to_erase(of_bob).is_empty(), "they know nothing of ada");
    let said = site.message("ada-ada@example.org", "deleted").text;
    assert!(said.contains("eraser, keeping") && said.contains(&format!("/erasure/{receipt}")), "{said}");
}

#[test]
fn a_receipt_is_final_when_every_service_has_answered_and_not_before() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (first, second) = (site.service_that("first", true), site.service_that("second", true));
    let receipt = site.erased(&ada);
    site.clean_files();
    let open = site.erasure_report(receipt);
    assert_eq!((open.final_at, open.state(), open.open_items().len()), (None, "open", 2), "{:?}", open.open_items());

    site.answer(first, AckOutcome::Done);
    site.finish_job();
    assert_eq!(site.answers(receipt), [("first".to_owned(), "completed"), ("second".to_owned(), "requested")]);
    assert_eq!(site.erasure_report(receipt).final_at, None);
    site.clock.advance(minutes(5));
    site.answer(second, AckOutcome::Done);

    let done = site.erasure_report(receipt);
    assert_eq!((done.final_at, done.state()), (Some(site.clock.now()), "final"));
    assert!(done.open_items().is_empty() && done.services.iter().all(|one| one.answered_at.is_some()));
    assert_eq!(site.number("select count(*) from audit_event where event = 'privacy.erasure_completed'"), 1);
    // The files are the last thing.
    let bob = site.person("bob-bob");
    let receipt = site.erased(&bob);
    for service in [first, second] {
        site.answer(service, AckOutcome::Done);
    }
    assert_eq!((site.erasure_report(receipt).final_at, site.erasure_report(receipt).settled()), (None, 2));
    site.clean_files();
    assert!(site.erasure_report(receipt).is_final());
    assert!(site.erasure_report(receipt).snapshot_replaced_at.is_some());
}

#[test]
fn a_receipt_waits_until_each_thing_is_confirmed_as_deleted() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let farm = site.service_that("farm", true);
    site.keep_for(farm, "farm", &ada, "d-1");
    let receipt = site.erased(&ada);
    site.clean_files();
    site.answer(farm, AckOutcome::Done);

    let open = site.erasure_report(receipt);
    assert_eq!((open.items, open.settled(), open.final_at), (1, 1, None));
    assert_eq!(open.open_items(), ["1 item is not confirmed as deleted by its service."]);
    let open = site.read(|view| inbox::list_commands(view, farm, CommandFilter::Open, None, 100).unwrap()).rows;
    assert_eq!(open.len(), 1);
    site.say(farm, open[0].id, Acknowledgement::new(AckOutcome::Done, "").unwrap()).unwrap();
    site.finish_job();

    assert!(site.erasure_report(receipt).is_final());
}

#[test]
fn a_service_says_that_it_began_what_it_keeps_and_that_it_refuses() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let farm = site.service_that("farm", true);
    let receipt = site.erased(&ada);
    let id = site.to_erase(farm)[0].id;
    let said = |outcome| Acknowledgement::new(outcome, "because").unwrap();
    let start = site.clock.now();

    site.clock.advance(hours(2));
    let began = site.say(farm, id, said(AckOutcome::InProgress)).unwrap();
    site.clock.advance(hours(1));
    assert_eq!(site.say(farm, id, said(AckOutcome::InProgress)).unwrap(), began, "twice is once");
    let one = site.erasure_report(receipt).services.remove(0);
    assert_eq!((one.answer, one.due_at), (ServiceAnswer::InProgress, Some(start.plus(days(14)))));
    assert_eq!(one.answered_at, Some(start.plus(hours(2))));
    site.clock.advance(days(14));
    assert_eq!(site.answers(receipt)[0].1, "overdue");
    assert_eq!(site.read(|view| inbox::overdue(view).unwrap()).overdue, 1, "operators are told");

    let kept = |until| Some(Retention { basis: RetentionBasis::LegalObligation, until });
    let now = site.clock.now();
    let too_late = now.plus(days(100 * 365 + 1));
    for (outcome, retention) in [
        (AckOutcome::Retained, None),
        (AckOutcome::Retained, kept(now.minus(seconds(1)))),
        (AckOutcome::Retained, kept(too_late)),
        (AckOutcome::Done, kept(now.plus(days(1)))),
        (AckOutcome::Rejected, kept(now.plus(days(1)))),
    ] {
        let refused = site.say(farm, id, said(outcome).retaining(retention));
        assert!(matches!(refused, Err(InboxError::Retention)), "{outcome:?} {retention:?}: {refused:?}");
    }
    assert_eq!(site.answers(receipt)[0].1, "overdue", "nothing was changed");
    let until = now.plus(days(3650));
    site.say(farm, id, said(AckOutcome::Retained).retaining(kept(until))).unwrap();
    let one = site.erasure_report(receipt).services.remove(0);
    assert_eq!(one.answer, ServiceAnswer::Retained(kept(until).unwrap()));
    assert!(one.answer.sentence().contains("a legal obligation (GDPR Art. 17(3)(b))"), "{}", one.answer.sentence());
    let other = site.say(farm, id, said(AckOutcome::Done));
    assert!(matches!(other, Err(InboxError::AlreadyEnded(_))), "{other:?}");
    site.clean_files();
    assert!(site.erasure_report(receipt).is_final(), "what a law lets a service keep is no open item");
    // Other commands have no such answers.
    let ping = site.write(move |tx| inbox::ping(tx, farm)).unwrap();
    for outcome in [AckOutcome::InProgress, AckOutcome::Retained, AckOutcome::Rejected] {
        let refused = site.say(farm, ping, said(outcome));
        assert!(matches!(refused, Err(InboxError::Outcome(CommandKind::TestPing))), "{outcome:?}: {refused:?}");
    }
}

#[test]
fn a_service_that_could_not_is_asked_again_a_day_later() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let farm = site.service_that("farm", true);
    let receipt = site.erased(&ada);
    site.clean_files();
    site.answer(farm, AckOutcome::Failed);
    site.clock.advance(hours(23));
    site.finish_job();
    assert_eq!((site.answers(receipt)[0].1, site.to_erase(farm).len()), ("failed", 0));

    site.clock.advance(hours(1));
    site.finish_job();
    site.finish_job();

    assert_eq!((site.answers(receipt)[0].1, site.to_erase(farm).len()), ("requested", 1), "once");
    assert!(matches!(site.attest(receipt, "farm"), Err(PrivacyError::AnswersItself)));
    // A service that is down for ten days finishes later.
    site.clock.advance(days(10));
    site.finish_job();
    assert_eq!((site.answers(receipt)[0].1, site.to_erase(farm).len()), ("overdue", 1));
    site.answer(farm, AckOutcome::Done);
    assert!(site.erasure_report(receipt).is_final());
}

#[test]
fn an_operator_attests_for_services_that_cannot_answer_and_for_no_others() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let [gone, refusing, done] = ["gone", "refusing", "done"].map(|name| site.service_that(name, true));
    let before = site.service_that("before", false);
    site.keep_for(before, "before", &ada, "d-1");
    site.write(|tx| services::disconnect(tx, &Actor::Operator, "before")).unwrap();
    let receipt = site.erased(&ada);
    site.clean_files();
    let open = site.to_erase(gone).remove(0).id;
    let cancelled = site.write(move |tx| inbox::cancel(tx, &Actor::Operator, open));
    assert!(matches!(cancelled, Err(InboxError::Promised)), "{cancelled:?}");
    site.answer(done, AckOutcome::Done);
    site.answer(refusing, AckOutcome::Rejected);
    site.write(|tx| services::disconnect(tx, &Actor::Operator, "gone")).unwrap();

    let names = ["before", "done", "gone", "refusing"].map(str::to_owned);
    let expected = names.into_iter().zip(["disconnected", "completed", "disconnected", "rejected"]);
    assert_eq!(site.answers(receipt), expected.collect::<Vec<_>>());
    assert_eq!(site.erasure_report(receipt).state(), "needs_operator");
    assert!(site.read(|view| erasures::notice(view).unwrap()).unwrap().contains("An erasure waits for you"));
    site.clock.advance(days(40));
    site.finish_job();
    assert_eq!(site.erasure_report(receipt).state(), "needs_operator", "nothing but an operator ends it");

    let bob = site.person("bob-bob");
    let footprint = site.footprint();
    assert!(matches!(site.attest(receipt, "done"), Err(PrivacyError::AnswersItself)));
    assert!(matches!(site.attest(receipt, "unknown"), Err(PrivacyError::NoSuchService)));
    let unknown = RequestId::parse("dsr_00000000000000000000000000").unwrap();
    assert!(matches!(site.attest(unknown, "gone"), Err(PrivacyError::NoErasure)));
    let (actor, statement) = (site.in_browser(&bob), Statement::parse("I say so").unwrap());
    let refused = site.write(move |tx| erasures::attest(tx, &actor, receipt, "gone", &statement));
    assert!(matches!(refused, Err(PrivacyError::NotFound)), "{refused:?}");
    for text in ["", "  ", "two\nlines", &"x".repeat(1001)] {
        assert_eq!(Statement::parse(text), None, "{text:?}");
    }
    assert_eq!(site.footprint(), footprint);

    for name in ["gone", "before", "refusing"] {
        assert!(!site.erasure_report(receipt).is_final());
        site.attest(receipt, name).unwrap();
    }
    assert!(site.erasure_report(receipt).is_final());
    assert_eq!(site.number("select count(*) from audit_event where event = 'privacy.erasure_attested'"), 3);
    assert_eq!(site.read(|view| inbox::overdue(view).unwrap()).failed, 0, "the refused command needs nobody any more");
    assert_eq!(site.read(|view| erasures::notice(view).unwrap()), None);
    assert!(matches!(site.attest(receipt, "gone"), Err(PrivacyError::AnswersItself)));
}

#[test]
fn what_services_say_in_their_own_words_is_gone_when_the_receipt_is_final() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (first, second) = (site.service_that("first", true), site.service_that("second", true));
    let receipt = site.erased(&ada);
    site.clean_files();
    for (service, outcome) in [(first, AckOutcome::Rejected), (second, AckOutcome::Failed)] {
        let id = site.to_erase(service).remove(0).id;
        site.say(service, id, Acknowledgement::new(outcome, "canary-reason of ada").unwrap()).unwrap();
    }
    assert_eq!(site.columns_with("canary-reason"), ["service_command.detail"], "operators have to know it meanwhile");

    site.clock.advance(days(1));
    site.finish_job();
    site.answer(second, AckOutcome::Done);
    site.attest(receipt, "first").unwrap();

    assert!(site.erasure_report(receipt).is_final());
    assert_eq!(site.columns_with("canary-reason"), Vec::<String>::new());
}

#[test]
fn open_and_all_erasures_are_listed_and_an_idle_appliance_writes_nothing() {
    let site = TestApp::new();
    let farm = site.service_that("farm", true);
    let receipts = ["ada-ada", "bob-bob"].map(|name| site.erased(&site.person(name)));
    let list = |filter| {
        let found = site.read(|view| erasures::list(view, filter, 100).unwrap());
        found.into_iter().map(|report| report.erased.receipt).collect::<Vec<_>>()
    };
    assert_eq!(list(ErasureFilter::Open), receipts);
    let commands = site.to_erase(farm);
    let of_first =
        commands.iter().find(|command| command.subject == Some(site.erasure_report(receipts[0]).erased.account));
    site.say(farm, of_first.unwrap().id, Acknowledgement::new(AckOutcome::Done, "").unwrap()).unwrap();
    site.clean_files();

    assert_eq!(
        (list(ErasureFilter::Open), list(ErasureFilter::All)),
        (vec![receipts[1]], vec![receipts[1], receipts[0]])
    );
    assert!(!site.read(|view| erasures::has_something_to_do(view).unwrap()));
}
