//! What an event changed, in words: from what to what, where the event knows it.

use serde_json::{Map, Value};

/// The members that hold a value after a change, whose `before` is beside them.
const AFTER: [(&str, &str); 2] = [("after", ""), ("max_life_days", " days")];
/// Characters of a value at most. Scopes of a key can be many.
const CHARS_MAX: usize = 120;

/// What the evidence of an event says about the change. `None`: nothing that people ask for.
pub(super) fn in_words(data: &Value) -> Option<String> {
    let data = data.as_object()?;
    from_to(data).or_else(|| fields(data)).or_else(|| facts(data))
}

/// `read, write → read`.
fn from_to(data: &Map<String, Value>) -> Option<String> {
    let before = data.get("before")?;
    let (after, unit) = AFTER.iter().find_map(|(name, unit)| Some((data.get(*name)?, unit)))?;
    let value = |value: &Value| if value.is_null() { "none".to_owned() } else { format!("{}{unit}", list(value)) };
    Some(format!("{} → {}", value(before), value(after)))
}

/// `Changed: display name, bio`.
fn fields(data: &Map<String, Value>) -> Option<String> {
    let fields = data.get("fields")?.as_array()?;
    let names: Vec<String> = fields.iter().map(|name| text(name).replace('_', " ")).collect();
    (!names.is_empty()).then(|| format!("Changed: {}", names.join(", ")))
}

fn facts(data: &Map<String, Value>) -> Option<String> {
    let number = |name: &str| data.get(name).and_then(Value::as_u64).filter(|number| *number > 0);
    let counted = |name: &str, one: &str, more: &str| {
        number(name).map(|count| format!("{count} {}", if count == 1 { one } else { more }))
    };
    let facts = [
        data.get("amount").map(|amount| format!("{} credits", text(amount))),
        data.get("scopes")
            .map(|scopes| format!("Scopes: {}", list(scopes)))
            .filter(|text| text.len() > "Scopes: ".len()),
        data.get("method").map(|method| format!("With {}", text(method).replace(['_', '+'], " "))),
        counted("cascaded", "item in it", "items in it"),
        counted("deleted", "item", "items"),
        counted("sessions", "session", "sessions"),
        counted("left", "code left", "codes left"),
    ];
    let said: Vec<String> = facts.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(" · "))
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

    #[test]
    fn a_change_says_from_what_to_what() {
        let said = |data: Value| in_words(&data).unwrap_or_default();

        assert_eq!(said(json!({"before": ["read", "write"], "after": ["read"]})), "read, write → read");
        assert_eq!(said(json!({"before": null, "max_life_days": 90})), "none → 90 days");
        assert_eq!(said(json!({"before": "free", "after": "pro"})), "free → pro");
        assert_eq!(said(json!({"fields": ["display_name", "bio"]})), "Changed: display name, bio");
        assert_eq!(said(json!({"amount": "25.00", "kind": "adjustment"})), "25.00 credits");
        assert_eq!(said(json!({"scopes": "models:read usage:read"})), "Scopes: models:read, usage:read");
        assert_eq!(said(json!({"type": "model", "cascaded": 0})), "");
        assert_eq!(said(json!({"receipt": "x"})), "");
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let said = in_words(&json!({"scopes": ["ü".repeat(500)]})).unwrap();

        assert_eq!(said.chars().count(), "Scopes: ".len() + CHARS_MAX + 1);
    }
}
