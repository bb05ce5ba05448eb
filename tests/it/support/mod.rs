//! Support for the tests: sites, appliances, browsers and external programs.

mod appliance;
mod authenticator;
mod browser;
mod builders;
mod captured_log;
pub mod described;
mod footprint;
mod form;
mod helper_process;
mod mailbox;
mod outline;
mod relay;
mod seed;
mod test_app;
mod test_site;
mod tools;

pub use appliance::{Appliance, CommandOutput, finish, free_port};
pub use authenticator::{Authenticator, oath_code};
pub use browser::{Answer, Browser, Call, PASSWORD, encode};
pub use builders::{KeyBuilder, PersonBuilder, SessionBuilder, SignInBuilder, UsageBuilder, create_service};
pub use captured_log::CapturedLog;
pub use helper_process::HelperProcess;
pub use outline::{outline, redacted};
pub use relay::{Certificate, Relay};
pub use seed::{Owner, Seed, fill, seeded_name};
pub use test_app::TestApp;
pub use test_site::{
    Person, START, TestSite, columns_with, default_settings, holds, messages, stored_values, tables, visitor,
};
pub use tools::{tool, tool_script};

use std::time::Duration;

use domicile::base::Stopwatch;

/// The headers that tell a gateway who sent a request.
pub const GATEWAY_HEADERS: [&str; 12] = [
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

/// How long the tests wait for another process.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Calls `poll` until it returns a value. Polling is the only way to wait for another process; how long it takes does
/// not matter.
pub fn wait_for<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let watch = Stopwatch::start();
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(watch.elapsed() < WAIT_TIMEOUT, "{what} did not happen within {WAIT_TIMEOUT:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether this is `./dev test --deep`.
pub fn is_deep() -> bool {
    std::env::var_os("TEST_DEEP").is_some()
}

/// How often a test repeats something: `quick` times in `./dev test`, `deep` times in `./dev test --deep`.
pub fn rounds(quick: usize, deep: usize) -> usize {
    if is_deep() { deep } else { quick }
}
