//! What operators hear before the certificate of the server ends.

use domicile::base::{Actor, Timestamp, days, hours};
use domicile::maintenance::{self, EndingCertificate};
use domicile::signin::{self, NewPerson};

use crate::support::TestApp;

fn ending(site: &TestApp, ends_at: Timestamp, fingerprint: &str) {
    let ending = EndingCertificate { names: "account.example.org".into(), ends_at, fingerprint: fingerprint.into() };
    site.block_on(maintenance::tell_end_of_certificate(&site.app, ending)).unwrap();
    site.run_jobs();
}

fn mails(site: &TestApp) -> usize {
    site.mailbox().messages().iter().filter(|message| message.subject.contains("certificate")).count()
}

#[test]
fn operators_are_told_30_7_and_1_days_before_the_certificate_ends_and_at_its_end() {
    let site = TestApp::new();
    site.person("ada-ada");
    let grace = NewPerson { is_operator: true, ..site.new_person("grace-h") };
    site.write(move |tx| signin::create_account(tx, &Actor::Operator, grace)).unwrap();
    let ends_at = site.app.now().plus(days(31)).plus(hours(1));

    ending(&site, ends_at, "AA");
    assert_eq!((mails(&site), site.app.readiness().warnings().len()), (0, 0));
    // Days that pass, and the mails so far.
    for (passed, sent) in [(2, 1), (10, 1), (13, 2), (4, 2), (2, 3), (1, 4), (30, 4)] {
        site.clock.advance(days(passed));
        ending(&site, ends_at, "AA");
        ending(&site, ends_at, "AA");
        assert_eq!(mails(&site), sent, "after {passed} more days");
        assert_eq!(site.app.readiness().warnings().len(), 1);
    }
    let warning = site.app.readiness().warnings().remove(0);
    assert!(warning.sentence.contains("browsers refuse this site"), "{}", warning.sentence);
    let messages = site.mailbox().messages();
    let mut told = messages.iter().filter(|message| message.subject.contains("certificate"));
    assert!(told.all(|message| message.to.contains("grace-h")), "only operators");

    // A new certificate: nothing to say any more, and again before its end.
    let ends_at = site.app.now().plus(days(90));
    ending(&site, ends_at, "BB");
    assert_eq!(site.app.readiness().warnings(), []);
    site.clock.advance(days(61));
    ending(&site, ends_at, "BB");
    assert_eq!(mails(&site), 5);
    // Ready all the time: only people with browsers are refused.
    assert_eq!(site.app.readiness().faults(), []);
}
