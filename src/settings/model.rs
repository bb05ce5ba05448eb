//! What the pages and the API show, read at one moment.

use crate::accounts::{Account, addresses::AddressList};
use crate::base::Timestamp;
use crate::factors::{EnrolledFactors, Passkey, Reset};
use crate::people::{Links, Preferences, PublicProfile};
use crate::sessions::Session;
use crate::signin::oauth::Connections;

/// The profile of a person, for the person.
pub struct OwnProfile {
    #[allow(missing_docs)]
    pub account: Account,
    #[allow(missing_docs)]
    pub links: Links,
    #[allow(missing_docs)]
    pub addresses: AddressList,
    #[allow(missing_docs)]
    pub preferences: Preferences,
}

/// How a person signs in, and where they are signed in.
pub struct SecuritySettings {
    /// When the password was set. `None`: the account has no password.
    pub password_changed_at: Option<Timestamp>,
    /// The second factors.
    pub factors: EnrolledFactors,
    /// The removal of all factors that waits. `None`: none waits.
    pub reset: Option<Reset>,
    /// Whether this site can have passkeys: it needs a host name.
    pub passkeys_are_possible: bool,
    #[allow(missing_docs)]
    pub passkeys: Vec<Passkey>,
    /// Accounts at other providers.
    pub connections: Connections,
    /// The live sessions, the most recently used first.
    pub sessions: Vec<Session>,
}

/// A public profile, with what only its owner sees.
pub struct ProfileForReader {
    #[allow(missing_docs)]
    pub profile: PublicProfile,
    /// The account, if the reader owns it. `None`: it is the profile of another person.
    pub own: Option<Account>,
}
