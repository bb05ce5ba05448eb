//! The claims of an access token (RFC 9068 §2.2).

use serde::{Deserialize, Serialize};

/// The claims of an access token. They have what introspection would answer, but no name and no e-mail address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer: the public URL of the site.
    pub iss: String,
    /// The id of the account the key acts for.
    pub sub: String,
    /// The service that the token is for.
    pub aud: String,
    /// The end of the token (exclusive), in seconds since 1970.
    pub exp: i64,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// The same as `iat`.
    pub nbf: i64,
    /// The id of the token, 128 random bits.
    pub jti: String,
    /// The id of the key, as in introspection.
    pub client_id: String,
    /// Every scope that the token grants, separated by spaces. Bundles are expanded.
    pub scope: String,
    /// The only workspace that the token can access.
    pub workspace: String,
    /// The role of the person in the workspace.
    pub role: String,
    /// The plan of the workspace.
    pub plan: String,
    /// The region of the workspace's data.
    pub region: String,
    /// The last number of the revocation feed when the token was issued. A later row that names `client_id` or `sub`
    /// ends the token.
    pub epoch: i64,
}
