//! What every page shows around its own content, collected from all modules.

use super::routes::ROUTES;
use crate::http::page::PageFrame;
use crate::http::{CommonFlash, Flash};
use crate::{api_keys, billing, console, privacy, resources, settings, signin};

/// The flash messages of each slice. A test finds a slice whose messages are not listed here.
const FLASHES: &[&[Flash]] = &[
    CommonFlash::ALL,
    api_keys::KeyFlash::ALL,
    billing::BillingFlash::ALL,
    console::ConsoleFlash::ALL,
    privacy::PrivacyFlash::ALL,
    resources::ResourceFlash::ALL,
    settings::SettingsFlash::ALL,
    signin::SigninFlash::ALL,
];

/// The frame of all pages.
pub(super) fn page_frame() -> PageFrame {
    let sidebar = ROUTES.iter().filter_map(|route| route.sidebar).collect();
    PageFrame { sidebar, flashes: FLASHES.to_vec() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_flash_message_has_a_code_and_a_sentence_of_its_own() {
        let all: Vec<&Flash> = FLASHES.iter().copied().flatten().collect();
        for flash in &all {
            let is_code = flash.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            assert!(is_code && flash.sentence.ends_with('.'), "{flash:?}");
        }
        let codes: BTreeSet<&str> = all.iter().map(|flash| flash.code).collect();
        let sentences: BTreeSet<&str> = all.iter().map(|flash| flash.sentence).collect();
        assert_eq!((codes.len(), sentences.len()), (all.len(), all.len()), "two of these are the same: {all:#?}");
    }
}
