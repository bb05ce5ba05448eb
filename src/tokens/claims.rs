//! What stands in an access token (RFC 9068 §2.2), as it is signed.

use serde::{Deserialize, Serialize};

/// The claims. A verifier finds here what introspection would tell, but nobody's name or address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made it: the site's public address.
    pub iss: String,
    /// The person the key acts for.
    pub sub: String,
    /// Who it is for.
    pub aud: String,
    /// Until when, in seconds since 1970, not included.
    pub exp: i64,
    /// Since when, in seconds since 1970.
    pub iat: i64,
    /// As `iat`.
    pub nbf: i64,
    /// Its own name, 128 random bits.
    pub jti: String,
    /// The key, as introspection names it.
    pub client_id: String,
    /// Every scope it grants, written out, separated by spaces.
    pub scope: String,
    /// The one workspace it reaches.
    pub workspace: String,
    /// What the person is there.
    pub role: String,
    /// The workspace's plan.
    pub plan: String,
    /// The region of its data.
    pub region: String,
    /// The feed's last number when it was made: a later row that names `client_id` or `sub` ends it.
    pub epoch: i64,
}
