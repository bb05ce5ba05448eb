//! The layout of all our mails: paragraphs, an optional code, an optional link, and what to do when it was not you.

use askama::Template;

use super::model::Message;

/// A link and its label.
#[allow(missing_docs)]
pub struct Link {
    pub label: &'static str,
    pub url: String,
}

/// A mail in the layout that all our mails have.
pub struct PlainMessage {
    /// The subject, one line.
    pub subject: String,
    /// The text. The first paragraph says what happened.
    pub paragraphs: Vec<String>,
    /// A code that the recipient types.
    pub code: Option<String>,
    /// A link that the recipient follows.
    pub link: Option<Link>,
    /// What to do when it was not you. May be empty.
    pub closing: String,
    /// The public address of the appliance.
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
        // Rendering into a string fails only when a filter fails, and the template uses no filter.
        Text { paragraphs, code, link, closing, site }.render().unwrap_or_default()
    }

    fn html(&self) -> String {
        let Self { subject, paragraphs, code, link, closing, site } = self;
        Html { subject, paragraphs, code, link, closing, site }.render().unwrap_or_default()
    }
}
