//! Restore: what was backed up serves again, what had ended stays ended, and what cannot be restored is refused by name.

mod backups;
mod checkpoints;
mod crashes;
mod effects;
mod histories;
mod notice;
mod places;
mod plans;
mod refusals;
mod watermark;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Appliance, CommandOutput};

/// Copies of the files that a backup job takes, and of the keyring.
struct Backup {
    folder: tempfile::TempDir,
}

impl Backup {
    /// Publishes a snapshot and takes it with the journal, as a backup job does.
    fn of(site: &Appliance) -> Self {
        site.run(&["snapshot", "now"]).ok();
        Self::as_it_is(site)
    }

    /// Takes the published files as they are.
    fn as_it_is(site: &Appliance) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["domicile.sqlite", "domicile.sqlite.json", "tombstones.jsonl"] {
            std::fs::copy(site.data().join(name), folder.path().join(name)).unwrap();
        }
        std::fs::copy(site.keyring(), folder.path().join("keyring")).unwrap();
        Self { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("domicile.sqlite")
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("tombstones.jsonl")
    }

    fn keyring(&self) -> PathBuf {
        self.folder.path().join("keyring")
    }

    /// A machine with only settings and keyring.
    fn bare_machine(&self) -> Appliance {
        let site = Appliance::configured("");
        std::fs::copy(self.keyring(), site.keyring()).unwrap();
        site
    }
}

fn restore(site: &Appliance, file: &Path, options: &[&str]) -> CommandOutput {
    let mut arguments = vec!["restore", file.to_str().unwrap()];
    arguments.extend(options);
    site.run(&arguments)
}

/// Restores, which must succeed. Answers the result.
#[track_caller]
fn restored(site: &Appliance, file: &Path, options: &[&str]) -> Value {
    let mut options = options.to_vec();
    options.push("--json");
    serde_json::from_str(&restore(site, file, &options).ok()).unwrap()
}

/// Whether the server accepts the key.
fn accepts(site: &Appliance, key: &str) -> bool {
    let answer = site.call("GET", "/v1/forward-auth").bearer(key).header("x-forwarded-method", "GET");
    let answer = answer.header("x-forwarded-uri", "/models").send();
    answer.status == 200
}

/// The folders with data that restores replaced.
fn replaced(site: &Appliance) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(site.data()).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> =
        entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("before-restore-")).collect();
    folders.sort_unstable();
    folders
}
