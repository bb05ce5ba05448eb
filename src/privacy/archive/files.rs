//! The file names of exports.

use std::path::{Path, PathBuf};

use crate::base::{ArtifactId, Timestamp};

const SEALED: &str = ".zip.age";
const UNFINISHED: &str = ".partial";

/// The name under which browsers save the export: `domicile-export-ada-20260503.zip.age`.
pub fn file_name(username: &str, now: Timestamp) -> String {
    format!("domicile-export-{username}-{}{SEALED}", now.iso_day().replace('-', ""))
}

/// The path of a finished export.
pub(in crate::privacy) fn sealed_path(folder: &Path, artifact: ArtifactId) -> PathBuf {
    folder.join(format!("{artifact}{SEALED}"))
}

/// The path of an export that is being written.
pub(in crate::privacy) fn unfinished_path(folder: &Path, artifact: ArtifactId) -> PathBuf {
    folder.join(format!("{artifact}{UNFINISHED}"))
}

/// The export that a file name belongs to. `None`: it is not the name of an export.
pub(in crate::privacy) fn parse_artifact(file_name: &str) -> Option<ArtifactId> {
    ArtifactId::parse(file_name.strip_suffix(SEALED).or_else(|| file_name.strip_suffix(UNFINISHED))?)
}

/// Removes the file of an export, finished or not. A missing file is not an error.
pub(in crate::privacy) fn remove(folder: &Path, artifact: ArtifactId) {
    // The unfinished file first: if the writer finishes in the meantime, it renames the file to the second name.
    for path in [unfinished_path(folder, artifact), sealed_path(folder, artifact)] {
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "An export could not be removed. The nightly job tries again.")
            }
        }
    }
}
