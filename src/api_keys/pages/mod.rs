//! The pages for a person's keys.

mod actions;
mod detail;
mod format;
mod list;
mod scope_table;
mod scopes;

pub use actions::{
    choose_scopes, confirm_disable, confirm_revoke, confirm_rotate, disable, enable, reduce, restore, reveal, revoke,
    rotate,
};
pub use detail::{change, detail};
pub use list::{create, list, set_policy};
pub use scopes::scopes;

use crate::base::{ApiKeyId, Problem};

const PATH: &str = "/settings/keys";

fn parse_id(path: &str) -> Result<ApiKeyId, Problem> {
    ApiKeyId::parse(path).ok_or_else(Problem::not_found)
}
