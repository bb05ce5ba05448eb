//! **For:** codes that give credit: vouchers that were sold, and promo codes that are given away.
//! **Words:** batch (codes that were made at once), code (what people type; only a keyed digest is stored), redeem, use.
//! **Tables:** `voucher_batch`, `voucher_code`, `voucher_redemption`.
//! **Never:** stores or logs a code; says why a code that does not work does not; gives more than the uses of a code.
//! **Start reading:** `model.rs`, then [`create`] and [`redeem`].

mod error;
mod model;
mod ops;
pub mod replay;
mod store;
mod tables;

pub use error::VoucherError;
pub use model::{
    Batch, BatchState, CODES_MAX, CodeFault, NewBatch, NewCodes, PROMO_CHARS, USES_MAX, VoucherCode, VoucherKind,
};
pub use ops::{CreatedBatch, create, redeem, revoke};
pub use store::{STATEMENTS, list_batches as list};
pub use tables::TABLES;
pub(crate) use tables::VOUCHER_REDEMPTION;
