//! **For:** what services do about an erasure, and when its receipt is final.
//! **Words:** receipt, answer (what a service said), open item (what the receipt waits for), attestation (an operator says that the
//! data is gone, for a service that cannot answer any more), final.
//! **Tables:** `erasure`, `erasure_service`.
//! **Never:** calls a receipt final before each service answered; keeps a text about the person after that.
//! **Start reading:** [`begin`], then [`settle`].

mod model;
mod ops;
mod store;

pub use model::{Erased, ErasureAtService, ErasureFilter, ErasureReport, ServiceAnswer, Statement};
pub use ops::{ERASE_ACKNOWLEDGED, ask_again, attest, find, has_something_to_do, list, notice, settle};
pub(super) use ops::{begin, targets};
pub use store::STATEMENTS;
pub(super) use store::update_snapshot_replaced;
