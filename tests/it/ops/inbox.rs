//! Commands to services: sent, acknowledged, retried, forgotten.

mod webhooks;

use std::sync::atomic::{AtomicU32, Ordering};

use domicile::base::{Actor, Problem, ServiceId, Timestamp, days, hours, minutes};
use domicile::inbox::{
    self, AckHandler, AckOutcome, Acknowledged, Acknowledgement, CommandFilter, CommandKind, CommandOutcome,
    InboxError, NewCommand, Overdue,
};
use domicile::jobs::{self, NewJob};
use domicile::privacy;
use serde_json::json;

use crate::support::{TestApp, create_service};

pub fn service(site: &TestApp, name: &'static str) -> ServiceId {
    site.write(move |tx| create_service(tx, name)).unwrap().0.id
}

pub fn ping() -> NewCommand {
    NewCommand { kind: CommandKind::TestPing, workspace: None, subject: None, data: json!({}), deadline: None }
}

pub fn send(site: &TestApp, service: ServiceId, new: NewCommand) -> domicile::base::CommandId {
    site.write(move |tx| inbox::send(tx, service, &new)).unwrap()
}

fn acknowledge(
    site: &TestApp,
    service: ServiceId,
    id: domicile::base::CommandId,
    outcome: AckOutcome,
) -> Result<Acknowledged, InboxError> {
    let said = Acknowledgement::new(outcome, "").unwrap();
    site.write(move |tx| inbox::acknowledge(tx, HANDLERS, service, id, &said))
}

fn code(error: InboxError) -> &'static str {
    Problem::from(error).code
}

static HANDLED: AtomicU32 = AtomicU32::new(0);
/// Only one test sends a command of this kind.
const HANDLERS: &[AckHandler] = &[AckHandler {
    kind: CommandKind::UsageStop,
    handle: |tx, command, said| {
        assert_eq!((command.data["reason"].as_str(), said.outcome), (Some("limit"), AckOutcome::Done));
        jobs::enqueue(tx, NewJob::once("test.follow_up"))?;
        HANDLED.fetch_add(1, Ordering::SeqCst);
        Ok(())
    },
}];

#[test]
fn a_command_stays_in_the_inbox_of_its_service_until_it_is_acknowledged() {
    let site = TestApp::new();
    let (farm, other) = (service(&site, "farm"), service(&site, "other"));
    let ids = [(); 3].map(|()| send(&site, farm, ping()));
    let numbers = |after: i64| {
        let (commands, more) = site.read(|view| inbox::inbox(view, farm, after).unwrap());
        assert!(!more);
        commands.into_iter().map(|command| (command.id, command.seq)).collect::<Vec<_>>()
    };
    let all = numbers(0);
    assert_eq!(all.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
    assert!(all.windows(2).all(|pair| pair[0].1 < pair[1].1), "{all:?}");
    assert_eq!(numbers(all[0].1).len(), 2);
    assert!(site.read(|view| inbox::inbox(view, other, 0).unwrap()).0.is_empty());

    let first = acknowledge(&site, farm, ids[1], AckOutcome::Done).unwrap();
    assert_eq!((first.id, first.outcome, first.is_late), (ids[1], AckOutcome::Done, false));
    assert_eq!(numbers(0).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ids[0], ids[2]]);
    let rows = |filter| {
        let page = site.read(|view| inbox::list_commands(view, farm, filter, None, 2).unwrap());
        (page.rows.iter().map(|command| command.id).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(rows(CommandFilter::Open), (vec![ids[2], ids[0]], None));
    let (newest, next) = rows(CommandFilter::All);
    assert_eq!(newest, [ids[2], ids[1]]);
    let rest = site.read(|view| inbox::list_commands(view, farm, CommandFilter::All, next, 2).unwrap());
    assert_eq!((rest.rows[0].id, rest.next), (ids[0], None));
}

#[test]
fn the_newest_commands_of_all_services_are_one_query() {
    let site = TestApp::new();
    let (farm, other) = (service(&site, "farm"), service(&site, "other"));
    let ids = [farm, other, farm, other].map(|service| send(&site, service, ping()));
    acknowledge(&site, other, ids[3], AckOutcome::Done).unwrap();
    let newest = |service, filter, limit| {
        site.read(|view| {
            let before = domicile::db::statements_of_this_thread();
            let rows = inbox::newest_commands(view, service, filter, limit).unwrap();
            assert_eq!(domicile::db::statements_of_this_thread() - before, 1);
            rows.into_iter().map(|command| command.id).collect::<Vec<_>>()
        })
    };
    assert_eq!(newest(None, CommandFilter::All, 100), [ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(newest(None, CommandFilter::Open, 2), [ids[2], ids[1]]);
    assert_eq!(newest(Some(farm), CommandFilter::All, 100), [ids[2], ids[0]]);
}

#[test]
fn an_inbox_answers_a_hundred_commands_at_once() {
    let site = TestApp::new();
    let farm = service(&site, "farm");
    site.write(move |tx| (0..101).try_for_each(|_| inbox::send(tx, farm, &ping()).map(drop))).unwrap();
    let (first, more) = site.read(|view| inbox::inbox(view, farm, 0).unwrap());
    assert_eq!((first.len(), more), (100, true));
    let (rest, more) = site.read(|view| inbox::inbox(view, farm, first[99].seq).unwrap());
    assert_eq!((rest.len(), more), (1, false));
}

#[test]
fn an_acknowledgement_counts_once_and_has_its_consequence_once() {
    let site = TestApp::new();
    let (farm, other) = (service(&site, "farm"), service(&site, "other"));
    let stop = NewCommand { kind: CommandKind::UsageStop, data: json!({"reason": "limit"}), ..ping() };
    let id = send(&site, farm, stop);

    // Of another service, it is unknown.
    assert_eq!(code(acknowledge(&site, other, id, AckOutcome::Done).unwrap_err()), "command_not_found");
    assert_eq!(HANDLED.load(Ordering::SeqCst), 0);
    let first = acknowledge(&site, farm, id, AckOutcome::Done).unwrap();
    site.clock.advance(minutes(5));
    let before = site.footprint();
    assert_eq!(acknowledge(&site, farm, id, AckOutcome::Done).unwrap(), first);
    assert_eq!(code(acknowledge(&site, farm, id, AckOutcome::Failed).unwrap_err()), "already_acknowledged");
    assert_eq!(HANDLED.load(Ordering::SeqCst), 1);
    assert_eq!(site.footprint(), before);
    assert_eq!(site.number("select count(*) from job where name = 'test.follow_up'"), 1);
}

#[test]
fn a_late_acknowledgement_is_accepted_and_marked_and_a_missing_one_is_overdue() {
    let site = TestApp::new();
    let farm = service(&site, "farm");
    let due = site.clock.now().plus(hours(1));
    let [late, never] = [(); 2].map(|()| send(&site, farm, NewCommand { deadline: Some(due), ..ping() }));
    let state = || site.read(|view| inbox::overdue(view).unwrap());
    site.clock.advance(hours(1));
    assert_eq!(state(), Overdue { open: 2, ..Overdue::default() });
    assert_eq!(state().notice(), None);
    site.clock.advance(minutes(1));
    assert_eq!(state(), Overdue { overdue: 2, since: Some(due), failed: 0, open: 2 });
    let notice = state().notice().unwrap().join(" ");
    assert!(notice.contains("2 commands to services were not acknowledged in time"), "{notice}");

    assert!(acknowledge(&site, farm, late, AckOutcome::Done).unwrap().is_late);
    let command = site.read(|view| inbox::find_command(view, late).unwrap()).unwrap();
    assert!(command.is_late() && !command.is_overdue(site.clock.now()));
    assert_eq!(state().overdue, 1);
    let care = site.read(|view| inbox::list_needing_care(view, 10).unwrap());
    assert_eq!(care.iter().map(|command| command.id).collect::<Vec<_>>(), [never]);
}

#[test]
fn a_failed_command_can_be_sent_again_and_a_done_one_cannot() {
    let site = TestApp::new();
    let farm = service(&site, "farm");
    let [failed, done] = [(); 2].map(|()| send(&site, farm, ping()));
    let said = Acknowledgement::new(AckOutcome::Failed, "the disk is full").unwrap();
    site.write(move |tx| inbox::acknowledge(tx, HANDLERS, farm, failed, &said)).unwrap();
    acknowledge(&site, farm, done, AckOutcome::Done).unwrap();
    let overdue = site.read(|view| inbox::overdue(view).unwrap());
    assert_eq!((overdue.failed, overdue.notice().unwrap().len()), (1, 2));
    let command = site.read(|view| inbox::find_command(view, failed).unwrap()).unwrap();
    assert_eq!(command.end.unwrap().detail, "the disk is full");

    let retry = |id| site.write(move |tx| inbox::retry_now(tx, &Actor::Operator, id));
    assert_eq!(code(retry(done).unwrap_err()), "already_acknowledged");
    let newest = send(&site, farm, ping());
    let read_up_to = site.read(|view| inbox::find_command(view, newest).unwrap()).unwrap().seq;
    retry(failed).unwrap();
    // A reader that has read the inbox up to here gets it.
    let (open, _) = site.read(|view| inbox::inbox(view, farm, read_up_to).unwrap());
    assert_eq!(open.iter().map(|command| command.id).collect::<Vec<_>>(), [failed]);
    retry(failed).unwrap();
    let (open, _) = site.read(|view| inbox::inbox(view, farm, open[0].seq).unwrap());
    assert_eq!(open.iter().map(|command| command.id).collect::<Vec<_>>(), [failed], "also one that is open");
    assert_eq!(site.read(|view| inbox::overdue(view).unwrap()).failed, 0);
    acknowledge(&site, farm, failed, AckOutcome::Done).unwrap();
}

#[test]
fn a_cancelled_command_needs_no_acknowledgement() {
    let site = TestApp::new();
    let (farm, other) = (service(&site, "farm"), service(&site, "other"));
    let (id, kept) = (send(&site, farm, ping()), send(&site, other, ping()));
    assert_eq!(site.write(move |tx| inbox::cancel_open(tx, farm)).unwrap(), 1);
    assert_eq!(code(acknowledge(&site, farm, id, AckOutcome::Done).unwrap_err()), "command_cancelled");
    let retried = site.write(move |tx| inbox::retry_now(tx, &Actor::Operator, id));
    assert_eq!(code(retried.unwrap_err()), "command_cancelled");
    let command = site.read(|view| inbox::find_command(view, id).unwrap()).unwrap();
    assert_eq!(command.end.unwrap().outcome, CommandOutcome::Cancelled);

    // An operator ends what a service could not do, once.
    acknowledge(&site, other, kept, AckOutcome::Failed).unwrap();
    let cancel = || site.write(move |tx| inbox::cancel(tx, &Actor::Operator, kept));
    cancel().unwrap();
    assert_eq!(site.read(|view| inbox::overdue(view).unwrap()), Overdue::default());
    assert_eq!(code(cancel().unwrap_err()), "command_cancelled");
    assert_eq!(site.number("select count(*) from audit_event where event = 'service.command_cancelled'"), 1);
}

#[test]
fn what_a_service_says_is_one_visible_line() {
    assert_eq!(Acknowledgement::new(AckOutcome::Done, " 12 files \u{e9} ").unwrap().detail, "12 files \u{e9}");
    assert!(Acknowledgement::new(AckOutcome::Done, &"x".repeat(1000)).is_some());
    for bad in [&"x".repeat(1001), "two\nlines", "\u{202e}turned", "\u{0}"] {
        assert_eq!(Acknowledgement::new(AckOutcome::Done, bad), None, "{bad:?}");
    }
}

#[test]
fn commands_are_deleted_thirty_days_after_their_end_and_open_ones_are_kept() {
    let site = TestApp::new();
    let farm = service(&site, "farm");
    let due = Some(site.clock.now().plus(days(90)));
    let [ended, open] = [(); 2].map(|()| send(&site, farm, NewCommand { deadline: due, ..ping() }));
    let unanswered = send(&site, farm, ping());
    acknowledge(&site, farm, ended, AckOutcome::Done).unwrap();
    let kept = || {
        site.write(|tx| jobs::enqueue(tx, NewJob::once("house.tidy"))).unwrap();
        site.run_jobs();
        [ended, open, unanswered].map(|id| site.read(|view| inbox::find_command(view, id).unwrap()).is_some())
    };
    site.clock.advance(days(30));
    assert_eq!(kept(), [true; 3]);
    site.clock.advance(minutes(1));
    assert_eq!(kept(), [false, true, false]);
}

#[test]
fn numbers_grow_after_all_commands_were_deleted_and_when_a_backup_lacks_the_last_ones() {
    let site = TestApp::new();
    let farm = service(&site, "farm");
    let seq = |site: &TestApp| {
        let id = send(site, farm, ping());
        site.read(|view| inbox::find_command(view, id).unwrap()).unwrap().seq
    };
    let last = (0..5).map(|_| seq(&site)).max().unwrap();
    site.write(|tx| tx.execute("delete from service_command", [])).unwrap();
    site.clock.advance(minutes(1));
    assert!(seq(&site) > last);
    assert!(Timestamp::from_millis(last) >= Timestamp::parse(crate::support::START).unwrap());
}

#[test]
fn an_erasure_leaves_only_the_open_command_to_erase_with_its_ids() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-l"), site.person("bob-bob"));
    let farm = service(&site, "farm");
    let about = |person: &crate::support::Person, kind| NewCommand {
        kind,
        workspace: Some(person.workspace),
        subject: Some(person.account.id),
        data: json!({"name": "canary-data"}),
        deadline: None,
    };
    let erase = send(&site, farm, about(&ada, CommandKind::DsrErase));
    let export = send(&site, farm, about(&ada, CommandKind::DsrExport));
    let erased_before = send(&site, farm, about(&ada, CommandKind::DsrErase));
    acknowledge(&site, farm, erased_before, AckOutcome::Done).unwrap();
    let of_bob = send(&site, farm, about(&bob, CommandKind::DsrExport));
    let id = ada.account.id;
    site.write(move |tx| privacy::erase(tx, &Actor::Operator, id)).unwrap();

    let find = |id| site.read(|view| inbox::find_command(view, id).unwrap());
    let open = find(erase).unwrap();
    assert_eq!((open.data, open.subject, open.workspace), (json!({}), Some(id), Some(ada.workspace)));
    assert!(find(export).is_none() && find(erased_before).is_none());
    assert_eq!(find(of_bob).unwrap().data, json!({"name": "canary-data"}));
    acknowledge(&site, farm, erase, AckOutcome::Done).unwrap();
}
