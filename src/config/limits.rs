//! Compares the settings with what the unit of systemd allows the server.

use std::path::{Path, PathBuf};

use super::model::{Config, MailTransport};

/// How many hashes are made at once.
const HASHES: u64 = 2;
/// What the server needs beside the hashes: keys in memory, caches, connections, in bytes.
const REST_BYTES: u64 = 128 << 20;
/// `MemoryMax` of the package's unit.
const UNIT_MEMORY_BYTES: u64 = 512 << 20;
/// The only folder that the package's unit may write.
const STATE: &str = "/var/lib/domicile";

/// What the unit allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitLimits {
    /// In bytes. `None`: no limit.
    pub memory: Option<u64>,
    /// The folders that the server can write. `None`: as the file system says.
    pub writable: Option<Vec<PathBuf>>,
}

impl UnitLimits {
    /// The limits of this process or, for a command outside the unit, those of the package's unit as installed. `None`: this
    /// machine has no such unit.
    pub fn find() -> Option<Self> {
        let own = std::fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| own_group(&text));
        let unit = own.filter(|group| group.ends_with("/domicile.service"));
        let group = match &unit {
            Some(group) => group.as_str(),
            None => {
                ["/lib/systemd/system", "/usr/lib/systemd/system"]
                    .iter()
                    .find(|folder| Path::new(folder).join("domicile.service").exists())?;
                "/system.slice/domicile.service"
            }
        };
        let memory = match std::fs::read_to_string(format!("/sys/fs/cgroup{group}/memory.max")) {
            Ok(text) => text.trim().parse().ok(),
            Err(_) => Some(UNIT_MEMORY_BYTES),
        };
        // A drop-in may allow more, and only systemd knows. In the unit, the file system tells the truth.
        Some(Self { memory, writable: unit.is_none().then(|| vec![PathBuf::from(STATE)]) })
    }
}

/// The control group of a process, from `/proc/<pid>/cgroup` (version 2).
fn own_group(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

/// The settings that the unit does not allow, as sentences for the admin.
pub fn unit_warnings(config: &Config, limits: &UnitLimits) -> Vec<String> {
    let mut warnings = Vec::new();
    let needed = u64::from(config.passwords.memory_kib) * 1024 * HASHES + REST_BYTES;
    if let Some(limit) = limits.memory.filter(|limit| *limit < needed) {
        warnings.push(format!(
            "passwords.memory_kib = {} needs {} MiB for two hashes at once, and the unit allows the server {} MiB in all. Lower it, or run: systemctl edit domicile, and set MemoryMax={}M",
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
        assert!(much.contains("2176 MiB") && much.contains("MemoryMax=2304M"), "{much}");
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
    fn the_own_group_is_the_one_of_version_two() {
        assert_eq!(
            own_group("1:name=systemd:/x\n0::/system.slice/domicile.service\n").as_deref(),
            Some("/system.slice/domicile.service")
        );
        assert_eq!(own_group("1:memory:/x\n"), None);
    }
}
