//! Every recurring line in one table. A line only enqueues a job; what the job does lives in its slice.

use std::sync::Arc;

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::api_keys::{self, Verifier};
use crate::app::App;
use crate::jobs::{self, Line, NewJob, Outcome};
use crate::{
    accounts, audit, billing, db, factors, idempotency, invitations, mail, privacy, sessions, signin, snapshots, tokens,
};

/// One recurring job: when (seconds first, UTC), what, why.
struct Recurring {
    cron: &'static str,
    job: &'static str,
    why: &'static str,
}

const TIDY: &str = "house.tidy";

const RECURRING: &[Recurring] = &[
    Recurring { cron: "0 * * * * *", job: mail::DELIVER, why: "mails whose next try is due" },
    Recurring { cron: "30 * * * * *", job: TIDY, why: "sessions, answers, links and jobs whose time is over" },
    Recurring {
        cron: "15 */10 * * * *",
        job: privacy::jobs::EXPIRE,
        why: "exports are kept for a week, links for an hour",
    },
    Recurring {
        cron: "40 */10 * * * *",
        job: privacy::jobs::ERASE_PENDING,
        why: "accounts nobody verified live a day",
    },
    Recurring { cron: "20 * * * * *", job: api_keys::END_DUE, why: "overlaps and quarantines of keys that are over" },
    Recurring {
        cron: "50 20 * * * *",
        job: api_keys::REMIND,
        why: "keys that end in 30, 7 or 1 days; counters of long ago",
    },
    Recurring {
        cron: "50 */10 * * * *",
        job: factors::jobs::RESET_DUE,
        why: "second factors whose loss nobody contradicted for three days",
    },
    Recurring { cron: "45 5 * * * *", job: billing::EXPIRE_LOTS, why: "credit with an end" },
    Recurring {
        cron: "20 */10 * * * *",
        job: tokens::TEND,
        why: "the next signing key is published a day before it signs",
    },
];

/// What runs a job of each name.
pub const LINES: &[Line] = &[
    Line::beside(mail::DELIVER, |app, _| Box::pin(mail::deliver(app))),
    Line::beside(privacy::jobs::EXPORT, |app, payload| Box::pin(privacy::jobs::export(app, payload))),
    Line::new(TIDY, |app, _| Box::pin(tidy(app))),
    Line::new(privacy::jobs::EXPIRE, |app, payload| Box::pin(privacy::jobs::expire_exports(app, payload))),
    Line::new(privacy::jobs::ERASE_PENDING, |app, payload| Box::pin(privacy::jobs::erase_pending(app, payload))),
    Line::new(api_keys::END_DUE, |app, _| Box::pin(api_keys::end_due(app))),
    Line::new(api_keys::REMIND, |app, _| Box::pin(api_keys::remind(app))),
    Line::beside(api_keys::RESEAL, |app, _| Box::pin(api_keys::reseal(app))),
    Line::new(factors::jobs::RESET_DUE, |app, _| Box::pin(factors::jobs::reset_due(app))),
    Line::new(billing::EXPIRE_LOTS, |app, _| Box::pin(billing::expire_lots(app))),
    Line::new(tokens::TEND, |app, _| Box::pin(tokens::tend(app))),
    Line::new(snapshots::jobs::PUBLISH, |app, payload| Box::pin(snapshots::jobs::publish_when_changed(app, payload))),
];

// An erasure asks for a snapshot without the person; the job is named two floors above it.
const _: () = assert!(same(privacy::PUBLISH, snapshots::jobs::PUBLISH), "an erasure queues the job that publishes");

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut place = 0;
    while place < a.len() && place < b.len() && a[place] == b[place] {
        place += 1;
    }
    a.len() == b.len() && place == a.len()
}

/// Deletes what is over, a bounded number of rows at a time.
async fn tidy(app: Arc<App>) -> Outcome {
    let rows = app
        .write(|tx| {
            sessions::purge_ended(tx)?;
            accounts::purge_old(tx)?;
            signin::oauth::purge_old(tx)?;
            invitations::purge_old(tx)?;
            factors::purge_old(tx)?;
            audit::purge_strangers(tx)?;
            idempotency::purge_expired(tx)?;
            mail::purge_old(tx)?;
            db::purge_changes(tx)?;
            tokens::purge_old(tx)?;
            jobs::purge_finished(tx)
        })
        .await;
    match rows {
        Ok(_) => Outcome::Done,
        Err(error) => Outcome::Again(error.to_string()),
    }
}

/// Starts the clock. It stops when what is returned is dropped.
///
/// # Errors
/// [`JobSchedulerError`]: a line of the table is not a cron line.
pub async fn start(app: Arc<App>, verifier: Arc<Verifier>) -> Result<JobScheduler, JobSchedulerError> {
    let clock = JobScheduler::new().await?;
    for line in RECURRING {
        tracing::debug!(cron = line.cron, job = line.job, why = line.why, "A line of the schedule.");
        clock.add(enqueuing(line.cron, line.job, app.clone())?).await?;
    }
    let every = app.config().snapshot.interval;
    let snapshots_app = app.clone();
    clock
        .add(Job::new_repeated_async(every, move |_, _| {
            let app = snapshots_app.clone();
            Box::pin(async move { enqueue(&app, snapshots::jobs::PUBLISH).await })
        })?)
        .await?;
    // Not a job of the table: what it writes down is in this process's memory only.
    clock
        .add(Job::new_async("0 * * * * *", move |_, _| {
            let (app, verifier) = (app.clone(), verifier.clone());
            Box::pin(async move { write_uses(&app, &verifier).await })
        })?)
        .await?;
    clock.start().await?;
    Ok(clock)
}

fn enqueuing(cron: &str, job: &'static str, app: Arc<App>) -> Result<Job, JobSchedulerError> {
    Job::new_async(cron, move |_, _| {
        let app = app.clone();
        Box::pin(async move { enqueue(&app, job).await })
    })
}

async fn enqueue(app: &App, job: &'static str) {
    if let Err(error) = app.write(move |tx| jobs::enqueue(tx, NewJob::once(job))).await {
        tracing::error!(%error, job, "A recurring job could not be queued.");
    }
}

async fn write_uses(app: &App, verifier: &Verifier) {
    if let Err(error) = api_keys::record_use(app, verifier).await {
        tracing::error!(%error, "The use of keys could not be written down.");
    }
}

/// What is still in memory when the server stops, and the last snapshot: backup jobs run while nothing serves, too.
pub async fn last_words(app: &Arc<App>, verifier: &Verifier) {
    write_uses(app, verifier).await;
    if let jobs::Outcome::Again(why) | jobs::Outcome::GiveUp(why) =
        snapshots::jobs::publish_when_changed(app.clone(), serde_json::Value::Null).await
    {
        tracing::error!(why, "No snapshot was published at the stop; the one before is still there.");
    }
}
