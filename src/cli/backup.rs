//! `domicile backup`.

use std::fs::{DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::OFlag;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::arguments::Common;
use super::context;
use super::failure::{Exit, Failure};
use super::output::out;
use crate::base::file_cure;
use crate::db::Layout;

/// How often the snapshot is copied again, if another one was published meanwhile.
const ATTEMPTS_MAX: u32 = 5;
/// Bytes that are copied at once.
const BLOCK_BYTES: usize = 1 << 20;

/// Publishes a snapshot, then copies it. The snapshot is published by a process of its own, which becomes the owner of
/// the data folder: this process must keep the right to write into the destination, and only reads the data folder.
pub(super) fn run(common: &Common, dest: &Path) -> Result<(), Failure> {
    let config = context::config(common)?;
    let layout = Layout::new(&config.data_dir);
    let target = Target::new(&layout, dest)?;
    let published = publish(common)?;
    // The journal before the snapshot: an old snapshot with a newer journal is good, the reverse is not.
    let journal = match &target.folder {
        Some(folder) => Some(copy_journal(&layout, folder, &published)?),
        None => None,
    };
    let manifest = copy_snapshot(&layout, &target, published)?;
    // Last, because they prove the more, the newer they are.
    let checkpoints = match &target.folder {
        Some(folder) => copy_checkpoints(&layout, folder)?,
        None => None,
    };
    sync_folder(&target.parent)?;
    if common.json {
        out!(
            "{}",
            json!({
                "snapshot": target.file,
                "journal": journal,
                "checkpoints": checkpoints,
                "made_at": manifest["made_at"],
                "audit_seq": manifest["audit_seq"],
                "bytes": manifest["bytes"],
                "sha256": manifest["sha256"],
            })
        )?;
    } else {
        out!("{}", target.file.display())?;
        for path in journal.into_iter().chain(checkpoints) {
            out!("{}", path.display())?;
        }
    }
    Ok(())
}

/// Where the copies go.
struct Target {
    /// `None`: the destination is a file.
    folder: Option<PathBuf>,
    /// The folder of the snapshot.
    parent: PathBuf,
    /// The snapshot.
    file: PathBuf,
}

impl Target {
    fn new(layout: &Layout, dest: &Path) -> Result<Self, Failure> {
        let is_folder = dest.is_dir() || dest.as_os_str().to_string_lossy().ends_with('/');
        let parent = match dest.parent() {
            _ if is_folder => dest,
            None => return Err(Failure::refused("the destination has no folder. Name a folder or a file.")),
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
        };
        if is_folder {
            std::fs::create_dir_all(dest).map_err(|error| cannot_write(dest, &error))?;
        }
        // Otherwise the copy would replace the files of the appliance.
        let real = std::fs::canonicalize(parent).map_err(|error| cannot_write(parent, &error))?;
        if std::fs::canonicalize(layout.root()).is_ok_and(|root| real.starts_with(root)) {
            return Err(Failure::refused(format!(
                "{} is inside the data folder. Name another folder, best on another machine.",
                dest.display()
            )));
        }
        let file = if is_folder { dest.join("domicile.sqlite") } else { dest.to_owned() };
        Ok(Self { folder: is_folder.then(|| dest.to_owned()), parent: parent.to_owned(), file })
    }
}

/// Runs `domicile snapshot now`. Answers the manifest.
fn publish(common: &Common) -> Result<Value, Failure> {
    let failure =
        |error: &dyn std::fmt::Display| Failure::refused(format!("the snapshot could not be started: {error}."));
    let program = std::env::current_exe().map_err(|error| failure(&error))?;
    let output = Command::new(program)
        .args(["snapshot", "now", "--json", "--config"])
        .arg(&common.config)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failure(&error))?;
    if output.status.success() {
        return serde_json::from_slice(&output.stdout).map_err(|error| failure(&error));
    }
    let failure = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
    let sentence = failure["error"].as_str().unwrap_or("the snapshot could not be published.");
    let exit = match output.status.code() {
        Some(2) => Exit::Configuration,
        Some(3) => Exit::Damage,
        _ => Exit::Refused,
    };
    Err(Failure::new(exit, sentence))
}

/// Copies the published snapshot, and compares the copy with the manifest. Answers the manifest.
fn copy_snapshot(layout: &Layout, target: &Target, published: Value) -> Result<Value, Failure> {
    let mut manifest = published;
    for _ in 0..ATTEMPTS_MAX {
        let copy = Unfinished::create(&target.file)?;
        let sha256 = copy.fill(&layout.snapshot())?;
        if manifest["sha256"] == hex::encode(sha256) {
            copy.finish(&target.file)?;
            if let Some(folder) = &target.folder {
                let path = folder.join("domicile.sqlite.json");
                let copy = Unfinished::create(&path)?;
                copy.write(format!("{manifest:#}\n").as_bytes())?;
                copy.finish(&path)?;
            }
            return Ok(manifest);
        }
        // Another snapshot was published meanwhile, which is newer.
        let text =
            std::fs::read_to_string(layout.manifest()).map_err(|error| cannot_read(&layout.manifest(), &error))?;
        manifest = serde_json::from_str(&text).unwrap_or(manifest);
    }
    Err(Failure::refused(
        "the published snapshot was replaced again and again while it was copied. Run the command again.",
    ))
}

fn copy_journal(layout: &Layout, folder: &Path, published: &Value) -> Result<PathBuf, Failure> {
    let path = folder.join("tombstones.jsonl");
    let copy = Unfinished::create(&path)?;
    // The file is made with its first line. Until then, an empty one says that nothing is missing.
    if layout.tombstones().exists() || published["tombstone_seq"] != 0 {
        copy.fill(&layout.tombstones())?;
    }
    copy.finish(&path)?;
    Ok(path)
}

/// Copies the file of all checkpoints, into a folder as in the data folder. `None`: there is no checkpoint yet.
fn copy_checkpoints(layout: &Layout, folder: &Path) -> Result<Option<PathBuf>, Failure> {
    if !layout.checkpoints().exists() {
        return Ok(None);
    }
    let folder = folder.join("audit");
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(|error| cannot_write(&folder, &error))?;
    let path = folder.join("checkpoints");
    let copy = Unfinished::create(&path)?;
    copy.fill(&layout.checkpoints())?;
    copy.finish(&path)?;
    sync_folder(&folder)?;
    Ok(Some(path))
}

/// A file that gets its name when it is complete. Removed when it is dropped before.
struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Unfinished {
    fn create(target: &Path) -> Result<Self, Failure> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.{}", std::process::id()));
        let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&path);
        Ok(Self { file: file.map_err(|error| cannot_write(&path, &error))?, path })
    }

    /// Copies the file `from`. Answers its SHA-256.
    fn fill(&self, from: &Path) -> Result<[u8; 32], Failure> {
        // Not through a link, because root may read what the owner of the data folder may not.
        let options = File::options().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(from);
        let mut source = options.map_err(|error| cannot_read(from, &error))?;
        let mut hash = Sha256::new();
        let mut block = vec![0u8; BLOCK_BYTES];
        loop {
            match source.read(&mut block).map_err(|error| cannot_read(from, &error))? {
                0 => return Ok(hash.finalize().into()),
                read => {
                    hash.update(&block[..read]);
                    self.write(&block[..read])?;
                }
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        (&self.file).write_all(bytes).map_err(|error| cannot_write(&self.path, &error))
    }

    fn finish(&self, target: &Path) -> Result<(), Failure> {
        let outcome = self.file.sync_all().and_then(|()| std::fs::rename(&self.path, target));
        outcome.map_err(|error| cannot_write(target, &error))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It is not there any more if it has its name.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn sync_folder(folder: &Path) -> Result<(), Failure> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| cannot_write(folder, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::refused(format!(
        "{} cannot be written: {error}. {} Then run the command again.",
        path.display(),
        file_cure(path, error)
    ))
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    let cure = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "Run the command as root.".to_owned(),
        _ => file_cure(path, error),
    };
    Failure::refused(format!("{} cannot be read: {error}. {cure}", path.display()))
}
