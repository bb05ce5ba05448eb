//! `domicile init`: the keyring, the database, the region, the first operator's link.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use super::arguments::Common;
use super::context;
use super::failure::Failure;
use crate::app::{App, OpenError};
use crate::base::{Clock, Problem, Rng};
use crate::config::Config;
use crate::crypto::{Keyring, KeyringError};
use crate::db::{self, Layout};
use crate::signin::{self, SigninError};

pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let config = context::config(common)?;
    let link = make(&config)?;
    if common.json {
        println!("{}", serde_json::json!({"region": config.region, "operator_link": link}));
    } else {
        println!("{link}");
        eprintln!(
            "The appliance is made for region \"{}\", which never changes.\nThe link above makes the first operator's account: once, within 24 hours.\nKeep a copy of {} in a safe place, never beside a backup: without it no backup can be read.\nNext: domicile serve",
            config.region,
            config.keyring.display()
        );
    }
    Ok(())
}

/// Makes what a new appliance needs. Refuses to touch anything that is there already.
///
/// ```text
/// note: keyring K begins ── keyring K ── database under another name ── rename ── note away
/// ```
/// It may be killed at any point and run again: the database has its name only when it is whole, so whatever has the name
/// is never touched; and a keyring is used again only where there is no database and the note says that it was made for
/// this folder. So no keyring of somebody's other data is ever taken for ours. A link that was not printed is lost with its
/// init; `domicile account operator-link` prints another one.
pub(super) fn make(config: &Config) -> Result<String, Failure> {
    let layout = Layout::new(&config.data_dir);
    refuse_made(config, &layout)?;
    let mut rng = Rng::system();
    let keyring = begin(config, &layout, &mut rng)?;
    // From here on as the owner of the folder: the database must not be root's.
    context::become_owner(&config.data_dir)?;
    for folder in [layout.live_dir(), layout.exports()] {
        make_folder(&folder)?;
    }
    // The locks of `serve` are made here, so that a start that is refused writes nothing.
    for lock in [layout.lock(), layout.snapshot_lock(), layout.tombstones_lock()] {
        std::fs::File::create(&lock).map_err(|error| cannot_make(&lock, &error))?;
    }
    let link = make_database(config, keyring, &layout, &mut rng)?;
    // A note that stays says something about a database that there is now, and nobody asks it.
    let _ = std::fs::remove_file(layout.init_note());
    Ok(link)
}

fn refuse_made(config: &Config, layout: &Layout) -> Result<(), Failure> {
    if !layout.live().exists() && !layout.snapshot().exists() {
        return Ok(());
    }
    if layout.live().exists()
        && let Ok(keyring) = context::keyring(config)
        && let Err(unfinished @ OpenError::Unfinished { .. }) =
            App::examine(config.clone(), keyring, Clock::System.now())
    {
        return Err(unfinished.into());
    }
    Err(Failure::refused(format!(
        "{} holds an appliance already, and nothing is overwritten. Start it with `domicile serve`, or name another data_dir.",
        config.data_dir.display()
    )))
}

/// The keyring to go on with: a new one, or the one that an unfinished init of this folder made.
fn begin(config: &Config, layout: &Layout, rng: &mut Rng) -> Result<Keyring, Failure> {
    if config.keyring.exists() {
        let begun = std::fs::read_to_string(layout.init_note()).ok();
        return match Keyring::load(&config.keyring, false) {
            Ok(keyring) if begun.is_some_and(|id| id == keyring.id()) => Ok(keyring),
            _ => Err(KeyringError::Exists(config.keyring.clone()).into()),
        };
    }
    make_folder(&config.data_dir)?;
    if let Some(folder) = config.keyring.parent() {
        std::fs::create_dir_all(folder).map_err(|error| cannot_make(folder, &error))?;
    }
    let keyring = Keyring::generate(rng, Clock::System.now());
    write_note(layout, &keyring.id()).map_err(|error| cannot_make(&layout.init_note(), &error))?;
    keyring.write_new(&config.keyring)?;
    Ok(keyring)
}

/// Written before the keyring is, so by root where root makes it, and given to the folder's owner at once.
fn write_note(layout: &Layout, id: &str) -> std::io::Result<()> {
    let path = layout.init_note();
    remove_if_there(&path)?;
    // A new file never follows a link that somebody else put there.
    let mut note = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path)?;
    let folder = std::fs::File::open(layout.root())?;
    let owner = folder.metadata()?;
    std::os::unix::fs::fchown(&note, Some(owner.uid()), Some(owner.gid()))?;
    note.write_all(id.as_bytes())?;
    note.sync_all()?;
    folder.sync_all()
}

/// The database with its stamp, under another name until it is whole. Answers the operator's link.
fn make_database(config: &Config, keyring: Keyring, layout: &Layout, rng: &mut Rng) -> Result<String, Failure> {
    let (unfinished, live) = (layout.unfinished(), layout.live());
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut left = unfinished.clone().into_os_string();
        left.push(ending);
        remove_if_there(Path::new(&left)).map_err(|error| cannot_make(&unfinished, &error))?;
    }
    let site = Arc::new(db::Site { config: config.clone(), keyring });
    let region = config.region.clone();
    let link = db::make_file(&unfinished, &site, &Clock::System, rng, |tx| {
        db::stamp(tx, &region)?;
        signin::claim_link(tx)
    })
    .map_err(|error: SigninError| Failure::from(Problem::from(error)))?;
    std::fs::rename(&unfinished, &live)
        .and_then(|()| std::fs::File::open(layout.live_dir())?.sync_all())
        .map_err(|error| cannot_make(&live, &error))?;
    Ok(link)
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    let made = if folder.is_dir() {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
    } else {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
    };
    made.map_err(|error| cannot_make(folder, &error))
}

fn cannot_make(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::configuration(format!(
        "{} cannot be made: {error}. Make it, give it to the person who runs the server, and try again.",
        folder.display()
    ))
}
