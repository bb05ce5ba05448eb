//! Settings that the unit of systemd gives to the server, and that a command does not have.

use std::path::{Path, PathBuf};

/// Where systemd looks for the unit and its drop-ins.
const FOLDERS: [&str; 4] = ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

/// A variable that the unit sets for the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnitSetting {
    /// `DOMICILE_LISTEN__ADDRESS`
    pub name: String,
    /// The file that sets it.
    pub file: PathBuf,
}

/// The settings of the unit below `root` that `is_known` does not have. What cannot be read is left out, because it is
/// only for a hint.
pub(super) fn unknown_settings(root: &Path, is_known: impl Fn(&str) -> bool) -> Vec<UnitSetting> {
    let mut settings = Vec::new();
    for file in unit_files(root) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for line in text.lines().map(str::trim) {
            if let Some(assignments) = line.strip_prefix("Environment=") {
                settings.extend(names(assignments).map(|name| UnitSetting { name, file: file.clone() }));
            } else if let Some(path) = line.strip_prefix("EnvironmentFile=") {
                let path = root.join(path.trim_start_matches('-').trim_start_matches('/'));
                let Ok(text) = std::fs::read_to_string(&path) else { continue };
                settings.extend(names(&text).map(|name| UnitSetting { name, file: path.clone() }));
            }
        }
    }
    settings.retain(|setting| setting.name != "DOMICILE_CONFIG" && !is_known(&setting.name));
    settings
}

/// The unit and its drop-ins.
fn unit_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in FOLDERS.map(|folder| root.join(folder)) {
        files.push(folder.join("domicile.service"));
        let drop_ins = std::fs::read_dir(folder.join("domicile.service.d")).into_iter().flatten().flatten();
        files.extend(
            drop_ins.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "conf")),
        );
    }
    // On Debian, /lib is /usr/lib.
    let mut known = std::collections::HashSet::new();
    files.retain(|file| std::fs::canonicalize(file).is_ok_and(|real| known.insert(real)));
    files.sort();
    files
}

/// The names of our settings in assignments: `"A=1" B=2`.
fn names(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| letter.is_whitespace() || letter == '"' || letter == '\'');
    let names = words.filter_map(|word| word.split_once('=')).map(|(name, _)| name);
    names.filter(|name| name.starts_with("DOMICILE_")).map(str::to_owned).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_drop_ins_and_their_files_are_found() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc/systemd/system/domicile.service.d");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(root.path().join("etc/more"), "DOMICILE_SIGNUP__MODE=closed\nOTHER=1\n").unwrap();
        let text = "[Service]\nEnvironment=\"DOMICILE_REGION=us\" DOMICILE_CONFIG=/x\n# Environment=DOMICILE_NO=1\n\
                    EnvironmentFile=-/etc/more\nEnvironment=DOMICILE_PUBLIC_URL=https://x RUST_LOG=info\n";
        std::fs::write(folder.join("override.conf"), text).unwrap();
        std::fs::write(folder.join("other.txt"), "Environment=DOMICILE_DATA_DIR=/x\n").unwrap();

        let found = unknown_settings(root.path(), |name| name == "DOMICILE_PUBLIC_URL");

        let names: Vec<_> = found.iter().map(|setting| setting.name.as_str()).collect();
        assert_eq!(names, ["DOMICILE_REGION", "DOMICILE_SIGNUP__MODE"]);
        assert_eq!(found[0].file, folder.join("override.conf"));
        assert_eq!(found[1].file, root.path().join("etc/more"));
    }
}
