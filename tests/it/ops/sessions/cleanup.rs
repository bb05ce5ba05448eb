//! Which sessions and browsers are counted, and what is deleted.

use super::*;

#[test]
fn sessions_that_live_are_counted_and_a_restore_ends_all() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    site.begin(&ada, false);
    site.clock.advance(minutes(30));
    let live = |site: &mut TestSite| site.read(|view| sessions::count_live(view).unwrap());
    assert_eq!((live(&mut site), site.count("session")), (0, 1), "it is over, and not deleted yet");
    for person in [&ada, &bob, &bob] {
        site.begin(person, true);
    }
    assert_eq!(live(&mut site), 3);

    assert_eq!(site.write(sessions::end_of_all).unwrap(), 4);

    assert_eq!((live(&mut site), site.count("session")), (0, 0));
}

#[test]
fn sessions_that_ended_are_deleted() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    site.begin(&ada, false);
    let (_, kept) = site.begin(&ada, true);
    site.write(|tx| sessions::count_confirmation(tx, "ada-ada")).unwrap();

    site.clock.advance(minutes(30));
    assert_eq!(site.write(sessions::purge_ended).unwrap(), 0, "its browser can still be told why");
    site.clock.advance(hours(24));
    assert_eq!(site.write(sessions::purge_ended).unwrap(), 2);

    assert_eq!((site.count("session"), site.count("throttle")), (1, 0));
    assert!(site.current(&kept).is_some());
}

#[test]
fn a_browser_is_forgotten_when_its_cookie_ends() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada").account.id;
    site.write(move |tx| sessions::note_device(tx, ada, &visitor())).unwrap();

    site.clock.advance(sessions::DEVICE_LIFETIME);
    assert_eq!((site.write(sessions::purge_ended).unwrap(), site.count("device")), (0, 1));
    site.clock.advance(std::time::Duration::from_millis(1));

    assert_eq!((site.write(sessions::purge_ended).unwrap(), site.count("device")), (1, 0));
}

#[test]
fn sessions_and_browsers_of_a_person_are_forgotten_and_those_of_others_stay() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    for person in [&ada, &ada, &bob] {
        site.begin(person, false);
        let id = person.account.id;
        site.write(move |tx| sessions::note_device(tx, id, &visitor())).unwrap();
    }
    let (id, devices) = (ada.account.id, site.count("device"));
    site.begin(&ada, true);

    let rows = site.write(move |tx| sessions::forget(tx, id)).unwrap();

    assert_eq!((devices, rows), (3, 5), "three sessions and two browsers");
    assert_eq!((site.count("session"), site.count("device")), (1, 1));
}

#[test]
fn a_person_has_fifty_known_browsers_at_most() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada").account.id;

    for _ in 0..51 {
        site.write(move |tx| sessions::note_device(tx, ada, &visitor())).unwrap();
    }

    assert_eq!(site.count("device"), 50);
}
