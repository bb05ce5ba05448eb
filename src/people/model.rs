//! Preferences, pictures, and what of a person is public.

use super::links::Links;
use crate::accounts::Colour;
use crate::base::Zone;

/// Light, dark, or as the system has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// As stored, sent and kept in the cookie.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads the stored form. `None`: there is no such theme.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.as_str() == text)
    }
}

/// A language that the pages exist in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
}

impl Language {
    /// Every language there is.
    pub const ALL: [Self; 1] = [Self::English];

    /// BCP 47, as stored and written on the page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
        }
    }

    /// Its name in itself.
    pub const fn label(self) -> &'static str {
        match self {
            Self::English => "English",
        }
    }

    /// Reads the stored form. `None`: the pages do not exist in it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.as_str() == text)
    }
}

/// What a mail is about, as far as a person can choose. Mails about the account, about billing alerts and about security are
/// sent to everybody: they are not of these kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailKind {
    /// A key ends soon.
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

/// How pages look and tell the time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Light, dark, or as the system has it.
    pub theme: Theme,
    /// Of the pages.
    pub language: Language,
    /// Whose clock times are told by.
    pub zone: Zone,
}

/// All that a person chose, or what the house takes where they did not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preferences {
    /// How pages look and tell the time.
    pub settings: Settings,
    /// Which optional mails are wanted.
    pub mails: MailChoices,
}

impl Preferences {
    /// The names of the choices that are not as in `before`.
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

/// A size a picture is kept in; the side of a square, in pixels.
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
    /// All of them, the largest first.
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
    /// The file.
    pub bytes: Vec<u8>,
}

/// Where a picture of this name is served: `/avatars/1f3a…-128`.
pub fn picture_path(name: &str, size: PictureSize) -> String {
    format!("/avatars/{name}-{}", size.pixels())
}

/// The name and the size in the last part of a picture's path. `None`: it is none of ours.
pub(super) fn read_picture_path(last: &str) -> Option<(&str, PictureSize)> {
    let (name, pixels) = last.rsplit_once('-')?;
    let size = PictureSize::ALL.into_iter().find(|size| size.pixels().to_string() == pixels)?;
    Some((name, size))
}

/// What anybody on the platform may know of a person.
#[derive(Clone, Debug)]
pub struct PublicProfile {
    /// Permanent and unique.
    pub username: String,
    /// What to call them.
    pub display_name: String,
    /// About them. Empty: not given.
    pub bio: String,
    /// Where else they can be found.
    pub links: Links,
    /// What stands behind their initials.
    pub colour: Colour,
    /// The name of their picture, for [`picture_path`]. `None`: they have none.
    pub picture: Option<String>,
}
