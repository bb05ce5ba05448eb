//! The journal of what ended access, and its file.

use std::io::Write;

use domicile::base::{Actor, days};
use domicile::journal::Extent;
use domicile::privacy;

use crate::support::TestApp;

mod lines;
mod replay;
mod services;
mod writing;

/// A site where these people were erased, and the content of its journal.
fn erased(names: &[&'static str]) -> (TestApp, String) {
    let site = TestApp::new();
    for name in names {
        let id = site.person(name).account.id;
        site.write(move |tx| privacy::erase(tx, &Actor::Operator, id)).unwrap();
    }
    site.app.write_journal().unwrap();
    let text = read(&site);
    assert_eq!(text.lines().count(), names.len());
    (site, text)
}

fn read(site: &TestApp) -> String {
    std::fs::read_to_string(site.layout().tombstones()).unwrap()
}

fn write(site: &TestApp, content: impl AsRef<[u8]>) {
    std::fs::write(site.layout().tombstones(), content).unwrap();
}

#[test]
fn an_incomplete_entry_is_written_again_however_long_it_is() {
    let (site, whole) = erased(&["ada-ada", "bo-bo"]);
    let (first, second) = whole.split_at(whole.find('\n').unwrap() + 1);

    let zeros = [1, 10_000, 16 << 10, 100_000].map(|bytes| "\0".repeat(bytes));
    let rests = [&second[..1], &second[..second.len() - 1]].into_iter().chain(zeros.iter().map(String::as_str));
    for rest in rests {
        write(&site, format!("{first}{rest}"));
        let verified = site.read(|view| site.app.journal().verify(view, Extent::Whole)).unwrap().journal;
        assert_eq!((verified.head.seq, verified.end_offset), (1, first.len() as u64));
        assert_eq!(verified.partial_bytes, rest.len() as u64);
        assert_eq!(site.app.write_journal().unwrap(), 1);
        assert_eq!(read(&site), whole);
    }
    for rest in ["", &first[..1], &first[..first.len() - 1]] {
        write(&site, rest);
        assert_eq!(site.app.write_journal().unwrap(), 2, "{rest}");
        assert_eq!(read(&site), whole);
    }
}

#[test]
fn a_file_that_is_not_a_journal_is_refused_and_not_changed() {
    let (site, whole) = erased(&["ada-ada", "bo-bo", "cy-cy-cy"]);
    let path = site.layout().tombstones().display().to_string();
    let begin_of_third = whole.match_indices('\n').nth(1).unwrap().0 + 1;

    for (content, line) in [
        ("notes of an admin".to_owned(), 1),
        ("x".repeat(20_000), 1),
        (format!("{}notes\n", &whole[..begin_of_third]), 3),
        (format!("{whole}{}\n", "x".repeat(20_000)), 4),
        // More than is searched for the last line.
        (format!("{whole}{}", "x".repeat(17 << 20)), 4),
    ] {
        write(&site, &content);
        let checked = site.read(|view| site.app.journal().verify(view, Extent::Whole)).unwrap_err().to_string();
        let refused = site.app.write_journal().unwrap_err().to_string();
        for error in [checked, refused] {
            assert!(error.contains(&format!("line {line} of the journal {path}")), "{error}");
        }
        assert!(read(&site) == content);
    }
}

#[test]
fn a_journal_that_is_ahead_of_the_database_is_refused_with_both_numbers() {
    let (site, whole) = erased(&["ada-ada", "bo-bo"]);
    let other = TestApp::new();
    other.clock.advance(days(1));
    let id = other.person("cy-cy-cy").account.id;
    other.write(move |tx| privacy::erase(tx, &Actor::Operator, id)).unwrap();
    write(&other, &whole);
    let error = other.app.write_journal().unwrap_err().to_string();
    assert!(error.contains("tombstones.jsonl has 2 lines, but the database knows 1"), "{error}");

    write(&other, &whole[..whole.find('\n').unwrap() + 1]);
    let error = other.app.write_journal().unwrap_err().to_string();
    assert!(error.contains("line 1 of the journal") && error.contains("differs from the database"), "{error}");

    let mut file = std::fs::File::options().append(true).open(site.layout().tombstones()).unwrap();
    file.write_all(b"{\"seq\":3").unwrap();
    assert_eq!(site.app.write_journal().unwrap(), 0);
    assert_eq!(read(&site), whole);
}
