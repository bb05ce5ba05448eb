//! What is left of an erased person in the files of the appliance, and when the receipt is final.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use domicile::base::hours;
use domicile::jobs::Outcome;
use domicile::privacy::PendingErasure;
use domicile::snapshots;

use super::*;
use crate::support::wait_for;

const PAGE: usize = 4096;
/// What follows the content of a page: an initialisation vector, and an authentication code.
const IV: usize = 16;
const RESERVED: usize = 80;

impl TestApp {
    /// The canaries that stand in the pages of the live database, its log or the published snapshot, once they are
    /// decrypted. It looks at the bytes, so that it finds rows that no query would.
    fn canaries_in_files(&self) -> Vec<(&'static str, &'static str)> {
        let live = self.layout().live();
        let log = self.layout().live_dir().join("live.sqlite-wal");
        let mut found = Vec::new();
        for (name, file, header, frame) in
            [("live", live, 0, 0), ("log", log, 32, 24), ("snapshot", self.layout().snapshot(), 0, 0)]
        {
            let content = self.decrypted(&file, header, frame);
            let is_there = |canary: &&str| content.windows(canary.len()).any(|window| window == canary.as_bytes());
            found.extend(CANARIES.into_iter().filter(|canary| is_there(canary)).map(|canary| (name, canary)));
        }
        found
    }

    /// The pages of a file. `header`: bytes before the first; `frame`: bytes before each. Pages that are not encrypted
    /// with the key of this appliance give noise.
    fn decrypted(&self, file: &Path, header: usize, frame: usize) -> Vec<u8> {
        let Ok(bytes) = std::fs::read(file) else { return Vec::new() };
        let key = hex::decode(self.app.keyring().database_key_hex().expose()).unwrap();
        let pages = bytes.get(header..).unwrap_or_default().chunks_exact(frame + PAGE);
        let content = |(number, page): (usize, &[u8])| {
            let page = &page[frame..];
            // The first page of a file begins with its salt; in the log any frame may be the first page.
            let start = if frame == 0 && number == 0 { 16 } else { 0 };
            decrypt(&key, &page[PAGE - RESERVED..PAGE - RESERVED + IV], &page[start..PAGE - RESERVED])
        };
        pages.enumerate().flat_map(content).collect()
    }

    fn pending(&self) -> Vec<PendingErasure> {
        self.read(|view| privacy::pending_erasures(view).unwrap())
    }

    /// An account whose address is not verified, so that no mail about its erasure is sent.
    fn unverified(&self, username: &str) -> AccountId {
        self.sign_up(&format!("{username}@example.org"), username).unwrap();
        self.read(|view| domicile::accounts::find_by_name(view, username).unwrap().unwrap()).id
    }

    fn finish(&self) -> Outcome {
        self.block_on(privacy::jobs::finish_erasures(self.app.clone(), serde_json::Value::Null))
    }
}

fn decrypt(key: &[u8], iv: &[u8], content: &[u8]) -> Vec<u8> {
    let decryptor = cbc::Decryptor::<aes::Aes256>::new_from_slices(key, iv).unwrap();
    decryptor.decrypt_padded_vec::<NoPadding>(content).unwrap()
}

#[test]
fn an_erasure_is_final_when_no_file_contains_the_person() {
    let site = TestApp::new();
    let ada = site.person_with_all_data();
    snapshots::publish(&site.app).unwrap();
    let before = site.canaries_in_files();
    for file in ["log", "snapshot"] {
        assert!(before.iter().filter(|(name, _)| *name == file).count() > 5, "{before:?}");
    }
    let (is_reading, may_end) = (AtomicBool::new(false), AtomicBool::new(false));

    std::thread::scope(|scope| {
        scope.spawn(|| {
            site.read(|view| {
                view.one("select count(*) from account", [], |row| row.get::<_, i64>(0)).unwrap();
                is_reading.store(true, Ordering::SeqCst);
                wait_for("the end of the read", || may_end.load(Ordering::SeqCst).then_some(()));
            });
        });
        wait_for("the read", || is_reading.load(Ordering::SeqCst).then_some(()));

        let receipt = flows::erase_by_operator(&site.app, Actor::Operator, ada.account.id).unwrap();

        let pending = site.pending();
        assert_eq!(pending.iter().map(|erasure| erasure.receipt).collect::<Vec<_>>(), [receipt.id]);
        assert!(!pending[0].log_emptied && !pending[0].snapshot_replaced, "{pending:?}");
        assert!(!site.canaries_in_files().is_empty(), "the read keeps them in the log");
        may_end.store(true, Ordering::SeqCst);
    });

    assert_eq!(site.finish(), Outcome::Done);
    snapshots::publish(&site.app).unwrap();
    let pending = site.pending();
    assert!(!pending[0].log_emptied && !pending[0].snapshot_replaced, "a mail to the person waits: {pending:?}");
    site.run_jobs();
    assert_eq!(site.finish(), Outcome::Done);
    let pending = site.pending();
    assert!(pending.iter().all(|erasure| erasure.log_emptied), "{pending:?}");
    let left: Vec<_> = site.canaries_in_files().into_iter().filter(|(file, _)| *file != "snapshot").collect();
    assert_eq!(left, []);
    snapshots::publish(&site.app).unwrap();

    assert_eq!(site.pending(), []);
    assert_eq!(site.canaries_in_files(), []);
}

#[test]
fn a_snapshot_that_is_made_before_an_erasure_does_not_make_its_receipt_final() {
    let site = TestApp::new();
    let (first, second) = (site.unverified("gone-gone"), site.unverified("also-gone"));
    flows::erase_by_operator(&site.app, Actor::Operator, first).unwrap();
    let before = site.pending();
    assert!(before[0].log_emptied, "nothing else used the log: {before:?}");

    let later = std::thread::scope(|scope| {
        let publishing = scope.spawn(|| snapshots::publish(&site.app).unwrap());
        let later = flows::erase_by_operator(&site.app, Actor::Operator, second).unwrap();
        let report = publishing.join().unwrap().report;
        (report.stamp.tombstone_seq == 1).then_some(later.id)
    });

    let pending: Vec<_> = site.pending().into_iter().filter(|erasure| !erasure.snapshot_replaced).collect();
    let pending: Vec<_> = pending.iter().map(|erasure| erasure.receipt).collect();
    assert_eq!(pending, later.into_iter().collect::<Vec<_>>());
    snapshots::publish(&site.app).unwrap();
    site.finish();
    assert_eq!(site.pending(), []);
}

#[test]
fn making_a_receipt_final_is_no_reason_to_publish_again_and_again() {
    let site = TestApp::new();
    let gone = site.person("gone-gone");
    flows::erase_by_operator(&site.app, Actor::Operator, gone.account.id).unwrap();

    for _ in 0..3 {
        site.run_jobs();
        site.finish();
        snapshots::publish_when_changed(&site.app).unwrap();
    }

    assert_eq!(site.pending(), []);
    assert!(!site.app.store().has_unpublished());
}

#[test]
fn an_operator_is_told_when_an_erasure_does_not_become_final() {
    let site = TestApp::new();
    let gone = site.unverified("gone-gone");
    flows::erase_by_operator(&site.app, Actor::Operator, gone).unwrap();
    site.finish();
    assert_eq!(site.app.readiness().faults(), []);

    site.clock.advance(hours(2));
    site.finish();

    let faults = site.app.readiness().faults();
    assert!(faults.len() == 1 && faults[0].1.contains("the published snapshot may still contain"), "{faults:?}");
    snapshots::publish(&site.app).unwrap();
    site.finish();
    assert_eq!(site.app.readiness().faults(), []);
}
