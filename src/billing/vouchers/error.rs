//! Why codes are not made, revoked or redeemed.

use super::super::ledger::LedgerError;
use super::super::model::REASON_CHARS_MAX;
use super::model::{CODES_MAX, CodeFault, PROMO_CHARS, USES_MAX};
use crate::base::Problem;
use crate::db;
use crate::sessions::RetryAfter;

/// A failure with a code. Nothing was posted.
#[derive(Debug, thiserror::Error)]
pub enum VoucherError {
    /// The actor may not do this.
    #[error("the actor may not do this")]
    NotAllowed,
    /// There is no such batch.
    #[error("there is no such batch")]
    NotFound,
    /// What was typed cannot be a code.
    #[error("this cannot be a code: {0:?}")]
    Malformed(CodeFault),
    /// There is no such code, or it does not work any more. The answer does not tell which.
    #[error("the code is unknown, expired, revoked or used up")]
    Refused,
    /// The account has redeemed this code as often as it can.
    #[error("the account has redeemed this code before")]
    AlreadyRedeemed,
    /// Too many wrong codes.
    #[error("too many wrong codes")]
    Throttled(RetryAfter),
    /// The reason is empty or too long.
    #[error("the reason has not 1 to {REASON_CHARS_MAX} characters")]
    Reason,
    /// The chosen promo code has other characters, or too few or too many.
    #[error("the text cannot be a promo code")]
    Promo,
    /// The chosen promo code exists already.
    #[error("the promo code exists already")]
    PromoTaken,
    /// Too few or too many codes.
    #[error("a batch has 1 to {CODES_MAX} codes")]
    Codes,
    /// Too few or too many uses.
    #[error("a code has 1 to {USES_MAX} uses, at least as many as one account has")]
    Uses,
    /// The ledger refused the credit.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<db::Error> for VoucherError {
    fn from(error: db::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<RetryAfter> for VoucherError {
    fn from(wait: RetryAfter) -> Self {
        Self::Throttled(wait)
    }
}

impl From<VoucherError> for Problem {
    fn from(error: VoucherError) -> Self {
        match error {
            VoucherError::NotAllowed => Self::new(
                403,
                "not_allowed",
                "You may not do this here. Ask the owner of the workspace, or your operator.",
            ),
            VoucherError::NotFound => Self::new(
                404,
                "not_found",
                "There are no vouchers with this id. `domicile voucher list` shows all of them.",
            ),
            VoucherError::Malformed(CodeFault::Length) => {
                Self::field("code", "bad_code", "Enter the whole code, as it was given to you.")
            }
            VoucherError::Malformed(CodeFault::Mistyped) => {
                Self::field("code", "mistyped_code", "There is a typing error in this code. Compare it with yours.")
            }
            VoucherError::Refused => Self::field(
                "code",
                "code_refused",
                "This code is not valid, or not any more. Check it, then ask the people who gave it to you.",
            ),
            VoucherError::AlreadyRedeemed => Self {
                field: Some("code"),
                ..Self::new(
                    409,
                    "already_redeemed",
                    "You have already redeemed this code. Its credit is among your transactions.",
                )
            },
            VoucherError::Throttled(wait) => Self {
                field: Some("code"),
                retry_after_seconds: Some(wait.wait_seconds),
                ..Self::new(
                    429,
                    "too_many_tries",
                    format!("Too many wrong codes. Wait {}, then try again.", wait.in_words()),
                )
            },
            VoucherError::Reason => Self::field(
                "reason",
                "bad_reason",
                format!("The reason must have 1 to {REASON_CHARS_MAX} characters. People read it in their statement."),
            ),
            VoucherError::Promo => {
                let (least, most) = PROMO_CHARS;
                let sentence = format!("A promo code has {least} to {most} letters and digits. Choose another one.");
                Self::field("promo", "bad_promo_code", sentence)
            }
            VoucherError::PromoTaken => Self {
                field: Some("promo"),
                ..Self::new(409, "promo_code_taken", "This promo code exists already, or did. Choose another one.")
            },
            VoucherError::Codes => Self::field("codes", "bad_codes", format!("Choose 1 to {CODES_MAX} codes.")),
            VoucherError::Uses => Self::field(
                "uses",
                "bad_uses",
                format!("Choose 1 to {USES_MAX} uses, and not more for one account than in all."),
            ),
            VoucherError::Ledger(error) => error.into(),
        }
    }
}
