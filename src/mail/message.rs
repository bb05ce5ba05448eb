//! The form all our mails have: some paragraphs, perhaps a code or a link, and what to do when it was not you.

use askama::Template;

use super::model::Message;

/// A link with its words.
pub struct Link {
    /// What following it does.
    pub label: &'static str,
    /// Where it leads.
    pub url: String,
}

/// A mail of ours.
pub struct PlainMessage {
    /// One line.
    pub subject: String,
    /// The message, the first paragraph says what happened.
    pub paragraphs: Vec<String>,
    /// Digits to type.
    pub code: Option<String>,
    /// A link to follow.
    pub link: Option<Link>,
    /// What to do when it was not you, or nothing.
    pub closing: String,
    /// The appliance's address.
    pub site: String,
}

#[derive(Template)]
#[template(path = "mail/message.txt", escape = "none")]
struct Text<'l> {
    paragraphs: &'l [String],
    code: &'l Option<String>,
    link: &'l Option<Link>,
    closing: &'l str,
    site: &'l str,
}

#[derive(Template)]
#[template(path = "mail/message.html")]
struct Html<'l> {
    subject: &'l str,
    paragraphs: &'l [String],
    code: &'l Option<String>,
    link: &'l Option<Link>,
    closing: &'l str,
    site: &'l str,
}

impl Message for PlainMessage {
    fn subject(&self) -> String {
        self.subject.clone()
    }

    fn text(&self) -> String {
        let Self { paragraphs, code, link, closing, site, .. } = self;
        // Writing into a string fails only where a filter fails, and there is none.
        Text { paragraphs, code, link, closing, site }.render().unwrap_or_default()
    }

    fn html(&self) -> String {
        let Self { subject, paragraphs, code, link, closing, site } = self;
        Html { subject, paragraphs, code, link, closing, site }.render().unwrap_or_default()
    }
}
