//! How exports are called on the disk.

use std::path::{Path, PathBuf};

use crate::base::{ArtifactId, Timestamp};

const SEALED: &str = ".zip.age";
const UNFINISHED: &str = ".partial";

/// What browsers save the export as: `domicile-export-ada-20260503.zip.age`.
pub fn file_name(username: &str, now: Timestamp) -> String {
    format!("domicile-export-{username}-{}{SEALED}", now.iso_day().replace('-', ""))
}

/// A finished export.
pub(in crate::privacy) fn sealed_path(folder: &Path, artifact: ArtifactId) -> PathBuf {
    folder.join(format!("{artifact}{SEALED}"))
}

/// An export that is being written.
pub(in crate::privacy) fn unfinished_path(folder: &Path, artifact: ArtifactId) -> PathBuf {
    folder.join(format!("{artifact}{UNFINISHED}"))
}

/// Whose file this is. `None`: not one of ours.
pub(in crate::privacy) fn artifact_of(file_name: &str) -> Option<ArtifactId> {
    ArtifactId::parse(file_name.strip_suffix(SEALED).or_else(|| file_name.strip_suffix(UNFINISHED))?)
}

/// Removes an export, finished or not. A file that is not there is as good as removed.
pub(in crate::privacy) fn remove(folder: &Path, artifact: ArtifactId) {
    // The unfinished one first: a writer that finishes meanwhile has renamed it, and then the second is there.
    for path in [unfinished_path(folder, artifact), sealed_path(folder, artifact)] {
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "An export could not be removed; it is tried again tonight.")
            }
        }
    }
}
