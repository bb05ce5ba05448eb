//! The storage of a workspace, as a part of `/settings/usage`, and its form.

use super::super::flashes::ResourceFlash;
use super::super::flows;
use super::super::model::{Fill, LargeItem, Standing, Storage};
use super::{capitalized, parent_text, size_text, to_problem};
use crate::config::LimitKey;
use crate::http::page::AppData;
use crate::http::{Answer, Form, SignedIn, redirect_with_flash};

/// The card that the form returns to.
const PLACE: &str = "/settings/usage#storage";

/// A category of what is stored.
#[allow(missing_docs)]
pub struct CategoryRow {
    pub label: String,
    pub items: i64,
    pub size: String,
    pub reserved: Option<String>,
}

/// Something that the plan counts.
#[allow(missing_docs)]
pub struct CountRow {
    pub label: &'static str,
    pub used: i64,
    pub max: Option<i64>,
    pub is_full: bool,
}

/// One of the largest items.
#[allow(missing_docs)]
pub struct LargeRow {
    pub name: String,
    pub kind: String,
    pub parent: Option<String>,
    pub size: String,
}

/// The storage for `resources/_storage.html`, which the page includes.
#[allow(missing_docs)]
pub struct StorageView {
    pub used: String,
    /// Limit and percent. `None`: no limit.
    pub limit: Option<(String, i64)>,
    pub colour: &'static str,
    pub words: &'static str,
    pub reserved: Option<String>,
    pub categories: Vec<CategoryRow>,
    pub counts: Vec<CountRow>,
    pub largest: Vec<LargeRow>,
}

fn label_of(limit: LimitKey) -> &'static str {
    match limit {
        LimitKey::Models => "Models",
        LimitKey::Datasets => "Datasets",
        LimitKey::Projects => "Projects",
        LimitKey::Deployments => "Deployments",
        LimitKey::ConcurrentTrainings => "Trainings at the same time",
        LimitKey::StorageBytes
        | LimitKey::DatasetUploadBytes
        | LimitKey::ImageBytes
        | LimitKey::VideoBytes
        | LimitKey::ModelBytes => "Bytes",
    }
}

fn count_row(standing: &Standing) -> CountRow {
    CountRow {
        label: label_of(standing.limit),
        used: standing.used + standing.reserved,
        max: standing.max,
        is_full: standing.refuses(1),
    }
}

fn large_row(item: LargeItem) -> LargeRow {
    LargeRow {
        kind: capitalized(&item.resource.kind),
        parent: parent_text(item.parent),
        size: size_text(item.resource.size_bytes),
        name: item.resource.name,
    }
}

impl StorageView {
    /// For this storage.
    pub fn new(storage: Storage) -> Self {
        let (colour, words) = match storage.fill() {
            Fill::Low => ("ok", "There is room."),
            Fill::Medium => ("warn", "It is filling up. Delete what you do not need, and empty the trash."),
            Fill::High => ("bad", "It is nearly full. Services refuse what does not fit any more."),
        };
        let positive = |bytes: i64| (bytes > 0).then(|| size_text(bytes));
        Self {
            used: size_text(storage.used_bytes),
            limit: storage.limit_bytes.zip(storage.percent()).map(|(limit, percent)| (size_text(limit), percent)),
            colour,
            words,
            reserved: positive(storage.reserved_bytes),
            categories: storage
                .categories
                .iter()
                .map(|own| CategoryRow {
                    label: capitalized(own.category.as_str()),
                    items: own.items,
                    size: size_text(own.size_bytes),
                    reserved: positive(own.reserved_bytes),
                })
                .collect(),
            counts: storage.counts.iter().map(count_row).collect(),
            largest: storage.largest.into_iter().map(large_row).collect(),
        }
    }
}

/// `POST /settings/usage/recalculate`.
pub async fn recalculate(app: AppData, who: SignedIn, _form: Form) -> Answer {
    let was_wrong = flows::recalculate(&app, who.actor(), who.identity.workspace).await.map_err(to_problem)?;
    let flash = if was_wrong { ResourceFlash::Recounted } else { ResourceFlash::CountedRight };
    Ok(redirect_with_flash(PLACE, flash))
}
