//! Checks of this machine: settings, files, disk, memory, the unit and the server.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};

use super::Check;
use crate::cli::arguments::Common;
use crate::cli::health::{self, ServerState};
use crate::cli::{context, unit};
use crate::config::{Config, DEFAULT_PATH};
use crate::db::{self, Layout};

/// Memory of the server besides hashing passwords, in KiB.
const MEMORY_KIB: u64 = 192 << 10;
/// Passwords that are hashed at once.
const HASHES: u64 = 2;

pub(super) fn configuration(common: &Common, config: &Config) -> Check {
    match config.warnings() {
        warnings if warnings.is_empty() => Check::ok("configuration", common.config.display().to_string()),
        warnings => {
            Check::warning("configuration", warnings.join(" "), "Change these settings, then run: domicile check")
        }
    }
}

/// Settings that only the unit gives to the server, so that commands and server may not agree.
pub(super) fn unit(common: &Common) -> Check {
    if common.config != Path::new(DEFAULT_PATH) {
        return Check::skipped("unit", "the settings are not those of the package");
    }
    let found = unit::unknown_settings(Path::new("/"), |name| std::env::var_os(name).is_some());
    match &found[..] {
        [] => Check::ok("unit", "it sets nothing that commands do not know"),
        found => {
            let names: Vec<_> = found.iter().map(|one| format!("{} ({})", one.name, one.file.display())).collect();
            Check::warning(
                "unit",
                format!("only the server has these settings, not the commands: {}", names.join(", ")),
                format!("Move them into {}, where both read them.", common.config.display()),
            )
        }
    }
}

/// The settings can contain passwords of other services.
pub(super) fn settings_file(common: &Common) -> Check {
    let path = common.config.display();
    match std::fs::metadata(&common.config) {
        Err(error) => Check::failed("settings-file", format!("{path}: {error}"), "Create it with: domicile init"),
        Ok(file) if file.mode() & 0o002 != 0 => {
            Check::failed("settings-file", format!("everybody can change {path}"), format!("Run: chmod 640 {path}"))
        }
        Ok(file) if file.mode() & 0o004 != 0 => Check::warning(
            "settings-file",
            format!("everybody on this machine can read {path}, and it may contain passwords"),
            format!("Run: chmod 640 {path}"),
        ),
        Ok(_) => Check::ok("settings-file", "only its owner and group can read it"),
    }
}

pub(super) fn settings_readable(common: &Common) -> Check {
    match context::check_settings_readable(common) {
        Ok(()) => Check::ok("settings-for-the-server", "the user that runs the server can read them"),
        Err(failure) => Check::refused("settings-for-the-server", &failure),
    }
}

/// Everything in the data folder belongs to its owner, and to nobody else.
pub(super) fn files(layout: &Layout) -> Check {
    let root = layout.root();
    let folder = match std::fs::metadata(root) {
        Ok(folder) => folder,
        Err(error) => {
            return Check::failed(
                "files",
                format!("{}: {error}", root.display()),
                "Create the appliance with `domicile init`, or put a backup in place with `domicile restore FILE`.",
            );
        }
    };
    let mut paths = vec![root.to_owned()];
    for folder in [root.to_owned(), layout.live_dir()] {
        paths.extend(std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    for path in &paths {
        let Ok(file) = std::fs::symlink_metadata(path) else { continue };
        let name = path.display();
        if file.uid() != folder.uid() {
            let owner = folder.uid();
            return Check::failed(
                "files",
                format!("{name} belongs to user {}, and not to the owner of the data folder, user {owner}", file.uid()),
                format!("Run: chown -R --reference={root} {root}", root = root.display()),
            );
        }
        if !file.is_symlink() && file.mode() & 0o077 != 0 {
            return Check::failed(
                "files",
                format!("other users can use {name} (mode {:o})", file.permissions().mode() & 0o777),
                format!("Run: chmod -R go= {}", root.display()),
            );
        }
        if file.mode() & 0o600 != 0o600 {
            return Check::failed(
                "files",
                format!("their owner cannot read and write {name} (mode {:o})", file.permissions().mode() & 0o777),
                format!("Run: chmod -R u+rwX {}", root.display()),
            );
        }
    }
    Check::ok("files", format!("all files of {} belong to its owner alone", root.display()))
}

/// A database needs a disk of this machine, with locks that hold and data that stay.
pub(super) fn file_system(layout: &Layout) -> Check {
    let root = layout.root();
    let kind = file_system_of(root);
    let read_only = statvfs(root).is_ok_and(|disk| disk.flags().contains(FsFlags::ST_RDONLY));
    match kind.as_deref() {
        _ if read_only => Check::failed(
            "file-system",
            format!("{} is mounted read-only", root.display()),
            "Look for errors of the disk with `dmesg`, then mount it writable.",
        ),
        Some(kind @ ("tmpfs" | "ramfs")) => Check::failed(
            "file-system",
            format!("{} is in memory ({kind}): all data are lost at the next restart of the machine", root.display()),
            "Set data_dir to a folder on a disk.",
        ),
        Some(kind) if kind.starts_with("nfs") || ["cifs", "smb3", "fuse.sshfs", "9p"].contains(&kind) => Check::failed(
            "file-system",
            format!("{} is on another machine ({kind}), where locks and writes are not reliable", root.display()),
            "Set data_dir to a folder on a disk of this machine.",
        ),
        Some(kind) => Check::ok("file-system", kind),
        None => Check::skipped("file-system", "the system does not say where the folder is"),
    }
}

/// The type of the file system of a path: of the longest mount point that contains it.
fn file_system_of(path: &Path) -> Option<String> {
    let real = std::fs::canonicalize(path).ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let point = PathBuf::from(fields.next()?.replace("\\040", " "));
        Some((point, fields.next()?.to_owned()))
    });
    // The last of several mounts on one point counts.
    mounts
        .filter(|(point, _)| real.starts_with(point))
        .max_by_key(|(point, _)| point.as_os_str().len())
        .map(|(_, kind)| kind)
}

pub(super) fn disk(layout: &Layout) -> Check {
    let root = layout.root();
    let free = match db::free_bytes(root) {
        Ok(free) => free,
        Err(error) => return Check::failed("disk", error.to_string(), "Check the folder and its disk."),
    };
    let database = db::database_bytes(layout);
    let cure = format!("Free some space on the disk of {}, or move data_dir to a larger one.", root.display());
    let free_text = format!("{} MiB are free, and the database has {} MiB", free >> 20, database >> 20);
    let inodes =
        statvfs(root).map_or(u64::MAX, |disk| if disk.files() == 0 { u64::MAX } else { disk.files_available() });
    if inodes < 100 {
        return Check::failed("disk", format!("only {inodes} more files can be created"), cure);
    }
    match db::DiskSpace::new(database, free) {
        db::DiskSpace::Nothing => Check::failed("disk", format!("{free_text}: the next snapshot does not fit"), cure),
        db::DiskSpace::SnapshotOnly => Check::warning(
            "disk",
            format!("{free_text}: an upgrade and a restore drill need three times its size"),
            cure,
        ),
        db::DiskSpace::Enough => Check::ok("disk", free_text),
    }
}

/// Hashing passwords needs memory that the settings choose and the unit limits.
pub(super) fn memory(config: &Config) -> Check {
    let needed = MEMORY_KIB + HASHES * u64::from(config.passwords.memory_kib);
    let limits = ["/sys/fs/cgroup/system.slice/domicile.service/memory.max", "/sys/fs/cgroup/memory.max"];
    let number = |text: String| text.trim().parse::<u64>().ok().map(|bytes| bytes >> 10);
    let limit = limits.iter().find_map(|path| number(std::fs::read_to_string(path).ok()?));
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().split(' ').next()?.parse::<u64>().ok())
    });
    let Some(available) = [limit, machine].into_iter().flatten().min() else {
        return Check::skipped("memory", "the system does not say how much there is");
    };
    let text = format!("the server may need {} MiB, and may use {} MiB", needed >> 10, available >> 10);
    if needed > available {
        Check::failed(
            "memory",
            text,
            "Raise MemoryMax with `systemctl edit domicile`, or lower passwords.memory_kib in the settings.",
        )
    } else {
        Check::ok("memory", text)
    }
}

pub(super) fn server(config: &Config) -> Check {
    let log = "See its log: journalctl --unit domicile. Start it with: systemctl start domicile";
    match health::probe(config) {
        Ok(ServerState::Ready) => Check::ok("server", "it is ready"),
        Ok(ServerState::NotReady(reason)) if reason.contains("refused") => {
            Check::failed("server", format!("no server is running: {reason}"), log)
        }
        Ok(ServerState::NotReady(reason)) => Check::failed("server", reason, log),
        Err(failure) => Check::refused("server", &failure),
    }
}
