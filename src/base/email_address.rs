//! E-mail addresses.

/// An e-mail address: kept as typed for sending, and folded for comparing.
///
/// Folding changes only the case: RFC 5321 §2.4 leaves the meaning of the local part to its host, and in practice no
/// host distinguishes case. Dots and plus signs are kept, because on most hosts they make a different mailbox.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

/// The text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnEmailAddress;

/// RFC 5321 §4.5.3.1: 64 octets before the `@`, and 254 in total (a path of 256 without its angle brackets).
const LOCAL_OCTETS_MAX: usize = 64;
const OCTETS_MAX: usize = 254;

impl EmailAddress {
    /// Accepts `local@domain` with a dotted or single-label domain, no quoting and no comments. The part before the `@` is
    /// printable ASCII. A domain with other letters gets its form in ASCII (IDNA, UTS #46), which browsers send and mail servers
    /// know, so both spellings are one address.
    ///
    /// # Errors
    /// [`NotAnEmailAddress`] for anything else: spaces, control characters (which could inject a mail header), two `@`,
    /// empty labels, too long.
    pub fn parse(text: &str) -> Result<Self, NotAnEmailAddress> {
        let text = text.trim();
        let (local, domain) = text.split_once('@').ok_or(NotAnEmailAddress)?;
        let domain = ascii_domain(domain).ok_or(NotAnEmailAddress)?;
        let local_ok = !local.is_empty()
            && local.len() <= LOCAL_OCTETS_MAX
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b));
        let domain_ok = domain.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        });
        if local.len() + 1 + domain.len() > OCTETS_MAX || !local_ok || !domain_ok {
            return Err(NotAnEmailAddress);
        }
        Ok(Self(format!("{local}@{domain}")))
    }

    /// The address as the person typed it, with its domain in ASCII.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address in lower case, for look-ups and uniqueness.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The part after the `@` in lower case.
    pub fn domain(&self) -> String {
        self.0.rsplit('@').next().unwrap_or_default().to_ascii_lowercase()
    }
}

/// The form of a domain in ASCII. A domain in ASCII stays as it was typed. `None`: it cannot be a domain.
pub fn ascii_domain(domain: &str) -> Option<std::borrow::Cow<'_, str>> {
    if domain.is_ascii() {
        return Some(domain.into());
    }
    match url::Host::parse(domain) {
        Ok(url::Host::Domain(ascii)) => Some(ascii.into()),
        Ok(url::Host::Ipv4(_) | url::Host::Ipv6(_)) | Err(_) => None,
    }
}

impl std::fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for EmailAddress {
    // An address is personal data, and a log message that prints a struct must not contain it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_addresses_are_accepted() {
        for good in ["ada@example.org", " Ada.L+keys@Example.co.uk ", "root@localhost", "o'neil@x-y.example"] {
            assert!(EmailAddress::parse(good).is_ok(), "{good}");
        }
        assert_eq!(EmailAddress::parse("Ada@Example.ORG").unwrap().folded(), "ada@example.org");
    }

    #[test]
    fn an_international_domain_has_one_form() {
        let parsed = |text: &str| EmailAddress::parse(text).map(|address| address.folded());
        for spelling in
            ["ada@münchen.example", "Ada@MÜNCHEN.Example", "ada@mu\u{308}nchen.example", "ada@münchen。example"]
        {
            assert_eq!(parsed(spelling), parsed("ada@xn--mnchen-3ya.example"), "{spelling}");
        }
        assert_eq!(parsed("ada@münchen.example").as_deref(), Ok("ada@xn--mnchen-3ya.example"));
        assert_eq!(parsed("ada@例え.テスト").as_deref(), Ok("ada@xn--r8jz45g.xn--zckzah"));
        for bad in ["ada@１２７.0.0.1", "ada@mün chen.example", "ada@ü\u{202e}.example", "ada@ü..example", "ada@\u{ad}"]
        {
            assert_eq!(parsed(bad), Err(NotAnEmailAddress), "{bad:?}");
        }
        let long = format!("a@{}.example", "ü".repeat(63));
        assert_eq!(parsed(&long), Err(NotAnEmailAddress), "its form in ASCII is too long");
    }

    #[test]
    fn addresses_that_could_inject_a_mail_header_are_refused() {
        for bad in
            ["", "ada", "@x", "a@", "a@b@c", "a b@c", "a@b\r\nBcc: x@y", "a@-b", "a@b..c", ".a@b", "\"a\"@b", "é@b"]
        {
            assert_eq!(EmailAddress::parse(bad), Err(NotAnEmailAddress), "{bad:?}");
        }
        assert!(EmailAddress::parse(&format!("{}@example.org", "a".repeat(65))).is_err());
    }
}
