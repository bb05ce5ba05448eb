//! Owners get mails about their credit, once each.

use domicile::base::seconds;
use domicile::billing::{allowances, notices};
use domicile::people::{self, MailChoices};

use super::*;
use crate::support::Person;

impl Site {
    /// What the schedule does. Returns the subjects of the mails that it sent.
    fn notified(&mut self) -> Vec<String> {
        // Mails are sorted by time.
        self.clock.advance(seconds(1));
        let before = self.outbox().len();
        let mut after = String::new();
        while let Some(last) = self.write(|tx| notices::send_allowance_notices(tx, &after)).unwrap() {
            after = last;
        }
        while self.write(notices::send_expiry_notices).unwrap() > 0 {}
        while self.write(notices::forget_past).unwrap() > 0 {}
        self.outbox().split_off(before).into_iter().map(|mail| mail.split_once(": ").unwrap().1.to_owned()).collect()
    }

    /// Reports usage that costs so many credits. Returns the subjects of the mails that it caused.
    fn use_up(&mut self, person: &Person, id: &str, credits: u32) -> Vec<String> {
        self.clock.advance(seconds(1));
        let before = self.outbox().len();
        self.report(&[Ok(event(person.workspace, id, &(credits * 1000).to_string()))]);
        self.outbox().split_off(before).into_iter().map(|mail| mail.split_once(": ").unwrap().1.to_owned()).collect()
    }

    fn receive(&mut self, person: &Person, amount: u32, lasts: Option<u64>, key: &str) {
        let expires_at = lasts.map(|lasts| self.clock.now().plus(days(lasts)));
        self.grant(Grant { expires_at, ..gift(person.workspace, Credits::whole(amount), key) }).unwrap();
    }
}

#[test]
fn a_balance_that_falls_below_the_limit_or_to_nothing_is_told_once_until_it_rises() {
    let mut site = site();
    let ada = site.person("ada-l");

    assert_eq!(site.use_up(&ada, "1", 3), Vec::<String>::new(), "two are left, which is not below");
    assert_eq!(site.use_up(&ada, "2", 1), ["Your credit is running low"]);
    assert_eq!(site.use_up(&ada, "3", 1), ["Your credit is used up"]);
    assert_eq!(site.use_up(&ada, "4", 1), Vec::<String>::new(), "it was told");
    site.receive(&ada, 11, None, "more");
    assert_eq!(site.use_up(&ada, "5", 9), ["Your credit is running low"], "it rose meanwhile");
    let message = site.messages().remove(0);
    assert!(message.to == "ada-l@example.org" && message.text.contains("1.00 USD of credit left"), "{message:?}");
    let mut settings = default_settings();
    settings.config.billing.low_balance = Credits::ZERO;
    site.settings = Arc::new(settings);
    assert_eq!(site.use_up(&ada, "6", 5), Vec::<String>::new(), "the site wants none");
}

#[test]
fn each_share_of_an_allowance_is_told_once_a_month() {
    let mut site = site();
    let ada = site.person("ada-l");
    site.receive(&ada, 900, None, "so that the balance is never low");
    let set = |site: &mut Site| {
        site.write(|tx| allowances::set(tx, &Actor::Operator, ada.workspace, Some(Credits::whole(30)))).unwrap();
    };
    set(&mut site);
    assert_eq!(site.notified(), Vec::<String>::new());

    site.use_up(&ada, "1", 14);
    assert_eq!(site.notified(), Vec::<String>::new());
    site.use_up(&ada, "2", 1);
    assert_eq!([site.notified(), site.notified()], [vec!["50 % of your monthly credit is spent".to_owned()], vec![]]);
    site.use_up(&ada, "3", 40);
    assert_eq!(
        [site.notified(), site.notified()],
        [vec!["Your monthly credit is spent".to_owned()], vec![]],
        "80 was passed"
    );

    site.clock.advance(days(31));
    site.write(allowances::grant_due).unwrap();
    assert_eq!(site.notified(), Vec::<String>::new(), "a new month");
    site.use_up(&ada, "4", 25);
    assert_eq!(site.notified(), ["80 % of your monthly credit is spent"]);
}

#[test]
fn credit_that_expires_is_told_thirty_seven_and_one_day_before_with_one_mail_for_one_end() {
    let mut site = site();
    let ada = site.person("ada-l");
    site.receive(&ada, 10, Some(90), "one");
    site.receive(&ada, 5, Some(90), "two");
    site.receive(&ada, 3, Some(20), "short");
    let mail = |credits: &str| vec![format!("{credits} USD of your credit will expire")];
    let mut told = Vec::new();
    for day in 0..92 {
        for mail in [site.notified(), site.notified()].concat() {
            told.push((day, mail));
        }
        site.clock.advance(days(1));
    }

    let expected = [(13, "3.00"), (19, "3.00"), (60, "15.00"), (83, "15.00"), (89, "15.00")];
    let expected: Vec<_> = expected.into_iter().map(|(day, credits)| (day, mail(credits).remove(0))).collect();
    assert_eq!(told, expected);
    assert_eq!(site.count("credit_expiry_notice"), 0, "what is past is forgotten");
}

#[test]
fn credit_that_is_spent_and_the_month_of_an_allowance_are_not_told_to_expire() {
    let mut site = site();
    let ada = site.person("ada-l");
    site.write(|tx| allowances::set(tx, &Actor::Operator, ada.workspace, Some(Credits::whole(30)))).unwrap();
    site.receive(&ada, 10, Some(40), "spent");
    site.charge(charge_of(ada.workspace, Credits::whole(40), "use")).unwrap();
    site.notified();
    site.clock.advance(days(39));
    assert_eq!(site.notified(), Vec::<String>::new());
}

#[test]
fn who_wants_no_mails_about_usage_gets_none() {
    let mut site = site();
    let ada = site.person("ada-l");
    let choices = MailChoices { usage: false, ..MailChoices::default() };
    let actor = ada.by_browser();
    site.write(|tx| people::save_mail_choices(tx, &actor, ada.account.id, choices)).unwrap();
    site.write(|tx| allowances::set(tx, &Actor::Operator, ada.workspace, Some(Credits::whole(1)))).unwrap();
    site.receive(&ada, 10, Some(90), "one");
    site.clock.advance(days(89));

    assert_eq!(site.use_up(&ada, "1", 20), Vec::<String>::new());
    assert_eq!(site.notified(), Vec::<String>::new());
}
