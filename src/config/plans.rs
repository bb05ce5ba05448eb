//! `[[plans]]`: what a workspace may have.

/// The code of the plan that new workspaces are on. It always exists.
pub const FREE_PLAN: &str = "free";

/// `[[plans]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The name in settings and the API.
    pub code: String,
    /// The name that people see.
    pub name: String,
    #[allow(missing_docs)]
    pub limits: Limits,
}

impl Plan {
    /// The plan of a site that configures none: nothing is limited.
    pub(super) fn unlimited() -> Self {
        Self { code: FREE_PLAN.to_owned(), name: "Free".to_owned(), limits: Limits::default() }
    }
}

/// What a plan limits. `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    values: [Option<i64>; LimitKey::ALL.len()],
}

impl Limits {
    /// The limit, 0 or more. `None`: there is none.
    pub const fn get(&self, key: LimitKey) -> Option<i64> {
        self.values[key as usize]
    }

    /// The same limits, except this one.
    pub const fn with(mut self, key: LimitKey, limit: Option<i64>) -> Self {
        self.values[key as usize] = limit;
        self
    }
}

/// Something that a plan limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitKey {
    /// Models of a workspace.
    Models,
    /// Datasets of a workspace.
    Datasets,
    /// Projects of a workspace.
    Projects,
    /// Deployments of a workspace.
    Deployments,
    /// Trainings that run at the same time.
    ConcurrentTrainings,
    /// Bytes that all resources of a workspace use.
    StorageBytes,
    /// Bytes of one dataset.
    DatasetUploadBytes,
    /// Bytes of one image.
    ImageBytes,
    /// Bytes of one video.
    VideoBytes,
    /// Bytes of one model.
    ModelBytes,
}

impl LimitKey {
    /// Every limit.
    pub const ALL: [Self; 10] = [
        Self::Models,
        Self::Datasets,
        Self::Projects,
        Self::Deployments,
        Self::ConcurrentTrainings,
        Self::StorageBytes,
        Self::DatasetUploadBytes,
        Self::ImageBytes,
        Self::VideoBytes,
        Self::ModelBytes,
    ];

    /// The name in settings, in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::Datasets => "datasets",
            Self::Projects => "projects",
            Self::Deployments => "deployments",
            Self::ConcurrentTrainings => "concurrent_trainings",
            Self::StorageBytes => "storage_bytes",
            Self::DatasetUploadBytes => "dataset_upload_bytes",
            Self::ImageBytes => "image_bytes",
            Self::VideoBytes => "video_bytes",
            Self::ModelBytes => "model_bytes",
        }
    }

    /// Reads the form of [`LimitKey::as_str`]. `None`: there is no such limit.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == text)
    }

    /// What is counted, in words, if it is a number of things that a workspace has. `None`: it is a size.
    pub const fn counted(self) -> Option<&'static str> {
        match self {
            Self::Models => Some("models"),
            Self::Datasets => Some("datasets"),
            Self::Projects => Some("projects"),
            Self::Deployments => Some("deployments"),
            Self::ConcurrentTrainings => Some("trainings at the same time"),
            Self::StorageBytes | Self::DatasetUploadBytes | Self::ImageBytes | Self::VideoBytes | Self::ModelBytes => {
                None
            }
        }
    }
}

impl super::Config {
    /// The plan with this code. A plan that the settings do not have any more counts as [`FREE_PLAN`].
    pub fn plan(&self, code: &str) -> &Plan {
        let find = |code: &str| self.plans.iter().find(|plan| plan.code == code);
        // The settings are refused without the free plan, so the first one is never used for it.
        find(code).or_else(|| find(FREE_PLAN)).unwrap_or(&self.plans[0])
    }
}
