//! Invitations and the link for the first operator, at the command line.

use serde_json::Value;

use super::refused;
use crate::support::{Appliance, PASSWORD};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
}

fn open_invitations(site: &Appliance) -> Vec<Value> {
    json(&site.run(&["account", "invitations", "--json"]).ok())["invitations"].as_array().unwrap().clone()
}

#[test]
fn invitations_are_created_listed_and_withdrawn() {
    let site = Appliance::initialized();
    let id = site.run(&["account", "invite", "--email", "ada@example.org"]).ok();
    let made = json(&site.run(&["account", "invite", "--email", "bob@example.org", "--operator", "--json"]).ok());
    assert!(id.starts_with("inv_") && made.get("link").is_none(), "{id} {made}");

    let listed = open_invitations(&site);
    let rows: Vec<_> =
        listed.iter().map(|one| (one["email"].as_str().unwrap(), one["operator"].as_bool().unwrap())).collect();
    assert_eq!(rows, [("bob@example.org", true), ("ada@example.org", false)]);
    let text = site.run(&["account", "invitations"]).ok();
    assert!(text.contains(&id) && text.contains("operator") && text.lines().count() == 2, "{text}");

    assert_eq!(site.run(&["account", "uninvite", "BOB@example.org"]).ok(), made["id"].as_str().unwrap());
    assert_eq!(site.run(&["account", "uninvite", &id]).ok(), id);
    assert!(open_invitations(&site).is_empty());
    refused(&site, &["account", "uninvite", &id], 1, &["no such invitation", "account invitations"]);
}

#[test]
fn a_printed_invitation_is_not_mailed_and_can_make_an_operator() {
    let mut site = Appliance::initialized_with("[signup]\nmode = \"closed\"\n");
    let output = site.run(&["account", "invite", "--email", "ada@example.org", "--operator", "--print-link"]);
    assert!(output.stderr.contains("you confirm"), "{output:?}");
    let link = output.ok();
    site.start();
    let path = link.strip_prefix(&site.url()).unwrap();
    let token = path.split_once("invite=").unwrap().1;

    let fields = [("invite", token), ("username", "ada-l"), ("password", PASSWORD)];
    assert_eq!(site.browser().submit(path, "/signup", &fields).status, 303);

    assert_eq!(json(&site.run(&["account", "show", "ada-l", "--json"]).ok())["operator"], true);
    site.mailbox().wait_for("ada@example.org", "Welcome");
    assert!(site.mailbox().messages().iter().all(|message| !message.subject.contains("invited")));
}

#[test]
fn an_invalid_invitation_is_refused() {
    let site = Appliance::initialized();
    site.account("ada-l");
    refused(&site, &["account", "invite", "--email", "nonsense"], 1, &["address"]);
    refused(&site, &["account", "invite", "--email", "ada-l@example.org"], 1, &["account"]);
    assert_eq!(site.run(&["account", "invite"]).status, 2);
    assert!(open_invitations(&site).is_empty());
}

#[test]
fn p10_operator_links_are_printed_until_there_is_an_operator() {
    let mut site = Appliance::configured("");
    let first = site.run(&["init"]).ok();
    let second = site.run(&["account", "operator-link"]).ok();
    let third =
        json(&site.run(&["account", "operator-link", "--json"]).ok())["operator_link"].as_str().unwrap().to_owned();
    site.start();
    let status_of = |link: &str| site.browser().get(link.strip_prefix(&site.url()).unwrap()).status;

    assert_eq!((status_of(&first), status_of(&second)), (400, 400), "earlier links no longer work");
    let email = "ada-l@example.org";
    let path = third.strip_prefix(&site.url()).unwrap();
    let mut ada = site.browser();
    let fields = [
        ("claim", path.split_once("claim=").unwrap().1),
        ("email", email),
        ("username", "ada-l"),
        ("password", PASSWORD),
    ];
    assert_eq!(ada.submit(path, "/signup", &fields).status, 303);
    assert_eq!(status_of(&third), 400);
    site.mailbox().wait_for(email, "code");
    site.stop();

    refused(&site, &["account", "operator-link"], 1, &["already has an operator", "account create --operator"]);
}
