//! An upgrade that fails after the package was upgraded: the program from before serves again by itself.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::Appliance;
use super::upgrades::{break_the_migration, live_files, old_appliance};
use crate::support::{CommandOutput, finish};

/// Programs as the package installs them: `bin/domicile`, and a stand-in for the one from before, which writes how it was
/// started.
struct Installed {
    folder: TempDir,
}

impl Installed {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let installed = Self { folder };
        std::fs::create_dir_all(installed.path("bin")).unwrap();
        std::fs::create_dir_all(installed.path("lib/domicile")).unwrap();
        // A link of the same file where possible: the program is large.
        let (own, copy) = (Path::new(env!("CARGO_BIN_EXE_domicile")), installed.path("bin/domicile"));
        std::fs::hard_link(own, &copy).or_else(|_| std::fs::copy(own, &copy).map(drop)).unwrap();
        let script = format!("#!/bin/sh\necho \"$@\" > {}\n", installed.path("started").display());
        std::fs::write(installed.path("lib/domicile/previous"), script).unwrap();
        let runnable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(installed.path("lib/domicile/previous"), runnable).unwrap();
        installed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn serve(&self, site: &Appliance) -> CommandOutput {
        let mut command = Command::new(self.path("bin/domicile"));
        command.args(["serve", "--config"]).arg(site.config()).env_clear();
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        finish(command.stderr(std::process::Stdio::piped()), "")
    }

    /// How the program from before was started.
    fn started(&self) -> Option<String> {
        std::fs::read_to_string(self.path("started")).ok()
    }
}

#[test]
fn a_server_that_cannot_upgrade_the_database_becomes_the_program_from_before() {
    let (installed, site) = (Installed::new(), old_appliance());
    break_the_migration(&site);
    let before = live_files(&site);

    let output = installed.serve(&site);

    assert_eq!(output.status, 0, "{output:?}");
    assert_eq!(installed.started().unwrap().trim(), format!("serve --config {}", site.config().display()));
    assert!(output.stderr.contains("The version from before serves meanwhile, with schema 17"), "{output:?}");
    assert_eq!(live_files(&site), before);
}

#[test]
fn another_refusal_does_not_start_the_program_from_before() {
    let installed = Installed::new();
    let site = Appliance::initialized();
    site.reconfigure("\"eu\"", "\"us\"");
    assert_eq!(installed.serve(&site).status, 2);
    assert_eq!(installed.started(), None);

    // Without one, and with the same program as the one from before, the upgrade is refused as ever.
    let site = old_appliance();
    break_the_migration(&site);
    std::fs::remove_file(installed.path("lib/domicile/previous")).unwrap();
    assert_eq!(installed.serve(&site).status, 2);
    std::fs::hard_link(installed.path("bin/domicile"), installed.path("lib/domicile/previous")).unwrap();
    assert_eq!(installed.serve(&site).status, 2);
}
