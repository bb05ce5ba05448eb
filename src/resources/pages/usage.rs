//! `/settings/usage`: the storage of a workspace.

use actix_web::HttpRequest;
use askama::Template;

use super::super::flashes::ResourceFlash;
use super::super::model::{Fill, LargeItem, Standing, Storage};
use super::super::{flows, ops};
use super::{capitalized, parent_text, size_text, to_problem};
use crate::config::LimitKey;
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Form, SignedIn, redirect_with_flash};

/// The card that the form returns to.
const PLACE: &str = "/settings/usage#storage";

struct CategoryRow {
    label: String,
    items: i64,
    size: String,
    reserved: Option<String>,
}

struct CountRow {
    label: &'static str,
    used: i64,
    max: Option<i64>,
    is_full: bool,
}

struct LargeRow {
    name: String,
    kind: String,
    parent: Option<String>,
    size: String,
}

#[derive(Template)]
#[template(path = "resources/usage.html")]
struct UsagePage {
    context: PageContext,
    used: String,
    /// Limit and percent. `None`: no limit.
    limit: Option<(String, i64)>,
    colour: &'static str,
    words: &'static str,
    reserved: Option<String>,
    categories: Vec<CategoryRow>,
    counts: Vec<CountRow>,
    largest: Vec<LargeRow>,
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

impl UsagePage {
    fn new(context: PageContext, storage: Storage) -> Self {
        let (colour, words) = match storage.fill() {
            Fill::Low => ("ok", "There is room."),
            Fill::Medium => ("warn", "It is filling up. Delete what you do not need, and empty the trash."),
            Fill::High => ("bad", "It is nearly full. Services refuse what does not fit any more."),
        };
        let positive = |bytes: i64| (bytes > 0).then(|| size_text(bytes));
        Self {
            context,
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

/// `GET /settings/usage`.
pub async fn usage(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    let workspace = who.identity.workspace;
    let storage = app.read_offloaded(move |view| ops::storage(view, workspace)).await.map_err(to_problem)?;
    page::render(&UsagePage::new(PageContext::new(&app, &request, "Usage"), storage))
}

/// `POST /settings/usage/recalculate`.
pub async fn recalculate(app: AppData, who: SignedIn, _form: Form) -> Answer {
    let was_wrong = flows::recalculate(&app, who.actor(), who.identity.workspace).await.map_err(to_problem)?;
    let flash = if was_wrong { ResourceFlash::Recounted } else { ResourceFlash::CountedRight };
    Ok(redirect_with_flash(PLACE, flash))
}
