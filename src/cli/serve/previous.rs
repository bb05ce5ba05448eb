//! The program from before an upgrade of the package. It serves again if the new one cannot upgrade the database.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::context;
use super::super::failure::{Exit, Failure};
use crate::app::App;
use crate::base::Clock;
use crate::config::Config;
use crate::crypto::Keyring;
use crate::db::MIGRATIONS_COUNT;

/// Where the package keeps it, from the folder `bin` of this program.
const PLACE: &str = "lib/domicile/previous";
/// Set for the program from before, so that two programs never start each other. Not `DOMICILE_…`, which would be a setting.
const STARTED_BY_NEWER: &str = "SERVES_FOR_A_NEWER_DOMICILE";

/// The program from before, and what tells whether it is needed.
pub(super) struct Previous {
    program: PathBuf,
    config: Config,
    keyring: Keyring,
}

impl Previous {
    /// `None`: there is none, or this process is one.
    pub(super) fn find(config: &Config) -> Result<Option<Self>, Failure> {
        let Some(program) = program().filter(|_| std::env::var_os(STARTED_BY_NEWER).is_none()) else { return Ok(None) };
        Ok(Some(Self { program, config: config.clone(), keyring: context::keyring(config)? }))
    }

    /// Becomes the program from before if `failure` left the database with an earlier schema. Otherwise, and if that fails,
    /// answers the failure. The process stays the same one: systemd, its sockets and its credentials do not notice.
    pub(super) fn serve_instead(self, failure: Failure) -> Failure {
        let Self { program, config, keyring } = self;
        match failure.exit {
            Exit::Configuration => {}
            // A server that ran, or damage: another program would not help.
            Exit::Refused | Exit::Damage | Exit::Io => return failure,
        }
        let copy = App::check(config, keyring, Clock::system().now()).ok();
        let schema = copy.and_then(|copy| copy.schema_version().ok());
        let Some(schema) = schema.filter(|schema| *schema < MIGRATIONS_COUNT) else { return failure };
        tracing::error!(
            "{failure} The version from before serves meanwhile, with schema {schema}. When the cause is mended, run: systemctl restart domicile"
        );
        let error =
            Command::new(&program).args(std::env::args_os().skip(1)).env(STARTED_BY_NEWER, OsStr::new("1")).exec();
        tracing::error!(%error, "{} could not be started.", program.display());
        failure
    }
}

fn program() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let previous = own.parent()?.parent()?.join(PLACE);
    (previous.is_file() && !is_same(&own, &previous)).then_some(previous)
}

/// The same file would refuse for the same reason.
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let file = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    file(one) == file(other)
}
