//! Preferences, pictures, and the public profile.

use super::links::Links;
use crate::accounts::Colour;
use crate::base::Zone;

/// The colour scheme of pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// The scheme of the operating system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Every theme there is.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Its name for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::System => "Same as the system",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// The form in the database, in requests and in the cookie.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Parses the stored form. `None`: there is no such theme.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == text)
    }
}

/// A language of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
}

impl Language {
    /// Every language there is.
    pub const ALL: [Self; 1] = [Self::English];

    /// The BCP 47 tag, as in the database and on the page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
        }
    }

    /// Its name in the language itself.
    pub const fn label(self) -> &'static str {
        match self {
            Self::English => "English",
        }
    }

    /// Parses the stored form. `None`: there are no pages in this language.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.as_str() == text)
    }
}

/// A kind of optional mail. Mails about the account, billing alerts and security are always sent, so they have no kind
/// here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailKind {
    /// A key expires soon.
    KeyReminders,
    /// A budget is spent, or a limit is near.
    Usage,
}

/// Which optional mails a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailChoices {
    /// See [`MailKind::KeyReminders`].
    pub key_reminders: bool,
    /// See [`MailKind::Usage`].
    pub usage: bool,
}

impl Default for MailChoices {
    fn default() -> Self {
        Self { key_reminders: true, usage: true }
    }
}

impl MailChoices {
    /// Whether mails of this kind are wanted.
    pub const fn wants(self, kind: MailKind) -> bool {
        match kind {
            MailKind::KeyReminders => self.key_reminders,
            MailKind::Usage => self.usage,
        }
    }
}

/// Settings for the display of pages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The colour scheme.
    pub theme: Theme,
    /// The language of the pages.
    pub language: Language,
    /// The time zone in which pages show times.
    pub zone: Zone,
}

/// All preferences of a person; defaults where they did not choose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preferences {
    /// Settings for the display of pages.
    pub settings: Settings,
    /// Which optional mails are wanted.
    pub mails: MailChoices,
}

impl Preferences {
    /// The names of the choices that differ from `before`.
    pub(super) fn differs_from(&self, before: &Self) -> Vec<&'static str> {
        let (old, new) = (&before.settings, &self.settings);
        let choices = [
            ("theme", old.theme == new.theme),
            ("language", old.language == new.language),
            ("time_zone", old.zone == new.zone),
            ("mails", before.mails == self.mails),
        ];
        choices.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
    }
}

/// A size in which a picture is stored: the side of a square, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureSize {
    /// 512.
    Large,
    /// 128.
    Medium,
    /// 48.
    Small,
}

impl PictureSize {
    /// All sizes, the largest first.
    pub const ALL: [Self; 3] = [Self::Large, Self::Medium, Self::Small];

    /// The side in pixels.
    pub const fn pixels(self) -> u32 {
        match self {
            Self::Large => 512,
            Self::Medium => 128,
            Self::Small => 48,
        }
    }
}

/// A picture as served.
pub struct Picture {
    /// `image/jpeg` or `image/png`.
    pub media: String,
    /// The content of the file.
    pub bytes: Vec<u8>,
}

/// The path of a picture with this name: `/avatars/1f3a…-128`.
pub fn picture_path(name: &str, size: PictureSize) -> String {
    format!("/avatars/{name}-{}", size.pixels())
}

/// The name and the size in the last part of a picture's path. `None`: it is not the path of a picture.
pub(super) fn read_picture_path(last: &str) -> Option<(&str, PictureSize)> {
    let (name, pixels) = last.rsplit_once('-')?;
    let size = PictureSize::ALL.into_iter().find(|size| size.pixels().to_string() == pixels)?;
    Some((name, size))
}

/// The profile of a person that every visitor of the platform can see.
#[derive(Clone, Debug)]
pub struct PublicProfile {
    /// Permanent and unique.
    pub username: String,
    /// The name that pages and mails show.
    pub display_name: String,
    /// A text about them. Empty: not given.
    pub bio: String,
    /// Their profiles on other platforms.
    pub links: Links,
    /// The background of their initials.
    pub colour: Colour,
    /// The name of their picture, for [`picture_path`]. `None`: they have none.
    pub picture: Option<String>,
}
