//! The flash messages of the privacy pages.

use crate::http::flash::flashes;

flashes! {
    /// What happened to an export.
    pub enum PrivacyFlash {
        ExportStarted = good "export-started":
            "Your export is being prepared. We send you an e-mail when it is ready.",
    }
}
