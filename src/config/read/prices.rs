//! Reads `[[prices]]`. The category is optional.

use super::super::model::{Price, UsageCategory};
use super::super::raw::{Entry, RawValue, Setting};
use super::Reader;
use crate::base::Credits;

const PRICES: &str = "prices";
const MEMBERS: [&str; 4] = ["sku", "unit", "price", "category"];

impl Reader {
    pub(super) fn prices(&mut self) -> Vec<Price> {
        self.known.push(PRICES.to_owned());
        let entries: Vec<Entry> = self.raw.lists.remove(PRICES).unwrap_or_default();
        let mut prices: Vec<Price> = Vec::new();
        for (at, mut entry) in entries {
            let mut text = |reader: &mut Self, member: &str, is_optional: bool| match entry.remove(member) {
                Some(Setting { value: RawValue::Text(text), .. }) if !text.trim().is_empty() => Some(text),
                None if is_optional => None,
                other => {
                    let at = other.map_or(at.clone(), |setting| setting.origin);
                    reader.fault(&at, &format!("{PRICES}.{member}"), "is required, as a text in quotes");
                    None
                }
            };
            let (sku, unit) = (text(self, "sku", false), text(self, "unit", false));
            let (price, category) = (text(self, "price", false), text(self, "category", true));
            for (member, setting) in entry {
                let known = MEMBERS.map(|known| format!("{PRICES}.{known}"));
                self.unknown(&setting.origin, &format!("{PRICES}.{member}"), &known);
            }
            let (Some(sku), Some(unit), Some(price)) = (sku, unit, price) else { continue };
            if prices.iter().any(|known| known.sku == sku) {
                self.fault(&at, "prices.sku", "has two prices; keep one of them");
            }
            let amount = Credits::parse(&price);
            if amount.is_err() {
                let advice = "must be a text with decimal credits, at most six decimals, for example \"0.001\"";
                self.fault(&at, "prices.price", advice);
            }
            let parsed = category.as_deref().map_or(Some(UsageCategory::default()), UsageCategory::parse);
            if parsed.is_none() {
                self.fault(&at, "prices.category", "must be \"training\", \"deployment\" or \"annotation\"");
            }
            if let (Ok(price), Some(category)) = (amount, parsed) {
                prices.push(Price { sku, unit, price, category });
            }
        }
        prices
    }
}
