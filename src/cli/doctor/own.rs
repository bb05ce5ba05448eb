//! Checks of this machine: settings, files, disk, memory, the unit and the server.

use std::path::Path;

use super::Check;
use crate::cli::arguments::Common;
use crate::cli::health::{self, ServerState};
use crate::cli::{context, unit};
use crate::config::{Config, DEFAULT_PATH, UnitLimits};
use crate::db::{DiskSpace, FREE_BYTES_MIN, Layout};
use crate::machine::{self, DataFolderVerdict, DiskVerdict, FileSystemVerdict, MemoryVerdict, SettingsFileVerdict};

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

pub(super) fn settings_file(common: &Common) -> Check {
    const NAME: &str = "settings-file";
    let path = common.config.display();
    match machine::judge_settings_file(&common.config) {
        SettingsFileVerdict::Good => Check::ok(NAME, "only its owner and group can read it"),
        SettingsFileVerdict::Missing(error) => {
            Check::failed(NAME, format!("{path}: {error}"), "Create it with: domicile init")
        }
        SettingsFileVerdict::ChangedByAll => {
            Check::failed(NAME, format!("everybody can change {path}"), format!("Run: chmod 640 {path}"))
        }
        SettingsFileVerdict::ReadByAll => Check::warning(
            NAME,
            format!("everybody on this machine can read {path}, and it may contain passwords"),
            format!("Run: chmod 640 {path}"),
        ),
    }
}

pub(super) fn settings_readable(common: &Common) -> Check {
    match context::check_settings_readable(common) {
        Ok(()) => Check::ok("settings-for-the-server", "the user that runs the server can read them"),
        Err(failure) => Check::refused("settings-for-the-server", &failure),
    }
}

pub(super) fn files(layout: &Layout) -> Check {
    const NAME: &str = "files";
    let root = layout.root().display();
    match machine::judge_data_folder(layout) {
        DataFolderVerdict::Good => Check::ok(NAME, format!("all files of {root} belong to its owner alone")),
        DataFolderVerdict::Missing(error) => Check::failed(
            NAME,
            format!("{root}: {error}"),
            "Create the appliance with `domicile init`, or put a backup in place with `domicile restore FILE`.",
        ),
        DataFolderVerdict::OtherOwner { path, user, owner } => Check::failed(
            NAME,
            format!("{} belongs to user {user}, and not to the owner of the data folder, user {owner}", path.display()),
            format!("Run: chown -R --reference={root} {root}"),
        ),
        DataFolderVerdict::OpenToOthers { path, mode } => Check::failed(
            NAME,
            format!("other users can use {} (mode {mode:o})", path.display()),
            format!("Run: chmod -R go= {root}"),
        ),
        DataFolderVerdict::ClosedToOwner { path, mode } => Check::failed(
            NAME,
            format!("their owner cannot read and write {} (mode {mode:o})", path.display()),
            format!("Run: chmod -R u+rwX {root}"),
        ),
    }
}

pub(super) fn file_system(layout: &Layout) -> Check {
    const NAME: &str = "file-system";
    let root = layout.root().display();
    match machine::judge_file_system(layout.root()) {
        FileSystemVerdict::Good(kind) => Check::ok(NAME, kind),
        FileSystemVerdict::ReadOnly => Check::failed(
            NAME,
            format!("{root} is mounted read-only"),
            "Look for errors of the disk with `dmesg`, then mount it writable.",
        ),
        FileSystemVerdict::InMemory(kind) => Check::failed(
            NAME,
            format!("{root} is in memory ({kind}): all data are lost at the next restart of the machine"),
            "Set data_dir to a folder on a disk.",
        ),
        FileSystemVerdict::Remote(kind) => Check::failed(
            NAME,
            format!("{root} is on another machine ({kind}), where locks and writes are not reliable"),
            "Set data_dir to a folder on a disk of this machine.",
        ),
        FileSystemVerdict::Unknown => Check::skipped(NAME, "the system does not say where the folder is"),
    }
}

pub(super) fn disk(layout: &Layout) -> Check {
    const NAME: &str = "disk";
    let (verdict, database, free) = match machine::judge_disk(layout) {
        Ok(judged) => judged,
        Err(error) => return Check::failed(NAME, error.to_string(), error.cure()),
    };
    let cure = format!("Free some space on the disk of {}, or move data_dir to a larger one.", layout.root().display());
    let text = format!("{} MiB are free, and the database has {} MiB", free >> 20, database >> 20);
    match verdict {
        DiskVerdict::FewFiles(files) => Check::failed(NAME, format!("only {files} more files can be created"), cure),
        DiskVerdict::Space(DiskSpace::Nothing) => Check::failed(
            NAME,
            format!(
                "{text}: that is too little for the next snapshot, which needs room for a copy and {} MiB",
                FREE_BYTES_MIN >> 20
            ),
            cure,
        ),
        DiskVerdict::Space(DiskSpace::SnapshotOnly) => {
            Check::warning(NAME, format!("{text}: an upgrade and a restore drill need three times its size"), cure)
        }
        DiskVerdict::Space(DiskSpace::Enough) => Check::ok(NAME, text),
    }
}

pub(super) fn memory(config: &Config) -> Check {
    const NAME: &str = "memory";
    let text = |needed: u64, available: u64| {
        format!("the server may need {} MiB, and can have {} MiB", needed >> 20, available >> 20)
    };
    match machine::judge_memory(config, &UnitLimits::find()) {
        MemoryVerdict::Enough { needed, available } => Check::ok(NAME, text(needed, available)),
        MemoryVerdict::UnitLimit { needed, available } => Check::failed(
            NAME,
            format!("{} by its unit", text(needed, available)),
            "Raise MemoryMax with `systemctl edit domicile`, or lower passwords.memory_kib in the settings.",
        ),
        MemoryVerdict::SmallMachine { needed, available } => Check::failed(
            NAME,
            format!("{} on this machine", text(needed, available)),
            "Give the machine more memory, or lower passwords.memory_kib in the settings.",
        ),
        MemoryVerdict::Unknown => Check::skipped(NAME, "the system does not say how much there is"),
    }
}

pub(super) fn server(config: &Config) -> Check {
    let log = "See its log: journalctl --unit domicile. Start it with: systemctl start domicile";
    match health::probe(config) {
        Ok(ServerState::Ready) => Check::ok("server", "it is ready"),
        Ok(ServerState::NotReady(reason)) => Check::failed("server", reason, log),
        Err(failure) => Check::refused("server", &failure),
    }
}
