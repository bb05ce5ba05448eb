//! The disk of the data folder: a database needs a disk of this machine, with locks that hold and data that stay.

use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};

use crate::db::{self, DiskSpace, Error, Layout};

/// The fewest files that can still be created. Each snapshot, copy and commit needs some.
const FILES_MIN: u64 = 100;

/// What is to be said about a file system. The texts are its type, such as `ext4`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSystemVerdict {
    /// It is on a disk of this machine.
    Good(String),
    /// Nothing can be written.
    ReadOnly,
    /// All data are lost at the next restart of the machine.
    InMemory(String),
    /// It is on another machine, where locks and writes are not reliable.
    Remote(String),
    /// The system does not say where the folder is.
    Unknown,
}

/// Judges the file system of a folder.
pub fn judge_file_system(folder: &Path) -> FileSystemVerdict {
    if statvfs(folder).is_ok_and(|disk| disk.flags().contains(FsFlags::ST_RDONLY)) {
        return FileSystemVerdict::ReadOnly;
    }
    let Ok(real) = std::fs::canonicalize(folder) else { return FileSystemVerdict::Unknown };
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    kind_of(&real, &mounts).map_or(FileSystemVerdict::Unknown, judge_kind)
}

fn judge_kind(kind: String) -> FileSystemVerdict {
    match kind.as_str() {
        "tmpfs" | "ramfs" => FileSystemVerdict::InMemory(kind),
        "cifs" | "smb3" | "fuse.sshfs" | "9p" => FileSystemVerdict::Remote(kind),
        nfs if nfs.starts_with("nfs") => FileSystemVerdict::Remote(kind),
        _ => FileSystemVerdict::Good(kind),
    }
}

/// The type of the file system of `path`, from `/proc/self/mounts`: of the longest mount point that contains it.
fn kind_of(path: &Path, mounts: &str) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let point = PathBuf::from(fields.next()?.replace("\\040", " "));
        Some((point, fields.next()?.to_owned()))
    });
    // The last of several mounts on one point counts.
    mounts
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.as_os_str().len())
        .map(|(_, kind)| kind)
}

/// What is to be said about the space on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskVerdict {
    /// There are bytes for this.
    Space(DiskSpace),
    /// Only so many more files can be created, however many bytes there are.
    FewFiles(u64),
}

/// Judges the disk of the data folder. Also answers the bytes of the database and the free bytes.
///
/// # Errors
/// [`Error::File`].
pub fn judge_disk(layout: &Layout) -> Result<(DiskVerdict, u64, u64), Error> {
    let (database, free) = (db::database_bytes(layout), db::free_bytes(layout.root())?);
    // Some file systems have no table of files, and say zero.
    let files = statvfs(layout.root()).ok().filter(|disk| disk.files() > 0).map(|disk| disk.files_available());
    let verdict = match files.filter(|files| *files < FILES_MIN) {
        Some(files) => DiskVerdict::FewFiles(files),
        None => DiskVerdict::Space(DiskSpace::new(database, free)),
    };
    Ok((verdict, database, free))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_and_last_mount_counts() {
        let mounts = "/dev/sda1 / ext4 rw 0 0\ntmpfs /var/lib tmpfs rw 0 0\nserver:/x /var/lib nfs4 rw 0 0\n/dev/sdb /a\\040b xfs rw 0 0\n";
        let kind = |path: &str| kind_of(Path::new(path), mounts).unwrap();

        assert_eq!(kind("/home"), "ext4");
        assert_eq!(kind("/var/lib/domicile"), "nfs4");
        assert_eq!(kind("/var/library"), "ext4");
        assert_eq!(kind("/a b/c"), "xfs");
        assert_eq!(kind_of(Path::new("/x"), ""), None);
    }

    #[test]
    fn memory_and_other_machines_are_no_place_for_a_database() {
        let judged = |kind: &str| judge_kind(kind.to_owned());

        assert_eq!(judged("btrfs"), FileSystemVerdict::Good("btrfs".into()));
        for kind in ["tmpfs", "ramfs"] {
            assert_eq!(judged(kind), FileSystemVerdict::InMemory(kind.into()));
        }
        for kind in ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"] {
            assert_eq!(judged(kind), FileSystemVerdict::Remote(kind.into()));
        }
    }
}
