//! **For:** the resources of a workspace on the platform (models, datasets, projects, deployments), their storage and
//! their trash.
//! **Words:** resource, trash.
//! **Tables:** none yet: no service can register a resource, so every list of them is empty and nothing uses storage.
//! **Never:** reports that a resource was restored or deleted that does not exist.
//! **Start reading:** `model.rs`, then `api.rs`.

pub mod api;
mod model;

pub use model::{NO_LIMIT, ResourceKind};
