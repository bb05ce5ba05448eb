//! Who may use the files of the appliance.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::db::Layout;

/// What is to be said about the settings file, which can contain passwords of other services.
#[derive(Debug)]
pub enum SettingsFileVerdict {
    /// Only its owner and group can use it.
    Good,
    /// There is none, or it cannot be looked at.
    Missing(io::Error),
    /// Everybody can change it.
    ChangedByAll,
    /// Everybody can read it.
    ReadByAll,
}

/// Judges the mode of the settings file.
pub fn judge_settings_file(path: &Path) -> SettingsFileVerdict {
    match std::fs::metadata(path) {
        Err(error) => SettingsFileVerdict::Missing(error),
        Ok(file) if file.mode() & 0o002 != 0 => SettingsFileVerdict::ChangedByAll,
        Ok(file) if file.mode() & 0o004 != 0 => SettingsFileVerdict::ReadByAll,
        Ok(_) => SettingsFileVerdict::Good,
    }
}

/// What is to be said about the data folder. Modes are the lowest nine bits.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum DataFolderVerdict {
    /// Everything in it belongs to its owner, and to nobody else.
    Good,
    /// There is none, or it cannot be looked at.
    Missing(io::Error),
    /// A file has another owner than the folder. Both are user ids.
    OtherOwner { path: PathBuf, user: u32, owner: u32 },
    /// Other users can use a file.
    OpenToOthers { path: PathBuf, mode: u32 },
    /// The owner cannot read and write a file.
    ClosedToOwner { path: PathBuf, mode: u32 },
}

/// Judges the data folder and its files, and names the first fault.
pub fn judge_data_folder(layout: &Layout) -> DataFolderVerdict {
    let root = layout.root();
    let owner = match std::fs::metadata(root) {
        Ok(folder) => folder.uid(),
        Err(error) => return DataFolderVerdict::Missing(error),
    };
    let mut paths = vec![root.to_owned()];
    for folder in [root.to_owned(), layout.live_dir()] {
        paths.extend(std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    for path in paths {
        // One that has just been removed is no fault.
        let Ok(file) = std::fs::symlink_metadata(&path) else { continue };
        let (user, mode) = (file.uid(), file.mode() & 0o777);
        if user != owner {
            return DataFolderVerdict::OtherOwner { path, user, owner };
        }
        if !file.is_symlink() && mode & 0o077 != 0 {
            return DataFolderVerdict::OpenToOthers { path, mode };
        }
        if mode & 0o600 != 0o600 {
            return DataFolderVerdict::ClosedToOwner { path, mode };
        }
    }
    DataFolderVerdict::Good
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn settings_are_for_the_owner_and_the_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("domicile.toml");
        assert!(matches!(judge_settings_file(&path), SettingsFileVerdict::Missing(_)));
        std::fs::write(&path, "").unwrap();
        let with_mode = |mode| {
            set_mode(&path, mode);
            judge_settings_file(&path)
        };

        assert!(matches!(with_mode(0o640), SettingsFileVerdict::Good));
        assert!(matches!(with_mode(0o660), SettingsFileVerdict::Good));
        assert!(matches!(with_mode(0o644), SettingsFileVerdict::ReadByAll));
        assert!(matches!(with_mode(0o646), SettingsFileVerdict::ChangedByAll));
        assert!(matches!(with_mode(0o642), SettingsFileVerdict::ChangedByAll));
    }

    #[test]
    fn the_files_of_the_data_folder_are_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(&folder.path().join("data"));
        assert!(matches!(judge_data_folder(&layout), DataFolderVerdict::Missing(_)));
        std::fs::create_dir_all(layout.live_dir()).unwrap();
        [layout.root().to_owned(), layout.live_dir()].iter().for_each(|folder| set_mode(folder, 0o700));
        std::fs::write(layout.live(), "").unwrap();
        let with_mode = |path: &Path, mode, usual| {
            set_mode(path, mode);
            let verdict = judge_data_folder(&layout);
            set_mode(path, usual);
            verdict
        };

        assert!(matches!(with_mode(&layout.live(), 0o600, 0o600), DataFolderVerdict::Good));
        let of_live = |mode| match with_mode(&layout.live(), mode, 0o600) {
            DataFolderVerdict::OpenToOthers { path, mode } => (path == layout.live(), mode, "open"),
            DataFolderVerdict::ClosedToOwner { path, mode } => (path == layout.live(), mode, "closed"),
            other => panic!("{other:?}"),
        };
        assert_eq!(of_live(0o604), (true, 0o604, "open"));
        assert_eq!(of_live(0o610), (true, 0o610, "open"));
        assert_eq!(of_live(0o400), (true, 0o400, "closed"));
        assert_eq!(of_live(0o200), (true, 0o200, "closed"));
        assert!(matches!(with_mode(layout.root(), 0o701, 0o700), DataFolderVerdict::OpenToOthers { .. }));
        // A link has no mode of its own.
        std::os::unix::fs::symlink("/nowhere", layout.root().join("link")).unwrap();
        assert!(matches!(judge_data_folder(&layout), DataFolderVerdict::Good));
    }
}
