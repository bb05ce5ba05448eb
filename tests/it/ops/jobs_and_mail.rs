//! Jobs and e-mail: neither lost nor duplicated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use domicile::app::App;
use domicile::base::{EmailAddress, Timestamp, days, hours, minutes, seconds};
use domicile::db::Error;
use domicile::jobs::{self, JobHandler, NewJob, Outcome};
use domicile::mail::{self, Link, Message as _, PlainMessage};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::{Relay, TestApp, TestSite};

/// Notified when the job that hangs has started.
static HANGING: Notify = Notify::const_new();
const NO_LONGER_HANGS: JobHandler = JobHandler::new("test.hangs", |_, _| Box::pin(async { Outcome::Done }));

static DONE: AtomicU32 = AtomicU32::new(0);

/// Test handlers: some succeed, others fail, hang or panic.
const HANDLERS: &[JobHandler] = &[
    JobHandler::new("test.count", |_, _| Box::pin(async { Outcome::Done })),
    JobHandler::new("test.again", |_, _| Box::pin(async { Outcome::Again("the other side is away".into()) })),
    JobHandler::new("test.never", |_, _| Box::pin(async { Outcome::GiveUp("it makes no sense".into()) })),
    JobHandler::new("test.hangs", |_, _| {
        Box::pin(async {
            HANGING.notify_one();
            std::future::pending().await
        })
    }),
    JobHandler::new("test.panics", |_, _| Box::pin(async { panic!("a job with a fault") })),
    JobHandler::new("test.adds", |_, payload| {
        Box::pin(async move {
            DONE.fetch_add(payload["add"].as_u64().unwrap().try_into().unwrap(), Ordering::SeqCst);
            Outcome::Done
        })
    }),
];

impl TestApp {
    fn queue_job(&self, new: NewJob) {
        self.write(move |tx| jobs::enqueue(tx, new)).unwrap();
    }

    fn run(&self) -> usize {
        self.run_with(HANDLERS)
    }

    fn run_with(&self, handlers: &'static [JobHandler]) -> usize {
        self.block_on(jobs::run_due(&self.app, handlers)).unwrap()
    }

    fn deliver(&self) {
        assert_eq!(self.block_on(mail::deliver(self.app.clone())), Outcome::Done);
    }

    fn post(&self, message: PlainMessage) {
        let to = EmailAddress::parse("ada@example.org").unwrap();
        self.write(move |tx| mail::enqueue(tx, None, to, &message)).unwrap();
    }

    fn text(&self, sql: &'static str) -> Option<String> {
        self.read(|view| view.one(sql, [], |row| row.get(0)).unwrap())
    }

    /// How long the only waiting e-mail or job still has to wait.
    fn pause(&self, sql: &'static str) -> std::time::Duration {
        Timestamp::from_millis(self.number(sql)).since(self.clock.now())
    }
}

fn job(name: &'static str) -> NewJob {
    NewJob { name, payload: Value::Null, subject: None, unique_key: None }
}

fn message(subject: &str) -> PlainMessage {
    PlainMessage {
        subject: subject.into(),
        paragraphs: vec!["It happened.".into()],
        code: None,
        link: Some(Link { label: "See", url: "http://localhost:8600/x".into() }),
        closing: "If it was not you, do nothing.".into(),
        site: "http://localhost:8600".into(),
    }
}

const STATE: &str = "select state from job";
const WHY: &str = "select last_error from job";
const RUN_AT: &str = "select run_at from job";
const NEXT_MAIL: &str = "select next_at from mail_outbox";

#[test]
fn a_job_runs_once_with_its_payload() {
    let site = TestApp::new();
    site.queue_job(NewJob { payload: json!({"add": 7}), ..job("test.adds") });

    assert_eq!((site.run(), site.run()), (1, 0));

    assert_eq!(DONE.load(Ordering::SeqCst), 7);
    assert_eq!(site.text(STATE).as_deref(), Some("done"));
}

#[test]
fn a_job_that_is_not_committed_was_never_queued() {
    let site = TestApp::new();

    let failed = site.write(|tx| {
        jobs::enqueue(tx, job("test.count"))?;
        Err::<(), _>(Error::Busy)
    });

    assert!(failed.is_err());
    assert_eq!(site.run(), 0);
}

#[test]
fn a_failed_job_is_retried_with_a_growing_backoff_and_finally_given_up() {
    let site = TestApp::new();
    site.queue_job(job("test.again"));

    let mut pauses = Vec::new();
    while site.run() == 1 && site.text(STATE).as_deref() == Some("queued") {
        assert_eq!(site.text(WHY).as_deref(), Some("the other side is away"));
        let pause = site.pause(RUN_AT);
        pauses.push(pause.as_secs());
        site.clock.advance(pause - seconds(1));
        assert_eq!(site.run(), 0);
        site.clock.advance(seconds(1));
    }

    assert_eq!(pauses[..10], [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560]);
    assert!(pauses[10..].iter().all(|pause| *pause == 3600) && pauses.len() == 19, "{pauses:?}");
    assert_eq!(site.text(STATE).as_deref(), Some("failed"));
    site.clock.advance(days(6));
    assert_eq!(site.run(), 0);
}

#[test]
fn a_permanent_failure_and_an_unknown_job_are_given_up_at_once() {
    let site = TestApp::new();
    for name in ["test.never", "test.unheard"] {
        site.queue_job(job(name));
    }

    assert_eq!(site.run(), 2);

    let why = |sql| site.text(sql).unwrap();
    assert_eq!(why("select last_error from job where name = 'test.never'"), "it makes no sense");
    assert!(why("select last_error from job where name = 'test.unheard'").contains("test.unheard"));
    assert_eq!(site.number("select count(*) from job where state = 'failed'"), 2);
}

#[test]
fn a_job_that_panics_delays_no_other_job() {
    let site = TestApp::new();
    site.queue_job(job("test.panics"));
    site.queue_job(job("test.count"));

    assert_eq!(site.run(), 2);

    assert_eq!(site.text("select state from job where name = 'test.count'").as_deref(), Some("done"));
    assert_eq!(site.text("select state from job where name = 'test.panics'").as_deref(), Some("queued"));
    assert!(site.pause("select run_at from job where name = 'test.panics'") > seconds(0));
}

#[test]
fn a_job_with_a_unique_key_is_queued_once_until_it_is_done() {
    let site = TestApp::new();
    for _ in 0..3 {
        site.queue_job(NewJob::once("test.count"));
    }
    assert_eq!((site.number("select count(*) from job"), site.run()), (1, 1));

    site.queue_job(NewJob::once("test.count"));

    assert_eq!(site.run(), 1);
}

#[test]
fn the_job_of_a_stopped_process_is_done_by_another_one_after_ten_minutes() {
    let site = TestApp::new();
    site.queue_job(job("test.hangs"));
    // A process claims the job and is stopped while it runs.
    site.block_on(async {
        tokio::select! {
            ran = jobs::run_due(&site.app, HANDLERS) => panic!("a job that hangs came to an end: {ran:?}"),
            () = HANGING.notified() => {}
        }
    });
    assert_eq!(site.text(STATE).as_deref(), Some("running"));

    site.clock.advance(minutes(10) - seconds(1));
    assert_eq!(site.run_with(&[NO_LONGER_HANGS]), 0);
    site.clock.advance(seconds(1));
    assert_eq!(site.run_with(&[NO_LONGER_HANGS]), 1);

    assert_eq!(site.text(STATE).as_deref(), Some("done"));
    assert_eq!(site.number("select attempts from job"), 2);
}

#[test]
fn two_runners_never_do_the_same_job() {
    let site = TestApp::new();
    let other: Arc<App> = site.another();
    for _ in 0..40 {
        site.queue_job(job("test.count"));
    }

    let ran = std::thread::scope(|scope| {
        let here = scope.spawn(|| site.run());
        let there = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        there.block_on(jobs::run_due(&other, HANDLERS)).unwrap() + here.join().unwrap()
    });

    assert_eq!(ran, 40);
    assert_eq!(site.number("select count(*) from job where state = 'done' and attempts = 1"), 40);
}

#[test]
fn finished_jobs_are_deleted_after_a_week() {
    let site = TestApp::new();
    site.queue_job(job("test.count"));
    site.queue_job(job("test.never"));
    site.run();
    let purge = || site.write(jobs::purge_finished).unwrap();

    site.clock.advance(days(7));
    assert_eq!(purge(), 0);
    site.clock.advance(seconds(1));

    assert_eq!(purge(), 2);
}

#[test]
fn a_mail_of_a_rolled_back_transaction_is_never_sent() {
    let mut site = TestSite::new();
    let to = EmailAddress::parse("ada@example.org").unwrap();

    let failed = site.write(|tx| {
        mail::enqueue(tx, None, to, &message("It happened"))?;
        Err::<(), _>(Error::Busy)
    });

    assert!(failed.is_err());
    assert_eq!((site.count("mail_outbox"), site.count("job")), (0, 0));
}

#[test]
fn a_mail_is_one_complete_file_in_the_folder() {
    let site = TestApp::new();
    site.post(message("It happened — today"));

    assert_eq!(site.run_jobs(), 1);
    site.run_jobs();

    let files = TestApp::files_in(&site.folder().join("mail"));
    assert_eq!(files.len(), 1);
    assert!(files[0].starts_with("mail_") && files[0].ends_with(".eml"), "{files:?}");
    let text = std::fs::read_to_string(site.folder().join("mail").join(&files[0])).unwrap();
    for line in ["From: Domicile <account@localhost>", "To: ada@example.org", "Message-ID: <mail_"] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.contains("It happened.") && text.contains("text/html") && text.contains("text/plain"));
    assert_eq!(site.number("select count(*) from mail_outbox where sent_at is not null"), 1);
}

#[test]
fn a_name_cannot_inject_headers_into_a_mail() {
    let site = TestApp::new();
    let evil = "Key\r\nBcc: everybody@example.org\r\n\r\nBuy now\u{85}\u{2028}X: y\0";
    let mut attack = message(evil);
    attack.paragraphs = vec![format!("Hello {evil}\r\n.\r\nDATA"), "<script>alert(1)</script>".into()];

    site.post(attack);
    assert!(!site.text("select subject from mail_outbox").unwrap().contains(['\r', '\n']));
    site.deliver();

    let folder = site.folder().join("mail");
    let file = folder.join(&TestApp::files_in(&folder)[0]);
    let text = std::fs::read_to_string(file).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let names: Vec<_> = head
        .lines()
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        ["Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"],
        "{head}"
    );
    assert!(!head.to_lowercase().lines().any(|line| line.starts_with("bcc")));
    let html = body.split("Content-Type: text/html").nth(1).unwrap();
    assert!(html.contains("alert(1)") && !html.contains("<script>"), "{html}");
}

#[test]
fn a_failed_mail_is_retried_with_a_growing_backoff() {
    let site = TestApp::new();
    // A file blocks the path of the mail folder.
    std::fs::write(site.folder().join("mail"), "in the way").unwrap();
    site.post(message("It happened"));
    site.deliver();

    let mut pauses = Vec::new();
    for _ in 0..10 {
        let pause = site.pause(NEXT_MAIL);
        pauses.push(pause.as_secs());
        site.clock.advance(pause - seconds(1));
        site.deliver();
        assert_eq!(site.pause(NEXT_MAIL), seconds(1));
        site.clock.advance(seconds(1));
        site.deliver();
    }
    assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    assert!(site.text("select last_error from mail_outbox").unwrap().contains("mail"));

    std::fs::remove_file(site.folder().join("mail")).unwrap();
    site.clock.advance(hours(1));
    site.deliver();
    assert_eq!(site.mailbox().messages().len(), 1);
    assert_eq!(site.text("select last_error from mail_outbox"), None);
}

#[test]
fn a_mail_is_given_up_after_five_days_and_deleted_after_a_week() {
    let site = TestApp::with(|config| config.demo = false);
    std::fs::write(site.folder().join("mail"), "in the way").unwrap();
    site.post(message("It happened"));

    // Each attempt follows the one before after an hour at most, so there are more than a hundred in five days.
    for _ in 0..=5 * 24 {
        assert_eq!(site.number("select count(*) from mail_outbox where given_up_at is null"), 1);
        site.deliver();
        site.clock.advance(hours(1));
    }
    site.deliver();

    assert_eq!(site.number("select count(*) from mail_outbox where given_up_at is not null and attempts >= 100"), 1);
    assert_eq!(site.columns_with("It happened."), Vec::<String>::new());
    let purge = || site.write(mail::purge_old).unwrap();
    assert_eq!(purge(), 0);
    site.clock.advance(days(7));
    assert_eq!(purge(), 1);
}

#[test]
fn a_waiting_mail_does_not_delay_the_next_one() {
    let site = TestApp::new();
    std::fs::write(site.folder().join("mail"), "in the way").unwrap();
    site.post(message("First"));
    site.deliver();
    std::fs::remove_file(site.folder().join("mail")).unwrap();

    site.post(message("Second"));
    site.deliver();

    let subjects: Vec<_> = site.mailbox().messages().into_iter().map(|message| message.subject).collect();
    assert_eq!(subjects, ["Second"]);
    site.clock.advance(seconds(30));
    site.deliver();
    assert_eq!(site.mailbox().messages().len(), 2);
}

#[test]
fn a_mail_that_was_being_sent_when_the_process_stopped_is_sent_again_with_the_same_id() {
    let site = TestApp::new();
    site.post(message("It happened"));
    site.deliver();
    // The process was killed after it had sent the mail and before it had stored that.
    let not_stored = "update mail_outbox set sent_at = null, next_at = next_at";
    site.write(move |tx| tx.execute(not_stored, [])).unwrap();

    site.deliver();
    assert_eq!(site.number("select count(*) from mail_outbox where sent_at is null"), 1);
    site.clock.advance(minutes(2));
    site.deliver();

    assert_eq!(TestApp::files_in(&site.folder().join("mail")).len(), 1);
    assert_eq!(site.number("select count(*) from mail_outbox where sent_at is not null"), 1);
}

#[test]
fn a_transient_mail_is_deleted_once_it_is_sent_or_given_up() {
    let mut relay = Relay::plain();
    relay.answer(json!({"rcpt": "550 no such person here"}));
    let refusing = TestApp::with(|config| relay.configure(config, "smtp://127.0.0.1:PORT", false));
    let accepting = TestApp::new();

    for site in [refusing, accepting] {
        let to = EmailAddress::parse("ada@example.org").unwrap();
        site.write(move |tx| mail::enqueue_transient(tx, to, &message("Goodbye"))).unwrap();
        site.deliver();
        assert_eq!(site.columns_with("ada@example.org"), Vec::<String>::new());
    }
}

#[test]
fn a_message_says_the_same_as_text_and_as_html() {
    let mut message = message("It happened");
    message.code = Some("123456".into());

    for words in ["It happened.", "123456", "http://localhost:8600/x", "If it was not you, do nothing."] {
        assert!(message.text(&domicile::config::SiteInfo::default()).contains(words), "{words}");
        assert!(message.html(&domicile::config::SiteInfo::default()).contains(words), "{words}");
    }
}
