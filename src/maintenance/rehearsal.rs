//! The rehearsal of a restore: what a drill does, in a process and a folder of its own.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::error::RehearsalError;
use crate::app::{App, AppOptions};
use crate::base::{Actor, Clock, EmailAddress, Rng, Secret, Timestamp, Visitor};
use crate::billing::ledger;
use crate::config::Config;
use crate::crypto::Keyring;
use crate::db::{Error, Site};
use crate::restore::{self, Backup, Options, Source};
use crate::signin::{self, NewPerson, SignIn, SigninError};
use crate::{accounts, audit};

/// The name of the snapshot in the folder of a drill.
pub(super) const SNAPSHOT: &str = "domicile.sqlite";
/// The name of the journal in the folder of a drill.
pub(super) const JOURNAL: &str = "tombstones.jsonl";

/// What a rehearsal found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    /// When the snapshot was made.
    pub made_at: Timestamp,
    /// Audit events that were verified after the restore.
    pub audit_events: i64,
    /// Ledger transactions that were verified after the restore.
    pub ledger_transactions: i64,
    /// Lines of the journal that were applied.
    pub applied: i64,
}

impl Rehearsed {
    /// For the process that started this one.
    pub fn to_json(self) -> Value {
        json!({
            "made_at": self.made_at.rfc3339(),
            "audit_events": self.audit_events,
            "ledger_transactions": self.ledger_transactions,
            "applied": self.applied,
        })
    }

    /// Reads [`Rehearsed::to_json`]. `None`: it is something else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let number = |member: &str| value[member].as_i64();
        Some(Self {
            made_at: Timestamp::parse(value["made_at"].as_str()?)?,
            audit_events: number("audit_events")?,
            ledger_transactions: number("ledger_transactions")?,
            applied: number("applied")?,
        })
    }
}

/// Restores the snapshot and the journal in `folder`, opens the result, verifies audit and ledger, makes an account in it
/// and signs in with its password. All files are in `folder`, which the caller removes. Sends nothing. Blocks this thread.
///
/// # Errors
/// [`RehearsalError`].
pub fn rehearse(folder: &Path, region: &str, keyring: Keyring) -> Result<Rehearsed, RehearsalError> {
    let mut config = Config::for_demo(folder, 1).map_err(std::io::Error::other)?;
    config.region = region.to_owned();
    let site = Arc::new(Site { config, keyring });
    let (snapshot, journal) = (Source::open(&folder.join(SNAPSHOT))?, folder.join(JOURNAL));
    let lines = if journal.exists() { Some(Source::open(&journal)?) } else { None };
    let (clock, mut rng) = (Clock::system(), Rng::system());
    let backup = Backup { snapshot: &snapshot, journal: (lines.as_ref(), &journal), checkpoints: None };
    let restored = restore::restore(&site, &backup, Options::default(), &clock, &mut rng, &|_| ())?;

    let on_fatal = Box::new(|error: &Error| tracing::error!(%error, "The restored database cannot be written."));
    let app = App::open(AppOptions { site, clock, rng: rng.split(), on_fatal })?;
    let verified = app.store().read_blocking(audit::verify)?;
    let checked = app.store().read_blocking(ledger::check)?;
    sign_in(&app, &mut rng)?;
    Ok(Rehearsed {
        made_at: restored.report.stamp.made_at,
        audit_events: verified.events,
        ledger_transactions: checked.transactions,
        applied: restored.replayed.lines,
    })
}

/// Makes an account and signs in to it as its person would.
fn sign_in(app: &Arc<App>, rng: &mut Rng) -> Result<(), RehearsalError> {
    let name = format!("drill-{}", hex::encode(rng.bytes::<6>()));
    let typed = Secret::new(hex::encode(rng.bytes::<16>()));
    let invalid = |_| RehearsalError::Input(std::io::ErrorKind::InvalidData.into());
    let email = EmailAddress::parse(&format!("{name}@drill.invalid")).map_err(|_| invalid(()))?;
    let username = accounts::Username::parse(&name).map_err(|_| invalid(()))?;
    let password = signin::flows::new_password(app, typed.clone(), &name, &email)?;
    let hash = app.passwords().hash_and_wait(&password).map_err(SigninError::from)?;
    let person = NewPerson { email, username, password: Some(hash), is_verified: true, is_operator: false };
    app.store().write_blocking(move |tx| signin::create_account(tx, &Actor::System, person))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let form = SignIn { name, password: typed, remember: false };
    runtime.block_on(signin::flows::sign_in(app, Visitor::default(), form))?;
    Ok(())
}
