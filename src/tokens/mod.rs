//! **For:** verification without a request to us: short-lived access tokens instead of keys, and a feed of those that
//! end early.
//! **Words:** access token (a JWT of ours), signing key, kid, audience, exchange, feed (of revocations), epoch (the
//! feed's last
//! number when a token was made).
//! **Tables:** `jwt_key`, `revocation` (written by triggers: see migration 15).
//! **Never:** accepts a token as a key; signs with a key that verifiers cannot know yet; reveals a private key.
//! **Start reading:** `model.rs`, then [`flows::exchange`] and [`examine`].

pub mod api;
mod claims;
mod error;
mod events;
pub mod flows;
mod jobs;
mod jwt;
mod model;
mod ops;
mod store;
mod tables;

pub use claims::Claims;
pub use error::TokenError;
pub use events::TokenEvent;
pub use jobs::{ROTATE_KEYS, rotate_keys};
pub use jwt::is_token_shaped;
pub use model::{
    Audience, ExchangeRequest, FEED_PAGE_MAX, FeedPage, IssuedToken, KEEP_AFTER, LIFE_MAX, PUBLISH_AHEAD, PublishedKey,
    Revocation, TOKEN_TYPE,
};
pub use ops::{
    examine, feed_page, next_number, published, purge_old, replace_compromised, rotate, rotate_when_due,
    skip_lost_numbers,
};
pub use store::STATEMENTS;
pub use tables::TABLES;
