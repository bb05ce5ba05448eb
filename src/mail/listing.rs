//! Test support: the mails of a slice as one text, which is compared with a file in `tests/it/snapshots/mails`.

use super::{Message, PlainMessage};
use crate::config::SiteInfo;

/// The public address in the listed mails.
pub(crate) const SITE: &str = "https://account.example.org";

/// Compares the mails of a slice with their snapshot. The name of each is that of its function. HTML has the same words
/// as the text.
pub(crate) fn check_listing(slice: &str, mails: &[(&str, PlainMessage)]) {
    let mut listing = String::new();
    for (name, mail) in mails {
        let text = mail.text(&SiteInfo::default());
        listing.push_str(&format!("== {name}\nSubject: {}\n\n{}\n\n", mail.subject(), text.trim()));
        let html = words_of(&mail.html(&SiteInfo::default()).replace('<', "\n<"), true);
        for word in words_of(&text, false) {
            assert!(html.contains(&word), "{slice}, {name}: {word:?} is in the text and not in the HTML");
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/snapshots/mails"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(slice, listing.trim_end()));
}

fn words_of(text: &str, is_html: bool) -> Vec<String> {
    let text = if is_html {
        text.replace("&#39;", "'").replace("&#38;", "&").replace(['<', '>', '"'], " ")
    } else {
        text.to_owned()
    };
    let letters = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    text.split_whitespace().map(letters).filter(|word| !word.is_empty()).collect()
}

#[test]
fn the_layout_has_every_part() {
    let mail = PlainMessage {
        subject: "A subject".into(),
        paragraphs: vec!["The first paragraph.".into(), "The second one, with <tags> & more.".into()],
        code: Some("123456".into()),
        link: Some(super::Link { label: "Do it", url: format!("{SITE}/do?it=1&now=2") }),
        closing: "The closing.".into(),
        site: SITE.into(),
    };
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/snapshots/mails"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        insta::assert_snapshot!(
            "layout",
            format!("{}\n\n{}", mail.text(&SiteInfo::default()), mail.html(&SiteInfo::default()))
        )
    });
}
