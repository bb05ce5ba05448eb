//! The files of a data folder.

use std::path::{Path, PathBuf};

/// The paths of the files in a data folder (contract section 2).
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout under `data_dir`.
    pub fn new(data_dir: &Path) -> Self {
        Self { root: data_dir.to_owned() }
    }

    /// The data folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the live database. Backups must not copy it.
    pub fn live_dir(&self) -> PathBuf {
        self.root.join("live")
    }

    /// The live database.
    pub fn live(&self) -> PathBuf {
        self.live_dir().join("live.sqlite")
    }

    /// The write-ahead log of the live database.
    pub fn log(&self) -> PathBuf {
        self.live_dir().join("live.sqlite-wal")
    }

    /// Whether there is a write-ahead log: the last process that closes the database removes it.
    pub fn has_log(&self) -> bool {
        self.log().metadata().is_ok_and(|metadata| metadata.len() > 0)
    }

    /// The live database while `init` creates it.
    pub fn unfinished(&self) -> PathBuf {
        self.live_dir().join("unfinished.sqlite")
    }

    /// The file that names the keyring of an `init` that has begun. `init` removes it at its end.
    pub fn init_note(&self) -> PathBuf {
        self.root.join("init.unfinished")
    }

    /// The lock file of the one server on this folder.
    pub fn lock(&self) -> PathBuf {
        self.live_dir().join("server.lock")
    }

    /// The lock file of every process that has the live database open. A restore takes it alone.
    pub fn users_lock(&self) -> PathBuf {
        self.live_dir().join("users.lock")
    }

    /// The file that says which file the live database is; see [`super::ownership`].
    pub fn owner(&self) -> PathBuf {
        self.live_dir().join("owner")
    }

    /// The file that says how far the live database goes.
    pub fn head_note(&self) -> PathBuf {
        self.live_dir().join("head")
    }

    /// The file that describes a restore that has begun. The restore removes it at its end.
    pub fn restore_note(&self) -> PathBuf {
        self.root.join("restore.unfinished")
    }

    /// The published snapshot, which backup jobs copy.
    pub fn snapshot(&self) -> PathBuf {
        self.root.join("domicile.sqlite")
    }

    /// The manifest of the snapshot, readable without the key.
    pub fn manifest(&self) -> PathBuf {
        self.root.join("domicile.sqlite.json")
    }

    /// The erasure journal.
    pub fn tombstones(&self) -> PathBuf {
        self.root.join("tombstones.jsonl")
    }

    /// The lock file of the process that publishes a snapshot.
    pub fn snapshot_lock(&self) -> PathBuf {
        self.live_dir().join("snapshot.lock")
    }

    /// The lock file of the process that writes the erasure journal.
    pub fn tombstones_lock(&self) -> PathBuf {
        self.live_dir().join("tombstones.lock")
    }

    /// The file of all checkpoints of the audit.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("audit").join("checkpoints")
    }

    /// The lock file of the process that writes the file of all checkpoints.
    pub fn checkpoints_lock(&self) -> PathBuf {
        self.live_dir().join("checkpoints.lock")
    }

    /// The lock file of the process that brings the database to a newer schema.
    pub fn upgrade_lock(&self) -> PathBuf {
        self.live_dir().join("upgrade.lock")
    }

    /// The folder of the copies on which an upgrade is tried. An upgrade removes what another one left there.
    pub fn upgrade_trial(&self) -> PathBuf {
        self.live_dir().join("upgrade.unfinished")
    }

    /// The folder in which a restore drill is made. It is removed afterwards; the next drill removes what a killed one left.
    pub fn drill(&self) -> PathBuf {
        self.root.join("drill.unfinished")
    }

    /// The lock file of the process that makes a restore drill.
    pub fn drill_lock(&self) -> PathBuf {
        self.live_dir().join("drill.lock")
    }

    /// All lock files. They are made with the folder, so that a command that is refused writes nothing.
    pub fn lock_files(&self) -> [PathBuf; 7] {
        [
            self.lock(),
            self.users_lock(),
            self.snapshot_lock(),
            self.tombstones_lock(),
            self.checkpoints_lock(),
            self.upgrade_lock(),
            self.drill_lock(),
        ]
    }

    /// The command that replaces a damaged live database, for sentences to the operator.
    pub fn restore_command(&self) -> String {
        match self.snapshot() {
            snapshot if snapshot.exists() => format!("domicile restore {} --replace", snapshot.display()),
            _ => "domicile restore FILE --replace, with the domicile.sqlite of a backup.".into(),
        }
    }

    /// Finished exports.
    pub fn exports(&self) -> PathBuf {
        self.root.join("exports")
    }
}
