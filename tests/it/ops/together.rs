//! What callers ask for at the same moment: it is done together, and each is answered for its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::thread::JoinHandle;

use domicile::audit::{self, Event, SiteEvent};
use domicile::base::{Actor, Credits, Rng, ServiceId, Timestamp, WorkspaceId};
use domicile::billing::ledger::{self, Charge};
use domicile::billing::usage::{self, BatchResult, Fault, NewEvent, Recorded, Report, UsageError};
use domicile::db::{self, Handler, Store, Tx};
use domicile::idempotency::{Answer, IdempotencyError, Request};
use domicile::sessions;
use serde_json::Value;

use crate::support::{START, TestApp, TestSite, UsageBuilder};

type Waiting<'s, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + 's>>;

/// Blocks the writer. Everything that is queued until the returned function is called is one commit.
fn block_writer(site: &TestApp) -> impl FnOnce() {
    let (release, wait) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let app = site.app.clone();
    let thread: JoinHandle<()> = std::thread::spawn(move || {
        let blocked = app.store().write_blocking(move |_| {
            begin.send(()).unwrap();
            wait.recv().unwrap();
            Ok::<_, db::Error>(())
        });
        blocked.unwrap();
    });
    begun.recv().unwrap();
    move || {
        release.send(()).unwrap();
        thread.join().unwrap();
    }
}

fn queued<'s, T, E>(work: impl Future<Output = Result<T, E>> + 's) -> Waiting<'s, T, E> {
    let mut work: Waiting<'s, T, E> = Box::pin(work);
    assert!(work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    work
}

fn service(number: u64) -> Actor {
    let id = ServiceId::new(Timestamp::parse(START).unwrap(), &mut Rng::seeded(number));
    Actor::Service { service: id, name: format!("farm-{number}"), request: String::new() }
}

fn event(workspace: WorkspaceId, id: &str, quantity: &str) -> Result<NewEvent, Fault> {
    Ok(UsageBuilder::new(workspace, id, Timestamp::parse(START).unwrap()).quantity(quantity).build())
}

fn report(actor: &Actor, events: Vec<Result<NewEvent, Fault>>) -> Report {
    Report { actor: actor.clone(), repeatable: None, events }
}

fn render(result: BatchResult) -> Answer {
    let codes: Vec<_> = result.rejected.iter().map(|rejected| (rejected.index, rejected.fault.code())).collect();
    Answer { status: 200, body: format!("{} {} {codes:?}", result.accepted, result.duplicates), workspace: None }
}

fn record(tx: &mut Tx<'_>, reports: &[Report]) -> Result<Vec<Recorded>, IdempotencyError<UsageError>> {
    usage::record_reports(tx, reports, render)
}

fn queue_report(store: &Store, report: Report) -> Waiting<'_, (Answer, bool), IdempotencyError<UsageError>> {
    queued(store.write_together(record, report))
}

#[test]
fn reports_of_one_moment_are_one_posting_for_each_wallet_and_each_is_answered() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada").workspace, site.person("bob-bob").workspace);
    let (farm, other) = (service(1), service(2));
    let count = |from: &str| -> i64 {
        let sql = format!("select count(*) from {from}");
        site.read(|view| view.one(&sql, [], |row| row.get(0)).unwrap())
    };
    let before = (count("ledger_tx"), count("audit_event"));
    let once = |hash: u8| {
        let request = Request { actor: "farm".into(), route: "usage".into(), key: "k".into(), hash: [hash; 32] };
        Report { repeatable: Some(request), ..report(&farm, vec![event(ada, "once", "1000")]) }
    };

    let release = block_writer(&site);
    let store = site.app.store();
    let waiting = vec![
        queue_report(store, report(&farm, vec![event(ada, "1", "100"), event(bob, "2", "200")])),
        queue_report(store, report(&farm, vec![event(ada, "1", "100"), Err(Fault::BadQuantity)])),
        queue_report(store, report(&farm, vec![event(ada, "1", "101")])),
        queue_report(store, once(1)),
        queue_report(store, once(1)),
        queue_report(store, once(2)),
        queue_report(store, report(&Actor::System, vec![event(ada, "3", "1")])),
        queue_report(store, report(&other, vec![event(bob, "4", "300")])),
    ];
    release();

    let answers: Vec<_> = waiting
        .into_iter()
        .map(|answer| match site.block_on(answer) {
            Ok((answer, is_repetition)) => format!("{} {is_repetition}", answer.body),
            Err(error) => format!("{error:?}"),
        })
        .collect();
    assert_eq!(
        answers,
        [
            "2 0 [] false",
            "0 1 [(1, \"bad_quantity\")] false",
            "0 0 [(0, \"event_conflict\")] false",
            "1 0 [] false",
            "1 0 [] true",
            "Mismatch",
            "Operation(NotAService)",
            "1 0 [] false",
        ]
    );
    // For the first service one transaction for each wallet, for the other service one.
    assert_eq!((count("ledger_tx"), count("audit_event")), (before.0 + 3, before.1 + 2));
    let data = "select data_json from audit_event where event = 'usage.batch_recorded' order by seq";
    let recorded: Vec<Value> = site
        .read(|view| view.list(data, [], |row| row.get::<_, String>(0)).unwrap())
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    assert_eq!(recorded[0]["reports"], 4);
    assert_eq!([&recorded[0]["accepted"], &recorded[0]["duplicates"], &recorded[0]["rejected"]], [3, 1, 2]);
    assert_eq!(recorded[1]["reports"], 1);
    let balance = |workspace| site.read(|view| ledger::balance(view, workspace).unwrap());
    assert_eq!(balance(ada).to_string(), "3.90");
    assert_eq!(balance(bob).to_string(), "4.50");
    site.read(|view| ledger::check(view).unwrap());
    site.read(|view| audit::verify(view).unwrap());
}

/// Answers how many requests were handled together. 13 is an error, 66 a panic.
fn add(tx: &mut Tx<'_>, requests: &[u32]) -> Result<Vec<Result<usize, db::Error>>, db::Error> {
    for request in requests {
        sessions::count_confirmation(tx, &format!("caller {request}"))?;
        match request {
            13 => return Err(db::Error::Busy),
            66 => panic!("an operation panics"),
            _ => {}
        }
    }
    Ok(requests.iter().map(|_| Ok(requests.len())).collect())
}

/// Another kind of request of the same types.
fn add_apart(tx: &mut Tx<'_>, requests: &[u32]) -> Result<Vec<Result<usize, db::Error>>, db::Error> {
    add(tx, requests)?;
    Ok(requests.iter().map(|_| Ok(100 + requests.len())).collect())
}

#[test]
fn a_request_that_fails_is_undone_alone() {
    let site = TestApp::new();
    let store = site.app.store();
    let handled = |callers: &[(Handler<u32, usize, db::Error>, u32)]| -> Vec<_> {
        let release = block_writer(&site);
        let waiting: Vec<_> =
            callers.iter().map(|(handler, request)| queued(store.write_together(*handler, *request))).collect();
        release();
        waiting.into_iter().map(|answer| site.block_on(answer).map_err(|error| error.to_string())).collect()
    };
    let counted = || -> i64 {
        let sql = "select count(*) from throttle";
        site.read(|view| view.one(sql, [], |row| row.get(0)).unwrap())
    };

    let well = handled(&[(add, 1), (add_apart, 2), (add, 3), (add, 4)]);
    assert_eq!(well, [Ok(3), Ok(101), Ok(3), Ok(3)]);
    assert_eq!(counted(), 4);

    let badly = handled(&[(add, 5), (add, 13), (add, 6), (add, 66), (add_apart, 7)]);
    let (busy, panicked) = (db::Error::Busy.to_string(), db::Error::Panicked.to_string());
    assert_eq!(badly, [Ok(1), Err(busy), Ok(1), Err(panicked), Ok(101)]);
    assert_eq!(counted(), 4 + 3, "what failed has left nothing");
}

#[test]
fn what_is_remembered_ends_with_a_rollback_and_with_the_commit() {
    let site = TestApp::new();
    let workspace = site.person("ada-ada").workspace;
    let spend = move |tx: &mut Tx<'_>, key: &str| {
        let amount = Credits::whole(1);
        ledger::charge(tx, &Actor::System, Charge::new(workspace, amount, "spent", key))
            .map_err(|_| db::Error::Busy)?;
        audit::record(tx, &Actor::System, Event::new(SiteEvent::KeyringRotated))
    };
    let store = site.app.store();

    let release = block_writer(&site);
    let waiting: Vec<_> = ["a", "fails", "b", "c"]
        .into_iter()
        .map(|key| {
            queued(store.write(move |tx| {
                spend(tx, key)?;
                if key == "fails" { Err(db::Error::Busy) } else { Ok(()) }
            }))
        })
        .collect();
    release();
    let is_done: Vec<bool> = waiting.into_iter().map(|answer| site.block_on(answer).is_ok()).collect();
    assert_eq!(is_done, [true, false, true, true]);

    // A command at the command line is another process.
    site.another().store().write_blocking(move |tx| spend(tx, "elsewhere")).unwrap();
    store.write_blocking(move |tx| spend(tx, "d")).unwrap();

    assert_eq!(site.read(|view| ledger::balance(view, workspace).unwrap()), Credits::ZERO);
    site.read(|view| ledger::check(view).unwrap());
    site.read(|view| audit::verify(view).unwrap());
}

#[test]
fn reports_together_have_the_answers_and_the_balances_of_reports_one_by_one() {
    for seed in 0..20 {
        let mut rng = Rng::seeded(seed);
        let mut together = TestSite::new();
        let workspaces = ["ada-ada", "bob-bob", "cyd-cyd"].map(|name| together.person(name).workspace);
        let mut alone = together.copied();
        let mut reports: Vec<Report> = (0..12).map(|_| random_report(&mut rng, &workspaces)).collect();
        // Reports of one moment have no order, so those of one service may come first.
        reports.sort_by_key(|report| report.actor.service());

        let answers = together.write(|tx| record(tx, &reports)).unwrap();
        for (report, answer) in reports.iter().zip(answers) {
            let expected = alone.write(|tx| usage::record_batch(tx, &report.actor, &report.events)).unwrap();
            assert_eq!(answer.unwrap().0.body, render(expected).body, "seed {seed}");
        }

        for workspace in workspaces {
            let balances = [&mut together, &mut alone].map(|site| site.read(|view| ledger::balance(view, workspace)));
            let [first, second] = balances.map(Result::unwrap);
            assert_eq!(first, second, "seed {seed}");
        }
        together.read(|view| ledger::check(view).unwrap());
        together.read(|view| audit::verify(view).unwrap());
    }
}

/// One to three events of few ids, so that many are repetitions or conflicts.
fn random_report(rng: &mut Rng, workspaces: &[WorkspaceId]) -> Report {
    let events = (0..=rng.below(2)).map(|_| {
        let workspace = workspaces[rng.below(3) as usize];
        let (id, quantity) = (rng.below(15).to_string(), ["0.0004", "1", "2500.5"][rng.below(3) as usize]);
        event(workspace, &id, quantity)
    });
    let events = events.collect();
    report(&service(u64::from(rng.below(2))), events)
}
