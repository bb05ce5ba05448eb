//! Mailed links and pending sign-ins end with what they were begun under: the addresses, the factors, the trust.

use domicile::accounts::{self, AccountError, addresses};
use domicile::base::{Actor, EmailAddress, EmailId, Secret, minutes};
use domicile::factors::{self, PendingSignIn};
use domicile::signin::{self, FactorInput, SigninError, flows};

use crate::support::{Person, TestApp, visitor};

const OTHER: &str = "a brand new set of words";

impl TestApp {
    fn add_address(&self, ada: &Person, address: &str) -> EmailId {
        let (actor, account, parsed) = (ada.by_browser(), ada.account.id, EmailAddress::parse(address).unwrap());
        self.write(move |tx| addresses::add_email(tx, &actor, account, &parsed)).unwrap()
    }

    fn verify_address(&self, ada: &Person, email: EmailId, address: &str) {
        let (actor, account, code) = (ada.by_browser(), ada.account.id, self.message(address, "code").code());
        self.write_deciding(move |tx| signin::verify_added_email(tx, &actor, account, email, &code)).unwrap();
    }

    fn add_verified(&self, ada: &Person, address: &str) -> EmailId {
        let email = self.add_address(ada, address);
        self.verify_address(ada, email, address);
        email
    }

    fn newest_reset_token(&self) -> String {
        // Mails of the same moment have no order.
        self.clock.advance(minutes(1));
        self.ask_for_reset("ada-ada@example.org").unwrap();
        let ada = self.find("ada-ada").unwrap().id;
        let primary = self.read(|view| accounts::primary_email(view, ada).unwrap().unwrap());
        self.reset_token(primary.as_str())
    }
}

#[test]
fn c16_a_change_of_addresses_factors_or_trust_ends_links_that_were_mailed_before() {
    type Change = fn(&TestApp, &Person);
    let changes: [(&str, Change); 5] = [
        ("another primary address", |site, ada| {
            let email = site.add_verified(ada, "ada@work.example");
            let token = site.newest_reset_token();
            let (actor, account) = (ada.by_browser(), ada.account.id);
            site.write(move |tx| signin::set_primary_email(tx, &actor, account, email)).unwrap();
            assert!(is_refused(site, &token));
        }),
        ("an address is verified", |site, ada| {
            let email = site.add_address(ada, "ada@work.example");
            let token = site.newest_reset_token();
            site.verify_address(ada, email, "ada@work.example");
            assert!(is_refused(site, &token));
        }),
        ("an address is removed", |site, ada| {
            let email = site.add_verified(ada, "ada@work.example");
            let token = site.newest_reset_token();
            let (actor, account) = (ada.by_browser(), ada.account.id);
            site.write(move |tx| signin::remove_email(tx, &actor, account, email)).unwrap();
            assert!(is_refused(site, &token));
        }),
        ("a second factor is added", |site, ada| {
            let token = site.newest_reset_token();
            site.enrol_app(ada);
            assert!(is_refused(site, &token));
        }),
        ("all sessions are ended", |site, ada| {
            let token = site.newest_reset_token();
            let (actor, account) = (ada.by_browser(), ada.account.id);
            site.write(move |tx| factors::end_other_access(tx, &actor, account, None)).unwrap();
            assert!(is_refused(site, &token));
        }),
    ];
    for (_, change) in changes {
        let site = TestApp::new();
        let ada = site.person("ada-ada");
        change(&site, &ada);
        // A link that is mailed afterwards works.
        let token = site.newest_reset_token();
        site.reset(&token, OTHER).unwrap();
    }
}

fn is_refused(site: &TestApp, token: &str) -> bool {
    matches!(site.reset(token, OTHER), Err(SigninError::Account(AccountError::LinkRefused)))
}

#[test]
fn c16_a_report_of_a_sign_in_ends_reset_links_of_before_and_not_the_one_it_sends() {
    let site = TestApp::new();
    site.person("ada-ada");
    site.session("ada-ada");
    let stolen = site.newest_reset_token();
    // The first browser is no news; the second one is.
    site.session("ada-ada");
    let link = site.message("ada-ada@example.org", "A new device").link("/not-me?token=");
    let token = link.rsplit('=').next().unwrap().to_owned();

    site.clock.advance(minutes(1));
    site.write(move |tx| signin::not_me(tx, &Actor::Anonymous(visitor()), &token)).unwrap();

    assert!(is_refused(&site, &stolen));
    site.reset(&site.reset_token("ada-ada@example.org"), OTHER).unwrap();
}

#[test]
fn c17_signing_out_everywhere_else_ends_sign_ins_that_owe_their_factor() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let secret = site.enrol_app(&ada);
    let pending = PendingSignIn { account: ada.account.id, method: "password".into(), remember: false };
    let token = site.write(move |tx| factors::start_pending_sign_in(tx, &pending)).unwrap().expose().clone();

    let (actor, account) = (ada.by_browser(), ada.account.id);
    site.write(move |tx| factors::end_other_access(tx, &actor, account, actor.session())).unwrap();

    let code = crate::support::oath_code(&secret, site.clock.now().unix_seconds());
    let proof = FactorInput::Typed(Secret::new(code));
    let answer = site.block_on(flows::prove_factor(&site.app, visitor(), token, proof));
    assert!(matches!(answer, Err(SigninError::PendingSignInOver)), "{:?}", answer.err());
}
