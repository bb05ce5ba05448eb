//! The events of resources.

use crate::audit::{EventType, Fact, Part, events};

/// How many more it concerned, which were in it.
const CASCADED: Fact = Fact::Count("cascaded", "item in it", "items in it");
/// Something that happened to a resource, with its name.
const ABOUT_A_RESOURCE: EventType = EventType::for_workspace().with(&[Part::Text]);

events! {
    /// What happens to resources.
    ResourceEvent {
        Registered = "resource.registered": ABOUT_A_RESOURCE.done("Created"),
        BatchRegistered = "resource.batch_registered": EventType::for_operators().done("Resources registered"),
        Missing = "resource.missing": EventType::for_operators().done("Resources missing in a full sync"),
        Trashed = "resource.trashed": ABOUT_A_RESOURCE.done("Moved to trash").facts(&[CASCADED]),
        Restored = "resource.restored": ABOUT_A_RESOURCE.done("Restored from trash").facts(&[CASCADED]),
        DeletionStarted = "resource.deletion_started": ABOUT_A_RESOURCE.done("Deleted for good").facts(&[CASCADED]),
        Expired = "resource.expired": EventType::for_workspace().done("Deleted from trash after 30 days"),
        LeftoversTrashed = "resource.leftovers_trashed":
            EventType::for_workspace().done("Moved to trash: what a disconnected service kept").facts(&[Fact::Count("items", "item", "items")]),
        TrashEmptied = "resource.trash_emptied": EventType::for_workspace().done("Trash emptied").facts(&[Fact::Count("deleted", "item", "items")]),
        Deleted = "resource.deleted": EventType::for_operators().done("Deletion confirmed by the service").lasts(),
        DeletionFailed = "resource.deletion_failed": EventType::for_operators().done("Deletion failed at the service"),
        FreedWithoutService = "resource.freed_without_service":
            EventType::for_operators().done("Freed without the service, which is disconnected").lasts(),
        Recounted = "resource.recounted": EventType::for_operators().done("Storage counted again"),
        ReportedCreated = "activity.created": ABOUT_A_RESOURCE.done("Created"),
        ReportedUpdated = "activity.updated": ABOUT_A_RESOURCE.done("Updated"),
        ReportedDeleted = "activity.deleted": ABOUT_A_RESOURCE.done("Deleted"),
        ReportedTrashed = "activity.trashed": ABOUT_A_RESOURCE.done("Moved to trash"),
        ReportedRestored = "activity.restored": ABOUT_A_RESOURCE.done("Restored"),
        ReportedStarted = "activity.started": ABOUT_A_RESOURCE.done("Started"),
        ReportedCompleted = "activity.completed": ABOUT_A_RESOURCE.done("Completed"),
        ReportedFailed = "activity.failed": ABOUT_A_RESOURCE.done("Failed"),
        ReportedCancelled = "activity.cancelled": ABOUT_A_RESOURCE.done("Cancelled"),
        ReportedUploaded = "activity.uploaded": ABOUT_A_RESOURCE.done("Uploaded"),
        ReportedShared = "activity.shared": ABOUT_A_RESOURCE.done("Shared"),
        ReportedUnshared = "activity.unshared": ABOUT_A_RESOURCE.done("Unshared"),
        ReportedExported = "activity.exported": ABOUT_A_RESOURCE.done("Exported"),
        ReportedCloned = "activity.cloned": ABOUT_A_RESOURCE.done("Cloned"),
        ReportedAnalyzed = "activity.analyzed": ABOUT_A_RESOURCE.done("Analyzed"),
    }
}
