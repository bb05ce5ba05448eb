//! The command line: what works, and what is refused with a sentence that names the cause and the fix.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::support::{Appliance, CommandOutput, PASSWORD};

mod audit;
mod care;
mod changes;
pub mod commands;
mod cures;
mod doctor;
mod init;
mod invitations;
mod mail;
mod manual;
mod output;
mod refusals;
mod reload;
mod starts;

/// All files under `folder` with their bytes and modes. A refused command must not change them.
fn contents(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let read = |path: PathBuf| {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        let bytes = std::fs::read(&path).unwrap();
        (path, (mode, bytes))
    };
    crate::architecture::every_file_under(folder).into_iter().map(read).collect()
}

/// Checks that a command is refused: its status, words of its sentence, and that no file changed.
#[track_caller]
pub fn refused(site: &Appliance, arguments: &[&str], status: i32, words: &[&str]) -> CommandOutput {
    let before = contents(site.folder());
    let output = site.run(arguments);
    assert_eq!(output.status, status, "{output:?}");
    assert_eq!(output.stdout, "", "{output:?}");
    for word in words {
        assert!(output.stderr.contains(word), "{word:?} is not in: {}", output.stderr);
    }
    let after = contents(site.folder());
    let changed: Vec<_> =
        after.iter().filter(|(path, file)| before.get(*path) != Some(file)).map(|(path, _)| path).collect();
    assert!(changed.is_empty() && after.len() == before.len(), "{arguments:?} changed {changed:?}");
    output
}

/// Opens the live database as an independent reader does.
fn open_live(site: &Appliance) -> Connection {
    let key = site.run(&["keyring", "show-database-key"]).ok();
    let connection = Connection::open(site.data().join("live/live.sqlite")).unwrap();
    connection.execute_batch(&format!("pragma key = \"x'{key}'\"")).unwrap();
    connection
}
