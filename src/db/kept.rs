//! Copies of the database that are kept for a while: the one from before an upgrade, and what a restore replaced. They
//! contain the data of people who are erased later, so they are deleted after [`KEPT_DAYS`], and receipts name them.

use std::path::{Path, PathBuf};

use super::{Error, Layout};
use crate::base::{Timestamp, days};

/// How many days such a copy is kept at most.
pub const KEPT_DAYS: u64 = 30;
/// The beginning of the name of each copy.
const PREFIX: &str = "before-";

/// A copy of the database in the data folder: a file, or a folder with several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCopy {
    /// The name in the data folder, for example `before-migration-17-22-2026-11-30.sqlite`.
    pub name: String,
    /// When it is deleted: the beginning of the day [`KEPT_DAYS`] after the one in its name.
    pub delete_after: Timestamp,
}

/// The path for a new copy: `before-<act>-<day>` in the data folder, with a counter if there is one already. `ending` is
/// empty for a folder.
pub fn kept_copy_path(layout: &Layout, act: &str, now: Timestamp, ending: &str) -> PathBuf {
    let name = |count: u32| match count {
        1 => format!("{PREFIX}{act}-{}{ending}", now.iso_day()),
        _ => format!("{PREFIX}{act}-{}.{count}{ending}", now.iso_day()),
    };
    // Every count fits into a folder, so one of them is free.
    let free = (1..u32::MAX).map(|count| layout.root().join(name(count))).find(|path| !path.exists());
    free.unwrap_or_else(|| layout.root().join(name(u32::MAX)))
}

/// The copies that are in the data folder, in the order of their names.
///
/// # Errors
/// [`Error::File`] when the folder cannot be read. A folder that does not exist has no copies.
pub fn kept_copies(layout: &Layout) -> Result<Vec<KeptCopy>, Error> {
    let entries = match std::fs::read_dir(layout.root()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| Error::file(layout.root(), error))?,
    };
    let mut copies = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| Error::file(layout.root(), error))?.file_name().to_string_lossy().into_owned();
        if let Some(made) = made_on(&name) {
            copies.push(KeptCopy { name, delete_after: made.plus(days(KEPT_DAYS)) });
        }
    }
    copies.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(copies)
}

/// Deletes the copies whose time is over. Answers their names.
///
/// # Errors
/// [`Error::File`] for the first one that cannot be deleted; the others are deleted all the same.
pub fn delete_old_copies(layout: &Layout, now: Timestamp) -> Result<Vec<String>, Error> {
    let (mut deleted, mut failure) = (Vec::new(), None);
    for copy in kept_copies(layout)?.into_iter().filter(|copy| copy.delete_after <= now) {
        match delete(&layout.root().join(&copy.name)) {
            Ok(()) => deleted.push(copy.name),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(deleted), Err)
}

fn delete(path: &Path) -> Result<(), Error> {
    // Not through a link: only what is in the data folder is ours.
    let is_folder = std::fs::symlink_metadata(path).map_err(|error| Error::file(path, error))?.is_dir();
    if is_folder { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
        .map_err(|error| Error::file(path, error))
}

/// The day in the name of a copy. `None`: not the name of a copy.
fn made_on(name: &str) -> Option<Timestamp> {
    let rest = name.strip_prefix(PREFIX)?;
    let day = rest.get(..rest.find('.').unwrap_or(rest.len()))?;
    let day = day.get(day.len().checked_sub("2026-11-30".len())?..)?;
    Timestamp::parse(&format!("{day}T00:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_in_a_name_decides_and_other_files_are_not_copies() {
        let day = |name| made_on(name).map(Timestamp::iso_day);

        assert_eq!(day("before-migration-17-22-2026-11-30.sqlite").as_deref(), Some("2026-11-30"));
        assert_eq!(day("before-restore-2026-11-30.2").as_deref(), Some("2026-11-30"));
        for other in
            ["domicile.sqlite", "before-2026", "before-", "after-migration-2026-11-30", "before-migration-2026-13-30"]
        {
            assert_eq!(day(other), None, "{other}");
        }
    }
}
