//! A transaction in words, and what is searched for. Pure.

use super::super::ledger::{Kind, Place, StatementLine};
use crate::base::{ApiKeyId, ServiceId, Timestamp};

/// A transaction with the names of what it is about.
#[derive(Clone, Debug)]
pub struct Transaction {
    #[allow(missing_docs)]
    pub line: StatementLine,
    /// What kind of transaction it is.
    pub title: &'static str,
    /// The name of the service that reported the usage. Empty: none.
    pub service: String,
    /// The name of the API key. Empty: none.
    pub key: String,
}

impl Transaction {
    /// Whether each of these lower-case words is in one of its texts.
    pub(super) fn has_all(&self, words: &[String]) -> bool {
        if words.is_empty() {
            return true;
        }
        let Self { line, title, service, key } = self;
        let text = format!("{title}\n{}\n{service}\n{key}\n{}\n{}", line.details, line.amount, line.id).to_lowercase();
        words.iter().all(|word| text.contains(word))
    }
}

/// The name of a kind for people.
pub const fn title_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Signup => "Signup bonus",
        Kind::Company => "Company bonus",
        Kind::Monthly => "Monthly grant",
        Kind::Promo => "Promo bonus",
        Kind::Referral => "Referral bonus",
        Kind::Purchase => "Credit purchase",
        Kind::AutoTopUp => "Auto top-up",
        Kind::Voucher => "Voucher",
        Kind::Adjustment => "Adjustment",
        Kind::Usage => "Usage",
        Kind::Expired => "Credit expired",
        Kind::Refund => "Refund",
        Kind::PaymentRefund => "Payment refunded",
        Kind::Dispute => "Payment disputed",
        Kind::DisputeWon => "Dispute won",
        Kind::WriteOff => "Debt written off",
        Kind::Repayment => "Debt repaid from reserved credit",
    }
}

/// What a person searches for.
#[derive(Clone, Debug, Default)]
pub struct TransactionFilter {
    /// Words that must all be there, in any case and any text of the transaction.
    pub search: String,
    /// The earliest time at which it happened, included. `None`: from the beginning.
    pub from: Option<Timestamp>,
    /// The end, excluded. `None`: until now.
    pub until: Option<Timestamp>,
    /// Only usage that this service reported.
    pub service: Option<ServiceId>,
    /// Only usage of this key.
    pub key: Option<ApiKeyId>,
    /// Only what is after this place, in the order of the list.
    pub after: Option<Place>,
    /// Transactions at most.
    pub limit: usize,
}

impl TransactionFilter {
    /// Whether lines have to be compared one by one.
    pub(super) fn compares(&self) -> bool {
        !self.search.trim().is_empty() || self.service.is_some() || self.key.is_some()
    }

    /// Whether a line is of the service and the key.
    pub(super) fn has_source(&self, line: &StatementLine) -> bool {
        self.service.is_none_or(|service| line.service == Some(service))
            && self.key.is_none_or(|key| line.key == Some(key))
    }
}

/// A page of transactions, what happened last first.
#[derive(Clone, Debug, Default)]
pub struct TransactionPage {
    #[allow(missing_docs)]
    pub rows: Vec<Transaction>,
    /// Where the next page begins. `None`: this is the last one.
    pub next: Option<Place>,
    /// Whether the search stopped before it reached the oldest ones.
    pub is_cut: bool,
}
