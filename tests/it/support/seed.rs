//! Fills an appliance through the operations of the program, many in one transaction. So ledger, audit and all counts
//! are as after real use. The benchmarks use it too, so it depends on the program only.

use std::sync::Arc;

use domicile::app::App;
use domicile::audit::{self, Event};
use domicile::base::{
    AccountId, Actor, CredentialAdmin, Credits, ServiceId, SessionId, Timestamp, Visitor, WorkspaceId, hours,
};
use domicile::billing;
use domicile::db::{self, Tx};
use domicile::sessions::SessionEvent;
use domicile::{api_keys, mail, signin, workspaces};

use super::builders::{KeyBuilder, PersonBuilder, UsageBuilder, create_service};

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// People that one transaction creates.
const PEOPLE_TOGETHER: u64 = 500;
/// Usage events of a batch, and workspaces that share a batch.
const BATCH: u64 = 100;
const WORKSPACES_TOGETHER: u64 = 10;
/// Usage events that one transaction records.
const USAGE_TOGETHER: u64 = 20 * BATCH;
/// Audit events that one transaction records.
const AUDIT_TOGETHER: u64 = 5_000;
/// The usage happened in as many hours before now: three months.
const HOURS: u64 = 90 * 24;

/// How much there will be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seed {
    /// People, each with a verified address, a workspace with credit, and a key.
    pub accounts: u64,
    /// Usage events, priced and posted.
    pub events: u64,
    /// Sign-ins in the audit, besides the events of the people and their usage.
    pub audit: u64,
}

/// A person that was created, and their workspace.
#[derive(Clone, Copy)]
pub struct Owner {
    pub account: AccountId,
    pub workspace: WorkspaceId,
}

/// The username of the person with this number.
pub fn seeded_name(number: u64) -> String {
    format!("seeded-{number}")
}

/// Fills an appliance that was not seeded before. All people have the password with this hash. `progress` hears what
/// is written and how much of it, after each transaction.
pub fn fill(app: &App, seed: Seed, phc: &str, progress: impl Fn(&str, u64)) -> Result<Arc<[Owner]>, Failure> {
    let mut owners = Vec::new();
    for range in parts(seed.accounts, PEOPLE_TOGETHER) {
        let phc = phc.to_owned();
        let end = range.end;
        owners.extend(app.store().write_blocking(move |tx| people(tx, range, &phc))?);
        progress("people", end);
    }
    let owners: Arc<[Owner]> = owners.into();
    if owners.is_empty() {
        return if seed.events + seed.audit == 0 {
            Ok(owners)
        } else {
            Err("events belong to people: --accounts".into())
        };
    }
    if seed.events > 0 {
        let service = app.store().write_blocking(service)?;
        for range in parts(seed.events, USAGE_TOGETHER) {
            let (owners, end) = (owners.clone(), range.end);
            app.store().write_blocking(move |tx| usage(tx, service, &owners, range))?;
            progress("usage events", end);
        }
    }
    for range in parts(seed.audit, AUDIT_TOGETHER) {
        let (owners, end) = (owners.clone(), range.end);
        app.store().write_blocking(move |tx| sign_ins(tx, &owners, range))?;
        progress("audit events", end);
    }
    Ok(owners)
}

/// Cuts `0..count` into ranges of at most `most`.
fn parts(count: u64, most: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    (0..count.div_ceil(most)).map(move |part| part * most..((part + 1) * most).min(count))
}

fn people(tx: &mut Tx<'_>, range: std::ops::Range<u64>, phc: &str) -> Result<Vec<Owner>, Failure> {
    let mut owners = Vec::new();
    for number in range {
        let person = PersonBuilder::named(&seeded_name(number)).password(phc.to_owned()).build();
        let account = signin::create_account(tx, &Actor::Operator, person)?.id;
        let workspace = workspaces::personal(tx, account)?.ok_or("a person without a workspace")?.id;
        billing::grant_by_operator(tx, &Actor::Operator, workspace, Credits::whole(1000), "Seed")?;
        let key = KeyBuilder::named("training-server").scopes(&["training", "read"]).expires("never").build();
        api_keys::create(tx, &CredentialAdmin::operator(), account, workspace, &key)?;
        // Otherwise the server would begin with a mail to each of them.
        mail::forget(tx, account)?;
        owners.push(Owner { account, workspace });
    }
    Ok(owners)
}

fn service(tx: &mut Tx<'_>) -> Result<ServiceId, Failure> {
    Ok(create_service(tx, "seeded")?.0.id)
}

/// The owner with this number; after the last one comes the first.
fn owner(owners: &[Owner], number: u64) -> Owner {
    owners[(number % owners.len() as u64) as usize]
}

fn usage(tx: &mut Tx<'_>, service: ServiceId, owners: &[Owner], range: std::ops::Range<u64>) -> Result<(), Failure> {
    let actor = Actor::Service { service, name: "seeded".into(), request: String::new() };
    let now = tx.now();
    let numbers: Vec<u64> = range.collect();
    for batch in numbers.chunks(BATCH as usize) {
        let events: Vec<_> = batch.iter().map(|number| Ok(usage_event(owners, *number, now))).collect();
        let answer = billing::usage::record_batch(tx, &actor, &events)?;
        if answer.accepted != events.len() {
            return Err(format!("a usage event was not accepted: {:?}", answer.rejected).into());
        }
    }
    Ok(())
}

fn usage_event(owners: &[Owner], number: u64, now: Timestamp) -> billing::usage::NewEvent {
    let workspace = owner(owners, number / BATCH * WORKSPACES_TOGETHER + number % WORKSPACES_TOGETHER).workspace;
    let occurred_at = now.minus(hours(number % HOURS));
    UsageBuilder::new(workspace, &format!("seeded-{number}"), occurred_at).quantity("3.5").build()
}

fn sign_ins(tx: &mut Tx<'_>, owners: &[Owner], range: std::ops::Range<u64>) -> Result<(), db::Error> {
    let now = tx.now();
    for number in range {
        let Owner { account, workspace } = owner(owners, number);
        let session = SessionId::new(now, tx.rng());
        let address = format!("203.0.113.{}", number % 250 + 1);
        let visitor = Visitor { address, agent: "Mozilla/5.0 (X11; Linux x86_64)".into(), ..Visitor::default() };
        let actor = Actor::SignedIn { account, workspace, session, visitor };
        audit::record(tx, &actor, Event::new(SessionEvent::Started).subject(account).target(session))?;
    }
    Ok(())
}
