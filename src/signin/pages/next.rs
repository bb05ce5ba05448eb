//! Where a person continues after a sign-in or a proof.

use crate::http::page;

/// The page for people who asked for no other one.
const HOME: &str = "/settings/profile";

/// `path` if it is certainly a path of this site, otherwise the profile page: prevents open redirects.
pub fn next_path(path: &str) -> &str {
    page::safe_path(path).unwrap_or(HOME)
}
