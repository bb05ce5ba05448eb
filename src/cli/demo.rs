//! `domicile demo`: a temporary appliance with sample people.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::arguments::Common;
use super::context::drop_privileges;
use super::failure::Failure;
use super::output::out;
use super::{init, log, serve};
use crate::api_keys::{self, Expiry, KeyName, KeyNote, Limits, NewApiKey};
use crate::app::App;
use crate::base::{
    Actor, ApiKeyId, CredentialAdmin, Credits, EmailAddress, Problem, Quantity, Secret, WorkspaceId, days,
};
use crate::billing;
use crate::billing::usage::{self, EventName, NewEvent};
use crate::billing::vouchers::{self, NewBatch, NewCodes, VoucherCode};
use crate::config::Config;
use crate::crypto::{Keyring, Password};
use crate::db::Tx;
use crate::resources::{self, ExternalId, NewResource, ResourceName, Slug};
use crate::services::Grant;
use crate::signin::{self, NewPerson};
use crate::{accounts, services, workspaces};

const PASSWORD: &str = "a walk by the river";
/// Username, address, name.
const PEOPLE: [(&str, &str, &str); 2] =
    [("ada-l", "ada@example.org", "Ada Lovelace"), ("grace-h", "grace@example.org", "Grace Hopper")];
/// Name, scopes, days until expiry.
const KEYS: [(&str, &[&str], u64); 2] =
    [("training-server", &["training", "read"], 90), ("nightly-report", &["billing:read", "usage:read"], 30)];

/// What the service keeps: its id of it, type, name, the id of what is above it, bytes.
const KEPT: [(&str, &str, &str, Option<&str>, i64); 4] = [
    ("birds", "project", "Birds of the garden", None, 0),
    ("birds-photos", "dataset", "Photos of birds", None, 1_840_000_000),
    ("birds-large", "model", "Birds, large", Some("birds"), 130_000_000),
    ("birds-first-try", "model", "Birds, first try", Some("birds"), 22_000_000),
];
/// A promo code that everybody can redeem.
const PROMO: &str = "WELCOME-2026";

/// What of it is in the trash.
const DISCARDED: &str = "birds-first-try";

pub(super) fn run(common: &Common, port: u16) -> Result<(), Failure> {
    // Reserved before anything is printed, so that no key of an appliance that does not start is shown.
    let reserved = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| cannot_listen(port, &error))?;
    let folder = TempFolder::new()?;
    stop_at_hangup(folder.0.clone())?;
    let config = Config::for_demo(&folder.0, port)?;
    drop(log::start(&config.log));
    init::create_appliance(&config)?;
    let keyring = Keyring::load(&config.keyring, false)?;
    drop_privileges(&config.data_dir)?;
    let url = config.public_url.clone();
    let is_json = common.json;
    let outcome = serve::run_with(config, keyring, None, move |app| {
        let (key, service) = create_samples(app)?;
        drop(reserved);
        if is_json {
            let mail = format!("{url}/demo/mail");
            return out!(
                "{}",
                json!({
                    "url": url, "account": "ada-l", "password": PASSWORD, "mail": mail, "key": key, "service": service,
                })
            );
        }
        out!(
            "\n  Domicile demo: all data is in a temporary folder, which is removed when you stop the demo (Ctrl-C).\n"
        )?;
        out!("  Open       {url}")?;
        out!("  Sign in    ada-l / {PASSWORD}")?;
        out!("  Mail       {url}/demo/mail")?;
        out!("  Promo code {PROMO}, to redeem on the Billing page\n")?;
        out!("  A key of ada-l, and a service that may verify it:")?;
        out!("  KEY={key}")?;
        out!("  SERVICE={service}")?;
        out!("  curl -d \"token=$KEY\" -H \"Authorization: Bearer $SERVICE\" {url}/v1/introspect\n")
    });
    drop(folder);
    outcome
}

fn cannot_listen(port: u16, error: &std::io::Error) -> Failure {
    let other = if port == 8081 { 8082 } else { 8081 };
    Failure::refused(format!(
        "the demo cannot listen on port {port}: {error}. Choose another port: domicile demo --port {other}"
    ))
}

/// Stops the demo as Ctrl-C does when its terminal is closed, so that its folder is removed. Not if the hangup is ignored
/// (nohup). Called before any other thread exists, so that no other thread gets the signal.
fn stop_at_hangup(folder: PathBuf) -> Result<(), Failure> {
    let failure = |error: &dyn std::fmt::Display| Failure::refused(format!("signals cannot be received: {error}."));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    if ignored.is_some_and(|mask| mask.trim().ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f'])) {
        return Ok(());
    }
    let hangup: SigSet = [Signal::SIGHUP].into_iter().collect();
    hangup.thread_block().map_err(|error| failure(&error))?;
    let wait = move || {
        // If it cannot be waited for, the demo goes on without.
        if hangup.wait().is_ok() {
            // Here, because the signal ends the process at once as long as the server is starting.
            let _ = std::fs::remove_dir_all(&folder);
            let _ = kill(Pid::this(), Signal::SIGTERM);
        }
    };
    std::thread::Builder::new().name("hangup".into()).spawn(wait).map_err(|error| failure(&error))?;
    Ok(())
}

/// A folder that is removed when the demo ends.
struct TempFolder(PathBuf);

impl TempFolder {
    fn new() -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let name = format!("domicile-demo-{}", hex::encode(crate::base::Rng::system().bytes::<6>()));
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Failure::refused(format!("{} cannot be created: {error}.", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // If it cannot be removed, nothing more can be done. The name of the folder says what it was.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The usage of each person: sku, quantity, how many days ago.
const HISTORY: [(&str, &str, u64); 5] = [
    ("gpu.h100", "2400", 37),
    ("gpu.h100", "3600", 9),
    ("storage.gb", "1250", 6),
    ("gpu.h100", "5400", 3),
    ("gpu.h100", "1260.5", 1),
];

fn usage_events(
    tx: &Tx<'_>,
    owners: &[(WorkspaceId, ApiKeyId)],
    sku: &str,
    quantity: &str,
    days_ago: u64,
) -> Vec<Result<NewEvent, usage::Fault>> {
    let event = |(workspace, key): &(WorkspaceId, ApiKeyId)| {
        Some(NewEvent {
            source: EventName::parse("https://training.example.org")?,
            id: EventName::parse(&format!("{key}-{days_ago}"))?,
            workspace: *workspace,
            sku: sku.to_owned(),
            quantity: Quantity::parse(quantity).ok()?,
            occurred_at: tx.now().minus(days(days_ago)),
            key: Some(*key),
            authorization: None,
            corrects: None,
        })
    };
    owners.iter().filter_map(event).map(Ok).collect()
}

/// Creates sample people with keys, credit and some usage, and a service. Answers a key and the credential of the
/// service.
fn create_samples(app: &Arc<App>) -> Result<(String, String), Failure> {
    let password = Password::parse(Secret::new(PASSWORD.to_owned()), app.config().passwords.min_length, &[])
        .map_err(Problem::from)?;
    let phc = app.passwords().hash_and_wait(&password).map_err(Problem::from)?;
    Ok(app.store().write_blocking(move |tx| insert_samples(tx, &phc))?)
}

/// What the service keeps for the first person, one of it in the trash.
fn keep_resources(tx: &mut Tx<'_>, service: &Actor, workspace: WorkspaceId) -> Result<(), Problem> {
    let invalid = || Problem::internal("a sample resource is not valid");
    for (id, kind, name, parent, size_bytes) in KEPT {
        let new = NewResource {
            external_id: ExternalId::parse(id).ok_or_else(invalid)?,
            workspace,
            kind: kind.to_owned(),
            name: ResourceName::parse(name).ok_or_else(invalid)?,
            slug: Slug::parse(id),
            parent: parent.map(|parent| ExternalId::parse(parent).ok_or_else(invalid)).transpose()?,
            size_bytes,
            version: 1,
        };
        let (resource, _) = resources::put(tx, service, &new)?;
        if id == DISCARDED {
            resources::trash(tx, service, workspace, resource.id)?;
        }
    }
    Ok(())
}

fn insert_samples(tx: &mut Tx<'_>, phc: &str) -> Result<(String, String), Problem> {
    let operator = Actor::Operator;
    let invalid = || Problem::internal("a sample value is not valid");
    let mut keys = Vec::new();
    let mut owners = Vec::new();
    for (username, address, name) in PEOPLE {
        let email = EmailAddress::parse(address).map_err(|_| invalid())?;
        let username = accounts::Username::parse(username).map_err(|_| invalid())?;
        let person =
            NewPerson { email, username, password: Some(phc.to_owned()), is_verified: true, is_operator: false };
        let account = signin::create_account(tx, &operator, person)?;
        let display_name = accounts::DisplayName::parse(name).ok_or_else(invalid)?;
        accounts::update_profile(tx, &operator, account.id, &accounts::Profile::named(display_name))?;
        let workspace = workspaces::personal(tx, account.id)?.ok_or_else(invalid)?.id;
        billing::grant_by_operator(tx, &operator, workspace, Credits::whole(25), "Workshop credit")?;
        billing::allowances::set(tx, &operator, workspace, Some(Credits::whole(30)))?;
        let mut created = Vec::new();
        for (name, scopes, expiry) in KEYS {
            let new = NewApiKey {
                name: KeyName::parse(name).ok_or_else(invalid)?,
                note: KeyNote::default(),
                scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
                expiry: Expiry::After(days(expiry)),
                limits: Limits::default(),
            };
            let key = api_keys::create(tx, &CredentialAdmin::operator(), account.id, workspace, &new)?;
            created.push(key);
        }
        // The usage is reported for the first key.
        owners.extend(created.first().map(|first| (workspace, first.key.id)));
        keys.extend(created.into_iter().map(|created| created.secret));
    }
    let welcome = NewBatch {
        amount: Credits::whole(10),
        reason: "Welcome to the demonstration".to_owned(),
        codes: NewCodes::Promo {
            code: VoucherCode::parse_promo(PROMO).ok_or_else(invalid)?,
            uses: 100,
            uses_per_account: 1,
        },
        lasts: None,
        credit_lasts: Some(days(365)),
    };
    vouchers::create(tx, &operator, &welcome)?;
    let name = services::ServiceName::parse("training").ok_or_else(invalid)?;
    let (service, credential) = services::create(tx, &operator, &name, Grant::default())?;
    let service = Actor::Service { service: service.id, name: service.name, request: String::new() };
    if let Some((workspace, _)) = owners.first() {
        keep_resources(tx, &service, *workspace)?;
    }
    for (sku, quantity, days_ago) in HISTORY {
        let events = usage_events(tx, &owners, sku, quantity, days_ago);
        usage::record_batch(tx, &service, &events)?;
    }
    let key = keys.first().map(|key| key.expose().clone()).unwrap_or_default();
    Ok((key, credential.expose().clone()))
}
