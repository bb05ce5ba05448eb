//! **For:** ownership: keys, the wallet, resources and activity belong to a workspace, and people are members of
//! workspaces.
//! **Words:** workspace (personal or team), member, role.
//! **Tables:** `workspace`, `membership`.
//! **Never:** knows what a workspace owns; leaves one without exactly one owner.
//! **Start reading:** [`create_personal`].

mod error;
mod events;
mod model;
mod ops;
pub mod replay;
mod store;
mod tables;

pub use error::WorkspaceError;
pub use events::WorkspaceEvent;
pub use model::{Membership, Workspace};
pub use ops::{change_plan, create_personal};
pub use store::{
    STATEMENTS, delete as erase, find, find_personal as personal, find_role as role_of, list_members as members,
    rename_personal,
};
pub use tables::TABLES;
pub(crate) use tables::{MEMBERSHIP, WORKSPACE};
