//! Upgrades of the package under load, with the sockets of systemd: no request fails, also when the new program cannot
//! upgrade the database.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use domicile::crypto::Keyring;
use rusqlite::Connection;

use super::{CONFIGURE, CREATE_ADA, INSTALL, INSTALL_AND_START, Machine};
use crate::support::Call;

const PORT: u16 = 8080;
/// How many clients send requests at the same time, each without a pause.
const CLIENTS: usize = 4;
const USE_SOCKETS: &str =
    "systemctl stop domicile && systemctl enable --now domicile.socket && systemctl start domicile";

/// The package of an earlier version. It has the program of `previous.deb`.
const EARLIER: &str = "cd /root && dpkg-deb -R previous.deb earlier && \
     sed -i 's/^Version: .*/Version: 0.0.1/' earlier/DEBIAN/control && dpkg-deb -b earlier earlier.deb && rm -r earlier";

/// The same, with a program that serves the data of another folder: it stands for the program of an earlier version, whose
/// data the new one cannot read without an upgrade. `apt` and `dpkg` see no difference.
const EARLIER_WITH_OTHER_DATA: &str = "cd /root && dpkg-deb -R domicile.deb earlier && \
     sed -i 's/^Version: .*/Version: 0.0.1/' earlier/DEBIAN/control && mv earlier/usr/bin/domicile /opt/program && \
     printf '#!/bin/sh\\n[ \"$1\" != serve ] || export DOMICILE_DATA_DIR=/var/lib/domicile/earlier\\nexec /opt/program \"$@\"\\n' \
     > earlier/usr/bin/domicile && chmod 755 earlier/usr/bin/domicile && dpkg-deb -b earlier earlier.deb && rm -r earlier";

/// Puts a package of an earlier version into the container, as `/root/earlier.deb`: the one that `TEST_PREVIOUS_DEB` names.
/// Without it, this version stands for an earlier one.
fn put_earlier(machine: &Machine) {
    let previous = std::env::var("TEST_PREVIOUS_DEB").map_or(machine.path("/root/domicile.deb"), PathBuf::from);
    std::fs::copy(previous, machine.path("/root/previous.deb")).unwrap();
    machine.ok(EARLIER);
}

/// A request of a load, and what the right answer contains.
type Request<'r> = (&'r (dyn Fn() -> Call + Sync), &'r str);

fn page() -> Call {
    Call::new(PORT, "GET", "/signin")
}

/// Sends requests while `work` runs, each client one after the other. Answers how many were answered; each must be.
#[track_caller]
fn under_load(machine: &Machine, requests: &[Request<'_>], work: impl FnOnce()) -> usize {
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let failures = std::thread::scope(|scope| {
        let client = || {
            machine.inside(|| {
                let agent = Call::agent();
                let mut failures = Vec::new();
                let mut requests = requests.iter().cycle();
                while !is_over.load(Ordering::Relaxed) {
                    let (request, right) = requests.next().unwrap();
                    match request().try_send_over(&agent) {
                        Ok(answer) if answer.status == 200 && answer.text().contains(right) => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(answer) => failures.push(format!("{answer:?}")),
                        Err(error) => failures.push(error.to_string()),
                    }
                }
                failures
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        // Also if the work fails: the threads would go on for ever.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        is_over.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(failures, Vec::<String>::new());
    answered.into_inner()
}

#[test]
#[ignore = "deep: boots a container"]
fn an_upgrade_of_the_package_under_load_fails_no_request() {
    let machine = Machine::boot();
    put_earlier(&machine);
    machine.ok("dpkg -i /root/earlier.deb");
    machine.ok(CONFIGURE);
    machine.ok(INSTALL_AND_START);
    machine.ok(USE_SOCKETS);
    let ada = machine.ok(CREATE_ADA);
    let key = machine.ok("domicile key create --account ada-l --name ci --scope models:read");
    let service = machine.ok("domicile service create gateway");
    let before = machine.ok("systemctl show -P MainPID domicile");
    let status = machine.ok("domicile status");

    let verify = || Call::new(PORT, "POST", "/v1/introspect").bearer(&service).form(&[("token", &key)]);
    let answered = under_load(&machine, &[(&page, "name=\"password\""), (&verify, "\"active\":true")], || {
        machine.ok(INSTALL);
        machine.ok("systemctl restart domicile && systemctl reload domicile");
    });

    assert_ne!(machine.ok("systemctl show -P MainPID domicile"), before);
    assert!(answered > 100, "only {answered} requests were sent");
    eprintln!("{answered} requests, from\n{status}\nto\n{}", machine.ok("domicile status"));
    assert!(machine.ok("domicile account show ada-l").contains(&ada));
    machine.ok("domicile audit verify");
    // The program from before is kept, until the package is removed.
    machine.ok("test -x /usr/lib/domicile/previous && dpkg -r domicile");
    machine.refused("ls -d /usr/lib/domicile");
}

#[test]
#[ignore = "deep: boots a container"]
fn five_restarts_under_load_fail_no_request_while_systemd_stores_the_sockets() {
    let machine = Machine::boot();
    machine.ok(INSTALL);
    machine.ok(CONFIGURE);
    machine.ok(INSTALL_AND_START);
    assert_eq!(machine.refused("systemctl is-active domicile.socket"), "inactive");
    let main = || machine.ok("systemctl show -P MainPID domicile");
    let mut mains = vec![main()];

    let answered = under_load(&machine, &[(&page, "")], || {
        for _ in 0..5 {
            assert_eq!(machine.ok("systemctl show -P NFileDescriptorStore domicile"), "1");
            // systemd allows five starts in ten seconds.
            machine.ok("systemctl reset-failed domicile && systemctl restart domicile");
            mains.push(main());
        }
    });

    assert!(answered > 100, "only {answered} requests were sent");
    mains.sort();
    mains.dedup();
    assert_eq!(mains.len(), 6, "each restart has a process of its own");
}

#[test]
#[ignore = "deep: boots a container"]
fn an_upgrade_whose_migration_fails_leaves_the_old_state_serving() {
    let machine = Machine::boot();
    machine.ok(EARLIER_WITH_OTHER_DATA);
    machine.ok("dpkg -i /root/earlier.deb");
    machine.ok(CONFIGURE);
    machine.ok(
        "domicile init && domicile snapshot now && install -d -o domicile -g domicile -m 700 /var/lib/domicile/earlier",
    );
    machine.ok("DOMICILE_DATA_DIR=/var/lib/domicile/earlier /opt/program restore /var/lib/domicile/domicile.sqlite");
    // The schema of the data that the new program finds is too low for its tables, so that a migration fails.
    let live = machine.path("/var/lib/domicile/live/live.sqlite");
    lower_the_schema(&live, &machine.path("/etc/domicile/keyring"));
    machine.ok("chown -R domicile:domicile /var/lib/domicile");
    machine.ok("systemctl enable --now domicile.socket && systemctl start domicile");
    let checksum = || machine.ok("sha256sum /var/lib/domicile/live/live.sqlite");
    let before = checksum();

    let answered = under_load(&machine, &[(&page, "")], || drop(machine.ok(INSTALL)));

    assert!(answered > 100, "only {answered} requests were sent");
    assert_eq!(machine.ok("systemctl is-active domicile"), "active");
    let journal = machine.ok("journalctl -u domicile --no-pager -o cat");
    assert!(journal.contains("The version from before serves meanwhile"), "{journal}");
    assert_eq!(checksum(), before);
    // Another package that fails in the same way keeps the program that works.
    machine.ok("dpkg-deb -R /root/domicile.deb /root/next");
    machine
        .ok("sed -i 's/^Version: .*/Version: 99/' /root/next/DEBIAN/control && dpkg-deb -b /root/next /root/next.deb");
    under_load(&machine, &[(&page, "")], || drop(machine.ok("dpkg -i /root/next.deb")));
    assert!(machine.ok("head -n 1 /usr/lib/domicile/previous").starts_with("#!/bin/sh"));
    assert_eq!(machine.ok("systemctl is-active domicile"), "active");
}

fn lower_the_schema(live: &Path, keyring: &Path) {
    let keyring = Keyring::load(keyring, false).unwrap();
    // Changed in a copy: SQLite follows the links of the path, and this one ends in another root.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("live.sqlite");
    std::fs::copy(live, &copy).unwrap();
    let connection = Connection::open(&copy).unwrap();
    connection.execute_batch(&format!("pragma key = \"{}\"", keyring.database_key_pragma().expose())).unwrap();
    connection.pragma_update(None, "user_version", 20).unwrap();
    connection.execute_batch("pragma wal_checkpoint(truncate)").unwrap();
    drop(connection);
    // Into the same file, which is the one that the appliance knows.
    std::fs::write(live, std::fs::read(&copy).unwrap()).unwrap();
}
