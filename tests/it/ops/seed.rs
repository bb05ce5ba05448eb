//! The seed of the benchmarks: what it writes is as after real use.

use domicile::base::Credits;
use domicile::billing::ledger;
use domicile::{accounts, audit};

use crate::support::{Seed, TestApp, fill, seeded_name};

#[test]
fn a_seeded_appliance_has_what_was_asked_for_and_verifies() {
    let app = TestApp::new();

    let seed = Seed { accounts: 30, events: 450, audit: 70 };
    let owners = fill(&app.app, seed, "$argon2id$not-a-real-one", |_, _| ()).unwrap();

    let count = |from: &str| {
        let sql = format!("select count(*) from {from}");
        app.read(|view| view.one(&sql, [], |row| row.get::<_, i64>(0)).unwrap())
    };
    assert_eq!(owners.len(), 30);
    assert_eq!([count("account"), count("api_key"), count("usage_event")], [30, 30, 450]);
    assert_eq!(count("audit_event where event = 'session.started'"), 70);
    assert_eq!(count("mail_outbox"), 0, "a server would send them");
    assert!(app.read(|view| accounts::find_by_username(view, &seeded_name(29)).unwrap()).is_some());

    app.read(|view| audit::verify(view).unwrap());
    let checked = app.read(|view| ledger::check(view).unwrap());
    assert_eq!(checked.transactions, count("statement_line"));
    let charged = app.read(|view| ledger::balance(view, owners[0].workspace).unwrap());
    assert!(charged < Credits::whole(1010) && charged > Credits::whole(900), "{charged}");
}
