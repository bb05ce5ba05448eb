//! What an event says of itself, in words: from what to what, how, and how many, as its type declares ([`Fact`]).

use serde_json::{Map, Value};

use crate::audit::{EventType, Fact};

/// Characters of a value at most. Scopes of a key can be many.
const CHARS_MAX: usize = 120;

/// What people are shown of the evidence. `None`: nothing.
pub(super) fn in_words(kind: &EventType, data: &Value) -> Option<String> {
    let data = data.as_object()?;
    let said: Vec<String> = kind.facts.iter().filter_map(|fact| one(fact, data)).collect();
    (!said.is_empty()).then(|| said.join(" · "))
}

fn one(fact: &Fact, data: &Map<String, Value>) -> Option<String> {
    match *fact {
        Fact::Change { before, after, unit } => Some(from_to(data.get(before)?, data.get(after)?, unit)),
        Fact::Changes(members) => {
            let (before, after) = (data.get("before")?, data.get("after")?);
            let changed = members.iter().filter(|(member, _)| before.get(member) != after.get(member));
            let said: Vec<String> = changed
                .map(|(member, name)| format!("{name}: {}", from_to(&before[member], &after[member], "")))
                .collect();
            (!said.is_empty()).then(|| said.join(", "))
        }
        Fact::Fields(member) => {
            let names: Vec<String> =
                data.get(member)?.as_array()?.iter().map(|name| text(name).replace('_', " ")).collect();
            (!names.is_empty()).then(|| format!("Changed: {}", names.join(", ")))
        }
        Fact::Credits(member) => Some(format!("{} credits", text(data.get(member)?))),
        Fact::Scopes(member) => {
            Some(list(data.get(member)?)).filter(|list| !list.is_empty()).map(|list| format!("Scopes: {list}"))
        }
        Fact::Method(member) => Some(format!("With {}", text(data.get(member)?).replace(['_', '+'], " "))),
        Fact::Count(member, singular, plural) => match data.get(member)?.as_u64()? {
            0 => None,
            1 => Some(format!("1 {singular}")),
            count => Some(format!("{count} {plural}")),
        },
    }
}

/// `read, write → read`.
fn from_to(before: &Value, after: &Value, unit: &str) -> String {
    let value = |value: &Value| if value.is_null() { "none".to_owned() } else { format!("{}{unit}", list(value)) };
    format!("{} → {}", value(before), value(after))
}

/// Words that are stored in one text, with commas.
fn list(value: &Value) -> String {
    text(value).replace(", ", " ").replace(' ', ", ")
}

fn text(value: &Value) -> String {
    let all = match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    match all.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &all[..end]),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(facts: &'static [Fact], data: Value) -> String {
        in_words(&EventType::for_person().facts(facts), &data).unwrap_or_default()
    }

    #[test]
    fn each_kind_of_evidence_has_its_words() {
        const DAYS: Fact = Fact::Change { before: "before", after: "max_life_days", unit: " days" };
        let change = &[Fact::CHANGE];

        assert_eq!(said(change, json!({"before": ["read", "write"], "after": ["read"]})), "read, write → read");
        assert_eq!(said(change, json!({"before": "free", "after": "pro"})), "free → pro");
        assert_eq!(said(&[DAYS], json!({"before": null, "max_life_days": 90})), "none → 90 days");
        let limits =
            &[Fact::Changes(&[("rate", "requests per minute"), ("budget", "budget"), ("networks", "networks")])];
        let (before, after) =
            (json!({"rate": 60, "budget": null, "networks": 1}), json!({"rate": 90, "budget": "5.00", "networks": 1}));
        assert_eq!(
            said(limits, json!({"before": before, "after": after})),
            "requests per minute: 60 → 90, budget: none → 5.00"
        );
        assert_eq!(said(limits, json!({"before": before, "after": before})), "");
        assert_eq!(
            said(&[Fact::Fields("fields")], json!({"fields": ["display_name", "bio"]})),
            "Changed: display name, bio"
        );
        assert_eq!(said(&[Fact::Credits("amount")], json!({"amount": "25.00", "kind": "adjustment"})), "25.00 credits");
        let scopes = &[Fact::Scopes("scopes")];
        assert_eq!(said(scopes, json!({"scopes": "models:read usage:read"})), "Scopes: models:read, usage:read");
        assert_eq!(said(scopes, json!({"scopes": []})), "");
        assert_eq!(said(&[Fact::Method("method")], json!({"method": "password+totp"})), "With password totp");
        let codes = &[Fact::Count("left", "code left", "codes left")];
        assert_eq!([0, 1, 2].map(|left| said(codes, json!({"left": left}))), ["", "1 code left", "2 codes left"]);
    }

    #[test]
    fn only_what_the_type_declares_is_shown() {
        let data = json!({"before": "free", "after": "pro", "amount": "1.00", "left": 3});
        assert_eq!(said(&[], data.clone()), "");
        assert_eq!(said(&[Fact::Credits("amount"), Fact::CHANGE], data), "1.00 credits · free → pro");
        assert_eq!(said(&[Fact::CHANGE, Fact::Credits("amount")], json!({"receipt": "x"})), "");
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let said = said(&[Fact::Scopes("scopes")], json!({"scopes": ["ü".repeat(500)]}));

        assert_eq!(said.chars().count(), "Scopes: ".len() + CHARS_MAX + 1);
    }
}
