//! What a resource is, as far as anybody can have one.

/// What can lie in the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A project with the models in it.
    Project,
    /// A dataset.
    Dataset,
    /// A model.
    Model,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Project, Self::Dataset, Self::Model];

    /// Reads the written form.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "project" => Some(Self::Project),
            "dataset" => Some(Self::Dataset),
            "model" => Some(Self::Model),
            _ => None,
        }
    }

    /// The scope that lets a key see this kind.
    pub const fn read_scope(self) -> &'static str {
        match self {
            Self::Project => "projects:read",
            Self::Dataset => "datasets:read",
            Self::Model => "models:read",
        }
    }

    /// The scope that lets a key change this kind.
    pub const fn write_scope(self) -> &'static str {
        match self {
            Self::Project => "projects:write",
            Self::Dataset => "datasets:write",
            Self::Model => "models:write",
        }
    }
}

/// Bytes that say "no limit" where only a number can stand: the largest that JSON's readers hold exactly (RFC 8259 §6).
pub const NO_LIMIT: u64 = (1 << 53) - 1;
