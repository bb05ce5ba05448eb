//! The pages of what services keep for people: the trash and the storage.

mod items;
mod trash;
mod usage;

pub use items::{items, move_to_trash};
pub use trash::{confirm_delete, confirm_empty, delete, empty, restore, trash, trash_leftovers, undo};
pub use usage::{CategoryRow, CountRow, LargeRow, StorageView, recalculate};

use super::error::ResourceError;
use super::model::ParentName;
use crate::base::{Problem, ResourceId, size_in_words};

fn parse_id(path: &str) -> Result<ResourceId, Problem> {
    ResourceId::parse(path).ok_or_else(Problem::not_found)
}

/// A resource of others is answered like a path that does not exist.
fn to_problem(error: ResourceError) -> Problem {
    let problem = Problem::from(error);
    if problem.status == 404 { Problem::not_found() } else { problem }
}

fn size_text(bytes: i64) -> String {
    size_in_words(bytes.unsigned_abs())
}

/// A name of a type as a heading or a tag has it.
fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn parent_text(parent: Option<ParentName>) -> Option<String> {
    parent.map(|parent| format!("{} {}", parent.kind, parent.name))
}
