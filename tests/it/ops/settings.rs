//! What the settings pages and the API for key holders show.

use domicile::accounts::{self, AccountState, Bio, Company, DisplayName, Profile, UseCase};
use domicile::people::{self, Links};
use domicile::settings;

use crate::support::{Person, TestSite};

/// Gives the person a profile with a company and a use case, which are not public.
fn describe(site: &mut TestSite, person: &Person) {
    let profile = Profile {
        display_name: DisplayName::parse("Ada Lovelace").unwrap(),
        company: Company::parse("Analytical Engines").unwrap(),
        use_case: Some(UseCase::Research),
        bio: Bio::parse("Writes programs for engines.").unwrap(),
    };
    let links = Links::parse(|_| "").unwrap();
    let (actor, id) = (person.by_browser(), person.account.id);
    site.write(|tx| people::save_profile(tx, &actor, id, &profile, &links)).unwrap();
}

#[test]
fn only_the_owner_of_a_profile_sees_what_is_not_public() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    describe(&mut site, &ada);
    let seen_by = |site: &mut TestSite, reader: &Person| {
        let reader = reader.account.id;
        site.read(|view| settings::profile_for_reader(view, reader, "ada-ada").unwrap()).unwrap()
    };

    let (own, others) = (seen_by(&mut site, &ada), seen_by(&mut site, &bob));

    assert_eq!(
        (own.profile.bio.as_str(), others.profile.bio.as_str()),
        ("Writes programs for engines.", "Writes programs for engines.")
    );
    assert_eq!(own.own.map(|account| account.company), Some("Analytical Engines".to_owned()));
    assert!(others.own.is_none());
}

#[test]
fn the_profile_of_a_suspended_or_unknown_account_is_not_found() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    site.write(|tx| accounts::set_state(tx, ada.account.id, AccountState::Suspended)).unwrap();

    for username in ["ada-ada", "nobody-here"] {
        let seen = site.read(|view| settings::profile_for_reader(view, bob.account.id, username).unwrap());
        assert!(seen.is_none(), "{username}");
    }
}

#[test]
fn the_settings_of_a_person_are_their_own() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    describe(&mut site, &ada);

    let of = |site: &mut TestSite, person: &Person| {
        let id = person.account.id;
        site.read(|view| settings::read_profile(view, id).unwrap()).unwrap()
    };

    let addresses = of(&mut site, &ada).addresses.emails;
    assert_eq!(
        addresses.iter().map(|listed| listed.email.address.to_string()).collect::<Vec<_>>(),
        ["ada-ada@example.org"]
    );
    assert_eq!(
        (of(&mut site, &ada).account.company.as_str(), of(&mut site, &bob).account.company.as_str()),
        ("Analytical Engines", "")
    );
}
