//! What operators see on their pages after a restore.

use super::{Backup, restored};
use crate::support::{Answer, Appliance, Browser, PASSWORD};
use crate::texts::page_is_same;

fn operator(site: &Appliance, name: &str) {
    let email = format!("{name}@example.org");
    let arguments = ["account", "create", "--email", &email, "--username", name, "--password-stdin", "--verified"];
    let arguments: Vec<_> = arguments.into_iter().chain(["--operator"]).collect();
    site.run_with_input(&arguments, PASSWORD).ok();
}

fn has_notice(answer: &Answer) -> bool {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text().contains("A backup of this site was restored")
}

#[test]
fn operators_see_the_restore_on_their_pages_until_they_have_read_of_it() {
    let mut site = Appliance::frozen_at("2026-05-03 09:00:00");
    operator(&site, "grace-h");
    site.account("ada-l");
    let backup = Backup::of(&site);
    site.account("late-comer");
    site.stop();
    restored(&site, &backup.file(), &["--replace"]);
    site.start();
    let signed_in = |name: &str| -> Browser {
        let mut browser = site.browser();
        browser.sign_in(name);
        browser
    };
    let (mut grace, mut ada) = (signed_in("grace-h"), signed_in("ada-l"));
    // Operators must set up a second factor first, on this page.
    let security = "/settings/security";

    let shown = grace.get(security);
    assert!(has_notice(&shown));
    page_is_same("settings.security.restored", &shown);
    assert!(!has_notice(&ada.get(security)), "other people do not see it");
    let read = grace.submit(security, "/session/notice", &[]);
    assert_eq!((read.status, read.location()), (303, security));

    assert!(!has_notice(&grace.get(security)));
    assert!(has_notice(&signed_in("grace-h").get(security)), "another browser shows it");
}
