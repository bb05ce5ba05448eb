//! The lines of the journal, and damage to them.

use domicile::accounts;
use domicile::audit::GENESIS;
use domicile::base::{Actor, Problem, Rng, seconds};
use domicile::crypto::Keyring;
use domicile::db::Error;
use domicile::journal::{self, JournalError, VerifiedJournal};
use domicile::privacy::{self, PrivacyError, flows};

use crate::support::TestApp;

impl TestApp {
    /// Creates and erases a person without updating the journal.
    fn erase_new_person(&self, name: &'static str) -> String {
        let id = self.person(name).account.id;
        self.write(move |tx| privacy::erase(tx, &Actor::Operator, id)).unwrap();
        id.to_string()
    }

    fn journal(&self) -> String {
        std::fs::read_to_string(self.layout().tombstones()).unwrap()
    }

    fn write_journal(&self, text: &str) {
        std::fs::write(self.layout().tombstones(), text).unwrap();
    }

    fn check(&self) -> Result<VerifiedJournal, JournalError> {
        journal::verify(&self.layout().tombstones(), self.app.keyring())
    }
}

fn line_of(error: JournalError) -> i64 {
    match error {
        JournalError::Damaged { line, .. } => line,
        other => panic!("{other}"),
    }
}

#[test]
fn each_erasure_is_a_signed_line_that_follows_the_previous_one() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));

    for person in [&ada, &bob] {
        flows::erase_by_operator(&site.app, Actor::Operator, person.account.id).unwrap();
    }

    let text = site.journal();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["seq"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        (&lines[0]["id"], &lines[1]["id"]),
        (&ada.account.id.to_string().into(), &bob.account.id.to_string().into())
    );
    assert_eq!((&lines[0]["prev_hash"], &lines[1]["prev_hash"]), (&hex::encode(GENESIS).into(), &lines[0]["hash"]));
    let checked = site.check().unwrap();
    assert_eq!((checked.head.seq, hex::encode(checked.head.hash)), (2, lines[1]["hash"].as_str().unwrap().to_owned()));
    for canary in ["ada-ada", "bob-bob", "example.org"] {
        assert!(!text.contains(canary), "{canary}");
    }
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(site.layout().tombstones()).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn missing_entries_are_written_later_and_once() {
    let site = TestApp::new();
    let gone =
        [site.erase_new_person("one-one"), site.erase_new_person("two-two"), site.erase_new_person("three-three")];
    std::fs::remove_file(site.layout().tombstones()).unwrap();

    assert_eq!(site.app.write_journal().unwrap(), 3);
    assert_eq!(site.app.write_journal().unwrap(), 0);
    site.erase_new_person("four-four");
    assert_eq!(site.app.write_journal().unwrap(), 0);

    assert_eq!(site.check().unwrap().head.seq, 4);
    assert!(gone.iter().all(|id| site.journal().contains(id)));
}

#[test]
fn an_incomplete_line_after_a_crash_is_written_again() {
    let site = TestApp::new();
    for name in ["one-one", "two-two"] {
        site.erase_new_person(name);
    }
    site.app.write_journal().unwrap();
    let whole = site.journal();
    let first = whole.lines().next().unwrap().len() + 1;

    for length in [first + 1, first + 100, whole.len() - 1, 10] {
        site.write_journal(&whole[..length]);
        site.app.write_journal().unwrap();
        assert_eq!(site.journal(), whole, "truncated after {length}");
    }
}

#[test]
fn any_change_of_the_journal_is_found_and_its_line_is_named() {
    let site = TestApp::new();
    for name in ["one-one", "two-two", "three-three"] {
        site.erase_new_person(name);
    }
    site.app.write_journal().unwrap();
    let whole = site.journal();
    let lines: Vec<&str> = whole.lines().collect();
    let with = |changed: &[&str]| {
        site.write_journal(&format!("{}\n", changed.join("\n")));
        line_of(site.check().unwrap_err())
    };

    for (index, line) in lines.iter().enumerate() {
        let number = i64::try_from(index).unwrap() + 1;
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        for (name, value) in &fields {
            let other = match value {
                serde_json::Value::String(text) if name == "erased_at" => text.replace("2026", "2025").into(),
                serde_json::Value::String(text) => {
                    let last = if text.ends_with('0') { "1" } else { "0" };
                    format!("{}{last}", &text[..text.len() - 1]).into()
                }
                other => (other.as_i64().unwrap() + 1).into(),
            };
            let mut changed = fields.clone();
            changed.insert(name.clone(), other);
            let changed = serde_json::to_string(&changed).unwrap();
            let mut all = lines.clone();
            all[index] = &changed;
            assert_eq!(with(&all), number, "{name} of line {number}");
        }
    }
    assert_eq!(with(&[lines[1], lines[2]]), 1);
    assert_eq!(with(&[lines[0], lines[2]]), 2);
    assert_eq!(with(&[lines[0], lines[2], lines[1]]), 2);
    assert_eq!(with(&[lines[0], lines[1], lines[1], lines[2]]), 3);
    assert_eq!(with(&[lines[0], "", lines[1], lines[2]]), 2);

    // A line that the same keyring signed in another history.
    let other_site = TestApp::new();
    other_site.clock.advance(seconds(1));
    other_site.erase_new_person("one-one");
    other_site.app.write_journal().unwrap();
    let first = other_site.journal();
    assert_eq!(with(&[first.trim_end(), lines[1], lines[2]]), 2);

    site.write_journal(&whole);
    assert_eq!(site.check().unwrap().head.seq, 3);
    let other = Keyring::generate(&mut Rng::seeded(9), site.clock.now());
    assert_eq!(line_of(journal::verify(&site.layout().tombstones(), &other).unwrap_err()), 1);
}

#[test]
fn a_line_with_a_value_that_its_signature_does_not_cover_is_refused() {
    let site = TestApp::new();
    site.erase_new_person("one-one");
    let two = site.person("two-two");
    site.suspend(&two);
    let whole = site.journal();
    let lines: Vec<&str> = whole.lines().collect();
    assert_eq!(site.check().unwrap().head.seq, 2);
    // The hash of an erasure covers only its receipt, and that of other entries all but a receipt.
    for (index, name) in [(0, "event"), (0, "account"), (0, "detail"), (1, "receipt")] {
        let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(lines[index]).unwrap();
        fields.insert(name.into(), "added".into());
        let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        changed[index] = serde_json::to_string(&fields).unwrap();

        site.write_journal(&format!("{}\n", changed.join("\n")));

        assert_eq!(line_of(site.check().unwrap_err()), index as i64 + 1, "{name}");
    }
}

#[test]
fn a_journal_that_is_ahead_of_the_database_is_not_changed() {
    let site = TestApp::new();
    for name in ["one-one", "two-two"] {
        site.erase_new_person(name);
    }
    site.app.write_journal().unwrap();
    let both = site.journal();
    let older = TestApp::new();
    older.erase_new_person("one-one");
    older.clock.advance(seconds(1));

    older.write_journal(&both);
    let older = older.reopen();
    let ahead = older.app.write_journal();
    assert!(matches!(ahead, Err(JournalError::Ahead { journal: 2, database: 1, .. })), "{ahead:?}");
    assert_eq!(older.journal(), both);

    let another = older.person("another").account.id;
    let refused = older.write(move |tx| privacy::erase(tx, &Actor::Operator, another)).unwrap_err();
    assert!(refused.to_string().contains("line 2 of the journal"), "{refused}");
    let diverged = older.app.write_journal();
    assert!(matches!(diverged, Err(JournalError::Diverged { seq: 2, .. })), "{diverged:?}");
    assert_eq!(older.journal(), both);
}

#[test]
fn a_change_stays_and_its_caller_is_told_if_the_journal_cannot_be_written() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    std::fs::create_dir(site.layout().tombstones()).unwrap();

    let refused = flows::erase_by_operator(&site.app, Actor::Operator, ada.account.id).unwrap_err();
    assert!(matches!(&refused, PrivacyError::Db(Error::JournalNotWritten(_))), "{refused:?}");
    let problem = Problem::from(refused);
    assert_eq!((problem.status, problem.code), (503, "journal_not_written"));
    assert!(problem.sentence.starts_with("The change was made"), "{}", problem.sentence);
    assert!(site.read(|view| accounts::find(view, ada.account.id).unwrap()).is_none());
    let faults = site.app.readiness().faults();
    assert!(faults[0].1.contains("tombstones.jsonl"), "{faults:?}");

    // What needs no line is not concerned.
    site.api_key(&bob, "ci");
    std::fs::remove_dir(site.layout().tombstones()).unwrap();

    assert_eq!(site.app.write_journal().unwrap(), 1);
    assert_eq!(site.check().unwrap().head.seq, 1);
    assert!(site.app.readiness().faults().is_empty());
}

#[test]
fn a_journal_that_cannot_be_read_is_not_called_damaged() {
    let site = TestApp::new();
    site.erase_new_person("ada-ada");
    site.app.write_journal().unwrap();
    let (journal, aside) = (site.layout().tombstones(), site.folder().join("aside"));
    std::fs::rename(&journal, &aside).unwrap();
    std::fs::create_dir(&journal).unwrap();

    site.app.verify_journal(journal::Extent::Whole).unwrap_err();
    let faults = site.app.readiness().faults();
    assert!(faults.len() == 1 && faults[0].1.contains("could not be verified"), "{faults:?}");
    assert!(faults[0].1.contains("move away what is in the place") && !faults[0].1.contains("damaged"), "{faults:?}");

    std::fs::remove_dir(&journal).unwrap();
    std::fs::rename(&aside, &journal).unwrap();
    site.app.verify_journal(journal::Extent::Whole).unwrap();
    assert_eq!(site.app.readiness().faults(), []);
}
