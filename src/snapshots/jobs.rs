//! The scheduled work: publish, verify the published file, notice that it is too old.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::error::Damage;
use super::{noted, publish, verify};
use crate::app::App;
use crate::base::{file_cure, seconds};
use crate::jobs::Outcome;
pub use crate::privacy::PUBLISH;
use crate::threads::{in_background, spawn_blocking};

/// The name of the work that verifies the published snapshot and the live database as a whole.
pub const VERIFY: &str = "snapshot.verify";
/// The name of the work that verifies the live database after a read met damage.
pub const VERIFY_SUSPECTED: &str = "database.verify_suspected";
/// The name of the work that notices that the published snapshot is too old.
pub const CHECK_AGE: &str = "snapshot.check_age";
/// The name of the work that notes how far the live database goes.
pub const NOTE_HEAD: &str = "database.note_head";
/// The fault of readiness while the published snapshot is damaged.
const DAMAGE_FAULT: &str = "snapshot_damage";
/// How long a stop waits for the last snapshot.
const STOP_TIMEOUT: Duration = seconds(3);

/// Publishes a snapshot if something changed since the last one. A failure is reported by [`publish::publish`] and not
/// retried before the next scheduled run, because an immediate retry would fail again.
pub async fn publish_when_changed(app: Arc<App>, _: Value) -> Outcome {
    match in_background("snapshot", move || publish::publish_when_changed(&app)).await {
        Some(_) => Outcome::Done,
        None => Outcome::GiveUp("the thread that publishes ended early".into()),
    }
}

/// Publishes what is not published yet, because backups also run while the server is stopped. If that takes longer than
/// three seconds, it is ended: the stop does not wait, and the next start publishes.
pub async fn publish_at_stop(app: &Arc<App>) {
    let publishing = app.clone();
    let mut published = std::pin::pin!(in_background("snapshot", move || publish::publish_when_changed(&publishing)));
    if tokio::time::timeout(STOP_TIMEOUT, &mut published).await.is_err() {
        tracing::info!("The last snapshot takes too long for the stop. The next start publishes first.");
        app.store().interrupt().set();
        let _ = published.await;
    }
}

/// Verifies the published snapshot, then the live database, each as a whole.
pub async fn verify_at_night(app: Arc<App>, payload: Value) -> Outcome {
    match verify_published(app.clone(), payload).await {
        Outcome::Done => verify_live(app).await,
        failed => failed,
    }
}

/// Verifies the live database as a whole, at the lowest priority. [`publish::verify_live`] reports a failure, and the next
/// night tries again.
pub async fn verify_live(app: Arc<App>) -> Outcome {
    match in_background("verify", move || publish::verify_live(&app)).await {
        Some(_) => Outcome::Done,
        None => Outcome::GiveUp("the thread that verifies ended early".into()),
    }
}

/// Verifies the live database if a read met damage.
pub async fn verify_suspected(app: Arc<App>, _: Value) -> Outcome {
    if app.store().take_suspicion() { verify_live(app).await } else { Outcome::Done }
}

/// Verifies the published snapshot as a whole, at the lowest priority. Damage is reported by the readiness probe until a
/// later run finds none.
pub async fn verify_published(app: Arc<App>, _: Value) -> Outcome {
    let verifying = app.clone();
    let verified = in_background("verify", move || {
        let (site, interrupt) = (verifying.store().site(), verifying.store().interrupt());
        verify::verify_whole(&verifying.store().layout().snapshot(), site, verifying.now(), interrupt)
    });
    let reason = match verified.await {
        None => return Outcome::GiveUp("the thread that verifies ended early".into()),
        Some(Err(damage)) if is_for_later(&damage) || app.store().interrupt().is_set() => {
            tracing::debug!(%damage, "The published snapshot was not verified.");
            return Outcome::Done;
        }
        Some(Err(Damage::Unreadable(error))) => {
            unreadable(&error, &file_cure(&app.store().layout().snapshot(), &error))
        }
        Some(Err(Damage::Db(error))) if !Damage::is_damage_of(&error) => unreadable(&error, &error.cure()),
        Some(Err(damage)) => format!(
            "The published snapshot is damaged: {damage}. Run `domicile snapshot now`; if that fails too, run `domicile \
             restore FILE --replace` with an older one."
        ),
        Some(Ok(_)) => {
            app.readiness().clear_fault(DAMAGE_FAULT);
            return Outcome::Done;
        }
    };
    if app.readiness().set_fault(DAMAGE_FAULT, &reason) {
        tracing::error!("{reason}");
    }
    Outcome::Done
}

/// Whether there is no snapshot yet, or it could not be read at this moment.
fn is_for_later(damage: &Damage) -> bool {
    match damage {
        Damage::Unreadable(error) => error.kind() == std::io::ErrorKind::NotFound,
        Damage::Db(error) => error.is_busy(),
        _ => false,
    }
}

fn unreadable(error: &dyn std::fmt::Display, cure: &str) -> String {
    format!("The published snapshot could not be verified, and backups may not be able to read it: {error}. {cure}")
}

/// Notices that the published snapshot is too old.
pub async fn check_age(app: Arc<App>, _: Value) -> Outcome {
    publish::check_age(&app);
    Outcome::Done
}

/// Notes how far the live database goes.
pub async fn note_head(app: Arc<App>, _: Value) -> Outcome {
    match spawn_blocking(move || noted::note_head(&app)).await {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(error)) => Outcome::GiveUp(error.to_string()),
        Err(error) => Outcome::GiveUp(error.to_string()),
    }
}
