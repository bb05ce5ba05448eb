//! Why something about a resource is refused.

use super::model::{DEPTH_MAX, LEASE_QUANTITY_MAX};
use crate::base::{Problem, ReachedLimit, size_in_words};
use crate::config::LimitKey;
use crate::db;

/// A refusal. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// Only a connected service may do it.
    #[error("only a connected service can do it")]
    NotAService,
    /// The role of the person does not allow it.
    #[error("the role does not allow it")]
    NotAllowed,
    /// There is no such resource, or it belongs to others.
    #[error("there is no such resource")]
    NotFound,
    /// It was deleted for good.
    #[error("the resource was deleted for good")]
    Deleted,
    /// It is not in the trash.
    #[error("the resource is not in the trash")]
    NotInTrash,
    /// There is no such workspace, or the service may not touch it.
    #[error("there is no such workspace")]
    NoWorkspace,
    /// A member of the request is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A member of the request is not known.
    #[error("the member {0} is not known")]
    UnknownMember(String),
    /// A member of the request has a wrong value.
    #[error("{member} is wrong")]
    Bad {
        #[allow(missing_docs)]
        member: &'static str,
        /// The stable code.
        code: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
    /// The service has no such type.
    #[error("the type is not known")]
    UnknownType,
    /// The parent does not exist in this workspace.
    #[error("the parent is not known")]
    UnknownParent,
    /// The parent is of another type than the type of the resource says.
    #[error("the parent is not a {0}")]
    WrongParent(String),
    /// The parent is the resource itself, or below it, or too far down.
    #[error("the parents form a loop")]
    ParentLoop,
    /// The parent is in the trash, so nothing can be put below it.
    #[error("the parent is in the trash")]
    ParentInTrash,
    /// It is in the trash, so its parent stays.
    #[error("the resource is in the trash")]
    MovedInTrash,
    /// A resource cannot be restored before its parent.
    #[error("the {parent} of the {kind} is in the trash")]
    ParentTrashed {
        /// The type of the resource.
        kind: String,
        /// The type of its parent.
        parent: String,
    },
    /// It is registered in another workspace.
    #[error("the resource belongs to another workspace")]
    OtherWorkspace,
    /// It is registered with another type.
    #[error("the resource has another type")]
    OtherType,
    /// A newer version is registered, or this one with other values.
    #[error("version {stored} is registered")]
    StaleVersion {
        #[allow(missing_docs)]
        stored: i64,
    },
    /// It would be more than the plan allows.
    #[error("the limit {} of {max} is reached", limit.as_str())]
    LimitReached {
        #[allow(missing_docs)]
        limit: LimitKey,
        #[allow(missing_docs)]
        max: i64,
        /// What is there, with what is reserved.
        current: i64,
        /// The code of the plan.
        plan: String,
    },
    /// One of them is larger than the plan allows.
    #[error("larger than {max} bytes")]
    UploadTooLarge {
        #[allow(missing_docs)]
        limit: LimitKey,
        #[allow(missing_docs)]
        max: i64,
    },
    /// There is no such lease of this service.
    #[error("there is no such lease")]
    NoLease,
    /// The lease ended before.
    #[error("the lease has ended")]
    LeaseEnded,
    /// What the lease reserved is something else.
    #[error("the lease reserves something else")]
    OtherLease,
    /// A newer full sync is finished.
    #[error("full sync {finished} is finished")]
    StaleGeneration {
        #[allow(missing_docs)]
        finished: i64,
    },
    /// The database returned an error.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl ResourceError {
    /// A number of a request that is not a whole number in its range.
    pub(super) const fn bad_quantity() -> Self {
        const { assert!(LEASE_QUANTITY_MAX == 1000) };
        Self::Bad { member: "quantity", code: "bad_quantity", rule: "a whole number from 1 to 1000" }
    }
}

impl From<ResourceError> for Problem {
    fn from(error: ResourceError) -> Self {
        fn new(status: u16, code: &'static str, sentence: impl Into<String>) -> Problem {
            Problem::new(status, code, sentence)
        }
        match error {
            ResourceError::NotAService => {
                new(403, "not_a_service", "Only a connected service can do this. Use the credential of the service.")
            }
            ResourceError::NotAllowed => {
                let sentence =
                    "Your role in this workspace does not allow this. Ask an editor, an admin or the owner of it.";
                new(403, "not_allowed", sentence)
            }
            ResourceError::NotFound => {
                new(404, "resource_not_found", "There is no such resource. Check its id, or register it first.")
            }
            ResourceError::Deleted => {
                let sentence =
                    "This resource was deleted for good, and its id cannot be used again. Register it with a new id.";
                new(410, "resource_deleted", sentence)
            }
            ResourceError::NotInTrash => {
                new(409, "not_in_trash", "This resource is not in the trash. Move it to the trash first.")
            }
            ResourceError::NoWorkspace => {
                let sentence = "There is no such workspace, or this service may not use it. Check its id.";
                Self { field: Some("workspace"), ..new(404, "workspace_not_found", sentence) }
            }
            ResourceError::Missing(member) => Self { field: Some(member), ..Self::missing_member(member) },
            ResourceError::UnknownMember(member) => Self::unknown_member(&member),
            ResourceError::Bad { member, code, rule } => {
                Self::field(member, code, format!("The member {member} has to be {rule}."))
            }
            ResourceError::UnknownType => {
                let sentence =
                    "This service has no such type of resources. Declare it in the manifest, or use another.";
                Self::field("type", "unknown_type", sentence)
            }
            ResourceError::UnknownParent => {
                let sentence = "The parent is not a resource of this service in this workspace. Register it first.";
                Self::field("parent", "unknown_parent", sentence)
            }
            ResourceError::WrongParent(kind) => {
                Self::field("parent", "wrong_parent", format!("The parent has to be a {kind}."))
            }
            ResourceError::ParentLoop => {
                let sentence = format!("A resource cannot be below itself, or below more than {DEPTH_MAX} others.");
                Self::field("parent", "parent_loop", sentence)
            }
            ResourceError::MovedInTrash => {
                let sentence = "The resource is in the trash, so its parent cannot change. Restore it first.";
                Self { field: Some("parent"), ..new(409, "in_trash", sentence) }
            }
            ResourceError::ParentInTrash => {
                let sentence = "The parent is in the trash. Restore it first, or choose another.";
                Self { field: Some("parent"), ..new(409, "parent_in_trash", sentence) }
            }
            ResourceError::ParentTrashed { kind, parent } => {
                let sentence =
                    format!("Cannot restore {kind} while its parent {parent} is in trash. Restore the {parent} first.");
                new(409, "parent_in_trash", sentence)
            }
            ResourceError::OtherWorkspace => {
                let sentence = "This resource is registered in another workspace. Register it with a new id there.";
                Self { field: Some("workspace"), ..new(409, "other_workspace", sentence) }
            }
            ResourceError::OtherType => {
                let sentence = "This resource is registered with another type. Register it with a new id.";
                Self { field: Some("type"), ..new(409, "other_type", sentence) }
            }
            ResourceError::StaleVersion { stored } => {
                let sentence = format!(
                    "Version {stored} of this resource is registered. Read it, and send a change with a higher version."
                );
                Self { field: Some("version"), ..new(409, "stale_version", sentence) }
            }
            ResourceError::LimitReached { limit, max, current, plan } => Self {
                reached: Some(Box::new(ReachedLimit { limit: limit.as_str(), max, current, plan })),
                ..new(403, "limit_reached", limit_sentence(limit, max, current))
            },
            ResourceError::UploadTooLarge { max, .. } => {
                let sentence = format!("The plan of this workspace allows {} for one of these.", size(max));
                Self { field: Some("size"), ..new(413, "upload_too_large", sentence) }
            }
            ResourceError::NoLease => new(404, "lease_not_found", "There is no such lease. Ask for a new one."),
            ResourceError::LeaseEnded => {
                new(409, "lease_ended", "This lease has ended, so it reserves nothing any more. Ask for a new one.")
            }
            ResourceError::OtherLease => {
                let sentence =
                    "This lease is for another workspace or type, or for fewer resources. Ask for a lease for them.";
                new(409, "other_lease", sentence)
            }
            ResourceError::StaleGeneration { finished } => {
                let sentence = format!("Full sync {finished} is finished. Begin one with a higher generation.");
                Self { field: Some("generation"), ..new(409, "stale_generation", sentence) }
            }
            ResourceError::Db(error) => error.into(),
        }
    }
}

fn size(bytes: i64) -> String {
    size_in_words(u64::try_from(bytes).unwrap_or_default())
}

fn limit_sentence(limit: LimitKey, max: i64, current: i64) -> String {
    match limit.counted() {
        Some(things) => format!(
            "The plan of this workspace allows {max} {things}, and {current} are used or reserved. Delete some for good, or \
             ask the operator to raise the limit."
        ),
        None => format!(
            "The plan of this workspace allows {}, and {} are used or reserved. Delete something for good, or ask the \
             operator to raise the limit.",
            size(max),
            size(current)
        ),
    }
}
