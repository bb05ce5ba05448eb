//! The activity page: search, days, pages and downloads, all by the address.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Appliance, Browser, tool};

fn signed_in(site: &Appliance, name: &str) -> Browser {
    site.account(name);
    let mut browser = site.browser();
    browser.sign_in(name);
    browser
}

fn titles(page: &str) -> Vec<&str> {
    let rows = page.split("<tr><td><strong>").skip(1);
    rows.map(|row| row.split("</strong>").next().unwrap()).collect()
}

#[test]
fn a_search_finds_what_a_row_shows_and_stays_in_the_address() {
    let site = Appliance::running();
    let mut ada = signed_in(&site, "ada-l");
    site.api_key("ada-l", &["read"]);
    site.run(&["credit", "grant", "--account", "ada-l", "--amount", "25.00", "--reason", "=SUM(A1) for & by Ada"]).ok();

    let page = ada.get("/activity").text();
    assert!(page.contains("25.00 credits") && page.contains("Scopes: read "), "what changed: {page}");
    let found = ada.get("/activity?q=CREDIT+operator").text();
    assert_eq!(titles(&found).len(), 1, "{found}");
    assert!(found.contains("=SUM(A1) for &#38; by Ada") && found.contains("value=\"CREDIT operator\""), "{found}");
    assert!(found.contains("q=CREDIT%20operator"), "the downloads have the filter: {found}");
    let by_name = ada.get("/activity?q=sum").text();
    assert_eq!(titles(&by_name).len(), 1, "names are searched too, although they are sealed");
    assert!(ada.get("/activity?q=%3Cb%3Enothing").text().contains("Nothing matches"));
    assert_eq!(signed_in(&site, "grace-h").get("/activity?q=credits").text().matches("25.00").count(), 0);

    let csv = ada.get("/activity/download?format=csv&q=credits&from=");
    assert_eq!((csv.status, csv.header("content-type")), (200, "text/csv; charset=utf-8"));
    assert!(csv.header("content-disposition").starts_with("attachment; filename=\"activity-20"), "{csv:?}");
    let read = "import csv, sys; print([[row['details'], row['name']] for row in csv.DictReader(sys.stdin)])";
    let text = pipe(Command::new(tool("python3")).args(["-c", read]), &csv.text());
    assert!(text.contains("['25.00 credits', \"'=SUM(A1) for & by Ada\"]"), "a formula is text: {text}");

    let json = ada.get("/activity/download?format=json&q=operator&from=");
    assert_eq!(json.header("content-type"), "application/json");
    let events = json.json();
    let one = &events["events"][0];
    assert_eq!(
        (one["event"].as_str(), one["by"].as_str()),
        (Some("billing.credit_granted"), Some("operator")),
        "{events}"
    );
    assert_eq!(events["more"], false);
}

fn pipe(command: &mut Command, input: &str) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    crate::support::finish(command, input).ok()
}

#[test]
fn days_and_pages_are_in_the_address() {
    let site = Appliance::running_with_clock("");
    let mut ada = signed_in(&site, "ada-l");
    let (service, workspace) = (site.service("farm"), site.workspace("ada-l"));
    for number in 0..25 {
        let name = format!("Lantern {number}");
        let item = json!({"workspace": workspace, "type": "training", "action": "started", "name": name});
        assert_eq!(site.call("POST", "/v1/activity").bearer(&service).json(&item).send().status, 201);
    }
    let first = ada.get("/activity?q=lantern").text();
    assert_eq!(titles(&first).len(), 20);
    let older =
        first.split('"').find(|word| word.contains("before=")).unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let second = ada.get(&older).text();
    assert_eq!(titles(&second).len(), 5, "{second}");
    assert!(second.contains(">Newest</a>") && !second.contains(">Older</a>"), "{second}");
    let all = ada.get("/activity?q=lantern&size=100").text();
    assert_eq!(titles(&all).len(), 25);
    assert!(!all.contains("before="), "there is no further page");
    assert_eq!(
        titles(&ada.get("/activity?q=lantern&size=7").text()).len(),
        20,
        "another number of rows is the usual one"
    );

    let today = ada.get("/activity").text();
    let from = today.split("name=\"from\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(
        titles(&ada.get(&format!("/activity?q=lantern&from=&to={from}")).text()).len(),
        0,
        "before the last 30 days"
    );
    site.set_ahead(31 * 24 * 3600);
    ada.sign_in("ada-l");
    assert_eq!(titles(&ada.get("/activity?q=lantern").text()).len(), 0, "older than 30 days");
    assert_eq!(titles(&ada.get("/activity?q=lantern&from=").text()).len(), 20, "from the beginning");
    assert_eq!(titles(&ada.get("/activity?q=lantern&from=nonsense").text()).len(), 20, "no day is no limit");
}
