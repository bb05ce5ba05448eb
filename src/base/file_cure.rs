//! What an operator can do about a file that cannot be read or written.

use std::io::{Error, ErrorKind};
use std::path::Path;

/// EPERM: the mode of the file allows it, and something else does not.
const NOT_PERMITTED: i32 = 1;

/// The cure of this failure of the file, in one sentence: a full disk needs another one than a wrong owner.
pub fn file_cure(path: &Path, error: &Error) -> String {
    let path = path.display();
    match error.kind() {
        ErrorKind::StorageFull => format!("The disk is full: free some space on the disk of {path}."),
        ErrorKind::QuotaExceeded => {
            format!("The quota of the user is used up: free some space on the disk of {path}, or raise the quota.")
        }
        ErrorKind::ReadOnlyFilesystem => format!(
            "The file system of {path} is read-only: mount it for writing, or add the folder to ReadWritePaths= of the unit."
        ),
        ErrorKind::PermissionDenied if error.raw_os_error() == Some(NOT_PERMITTED) => {
            format!("The file or its folder is immutable: look at `lsattr -d {path}`, and run `chattr -ai` on it.")
        }
        ErrorKind::PermissionDenied => {
            format!("The user may not use it: give {path} and its folder to the user that runs the server, with chown.")
        }
        ErrorKind::NotFound => format!("The file or its folder is missing: look at {path}."),
        ErrorKind::IsADirectory | ErrorKind::NotADirectory => {
            format!("A file and a folder are mistaken for each other: move away what is in the place of {path}.")
        }
        ErrorKind::WouldBlock => format!("Another process has it locked: find it with `fuser {path}`."),
        _ => format!("Check the disk of {path}: the log of the kernel has its errors (journalctl -k)."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_a_cure_of_its_own() {
        // ENOSPC, EDQUOT, EROFS, EPERM, EACCES, ENOENT, EISDIR, EAGAIN, EIO.
        let codes = [28, 122, 30, 1, 13, 2, 21, 11, 5];
        let mut cures: Vec<_> =
            codes.map(|code| file_cure(Path::new("/data/file"), &Error::from_raw_os_error(code))).into();
        assert!(cures[0].contains("free some space") && cures[4].contains("chown"), "{cures:?}");
        assert!(cures.iter().all(|cure| cure.contains("/data/file")), "{cures:?}");
        cures.sort();
        cures.dedup();
        assert_eq!(cures.len(), codes.len());
    }
}
