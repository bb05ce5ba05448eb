//! `[site]`.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;

use url::Url;

use super::super::site::{Accent, BadAccent, LOGO_BYTES_MAX, Logo, SiteInfo};
use super::Reader;
use crate::base::is_visible;

/// Characters of the name of a site: it stands in the subjects of mails and above the tabs of a phone.
const NAME_CHARS_MAX: usize = 40;

impl Reader {
    pub(super) fn site(&mut self) -> SiteInfo {
        let name = self.site_name();
        SiteInfo {
            is_named: name.is_some(),
            name: name.unwrap_or_else(|| SiteInfo::default().name),
            logo: self.logo(),
            accent: self.accent(),
            platform_url: self.web_address("site.platform_url"),
            support_url: self.support(),
            terms_url: self.web_address("site.terms_url"),
            privacy_url: self.web_address("site.privacy_url"),
        }
    }

    fn site_name(&mut self) -> Option<String> {
        let (name, at) = self.text("site.name")?;
        let name = name.trim();
        if (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && is_visible(name) {
            return Some(name.to_owned());
        }
        self.fault(&at, "site.name", &format!("must be 1 to {NAME_CHARS_MAX} visible characters"));
        None
    }

    fn logo(&mut self) -> Option<Arc<Logo>> {
        let (path, at) = self.text("site.logo_file")?;
        // No more than one byte too many is read.
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(LOGO_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
        let fault = match read.map(|_| bytes) {
            Err(error) => format!("names {path}, which cannot be read: {error}"),
            Ok(bytes) if bytes.len() > LOGO_BYTES_MAX => {
                format!("names {path}, which is larger than {} KiB. Use a smaller picture", LOGO_BYTES_MAX / 1024)
            }
            Ok(bytes) => match Logo::recognize(bytes) {
                Some(logo) => return Some(Arc::new(logo)),
                None => format!("names {path}, which is not an SVG, PNG, JPEG or WebP picture"),
            },
        };
        self.fault(&at, "site.logo_file", &fault);
        None
    }

    fn accent(&mut self) -> Option<Accent> {
        let (text, at) = self.text("site.accent")?;
        let fault = match Accent::parse(text.trim()) {
            Ok(accent) => return Some(accent),
            Err(BadAccent::Form) => "must be a colour such as \"#1d6b5f\"".to_owned(),
            Err(BadAccent::TooLight { contrast, darker }) => format!(
                "is too light to be read: its contrast to the page is {contrast:.1}, and text needs 4.5. Use a darker colour, for example \"{darker}\""
            ),
        };
        self.fault(&at, "site.accent", &fault);
        None
    }

    /// An address of a page, over HTTPS or on this machine.
    fn web_address(&mut self, key: &str) -> Option<String> {
        let (text, at) = self.text(key)?;
        let url = Url::parse(text.trim()).ok().filter(is_web_address);
        if url.is_none() {
            self.fault(&at, key, "must be the address of a page, for example \"https://example.org/\"");
        }
        url.map(|url| url.to_string())
    }

    fn support(&mut self) -> Option<String> {
        let (text, at) = self.text("site.support")?;
        let text = text.trim();
        if let Ok(address) = crate::base::EmailAddress::parse(text) {
            return Some(format!("mailto:{}", address.as_str()));
        }
        let url = Url::parse(text).ok().filter(is_web_address);
        if url.is_none() {
            self.fault(
                &at,
                "site.support",
                "must be an email address or the address of a page, for example \"help@example.org\"",
            );
        }
        url.map(|url| url.to_string())
    }
}

fn is_web_address(url: &Url) -> bool {
    let is_local = url.scheme() == "http" && matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    url.scheme() == "https" || is_local
}
