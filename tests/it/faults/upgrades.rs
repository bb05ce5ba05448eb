//! Upgrades of the database: tried on a copy first, killed at any moment, and refused with a way back.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use domicile::base::Rng;
use domicile::crypto::Keyring;
use domicile::db::MIGRATIONS_COUNT;
use rusqlite::Connection;

use super::Appliance;
use super::disks::Disk;
use crate::support::{CommandOutput, finish, rounds, tool};

/// The schema of the database that is upgraded here.
const OLD: usize = 17;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/schema-17")
}

pub(super) fn old_appliance() -> Appliance {
    let site = Appliance::with_snapshot(&fixture());
    assert_eq!(schema(&site.database()), OLD);
    site
}

fn schema(connection: &Connection) -> usize {
    let version: i64 = connection.query_row("pragma user_version", [], |row| row.get(0)).unwrap();
    version.try_into().unwrap()
}

fn opened(site: &Appliance, path: &Path) -> Connection {
    let keyring = Keyring::load(&site.keyring(), false).unwrap();
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(&format!("pragma key = \"{}\"", keyring.database_key_pragma().expose())).unwrap();
    connection
}

/// Names and contents of all files in the folder of the live database, except lock files, which are empty.
pub(super) fn live_files(site: &Appliance) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(site.live().parent().unwrap()).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.path().extension().is_none_or(|ending| ending != "lock"));
    files.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

/// The copies from before an upgrade.
fn kept(site: &Appliance) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(site.data()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("before-")).collect()
}

/// Makes the next migration of the old database fail: it adds a column that is there already.
pub(super) fn break_the_migration(site: &Appliance) {
    site.database().execute_batch("alter table api_key add column note text").unwrap();
}

/// A command that must refuse to upgrade. A server refuses in the same way, and would not end if it did not.
fn refused_upgrade(site: &Appliance) -> CommandOutput {
    let refused = site.run(&["account", "list"]);
    assert!(refused.status > 0, "{refused:?}");
    refused
}

#[test]
fn an_upgrade_keeps_the_database_from_before_and_loses_nothing() {
    let mut site = old_appliance();
    let people = |connection: &Connection| -> i64 {
        connection.query_row("select count(*) from account", [], |row| row.get(0)).unwrap()
    };
    let before = people(&site.database());

    site.start();

    assert_eq!((schema(&site.database()), people(&site.database())), (MIGRATIONS_COUNT, before));
    let [copy] = kept(&site).try_into().unwrap();
    let name = copy.file_name().unwrap().to_string_lossy().into_owned();
    assert!(
        name.starts_with(&format!("before-migration-{OLD}-{MIGRATIONS_COUNT}-")) && name.ends_with(".sqlite"),
        "{name}"
    );
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let old = opened(&site, &copy);
    let stamped: (i64, i64) = old
        .query_row("select schema_version, audit_seq from snapshot_stamp", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let events: i64 = old.query_row("select max(seq) from audit_event", [], |row| row.get(0)).unwrap();
    assert_eq!((schema(&old), people(&old), stamped), (OLD, before, (17, events)));
    let mode: String = old.query_row("pragma journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete", "a program that opens the copy leaves no files beside it");
    assert!(!site.data().join("live/upgrade.unfinished").exists());
    for number in OLD + 1..=MIGRATIONS_COUNT {
        let line = format!("Migration {number} of {MIGRATIONS_COUNT} begins.");
        assert_eq!(site.log().matches(&line).count(), 2, "on the copy and on the database: {}", site.log());
    }
    site.stop();
    let left = site.data().join("live/upgrade.unfinished");
    std::fs::create_dir(&left).unwrap();
    site.start();
    assert_eq!(kept(&site).len(), 1, "a second start upgrades nothing");
    assert!(!left.exists(), "a start removes what a killed upgrade left");
}

#[test]
fn systemd_hears_of_each_step_and_gives_it_time() {
    let site = old_appliance();
    let path = site.folder().join("steps");
    let socket = UnixDatagram::bind(&path).unwrap();
    // Reads meanwhile, as systemd does: the kernel keeps ten messages, and the sender of the next one waits.
    let reading = std::thread::spawn(move || {
        let mut message = [0u8; 512];
        let received = std::iter::from_fn(|| socket.recv(&mut message).ok().map(|length| message[..length].to_vec()));
        let texts = received.map(|bytes| String::from_utf8(bytes).unwrap());
        texts.take_while(|text| text != "END").collect::<Vec<_>>()
    });
    let mut command = site.command(&["account", "list"]);

    assert_eq!(finish(command.env("NOTIFY_SOCKET", &path), "").status, 0);

    UnixDatagram::unbound().unwrap().send_to(b"END", &path).unwrap();
    let messages = reading.join().unwrap();
    let step = format!("STATUS=Migration 18 of {MIGRATIONS_COUNT} begins.");
    let named = messages.iter().find(|message| message.contains(&step)).unwrap_or_else(|| panic!("{messages:?}"));
    assert!(named.contains("EXTEND_TIMEOUT_USEC=120000000"), "{named}");
}

#[test]
fn a_migration_that_fails_leaves_the_database_byte_for_byte() {
    let mut site = old_appliance();
    break_the_migration(&site);
    let before = live_files(&site);

    let refused = refused_upgrade(&site);

    assert_eq!(refused.status, 2, "{refused:?}");
    for words in ["schema 17", "migration 18", "duplicate column", "was not changed", "previous version", "apt install"]
    {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    assert!(live_files(&site) == before, "the files of the database changed");
    assert_eq!(kept(&site), Vec::<PathBuf>::new());
    site.database().execute_batch("alter table api_key drop column note").unwrap();
    site.start();
    assert_eq!(schema(&site.database()), MIGRATIONS_COUNT);
}

#[test]
fn a_damaged_ledger_is_found_on_the_copy_and_the_database_is_not_touched() {
    let site = old_appliance();
    site.database()
        .execute_batch("drop trigger ledger_posting_is_never_changed; update ledger_posting set amount_micro = amount_micro + 1 where n = 1")
        .unwrap();
    let before = live_files(&site);

    let refused = refused_upgrade(&site);

    assert_eq!(refused.status, 3, "{refused:?}");
    assert!(refused.stderr.contains("domicile restore"), "{}", refused.stderr);
    assert!(live_files(&site) == before);
}

#[test]
fn a_command_does_not_upgrade_beside_a_server_of_an_earlier_version() {
    let site = old_appliance();
    let server = File::options().write(true).open(site.data().join("live/server.lock")).unwrap();
    server.lock().unwrap();
    let before = live_files(&site);

    let refused = site.run(&["account", "list"]);

    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(refused.stderr.contains("schema 17") && refused.stderr.contains("systemctl restart"), "{}", refused.stderr);
    assert!(live_files(&site) == before);
    drop(server);
    site.run(&["account", "list"]).ok();
    assert_eq!(schema(&site.database()), MIGRATIONS_COUNT);
}

#[test]
fn commands_at_the_same_time_upgrade_once() {
    let site = old_appliance();

    std::thread::scope(|scope| {
        let commands: Vec<_> = (0..4).map(|_| scope.spawn(|| site.run(&["account", "list"]))).collect();
        commands.into_iter().for_each(|command| drop(command.join().unwrap().ok()));
    });

    assert_eq!((schema(&site.database()), kept(&site).len()), (MIGRATIONS_COUNT, 1));
}

#[test]
fn a_full_disk_refuses_the_upgrade_before_it_begins() {
    let old = old_appliance();
    let site = Appliance::configured("");
    let _disk = Disk::ext4(site.folder(), &site.data(), 24);
    site.run(&["init"]).ok();
    std::fs::copy(old.live(), site.live()).unwrap();
    std::fs::copy(old.keyring(), site.keyring()).unwrap();
    let ballast = site.data().join("ballast");
    let _ = Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}", ballast.display())).output();
    let before = live_files(&site);

    let refused = site.run(&["account", "list"]);

    assert_eq!(refused.status, 2, "{refused:?}");
    for words in ["MiB of free space", "Nothing was changed", "Free some space"] {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    assert!(live_files(&site) == before);
    std::fs::remove_file(&ballast).unwrap();
    site.run(&["account", "list"]).ok();
}

/// The system calls that change files.
const CALLS: &str = "pwrite64,fdatasync,fsync,rename,unlink,ftruncate,copy_file_range,mkdir,fallocate";

/// A command that upgrades the database, under `strace` with these options.
fn traced(site: &Appliance, options: &[&str]) -> Command {
    let mut command = Command::new(tool("strace"));
    command.args(["-f", "-qq"]).args(options).arg(env!("CARGO_BIN_EXE_domicile")).args(["account", "list"]);
    command.env("DOMICILE_CONFIG", site.config());
    command
}

/// How often an upgrade makes each of [`CALLS`].
fn counted_calls() -> Vec<(String, u32)> {
    let site = old_appliance();
    let report = site.folder().join("calls");
    let options = ["-c", "-o", &report.display().to_string(), "-e", &format!("trace={CALLS}")];
    assert!(traced(&site, &options).output().unwrap().status.success());
    let text = std::fs::read_to_string(report).unwrap();
    // % time, seconds, usecs/call, calls, errors if there are any, syscall
    let calls = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = words.last().filter(|name| CALLS.split(',').any(|call| call == **name))?;
        Some(((*name).to_owned(), words.get(3)?.parse().ok()?))
    });
    calls.collect()
}

#[test]
fn a_killed_upgrade_leaves_the_old_schema_or_the_new_one() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(Rng::system().below(u32::MAX)));
    let mut rng = Rng::seeded(seed);
    let calls = counted_calls();
    let (mut killed, mut old, mut new) = (0, 0, 0);
    for _ in 0..rounds(10, 300) {
        let site = old_appliance();
        let (call, count) = &calls[usize::try_from(rng.below(calls.len().try_into().unwrap())).unwrap()];
        let number = 1 + rng.below(*count);
        let place = format!("SEED={seed}: killed at {call} number {number} of {count}");
        let kill = format!("inject={call}:signal=KILL:when={number}");
        let options = ["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &kill];
        killed += usize::from(!traced(&site, &options).output().unwrap().status.success());

        match schema(&opened(&site, &site.live())) {
            OLD => old += 1,
            MIGRATIONS_COUNT => new += 1,
            other => panic!("{place}: schema {other}"),
        }
        let listed = site.run(&["account", "list"]);
        assert_eq!(listed.status, 0, "{place}: {listed:?}");
        assert_eq!(schema(&site.database()), MIGRATIONS_COUNT, "{place}");
        site.run(&["ledger", "check"]).ok();
        site.run(&["audit", "verify"]).ok();
        let check: String = site.database().query_row("pragma integrity_check(1)", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok", "{place}");
        assert!(!site.data().join("live/upgrade.unfinished").exists(), "{place}");
    }
    eprintln!("SEED={seed}: {killed} upgrades killed; {old} left the old schema, {new} the new one");
    assert!(killed > rounds(4, 10), "{calls:?}");
}

/// The memory that the program may use for data in this test, besides what it needs for a small database.
const MEMORY_KIB: u64 = 96 * 1024;

#[test]
fn an_upgrade_takes_the_same_memory_for_a_large_database() {
    let site = old_appliance();
    // Rows that no check of the ledger or the audit looks at, in a table that people fill.
    let grow = "
        with recursive number (n) as (select 1 union all select n + 1 from number where n < 40000)
        insert into credential_change (kind, subject_id) select 'key', hex(randomblob(2000)) from number";
    site.database().execute_batch(grow).unwrap();
    assert!(std::fs::metadata(site.live()).unwrap().len() > 150 << 20);

    let mut command = Command::new("sh");
    let limited = format!("ulimit -d {MEMORY_KIB}; exec \"$0\" account list");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_domicile")]).env("DOMICILE_CONFIG", site.config());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());

    finish(&mut command, "").ok();
    assert_eq!(schema(&site.database()), MIGRATIONS_COUNT);
}
