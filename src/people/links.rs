//! Links to profiles on other platforms: names, ids and addresses in the form of each platform (domain A2, 15).

/// A platform that a profile can link to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// A username.
    GitHub,
    /// The last part of the address of the profile.
    LinkedIn,
    /// A username.
    X,
    /// The handle of the channel.
    YouTube,
    /// The id in the address of the profile.
    Scholar,
    /// A username; there is no public page.
    Discord,
    /// The address of any web page.
    Website,
}

/// The form of the values of a platform.
struct LinkForm {
    stored: &'static str,
    field: &'static str,
    label: &'static str,
    hint: &'static str,
    /// Beginnings of addresses that people paste instead of the value.
    prefixes: &'static [&'static str],
    /// The address of the profile without the value. Empty: there is no page.
    page: &'static str,
    correction: &'static str,
}

impl Platform {
    /// All platforms, in the order of the form.
    pub const ALL: [Self; 7] =
        [Self::GitHub, Self::LinkedIn, Self::X, Self::YouTube, Self::Scholar, Self::Discord, Self::Website];

    const fn form(self) -> LinkForm {
        match self {
            Self::GitHub => LinkForm {
                stored: "github",
                field: "link_github",
                label: "GitHub",
                hint: "username",
                prefixes: &["github.com/"],
                page: "https://github.com/",
                correction: "A GitHub username has up to 39 letters and digits, with single hyphens between them.",
            },
            Self::LinkedIn => LinkForm {
                stored: "linkedin",
                field: "link_linkedin",
                label: "LinkedIn",
                hint: "profile-slug",
                prefixes: &["linkedin.com/in/"],
                page: "https://www.linkedin.com/in/",
                correction: "This is the last part of your LinkedIn address: 3 to 100 letters, digits and hyphens.",
            },
            Self::X => LinkForm {
                stored: "x",
                field: "link_x",
                label: "X",
                hint: "username",
                prefixes: &["x.com/", "twitter.com/"],
                page: "https://x.com/",
                correction: "An X username has up to 15 letters, digits and underscores.",
            },
            Self::YouTube => LinkForm {
                stored: "youtube",
                field: "link_youtube",
                label: "YouTube",
                hint: "channel-handle",
                prefixes: &["youtube.com/@", "youtube.com/"],
                page: "https://www.youtube.com/@",
                correction: "A YouTube handle has 3 to 30 letters, digits, dots, hyphens and underscores.",
            },
            Self::Scholar => LinkForm {
                stored: "scholar",
                field: "link_scholar",
                label: "Google Scholar",
                hint: "user-id",
                prefixes: &["scholar.google.com/citations?user="],
                page: "https://scholar.google.com/citations?user=",
                correction: "A Google Scholar id has 12 letters, digits, hyphens and underscores; it follows user= in the address of your profile.",
            },
            Self::Discord => LinkForm {
                stored: "discord",
                field: "link_discord",
                label: "Discord",
                hint: "username",
                prefixes: &[],
                page: "",
                correction: "A Discord username has 2 to 32 lower-case letters, digits, underscores and single dots.",
            },
            Self::Website => LinkForm {
                stored: "website",
                field: "link_website",
                label: "Website",
                hint: "example.com",
                prefixes: &[],
                page: "",
                correction: "Enter the address of a page, such as example.com or https://example.com/me.",
            },
        }
    }

    /// The form in the database and in requests.
    pub const fn as_str(self) -> &'static str {
        self.form().stored
    }

    /// The form for people.
    pub const fn label(self) -> &'static str {
        self.form().label
    }

    /// The name of the form field.
    pub const fn field(self) -> &'static str {
        self.form().field
    }

    /// The placeholder of the form field.
    pub const fn hint(self) -> &'static str {
        self.form().hint
    }

    /// What a correct value looks like, for the person who typed another one.
    pub(super) const fn correction(self) -> &'static str {
        self.form().correction
    }

    pub(super) fn parse(stored: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == stored)
    }

    /// The address of the profile. `None`: the platform has no public pages.
    pub fn href(self, value: &str) -> Option<String> {
        match self {
            Self::Discord => None,
            Self::Website => Some(value.to_owned()),
            _ => Some(format!("{}{value}", self.form().page)),
        }
    }

    /// Parses a typed value; a whole address and a leading `@` are reduced to the name. `None`: the value has another
    /// form.
    fn read(self, typed: &str) -> Option<String> {
        let typed = typed.trim();
        if self == Self::Website {
            return website(typed);
        }
        let bare = typed.strip_prefix("https://").or_else(|| typed.strip_prefix("http://")).unwrap_or(typed);
        let bare = bare.strip_prefix("www.").unwrap_or(bare);
        let inner = self.form().prefixes.iter().find_map(|prefix| bare.strip_prefix(prefix));
        let value = inner.unwrap_or(typed).trim_end_matches('/');
        let value = if self == Self::Scholar { value } else { value.strip_prefix('@').unwrap_or(value) };
        let (length, extra): (std::ops::RangeInclusive<usize>, &[u8]) = match self {
            Self::GitHub => (1..=39, b"-"),
            Self::LinkedIn => (3..=100, b"-"),
            Self::X => (1..=15, b"_"),
            Self::YouTube => (3..=30, b"._-"),
            Self::Scholar => (12..=12, b"_-"),
            Self::Discord | Self::Website => (2..=32, b"._"),
        };
        let letters = value.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b));
        let whole = match self {
            Self::GitHub => !value.starts_with('-') && !value.ends_with('-') && !value.contains("--"),
            Self::Discord => !value.contains("..") && !value.bytes().any(|b| b.is_ascii_uppercase()),
            _ => true,
        };
        (length.contains(&value.len()) && letters && whole).then(|| value.to_owned())
    }
}

/// A web address: `https` unless the text begins with `http://`, a host with a dot in it, and an optional path. Refuses
/// everything that could be a script, contain a password, or look like another host (RFC 3986 §7.6).
fn website(typed: &str) -> Option<String> {
    let (scheme, rest) = match typed.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => ("https".to_owned(), typed),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let is_label = |label: &str| {
        let ends = !label.starts_with('-') && !label.ends_with('-');
        (1..=63).contains(&label.len()) && ends && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_host = host.contains('.') && host.len() <= 253 && host.split('.').all(is_label);
    let is_port = authority.len() == host.len() || (1..=5).contains(&port.len()) && port.parse::<u16>().is_ok();
    let is_path = path.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"'\\^`{|}".contains(&b));
    let is_good = matches!(scheme.as_str(), "https" | "http") && is_host && is_port && is_path && typed.len() <= 200;
    is_good.then(|| format!("{scheme}://{}{path}", authority.to_ascii_lowercase()))
}

/// The links of a person, each in the form of its platform, in the order of [`Platform::ALL`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(Vec<(Platform, String)>);

impl Links {
    /// Parses the typed value of each platform; empty values are left out.
    ///
    /// # Errors
    /// The platform of the first value that has another form.
    pub fn parse<'t>(typed: impl Fn(Platform) -> &'t str) -> Result<Self, Platform> {
        let mut links = Vec::new();
        for platform in Platform::ALL {
            let text = typed(platform).trim();
            if !text.is_empty() {
                links.push((platform, platform.read(text).ok_or(platform)?));
            }
        }
        Ok(Self(links))
    }

    pub(super) fn new(links: Vec<(Platform, String)>) -> Self {
        let position = |platform: Platform| Platform::ALL.iter().position(|known| *known == platform);
        let mut links = links;
        links.sort_by_key(|(platform, _)| position(*platform));
        Self(links)
    }

    /// The links, in the order of [`Platform::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Platform, &str)> {
        self.0.iter().map(|(platform, value)| (*platform, value.as_str()))
    }

    /// The value for a platform. Empty: there is none.
    pub fn value_of(&self, platform: Platform) -> &str {
        self.iter().find(|(known, _)| *known == platform).map_or("", |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_the_form_of_its_platform() {
        let good = [
            (Platform::GitHub, "ada-l", "ada-l"),
            (Platform::GitHub, "https://github.com/ada-l/", "ada-l"),
            (Platform::GitHub, "@ada", "ada"),
            (Platform::LinkedIn, "https://www.linkedin.com/in/ada-lovelace-1815", "ada-lovelace-1815"),
            (Platform::X, "https://twitter.com/ada_l", "ada_l"),
            (Platform::YouTube, "https://www.youtube.com/@ada.l", "ada.l"),
            (Platform::Scholar, "https://scholar.google.com/citations?user=qc6CJjYAAAAJ", "qc6CJjYAAAAJ"),
            (Platform::Discord, "ada.l_1", "ada.l_1"),
            (Platform::Website, "Example.com", "https://example.com"),
            (Platform::Website, "http://example.com:8080/me?x=1#top", "http://example.com:8080/me?x=1#top"),
        ];
        for (platform, typed, kept) in good {
            assert_eq!(platform.read(typed).as_deref(), Some(kept), "{typed}");
        }
    }

    #[test]
    fn values_of_another_form_are_refused() {
        let bad = [
            (Platform::GitHub, "ada--l"),
            (Platform::GitHub, "https://evil.example/ada"),
            (Platform::GitHub, "ada\"onclick=x"),
            (Platform::LinkedIn, "ad"),
            (Platform::X, "sixteen_letters_"),
            (Platform::YouTube, "a b c"),
            (Platform::Scholar, "short"),
            (Platform::Discord, "Ada"),
            (Platform::Discord, "a..b"),
            (Platform::Website, "javascript:alert(1)"),
            (Platform::Website, "javascript://example.com/%0aalert(1)"),
            (Platform::Website, "data:text/html,x"),
            (Platform::Website, "https://example.com@evil.example"),
            (Platform::Website, "https://exämple.com"),
            (Platform::Website, "localhost"),
            (Platform::Website, "https://example.com/<script>"),
            (Platform::Website, "https://example.com:99999"),
            (Platform::Website, "//example.com"),
            (Platform::Website, "https://example.com/a b"),
        ];
        for (platform, typed) in bad {
            assert_eq!(platform.read(typed), None, "{typed}");
        }
    }
}
