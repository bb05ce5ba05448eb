//! The table of recurring jobs, and the table of job handlers. The schedule only queues a job; the slice of the job has
//! its code.

use std::sync::Arc;

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::api_keys;
use crate::app::App;
use crate::jobs::{self, JobHandler, NewJob, Outcome};
use crate::verification::{self, Verifier};
use crate::{
    accounts, audit, billing, db, factors, idempotency, invitations, mail, privacy, sessions, signin, snapshots, tokens,
};

/// One recurring job: when (a cron expression with seconds, in UTC), what and why.
struct Recurring {
    cron: &'static str,
    job: &'static str,
    why: &'static str,
}

/// Deletes expired rows. The name is stored in databases and does not change.
const PURGE: &str = "house.tidy";

const RECURRING: &[Recurring] = &[
    Recurring { cron: "0 * * * * *", job: mail::DELIVER, why: "sends e-mails whose next attempt is due" },
    Recurring { cron: "30 * * * * *", job: PURGE, why: "deletes expired sessions, answers, links and jobs" },
    Recurring {
        cron: "15 */10 * * * *",
        job: privacy::jobs::EXPIRE,
        why: "deletes exports after a week and their links after an hour",
    },
    Recurring {
        cron: "40 */10 * * * *",
        job: privacy::jobs::ERASE_PENDING,
        why: "deletes accounts that were not verified within a day",
    },
    Recurring { cron: "20 * * * * *", job: api_keys::END_DUE, why: "ends overlaps and quarantines of keys" },
    Recurring {
        cron: "50 20 * * * *",
        job: api_keys::REMIND,
        why: "reminds of keys that expire in 30, 7 or 1 days; deletes old usage counters",
    },
    Recurring {
        cron: "50 */10 * * * *",
        job: factors::jobs::RESET_DUE,
        why: "removes lost second factors three days after the request",
    },
    Recurring { cron: "45 5 * * * *", job: billing::EXPIRE_LOTS, why: "expires credit" },
    Recurring {
        cron: "20 */10 * * * *",
        job: tokens::ROTATE_KEYS,
        why: "publishes the next signing key a day before it signs",
    },
];

/// The handler of each job.
pub const JOB_HANDLERS: &[JobHandler] = &[
    JobHandler::with_own_queue(mail::DELIVER, |app, _| Box::pin(mail::deliver(app))),
    JobHandler::with_own_queue(privacy::jobs::EXPORT, |app, payload| Box::pin(privacy::jobs::export(app, payload))),
    JobHandler::new(PURGE, |app, _| Box::pin(purge(app))),
    JobHandler::new(privacy::jobs::EXPIRE, |app, payload| Box::pin(privacy::jobs::expire_exports(app, payload))),
    JobHandler::new(privacy::jobs::ERASE_PENDING, |app, payload| Box::pin(privacy::jobs::erase_pending(app, payload))),
    JobHandler::new(api_keys::END_DUE, |app, _| Box::pin(api_keys::end_due(app))),
    JobHandler::new(api_keys::REMIND, |app, _| Box::pin(api_keys::remind(app))),
    JobHandler::with_own_queue(api_keys::RESEAL, |app, _| Box::pin(api_keys::reseal(app))),
    JobHandler::new(factors::jobs::RESET_DUE, |app, _| Box::pin(factors::jobs::reset_due(app))),
    JobHandler::new(billing::EXPIRE_LOTS, |app, _| Box::pin(billing::expire_lots(app))),
    JobHandler::new(tokens::ROTATE_KEYS, |app, _| Box::pin(tokens::rotate_keys(app))),
    JobHandler::new(snapshots::jobs::PUBLISH, |app, payload| {
        Box::pin(snapshots::jobs::publish_when_changed(app, payload))
    }),
];

// An erasure requests a snapshot without the person. It cannot use the constant of the job, which belongs to a higher
// layer.
const _: () = assert!(is_equal(privacy::PUBLISH, snapshots::jobs::PUBLISH), "an erasure queues the job that publishes");

const fn is_equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut place = 0;
    while place < a.len() && place < b.len() && a[place] == b[place] {
        place += 1;
    }
    a.len() == b.len() && place == a.len()
}

/// Deletes expired rows, a limited number at a time.
async fn purge(app: Arc<App>) -> Outcome {
    let rows = app
        .write(|tx| {
            sessions::purge_ended(tx)?;
            accounts::purge_old(tx)?;
            signin::oauth::purge_old(tx)?;
            invitations::purge_old(tx)?;
            factors::purge_old(tx)?;
            audit::purge_anonymous(tx)?;
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

/// Starts the schedule. It stops when the returned scheduler is dropped.
///
/// # Errors
/// [`JobSchedulerError`]: the table has an invalid cron expression.
pub async fn start(app: Arc<App>, verifier: Arc<Verifier>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    for recurring in RECURRING {
        tracing::debug!(
            cron = recurring.cron,
            job = recurring.job,
            why = recurring.why,
            "A recurring job is scheduled."
        );
        scheduler.add(enqueuing(recurring.cron, recurring.job, app.clone())?).await?;
    }
    let every = app.config().snapshot.interval;
    let snapshots_app = app.clone();
    scheduler
        .add(Job::new_repeated_async(every, move |_, _| {
            let app = snapshots_app.clone();
            Box::pin(async move { enqueue(&app, snapshots::jobs::PUBLISH).await })
        })?)
        .await?;
    // This is not a job in the database, because the data that it writes is only in the memory of this process.
    scheduler
        .add(Job::new_async("0 * * * * *", move |_, _| {
            let (app, verifier) = (app.clone(), verifier.clone());
            Box::pin(async move { write_uses(&app, &verifier).await })
        })?)
        .await?;
    scheduler.start().await?;
    Ok(scheduler)
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
    if let Err(error) = verification::record_use(app, verifier).await {
        tracing::error!(%error, "The usage of keys could not be stored.");
    }
}

/// Writes what is still in memory when the server stops, and publishes a last snapshot, because backups also run while
/// the server is stopped.
pub async fn flush_at_shutdown(app: &Arc<App>, verifier: &Verifier) {
    write_uses(app, verifier).await;
    if let jobs::Outcome::Again(why) | jobs::Outcome::GiveUp(why) =
        snapshots::jobs::publish_when_changed(app.clone(), serde_json::Value::Null).await
    {
        tracing::error!(why, "No snapshot was published at the stop. The previous one is still there.");
    }
}
