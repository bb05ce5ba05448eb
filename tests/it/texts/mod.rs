//! What people and programs read, as snapshots in `tests/it/snapshots`: a change of words is one reviewed diff.
//! `./dev test --accept texts` accepts the new text; the diff of the snapshot files is what a reviewer reads. The mails
//! are compared by unit tests in `src/*/mails.rs`.

mod answers;
mod pages;
mod sentences;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use crate::support::{Answer, outline};

/// Compares one text with its snapshot, `<folder>/<name>.snap`. Returns the difference instead of failing, so that a
/// test reports all of them.
fn differs(folder: &str, name: &str, text: &str) -> Option<String> {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots").join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let same = std::panic::catch_unwind(AssertUnwindSafe(|| settings.bind(|| insta::assert_snapshot!(name, text))));
    same.err().map(|_| format!("tests/it/snapshots/{folder}/{name}.snap"))
}

/// Compares a page with its snapshot, for tests that have a page which [`pages`] cannot reach.
#[track_caller]
pub fn page_is_same(name: &str, answer: &Answer) {
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    all_are_same(&Vec::from_iter(differs("pages", name, &outline(&answer.text()))));
}

/// Compares a text with its snapshot.
#[track_caller]
pub fn text_is_same(folder: &str, name: &str, text: &str) {
    all_are_same(&Vec::from_iter(differs(folder, name, text)));
}

#[track_caller]
fn all_are_same(differences: &[String]) {
    assert!(
        differences.is_empty(),
        "changed (see the differences above): {differences:#?}\nIf the new words are right: ./dev test --accept texts \
         http::oauth, then review them with git diff tests/it/snapshots"
    );
}

/// Fails if the folder has a snapshot that no test compares: a page or an answer that is no longer asked for.
#[track_caller]
fn none_is_left_over(folder: &str, compared: impl Iterator<Item = String>) {
    let compared: BTreeSet<String> = compared.collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots").join(folder);
    let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> =
        files.filter(|file| file.strip_suffix(".snap").is_none_or(|name| !compared.contains(name))).collect();
    assert!(
        left.is_empty(),
        "no test compares tests/it/snapshots/{folder}: {left:?}\nAdd what they show to tests/it/texts/{folder}.rs again, or delete them."
    );
}
