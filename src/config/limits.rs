//! Compares the settings with what the unit of systemd allows the server.

use std::path::{Path, PathBuf};

use super::model::{Config, MailTransport};

/// How many passwords are hashed at once: one for each core of a small machine. More threads would only share the cores.
pub const HASHES_AT_ONCE: u32 = 2;
/// What the server needs at most beside hashing passwords, in bytes.
///
/// Measured with `row_19` of `tests/it/faults/bounds.rs`: a crowd of 2,000 connections that fills the 32 MiB of bodies, then
/// six pictures of eight megapixels with 16-bit channels, of which two are decoded at once. Its control group had 413 and
/// 440 MiB at most in two runs, 38 of them for two hashes. Without work it is 13 MiB and the pages of the program that were
/// used.
const SERVER_BYTES: u64 = 416 << 20;
/// `MemoryMax` of the package's unit.
const UNIT_MEMORY_BYTES: u64 = 512 << 20;
/// The only folder that the package's unit may write.
const STATE: &str = "/var/lib/domicile";
/// The unit of the package.
const UNIT: &str = "domicile.service";
/// Where the kernel shows control groups.
const CONTROL_GROUPS: &str = "sys/fs/cgroup";

/// The bytes of memory that the server may need with these settings.
pub fn memory_needed(config: &Config) -> u64 {
    u64::from(config.passwords.memory_kib) * 1024 * u64::from(HASHES_AT_ONCE) + SERVER_BYTES
}

/// What the unit allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitLimits {
    /// In bytes. `None`: no limit.
    pub memory: Option<u64>,
    /// The folders that the server can write. `None`: as the file system says.
    pub writable: Option<Vec<PathBuf>>,
}

impl UnitLimits {
    /// The limits of this process if it is the server or in a container with it, and otherwise those of the package's unit
    /// as installed.
    pub fn find() -> Self {
        Self::find_below(Path::new("/"))
    }

    fn find_below(root: &Path) -> Self {
        let own = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let own = own_group(&own).unwrap_or_default();
        let is_unit = own.ends_with(&format!("/{UNIT}"));
        let is_installed =
            || ["lib/systemd/system", "usr/lib/systemd/system"].iter().any(|at| root.join(at).join(UNIT).exists());
        // A drop-in may allow more, and only systemd knows. In the unit, the file system tells the truth.
        if is_unit || !is_installed() {
            return Self {
                memory: memory_limit(root, own).or_else(|| memory_limit(root, "")).flatten(),
                writable: None,
            };
        }
        let memory = memory_limit(root, &format!("/system.slice/{UNIT}")).unwrap_or(Some(UNIT_MEMORY_BYTES));
        Self { memory, writable: Some(vec![PathBuf::from(STATE)]) }
    }
}

/// The control group of a process that limits its memory, from `/proc/<pid>/cgroup`: of version 1 (`4:memory:/a`) or 2
/// (`0::/a`). Where both are mounted, memory belongs to version 1.
fn own_group(text: &str) -> Option<&str> {
    let fields = || text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let of_memory = fields().find(|(names, _)| names.split(',').any(|name| name == "memory"));
    of_memory.or_else(|| fields().find(|(names, _)| names.is_empty())).map(|(_, group)| group)
}

/// The limit of a control group in bytes. The inner `None`: it has no limit. The outer one: there is no such group, and in a
/// container no group at the top.
fn memory_limit(root: &Path, group: &str) -> Option<Option<u64>> {
    let groups = root.join(CONTROL_GROUPS);
    let inner = group.trim_start_matches('/');
    let files =
        [groups.join(inner).join("memory.max"), groups.join("memory").join(inner).join("memory.limit_in_bytes")];
    let text = files.iter().find_map(|file| std::fs::read_to_string(file).ok())?;
    // Version 2 says `max`, version 1 the largest whole number of pages.
    Some(text.trim().parse().ok().filter(|bytes| *bytes < 1 << 60))
}

/// The settings that the unit does not allow, as sentences for the admin.
pub fn unit_warnings(config: &Config, limits: &UnitLimits) -> Vec<String> {
    let mut warnings = Vec::new();
    let needed = memory_needed(config);
    if let Some(limit) = limits.memory.filter(|limit| *limit < needed) {
        warnings.push(format!(
            "with passwords.memory_kib = {} the server may need {} MiB, and its unit allows {} MiB. Lower it, or run: systemctl edit domicile, and set MemoryMax={}M",
            config.passwords.memory_kib,
            needed >> 20,
            limit >> 20,
            (needed >> 20).next_multiple_of(256)
        ));
    }
    let Some(writable) = &limits.writable else { return warnings };
    let mail = match &config.mail.transport {
        MailTransport::Directory(folder) => Some(("mail.directory", folder)),
        MailTransport::Smtp { .. } | MailTransport::Log => None,
    };
    for (key, folder) in [("data_dir", &config.data_dir)].into_iter().chain(mail) {
        if !writable.iter().any(|root| folder.starts_with(root)) {
            warnings.push(format!(
                "{key} = \"{}\" is outside of {STATE}, and the unit may write nothing else. If you have not allowed it, run: systemctl edit domicile, and set ReadWritePaths={}",
                folder.display(),
                folder.display()
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(more: &str, limits: &UnitLimits) -> String {
        let text = format!("region = \"eu\"\npublic_url = \"https://account.example.org\"\n{more}");
        unit_warnings(&Config::from_text(&text, "d.toml", &[]).unwrap(), limits).join("\n")
    }

    #[test]
    fn settings_that_the_unit_does_not_allow_are_named_with_the_cure() {
        let unit = UnitLimits { memory: Some(UNIT_MEMORY_BYTES), writable: Some(vec![STATE.into()]) };

        assert_eq!(warnings("", &unit), "");
        assert_eq!(warnings("[mail]\ntransport = \"directory\"\ndirectory = \"/var/lib/domicile/mail\"\n", &unit), "");
        let much = warnings("[passwords]\nmemory_kib = 1048576\n", &unit);
        assert!(much.contains("2464 MiB") && much.contains("MemoryMax=2560M"), "{much}");
        assert_eq!(warnings("[passwords]\nmemory_kib = 49152\n", &unit), "", "exactly what there is");
        let elsewhere = warnings(
            "data_dir = \"/srv/domicile\"\n[mail]\ntransport = \"directory\"\ndirectory = \"/srv/mail\"\n",
            &unit,
        );
        assert!(elsewhere.contains("ReadWritePaths=/srv/domicile\n"), "{elsewhere}");
        assert!(elsewhere.ends_with("ReadWritePaths=/srv/mail"), "{elsewhere}");
        let free = UnitLimits { memory: None, writable: None };
        assert_eq!(warnings("data_dir = \"/srv\"\n[passwords]\nmemory_kib = 1048576\n", &free), "");
    }

    #[test]
    fn the_own_group_is_the_one_that_limits_memory() {
        let v2 = "1:name=systemd:/x\n0::/system.slice/domicile.service\n";
        assert_eq!(own_group(v2), Some("/system.slice/domicile.service"));
        let v1 = "5:cpu,memory:/a:b\n1:name=systemd:/x\n0::/other\n";
        assert_eq!(own_group(v1), Some("/a:b"));
        assert_eq!(own_group("1:name=systemd:/x\n"), None);
    }

    #[test]
    fn limits_are_those_of_the_server_of_the_package_or_of_the_container() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let free = UnitLimits { memory: None, writable: None };
        let memory = |bytes| UnitLimits { memory: bytes, writable: None };
        assert_eq!(UnitLimits::find_below(root), free, "neither unit nor group");

        // A container without systemd.
        write("proc/self/cgroup", "0::/\n");
        write("sys/fs/cgroup/memory.max", "1000\n");
        assert_eq!(UnitLimits::find_below(root), memory(Some(1000)));

        // A command beside the unit, which has not run yet, and then runs.
        write("usr/lib/systemd/system/domicile.service", "");
        let state = Some(vec![PathBuf::from(STATE)]);
        let unit = |bytes| UnitLimits { memory: bytes, writable: state.clone() };
        assert_eq!(UnitLimits::find_below(root), unit(Some(UNIT_MEMORY_BYTES)));
        write("sys/fs/cgroup/system.slice/domicile.service/memory.max", "max\n");
        assert_eq!(UnitLimits::find_below(root), unit(None));
        write("sys/fs/cgroup/system.slice/domicile.service/memory.max", "2000\n");
        assert_eq!(UnitLimits::find_below(root), unit(Some(2000)));

        // The server itself.
        write("proc/self/cgroup", "0::/system.slice/domicile.service\n");
        assert_eq!(UnitLimits::find_below(root), memory(Some(2000)));

        // Version 1.
        std::fs::remove_dir_all(root.join("sys")).unwrap();
        write("proc/self/cgroup", "7:memory:/system.slice/domicile.service\n0::/x\n");
        write("sys/fs/cgroup/memory/system.slice/domicile.service/memory.limit_in_bytes", "3000\n");
        assert_eq!(UnitLimits::find_below(root), memory(Some(3000)));
        write("sys/fs/cgroup/memory/system.slice/domicile.service/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(UnitLimits::find_below(root), memory(None));
    }
}
