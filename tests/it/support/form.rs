//! The forms of a page, as a browser reads them.

/// A form of a page.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// `get`, `post` or `dialog`.
    pub method: String,
    /// Where it is sent, as it stands in the page. Empty: the page itself.
    pub action: String,
    /// Where its buttons send it instead.
    pub button_actions: Vec<String>,
    /// Its hidden fields.
    pub hidden: Vec<(String, String)>,
}

impl Form {
    /// The value of a hidden field.
    pub fn hidden(&self, name: &str) -> Option<&str> {
        self.hidden.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the form, or one of its buttons, is sent to this path.
    pub fn is_sent_to(&self, page: &str, path: &str) -> bool {
        let action = if self.action.is_empty() { page } else { &self.action };
        self.method == "post" && (action == path || self.button_actions.iter().any(|action| action == path))
    }
}

/// All forms of a page.
pub fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut is_inside = false;
    for tag in tags(html) {
        let attribute = |name: &str| attribute(tag, name);
        match tag.split([' ', '\n', '>']).next().unwrap_or_default() {
            "form" => {
                is_inside = true;
                forms.push(Form {
                    method: attribute("method").unwrap_or_else(|| "get".into()).to_lowercase(),
                    action: attribute("action").unwrap_or_default(),
                    ..Form::default()
                });
            }
            "/form" => is_inside = false,
            "input" if is_inside && attribute("type").as_deref() == Some("hidden") => {
                if let (Some(form), Some(name)) = (forms.last_mut(), attribute("name")) {
                    form.hidden.push((name, attribute("value").unwrap_or_default()));
                }
            }
            "button" if is_inside => {
                if let (Some(form), Some(action)) = (forms.last_mut(), attribute("formaction")) {
                    form.button_actions.push(action);
                }
            }
            _ => {}
        }
    }
    forms
}

/// The tags of a page, without their angle brackets. A `>` in a quoted value does not end a tag.
fn tags(html: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let mut is_quoted = false;
        let end = rest.find(|letter| {
            is_quoted ^= letter == '"';
            letter == '>' && !is_quoted
        });
        let Some(end) = end else { break };
        tags.push(&rest[..end]);
        rest = &rest[end..];
    }
    tags
}

/// The value of an attribute of a tag. An attribute without a value is empty.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, after) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescape(after.split('"').next().unwrap_or_default()))
}

/// Undoes the escaping of templates in attributes.
pub fn unescape(text: &str) -> String {
    let named = [
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    named.iter().fold(text.to_owned(), |text, (code, letter)| text.replace(code, letter))
}

#[test]
fn each_form_has_its_own_fields() {
    let page = "<form method=\"post\" action=\"/a\"><input type=\"hidden\" name=\"csrf\" value=\"1\">\
                <button formaction=\"/b\" title=\"a > b\">x</button></form><input type=\"hidden\" name=\"no\">\
                <form><input type=\"hidden\" value=\"&amp;\" name=\"q\"></form>";
    let [first, second] = forms(page).try_into().unwrap();
    assert_eq!((first.hidden("csrf"), first.hidden("no")), (Some("1"), None));
    assert!(first.is_sent_to("/page", "/a") && first.is_sent_to("/page", "/b") && !first.is_sent_to("/page", "/page"));
    assert_eq!((second.method.as_str(), second.hidden("q")), ("get", Some("&")));
}
