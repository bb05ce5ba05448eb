//! **For:** answers for each request of the platform whether a key is good: from memory, and never against a commit.
//! **Words:** verdict, refusal, key index, policy, owner (interned), usage buffer, generation, fast path.
//! **Tables:** none of its own; reads `api_key`, `account`, `account_email`, `membership`, `workspace`.
//! **Never:** waits for the writer; uses a cached value that a commit has changed; grows without a bound.
//! **Start reading:** `plain.rs` says what a verification is, [`Verifier::verify_request`] how it is made fast.
//!
//! # Design
//!
//! Each request to the platform asks this module once, so it decides how fast everything else can be. The rules stand
//! alone in `plain.rs`, without any cache: read the key, read its owner, decide. `verifier.rs` gives the same answers
//! with less reading, and a test compares the two on random histories.
//!
//! **What a request costs.** It runs on the worker's own thread: no lock that a writer holds, no change of threads, no
//! statement in the usual case. It checks the CRC of the text (so a mistyped key costs no look-up), makes one HMAC, finds
//! 42 bytes in the key index, an owner and a policy by number, and adds one to a counter. A key that is not in memory
//! costs two statements: the key, and its owner.
//!
//! ```text
//! form and CRC ── HMAC ── in the index, and unchanged since? ── yes: owner in memory, and unchanged since? ── answer
//!                          └─ no: read the key, cache it            └─ no: read the owner, cache it ─────────┘
//! ```
//!
//! **The layers of memory**, each with a bound. When one is full, answers stay right and become slower:
//!
//! | layer | what it has | at most | when full |
//! |---|---|---|---|
//! | `key_index.rs` | key id, end, generation, numbers of owner and policy; 42 bytes a key | 1.3 million keys, 55 MB | one entry replaces another |
//! | `owners.rs` | an owner for all their keys, texts in one allocation | 131,072 owners, some 40 MiB | keys of others are read for each request |
//! | `policies.rs` | scopes and limits that many keys share; read without a lock | 65,536 policies, some 20 MiB | keys with others are read for each request |
//! | `usage_buffer.rs` | uses, callers, digests to be rewritten; 32 bytes a key | 262,144 keys between two drains | further uses are not counted |
//! | `base::RateLimiter` | one number for each key with a rate limit | 65,536 keys | the oldest are evicted |
//!
//! The index is filled after the start by a thread of the lowest priority, and by the first request for each key. So
//! the number of keys does not change the time of an answer. Owners are apart from keys, because a change of a person
//! would otherwise have to find all their keys.
//!
//! **When a cached value is valid.** Each value has the generation in which it was read. Triggers write the subject of
//! each change of a credential (key, account, workspace) into a table; the writer reads it with the commit, and sets
//! the generation of exactly these subjects before it answers its caller. A value counts only if none of its subjects
//! has changed since its generation. The generation is taken *before* the row is read, so a change in between makes the
//! value too old, and a reader that stores it late does no harm. Nothing is ever removed from a cache. `db/epoch.rs`
//! keeps this protocol and has its diagram.
//!
//! **A commit by another process** (a command while the server runs) is visible in the WAL-index, which SQLite maps
//! into memory, before that process gets its answer. Each request compares one number there. If it is not the one that
//! our writer has validated, every request reads the database, until the writer has read what the other process
//! changed.
//!
//! **What a request records** goes into the usage buffer: 16 shards with one lock each, and a slot whose number stands in
//! the key index, because a look-up in a map would cost as much again as finding the key. `jobs.rs` writes the buffer
//! once a minute and at the stop, 250 keys in one transaction. A crash loses the counts of a minute, never a key.

pub mod api;
mod error;
mod jobs;
mod key_index;
mod model;
mod owners;
mod plain;
mod policies;
mod store;
mod usage_buffer;
mod verifier;

pub use jobs::record_use;
pub use model::{Owner, Refusal, Verdict, VerifiedKey, VerifyRequest};
pub use plain::verify_uncached;
pub use store::STATEMENTS;
pub use verifier::Verifier;
