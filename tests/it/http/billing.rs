//! The billing page.

use crate::support::{Appliance, Browser};

struct Wallet {
    site: Appliance,
    ada: Browser,
}

impl Wallet {
    fn new() -> Self {
        let site = Appliance::running();
        site.account("ada-l");
        let mut ada = site.browser();
        ada.sign_in("ada-l");
        Self { site, ada }
    }

    fn redeem(&mut self, code: &str) -> crate::support::Answer {
        self.ada.submit("/settings/billing", "/settings/billing/redeem", &[("code", code)])
    }
}

#[test]
fn a_person_redeems_a_code_on_the_billing_page() {
    let mut wallet = Wallet::new();
    let create = ["voucher", "create", "--amount", "25", "--reason", "Workshop in May"];
    let code = wallet.site.run(&create).ok().trim().to_owned();

    let answer = wallet.redeem(&code);

    assert_eq!((answer.status, answer.location()), (303, "/settings/billing#redeem"), "{}", answer.text());
    let page = wallet.ada.follow(&answer).text();
    for part in ["The code is redeemed", "30.00", "Voucher", "Workshop in May"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let again = wallet.redeem(&code);
    assert_eq!(again.status, 409);
    let text = again.text();
    assert!(text.contains("already redeemed") && text.contains("aria-invalid"), "{text}");
    assert!(!text.contains(&code), "a code is not shown again");
}

#[test]
fn wrong_codes_are_refused_at_the_field_and_then_have_to_wait() {
    let mut wallet = Wallet::new();

    assert!(wallet.redeem("").text().contains("Enter the whole code"));
    for _ in 0..4 {
        let answer = wallet.redeem("no-such-code");
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("This code is not valid, or not any more."), "{}", answer.text());
    }
    let answer = wallet.redeem("no-such-code");
    assert_eq!(answer.status, 429);
    assert!(!answer.header("retry-after").is_empty() && answer.text().contains("Too many wrong codes"));
    assert!(wallet.ada.get("/settings/billing").text().contains("5.00"));
}

/// Usage that a service reports: its id, quantity, time and key.
fn report(wallet: &Wallet, credential: &str, id: &str, quantity: &str, time: &str, key: Option<&str>) {
    let mut event = serde_json::json!({
        "id": id, "source": "farm", "workspace": wallet.site.workspace("ada-l"), "sku": "gpu.h100", "quantity": quantity,
        "time": time,
    });
    if let Some(key) = key {
        event["key"] = key.into();
    }
    let body = serde_json::json!([event]);
    let answer = wallet.site.call("POST", "/v1/usage/events").bearer(credential).json(&body).send();
    assert_eq!(answer.json()["accepted"], 1, "{}", answer.text());
}

#[test]
fn transactions_are_listed_by_when_they_happened_and_found_by_service_key_words_and_days() {
    let mut wallet = Wallet::new();
    let (farm, store) = (wallet.site.service("farm"), wallet.site.service("store"));
    wallet.site.api_key("ada-l", &["read"]);
    let keys = wallet.site.run(&["key", "list", "--account", "ada-l", "--json"]).ok();
    let keys: serde_json::Value = serde_json::from_str(&keys).unwrap();
    let (key, key_name) = (keys["keys"][0]["id"].as_str().unwrap(), keys["keys"][0]["name"].as_str().unwrap());
    let ago = |days: u64| {
        let now = domicile::base::Clock::system().now();
        now.minus(domicile::base::days(days)).rfc3339()
    };
    report(&wallet, &farm, "new", "1000", &ago(1), Some(key));
    report(&wallet, &store, "old", "2000", &ago(9), None);
    report(&wallet, &farm, "ancient", "250", &ago(60), None);
    let mut get = |query: &str| wallet.ada.get(&format!("/settings/billing{query}")).text();
    let position = |page: &str, amount: &str| page.find(&format!(">\u{2212}{amount}<"));

    let page = get("");
    assert!(position(&page, "1.00") < position(&page, "2.00") && position(&page, "1.00").is_some(), "{page}");
    assert_eq!(position(&page, "0.25"), None, "30 days");
    assert!(page.contains(&format!("farm · {key_name}")), "{page}");
    let all = get("?from=");
    assert!(position(&all, "2.00") < position(&all, "0.25"), "{all}");
    let service = |name: &str| {
        let (before, _) = page.split_once(&format!(">{name}</option>")).unwrap();
        before.rsplit("value=\"").next().unwrap().split('"').next().unwrap().to_owned()
    };
    for (query, amounts) in [
        (format!("?from=&service={}", service("farm")), ["1.00", "0.25"].as_slice()),
        (format!("?from=&service={}", service("store")), &["2.00"]),
        (format!("?from=&key={key}"), &["1.00"]),
        ("?from=&q=FARM+gpu".to_owned(), &["1.00", "0.25"]),
        (format!("?from=&to={}", &ago(30)[..10]), &["0.25"]),
        ("?from=&q=nothing-like-it".to_owned(), &[]),
    ] {
        let page = get(&query);
        for amount in ["1.00", "2.00", "0.25"] {
            assert_eq!(position(&page, amount).is_some(), amounts.contains(&amount), "{query} {amount}: {page}");
        }
    }
    assert!(
        get("?from=soon&to=later&service=x&key=y&after=z").contains("Welcome credit"),
        "what cannot be read is ignored"
    );
}

#[test]
fn a_long_list_has_pages_of_twenty_and_each_transaction_is_on_one() {
    let mut wallet = Wallet::new();
    for number in 0..43 {
        let reason = format!("Reason number {number}.");
        wallet.site.run(&["credit", "grant", "--account", "ada-l", "--amount", "1", "--reason", &reason]).ok();
    }
    let (mut path, mut counts) = ("/settings/billing".to_owned(), Vec::new());
    let mut seen = String::new();
    loop {
        let page = wallet.ada.get(&path).text();
        counts.push(page.matches("<tr><td><strong>").count());
        seen += &page;
        let Some((before, _)) = page.split_once(">Older</a>") else { break };
        path =
            before.rsplit("href=\"").next().unwrap().trim_end_matches('"').replace("&amp;", "&").replace("&#38;", "&");
    }
    assert_eq!(counts, [20, 20, 4]);
    for number in 0..43 {
        // In the column of wide pages.
        let cell = format!("<td class=\"wide-only\">Reason number {number}.</td>");
        assert_eq!(seen.matches(&cell).count(), 1, "{number}");
    }
}

#[test]
fn the_filtered_transactions_are_downloaded_and_run_no_formula() {
    let mut wallet = Wallet::new();
    let formula = "=HYPERLINK(\"http://example.org\"), \"two\"";
    wallet.site.run(&["credit", "grant", "--account", "ada-l", "--amount", "1", "--reason", formula]).ok();
    let farm = wallet.site.service("farm");
    report(&wallet, &farm, "run", "1000.5", &domicile::base::Clock::system().now().rfc3339(), None);

    let answer = wallet.ada.get("/settings/billing/download?from=&format=csv");
    assert!(answer.header("content-disposition").starts_with("attachment; filename=\"transactions-"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let text = answer.text();
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<std::collections::BTreeMap<String, String>> = table.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3, "{text}");
    let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert!(column("details").contains(&format!("'{formula}")), "{text}");
    assert!(column("amount").contains(&"-1.0005".to_owned()) && column("service").contains(&"farm".to_owned()));
    assert!(column("balance_after").contains(&"4.9995".to_owned()), "{text}");

    let answer = wallet.ada.get("/settings/billing/download?from=&format=json&q=hyperlink");
    let value = answer.json();
    assert_eq!((value["transactions"].as_array().unwrap().len(), value["more"].as_bool()), (1, Some(false)), "{value}");
    assert_eq!(value["transactions"][0]["details"], formula);
    assert_eq!(value["transactions"][0]["amount"], "1.00");
}

#[test]
fn the_page_says_what_expires_next_and_what_comes_each_month() {
    let mut wallet = Wallet::new();
    let create = ["voucher", "create", "--amount", "7", "--promo", "TRIAL", "--uses", "1", "--credit-expires", "10d"];
    let code = wallet.site.run(&[&create[..], &["--reason", "Trial"]].concat()).ok();
    assert!(!wallet.ada.get("/settings/billing").text().contains("will expire"));
    assert_eq!(wallet.redeem(code.trim()).status, 303);
    wallet.site.run(&["credit", "allowance", "ada-l", "30"]).ok();
    let text = wallet.ada.get("/settings/billing").text();
    assert!(text.contains("will expire on") && text.contains("You get 30.00 USD each month"), "{text}");
    assert!(text.contains("Reserved"), "{text}");
}

#[test]
fn the_usage_page_shows_what_usage_costs_as_a_chart_and_a_table() {
    let mut wallet = Wallet::new();
    let farm = wallet.site.service("farm");
    let ago = |days: u64| domicile::base::Clock::system().now().minus(domicile::base::days(days)).rfc3339();
    report(&wallet, &farm, "a", "1000", &ago(1), None);
    report(&wallet, &farm, "b", "2000", &ago(2), None);
    report(&wallet, &farm, "c", "500", &ago(40), None);
    let page = wallet.ada.get("/settings/usage").text();
    for part in ["3.00 <small>", "0.50 in the 30 days before", "1.50", "gpu.h100", "100 %", "role=\"img\"", "Storage"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!((page.matches("<title>").count(), page.matches("class=\"before\"").count()), (1 + 2, 1), "{page}");
    let page = wallet.ada.get("/settings/usage?group=service&by=month&from=2020-01-01").text();
    assert!(page.contains("<strong>farm</strong>") && page.contains("3.50 <small>"), "{page}");
    for odd in
        ["?from=soon&to=later&by=x&group=y", "?from=9999-12-31", "?to=0001-01-01", "?from=0001-01-01&to=9999-12-31"]
    {
        assert_eq!(wallet.ada.get(&format!("/settings/usage{odd}")).status, 200, "{odd}");
    }
}
