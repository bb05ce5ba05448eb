//! The table of periodic work, and the table of job handlers. Periodic work runs directly and leaves no row in the queue,
//! so that an idle appliance commits nothing; the slice of the work has its code.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::MissedTickBehavior;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::api_keys;
use crate::app::App;
use crate::base::seconds;
use crate::inbox::AckHandler;
use crate::jobs::{self, JobHandler, Outcome, Periodic};
use crate::journal::{Extent, JournalError};
use crate::services::{self, Callers};
use crate::threads::spawn_blocking;
use crate::verification::{self, Verifier};
use crate::{
    accounts, audit, billing, clock, db, factors, idempotency, inbox, invitations, mail, maintenance, privacy,
    resources, sessions, signin, snapshots, tokens,
};

/// One piece of periodic work: when (a cron expression with seconds, in UTC), what and why. `job` is the name of its
/// handler. The work is idempotent and does everything that is due, also what an earlier run missed.
struct Recurring {
    cron: &'static str,
    job: &'static str,
    /// Whether it deletes or ends something, or tells people that it will: it does not run while the clock may be wrong.
    needs_right_clock: bool,
    why: &'static str,
}

/// Deletes expired rows. The name is stored in databases and does not change.
const PURGE: &str = "house.tidy";

/// Writes lines of the journal that could not be written before, also those of commands.
const WRITE_JOURNAL: &str = "journal.write";
/// Verifies the journal.
const VERIFY_JOURNAL: &str = "journal.verify";

const RECURRING: &[Recurring] = &[
    Recurring {
        cron: "0 * * * * *",
        job: mail::DELIVER,
        needs_right_clock: false,
        why: "sends e-mails whose next attempt is due",
    },
    Recurring {
        cron: "30 * * * * *",
        job: PURGE,
        needs_right_clock: true,
        why: "deletes expired sessions, answers, links and jobs",
    },
    Recurring {
        cron: "15 */10 * * * *",
        job: privacy::jobs::EXPIRE,
        needs_right_clock: true,
        why: "deletes exports after a week, their links after an hour, and copies of the database after a month",
    },
    Recurring {
        cron: "40 */10 * * * *",
        job: privacy::jobs::ERASE_PENDING,
        needs_right_clock: true,
        why: "deletes accounts that were not verified within a day",
    },
    Recurring {
        cron: "10 * * * * *",
        job: WRITE_JOURNAL,
        needs_right_clock: false,
        why: "writes lines that the journal lacks",
    },
    Recurring {
        cron: "5 * * * * *",
        job: audit::CHECKPOINT,
        needs_right_clock: false,
        why: "signs how far the audit goes",
    },
    Recurring {
        cron: "25 35 * * * *",
        job: VERIFY_JOURNAL,
        needs_right_clock: false,
        why: "verifies new lines of the journal, and all of them once a day",
    },
    Recurring {
        cron: "20 * * * * *",
        job: api_keys::END_DUE,
        needs_right_clock: true,
        why: "ends overlaps and quarantines of keys",
    },
    Recurring {
        cron: "50 20 * * * *",
        job: api_keys::REMIND,
        needs_right_clock: true,
        why: "reminds of keys that expire in 30, 7 or 1 days; deletes old usage counters",
    },
    Recurring {
        cron: "50 */10 * * * *",
        job: factors::jobs::RESET_DUE,
        needs_right_clock: true,
        why: "removes lost second factors three days after the request",
    },
    Recurring {
        cron: "25 * * * * *",
        job: privacy::jobs::FINISH_ERASURES,
        needs_right_clock: false,
        why: "finishes erasures: in the write-ahead log, and at services",
    },
    Recurring {
        cron: "35 * * * * *",
        job: snapshots::jobs::CHECK_AGE,
        needs_right_clock: false,
        why: "notices that the published snapshot is too old",
    },
    Recurring {
        cron: "*/5 * * * * *",
        job: snapshots::jobs::NOTE_HEAD,
        needs_right_clock: false,
        why: "notes how far the database goes, so that a start notices when it lacks something",
    },
    Recurring {
        cron: "40 * * * * *",
        job: snapshots::jobs::VERIFY_SUSPECTED,
        needs_right_clock: false,
        why: "verifies the database after a read met damage",
    },
    Recurring {
        cron: "0 0 3 * * *",
        job: resources::jobs::PURGE_TRASH,
        needs_right_clock: true,
        why: "deletes for good what was in the trash for 30 days",
    },
    Recurring {
        cron: "55 * * * * *",
        job: resources::jobs::SEND_PURGES,
        needs_right_clock: false,
        why: "asks services to delete what is marked for it",
    },
    Recurring {
        cron: "35 20 * * * *",
        job: resources::jobs::NOTICES,
        needs_right_clock: false,
        why: "mails owners whose storage is nearly full",
    },
    Recurring {
        cron: "30 10 3 * * *",
        job: resources::jobs::RECOUNT,
        needs_right_clock: false,
        why: "compares the storage of workspaces with their resources",
    },
    Recurring { cron: "45 5 * * * *", job: billing::EXPIRE_LOTS, needs_right_clock: true, why: "expires credit" },
    Recurring {
        cron: "5 */5 * * * *",
        job: billing::GRANT_ALLOWANCES,
        needs_right_clock: true,
        why: "grants the credit of a new month",
    },
    Recurring {
        cron: "40 25 * * * *",
        job: billing::CREDIT_NOTICES,
        needs_right_clock: true,
        why: "mails owners whose allowance is nearly spent, or whose credit expires in 30, 7 or 1 days",
    },
    Recurring {
        cron: "15 * * * * *",
        job: billing::CLOSE_DISCONNECTED,
        needs_right_clock: false,
        why: "frees what disconnected services reserved",
    },
    Recurring {
        cron: "10 * * * * *",
        job: billing::EXPIRE_HOLDS,
        needs_right_clock: true,
        why: "frees reserved credit whose time is over",
    },
    Recurring {
        cron: "5 */10 * * * *",
        job: maintenance::jobs::DRILL,
        needs_right_clock: true,
        why: "makes the weekly restore drill, and notices that there was none",
    },
    Recurring {
        cron: "20 */10 * * * *",
        job: tokens::ROTATE_KEYS,
        needs_right_clock: false,
        why: "publishes the next signing key a day before it signs",
    },
];

/// The handler of each job, whether a person caused it or the schedule runs it.
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
    JobHandler::new(billing::GRANT_ALLOWANCES, |app, _| Box::pin(billing::grant_allowances(app))),
    JobHandler::new(billing::CREDIT_NOTICES, |app, _| Box::pin(billing::send_notices(app))),
    JobHandler::new(billing::CLOSE_DISCONNECTED, |app, _| Box::pin(billing::close_disconnected(app))),
    JobHandler::new(billing::EXPIRE_HOLDS, |app, _| Box::pin(billing::expire_holds(app))),
    JobHandler::new(resources::jobs::PURGE_TRASH, |app, _| Box::pin(resources::jobs::purge_trash(app))),
    JobHandler::new(resources::jobs::SEND_PURGES, |app, _| Box::pin(resources::jobs::send_purges(app))),
    JobHandler::new(resources::jobs::NOTICES, |app, _| Box::pin(resources::jobs::send_notices(app))),
    JobHandler::new(resources::jobs::RECOUNT, |app, _| Box::pin(resources::jobs::recount(app))),
    JobHandler::new(tokens::ROTATE_KEYS, |app, _| Box::pin(tokens::rotate_keys(app))),
    JobHandler::new(audit::CHECKPOINT, |app, _| Box::pin(audit::checkpoint(app))),
    JobHandler::new(WRITE_JOURNAL, |app, _| Box::pin(with_journal(app, |app| app.write_journal().map(drop)))),
    JobHandler::new(VERIFY_JOURNAL, |app, _| {
        Box::pin(with_journal(app, |app| app.verify_journal(Extent::Daily).map(drop)))
    }),
    JobHandler::new(privacy::jobs::FINISH_ERASURES, |app, payload| {
        Box::pin(privacy::jobs::finish_erasures(app, payload))
    }),
    JobHandler::new(snapshots::jobs::CHECK_AGE, |app, payload| Box::pin(snapshots::jobs::check_age(app, payload))),
    JobHandler::new(snapshots::jobs::NOTE_HEAD, |app, payload| Box::pin(snapshots::jobs::note_head(app, payload))),
    JobHandler::new(snapshots::jobs::VERIFY_SUSPECTED, |app, payload| {
        Box::pin(snapshots::jobs::verify_suspected(app, payload))
    }),
    JobHandler::new(maintenance::jobs::DRILL, |app, payload| Box::pin(maintenance::jobs::drill_when_due(app, payload))),
    PUBLISH_HANDLER,
];

/// What follows from the acknowledgement of a command, for each kind that has consequences here.
pub const ACK_HANDLERS: &[AckHandler] = &[resources::PURGE_ACKNOWLEDGED, privacy::erasures::ERASE_ACKNOWLEDGED];

/// Also queued by an erasure.
const PUBLISH_HANDLER: JobHandler = JobHandler::with_own_queue(snapshots::jobs::PUBLISH, |app, payload| {
    Box::pin(snapshots::jobs::publish_when_changed(app, payload))
});

/// Reads the whole published file and the whole database, so it runs at night only and not at every start.
const VERIFY_HANDLER: JobHandler =
    JobHandler::new(snapshots::jobs::VERIFY, |app, payload| Box::pin(snapshots::jobs::verify_at_night(app, payload)));
const VERIFY_CRON: &str = "10 40 3 * * *";

/// Works on the journal. A failure is logged, and reported by the readiness probe, where it happens; the next run tries
/// again.
async fn with_journal(app: Arc<App>, work: fn(&App) -> Result<(), JournalError>) -> Outcome {
    match spawn_blocking(move || work(&app)).await {
        Ok(_) => Outcome::Done,
        Err(error) => Outcome::Again(error.to_string()),
    }
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
            resources::expire_leases(tx)?;
            mail::purge_old(tx)?;
            db::purge_changes(tx)?;
            tokens::purge_old(tx)?;
            inbox::purge_old(tx)?;
            services::purge_enrol_codes(tx)?;
            jobs::purge_finished(tx)
        })
        .await;
    match rows {
        Ok(_) => Outcome::Done,
        Err(error) => Outcome::Again(error.to_string()),
    }
}

/// The periodic work, and what runs at the moment.
pub struct Schedule {
    app: Arc<App>,
    verifier: Arc<Verifier>,
    callers: Arc<Callers>,
    work: Vec<(&'static Recurring, Periodic)>,
    publishing: Periodic,
    verifying: Periodic,
}

impl Schedule {
    /// The schedule of an appliance. Nothing runs before [`Schedule::start`].
    pub fn new(app: Arc<App>, verifier: Arc<Verifier>, callers: Arc<Callers>) -> Arc<Self> {
        let handler = |name: &str| JOB_HANDLERS.iter().find(|handler| handler.name == name).copied();
        let work = RECURRING
            .iter()
            .filter_map(|recurring| Some((recurring, Periodic::new(handler(recurring.job)?))))
            .collect();
        let publishing = Periodic::new(PUBLISH_HANDLER);
        let verifying = Periodic::new(VERIFY_HANDLER);
        Arc::new(Self { app, verifier, callers, work, publishing, verifying })
    }

    /// Starts the schedule. It stops when the returned scheduler is shut down.
    ///
    /// # Errors
    /// [`JobSchedulerError`]: the table has an invalid cron expression.
    pub async fn start(self: &Arc<Self>) -> Result<JobScheduler, JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        for (index, (recurring, _)) in self.work.iter().enumerate() {
            let Recurring { cron, job, why, .. } = recurring;
            tracing::debug!(cron, job, why, "Periodic work is scheduled.");
            let schedule = self.clone();
            let run = move |_, _| -> BoxFuture<'static, ()> {
                let schedule = schedule.clone();
                Box::pin(async move { schedule.run_when_allowed(index).await })
            };
            scheduler.add(Job::new_async(*cron, run)?).await?;
        }
        let schedule = self.clone();
        let publish = move |_, _| -> BoxFuture<'static, ()> {
            let schedule = schedule.clone();
            Box::pin(async move { schedule.publishing.run(&schedule.app).await })
        };
        scheduler.add(Job::new_repeated_async(self.app.config().snapshot.interval, publish)?).await?;
        let schedule = self.clone();
        let verify = move |_, _| -> BoxFuture<'static, ()> {
            let schedule = schedule.clone();
            Box::pin(async move { schedule.verifying.run(&schedule.app).await })
        };
        scheduler.add(Job::new_async(VERIFY_CRON, verify)?).await?;
        let schedule = self.clone();
        let write = move |_, _| -> BoxFuture<'static, ()> {
            let schedule = schedule.clone();
            Box::pin(async move {
                schedule.app.shown_once().forget_old(schedule.app.now());
                write_uses(&schedule.app, &schedule.verifier, &schedule.callers).await;
            })
        };
        scheduler.add(Job::new_async("0 * * * * *", write)?).await?;
        scheduler.start().await?;
        Ok(scheduler)
    }

    /// Publishes a snapshot soon after the start: an appliance that always ends before the first interval publishes too,
    /// and so does one whose last stop did not wait for its snapshot. After a process that was killed, the whole
    /// database is verified first, because somebody may have put another file beside the log that was left.
    pub async fn publish_at_start(&self) {
        if self.app.store().was_left_open() {
            snapshots::jobs::verify_live(self.app.clone()).await;
        } else {
            self.publishing.run_once(&self.app).await;
        }
    }

    /// Runs all periodic work once, except the snapshot and its verification. The server does it when it starts: it finds
    /// what became due while the appliance was stopped, or what a crash interrupted.
    pub async fn catch_up(&self) {
        mail::retry_after_start(&self.app).await;
        for (recurring, periodic) in &self.work {
            if self.is_allowed(recurring) {
                periodic.run_once(&self.app).await;
            }
        }
        write_uses(&self.app, &self.verifier, &self.callers).await;
    }

    async fn run_when_allowed(&self, index: usize) {
        let (recurring, periodic) = &self.work[index];
        if self.is_allowed(recurring) {
            periodic.run(&self.app).await;
        }
    }

    fn is_allowed(&self, recurring: &Recurring) -> bool {
        !recurring.needs_right_clock || clock::is_deletion_allowed(&self.app).unwrap_or_else(|error| {
            tracing::error!(%error, job = recurring.job, "The state of the clock could not be read. The work waits.");
            false
        })
    }

    /// Follows the clock of the machine until the future is dropped. After a step, starts `scheduler` again, because it
    /// waits for a time of the old clock, and does what is due now.
    pub async fn follow_clock(self: Arc<Self>, mut scheduler: JobScheduler) {
        let mut ticks = tokio::time::interval(seconds(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match clock::follow(&self.app).await {
                Ok(false) => continue,
                Ok(true) => {}
                Err(error) => {
                    tracing::error!(%error, "A step of the clock could not be recorded. The server tries again.");
                    continue;
                }
            }
            let restarted = async {
                scheduler.shutdown().await?;
                self.start().await
            };
            match restarted.await {
                Ok(restarted) => scheduler = restarted,
                Err(error) => tracing::error!(%error, "The schedule could not be started again. Restart the server."),
            }
            let schedule = self.clone();
            drop(tokio::spawn(async move {
                schedule.publishing.run_once(&schedule.app).await;
                schedule.catch_up().await;
            }));
        }
    }
}

async fn write_uses(app: &App, verifier: &Verifier, callers: &Callers) {
    if let Err(error) = verification::record_use(app, verifier).await {
        tracing::error!(%error, "The usage of keys could not be stored.");
    }
    if let Err(error) = services::record_seen(app, callers).await {
        tracing::error!(%error, "When services were last seen could not be stored.");
    }
}

/// Writes what is still in memory when the server stops, and publishes a last snapshot if that is quick.
pub async fn flush_at_shutdown(app: &Arc<App>, verifier: &Verifier, callers: &Callers) {
    write_uses(app, verifier, callers).await;
    snapshots::jobs::publish_at_stop(app).await;
    snapshots::jobs::note_head(app.clone(), serde_json::Value::Null).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_periodic_work_has_a_handler() {
        for recurring in RECURRING {
            let handler = JOB_HANDLERS.iter().find(|handler| handler.name == recurring.job);
            assert!(handler.is_some(), "add a handler for {} to JOB_HANDLERS", recurring.job);
        }
    }
}
