//! **For:** what a workspace has on the platform: models, datasets, projects, deployments, their storage and their trash.
//! **Words:** resource, trash.
//! **Tables:** none yet: no service can register a resource, so every list of them is empty and nothing uses storage.
//! **Never:** says that something was restored or deleted which is not there.
//! **Start reading:** `model.rs`, then `api.rs`.

pub mod api;
mod model;

pub use model::{Kind, NO_LIMIT};
