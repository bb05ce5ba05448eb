//! Opens the appliance for a command: the same files as the server, beside it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{Gid, Uid};

use super::arguments::Common;
use super::failure::Failure;
use crate::accounts::{self, Account};
use crate::app::{App, Opening};
use crate::base::{Clock, Problem, Rng, Secret};
use crate::config::Config;
use crate::crypto::Keyring;
use crate::db::{self, Layout};
use crate::privacy;
use crate::workspaces::{self, Workspace};

/// Reads the configuration with the environment over it.
pub(super) fn config(common: &Common) -> Result<Config, Failure> {
    Ok(Config::load(&common.config, &environment(std::env::vars_os())?)?)
}

/// The variables that are settings. Others may be any bytes: they are none of our business.
fn environment(all: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>, Failure> {
    // `DOMICILE_CONFIG` is a path, which is what its bytes are; the command line has read it.
    let ours = all.filter(|(name, _)| name.as_encoded_bytes().starts_with(b"DOMICILE_") && name != "DOMICILE_CONFIG");
    ours.map(|(name, value)| match (name.to_str(), value.to_str()) {
        (Some(name), Some(value)) => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::configuration(format!(
            "the variable {} is not UTF-8. Write it in UTF-8, or take it out of the environment.",
            name.display()
        ))),
    })
    .collect()
}

/// Reads the keyring, from a systemd credential where there is one.
pub(super) fn keyring(config: &Config) -> Result<Keyring, Failure> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let path = Keyring::locate(&config.keyring, credentials.as_deref());
    let is_credential = credentials.is_some_and(|folder| path.starts_with(folder));
    Ok(Keyring::load(&path, is_credential)?)
}

/// Where the keyring is that a command may change: never a systemd credential, which is a copy.
pub(super) fn keyring_to_change(config: &Config) -> Result<PathBuf, Failure> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let path = Keyring::locate(&config.keyring, credentials.as_deref());
    if credentials.is_some_and(|folder| path.starts_with(folder)) {
        return Err(Failure::refused(
            "the keyring is a systemd credential, a copy of the file that [keyring] names. Run the command outside of the service.",
        ));
    }
    Ok(path)
}

/// Root reads the keyring and then becomes the owner of the data folder, so that no file there is ever root's. Anybody
/// else stays who they are.
pub(super) fn become_owner(data_dir: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let Ok(folder) = std::fs::metadata(data_dir) else { return Ok(()) };
    let (user, group) = (Uid::from_raw(folder.uid()), Gid::from_raw(folder.gid()));
    if user.is_root() {
        return Ok(());
    }
    let told =
        |error: nix::Error| Failure::refused(format!("cannot become the owner of {}: {error}.", data_dir.display()));
    nix::unistd::setgroups(&[group]).map_err(told)?;
    nix::unistd::setgid(group).map_err(told)?;
    nix::unistd::setuid(user).map_err(told)
}

/// Opens the appliance of the configuration.
pub(super) fn open(common: &Common) -> Result<Arc<App>, Failure> {
    let config = config(common)?;
    let keyring = keyring(&config)?;
    become_owner(&config.data_dir)?;
    open_with(config, keyring, Box::new(|_| ()))
}

/// Opens the appliance from settings at hand.
pub(super) fn open_with(
    config: Config,
    keyring: Keyring,
    on_fatal: Box<dyn Fn(&db::Error) + Send>,
) -> Result<Arc<App>, Failure> {
    can_write(&config)?;
    Ok(App::open(Opening { config, keyring, clock: Clock::System, rng: Rng::system(), on_fatal })?)
}

/// Looks whether [`open_with`] and the server would refuse, and changes nothing.
pub(super) fn examine(config: Config, keyring: Keyring) -> Result<(), Failure> {
    can_write(&config)?;
    let layout = Layout::new(&config.data_dir);
    let found = App::examine(config, keyring, Clock::System.now())?;
    Ok(privacy::tombstones::check(&found.view(), &layout)?)
}

/// Whether there is anything of an appliance: what cannot be looked at counts, because a new appliance could not be made
/// there.
pub(super) fn is_begun(config: &Config) -> bool {
    let layout = Layout::new(&config.data_dir);
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let keyring = Keyring::locate(&config.keyring, credentials.as_deref());
    [keyring, layout.live(), layout.snapshot()].iter().any(|path| path.try_exists().unwrap_or(true))
}

/// SQLite would only say "unable to open database file"; the admin needs to know which folder and why.
fn can_write(config: &Config) -> Result<(), Failure> {
    use nix::unistd::{AccessFlags, access};
    let layout = Layout::new(&config.data_dir);
    let told = |path: &Path, error: nix::Error| {
        Failure::configuration(format!(
            "{} cannot be written: {}. Mount it writable, or give it to the person who runs the server: chown -R domicile: {}",
            path.display(),
            error.desc(),
            layout.root().display()
        ))
    };
    let needed = [layout.live_dir(), layout.live(), layout.lock(), layout.root().to_owned()];
    for path in needed.iter().filter(|path| path.exists()) {
        access(path, AccessFlags::W_OK).map_err(|error| told(path, error))?;
    }
    Ok(())
}

/// The account behind an id, username or address, with its workspace.
pub(super) fn find_account(app: &App, name: &str) -> Result<(Account, Workspace), Failure> {
    let nobody =
        || Failure::refused(format!("there is no account \"{name}\". `domicile account list` shows who there is."));
    let wanted = name.to_owned();
    let found = app.store().read_blocking(move |view| {
        let Some(account) = accounts::find_by_name(view, &wanted)? else { return Ok(None) };
        let workspace = workspaces::personal(view, account.id)?;
        Ok::<_, db::Error>(workspace.map(|workspace| (account, workspace)))
    });
    found.map_err(Problem::from)?.ok_or_else(nobody)
}

/// One line from standard input, without its end.
pub(super) fn secret_from_stdin(what: &str) -> Result<Secret<String>, Failure> {
    use std::io::Read;
    let mut text = String::new();
    std::io::stdin()
        .take(64 * 1024)
        .read_to_string(&mut text)
        .map_err(|error| Failure::refused(format!("the {what} could not be read from standard input: {error}.")))?;
    let trimmed = text.strip_suffix('\n').unwrap_or(&text);
    let trimmed = trimmed.strip_suffix('\r').unwrap_or(trimmed);
    Ok(Secret::new(trimmed.to_owned()))
}
