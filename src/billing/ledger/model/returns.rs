//! What is given back to a wallet, and what is taken from it for another reason than usage. Pure.

use std::time::Duration;

use super::{Account, Category, ContentDigest, Kind, NewLot, Origin, PRIORITY, Posting};
use crate::base::{Credits, LotId, Timestamp, TransactionId, WorkspaceId, days};

/// A return of what a transaction took from a wallet, in whole or in part.
#[derive(Clone, Debug)]
pub struct Refund {
    /// The workspace whose wallet changes.
    pub workspace: WorkspaceId,
    /// The charge, or the dispute that was won.
    pub of: TransactionId,
    /// The amount, above zero, up to what is not returned yet.
    pub amount: Credits,
    /// The text of the statement line.
    pub details: String,
    /// The idempotency key, unique for ever. The same key again is a repetition.
    pub idem_key: String,
}

impl Refund {
    pub(in super::super) fn content(&self) -> [u8; 32] {
        let mut content = ContentDigest::new(Kind::Refund, self.workspace);
        content.text(&self.of.to_string());
        content.number(self.amount.micro());
        content.digest()
    }
}

/// Why credit is taken from a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An operator takes it back.
    Adjustment,
    /// The payment with this transaction is returned to the payer.
    PaymentRefund(TransactionId),
    /// The payment with this transaction is disputed. The provider takes it back, and a fee, which the site pays.
    Dispute {
        /// The transaction of the payment.
        of: TransactionId,
        /// May be zero.
        fee: Credits,
    },
}

impl Reason {
    /// The kind of the transaction.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Adjustment => Kind::Adjustment,
            Self::PaymentRefund(_) => Kind::PaymentRefund,
            Self::Dispute { .. } => Kind::Dispute,
        }
    }

    /// The payment that is taken back. `None`: it is none.
    pub const fn payment(self) -> Option<TransactionId> {
        match self {
            Self::Adjustment => None,
            Self::PaymentRefund(payment) | Self::Dispute { of: payment, .. } => Some(payment),
        }
    }

    /// The site's account that gets the credit.
    pub(in super::super) const fn account(self) -> Account {
        match self {
            Self::Adjustment => Account::Adjustments,
            Self::PaymentRefund(_) | Self::Dispute { .. } => Account::Clearing,
        }
    }
}

/// Credit that is taken from a wallet for another reason than usage.
#[derive(Clone, Debug)]
pub struct Withdrawal {
    /// The workspace whose wallet changes.
    pub workspace: WorkspaceId,
    /// The amount, above zero.
    pub amount: Credits,
    #[allow(missing_docs)]
    pub reason: Reason,
    /// The text of the statement line.
    pub details: String,
    /// The idempotency key, unique for ever. The same key again is a repetition.
    pub idem_key: String,
}

impl Withdrawal {
    pub(in super::super) fn content(&self) -> [u8; 32] {
        let mut content = ContentDigest::new(self.reason.kind(), self.workspace);
        content.number(self.amount.micro());
        content.text(&self.reason.payment().map(|payment| payment.to_string()).unwrap_or_default());
        if let Reason::Dispute { fee, .. } = self.reason {
            content.number(fee.micro());
        }
        content.digest()
    }
}

/// A debt that nobody will pay.
#[derive(Clone, Debug)]
pub struct WriteOff {
    /// The workspace whose wallet changes.
    pub workspace: WorkspaceId,
    /// The amount, above zero, up to the debt.
    pub amount: Credits,
    /// The text of the statement line.
    pub details: String,
    /// The idempotency key, unique for ever. The same key again is a repetition.
    pub idem_key: String,
}

impl WriteOff {
    pub(in super::super) fn content(&self) -> [u8; 32] {
        let mut content = ContentDigest::new(Kind::WriteOff, self.workspace);
        content.number(self.amount.micro());
        content.digest()
    }
}

/// How long credit is valid that is returned after its lot expired.
const RETURNED_FOR: Duration = days(30);

/// What a transaction took from one account of the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Taken {
    /// The lot. `None`: it was added to the debt.
    pub lot: Option<TakenLot>,
    pub amount: Credits,
}

/// A lot that a transaction took credit from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct TakenLot {
    pub id: LotId,
    pub category: Category,
    pub priority: u8,
    pub expires_at: Option<Timestamp>,
}

/// The postings that return `amount` of what a transaction took, and the lots that they open. `taken`: in the order in which
/// it was taken; it is returned in reverse order, after what was returned `before`. Debt of the wallet is repaid first. Credit
/// whose lot has expired since is valid for 30 days more. A debt that was repaid since becomes credit without expiry.
pub(in super::super) fn give_back(
    taken: &[Taken],
    before: Credits,
    amount: Credits,
    owed: Credits,
    now: Timestamp,
    mut new_lot: impl FnMut() -> LotId,
) -> (Vec<Posting>, Vec<NewLot>) {
    let (mut postings, mut opens) = (Vec::new(), Vec::<NewLot>::new());
    let repaid = owed.min(amount).micro();
    if repaid > 0 {
        postings.push(Posting::credit(Account::Overdraft, owed.min(amount)));
    }
    let (mut skip, mut rest) = (before.micro() + repaid, amount.micro() - repaid);
    for part in taken.iter().rev() {
        let skipped = skip.min(part.amount.micro());
        skip -= skipped;
        let returned = (part.amount.micro() - skipped).min(rest);
        rest -= returned;
        let Some(returned) = Credits::from_micro(returned).filter(|returned| *returned > Credits::ZERO) else {
            continue;
        };
        let (category, priority, expires_at) = match part.lot {
            Some(lot) if lot.expires_at.is_none_or(|end| end > now) => {
                postings.push(Posting::credit(Account::Lot(lot.id), returned));
                continue;
            }
            Some(lot) => (lot.category, lot.priority, Some(now.plus(RETURNED_FOR))),
            None => (Category::Promotional, PRIORITY, None),
        };
        let same = |lot: &&mut NewLot| (lot.category, lot.priority, lot.expires_at) == (category, priority, expires_at);
        match opens.iter_mut().find(same) {
            // The sum is at most `amount`.
            Some(lot) => lot.original = lot.original.plus(returned).unwrap_or(lot.original),
            None => {
                let (id, origin, original) = (new_lot(), Origin::Refund, returned);
                opens.push(NewLot { id, origin, category, priority, original, expires_at });
            }
        }
    }
    postings.extend(opens.iter().map(|lot| Posting::credit(Account::Lot(lot.id), lot.original)));
    (postings, opens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn micro(micro: i64) -> Credits {
        Credits::from_micro(micro).unwrap()
    }

    #[test]
    fn what_was_taken_last_is_returned_first_however_it_is_divided() {
        let (now, mut rng) = (Timestamp::from_millis(1_000), Rng::seeded(1));
        let mut id = || LotId::new(now, &mut rng);
        let (a, b, gone) = (id(), id(), id());
        let lot = |id, expires_at| {
            Some(TakenLot {
                id,
                category: Category::Paid,
                priority: 7,
                expires_at: Some(Timestamp::from_millis(expires_at)),
            })
        };
        let taken = [
            Taken { lot: lot(gone, 1_000), amount: micro(4) },
            Taken { lot: lot(a, 1_001), amount: micro(3) },
            Taken { lot: lot(b, 1_001), amount: micro(2) },
            Taken { lot: None, amount: micro(1) },
        ];
        let mut parts = |before, amount, owed| {
            let (postings, opens) = give_back(&taken, micro(before), micro(amount), micro(owed), now, &mut id);
            let name = |account: Account| match account {
                Account::Lot(lot) if lot == a => "a".to_owned(),
                Account::Lot(lot) if lot == b => "b".to_owned(),
                Account::Lot(lot) => {
                    let new = opens.iter().find(|new| new.id == lot).unwrap();
                    format!("{} {} {:?}", new.category.as_str(), new.priority, new.expires_at.map(Timestamp::millis))
                }
                other => other.code().to_owned(),
            };
            postings.iter().map(|posting| (name(posting.account), -posting.amount.micro())).collect::<Vec<_>>()
        };
        let expired = "paid 7 Some(2592001000)".to_owned();
        let repaid = "promotional 50 None".to_owned();

        assert_eq!(parts(0, 1, 1), [("overdraft".to_owned(), 1)]);
        assert_eq!(parts(0, 2, 0), [("b".to_owned(), 1), (repaid.clone(), 1)]);
        assert_eq!(parts(1, 5, 0), [("b".to_owned(), 2), ("a".to_owned(), 3)]);
        assert_eq!(parts(5, 3, 0), [("a".to_owned(), 1), (expired.clone(), 2)]);
        assert_eq!(parts(2, 3, 2), [("overdraft".to_owned(), 2), ("a".to_owned(), 1)]);
        assert_eq!(parts(0, 10, 0), [("b".to_owned(), 2), ("a".to_owned(), 3), (repaid, 1), (expired, 4)]);
    }
}
