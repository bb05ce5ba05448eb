use std::os::unix::ffi::OsStrExt;

use super::{Appliance, PermissionsExt, contents, open_live, refused};

#[test]
fn an_unknown_setting_is_refused_with_its_line_and_a_suggestion() {
    let site = Appliance::configured("[sesion]\nidle_timeout = \"30m\"\n[billing]\nsignup_credt = \"5.00\"\n");

    for command in [&["serve"][..], &["check"], &["init"], &["account", "list"]] {
        refused(&site, command, 2, &["domicile.toml:", "signup_credt", "signup_credit", "sesion.idle_timeout"]);
    }
}

#[test]
fn an_unknown_variable_is_refused() {
    let site = Appliance::initialized();

    let output = super::CommandOutput {
        ..crate::support::finish(site.command(&["check"]).env("DOMICILE_LISTEN__ADRESS", "127.0.0.1:1"), "")
    };
    assert_eq!(output.status, 2);
    assert!(output.stderr.contains("DOMICILE_LISTEN__ADRESS"), "{}", output.stderr);
}

#[test]
fn a_setting_in_a_variable_that_is_not_utf_8_is_refused_by_name() {
    let site = Appliance::initialized();
    let bytes = |bytes: &[u8]| std::ffi::OsStr::from_bytes(bytes).to_owned();
    let check =
        |name: &[u8], value: &[u8]| crate::support::finish(site.command(&["check"]).env(bytes(name), bytes(value)), "");

    check(b"ANOTHER_PROGRAMS", b"\xff").ok();
    check(b"ANOTHER\xff", b"program's").ok();
    for (name, value) in [(&b"DOMICILE_LISTEN__ADDRESS"[..], &b"\xff"[..]), (b"DOMICILE_LISTEN\xff", b"1")] {
        let output = check(name, value);
        assert_eq!(output.status, 2, "{output:?}");
        assert!(
            output.stderr.contains("DOMICILE_LISTEN") && output.stderr.contains("is not UTF-8"),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn a_missing_region_is_refused_with_an_example() {
    let site = Appliance::configured("");
    site.reconfigure("region = \"eu\"\n", "");

    for command in [&["serve"][..], &["init"], &["check"]] {
        refused(&site, command, 2, &["domicile.toml", "region = \"eu\""]);
    }
}

#[test]
fn without_a_file_the_refusal_says_how_to_get_one() {
    let site = Appliance::configured("");
    std::fs::remove_file(site.config()).unwrap();

    refused(&site, &["serve"], 2, &["domicile.toml does not exist", "domicile init", "domicile demo"]);
}

#[test]
fn another_region_than_that_of_the_database_is_refused() {
    let site = Appliance::initialized();
    site.reconfigure("region = \"eu\"", "region = \"us\"");

    refused(&site, &["serve"], 2, &["belongs to region \"eu\"", "Set region = \"eu\"", "data_dir"]);
}

#[test]
fn before_init_the_refusal_names_init() {
    let site = Appliance::configured("");

    refused(&site, &["serve"], 2, &["keyring", "does not exist", "domicile init"]);
}

#[test]
fn init_never_overwrites_files() {
    let site = Appliance::initialized();

    refused(&site, &["init"], 1, &["already contains an appliance", "nothing is overwritten"]);
    std::fs::rename(site.data(), site.folder().join("moved")).unwrap();
    refused(&site, &["init"], 2, &["keyring", "never overwritten"]);
}

#[test]
fn a_missing_keyring_is_refused() {
    let site = Appliance::initialized();
    std::fs::remove_file(site.keyring()).unwrap();

    refused(&site, &["serve"], 2, &["keyring does not exist", "safe place"]);
}

#[test]
fn a_keyring_of_another_appliance_is_refused_and_nothing_changes() {
    let site = Appliance::initialized();
    let other = Appliance::initialized();
    std::fs::copy(other.keyring(), site.keyring()).unwrap();

    refused(&site, &["serve"], 2, &["live.sqlite", "belongs to another appliance", "Restore the right keyring"]);
}

#[test]
fn a_keyring_that_others_can_read_is_refused_with_the_command_that_fixes_it() {
    let site = Appliance::initialized();
    std::fs::set_permissions(site.keyring(), std::fs::Permissions::from_mode(0o644)).unwrap();

    let fix = format!("chmod 600 {}", site.keyring().display());
    refused(&site, &["serve"], 2, &[&fix]);
    std::fs::set_permissions(site.keyring(), std::fs::Permissions::from_mode(0o640)).unwrap();
    refused(&site, &["serve"], 2, &[&fix]);
}

#[test]
fn a_file_that_is_not_a_keyring_is_refused() {
    let site = Appliance::initialized();
    std::fs::write(site.keyring(), "hello\n").unwrap();

    refused(&site, &["serve"], 2, &["keyring"]);
}

#[test]
fn a_database_of_a_newer_version_is_refused_with_both_numbers() {
    let site = Appliance::initialized();
    {
        let connection = open_live(&site);
        connection.pragma_update(None, "user_version", 999).unwrap();
        connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())).unwrap();
    }

    refused(&site, &["serve"], 2, &["schema 999", "newer version", "Install the newer version"]);
}

#[test]
fn a_second_server_on_the_folder_is_refused_and_the_first_keeps_running() {
    let mut site = Appliance::running();

    // On another port, so that the folder is the reason of the refusal.
    let second = site.command(&["serve"]).env("DOMICILE_LISTEN__ADDRESS", "127.0.0.1:0").output().unwrap();
    let stderr = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("another server is running on") && stderr.contains("Stop it first"), "{stderr}");
    assert_eq!(site.call("GET", "/readyz").send().status, 200);
    assert!(site.stop().success());
}

#[test]
fn a_port_in_use_is_refused_with_the_address() {
    let site = Appliance::initialized();
    let taken = std::net::TcpListener::bind(("127.0.0.1", site.port)).unwrap();

    let output = site.run(&["serve"]);
    drop(taken);
    assert_eq!(output.status, 2, "{output:?}");
    assert!(output.stderr.contains(&format!("cannot listen on 127.0.0.1:{}", site.port)), "{}", output.stderr);
}

#[test]
fn a_folder_that_cannot_be_created_is_named() {
    let site = Appliance::configured("");
    std::fs::write(site.data(), "a file is in the way").unwrap();

    refused(&site, &["init"], 2, &[&site.data().display().to_string()]);
}

#[test]
fn wrong_usage_is_refused_with_the_usage() {
    let site = Appliance::initialized();

    refused(&site, &["acount", "list"], 2, &["acount", "account"]);
    refused(&site, &["account", "create", "--email", "x@example.org"], 2, &["--username"]);
    refused(&site, &["serve", "--port", "1"], 2, &["--port"]);
}

#[test]
fn missing_things_and_wrong_values_are_refused_with_status_1() {
    let site = Appliance::initialized();
    site.account("ada-l");
    let before = contents(&site.data());

    for (arguments, word) in [
        (&["account", "show", "nobody"][..], "there is no account \"nobody\""),
        (&["account", "delete", "ada-l"], "Add --yes"),
        (&["account", "create", "--email", "not-an-address", "--username", "grace-h"], "address"),
        (&["account", "create", "--email", "grace@example.org", "--username", "settings"], "username"),
        (&["account", "create", "--email", "ada-l@example.org", "--username", "grace-h", "--verified"], "address"),
        (&["key", "create", "--account", "ada-l", "--name", "ci", "--scope", "flying"], "there is no scope \"flying\""),
        (&["key", "create", "--account", "ada-l", "--name", "ci", "--scope", "read", "--expires", "soon"], "90d"),
        (&["key", "create", "--account", "ada-l", "--name", "ci", "--scope", "read", "--note", "a\tb"], "500 visible"),
        (&["key", "revoke", "key_00000000000000000000000000"], "there is no key"),
        (&["key", "revoke", "ci"], "is not the id of a key"),
        (&["credit", "grant", "--account", "ada-l", "--amount", "1e3", "--reason", "x"], "25.00"),
        (&["credit", "grant", "--account", "ada-l", "--amount", "0", "--reason", "x"], "above zero"),
        (&["credit", "grant", "--account", "ada-l", "--amount", "0.0000001", "--reason", "x"], "six decimals"),
        (&["credit", "grant", "--account", "ada-l", "--amount", "99999999999999", "--reason", "x"], "at most"),
        (&["service", "create", "Not A Name!"], "name"),
    ] {
        let output = site.run(arguments);
        assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{arguments:?}: {output:?}");
        assert!(output.stderr.contains(word), "{arguments:?}: {}", output.stderr);
    }
    let rows = |name: &str| {
        open_live(&site).query_row(&format!("select count(*) from {name}"), [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((rows("account"), rows("api_key"), rows("ledger_tx"), rows("service")), (1, 0, 1, 0));
    assert_eq!(before.len(), contents(&site.data()).len());
}

#[test]
fn damage_is_reported_with_status_3_and_the_first_damaged_row() {
    let site = Appliance::initialized();
    site.account("ada-l");
    site.run(&["snapshot", "now"]).ok();
    let snapshot = site.data().join("domicile.sqlite");
    site.run(&["verify", &snapshot.display().to_string()]).ok();

    let mut bytes = std::fs::read(&snapshot).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = site.folder().join("damaged.sqlite");
    std::fs::write(&damaged, bytes).unwrap();
    refused(&site, &["verify", &damaged.display().to_string()], 3, &["must not be restored", "damaged.sqlite"]);

    let connection = open_live(&site);
    connection
        .execute_batch("drop trigger audit_event_is_never_changed; update audit_event set event = 'x' where seq = 2")
        .unwrap();
    drop(connection);
    let output = site.run(&["audit", "verify"]);
    assert_eq!(output.status, 3, "{output:?}");
    assert!(output.stderr.contains("event 2"), "{}", output.stderr);

    let connection = open_live(&site);
    connection
        .execute_batch("drop trigger ledger_posting_is_never_changed; update ledger_posting set amount_micro = amount_micro + 1 where n = 1")
        .unwrap();
    drop(connection);
    let output = site.run(&["ledger", "check"]);
    assert_eq!(output.status, 3, "{output:?}");
    assert!(output.stderr.contains("ledger_tx 1"), "{}", output.stderr);
}

#[test]
fn a_file_that_cannot_be_read_is_not_reported_as_damaged() {
    let site = Appliance::initialized();

    refused(&site, &["verify", "nowhere.sqlite"], 1, &["there is no file nowhere.sqlite", "Check the path"]);
}

#[test]
fn a_read_only_file_system_is_refused_with_the_folder() {
    assert!(nix::unistd::geteuid().is_root(), "this test mounts a file system: run it as root");
    let mut site = Appliance::initialized();
    site.account("ada-l");
    let data = site.data();
    let mount = |flags| nix::mount::mount(Some(&data), &data, None::<&str>, flags, None::<&str>).unwrap();
    mount(nix::mount::MsFlags::MS_BIND);
    mount(nix::mount::MsFlags::MS_BIND | nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY);

    let output = site.run(&["serve"]);
    nix::mount::umount(&data).unwrap();

    assert_eq!(output.status, 2, "{output:?}");
    let live = data.join("live").display().to_string();
    assert!(output.stderr.contains(&live) && output.stderr.contains("writable"), "{}", output.stderr);
    site.start();
}
