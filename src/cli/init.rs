//! `domicile init`: the keyring, the database, the region, the first operator's link.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use super::arguments::Common;
use super::failure::Failure;
use super::house;
use crate::base::{Chance, Clock, Problem};
use crate::config::Config;
use crate::crypto::Keyring;
use crate::db::{self, Layout};
use crate::signin;

pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let config = house::config(common)?;
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
pub(super) fn make(config: &Config) -> Result<String, Failure> {
    let layout = Layout::of(&config.data_dir);
    if layout.live().exists() || layout.snapshot().exists() {
        return Err(Failure::refused(format!(
            "{} holds an appliance already, and nothing is overwritten. Start it with `domicile serve`, or name another data_dir.",
            config.data_dir.display()
        )));
    }
    if config.keyring.exists() {
        return Err(crate::crypto::KeyringError::Exists(config.keyring.clone()).into());
    }
    make_folder(&config.data_dir)?;
    if let Some(folder) = config.keyring.parent() {
        std::fs::create_dir_all(folder).map_err(|error| cannot_make(folder, &error))?;
    }
    let mut chance = Chance::system();
    let keyring = Keyring::generate(&mut chance, Clock::System.now());
    keyring.write_new(&config.keyring)?;
    // From here on as the owner of the folder: the database must not be root's.
    house::become_owner(&config.data_dir)?;
    for folder in [layout.live_dir(), layout.exports()] {
        make_folder(&folder)?;
    }
    // The lock of `serve` is made here, so that a start that is refused writes nothing.
    std::fs::File::create(layout.lock()).map_err(|error| cannot_make(&layout.lock(), &error))?;
    let problem = |error: db::Error| Failure::from(Problem::from(error));
    db::migrate_file(&layout.live(), &keyring.database_key_pragma()).map_err(problem)?;
    let region = config.region.clone();
    let store = db::Store::open(
        layout,
        std::sync::Arc::new(db::Site { config: config.clone(), keyring }),
        Clock::System,
        chance,
        |_| (),
        |_| (),
    )
    .map_err(problem)?;
    store
        .write_and_wait(move |tx| {
            db::stamp(tx, &region)?;
            signin::claim_link(tx)
        })
        .map_err(problem)
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
