//! The Debian package, in a small Debian that is booted as a container: without network, and without traces on this
//! machine.
//!
//! The package contains the binary under test. If a tool is missing on this machine, the test fails and says how to
//! install it; it is never skipped.

mod first_start;
mod machine;
mod restore;
mod supply;
mod upgrade;

use std::path::{Path, PathBuf};
use std::process::Command;

use machine::{Machine, both, lock_package, needs, package, run};

const CONFIGURE: &str = "printf 'region = \"eu\"\npublic_url = \"https://account.example.org\"\n' \
     | install -o root -g domicile -m 640 /dev/stdin /etc/domicile/domicile.toml";
const INSTALL: &str = "dpkg -i /root/domicile.deb";
const INSTALL_AND_START: &str = "domicile init && systemctl start domicile";
const CREATE_ADA: &str = "printf '%s' 'a walk by the river' | \
     domicile account create --email ada@example.org --username ada-l --verified --password-stdin";

#[test]
#[ignore = "deep: boots a container"]
fn installing_starts_nothing_and_prints_the_next_steps() {
    let machine = Machine::boot();

    let output = machine.ok(INSTALL);

    let commands: Vec<_> = output.lines().filter_map(|line| line.trim().strip_prefix("sudo ")).collect();
    assert!(commands.len() == 2 && commands[0].starts_with("domicile init --region"), "{output}");
    assert!(commands[1].starts_with("systemctl start domicile"), "{output}");
    assert_eq!(machine.ok("systemctl is-enabled domicile"), "enabled");
    // Its address may differ from the one in the settings, and then the server would not start at the next boot.
    assert_eq!(machine.refused("systemctl is-enabled domicile.socket"), "disabled");
    assert_eq!(machine.refused("systemctl is-active domicile"), "inactive");
    // Without settings, and with settings but without a keyring: a failed unit, whose journal says what to do.
    let start = "systemctl reset-failed domicile || true; systemctl start domicile";
    let journal = || machine.ok("journalctl -u domicile --no-pager -o cat -n 20");
    machine.refused(start);
    assert!(journal().contains("run: domicile init --region"), "{}", journal());
    assert!(machine.refused("domicile check").contains("run: domicile init --region"));
    machine.ok(CONFIGURE);
    machine.refused(start);
    assert_eq!(machine.refused("systemctl is-active domicile"), "failed");
    assert_eq!(machine.ok("systemctl show -P ExecMainStatus domicile"), "2");
    assert!(journal().contains("/etc/domicile/keyring does not exist"), "{}", journal());
    assert!(journal().contains("run `domicile init`"), "{}", journal());
    assert_eq!(machine.modes("/etc/domicile"), "750 root domicile");
    assert_eq!(machine.modes("/var/lib/domicile"), "700 domicile domicile");
    assert_eq!(
        machine.ok("getent passwd domicile | cut -d: -f5-"),
        "Domicile account service:/var/lib/domicile:/usr/sbin/nologin"
    );
}

#[test]
#[ignore = "deep: boots a container"]
fn the_service_runs_confined_and_keeps_its_data_over_restarts_and_upgrades() {
    let machine = Machine::boot();
    machine.ok(INSTALL);

    let link = machine.ok("domicile init --region eu --public-url https://account.example.org");
    // Type=notify: this returns when the server reports that it is ready.
    machine.ok("systemctl start domicile");

    assert!(link.contains("https://account.example.org/"), "{link}");
    assert_eq!(machine.modes("/etc/domicile/domicile.toml"), "640 root domicile");
    assert_eq!(machine.ok("systemctl is-active domicile"), "active");
    assert_eq!(machine.ok("systemctl show -P StatusText domicile"), "Serving");
    assert_eq!(machine.ok("domicile healthcheck"), "ready");
    assert_eq!(machine.modes("/etc/domicile/keyring"), "600 root root");
    assert_eq!(machine.modes("/var/lib/domicile"), "700 domicile domicile");
    let server = machine.ok("cat /proc/$(systemctl show -P MainPID domicile)/status");
    let uid = machine.ok("id -u domicile");
    for (field, value) in [("Uid", uid.as_str()), ("CapEff", "0000000000000000"), ("NoNewPrivs", "1"), ("Seccomp", "2")]
    {
        let actual =
            server.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.split_whitespace().next());
        assert_eq!(actual, Some(value), "{field} of the server's process:\n{server}");
    }
    machine.ok("systemd-analyze security --threshold=15 domicile");

    // A command of root leaves no file of root while the server runs.
    let ada = machine.ok(CREATE_ADA);
    assert_eq!(machine.ok("find /var/lib/domicile ! -user domicile"), "");
    assert!(machine.ok("domicile account show ada-l").contains(&ada));

    // The account is still there after a restart, a kill and an upgrade.
    machine.ok("systemctl restart domicile");
    assert_eq!(machine.ok("domicile healthcheck"), "ready");
    machine.ok("systemctl kill -s KILL domicile");
    machine.until("systemctl is-active domicile && domicile healthcheck");
    assert_eq!(machine.ok("systemctl show -P NRestarts domicile"), "1");
    let before = machine.ok("systemctl show -P MainPID domicile");
    let output = machine.ok(INSTALL);
    assert_ne!(machine.ok("systemctl show -P MainPID domicile"), before, "the upgrade did not restart it:\n{output}");
    assert!(!output.contains("Two commands"), "{output}");
    assert_eq!(machine.ok("domicile healthcheck"), "ready");
    assert!(machine.ok("grep ^region /etc/domicile/domicile.toml").contains("eu"));
    assert_eq!(machine.modes("/etc/domicile/domicile.toml"), "640 root domicile");
    assert!(machine.ok("domicile account show ada-l").contains(&ada));
    assert_eq!(machine.ok("find /var/lib/domicile ! -user domicile"), "");

    // A start that cannot succeed is tried once, and the journal contains the reason.
    machine.ok("sed -i 's|^region = .*|region = \"us\"|' /etc/domicile/domicile.toml");
    machine.refused("systemctl restart domicile");
    assert_eq!(machine.ok("systemctl show -P ExecMainStatus domicile"), "2");
    assert_eq!(machine.refused("systemctl is-active domicile"), "failed");
    let journal = machine.ok("journalctl -u domicile --no-pager -o cat -n 20");
    assert!(journal.contains("belongs to region \"eu\""), "{journal}");
}

#[test]
#[ignore = "deep: boots a container"]
fn removing_keeps_everything_and_purging_first_saves_the_last_snapshot() {
    let machine = Machine::boot();
    machine.ok(INSTALL);
    machine.ok(CONFIGURE);
    machine.ok(INSTALL_AND_START);
    let ada = machine.ok(CREATE_ADA);

    machine.ok("dpkg -r domicile");

    assert_eq!(machine.refused("systemctl is-active domicile"), "inactive");
    assert_eq!(machine.modes("/etc/domicile/keyring"), "600 root root");
    machine.ok("test -e /etc/domicile/domicile.toml -a -e /var/lib/domicile/live/live.sqlite");
    assert_eq!(machine.ok("find /var/lib/domicile ! -user domicile ! -name published-at-removal"), "");

    // Installed again, it continues with the same data.
    let output = machine.ok(INSTALL);
    assert!(output.contains("systemctl start domicile") && !output.contains("domicile init"), "{output}");
    machine.ok("systemctl start domicile");
    assert!(machine.ok("domicile account show ada-l").contains(&ada));

    // Purged while the server runs: the last snapshot contains what was acknowledged just before.
    machine.ok("domicile credit grant --account ada-l --amount 7.25 --reason Goodbye");
    let field = |json: &str, name: &str| -> String {
        let rest = json.split(&format!("\"{name}\":")).nth(1).unwrap_or_else(|| panic!("no {name} in {json}"));
        rest.trim_start().trim_matches('"').split(['"', ',', '}']).next().unwrap_or_default().to_owned()
    };
    let head = field(&machine.ok("domicile audit verify --json"), "head");
    let output = machine.ok("dpkg -P domicile");
    let last = machine.ok("ls /var/backups/domicile-final-*.sqlite");
    assert!(output.contains(&last) && output.contains("/etc/domicile/keyring is kept"), "{output}");
    assert_eq!(machine.modes(&last), "600 root root");
    assert_eq!(machine.modes("/etc/domicile/keyring"), "600 root root");
    assert_eq!(machine.ok("ls /etc/domicile"), "keyring");
    machine.refused("ls -d /var/lib/domicile");
    machine.ok("getent passwd domicile");

    // The kept keyring opens it.
    machine.ok(INSTALL);
    machine.ok(CONFIGURE);
    let report = machine.ok(&format!("domicile verify --json {last}"));
    assert_eq!(field(&report, "audit_head"), head, "{report}");

    // Data that was never published is not deleted.
    machine.ok("mv /etc/domicile/keyring /root/keyring");
    machine.ok(INSTALL_AND_START);
    machine.ok("systemctl stop domicile && mv /etc/domicile/keyring /root/second");
    let output = machine.ok("dpkg -P domicile 2>&1");
    assert!(output.contains("/var/lib/domicile is kept"), "{output}");
    machine.ok("test -e /var/lib/domicile/live/live.sqlite");
}

#[test]
#[ignore = "deep: builds the package"]
fn lintian_finds_no_error() {
    needs("lintian", "lintian");

    let _lock = lock_package();
    let output = run(Command::new("lintian").args(["--allow-root", "--fail-on", "error"]).arg(package()));

    assert!(output.status.success(), "{}", both(&output));
}

#[test]
fn every_setting_is_in_the_reference_with_its_default() {
    let reference = read("packaging/domicile.toml");
    let mut settings = Vec::new();
    let mut section = String::new();
    for line in reference.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.strip_prefix('#').and_then(|line| line.split_once(" = ")) {
            settings.push(format!("{section}{key}"));
        } else if let Some(list) = line.trim_start_matches(['#', ' ']).strip_prefix("[[") {
            settings.push(list.trim_end_matches(']').to_owned());
        }
    }

    // Settings that the program refuses with "this version does not have" it.
    let unsupported = ["listen.metrics_address", "billing.provider"];
    let readers = [
        "take",
        "text",
        "secret",
        "list",
        "boolean",
        "choice",
        "number",
        "duration",
        "optional_duration",
        "credits",
        "networks",
        "entries",
    ];
    let mut missing = Vec::new();
    for source in files(&root().join("src/config")) {
        let text = std::fs::read_to_string(&source).unwrap();
        for reader in readers {
            for (at, _) in text.match_indices(&format!("self.{reader}(\"")) {
                let key = text[at..].split('"').nth(1).unwrap_or_default();
                if !settings.iter().any(|setting| setting == key) && !unsupported.contains(&key) {
                    missing.push(key.to_owned());
                }
            }
        }
    }
    assert!(
        missing.is_empty(),
        "packaging/domicile.toml lacks {missing:?}: add each with its default and a comment about what it does"
    );
    assert!(settings.len() > 30, "{settings:?}");

    // With all defaults uncommented, the file has the same meaning as the two required settings.
    let required = "region = \"eu\"\npublic_url = \"https://account.example.org\"\n";
    let is_example = |line: &str| {
        [
            "certificate",
            "private_key",
            "hsts",
            "metrics_address",
            "workers",
            "smtp_url",
            "ca_file",
            "directory",
            "max_lifetime",
            "logo_file",
        ]
        .iter()
        .any(|key| line.starts_with(&format!("#{key}")))
    };
    let uncommented = reference.lines().filter(|line| !is_example(line)).map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    });
    let uncommented: String = uncommented.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(description("uncommented", &uncommented), description("required", required));

    // The examples are valid too. Those of lists are indented with three spaces. Only one of the two settings of the
    // relay is used, and some files do not exist here.
    let is_elsewhere =
        |line: &str| ["#smtp_url_file", "#ca_file", "#logo_file"].iter().any(|key| line.starts_with(key));
    let examples = reference.lines().filter(|line| !is_elsewhere(line));
    let examples = examples.map(|line| match line.strip_prefix("#   ").or(line.strip_prefix('#')) {
        Some(setting) if !setting.starts_with(' ') && (setting.starts_with("[[") || setting.contains(" = ")) => setting,
        _ => line,
    });
    let examples: String = examples.flat_map(|line| [line, "\n"]).collect();
    assert!(description("examples", &examples).contains("smtp.example.org"));
}

#[test]
fn the_changelog_begins_with_this_version() {
    let changelog = read("packaging/changelog");

    let expected = format!("domicile ({}) ", env!("CARGO_PKG_VERSION"));

    assert!(changelog.starts_with(&expected), "packaging/changelog must begin with \"{expected}\"");
}

/// The output of `domicile check --json` for a file with this text.
#[track_caller]
fn description(name: &str, text: &str) -> String {
    let file = std::env::temp_dir().join(format!("domicile-conffile-{}-{name}.toml", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let output = run(Command::new(env!("CARGO_BIN_EXE_domicile")).args(["check", "--json", "--config"]).arg(&file));
    let _ = std::fs::remove_file(&file);
    assert!(output.status.success(), "{}\n{text}", both(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
