//! A request with an idempotency key, and its answer.

use crate::base::WorkspaceId;

/// What identifies a request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The id of the credential, because two senders may use the same idempotency key.
    pub actor: String,
    /// The method and the path of the route, with its parameters unfilled.
    pub route: String,
    /// The value of the header `Idempotency-Key`.
    pub key: String,
    /// The SHA-256 hash of the body.
    pub hash: [u8; 32],
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Answer {
    pub status: u16,
    /// The JSON body.
    pub body: String,
    /// The workspace that it is about: its erasure deletes the stored answer. `None`: it has nothing of a workspace, or is a stored
    /// one.
    pub workspace: Option<WorkspaceId>,
}
