//! Mails that people ask for who are not signed in.

use domicile::base::{Actor, EmailAddress, Secret, minutes, seconds};
use domicile::sessions::{self, RetryAfter, TooManyMails};
use domicile::signin::{SignUp, SigninError, flows};

use super::at;
use crate::support::{PASSWORD, TestApp};

#[test]
fn d3_mails_are_limited_by_address_network_and_site() {
    let site = TestApp::new();
    let ask = |from: &str, to: &str| {
        let (actor, to) = (Actor::Anonymous(at(from)), EmailAddress::parse(to).unwrap());
        site.write(move |tx| sessions::count_mail::<SigninError>(tx, &actor, &to, None)).map_err(|error| match error {
            SigninError::TooManyMails(refused) => refused,
            other => panic!("{other}"),
        })
    };
    // To one address, whatever network asks: three, one after half a minute, then one in a quarter of an hour.
    let to_ada = |number: u32| ask(&format!("198.51.{number}.1"), "ada@example.org");
    assert_eq!([0, 1, 2, 3].map(to_ada), [Ok(()); 4]);
    assert_eq!(to_ada(4), Err(TooManyMails::ToThisAddress(RetryAfter { wait_seconds: 31 })));
    site.clock.advance(seconds(30));
    assert_eq!(to_ada(5), Ok(()));
    assert_eq!(to_ada(6), Err(TooManyMails::ToThisAddress(RetryAfter { wait_seconds: 901 })));
    site.clock.advance(minutes(15));
    assert_eq!(to_ada(6), Ok(()));

    // From one network, to whatever addresses: 60, then one a minute. Other networks do not wait.
    let from_one = |number: u32| ask("203.0.113.7", &format!("person-{number}@example.org"));
    assert!((0..60).all(|number| from_one(number).is_ok()));
    assert_eq!(from_one(60), Err(TooManyMails::FromThisNetwork(RetryAfter { wait_seconds: 61 })));
    assert_eq!(ask("203.0.113.8", "other@example.org").unwrap_err(), from_one(60).unwrap_err());
    assert_eq!(ask("203.0.114.7", "other@example.org"), Ok(()));
    site.clock.advance(minutes(1));
    assert_eq!([60, 61].map(|number| from_one(number).is_ok()), [true, false]);

    // Of the site: 1,000, then one a second.
    let sent = (0..1100).filter(|number| {
        ask(&format!("10.{}.{}.1", number / 250, number % 250), &format!("p{number}@example.org")).is_ok()
    });
    let sent = sent.count();
    assert!((930..=1000).contains(&sent), "{sent}");
    assert_eq!(ask("192.0.2.1", "late@example.org"), Err(TooManyMails::OfTheSite(RetryAfter { wait_seconds: 2 })));
}

#[test]
fn d3_sign_ups_and_requests_for_links_are_refused_before_they_write_anything() {
    let site = TestApp::new();
    site.person("ada-ada");
    let from = at("203.0.113.7");
    let sign_up = |number: u32| {
        let password = Secret::new(PASSWORD.to_owned());
        let form = SignUp { email: "victim@example.org".into(), username: format!("person-{number}"), password };
        site.block_on(flows::sign_up(&site.app, from.clone(), form, None))
    };
    let accepted = (0..8).take_while(|number| sign_up(*number).is_ok()).count();
    assert_eq!(accepted, 4);
    let before = site.footprint();

    assert!(matches!(sign_up(9), Err(SigninError::TooManyMails(TooManyMails::ToThisAddress(_)))));
    while site.request_link(&from) {}
    let requested = site.footprint();
    assert!(!site.request_link(&from));

    assert_eq!(site.footprint(), requested);
    assert_ne!(before, requested);
    assert!(site.find("person-9").is_none());
}
