//! **For:** coming in with an account at another provider: Google, GitHub, Apple, any OpenID Connect issuer.
//! **Words:** provider, identity (issuer and subject), way (to the provider and back, once), binder (the browser's cookie),
//! found (who came back).
//! **Tables:** `identity`, `oauth_flow`.
//! **Never:** takes an address for a person; connects without a sign-in here and a form sent from here; asks a provider for
//! anything before state, browser and issuer are right.
//! **Start reading:** [`flows`], then `ops/arrive.rs`.

mod client;
mod error;
pub mod flows;
mod id_token;
mod mails;
mod model;
mod ops;
pub mod pages;
mod store;

pub use error::{OauthError, Refusal};
pub use model::{Answered, Arrived, Found, Identity, Purpose, Started, Typed};
pub use ops::{
    arrive, begin, connect, disconnect, forget, identities, open_identities, post, purge_old, sign_up, take,
    unlink_since, ways_in,
};
pub use store::STATEMENTS;
