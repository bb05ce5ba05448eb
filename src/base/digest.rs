//! Digests of the chains that prove what happened.

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// What the first entry of a chain has as the digest of the entry before it.
pub const GENESIS: Digest = [0; 32];
