//! The doors to a person's keys.

mod acts;
mod detail;
mod list;
mod scopes;
mod shown;

pub use acts::{confirm_disable, confirm_revoke, confirm_rotate, disable, enable, restore, reveal, revoke, rotate};
pub use detail::{change, detail};
pub use list::{create, list, set_policy};
pub use scopes::scopes;

use crate::base::{ApiKeyId, Problem};

const PATH: &str = "/settings/keys";

fn id_of(path: &str) -> Result<ApiKeyId, Problem> {
    ApiKeyId::parse(path).ok_or_else(Problem::not_found)
}
