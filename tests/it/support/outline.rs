//! A page as the text that a person perceives: one line for each heading, paragraph, field, button and link. Without
//! what differs in each run: ids, secrets and the port.

/// Elements inside a line. All others begin a new one.
const INLINE: [&str; 22] = [
    "a", "abbr", "b", "bdi", "code", "em", "i", "img", "input", "kbd", "mark", "output", "q", "s", "samp", "small",
    "span", "strong", "sub", "sup", "time", "u",
];
/// Elements whose content is no text.
const OPAQUE: [&str; 3] = ["script", "style", "svg"];
/// Elements whose lines begin with their name.
const NAMED: [&str; 9] = ["title", "label", "legend", "button", "option", "summary", "caption", "th", "dt"];

/// The outline of an HTML document or of a part of one.
pub fn outline(html: &str) -> String {
    let mut outline = Outline::default();
    let mut rest = html;
    while let Some((text, after)) = rest.split_once('<') {
        outline.text(text);
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let end = end_of_tag(after);
        let tag = Tag::parse(&after[..end]);
        rest = after.get(end + 1..).unwrap_or_default();
        if OPAQUE.contains(&tag.name) && !tag.is_end {
            outline.note(&tag);
            let closing = format!("</{}>", tag.name);
            rest = rest.split_once(&closing).map_or("", |(_, after)| after);
        } else {
            outline.tag(&tag);
        }
    }
    outline.text(rest);
    outline.flush();
    redacted(&outline.lines.join("\n"))
}

/// Where the tag ends, past `>` in quoted attributes.
fn end_of_tag(text: &str) -> usize {
    let mut quote = None;
    for (index, letter) in text.char_indices() {
        match (quote, letter) {
            (None, '>') => return index,
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            _ => {}
        }
    }
    text.len()
}

struct Tag<'t> {
    name: &'t str,
    is_end: bool,
    attributes: &'t str,
}

impl<'t> Tag<'t> {
    fn parse(text: &'t str) -> Self {
        let (is_end, text) = text.strip_prefix('/').map_or((false, text), |text| (true, text));
        let (name, attributes) = text.split_once(char::is_whitespace).unwrap_or((text.trim_end_matches('/'), ""));
        Self { name, is_end, attributes }
    }

    fn attribute(&self, name: &str) -> Option<String> {
        let start = format!("{name}=\"");
        let at = self
            .attributes
            .match_indices(&start)
            .find(|(at, _)| *at == 0 || self.attributes[..*at].ends_with(char::is_whitespace));
        let value = &self.attributes[at?.0 + start.len()..];
        Some(unescape(value.split('"').next().unwrap_or_default()))
    }

    fn has(&self, name: &str) -> bool {
        self.attributes.split_whitespace().any(|word| word == name)
    }
}

#[derive(Default)]
struct Outline {
    lines: Vec<String>,
    line: String,
    /// What stands before the text of the line. A line of nothing else is left out.
    start: String,
    /// The targets of the links that are open.
    links: Vec<String>,
}

impl Outline {
    fn text(&mut self, text: &str) {
        let text = unescape(text);
        if text.starts_with(char::is_whitespace) && !self.line.is_empty() && !self.line.ends_with(' ') {
            self.line.push(' ');
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        self.line.push_str(&words.join(" "));
        if text.ends_with(char::is_whitespace) && !words.is_empty() {
            self.line.push(' ');
        }
    }

    fn flush(&mut self) {
        let line = self.line.trim();
        if !line.is_empty() {
            self.lines.push(format!("{}{line}", self.start));
        }
        self.line.clear();
        self.start.clear();
    }

    /// What an element tells people who do not see it.
    fn note(&mut self, tag: &Tag<'_>) {
        for name in ["aria-label", "alt", "title"] {
            if let Some(value) = tag.attribute(name).filter(|value| !value.is_empty()) {
                self.line.push_str(&format!("({value}) "));
            }
        }
    }

    fn tag(&mut self, tag: &Tag<'_>) {
        if !INLINE.contains(&tag.name) {
            self.flush();
        }
        match (tag.name, tag.is_end) {
            ("a", false) => {
                self.note(tag);
                self.links.push(tag.attribute("href").unwrap_or_default());
                self.line.push('[');
            }
            ("a", true) => {
                let target = self.links.pop().unwrap_or_default();
                self.line = format!("{}]({target})", self.line.trim_end());
            }
            (_, true) => {}
            ("input" | "select" | "textarea", false) => self.field(tag),
            ("form", false) => {
                let action = tag.attribute("action").unwrap_or_default();
                self.lines.push(format!("form {action}"));
            }
            (name, false) => {
                self.start = match name.strip_prefix('h').and_then(|level| level.parse().ok()) {
                    Some(level) => format!("{} ", "#".repeat(level)),
                    None if NAMED.contains(&name) => format!("{name}: "),
                    None if name == "li" => "- ".to_owned(),
                    None if INLINE.contains(&name) => std::mem::take(&mut self.start),
                    None => String::new(),
                };
                self.note(tag);
            }
        }
    }

    fn field(&mut self, tag: &Tag<'_>) {
        let kind = tag.attribute("type").unwrap_or_else(|| tag.name.to_owned());
        if kind == "hidden" {
            return;
        }
        let name = tag.attribute("name").unwrap_or_default();
        let mut field = format!("<{kind} {name}");
        // Typed values show what a form keeps; a choice is known by its value.
        for attribute in ["value", "placeholder", "aria-label"] {
            if let Some(value) = tag.attribute(attribute) {
                field.push_str(&format!(" {attribute}={value:?}"));
            }
        }
        for flag in ["checked", "required", "disabled", "readonly"] {
            if tag.has(flag) {
                field.push_str(&format!(" {flag}"));
            }
        }
        self.line.push_str(&format!("{field}> "));
    }
}

/// Undoes the escaping of templates.
fn unescape(text: &str) -> String {
    let named = [
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&lt;", "<"),
        ("&#62;", ">"),
        ("&gt;", ">"),
        ("&nbsp;", " "),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    named.iter().fold(text.to_owned(), |text, (code, letter)| text.replace(code, letter))
}

/// Replaces what is random: ids (`key_…`), secrets (`dok_…`), digests and signed tokens; and the port of the test.
pub fn redacted(text: &str) -> String {
    let mut result = String::new();
    let mut word = String::new();
    for letter in text.chars().chain(['\n']) {
        let is_base64 = word.starts_with("whsec_") && ['+', '/', '='].contains(&letter);
        if letter.is_ascii_alphanumeric() || letter == '_' || letter == '-' || is_base64 {
            word.push(letter);
            continue;
        }
        let is_number = word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && result.ends_with("localhost:") {
            result.push_str("PORT");
        } else {
            result.push_str(&without_chance(&word));
        }
        word.clear();
        result.push(letter);
    }
    result.pop();
    result
}

fn without_chance(word: &str) -> String {
    let has = |is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
    if word.starts_with("whsec_") {
        return "whsec_…".to_owned();
    }
    if let Some((prefix, rest)) = word.split_once('_')
        && prefix.len() <= 4
        && prefix.bytes().all(|byte| byte.is_ascii_lowercase())
        && (rest.len() == 26 || ["dok", "dos"].contains(&prefix))
    {
        return format!("{prefix}_…");
    }
    // Request ids and digests, and what is base64.
    let is_hex = word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_base64 = word.len() >= 20 && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    if has(u8::is_ascii_digit) && (is_hex || is_base64) { "…".to_owned() } else { word.to_owned() }
}

#[test]
fn what_is_random_is_left_out() {
    let random = "req 0f26c9a9f241f4a5, key_01k9zzzzzzzzzzzzzzzzzzzzzz at http://localhost:41234/x, ZWaWZsxJDLQbNY_9x-kQ3yyyyyyyy";
    assert_eq!(redacted(random), "req …, key_… at http://localhost:PORT/x, …");
    let fixed = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange at 2026-05-03T09:00:00Z, models:read";
    assert_eq!(redacted(fixed), fixed);
}

#[test]
fn an_outline_has_headings_fields_and_links() {
    let page = "<h1>A <em>b</em></h1>\n<form action=\"/do\"><input type=\"hidden\" name=\"csrf\" value=\"x\">\
                <label for=\"n\">Name</label><input name=\"n\" required><button>Go &amp; do</button></form>\
                <p>See <a href=\"/x\">this</a>.<!-- no --><script>var a</script>";
    let lines = ["# A b", "form /do", "label: Name", "<input n required>", "button: Go & do", "See [this](/x)."];
    assert_eq!(outline(page), lines.join("\n"));
}
