//! **For:** sign-in with an account at another provider: Google, GitHub, Apple, any OpenID Connect issuer.
//! **Words:** provider, authorization request (one trip to the provider and back, usable once), state cookie (binds the
//! request to a browser), external identity (issuer and subject, as the provider states them), linked identity (an
//! external identity that is connected to an account).
//! **Tables:** `identity`, `oauth_flow` (authorization requests; its column `binder` is the digest of the state cookie,
//! its column `found` the sealed external identity).
//! **Never:** identifies a person by an e-mail address; connects an identity without a sign-in here and a form sent
//! from here; sends a request to a provider before state, browser and issuer are verified.
//! **Start reading:** [`flows`], then `ops/callback.rs`.

mod client;
mod error;
mod events;
pub mod flows;
mod id_token;
mod json;
mod mails;
mod model;
mod ops;
pub mod pages;
pub mod replay;
mod store;
mod tables;

pub use error::{OauthError, Refusal};
pub use events::IdentityEvent;
pub use model::{
    AuthorizationParams, AuthorizationResponse, CallbackOutcome, Connection, Connections, ExternalIdentity,
    ExternalSignUp, LinkedIdentity, Purpose,
};
pub use ops::{
    begin, complete, connect, connections, consume, disconnect, keep_posted, purge_old, sign_up, unlink_since,
    usable_identities,
};
pub use store::{STATEMENTS, delete_all as forget, delete_all_requests as end_requests, list as identities};
pub(crate) use tables::IDENTITY;
pub use tables::TABLES;
