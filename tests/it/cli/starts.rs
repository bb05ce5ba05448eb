//! What is looked at before a start, what an interrupted `init` leaves, and whether the server is ready.

use std::path::Path;

use domicile::crypto::Keyring;
use domicile::db;

use super::{Appliance, PermissionsExt, Ran, open_live, picture, refused};

/// Something that is broken, and what both commands must say about it.
type Broken = (&'static str, fn(&Appliance), &'static [&'static str]);

fn with_tls(site: &Appliance, certificate: &str, private_key: &str) {
    let tls = format!("[listen]\ntls = \"files\"\ncertificate = \"{certificate}\"\nprivate_key = \"{private_key}\"");
    site.reconfigure("[listen]", &tls);
}

/// A certificate for localhost and its key, in files.
fn certificate(site: &Appliance, name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let write = |ending: &str, text: String| {
        let path = site.folder().join(format!("{name}.{ending}"));
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    (write("crt", made.cert.pem()), write("key", made.signing_key.serialize_pem()))
}

/// The live database again without its stamp, as an `init` of old left it when it was killed.
fn unstamp(site: &Appliance) {
    let live = site.data().join("live/live.sqlite");
    std::fs::remove_file(&live).unwrap();
    let keyring = Keyring::load(&site.keyring(), false).unwrap();
    db::migrate_file(&live, &keyring.database_key_pragma()).unwrap();
}

const BROKEN: &[Broken] = &[
    ("no certificate", |site| with_tls(site, "/nowhere.crt", "/nowhere.key"), &["/nowhere.crt cannot be used"]),
    (
        "a certificate that is none",
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
        "a keyring for all to read",
        |site| std::fs::set_permissions(site.keyring(), std::fs::Permissions::from_mode(0o644)).unwrap(),
        &["chmod 600"],
    ),
    (
        "a keyring of another appliance",
        |site| {
            std::fs::copy(Appliance::made().keyring(), site.keyring()).unwrap();
        },
        &["live.sqlite", "belongs to another appliance"],
    ),
    (
        "no database any more",
        |site| std::fs::remove_file(site.data().join("live/live.sqlite")).unwrap(),
        &["does not exist", "domicile init"],
    ),
    (
        "a database that is none",
        |site| std::fs::write(site.data().join("live/live.sqlite"), [7u8; 8192]).unwrap(),
        &["live.sqlite", "not a database of Domicile"],
    ),
    (
        "a newer database",
        |site| open_live(site).pragma_update(None, "user_version", 999).unwrap(),
        &["schema 999", "newer version"],
    ),
    ("a database without a stamp", unstamp, &["was never finished", "move", "keyring", "domicile init"]),
    (
        "a journal that is none",
        |site| std::fs::write(site.data().join("tombstones.jsonl"), "one\ntwo\n").unwrap(),
        &["line 2 of the erasure journal", "tombstones.jsonl", "Put the journal back"],
    ),
];

#[test]
fn check_refuses_whatever_serve_refuses_in_the_same_words_and_changes_nothing() {
    for (what, damage, words) in BROKEN {
        let site = Appliance::made();
        site.run(&["check"]).ok();
        damage(&site);
        eprintln!("{what}");
        let checked = refused(&site, &["check"], 2, words);
        let served = refused(&site, &["serve"], 2, words);
        // SQLCipher has lines of its own, with the time in them.
        let words = |ran: &Ran| ran.stderr.split_once("domicile:").unwrap().1.to_owned();
        assert_eq!(words(&checked), words(&served), "{what}");
    }
}

#[test]
fn check_before_init_says_that_there_is_nothing_yet() {
    let site = Appliance::configured("");

    let told = site.run(&["check"]);
    assert_eq!(told.status, 0, "{told:?}");
    assert!(told.stderr.contains("no appliance yet"), "{}", told.stderr);
    with_tls(&site, "/nowhere.crt", "/nowhere.key");
    refused(&site, &["check"], 2, &["/nowhere.crt"]);
}

#[test]
fn check_reads_what_is_committed_beside_a_server_and_after_a_killed_one() {
    let mut site = Appliance::running();
    site.account("ada-l");

    site.run(&["check"]).ok();
    site.account("grace-h");
    assert_eq!(site.call("GET", "/readyz").send().status, 200);
    site.kill();
    assert!(site.data().join("live/live.sqlite-wal").exists(), "what was committed last is not in the file yet");
    let before = picture(site.folder());
    site.run(&["check"]).ok();
    assert!(picture(site.folder()) == before, "check changed a file");

    // In the log and not in the file, with somebody who has the database open, and without.
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
fn check_knows_a_folder_that_cannot_be_written() {
    assert!(nix::unistd::geteuid().is_root(), "this test mounts a file system: run it as root");
    let site = Appliance::made();
    let data = site.data();
    let mount = |flags| nix::mount::mount(Some(&data), &data, None::<&str>, flags, None::<&str>).unwrap();
    mount(nix::mount::MsFlags::MS_BIND);
    mount(nix::mount::MsFlags::MS_BIND | nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY);

    let (checked, served) = (site.run(&["check"]), site.run(&["serve"]));
    nix::mount::umount(&data).unwrap();

    assert_eq!((checked.status, served.status), (2, 2), "{checked:?} {served:?}");
    assert!(checked.stderr.contains("live") && checked.stderr.contains("writable"), "{}", checked.stderr);
}

/// Puts back what `init` has when it is killed after its keyring and before its database has its name.
fn unfinish(site: &Appliance) {
    std::fs::remove_dir_all(site.data().join("live")).unwrap();
    let id = Keyring::load(&site.keyring(), false).unwrap().id();
    std::fs::write(site.data().join("init.unfinished"), id).unwrap();
}

#[test]
fn an_interrupted_init_is_run_again() {
    let mut site = Appliance::made();
    let keyring = std::fs::read(site.keyring()).unwrap();
    unfinish(&site);
    std::fs::create_dir(site.data().join("live")).unwrap();
    std::fs::write(site.data().join("live/unfinished.sqlite"), "half a database").unwrap();
    std::fs::write(site.data().join("live/unfinished.sqlite-wal"), "half a log").unwrap();

    let link = site.run(&["init"]).ok();

    assert!(link.starts_with(&site.url()), "{link}");
    assert_eq!(std::fs::read(site.keyring()).unwrap(), keyring);
    let left: Vec<_> = picture(&site.data()).into_keys().collect();
    assert!(!left.iter().any(|path| path.display().to_string().contains("unfinished")), "{left:?}");
    refused(&site, &["init"], 1, &["holds an appliance already"]);
    site.start();
}

#[test]
fn a_keyring_that_is_not_this_folders_is_never_taken_for_an_interrupted_inits() {
    let site = Appliance::made();
    unfinish(&site);
    std::fs::write(site.data().join("init.unfinished"), "00000000").unwrap();
    refused(&site, &["init"], 2, &["keyring", "never overwritten"]);

    // And what has the database's name is never touched, whatever the note says.
    let site = Appliance::made();
    let id = Keyring::load(&site.keyring(), false).unwrap().id();
    std::fs::write(site.data().join("init.unfinished"), id).unwrap();
    refused(&site, &["init"], 1, &["holds an appliance already"]);
    unstamp(&site);
    refused(&site, &["init"], 2, &["was never finished", "Remove that folder"]);
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
        let is_made = again.status == 1 && again.stderr.contains("holds an appliance already");
        assert!(again.status == 0 || is_made, "after {milliseconds} ms: {again:?}");
        if milliseconds % 12 == 0 {
            site.start();
        }
        site.run(&["check"]).ok();
    }
}

fn ready(site: &Appliance) -> (i32, String) {
    let ran = site.run(&["healthcheck"]);
    (ran.status, format!("{}{}", ran.stdout.trim_end(), ran.stderr))
}

#[test]
fn readiness_is_asked_through_tls() {
    let mut site = Appliance::made();
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
    // Whoever answers there with another certificate is not our server.
    let (other, _) = certificate(&site, "other");
    std::fs::rename(Path::new(&other), Path::new(&one)).unwrap();
    let (status, words) = ready(&site);
    assert!(status == 1 && words.contains("another certificate"), "{status}: {words}");
    site.stop();
    assert_eq!(ready(&site).0, 1);
}
