//! What belongs to another person is not found: it is answered like a thing that does not exist.

use domicile::server::{Access, ROUTES, Route};

use super::seeded::Seeded;
use crate::support::{Answer, Browser};

/// Routes whose `{id}` is a secret name and not a thing of one person: everybody who knows it may use it.
const SECRET_NAMES: [&str; 2] = ["/avatars/{id}", "/erasure/{id}"];

/// What a visitor sees, without what differs in every answer.
fn comparable(answer: &Answer, route: &Route, id: &str) -> (u16, String, String) {
    let path = route.path.replace("{id}", id);
    let text = answer.text().replace(answer.header("x-request-id"), "REQUEST").replace(&path, "PATH");
    (answer.status, answer.header("content-type").to_owned(), text)
}

fn ask(browser: &Browser, route: &Route, id: &str, csrf: &str) -> Answer {
    let path = route.path.replace("{id}", id);
    let call = browser.call(route.method, &path).header("Sec-Fetch-Site", "same-origin");
    // Right values for every form, so that only the id can be wrong.
    let fields =
        [("csrf", csrf), ("name", "x"), ("code", "123456"), ("overlap", "0"), ("scope", "read"), ("expires", "30d")];
    if route.method == "GET" { call.send() } else { call.form(&fields).send() }
}

#[test]
fn a_thing_of_another_person_is_answered_like_one_that_does_not_exist() {
    let mut world = Seeded::new();
    let csrf = world.grace.get("/settings/profile").value_of("name=\"csrf\"");
    let before = world.site.content();
    // What belongs to a service is in `http::inbox`.
    let of_people = ROUTES.iter().filter(|route| route.access != Access::Service);
    let with_id = of_people.filter(|route| route.path.contains("{id}") && !SECRET_NAMES.contains(&route.path));

    for route in with_id {
        let own = world.id_for(route.path).to_owned();
        let (kind, _) = own.split_once('_').unwrap_or_else(|| panic!("{}: {own}", route.path));
        let unknown = format!("{kind}_00000000000000000000000000");
        let foreign = comparable(&ask(&world.grace, route, &own, &csrf), route, &own);
        assert_eq!(foreign.0, 404, "{} {} with the id of another person", route.method, route.path);
        for other in [unknown.as_str(), "x", "key_", "acc_00000000000000000000000000", "%27--", "%00"] {
            let answer = comparable(&ask(&world.grace, route, other, &csrf), route, other);
            assert_eq!(answer, foreign, "{} {} with the id {other:?}", route.method, route.path);
        }
        if route.method == "GET" {
            let owner = if route.access.is_console() { &world.olga } else { &world.ada };
            let found = ask(owner, route, &own, "").status;
            assert!(found < 400, "{} is not found by its owner: {found}", route.path);
            let unknown = ask(owner, route, &unknown, "").status;
            assert_eq!(unknown, 404, "{} with an unknown id", route.path);
        }
    }
    let after = world.site.content();
    for (table, rows) in &before {
        assert_eq!(&after[table], rows, "a request for a thing of another person changed {table}");
    }
}
