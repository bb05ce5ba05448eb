//! Writes the settings file of a new appliance.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::unistd::{Group, Uid};

use super::super::arguments::Common;
use super::super::context;
use super::super::failure::Failure;
use crate::config::{Config, starter_text};

/// The group of the system user that the package creates.
const GROUP: &str = "domicile";

/// Writes the settings file if there is none. Answers whether it did. If there is one, it must have the same values.
pub(super) fn provide(common: &Common, (region, public_url): (&str, &str)) -> Result<bool, Failure> {
    let path = &common.config;
    let text = starter_text(region, public_url);
    // The same faults as for a written file, under the names of the options.
    let wanted = Config::from_text(&text, "the options of init", &context::settings_of_environment()?)?;
    if path.try_exists().unwrap_or(true) {
        let found = context::config(common)?;
        if (&found.region, &found.public_url) == (&wanted.region, &wanted.public_url) {
            return Ok(false);
        }
        return Err(Failure::configuration(format!(
            "{} exists already, with region = \"{}\" and public_url = \"{}\". It is never overwritten. Change it there, and run: domicile init",
            path.display(),
            found.region,
            found.public_url
        )));
    }
    write(path, &text).map_err(|error| {
        Failure::configuration(format!("{} cannot be written: {error}. Run the command as root.", path.display()))
    })?;
    Ok(true)
}

/// Root writes it for the group of the server, which must read it and not change it.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let group = Uid::effective().is_root().then(|| Group::from_name(GROUP).ok().flatten()).flatten();
    if !folder.exists() {
        std::fs::create_dir_all(folder)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o750))?;
        if let Some(group) = &group {
            std::os::unix::fs::chown(folder, None, Some(group.gid.as_raw()))?;
        }
    }
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o640).open(path)?;
    // The mode above is cut by the umask.
    file.set_permissions(std::fs::Permissions::from_mode(0o640))?;
    if let Some(group) = group.filter(|group| file.metadata().is_ok_and(|is| is.gid() != group.gid.as_raw())) {
        std::os::unix::fs::fchown(&file, None, Some(group.gid.as_raw()))?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::File::open(folder)?.sync_all()
}
