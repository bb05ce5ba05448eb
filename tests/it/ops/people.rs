//! Profiles and preferences.

use domicile::accounts::{
    self, AccountError, Bio, Colour, Company, DisplayName, NewAccount, Profile, UseCase, Username, UsernameFault,
};
use domicile::base::{Actor, EmailAddress, Zone};
use domicile::mail::PlainMessage;
use domicile::people::{self, Language, Links, MailChoices, MailKind, PeopleError, Platform, Settings, Theme};
use domicile::privacy;

use crate::support::{Person, TestSite};

mod pictures;

fn new_account(name: &str) -> NewAccount {
    NewAccount {
        username: Username::parse(name).unwrap(),
        email: EmailAddress::parse(&format!("{name}@example.org")).unwrap(),
        is_verified: true,
        password: None,
        is_operator: false,
    }
}

fn profile(bio: &str) -> Profile {
    Profile {
        display_name: DisplayName::parse("Ada Lovelace").unwrap(),
        company: Company::parse("Analytical Engines").unwrap(),
        use_case: Some(UseCase::Research),
        bio: Bio::parse(bio).unwrap(),
    }
}

fn links(github: &str, website: &str) -> Result<Links, Platform> {
    Links::parse(|platform| match platform {
        Platform::GitHub => github,
        Platform::Website => website,
        _ => "",
    })
}

/// Actors who are not the person.
fn others(site: &mut TestSite, person: &Person) -> [Actor; 3] {
    let bob = site.person("bob-bob");
    [bob.by_browser(), site.key_holder(person), site.anonymous()]
}

#[test]
fn a_name_that_only_looks_like_a_taken_or_reserved_one_is_refused() {
    let mut site = TestSite::new();
    site.person("modern-paul");
    let before = site.footprint();

    for confusable in ["rnodern-paul", "m0dern-paul", "modern-pau1", "modern-paui"] {
        assert!(!site.read(|tx| accounts::is_username_free(tx, confusable).unwrap()), "{confusable}");
        let refused = site.write(|tx| accounts::create(tx, &Actor::Operator, &new_account(confusable)));
        assert!(matches!(refused, Err(AccountError::UsernameConfusable)), "{confusable}");
    }
    for confusable in ["adrnin", "slgnin", "sign-in", "d0micile", "0perator"] {
        assert_eq!(Username::parse(confusable), Err(UsernameFault::ConfusableReserved), "{confusable}");
    }

    assert_eq!(site.footprint(), before);
    site.person("modern-pauline");
}

#[test]
fn a_name_that_looks_like_a_retired_one_is_not_free_for_a_year_either() {
    let mut site = TestSite::new();
    let ada = site.person("lady-ada");
    site.write(|tx| privacy::erase(tx, &Actor::Operator, ada.account.id)).unwrap();

    for retired in ["lady-ada", "1ady-ada", "iady-ada"] {
        assert!(!site.read(|tx| accounts::is_username_free(tx, retired).unwrap()), "{retired}");
    }
}

#[test]
fn a_free_name_similar_to_the_wanted_one_is_suggested() {
    let mut site = TestSite::new();
    for name in ["ada-l", "ada-l-2"] {
        site.person(name);
    }
    let mut suggest = |wanted: &str| {
        let suggestion = site.read(|tx| accounts::suggest_username(tx, wanted).unwrap());
        suggestion.map(|name| name.as_str().to_owned())
    };

    assert_eq!(suggest("ada-l").as_deref(), Some("ada-l-3"));
    assert_eq!(suggest("Ada Lovelace!").as_deref(), Some("ada-lovelace"));
    assert_eq!(suggest("settings").as_deref(), Some("settings-2"));
    assert_eq!(suggest("§§").as_deref(), None);
}

#[test]
fn every_field_has_its_bounds() {
    let long = |length: usize| "x".repeat(length);
    assert!(Company::parse("").is_some() && Company::parse(&long(100)).is_some());
    assert!(Bio::parse("").is_some() && Bio::parse(&long(10)).is_some() && Bio::parse(&long(500)).is_some());
    assert_eq!(Bio::parse("I build\r\nengines.").unwrap().as_str(), "I build\nengines.");

    for bad in [long(101), "a\u{202e}b".into(), "a\nb".into()] {
        assert!(Company::parse(&bad).is_none(), "{bad:?}");
    }
    for bad in [long(9), long(501), format!("{}\u{200b}", long(20)), "tab\tin between".into()] {
        assert!(Bio::parse(&bad).is_none(), "{bad:?}");
    }
    assert!(UseCase::parse("").is_none() && UseCase::parse("Research").is_none());
    assert!(Colour::parse("#ff0000").is_none());
}

#[test]
fn a_profile_is_stored_and_the_audit_does_not_contain_its_text() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (actor, id) = (ada.by_browser(), ada.account.id);
    let stored = links("https://github.com/ada-l", "ada.example/me").unwrap();
    let save = |site: &mut TestSite, links: &Links| {
        site.write(|tx| people::save_profile(tx, &actor, id, &profile("I build engines."), links)).unwrap();
    };

    save(&mut site, &stored);
    let events = site.count("audit_event");
    save(&mut site, &stored);
    assert_eq!(site.count("audit_event"), events, "nothing changed, so nothing is recorded");

    let public = site.read(|tx| people::public_profile(tx, "ADA-ada").unwrap()).unwrap();
    assert_eq!((public.display_name.as_str(), public.bio.as_str()), ("Ada Lovelace", "I build engines."));
    let addresses: Vec<_> = public.links.iter().map(|(platform, value)| platform.href(value).unwrap()).collect();
    assert_eq!(addresses, ["https://github.com/ada-l", "https://ada.example/me"]);
    let kept = site.find("ada-ada").unwrap();
    assert_eq!((kept.company.as_str(), kept.use_case.as_str()), ("Analytical Engines", "research"));
    assert_eq!(site.columns_with("Engines"), ["account.company", "account.bio"]);
    assert_eq!(site.columns_with("ada.example"), ["profile_link.value"]);
    save(&mut site, &links("", "").unwrap());
    assert_eq!(site.count("profile_link"), 0);
}

#[test]
fn values_that_are_not_links_are_refused() {
    for (github, website, at) in [
        ("ada--l", "", Platform::GitHub),
        ("https://evil.example/ada", "", Platform::GitHub),
        ("ada-l", "javascript:alert(1)", Platform::Website),
        ("ada-l", "https://a.example@evil.example", Platform::Website),
    ] {
        assert!(matches!(links(github, website), Err(platform) if platform == at), "{github} {website}");
    }
}

#[test]
fn an_account_that_is_not_active_has_no_public_profile() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    site.suspend(&ada);

    assert!(site.read(|tx| people::public_profile(tx, "ada-ada").unwrap()).is_none());
    assert!(site.read(|tx| people::public_profile(tx, "nobody-here").unwrap()).is_none());
}

#[test]
fn preferences_are_stored_together_and_recorded_by_name() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (actor, id) = (ada.by_browser(), ada.account.id);
    let settings =
        Settings { theme: Theme::Dark, language: Language::English, zone: Zone::parse("Asia/Almaty").unwrap() };
    assert_eq!(site.read(|tx| people::preferences(tx, id).unwrap()), people::Preferences::default());

    site.write(|tx| people::save_settings(tx, &actor, id, settings.clone())).unwrap();
    let mails = MailChoices { key_reminders: false, usage: true };
    site.write(|tx| people::save_mail_choices(tx, &actor, id, mails)).unwrap();
    site.write(|tx| people::set_theme(tx, &actor, id, Theme::Light)).unwrap();
    let events = site.count("audit_event");
    site.write(|tx| people::set_theme(tx, &actor, id, Theme::Light)).unwrap();

    let kept = site.read(|tx| people::preferences(tx, id).unwrap());
    assert_eq!((kept.settings, kept.mails), (Settings { theme: Theme::Light, ..settings }, mails));
    assert_eq!(site.count("audit_event"), events);
    let changed_fields: Vec<_> = site
        .activity_of(&ada)
        .into_iter()
        .filter(|event| event.name == "account.preferences_updated")
        .map(|event| event.data["fields"].to_string())
        .collect();
    assert_eq!(changed_fields, [r#"["theme"]"#, r#"["mails"]"#, r#"["theme","time_zone"]"#]);
}

#[test]
fn optional_mail_is_sent_to_people_who_want_it_and_required_mail_to_all() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (actor, id) = (ada.by_browser(), ada.account.id);
    let message = PlainMessage {
        subject: "An optional mail".into(),
        paragraphs: vec!["Hello.".into()],
        code: None,
        link: None,
        closing: String::new(),
        site: "https://account.example.org".into(),
    };
    let kinds = [MailKind::KeyReminders, MailKind::Usage];
    let sent = |site: &mut TestSite| {
        kinds.map(|kind| site.write(|tx| people::mail_if_wanted(tx, id, kind, &message)).unwrap())
    };

    assert_eq!(sent(&mut site), [true, true], "the defaults of the site");
    for (key_reminders, usage) in [(true, false), (false, true), (false, false)] {
        let mails = MailChoices { key_reminders, usage };
        site.write(|tx| people::save_mail_choices(tx, &actor, id, mails)).unwrap();
        let before = site.count("mail_outbox");
        assert_eq!(sent(&mut site), [key_reminders, usage]);
        assert_eq!(site.count("mail_outbox") - before, i64::from(key_reminders) + i64::from(usage));
    }

    // All optional mails are switched off, but mails that protect the account are sent.
    let before = site.outbox().len();
    site.api_key(&ada, "ci", &["read"]);
    site.suspend(&ada);
    let subjects = site.outbox().split_off(before);
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(subjects.iter().all(|subject| subject.starts_with("ada-ada@example.org: ")));
}

#[test]
fn the_preferences_of_another_person_cannot_be_changed() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let id = ada.account.id;
    let others = others(&mut site, &ada);
    let before = site.footprint();

    for actor in others {
        let kind = actor.kind();
        let tries = [
            site.write(|tx| {
                people::save_profile(tx, &actor, id, &profile("I was here too."), &links("x", "").unwrap())
            }),
            site.write(|tx| people::save_settings(tx, &actor, id, Settings::default())),
            site.write(|tx| people::set_theme(tx, &actor, id, Theme::Dark)),
            site.write(|tx| people::save_mail_choices(tx, &actor, id, MailChoices::default())),
            site.write(|tx| people::remove_picture(tx, &actor, id)),
            site.write(|tx| accounts::set_colour(tx, &actor, id, Colour::Rose)).map_err(PeopleError::from),
        ];
        let is_not_found =
            |error: &PeopleError| matches!(error, PeopleError::NotFound | PeopleError::Account(AccountError::NotFound));
        assert!(tries.iter().all(|tried| tried.as_ref().is_err_and(is_not_found)), "{kind} {tries:?}");
    }
    assert_eq!(site.footprint(), before);
}

#[test]
fn an_account_starts_with_a_random_colour_which_can_be_changed() {
    let mut site = TestSite::new();
    let people: Vec<Person> = (0..24).map(|number| site.person(&format!("person-{number}x"))).collect();
    let mut colours: Vec<_> = people.iter().map(|person| person.account.colour.as_str()).collect();
    colours.sort_unstable();
    colours.dedup();
    assert!(colours.len() >= 4, "{colours:?}");
    let ada = &people[0];
    let (actor, id) = (ada.by_browser(), ada.account.id);

    site.write(|tx| accounts::set_colour(tx, &actor, id, Colour::Plum)).unwrap();

    assert_eq!(site.find("person-0x").unwrap().colour, Colour::Plum);
}
