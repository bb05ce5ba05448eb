//! The layout of all our mails: paragraphs, an optional code, an optional link, and what to do when it was not you.

use askama::Template;

use super::model::Message;
use crate::config::SiteInfo;

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

/// The colour of links and buttons in mails, unless the site has one.
const ACCENT: &str = "#1d6b5f";

#[derive(Template)]
#[template(path = "mail/message.txt", escape = "none")]
struct Text<'l> {
    message: &'l PlainMessage,
    site: &'l SiteInfo,
}

#[derive(Template)]
#[template(path = "mail/message.html")]
struct Html<'l> {
    message: &'l PlainMessage,
    site: &'l SiteInfo,
    accent: String,
}

impl Message for PlainMessage {
    fn subject(&self) -> String {
        self.subject.clone()
    }

    fn text(&self, site: &SiteInfo) -> String {
        // Rendering into a string fails only when a filter fails, and the template uses no filter.
        Text { message: self, site }.render().unwrap_or_default()
    }

    fn html(&self, site: &SiteInfo) -> String {
        let accent = site.accent.map_or_else(|| ACCENT.to_owned(), |accent| accent.hex());
        Html { message: self, site, accent }.render().unwrap_or_default()
    }
}
