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
