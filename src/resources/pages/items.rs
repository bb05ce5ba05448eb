//! `/settings/usage/items`: everything that services keep for a workspace.

use actix_web::HttpRequest;
use actix_web::web::{Path, Query};
use askama::Template;
use serde::Deserialize;

use super::super::flashes::ResourceFlash;
use super::super::model::{Item, ItemFilter};
use super::super::{flows, ops};
use super::{capitalized, parent_text, parse_id, size_text, to_problem};
use crate::base::{PAGE_SIZE, percent_encoded};
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Form, SignedIn, redirect_with_flash};

const PATH: &str = "/settings/usage/items";
/// Pages of the list at most.
const PAGES_MAX: u32 = 10_000;
/// Characters of a search at most.
const SEARCH_MAX: usize = 100;

struct ItemRow {
    id: String,
    name: String,
    kind: String,
    service: String,
    parent: Option<String>,
    size: String,
}

impl From<Item> for ItemRow {
    fn from(item: Item) -> Self {
        let Item { resource, parent, service } = item;
        Self {
            id: resource.id.to_string(),
            kind: capitalized(&resource.kind),
            parent: parent_text(parent),
            size: size_text(resource.size_bytes),
            name: resource.name,
            service,
        }
    }
}

/// The query of the page: a part of the name, and the page from 1.
#[derive(Deserialize, Default)]
pub struct ItemsQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    page: String,
}

#[derive(Template)]
#[template(path = "resources/items.html")]
struct ItemsPage {
    context: PageContext,
    items: Vec<ItemRow>,
    query: String,
    /// The addresses of the pages with larger and with smaller items.
    larger: Option<String>,
    smaller: Option<String>,
}

/// `GET /settings/usage/items`.
pub async fn items(app: AppData, request: HttpRequest, who: SignedIn, query: Query<ItemsQuery>) -> Answer {
    let number = query.page.parse().unwrap_or(1).clamp(1, PAGES_MAX);
    let search: String = query.q.trim().chars().take(SEARCH_MAX).collect();
    let filter =
        ItemFilter { kinds: Vec::new(), search: search.clone(), offset: (number - 1) * PAGE_SIZE, limit: PAGE_SIZE };
    let (actor, workspace) = (who.actor(), who.identity.workspace);
    let found = app.read_offloaded(move |view| ops::list_items(view, &actor, workspace, &filter)).await;
    let found = found.map_err(to_problem)?;
    let encoded = percent_encoded(&search);
    let href = |number: u32| format!("{PATH}?q={encoded}&page={number}");
    page::render(&ItemsPage {
        context: PageContext::new(&app, &request, "Items"),
        items: found.items.into_iter().map(ItemRow::from).collect(),
        larger: (number > 1).then(|| href(number - 1)),
        smaller: found.has_more.then(|| href(number + 1)),
        query: search,
    })
}

/// `POST /settings/usage/items/{id}/trash`.
pub async fn move_to_trash(app: AppData, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let (id, actor, workspace) = (parse_id(&path)?, who.actor(), who.identity.workspace);
    flows::trash(&app, actor, workspace, id).await.map_err(to_problem)?;
    Ok(redirect_with_flash(PATH, ResourceFlash::Trashed))
}
