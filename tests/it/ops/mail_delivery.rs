//! Mail through a real relay: what is tried again, what is given up, and whom TLS trusts.

use domicile::base::{EmailAddress, days, hours, minutes, seconds};
use domicile::mail::{self, DeliveryReport, PlainMessage};
use domicile::outbound::{Cause, MailFailure, Stage};
use serde_json::json;

use crate::support::{Certificate, Relay, TestApp};

fn app(relay: &Relay, url: &str, trusts_its_ca: bool) -> TestApp {
    TestApp::with(|config| relay.configure(config, url, trusts_its_ca))
}

impl TestApp {
    fn post_to(&self, to: &str) {
        let message = PlainMessage {
            subject: "It happened".into(),
            paragraphs: vec!["It happened.".into(), ".".into(), ".hidden".into()],
            code: None,
            link: None,
            closing: String::new(),
            site: "http://localhost:8600".into(),
        };
        let to = EmailAddress::parse(to).unwrap();
        self.write(move |tx| mail::enqueue(tx, None, to, &message)).unwrap();
    }

    fn send(&self) -> DeliveryReport {
        self.block_on(mail::send_due(&self.app)).unwrap()
    }

    fn send_one(&self) -> Option<MailFailure> {
        self.post_to("ada@example.org");
        self.send().failure
    }

    fn mails_waiting(&self) -> i64 {
        self.number("select count(*) from mail_outbox where sent_at is null and given_up_at is null")
    }
}

#[test]
fn a_mail_arrives_as_it_was_written_and_says_that_a_program_sent_it() {
    let relay = Relay::plain();
    let site = app(&relay, "smtp://127.0.0.1:PORT", false);

    assert_eq!(site.send_one(), None);

    let mail = &relay.mails()[0];
    assert!(mail.contains("Auto-Submitted: auto-generated\r\n") && mail.contains("To: ada@example.org"), "{mail}");
    assert!(mail.contains("\r\n.hidden\r\n") && mail.contains("\r\n.\r\n"), "dots are not doubled: {mail}");
}

#[test]
fn only_a_refusal_of_the_recipient_or_of_the_mail_is_final() {
    let mut relay = Relay::start("off", Certificate::Good, Some("right"));
    let site = app(&relay, "smtp://domicile:right@127.0.0.1:PORT", false);
    for (number, (answers, stage, code, is_final)) in [
        (json!({"greeting": "421 too busy"}), Stage::Greeting, 421, false),
        (json!({"greeting": "554 not you"}), Stage::Greeting, 554, false),
        (json!({"auth": "535 5.7.8 no"}), Stage::Auth, 535, false),
        (json!({"auth": "454 4.7.0 not now"}), Stage::Auth, 454, false),
        (json!({"mail": "530 5.7.0 sign in first"}), Stage::Sender, 530, false),
        (json!({"mail": "550 not this sender"}), Stage::Sender, 550, false),
        (json!({"mail": "552 full"}), Stage::Sender, 552, false),
        (json!({"mail": "421 closing"}), Stage::Sender, 421, false),
        (json!({"rcpt": "451 come back later"}), Stage::Recipient, 451, false),
        (json!({"rcpt": "550 no such person"}), Stage::Recipient, 550, true),
        (json!({"rcpt": "552 mailbox full"}), Stage::Recipient, 552, true),
        (json!({"data": "451 greylisted"}), Stage::Data, 451, false),
        (json!({"data": "554 spam"}), Stage::Data, 554, true),
    ]
    .into_iter()
    .enumerate()
    {
        relay.answer(answers.clone());
        let to = format!("ada{number}@example.org");
        site.post_to(&to);
        let report = site.send();

        let stored = site.read(mail::unsent).unwrap();
        let newest = stored.iter().find(|mail| mail.recipient.as_str() == to).unwrap();
        let failure = MailFailure { stage, code: Some(code), cause: Cause::Answer };
        assert_eq!(newest.failure, Some(failure), "{answers}");
        assert_eq!((site.mails_waiting(), report.given_up), if is_final { (0, 1) } else { (1, 0) }, "{answers}");

        relay.answer(json!({}));
        let before = relay.mails().len();
        site.clock.advance(minutes(1));
        site.send();
        assert_eq!(relay.mails().len() - before, usize::from(!is_final), "{answers}: sent once the relay takes it");
    }
}

#[test]
fn a_refused_mail_does_not_stop_the_others_and_all_use_one_connection() {
    let mut relay = Relay::plain();
    let site = app(&relay, "smtp://127.0.0.1:PORT", false);
    relay.answer(json!({"rcpt": {"b@example.org": "550 no such person", "c@example.org": "421 later"}}));
    for to in ["a@example.org", "b@example.org", "c@example.org", "d@example.org"] {
        site.post_to(to);
    }

    let report = site.send();

    assert_eq!((report.sent, report.given_up, site.mails_waiting()), (2, 1, 1));
    assert_eq!(relay.answer(json!({}))["connections"], 1);
}

#[test]
fn a_relay_that_fails_is_asked_once_for_all_mails_and_gets_all_of_them_when_it_is_mended() {
    let mut relay = Relay::start("required", Certificate::Good, Some("right"));
    let wrong = app(&relay, "smtp://domicile:wrong@localhost:PORT", true);
    for number in 0..50 {
        wrong.post_to(&format!("p{number}@example.org"));
    }

    let report = wrong.send();
    assert_eq!((report.sent, wrong.mails_waiting()), (0, 50));
    assert_eq!(report.failure.map(|failure| (failure.stage, failure.code)), Some((Stage::Auth, Some(535))));
    assert_eq!(wrong.send(), DeliveryReport::default());
    assert_eq!(relay.answer(json!({}))["sign_ins"], 1, "the relay was asked once");
    assert_eq!(wrong.number("select count(*) from mail_outbox where failed_code = 535 and attempts = 1"), 50);
    wrong.clock.advance(hours(30));
    wrong.send();
    assert_eq!(wrong.mails_waiting(), 50, "nothing is lost after more than a day");

    // The admin corrects the password and starts the server again.
    let right = wrong.reopen_with(|config| relay.configure(config, "smtp://domicile:right@localhost:PORT", true));
    right.block_on(mail::retry_after_start(&right.app));
    let report = right.send();
    assert_eq!((report.sent, right.mails_waiting(), relay.mails().len()), (50, 0, 50));
}

#[test]
fn when_one_mail_is_taken_the_others_that_wait_for_the_relay_are_due() {
    let mut relay = Relay::plain();
    let site = app(&relay, "smtp://127.0.0.1:PORT", false);
    relay.answer(json!({"mail": "450 not now"}));
    for _ in 0..6 {
        site.post_to("ada@example.org");
        site.send();
        site.clock.advance(hours(1));
        site.send();
    }
    assert_eq!(site.mails_waiting(), 6);

    relay.answer(json!({}));
    site.post_to("grace@example.org");

    assert_eq!((site.send().sent, site.mails_waiting()), (7, 0));
}

#[test]
fn a_mail_is_tried_for_five_days() {
    let mut relay = Relay::plain();
    let site = app(&relay, "smtp://127.0.0.1:PORT", false);
    relay.answer(json!({"rcpt": "451 later"}));
    site.post_to("ada@example.org");
    let mut attempts = 0;
    while site.mails_waiting() == 1 {
        attempts += 1;
        site.send();
        site.clock.advance(hours(1));
        assert!(attempts < 200);
    }

    let status = site.read(mail::unsent).unwrap().remove(0);
    assert_eq!((attempts, status.next_at), (121, None), "each hour for five days");
    assert_eq!(site.columns_with("hidden"), Vec::<String>::new(), "the words of a mail that is given up are deleted");
}

#[test]
fn when_a_relay_fails_for_five_days_all_its_mails_are_given_up_together() {
    let mut relay = Relay::plain();
    let site = app(&relay, "smtp://127.0.0.1:PORT", false);
    relay.answer(json!({"mail": "450 not now"}));
    for _ in 0..3 {
        site.post_to("ada@example.org");
    }
    for _ in 0..120 {
        assert_eq!((site.send().given_up, site.mails_waiting()), (0, 3));
        site.clock.advance(hours(1));
    }

    assert_eq!((site.send().given_up, site.mails_waiting()), (3, 0));
    assert_eq!(site.columns_with("hidden"), Vec::<String>::new());
}

#[test]
fn a_clock_that_is_set_forward_by_days_gives_no_mail_up() {
    let mut relay = Relay::plain();
    for script in [json!({"mail": "450 not now"}), json!({"rcpt": "451 later"})] {
        let site = app(&relay, "smtp://127.0.0.1:PORT", false);
        relay.answer(script);
        site.post_to("ada@example.org");
        site.post_to("grace@example.org");
        site.send();

        site.clock.advance(days(6));

        assert_eq!((site.send().given_up, site.mails_waiting()), (0, 2));
        relay.answer(json!({}));
        site.clock.advance(hours(1));
        assert_eq!((site.send().sent, site.mails_waiting()), (2, 0));
    }
}

#[test]
fn a_retry_sends_at_once_what_waits_but_not_what_another_process_sends_now() {
    let mut relay = Relay::plain();
    let site = app(&relay, "smtp://127.0.0.1:PORT", false);
    relay.answer(json!({"rcpt": "451 later"}));
    site.post_to("ada@example.org");
    site.post_to("grace@example.org");
    site.send();
    relay.answer(json!({}));
    let claimed = "update mail_outbox set claimed_at = 1 where recipient = 'grace@example.org'";
    site.write(move |tx| tx.execute(claimed, [])).unwrap();

    assert_eq!(site.send(), DeliveryReport::default());
    assert_eq!(site.write(mail::retry).unwrap(), 2);
    assert_eq!((site.send().sent, relay.mails().len()), (1, 1));
}

#[test]
fn credentials_and_mails_go_through_tls_that_trusts_ca_file() {
    for (tls, url) in [
        ("required", "smtp://domicile:right@localhost:PORT?tls=required"),
        ("offered", "smtp://domicile:right@localhost:PORT"),
        ("implicit", "smtps://domicile:right@localhost:PORT"),
    ] {
        let mut relay = Relay::start(tls, Certificate::Good, Some("right"));
        let site = app(&relay, url, true);

        assert_eq!(site.send_one(), None, "{tls}");

        assert_eq!(relay.answer(json!({}))["encrypted"], 1, "{tls}");
    }
}

#[test]
fn a_relay_that_is_not_trusted_gets_nothing_and_the_reason_is_named() {
    for (certificate, trusts_its_ca, cause) in [
        (Certificate::Good, false, Cause::UnknownIssuer),
        (Certificate::SelfSigned, false, Cause::SelfSigned),
        (Certificate::Expired, true, Cause::Expired),
        (Certificate::OtherName, true, Cause::WrongName),
    ] {
        for (tls, url) in [
            ("required", "smtp://domicile:right@localhost:PORT?tls=required"),
            ("implicit", "smtps://domicile:right@localhost:PORT"),
        ] {
            let mut relay = Relay::start(tls, certificate, Some("right"));
            let site = app(&relay, url, trusts_its_ca);

            let failure = MailFailure { stage: Stage::Tls, code: None, cause };
            assert_eq!(site.send_one(), Some(failure), "{tls}");

            assert_eq!((site.mails_waiting(), relay.answer(json!({}))["sign_ins"].as_u64()), (1, Some(0)), "{tls}");
        }
    }
}

#[test]
fn a_self_signed_certificate_in_ca_file_is_trusted() {
    let relay = Relay::start("required", Certificate::SelfSigned, None);
    let site = app(&relay, "smtp://localhost:PORT", true);

    assert_eq!(site.send_one(), None);
    assert_eq!(relay.mails().len(), 1);
}

#[test]
fn what_does_not_fit_together_is_named() {
    let plain = Relay::plain();
    let implicit = Relay::start("implicit", Certificate::Good, None);
    let closed = crate::support::free_port();
    for (relay, url, stage, cause) in [
        (&plain, "smtp://localhost:PORT?tls=required", Stage::Tls, Cause::NoStarttls),
        (&plain, "smtps://localhost:PORT", Stage::Tls, Cause::NotTls),
        (&plain, "smtp://a:b@localhost:PORT", Stage::Auth, Cause::NoSignIn),
        (&plain, &format!("smtp://localhost:{closed}"), Stage::Connect, Cause::Refused),
        (&plain, "smtp://nowhere.invalid:PORT", Stage::Connect, Cause::UnknownHost),
        (&implicit, "smtps://127.0.0.1:PORT", Stage::Tls, Cause::WrongName),
    ] {
        let site = app(relay, url, true);
        let failure = site.send_one().unwrap_or_else(|| panic!("{url} works"));
        assert_eq!((failure.stage, failure.cause, failure.code), (stage, cause, None), "{url}");
    }
}

#[test]
fn a_local_relay_with_a_certificate_for_nobody_still_takes_mail() {
    // The state of a fresh Postfix: it offers STARTTLS with a self-signed certificate.
    let relay = Relay::start("offered", Certificate::SelfSigned, None);
    let site = app(&relay, "smtp://localhost:PORT", false);
    assert_eq!((site.send_one(), relay.mails().len()), (None, 1));

    // If it also wants TLS, the certificate is the cause, not the answer 530.
    let strict = Relay::start("required", Certificate::SelfSigned, None);
    let site = app(&strict, "smtp://localhost:PORT", false);
    let failure = MailFailure { stage: Stage::Tls, code: None, cause: Cause::SelfSigned };
    assert_eq!((site.send_one(), strict.mails().len()), (Some(failure), 0));
}

#[test]
fn operators_are_told_after_ten_minutes_what_waits_and_why() {
    let mut relay = Relay::start("off", Certificate::Good, Some("right"));
    let site = app(&relay, "smtp://domicile:right@127.0.0.1:PORT", false);
    relay.answer(json!({"auth": "535 5.7.8 no"}));
    site.send_one();
    let notice = |is_operator| site.read(move |view| mail::notice(view, is_operator).unwrap());

    site.clock.advance(minutes(10));
    assert_eq!(notice(true), None);
    site.clock.advance(seconds(1));
    assert_eq!(notice(false), None);
    let words = notice(true).unwrap().join(" ");

    for word in ["One mail has not been sent", "name or the password (auth: 535)", "domicile mail list"] {
        assert!(words.contains(word), "{word} is not in: {words}");
    }
    relay.answer(json!({}));
    site.clock.advance(days(1));
    site.send();
    assert_eq!(notice(true), None);
}
