//! The command line: what works, and what is refused with a sentence that names the cause and the cure.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::support::{Appliance, PASSWORD, Ran};

mod changes;
mod invitations;
mod refusals;
mod starts;

/// Every file under `folder` with its bytes and mode: what a refusal must leave as it was.
fn picture(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let look = |path: PathBuf| {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        let bytes = std::fs::read(&path).unwrap();
        (path, (mode, bytes))
    };
    crate::architecture::every_file_under(folder).into_iter().map(look).collect()
}

/// A refusal: its status, words of its sentence, and that nothing changed.
#[track_caller]
fn refused(site: &Appliance, arguments: &[&str], status: i32, words: &[&str]) -> Ran {
    let before = picture(site.folder());
    let ran = site.run(arguments);
    assert_eq!(ran.status, status, "{ran:?}");
    assert_eq!(ran.stdout, "", "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{word:?} is not in: {}", ran.stderr);
    }
    let after = picture(site.folder());
    let changed: Vec<_> =
        after.iter().filter(|(path, file)| before.get(*path) != Some(file)).map(|(path, _)| path).collect();
    assert!(changed.is_empty() && after.len() == before.len(), "{arguments:?} changed {changed:?}");
    ran
}

/// The live database, opened as an independent reader does.
fn open_live(site: &Appliance) -> Connection {
    let key = site.run(&["keyring", "show-database-key"]).ok();
    let connection = Connection::open(site.data().join("live/live.sqlite")).unwrap();
    connection.execute_batch(&format!("pragma key = \"x'{key}'\"")).unwrap();
    connection
}
