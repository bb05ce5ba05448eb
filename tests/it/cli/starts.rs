//! What is checked before a start, what an interrupted `init` leaves, and whether the server is ready.

use std::path::Path;

use domicile::crypto::Keyring;
use domicile::db;

use super::{Appliance, CommandOutput, PermissionsExt, contents, open_live, refused};

/// A fault: its name, what causes it, and words that both commands must say about it.
type Fault = (&'static str, fn(&Appliance), &'static [&'static str]);

fn with_tls(site: &Appliance, certificate: &str, private_key: &str) {
    let tls = format!("[listen]\ntls = \"files\"\ncertificate = \"{certificate}\"\nprivate_key = \"{private_key}\"");
    site.reconfigure("[listen]", &tls);
}

/// Writes a certificate for localhost and its key into files.
fn certificate(site: &Appliance, name: &str) -> (String, String) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let write = |ending: &str, text: String| {
        let path = site.folder().join(format!("{name}.{ending}"));
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    (write("crt", certified.cert.pem()), write("key", certified.signing_key.serialize_pem()))
}

/// Replaces the live database by one without its identity, as a killed `init` of early versions left it.
fn unstamp(site: &Appliance) {
    let live = site.data().join("live/live.sqlite");
    std::fs::remove_file(&live).unwrap();
    let keyring = Keyring::load(&site.keyring(), false).unwrap();
    db::migrate_file(&live, &keyring.database_key_pragma()).unwrap();
}

const FAULTS: &[Fault] = &[
    ("no certificate", |site| with_tls(site, "/nowhere.crt", "/nowhere.key"), &["/nowhere.crt cannot be used"]),
    (
        "a file that is not a certificate",
        |site| with_tls(site, &site.config().display().to_string(), "/nowhere.key"),
        &["domicile.toml cannot be used", "PEM"],
    ),
    (
        "a key of another certificate",
        |site| {
            let ((one, _), (_, other)) = (certificate(site, "one"), certificate(site, "other"));
            with_tls(site, &one, &other);
        },
        &["cannot be used together"],
    ),
    ("another region", |site| site.reconfigure("\"eu\"", "\"us\""), &["belongs to region \"eu\""]),
    ("no keyring", |site| std::fs::remove_file(site.keyring()).unwrap(), &["keyring does not exist"]),
    (
        "a keyring that others can read",
        |site| std::fs::set_permissions(site.keyring(), std::fs::Permissions::from_mode(0o644)).unwrap(),
        &["chmod 600"],
    ),
    (
        "a keyring of another appliance",
        |site| {
            std::fs::copy(Appliance::initialized().keyring(), site.keyring()).unwrap();
        },
        &["live.sqlite", "belongs to another appliance"],
    ),
    (
        "a missing database",
        |site| std::fs::remove_file(site.data().join("live/live.sqlite")).unwrap(),
        &["does not exist", "domicile init"],
    ),
    (
        "a file that is not a database",
        |site| std::fs::write(site.data().join("live/live.sqlite"), [7u8; 8192]).unwrap(),
        &["live.sqlite", "or the file is damaged", "not a database of Domicile", "domicile restore FILE --replace"],
    ),
    (
        "a newer database",
        |site| open_live(site).pragma_update(None, "user_version", 999).unwrap(),
        &["schema 999", "newer version"],
    ),
    ("a database without an identity", unstamp, &["is incomplete", "move", "keyring", "domicile init"]),
];

/// Faults that are damage, so they have their own exit status.
const DAMAGES: &[Fault] = &[(
    "a file that is not a journal",
    |site| std::fs::write(site.data().join("tombstones.jsonl"), "one\ntwo\n").unwrap(),
    &["of the journal", "tombstones.jsonl", "Run: mv "],
)];

#[test]
fn check_refuses_what_serve_refuses_with_the_same_sentence_and_changes_nothing() {
    let faults = FAULTS.iter().map(|fault| (fault, 2)).chain(DAMAGES.iter().map(|damage| (damage, 3)));
    for ((name, damage, words), status) in faults {
        let site = Appliance::initialized();
        site.run(&["check"]).ok();
        damage(&site);
        eprintln!("{name}");
        let checked = refused(&site, &["check"], status, words);
        let served = refused(&site, &["serve"], status, words);
        // SQLCipher prints its own lines, which contain the time.
        let sentence = |output: &CommandOutput| output.stderr.split_once("domicile:").unwrap().1.to_owned();
        assert_eq!(sentence(&checked), sentence(&served), "{name}");
    }
}

#[test]
fn check_before_init_says_that_there_is_no_appliance() {
    let site = Appliance::configured("");

    let output = site.run(&["check"]);
    assert_eq!(output.status, 0, "{output:?}");
    assert!(output.stderr.contains("no appliance yet"), "{}", output.stderr);
    with_tls(&site, "/nowhere.crt", "/nowhere.key");
    refused(&site, &["check"], 2, &["/nowhere.crt"]);
}

#[test]
fn check_reads_committed_data_of_a_running_and_of_a_killed_server() {
    let mut site = Appliance::running();
    site.account("ada-l");

    site.run(&["check"]).ok();
    site.account("grace-h");
    assert_eq!(site.call("GET", "/readyz").send().status, 200);
    site.kill();
    assert!(site.data().join("live/live.sqlite-wal").exists(), "the last commits are not in the main file yet");
    let before = contents(site.folder());
    site.run(&["check"]).ok();
    assert!(contents(site.folder()) == before, "check changed a file");

    // Data in the log and not in the main file: while another connection is open, and without one.
    let connection = open_live(&site);
    connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    refused(&site, &["check"], 2, &["schema 999"]);
    connection.pragma_update(None, "user_version", db::MIGRATIONS_COUNT as i64).unwrap();
    site.run(&["check"]).ok();
    drop(connection);
    site.start();
    assert_eq!(site.call("GET", "/readyz").send().status, 200);
}

#[test]
fn check_reports_a_folder_that_cannot_be_written() {
    assert!(nix::unistd::geteuid().is_root(), "this test mounts a file system: run it as root");
    let site = Appliance::initialized();
    let data = site.data();
    let mount = |flags| nix::mount::mount(Some(&data), &data, None::<&str>, flags, None::<&str>).unwrap();
    mount(nix::mount::MsFlags::MS_BIND);
    mount(nix::mount::MsFlags::MS_BIND | nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY);

    let (checked, served) = (site.run(&["check"]), site.run(&["serve"]));
    nix::mount::umount(&data).unwrap();

    assert_eq!((checked.status, served.status), (2, 2), "{checked:?} {served:?}");
    assert!(checked.stderr.contains("live") && checked.stderr.contains("writable"), "{}", checked.stderr);
}

/// Restores the state of an `init` that was killed after it wrote the keyring and before it renamed the database.
fn interrupt_init(site: &Appliance) {
    std::fs::remove_dir_all(site.data().join("live")).unwrap();
    let id = Keyring::load(&site.keyring(), false).unwrap().id();
    std::fs::write(site.data().join("init.unfinished"), id).unwrap();
}

#[test]
fn an_interrupted_init_can_be_run_again() {
    let mut site = Appliance::initialized();
    let keyring = std::fs::read(site.keyring()).unwrap();
    interrupt_init(&site);
    std::fs::create_dir(site.data().join("live")).unwrap();
    std::fs::write(site.data().join("live/unfinished.sqlite"), "half a database").unwrap();
    std::fs::write(site.data().join("live/unfinished.sqlite-wal"), "half a log").unwrap();

    let link = site.run(&["init"]).ok();

    assert!(link.starts_with(&site.url()), "{link}");
    assert_eq!(std::fs::read(site.keyring()).unwrap(), keyring);
    let paths: Vec<_> = contents(&site.data()).into_keys().collect();
    assert!(!paths.iter().any(|path| path.display().to_string().contains("unfinished")), "{paths:?}");
    refused(&site, &["init"], 1, &["already contains an appliance"]);
    site.start();
}

#[test]
fn a_keyring_of_another_folder_is_never_used_after_an_interrupted_init() {
    let site = Appliance::initialized();
    interrupt_init(&site);
    std::fs::write(site.data().join("init.unfinished"), "00000000").unwrap();
    refused(&site, &["init"], 2, &["keyring", "never overwritten", "run: domicile restore FILE"]);
    refused(&site, &["serve"], 2, &["there is a keyring, but no data", "domicile restore FILE", "domicile init"]);

    // A file with the name of the database is never changed, whatever the note says.
    let site = Appliance::initialized();
    let id = Keyring::load(&site.keyring(), false).unwrap().id();
    std::fs::write(site.data().join("init.unfinished"), id).unwrap();
    refused(&site, &["init"], 1, &["already contains an appliance"]);
    unstamp(&site);
    refused(&site, &["init"], 2, &["is incomplete", "Remove that folder"]);
}

#[test]
fn an_init_that_is_killed_at_any_moment_can_be_run_again() {
    for milliseconds in (0..60).step_by(4) {
        let mut site = Appliance::configured("");
        let mut killed = site.command(&["init"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        killed.kill().unwrap();
        killed.wait().unwrap();

        let again = site.run(&["init"]);
        let exists = again.status == 1 && again.stderr.contains("already contains an appliance");
        assert!(again.status == 0 || exists, "after {milliseconds} ms: {again:?}");
        if milliseconds % 12 == 0 {
            site.start();
        }
        site.run(&["check"]).ok();
    }
}

fn ready(site: &Appliance) -> (i32, String) {
    let output = site.run(&["healthcheck"]);
    (output.status, format!("{}{}", output.stdout.trim_end(), output.stderr))
}

#[test]
fn healthcheck_works_through_tls() {
    let mut site = Appliance::initialized();
    site.reconfigure("[listen]", "[listen]\ntls = \"self-signed\"");
    assert_eq!(ready(&site).0, 1);
    site.start();
    assert_eq!(ready(&site), (0, "ready".into()));
    site.stop();

    let (one, key) = certificate(&site, "one");
    site.reconfigure(
        "tls = \"self-signed\"",
        &format!("tls = \"files\"\ncertificate = \"{one}\"\nprivate_key = \"{key}\""),
    );
    site.start();
    assert_eq!(ready(&site), (0, "ready".into()));
    // A server with another certificate is not accepted.
    let (other, _) = certificate(&site, "other");
    std::fs::rename(Path::new(&other), Path::new(&one)).unwrap();
    let (status, text) = ready(&site);
    assert!(status == 1 && text.contains("another certificate"), "{status}: {text}");
    site.stop();
    assert_eq!(ready(&site).0, 1);
}

/// A publisher or an upgrade of another process may take minutes.
#[test]
fn a_start_waits_for_no_publisher_and_no_upgrade_of_another_process() {
    let mut site = Appliance::initialized();
    let layout = db::Layout::new(&site.data());
    let _locks = [layout.snapshot_lock(), layout.upgrade_lock()].map(|path| db::lock_file(&path).unwrap());

    site.start();

    assert_eq!(ready(&site), (0, "ready".into()));
}
