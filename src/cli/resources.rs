//! `domicile resource …`.

use serde_json::json;

use super::arguments::{Common, ResourceCommand};
use super::context::{find_account, open};
use super::failure::Failure;
use super::output::{Table, out, result, tell};
use crate::base::{Actor, PAGE_SIZE_MAX, Problem, ResourceId, size_in_words};
use crate::db::View;
use crate::resources::{self, Item, ItemFilter, ItemPage, ResourceError};

pub(super) fn resource(common: &Common, command: &ResourceCommand) -> Result<(), Failure> {
    match command {
        ResourceCommand::List { account, search, all } => list(common, account, search.as_deref(), *all),
        ResourceCommand::Trash { resource, account } => trash(common, resource, account),
    }
}

fn list(common: &Common, account: &str, search: Option<&str>, all: bool) -> Result<(), Failure> {
    let app = open(common)?;
    let (_, workspace) = find_account(&app, account)?;
    let mut filter = ItemFilter {
        kinds: Vec::new(),
        search: search.unwrap_or_default().to_owned(),
        offset: 0,
        limit: PAGE_SIZE_MAX,
    };
    let mut items = Vec::new();
    let has_more = loop {
        let read = |view: &View<'_>| resources::list_items(view, &Actor::Operator, workspace.id, &filter);
        let ItemPage { items: page, has_more } = app.store().read_blocking(read).map_err(Problem::from)?;
        items.extend(page);
        if !all || !has_more {
            break has_more;
        }
        filter.offset += filter.limit;
    };
    if common.json {
        let items: Vec<_> = items.iter().map(item_json).collect();
        return out!("{}", json!({"resources": items, "more": has_more}));
    }
    let mut table = Table::new(&["id", "type", "name", "in", "service", "size"]);
    for Item { resource, parent, service } in &items {
        table.row([
            resource.id.to_string(),
            resource.kind.clone(),
            resource.name.clone(),
            parent.as_ref().map_or_else(String::new, |parent| parent.name.clone()),
            service.clone(),
            size_in_words(resource.size_bytes.unsigned_abs()),
        ]);
    }
    table.print()?;
    if has_more {
        tell!("There are more. Add --all to list them all.");
    }
    Ok(())
}

fn item_json(item: &Item) -> serde_json::Value {
    let Item { resource, parent, service } = item;
    json!({
        "id": resource.id.to_string(),
        "type": resource.kind,
        "name": resource.name,
        "slug": resource.slug,
        "parent": parent.as_ref().map(|parent| parent.id.to_string()),
        "service": service,
        "size_bytes": resource.size_bytes,
        "updated_at": resource.updated_at.rfc3339(),
    })
}

fn trash(common: &Common, resource: &str, account: &str) -> Result<(), Failure> {
    let app = open(common)?;
    let (_, workspace) = find_account(&app, account)?;
    let id = ResourceId::parse(resource.trim()).ok_or(ResourceError::NotFound).map_err(Problem::from)?;
    let moved = app.store().write_blocking(move |tx| resources::trash(tx, &Actor::Operator, workspace.id, id));
    let cascaded = moved.map_err(Problem::from)?;
    result(common, &json!({"id": id.to_string(), "cascaded": cascaded}), &id.to_string())?;
    tell!("It is in the trash, and {cascaded} below it. It can be restored for 30 days.");
    Ok(())
}
