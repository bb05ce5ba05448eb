//! `domicile init`: creates the settings, the keyring and the database, sets the region, and prints the link for the first
//! operator and what the settings still lack.

mod settings;

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::arguments::Common;
use super::context;
use super::failure::Failure;
use super::output::{result, tell};
use crate::app::{App, OpenError};
use crate::base::{Clock, Problem, Rng};
use crate::config::Config;
use crate::crypto::{Keyring, KeyringError};
use crate::db::{self, Layout};
use crate::restore::RestoreError;
use crate::signin::{self, SigninError};

/// `given`: region and public URL for a settings file that does not exist yet.
pub(super) fn run(common: &Common, given: Option<(&str, &str)>) -> Result<(), Failure> {
    let written = given.map_or(Ok(false), |given| settings::provide(common, given))?;
    let config = context::config(common)?;
    let link = match create_appliance(&config) {
        Ok(link) => link,
        Err(failure) => {
            // So that a refused command changed nothing.
            if written {
                let _ = std::fs::remove_file(&common.config);
            }
            return Err(failure);
        }
    };
    let missing = config.missing();
    let of_missing: Vec<_> = missing
        .iter()
        .map(|missing| json!({"name": missing.name, "sentence": missing.sentence, "lines": missing.lines}))
        .collect();
    let value = json!({"region": config.region, "operator_link": link, "missing": of_missing});
    // Nothing is undone: another link costs nothing, another appliance does.
    result(common, &value, &link).map_err(|_| {
        let sentence = "the appliance is ready, but its link could not be printed. Run: domicile account operator-link";
        Failure::refused(sentence).with_code("output_failed")
    })?;
    if common.json {
        return Ok(());
    }
    tell!(
        "The appliance is ready. Its data is in {}. Its region is \"{}\", which cannot be changed.\nThe link above creates the account of the first operator. It works once, within 24 hours.",
        config.data_dir.display(),
        config.region
    );
    if let Some(local) = local_link(&config, &link) {
        let port = local.split([':', '/']).nth(4).unwrap_or_default();
        tell!(
            "As long as {} does not lead here, open this link on this machine. From another one, first run ssh -L {port}:127.0.0.1:{port} and the name of this machine:\n  {local}",
            config.public_url
        );
    }
    tell!(
        "Next: systemctl start domicile, or without systemd: domicile serve\nKeep a copy of {} in a safe place, never together with a backup: without it, no backup can be read.",
        config.keyring.display()
    );
    for missing in missing {
        let lines: Vec<_> = missing.lines.lines().map(|line| format!("    {line}")).collect();
        tell!("\n{}: {}\n{}", common.config.display(), missing.sentence, lines.join("\n"));
    }
    Ok(())
}

/// The link as it works on this machine alone.
fn local_link(config: &Config, link: &str) -> Option<String> {
    Some(format!("{}{}", config.local_url()?, link.strip_prefix(&config.public_url)?))
}

/// Creates a new appliance. Never changes existing files. Answers the link for the first operator.
///
/// ```text
/// note "keyring K" ── keyring K ── database under a temporary name ── rename ── remove the note
/// ```
/// It can be killed at any point and run again. The database gets its name only when it is complete, so a file with
/// that name is never changed. An existing keyring is used only if there is no database and the note says that this
/// keyring was made for this folder, so the keyring of other data is never used by mistake. If `init` is killed before
/// it prints the link, the link is lost; `domicile account operator-link` prints another one.
pub(super) fn create_appliance(config: &Config) -> Result<String, Failure> {
    let layout = Layout::new(&config.data_dir);
    refuse_existing(config, &layout)?;
    let mut rng = Rng::system();
    let keyring = create_keyring(config, &layout, &mut rng)?;
    // From here on as the owner of the folder, because the database must not belong to root.
    context::drop_privileges(&config.data_dir)?;
    for folder in [layout.live_dir(), layout.exports()] {
        create_folder(&folder)?;
    }
    // The lock files of `serve` are created here, so that a refused start writes nothing.
    for lock in layout.lock_files() {
        std::fs::File::create(&lock).map_err(|error| cannot_create(&lock, &error))?;
    }
    // Empty as long as nobody lost access, so that backup jobs find it and a restore does not miss it. One that is there
    // already stays as it is.
    let journal = std::fs::File::options().create(true).append(true).mode(0o600).open(layout.tombstones());
    journal.map_err(|error| cannot_create(&layout.tombstones(), &error))?;
    let link = create_database(config, keyring, &layout, &mut rng)?;
    // If the note stays, it does no harm: it is not read once the database exists.
    let _ = std::fs::remove_file(layout.init_note());
    Ok(link)
}

fn refuse_existing(config: &Config, layout: &Layout) -> Result<(), Failure> {
    if !layout.live().exists() && !layout.snapshot().exists() {
        return Ok(());
    }
    if layout.live().exists()
        && let Ok(keyring) = context::keyring(config)
        && let Err(unfinished @ OpenError::Unfinished { .. }) =
            App::check(config.clone(), keyring, Clock::system().now())
    {
        return Err(unfinished.into());
    }
    if !layout.live().exists() {
        return Err(RestoreError::OnlySnapshot(layout.snapshot()).into());
    }
    Err(Failure::refused(format!(
        "{} already contains an appliance, and nothing is overwritten. Start it with `domicile serve`, or set another data_dir.",
        config.data_dir.display()
    )))
}

/// Creates a keyring, or reads the one that an interrupted `init` of this folder created.
fn create_keyring(config: &Config, layout: &Layout, rng: &mut Rng) -> Result<Keyring, Failure> {
    if config.keyring.exists() {
        let note = std::fs::read_to_string(layout.init_note()).ok();
        return match Keyring::load(&config.keyring, false) {
            Ok(keyring) if note.is_some_and(|id| id == keyring.id()) => Ok(keyring),
            _ => Err(KeyringError::Exists(config.keyring.clone()).into()),
        };
    }
    create_folder(&config.data_dir)?;
    if let Some(folder) = config.keyring.parent() {
        std::fs::create_dir_all(folder).map_err(|error| cannot_create(folder, &error))?;
    }
    let keyring = Keyring::generate(rng, Clock::system().now());
    write_note(layout, &keyring.id()).map_err(|error| cannot_create(&layout.init_note(), &error))?;
    keyring.write_new(&config.keyring)?;
    Ok(keyring)
}

/// Writes the note, which is done before the keyring is created. If root does it, the note is given to the owner of the
/// folder at once.
fn write_note(layout: &Layout, id: &str) -> std::io::Result<()> {
    let path = layout.init_note();
    remove_if_exists(&path)?;
    // `create_new` does not follow a link that another user may have put there.
    let mut note = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path)?;
    let folder = std::fs::File::open(layout.root())?;
    let owner = folder.metadata()?;
    std::os::unix::fs::fchown(&note, Some(owner.uid()), Some(owner.gid()))?;
    note.write_all(id.as_bytes())?;
    note.sync_all()?;
    folder.sync_all()
}

/// Creates the database with its identity. It has a temporary name until it is complete. Answers the link for the first
/// operator.
fn create_database(config: &Config, keyring: Keyring, layout: &Layout, rng: &mut Rng) -> Result<String, Failure> {
    let (unfinished, live) = (layout.unfinished(), layout.live());
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut leftover = unfinished.clone().into_os_string();
        leftover.push(ending);
        remove_if_exists(Path::new(&leftover)).map_err(|error| cannot_create(&unfinished, &error))?;
    }
    let site = Arc::new(db::Site { config: config.clone(), keyring });
    let region = config.region.clone();
    let link = db::make_file(&unfinished, &site, &Clock::system(), rng, |tx| {
        db::stamp(tx, &region)?;
        signin::claim_link(tx)
    })
    .map_err(|error: SigninError| Failure::from(Problem::from(error)))?;
    std::fs::rename(&unfinished, &live)
        .and_then(|()| std::fs::File::open(layout.live_dir())?.sync_all())
        .map_err(|error| cannot_create(&live, &error))?;
    db::record_owner(layout).map_err(|error| Failure::configuration(format!("{error}.")))?;
    Ok(link)
}

fn remove_if_exists(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn create_folder(folder: &Path) -> Result<(), Failure> {
    let outcome = if folder.is_dir() {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
    } else {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
    };
    outcome.map_err(|error| cannot_create(folder, &error))
}

fn cannot_create(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::configuration(format!(
        "{} cannot be created: {error}. Create it, give it to the user that runs the server, and try again.",
        folder.display()
    ))
}
