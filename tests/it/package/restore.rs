//! A restore as a new admin does it, who has only the documents of the package.

use serde_json::json;

use super::{CONFIGURE, INSTALL, INSTALL_AND_START, Machine, read};
use crate::support::{Browser, Call, PASSWORD};

const PORT: u16 = 8080;
const PRICE: &str = "printf '[[prices]]\\nsku = \"gpu.h100\"\\nunit = \"second\"\\nprice = \"0.001\"\\n' \\
     >> /etc/domicile/domicile.toml";
/// What a backup keeps, and where it is on the machine.
const TAKEN: [(&str, &str); 4] = [
    ("domicile.sqlite", "/root/copied.sqlite"),
    ("tombstones.jsonl", "/var/lib/domicile/tombstones.jsonl"),
    ("keyring", "/etc/domicile/keyring"),
    ("domicile.toml", "/etc/domicile/domicile.toml"),
];

/// The appliance that is lost, and what its people have of it.
struct Lost {
    /// The files that were copied from it.
    files: Vec<(&'static str, Vec<u8>)>,
    service: String,
    workspace: String,
    /// A key that is valid, one that was revoked after the snapshot, and one of a person who was erased after it.
    keys: [String; 3],
}

/// The commands of the numbered steps, as README.Debian has them for a folder.
fn steps(folder: &str) -> Vec<String> {
    let readme = read("packaging/README.Debian");
    let section = readme.split("\nRestore\n-------\n").nth(1).expect("README.Debian has a section Restore");
    let section = section.split("\n----").next().unwrap_or_default();
    let lines = section.lines().filter_map(|line| line.split_once("sudo ")).map(|(_, command)| command);
    // What follows two spaces explains the command.
    let commands = lines.map(|line| line.split("  ").next().unwrap_or_default());
    commands.map(|command| command.replace("FOLDER", folder)).collect()
}

fn person(name: &str) -> String {
    format!(
        "printf '%s' '{PASSWORD}' | domicile account create --email {name}@example.org --username {name} --verified \
         --password-stdin"
    )
}

fn report(service: &str, workspace: &str, id: &str) -> serde_json::Value {
    let event = json!([{"id": id, "source": "https://gpu.example", "workspace": workspace, "sku": "gpu.h100",
                        "quantity": "600", "time": "2026-05-03T09:00:00Z"}]);
    let answer = Call::new(PORT, "POST", "/v1/usage/events").bearer(service).json(&event).send();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// An appliance with people, keys, credit and usage, some of it from after the snapshot that was copied.
fn lose_an_appliance() -> Lost {
    let machine = Machine::boot();
    machine.ok(INSTALL);
    machine.ok(CONFIGURE);
    machine.ok(PRICE);
    machine.ok(INSTALL_AND_START);
    machine.ok(&person("ada-l"));
    machine.ok(&person("gone-g"));
    let key =
        |account: &str| machine.ok(&format!("domicile key create --account {account} --name ci --scope models:read"));
    let keys = [key("ada-l"), key("ada-l"), key("gone-g")];
    let revoked = machine.ok("domicile key list --account ada-l | head -n 1 | cut -f1");
    let service = machine.ok("domicile service create training");
    machine.ok("domicile credit grant --account ada-l --amount 25.00 --reason Workshop");
    let shown: serde_json::Value = serde_json::from_str(&machine.ok("domicile account show ada-l --json")).unwrap();
    let workspace = shown["workspace"].as_str().unwrap().to_owned();
    machine.inside(|| report(&service, &workspace, "before"));
    machine.ok("domicile snapshot now && cp /var/lib/domicile/domicile.sqlite /root/copied.sqlite");

    machine.inside(|| report(&service, &workspace, "after"));
    machine.ok(&format!("domicile key revoke {revoked}"));
    machine.ok("domicile account delete gone-g --yes");

    let files = TAKEN.map(|(name, path)| (name, std::fs::read(machine.path(path)).unwrap())).into();
    let is_second = machine.inside(|| !accepts(&keys[1]));
    let [first, second, gone] = keys;
    let keys = if is_second { [first, second, gone] } else { [second, first, gone] };
    Lost { files, service, workspace, keys }
}

fn accepts(key: &str) -> bool {
    Call::new(PORT, "GET", "/v1/forward-auth").bearer(key).send().status == 200
}

/// What people have is there, and what had ended is not.
#[track_caller]
fn serves(machine: &Machine, lost: &Lost) {
    assert_eq!(machine.ok("domicile healthcheck"), "ready");
    machine.inside(|| {
        assert_eq!(lost.keys.each_ref().map(|key| accepts(key)), [true, false, false]);
        assert_eq!(Browser::at(PORT).sign_in("ada-l").status, 303);
        let form = [("name", "gone-g"), ("password", PASSWORD)];
        assert_ne!(Browser::at(PORT).submit("/signin", "/signin", &form).status, 303);
    });
    machine.ok("domicile ledger check");
    assert_eq!(machine.ok("find /var/lib/domicile ! -user domicile"), "");
}

#[track_caller]
fn has_balance(machine: &Machine, balance: &str) {
    let shown = machine.ok("domicile account show ada-l");
    assert!(shown.contains(&format!("Balance     {balance}\n")), "{shown}");
}

#[test]
#[ignore = "deep: boots containers"]
fn a_new_admin_restores_with_the_documents_of_the_package_alone() {
    let lost = lose_an_appliance();
    let machine = Machine::boot();
    std::fs::create_dir(machine.path("/root/copied")).unwrap();
    for (name, bytes) in &lost.files {
        std::fs::write(machine.path(&format!("/root/copied/{name}")), bytes).unwrap();
    }
    let [install, stop, settings, keyring, restore, start, verify] = &steps("/root/copied")[..] else {
        panic!("README.Debian has other steps: {:?}", steps(""));
    };
    assert!(install.starts_with("apt install ./domicile"), "{install}");

    assert!(machine.ok(INSTALL).contains("do not run init"));
    machine.ok(stop);
    // Step 3 is left out in part: the refusal names the command that step 3 has.
    machine.ok("cd /root/copied && install -m 600 domicile.toml keyring /etc/domicile/");
    let refused = machine.refused(restore);
    assert!(refused.contains("chown root:domicile") && refused.contains("chmod 640"), "{refused}");
    assert!(machine.refused("domicile check").contains("chmod 640"));
    machine.ok(&format!("cd /root/copied && {settings} && {keyring}"));
    let restored = machine.ok(restore);
    machine.ok(start);

    assert!(restored.contains("1 account was erased again, 1 other change was made again"), "{restored}");
    assert!(machine.ok(verify).contains("is lost"), "{}", machine.ok(verify));
    serves(&machine, &lost);
    // 5.00 of the sign-up and 25.00 granted, less what was reported before the snapshot.
    has_balance(&machine, "29.40");
    let reports = machine.inside(|| ["before", "after"].map(|id| report(&lost.service, &lost.workspace, id)));
    assert_eq!((&reports[0]["duplicates"], &reports[1]["accepted"]), (&json!(1), &json!(1)), "{reports:?}");
    has_balance(&machine, "28.80");

    // Over the appliance that is there, which first has to be stopped.
    let replace = format!("{restore} --replace");
    let refused = machine.refused(&replace);
    assert!(refused.contains(&format!("Run `{stop}`")), "{refused}");
    machine.ok(stop);
    assert!(machine.refused(restore).contains("--replace"));
    assert!(machine.ok(&replace).contains("The replaced data is in /var/lib/domicile/before-restore-"));
    machine.ok(start);
    serves(&machine, &lost);
    has_balance(&machine, "29.40");

    // After a purge, from the last snapshot.
    let purged = machine.ok("dpkg -P domicile");
    let command = purged.lines().find_map(|line| line.split_once(" run: ")).map(|(_, command)| command);
    assert!(machine.ok(INSTALL).contains("a keyring, but no data"));
    machine.ok(CONFIGURE);
    machine.refused(start);
    assert!(machine.refused("domicile serve").contains("domicile restore FILE"));
    assert!(machine.refused("domicile init").contains("domicile restore FILE"));
    machine.ok(command.unwrap_or_else(|| panic!("the purge names no command: {purged}")));
    machine.ok(start);
    serves(&machine, &lost);
    has_balance(&machine, "29.40");
}

#[test]
#[ignore = "deep: boots a container"]
fn with_the_sockets_of_systemd_the_documented_stop_lets_no_connection_start_the_server() {
    let machine = Machine::boot();
    machine.ok(INSTALL);
    machine.ok(CONFIGURE);
    machine.ok(INSTALL_AND_START);
    machine.ok("systemctl stop domicile && systemctl enable --now domicile.socket && systemctl start domicile");
    let opened = || machine.ok("systemctl show -P ActiveEnterTimestampMonotonic domicile.socket");
    let before = opened();
    let stop = &steps("")[1];

    machine.ok(INSTALL);
    assert_eq!(opened(), before, "an upgrade closed the sockets");
    assert_eq!(machine.inside(|| Call::new(PORT, "GET", "/healthz").send().status), 200);
    machine.ok(stop);

    assert!(machine.inside(|| Call::new(PORT, "GET", "/healthz").try_send().is_err()));
    assert_eq!(machine.refused("systemctl is-active domicile"), "inactive");
    machine.ok("systemctl start domicile.socket domicile && dpkg -P domicile");
    assert!(machine.inside(|| Call::new(PORT, "GET", "/healthz").try_send().is_err()));
    assert_eq!(machine.ok("find /etc/systemd -name 'domicile*'"), "");
}
