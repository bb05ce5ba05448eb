//! The list of what a workspace has.

use super::{ParentName, Resource};

/// Which active resources of a workspace a list has.
#[derive(Clone, Debug)]
pub struct ItemFilter {
    /// Their types. Empty: all.
    pub kinds: Vec<String>,
    /// A part of the name, in any case. Empty: all.
    pub search: String,
    /// How many are skipped.
    pub offset: u32,
    /// How many are listed.
    pub limit: u32,
}

/// An active resource in a list.
#[derive(Clone, Debug)]
pub struct Item {
    /// The resource.
    pub resource: Resource,
    /// What is above it.
    pub parent: Option<ParentName>,
    /// The name of the service that keeps it.
    pub service: String,
}

/// A page of items, the largest first.
#[derive(Clone, Debug)]
pub struct ItemPage {
    /// The items.
    pub items: Vec<Item>,
    /// Whether there is a page after it.
    pub has_more: bool,
}
