//! The flash messages of the trash and the storage.

use crate::http::flash::flashes;

flashes! {
    /// What happened to resources.
    pub enum ResourceFlash {
        Trashed = good "resource-trashed":
            "It is in the trash. You can restore it for 30 days. It counts toward your storage until it is deleted for good.",
        PutBack = good "resource-put-back": "It is in the trash again.",
        LeftoversTrashed = good "leftovers-trashed":
            "It is in the trash. Empty the trash, or delete what you do not need: the space is free at once.",
        Deleting = good "resource-deleting":
            "It is being deleted. Its space is free as soon as the service that keeps it has confirmed.",
        Emptied = good "trash-emptied":
            "The trash is being emptied. Its space is free as soon as the services have confirmed.",
        Recounted = good "storage-recounted": "Recalculated. The numbers were wrong, and are right now.",
        CountedRight = good "storage-right": "Recalculated. The numbers were right.",
    }
}
