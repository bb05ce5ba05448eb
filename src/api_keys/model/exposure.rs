//! A report that a key was found in public.

use url::Url;

use crate::base::Timestamp;

/// Characters of a place that pages and mails show.
const PLACE_CHARS_MAX: usize = 500;

/// The newest report about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// When it was reported.
    pub at: Timestamp,
    /// Where the key was found. `None`: the report does not say, or not as the address of a web page.
    pub place: Option<String>,
}

/// The address of the web page that a report names, in ASCII and without a name or password in it. Anybody can write a
/// report, and the owner of the key reads it: so everything else is left out.
pub fn exposure_place(reported: &str) -> Option<String> {
    let url = Url::parse(reported.trim()).ok()?;
    let is_page = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    let text = url.as_str();
    (is_page && text.len() <= PLACE_CHARS_MAX).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_address_of_a_web_page_and_nothing_else() {
        assert_eq!(exposure_place(" https://git.example/x?y#L7 ").unwrap(), "https://git.example/x?y#L7");
        assert_eq!(exposure_place("https://münchen.example/ä").unwrap(), "https://xn--mnchen-3ya.example/%C3%A4");
        let long = format!("https://git.example/{}", "x".repeat(500));
        for other in [
            "",
            "You won! Call 555-0100",
            "javascript:alert(1)",
            "ftp://x.example/",
            "https://bank.example@evil.example/",
            &long,
        ] {
            assert_eq!(exposure_place(other), None, "{other}");
        }
    }
}
