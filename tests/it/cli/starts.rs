//! What is looked at before a start, what an interrupted `init` leaves, and whether the server is ready.

use std::path::Path;

use domicile::crypto::Keyring;
use domicile::db;

use super::{Appliance, PermissionsExt, Ran, open_live, picture, refused};

/// Something that is broken, and what both commands must say about it.
type Broken = (&'static str, fn(&Appliance), &'static [&'static str]);

fn with_tls(house: &Appliance, certificate: &str, private_key: &str) {
    let tls = format!("[listen]\ntls = \"files\"\ncertificate = \"{certificate}\"\nprivate_key = \"{private_key}\"");
    house.reconfigure("[listen]", &tls);
}

/// A certificate for localhost and its key, in files.
fn certificate(house: &Appliance, name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let write = |ending: &str, text: String| {
        let path = house.folder().join(format!("{name}.{ending}"));
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    (write("crt", made.cert.pem()), write("key", made.signing_key.serialize_pem()))
}

/// The live database again without its stamp, as an `init` of old left it when it was killed.
fn unstamp(house: &Appliance) {
    let live = house.data().join("live/live.sqlite");
    std::fs::remove_file(&live).unwrap();
    let keyring = Keyring::load(&house.keyring(), false).unwrap();
    db::migrate_file(&live, &keyring.database_key_pragma()).unwrap();
}

const BROKEN: &[Broken] = &[
    ("no certificate", |house| with_tls(house, "/nowhere.crt", "/nowhere.key"), &["/nowhere.crt cannot be used"]),
    (
        "a certificate that is none",
        |house| with_tls(house, &house.config().display().to_string(), "/nowhere.key"),
        &["domicile.toml cannot be used", "PEM"],
    ),
    (
        "a key of another certificate",
        |house| {
            let ((one, _), (_, other)) = (certificate(house, "one"), certificate(house, "other"));
            with_tls(house, &one, &other);
        },
        &["cannot be used together"],
    ),
    ("another region", |house| house.reconfigure("\"eu\"", "\"us\""), &["belongs to region \"eu\""]),
    ("no keyring", |house| std::fs::remove_file(house.keyring()).unwrap(), &["keyring does not exist"]),
    (
        "a keyring for all to read",
        |house| std::fs::set_permissions(house.keyring(), std::fs::Permissions::from_mode(0o644)).unwrap(),
        &["chmod 600"],
    ),
    (
        "a keyring of another appliance",
        |house| {
            std::fs::copy(Appliance::made().keyring(), house.keyring()).unwrap();
        },
        &["live.sqlite", "belongs to another appliance"],
    ),
    (
        "no database any more",
        |house| std::fs::remove_file(house.data().join("live/live.sqlite")).unwrap(),
        &["does not exist", "domicile init"],
    ),
    (
        "a database that is none",
        |house| std::fs::write(house.data().join("live/live.sqlite"), [7u8; 8192]).unwrap(),
        &["live.sqlite", "not a database of Domicile"],
    ),
    (
        "a newer database",
        |house| open_live(house).pragma_update(None, "user_version", 999).unwrap(),
        &["schema 999", "newer version"],
    ),
    ("a database without a stamp", unstamp, &["was never finished", "move", "keyring", "domicile init"]),
    (
        "a journal that is none",
        |house| std::fs::write(house.data().join("tombstones.jsonl"), "one\ntwo\n").unwrap(),
        &["line 2 of the erasure journal", "tombstones.jsonl", "Put the journal back"],
    ),
];

#[test]
fn check_refuses_whatever_serve_refuses_in_the_same_words_and_changes_nothing() {
    for (what, damage, words) in BROKEN {
        let house = Appliance::made();
        house.run(&["check"]).ok();
        damage(&house);
        eprintln!("{what}");
        let checked = refused(&house, &["check"], 2, words);
        let served = refused(&house, &["serve"], 2, words);
        // SQLCipher has lines of its own, with the time in them.
        let words = |ran: &Ran| ran.stderr.split_once("domicile:").unwrap().1.to_owned();
        assert_eq!(words(&checked), words(&served), "{what}");
    }
}

#[test]
fn check_before_init_says_that_there_is_nothing_yet() {
    let house = Appliance::configured("");

    let told = house.run(&["check"]);
    assert_eq!(told.status, 0, "{told:?}");
    assert!(told.stderr.contains("no appliance yet"), "{}", told.stderr);
    with_tls(&house, "/nowhere.crt", "/nowhere.key");
    refused(&house, &["check"], 2, &["/nowhere.crt"]);
}

#[test]
fn check_reads_what_is_committed_beside_a_server_and_after_a_killed_one() {
    let mut house = Appliance::running();
    house.account("ada-l");

    house.run(&["check"]).ok();
    house.account("grace-h");
    assert_eq!(house.call("GET", "/readyz").send().status, 200);
    house.kill();
    assert!(house.data().join("live/live.sqlite-wal").exists(), "what was committed last is not in the file yet");
    let before = picture(house.folder());
    house.run(&["check"]).ok();
    assert!(picture(house.folder()) == before, "check changed a file");

    // In the log and not in the file, with somebody who has the database open, and without.
    let connection = open_live(&house);
    connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    refused(&house, &["check"], 2, &["schema 999"]);
    connection.pragma_update(None, "user_version", db::MIGRATIONS_COUNT as i64).unwrap();
    house.run(&["check"]).ok();
    drop(connection);
    house.start();
    assert_eq!(house.call("GET", "/readyz").send().status, 200);
}

#[test]
fn check_knows_a_folder_that_cannot_be_written() {
    assert!(nix::unistd::geteuid().is_root(), "this test mounts a file system: run it as root");
    let house = Appliance::made();
    let data = house.data();
    let mount = |flags| nix::mount::mount(Some(&data), &data, None::<&str>, flags, None::<&str>).unwrap();
    mount(nix::mount::MsFlags::MS_BIND);
    mount(nix::mount::MsFlags::MS_BIND | nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY);

    let (checked, served) = (house.run(&["check"]), house.run(&["serve"]));
    nix::mount::umount(&data).unwrap();

    assert_eq!((checked.status, served.status), (2, 2), "{checked:?} {served:?}");
    assert!(checked.stderr.contains("live") && checked.stderr.contains("writable"), "{}", checked.stderr);
}

/// Puts back what `init` has when it is killed after its keyring and before its database has its name.
fn unfinish(house: &Appliance) {
    std::fs::remove_dir_all(house.data().join("live")).unwrap();
    let id = Keyring::load(&house.keyring(), false).unwrap().id();
    std::fs::write(house.data().join("init.unfinished"), id).unwrap();
}

#[test]
fn an_interrupted_init_is_run_again() {
    let mut house = Appliance::made();
    let keyring = std::fs::read(house.keyring()).unwrap();
    unfinish(&house);
    std::fs::create_dir(house.data().join("live")).unwrap();
    std::fs::write(house.data().join("live/unfinished.sqlite"), "half a database").unwrap();
    std::fs::write(house.data().join("live/unfinished.sqlite-wal"), "half a log").unwrap();

    let link = house.run(&["init"]).ok();

    assert!(link.starts_with(&house.url()), "{link}");
    assert_eq!(std::fs::read(house.keyring()).unwrap(), keyring);
    let left: Vec<_> = picture(&house.data()).into_keys().collect();
    assert!(!left.iter().any(|path| path.display().to_string().contains("unfinished")), "{left:?}");
    refused(&house, &["init"], 1, &["holds an appliance already"]);
    house.start();
}

#[test]
fn a_keyring_that_is_not_this_folders_is_never_taken_for_an_interrupted_inits() {
    let house = Appliance::made();
    unfinish(&house);
    std::fs::write(house.data().join("init.unfinished"), "00000000").unwrap();
    refused(&house, &["init"], 2, &["keyring", "never overwritten"]);

    // And what has the database's name is never touched, whatever the note says.
    let house = Appliance::made();
    let id = Keyring::load(&house.keyring(), false).unwrap().id();
    std::fs::write(house.data().join("init.unfinished"), id).unwrap();
    refused(&house, &["init"], 1, &["holds an appliance already"]);
    unstamp(&house);
    refused(&house, &["init"], 2, &["was never finished", "Remove that folder"]);
}

#[test]
fn an_init_that_is_killed_at_any_moment_can_be_run_again() {
    for milliseconds in (0..60).step_by(4) {
        let mut house = Appliance::configured("");
        let mut killed = house.command(&["init"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        killed.kill().unwrap();
        killed.wait().unwrap();

        let again = house.run(&["init"]);
        let is_made = again.status == 1 && again.stderr.contains("holds an appliance already");
        assert!(again.status == 0 || is_made, "after {milliseconds} ms: {again:?}");
        if milliseconds % 12 == 0 {
            house.start();
        }
        house.run(&["check"]).ok();
    }
}

fn ready(house: &Appliance) -> (i32, String) {
    let ran = house.run(&["healthcheck"]);
    (ran.status, format!("{}{}", ran.stdout.trim_end(), ran.stderr))
}

#[test]
fn readiness_is_asked_through_tls() {
    let mut house = Appliance::made();
    house.reconfigure("[listen]", "[listen]\ntls = \"self-signed\"");
    assert_eq!(ready(&house).0, 1);
    house.start();
    assert_eq!(ready(&house), (0, "ready".into()));
    house.stop();

    let (one, key) = certificate(&house, "one");
    house.reconfigure(
        "tls = \"self-signed\"",
        &format!("tls = \"files\"\ncertificate = \"{one}\"\nprivate_key = \"{key}\""),
    );
    house.start();
    assert_eq!(ready(&house), (0, "ready".into()));
    // Whoever answers there with another certificate is not our server.
    let (other, _) = certificate(&house, "other");
    std::fs::rename(Path::new(&other), Path::new(&one)).unwrap();
    let (status, words) = ready(&house);
    assert!(status == 1 && words.contains("another certificate"), "{status}: {words}");
    house.stop();
    assert_eq!(ready(&house).0, 1);
}
