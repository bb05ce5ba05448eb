//! The words the tests are written in.

mod appliance;
mod authenticator;
mod browser;
mod helper_process;
mod mailbox;
mod parts;
mod test_app;
mod test_site;

pub use appliance::{Appliance, Ran, finish, free_port};
pub use authenticator::{Authenticator, oath_code};
pub use browser::{Answer, Browser, Call, PASSWORD, encode};
pub use helper_process::HelperProcess;
pub use parts::{part, tool_script};
pub use test_app::TestApp;
pub use test_site::{
    Person, START, TestSite, default_settings, holds, messages, places_of, stored_values, tables, visitor,
};

use std::time::Duration;

use domicile::base::Stopwatch;

/// What gateways are told of who passes.
pub const TOLD_TO_GATEWAYS: [&str; 12] = [
    "domicile-account",
    "domicile-username",
    "domicile-workspace",
    "domicile-role",
    "domicile-scopes",
    "domicile-key",
    "domicile-plan",
    "domicile-region",
    "remote-user",
    "remote-email",
    "remote-name",
    "remote-groups",
];

/// What another process does is waited for, but not for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `look` finds something. Looking again is all there is to do about another process; how long it takes decides
/// nothing.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let watch = Stopwatch::start();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(watch.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
