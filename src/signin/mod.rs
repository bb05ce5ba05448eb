//! **For:** coming in: sign-up, proof of addresses, sign-in by password, a forgotten password, the second step, step-up; the
//! page of the profile, because addresses are ways in; other providers in `oauth`.
//! **Words:** sign-up, code, sign-in, reset link, claim (the first operator's one-time link).
//! **Tables:** none of its own: it joins what accounts, invitations, workspaces, sessions and billing keep.
//! **Never:** tells a stranger whether an address or a name is known, by words or by time; hashes inside a transaction.
//! **Start reading:** [`flows`], top to bottom.

mod error;
pub mod flows;
mod mails;
mod model;
pub mod oauth;
mod ops;
pub mod pages;

pub use error::SigninError;
pub use model::{Asker, NewPerson, Presented, Proof, ProofsOpen, SignIn, SignUp, SignedUp, Started, StepUp};
pub use ops::{
    claim_link, create_account, find_not_me, not_me, reactivate, remove_email, remove_passkey, reset_link_by_mail,
    set_primary_email, suspend, verify, verify_added_email, void_other_claims,
};
