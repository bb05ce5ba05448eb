//! Opens the appliance for a command. It uses the same files as the server, which may run at the same time.

use std::ffi::OsString;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{Gid, Uid};

use super::arguments::Common;
use super::failure::Failure;
use super::output::tell;
use super::unit;
use crate::accounts::{self, Account};
use crate::app::{App, AppOptions, OpenError};
use crate::base::{Clock, Problem, Rng, Secret};
use crate::config::{Config, DEFAULT_PATH};
use crate::crypto::{Keyring, KeyringError};
use crate::db::{self, Layout};
use crate::journal::{Extent, JournalFile};
use crate::maintenance::{self, UpgradeBy};
use crate::privacy::{self, PendingErasure};
use crate::restore::{self, Recovered};
use crate::snapshots;
use crate::workspaces::{self, Workspace};

/// Reads the configuration, overridden by the environment.
pub(super) fn config(common: &Common) -> Result<Config, Failure> {
    let environment = settings_of_environment()?;
    if common.config == Path::new(DEFAULT_PATH) {
        tell_settings_of_the_unit(&environment);
    }
    Ok(Config::load(&common.config, &environment)?)
}

/// The settings in the environment of this process.
pub(super) fn settings_of_environment() -> Result<Vec<(String, String)>, Failure> {
    environment(std::env::vars_os())
}

/// Says which settings the server of the package has and this command does not, because only its unit gives them.
fn tell_settings_of_the_unit(environment: &[(String, String)]) {
    let is_known = |name: &str| environment.iter().any(|(own, _)| own == name);
    for setting in unit::unknown_settings(Path::new("/"), is_known) {
        tell!(
            "Warning: {} sets {} for the server only; this command does not have it. Write it into the settings file, where both read it.",
            setting.file.display(),
            setting.name
        );
    }
}

/// The variables that are settings. Other variables are ignored and may contain any bytes.
fn environment(all: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>, Failure> {
    // `DOMICILE_CONFIG` is a path and may contain any bytes. clap has read it already.
    let settings =
        all.filter(|(name, _)| name.as_encoded_bytes().starts_with(b"DOMICILE_") && name != "DOMICILE_CONFIG");
    settings
        .map(|(name, value)| match (name.to_str(), value.to_str()) {
            (Some(name), Some(value)) => Ok((name.to_owned(), value.to_owned())),
            _ => Err(Failure::configuration(format!(
                "the environment variable {} is not UTF-8. Write it in UTF-8, or unset it.",
                name.display()
            ))),
        })
        .collect()
}

/// What the unit passes if there is no keyring (`SetCredential=`).
const NO_KEYRING: &[u8] = b"missing";

/// Reads the keyring, from a systemd credential if there is one.
pub(super) fn keyring(config: &Config) -> Result<Keyring, Failure> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let path = Keyring::locate(&config.keyring, credentials.as_deref());
    let is_credential = credentials.is_some_and(|folder| path.starts_with(folder));
    // The unit passes a word instead if there is no keyring, so that the service starts and says so.
    if is_credential && std::fs::read(&path).is_ok_and(|credential| credential == NO_KEYRING) {
        return Err(KeyringError::Missing(config.keyring.clone()).into());
    }
    Ok(Keyring::load(&path, is_credential)?)
}

/// The path of the keyring that a command may change. Never a systemd credential, because that is a copy.
pub(super) fn writable_keyring_path(config: &Config) -> Result<PathBuf, Failure> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let path = Keyring::locate(&config.keyring, credentials.as_deref());
    if credentials.is_some_and(|folder| path.starts_with(folder)) {
        return Err(Failure::refused(
            "the keyring is a systemd credential, which is a copy of the keyring file in the settings. Run the command outside the service.",
        ));
    }
    Ok(path)
}

/// If this process is root, changes it to the owner of the data folder, so that no file there ever belongs to root.
/// Root must read the keyring before. Other users do not change.
pub(super) fn drop_privileges(data_dir: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let Ok(folder) = std::fs::metadata(data_dir) else { return Ok(()) };
    let (user, group) = (Uid::from_raw(folder.uid()), Gid::from_raw(folder.gid()));
    if user.is_root() {
        return Ok(());
    }
    let failure =
        |error: nix::Error| Failure::refused(format!("cannot change to the owner of {}: {error}.", data_dir.display()));
    nix::unistd::setgroups(&[group]).map_err(failure)?;
    nix::unistd::setgid(group).map_err(failure)?;
    nix::unistd::setuid(user).map_err(failure)
}

/// Checks that the user that runs the server may read the settings, after [`drop_privileges`] has changed to that user.
pub(super) fn check_settings_readable(common: &Common) -> Result<(), Failure> {
    let path = &common.config;
    match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
        _ => return Ok(()),
    }
    let group = nix::unistd::Group::from_gid(Gid::effective()).ok().flatten();
    let group = group.map_or_else(|| Gid::effective().to_string(), |group| group.name);
    Err(Failure::configuration(format!(
        "{file} cannot be read by the user that runs the server, which would not start. Nothing was changed. Run: chown root:{group} {file} && chmod 640 {file}",
        file = path.display()
    )))
}

/// The appliance, open for a command. At the end, it is noted how far the database goes.
pub(super) struct OpenAppliance {
    app: Arc<App>,
    /// [`db::Store::content`] when it was opened.
    content: u64,
}

impl Deref for OpenAppliance {
    type Target = Arc<App>;

    fn deref(&self) -> &Arc<App> {
        &self.app
    }
}

impl Drop for OpenAppliance {
    fn drop(&mut self) {
        if self.app.store().content() != self.content {
            // An older note proves less, and the next command or server writes it.
            let _ = snapshots::note_head(&self.app);
        }
    }
}

/// Opens the appliance of the configuration.
pub(super) fn open(common: &Common) -> Result<OpenAppliance, Failure> {
    let config = config(common)?;
    let keyring = keyring(&config)?;
    drop_privileges(&config.data_dir)?;
    let app = open_with(config, keyring, UpgradeBy::Command, Box::new(|_| ()))?;
    let content = app.store().content();
    Ok(OpenAppliance { app, content })
}

/// Opens the appliance with these settings, and upgrades its database if that has an earlier schema.
pub(super) fn open_with(
    config: Config,
    keyring: Keyring,
    by: UpgradeBy,
    on_fatal: Box<dyn Fn(&db::Error) + Send>,
) -> Result<Arc<App>, Failure> {
    check_writable(&config)?;
    let layout = Layout::new(&config.data_dir);
    if let Some(sentence) = recover(&layout)? {
        tell!("{sentence}");
    }
    let db::Site { config, keyring } = check_placement(&layout, db::Site { config, keyring })?;
    let live = App::check(config, keyring, Clock::system().now())?;
    let (site, schema) = (live.site().clone(), live.schema_version().map_err(OpenError::Db)?);
    // Not open while the upgrade runs, so that the database has one user.
    drop(live);
    if schema < db::MIGRATIONS_COUNT {
        maintenance::upgrade(&site, &Clock::system(), &mut Rng::system(), by)?;
    }
    let app = App::open(AppOptions { site, clock: Clock::system(), rng: Rng::system(), on_fatal })?;
    restore::claim(&layout)?;
    Ok(app)
}

/// Checks that nobody put the live database in place by hand. Answers the site again.
fn check_placement(layout: &Layout, site: db::Site) -> Result<db::Site, Failure> {
    let site = Arc::new(site);
    restore::check_placement(layout, &site, Clock::system().now())?;
    // Only the check had other references, and it has ended.
    Arc::into_inner(site).ok_or_else(|| Failure::refused("the keyring is still in use."))
}

/// Completes or undoes a restore that was interrupted. Answers what it did, for the admin.
fn recover(layout: &Layout) -> Result<Option<String>, Failure> {
    if !layout.root().exists() {
        return Ok(None);
    }
    Ok(restore::recover(layout)?.map(|recovered| match recovered {
        Recovered::Completed(file) => {
            format!("The restore of {} was interrupted at its end. It is complete now.", file.display())
        }
        Recovered::Undone(file) => format!(
            "The restore of {} was interrupted. The data is as it was before; run the restore again.",
            file.display()
        ),
    }))
}

/// Checks whether [`open_with`] and the server would refuse to start. Changes nothing. Answers the erasures whose receipts
/// are not final.
pub(super) fn check_appliance(config: Config, keyring: Keyring) -> Result<Vec<PendingErasure>, Failure> {
    check_writable(&config)?;
    let layout = Layout::new(&config.data_dir);
    if let Some(file) = restore::unfinished(&layout) {
        tell!(
            "The restore of {} was interrupted, or is running. The next start completes or undoes it.",
            file.display()
        );
    }
    let db::Site { config, keyring } = check_placement(&layout, db::Site { config, keyring })?;
    let copy = App::check(config, keyring, Clock::system().now())?;
    let schema = copy.schema_version().map_err(OpenError::Db)?;
    if schema < db::MIGRATIONS_COUNT {
        // An earlier schema has other tables. The start verifies all of them, on a copy.
        tell!(
            "The database has schema {schema}. The next start upgrades it to schema {}, first on a copy.",
            db::MIGRATIONS_COUNT
        );
        return Ok(Vec::new());
    }
    JournalFile::new(&layout, &Arc::default()).verify(&copy.view(), Extent::Whole)?;
    if let Some(reminder) = maintenance::escrow_reminder(&copy.view()).map_err(OpenError::Db)? {
        tell!("Warning: {reminder}");
    }
    Ok(privacy::pending_erasures(&copy.view()).map_err(Problem::from)?)
}

/// Whether any file of an appliance exists. A path that cannot be checked counts, because a new appliance could not be
/// created there.
pub(super) fn has_files(config: &Config) -> bool {
    let layout = Layout::new(&config.data_dir);
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let keyring = Keyring::locate(&config.keyring, credentials.as_deref());
    [keyring, layout.live(), layout.snapshot()].iter().any(|path| path.try_exists().unwrap_or(true))
}

/// Checks that the data folder can be written. SQLite would only say "unable to open database file", and the admin
/// needs to know which folder and why.
fn check_writable(config: &Config) -> Result<(), Failure> {
    use nix::unistd::{AccessFlags, access};
    let layout = Layout::new(&config.data_dir);
    let failure = |path: &Path, error: nix::Error| {
        Failure::configuration(format!(
            "{} cannot be written: {}. Mount it writable, or give it to the user that runs the server: chown -R domicile: {}",
            path.display(),
            error.desc(),
            layout.root().display()
        ))
    };
    let needed = [layout.live_dir(), layout.live(), layout.lock(), layout.root().to_owned()];
    for path in needed.iter().filter(|path| path.exists()) {
        access(path, AccessFlags::W_OK).map_err(|error| failure(path, error))?;
    }
    Ok(())
}

/// The account with this id, username or address, and its workspace.
pub(super) fn find_account(app: &App, name: &str) -> Result<(Account, Workspace), Failure> {
    let not_found =
        || Failure::refused(format!("there is no account \"{name}\". `domicile account list` shows all accounts."));
    let name_to_find = name.to_owned();
    let account = app.store().read_blocking(move |view| {
        let Some(account) = accounts::find_by_name(view, &name_to_find)? else { return Ok(None) };
        let workspace = workspaces::personal(view, account.id)?;
        Ok::<_, db::Error>(workspace.map(|workspace| (account, workspace)))
    });
    account.map_err(Problem::from)?.ok_or_else(not_found)
}

/// Reads a secret from standard input, at most 64 KiB, without the line end at its end.
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
