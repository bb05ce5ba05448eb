//! The types of resources that a service can register.

use crate::config::LimitKey;

/// What a lease can reserve besides resources, so no type of resources has these names.
pub(in crate::services) const RESERVED_TYPES: [&str; 3] = ["training", "image", "video"];

/// Where the bytes of a resource count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Images, videos and annotations.
    Datasets,
    /// Weights.
    Models,
    /// Files that were made from others.
    Exports,
    /// Everything else.
    Other,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 4] = [Self::Datasets, Self::Models, Self::Exports, Self::Other];
    /// Those that a manifest can name. What has none of them is [`Category::Other`].
    pub const DECLARABLE: [Self; 3] = [Self::Datasets, Self::Models, Self::Exports];

    /// The name, as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Datasets => "datasets",
            Self::Models => "models",
            Self::Exports => "exports",
            Self::Other => "other",
        }
    }

    /// Reads the form of [`Category::as_str`]. `None`: there is no such category.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == text)
    }
}

/// Whether a text can name a type: 1 to 64 of `a-z`, `0-9` and underscore, a letter first.
pub(in crate::services) fn is_identifier(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=64).contains(&text.len()) && text.as_bytes()[0].is_ascii_lowercase() && text.bytes().all(allowed)
}

/// A type of resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// As services send it: `model`.
    pub name: String,
    /// As people read it: `Model`.
    pub label: String,
    /// The type of the resources that contain these. `None`: none does.
    pub parent: Option<String>,
    /// One of [`Category::DECLARABLE`]. `None`: their bytes are not of a category of their own.
    pub category: Option<Category>,
    /// The limit of the plan on their number. `None`: there is none.
    pub limit: Option<LimitKey>,
}

/// Name, label, parent, category and limit of the types that every service has without a manifest.
type BuiltIn = (&'static str, &'static str, Option<&'static str>, Option<Category>, Option<LimitKey>);
const BUILT_IN: [BuiltIn; 5] = [
    ("project", "Project", None, None, Some(LimitKey::Projects)),
    ("dataset", "Dataset", None, Some(Category::Datasets), Some(LimitKey::Datasets)),
    ("model", "Model", Some("project"), Some(Category::Models), Some(LimitKey::Models)),
    ("deployment", "Deployment", None, None, Some(LimitKey::Deployments)),
    ("export", "Export", None, Some(Category::Exports), None),
];

impl ResourceType {
    /// The types that every service has without a manifest.
    pub fn built_in() -> impl Iterator<Item = Self> {
        BUILT_IN.into_iter().map(|(name, label, parent, category, limit)| Self {
            name: name.to_owned(),
            label: label.to_owned(),
            parent: parent.map(str::to_owned),
            category,
            limit,
        })
    }

    /// Whether a type has this name without a manifest.
    pub fn is_built_in(name: &str) -> bool {
        BUILT_IN.iter().any(|(known, ..)| *known == name)
    }
}
