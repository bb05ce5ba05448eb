//! What is asked, and what was answered.

/// Which request this is.
#[derive(Clone, Debug)]
pub struct Request {
    /// The credential it came with: keys of two senders never meet.
    pub actor: String,
    /// The route.
    pub route: &'static str,
    /// The Idempotency-Key.
    pub key: String,
    /// SHA-256 of the body.
    pub hash: [u8; 32],
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, JSON.
    pub body: String,
}
