//! The claims of an access token (RFC 9068 §2.2).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::schema;

/// The claims of an access token. They have what introspection would answer, but no name and no e-mail address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Claims {
    /// The issuer: the public URL of the site.
    #[schema(example = "https://account.example.org")]
    pub iss: String,
    /// The id of the account the key acts for.
    #[schema(example = "acc_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    pub sub: String,
    /// The service that the token is for.
    #[schema(example = "training")]
    pub aud: String,
    /// The end of the token (exclusive), in seconds since 1970.
    #[schema(example = 1_777_766_700)]
    pub exp: i64,
    /// When it was issued, in seconds since 1970.
    #[schema(example = 1_777_766_400)]
    pub iat: i64,
    /// The same as `iat`.
    #[schema(example = 1_777_766_400)]
    pub nbf: i64,
    /// The id of the token, 128 random bits.
    #[schema(example = "Zm9vYmFyYmF6cXV4MTIzNA")]
    pub jti: String,
    /// The id of the key, as in introspection.
    #[schema(example = "key_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    pub client_id: String,
    /// Every scope that the token grants, separated by spaces. Bundles are expanded.
    #[schema(example = "models:read")]
    pub scope: String,
    /// The only workspace that the token can access.
    #[schema(example = "ws_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    pub workspace: String,
    /// The role of the person in the workspace.
    #[schema(schema_with = schema::role)]
    pub role: String,
    /// The plan of the workspace.
    #[schema(example = "free")]
    pub plan: String,
    /// The region of the workspace's data.
    #[schema(example = "eu")]
    pub region: String,
    /// The last number of the revocation feed when the token was issued. A later row that names `client_id` or `sub`
    /// ends the token.
    #[schema(example = 41)]
    pub epoch: i64,
}
