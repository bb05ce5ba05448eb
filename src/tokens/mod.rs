//! **For:** verification without asking: short access tokens in place of keys, and the news that one has to die early.
//! **Words:** access token (a JWT of ours), signing key, kid, audience, exchange, feed (of revocations), epoch (the feed's last
//! number when a token was made).
//! **Tables:** `jwt_key`, `revocation` (written by triggers: see migration 15).
//! **Never:** takes a token for a key; signs with a key that nobody could know yet; tells the secret half of one.
//! **Start reading:** `model.rs`, then [`flows::exchange`] and [`examine`].

pub mod api;
mod claims;
mod error;
pub mod flows;
mod jobs;
mod jwt;
mod model;
mod ops;
mod store;

pub use claims::Claims;
pub use error::TokenError;
pub use jobs::{TEND, tend};
pub use jwt::is_token_shaped;
pub use model::{
    Asked, Audience, FEED_PAGE_MAX, Issued, KEEP_AFTER, LIFE_MAX, News, PUBLISH_AHEAD, PublishedKey, Revocation,
    TOKEN_TYPE,
};
pub use ops::{examine, news, published, purge_old, replace_compromised, rotate, rotate_when_due};
pub use store::STATEMENTS;
