//! The types of the ledger and the rules that need no database. Pure.
//!
//! ```text
//! event                      debit (+)                  credit (-)
//! a grant opens a lot        expense.signup    5.00     lot a           5.00
//! a charge burns it,         lot a             5.00     income.usage    7.00
//!   the rest becomes debt    overdraft         2.00
//! the next credit repays     asset.clearing   10.00     overdraft       2.00
//!   the rest opens a lot                                lot b           8.00
//! ```

mod kinds;
mod returns;

use sha2::{Digest as _, Sha256};

use crate::base::{ApiKeyId, Credits, Cursor, LotId, ServiceId, Timestamp, TransactionId, WorkspaceId};
use crate::config::UsageCategory;
pub use kinds::{Account, Category, Kind, Origin};
pub use returns::{Reason, Refund, Withdrawal, WriteOff};
pub(super) use returns::{Taken, TakenLot, give_back};

/// The maximum number of lines per query of a statement: about a month of a busy workspace.
pub const STATEMENT_LINES_MAX: u32 = 1000;
/// The maximum number of characters of a line's details. Longer text is truncated.
pub(super) const DETAILS_CHARS_MAX: usize = 300;
/// The default priority of a lot, from 0 (burns first) to 100 (burns last).
pub(super) const PRIORITY: u8 = 50;

/// One side of a transaction. Debits are positive, credits negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The account that changes.
    pub account: Account,
    /// The amount. Debits are positive.
    pub amount: Credits,
}

impl Posting {
    /// Takes from a credit-normal account (a lot, an income), or adds to a debit-normal one (an expense, a debt).
    pub const fn debit(account: Account, amount: Credits) -> Self {
        Self { account, amount }
    }

    /// The opposite of [`Posting::debit`].
    pub const fn credit(account: Account, amount: Credits) -> Self {
        Self { account, amount: amount.negated() }
    }
}

/// A lot that a transaction opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewLot {
    /// Its id; one of the postings credits its account with `original`.
    pub id: LotId,
    /// The origin of the credit.
    pub origin: Origin,
    /// Promotional or paid.
    pub category: Category,
    /// 0 burns first, 100 last.
    pub priority: u8,
    /// The original amount.
    pub original: Credits,
    /// The time of expiry. `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// A transaction before it is posted.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The workspace whose wallet changes.
    pub workspace: WorkspaceId,
    /// The kind of the transaction.
    pub kind: Kind,
    /// The text of the statement line.
    pub details: String,
    /// The API key of the usage. `None`: none.
    pub key: Option<ApiKeyId>,
    /// The idempotency key, unique for ever. The same key again is a repetition.
    pub idem_key: String,
    /// Two or more postings that add up to zero.
    pub postings: Vec<Posting>,
    /// The lots that some of the postings fill.
    pub opens: Vec<NewLot>,
    /// The transaction that this one takes back, in whole or in part. `None`: none.
    pub reverses: Option<TransactionId>,
    /// When the last of the usage happened. `None`: it is no usage, or it happened when it is posted.
    pub occurred_at: Option<Timestamp>,
    /// What was used. `None`: it is no usage.
    pub category: Option<UsageCategory>,
}

impl Draft {
    /// A transaction that opens no lot, takes nothing back and is no usage.
    pub fn new(
        workspace: WorkspaceId,
        kind: Kind,
        details: impl Into<String>,
        idem_key: impl Into<String>,
        postings: Vec<Posting>,
    ) -> Self {
        Self {
            workspace,
            kind,
            details: details.into(),
            key: None,
            idem_key: idem_key.into(),
            postings,
            opens: Vec::new(),
            reverses: None,
            occurred_at: None,
            category: None,
        }
    }

    /// Whether there are two or more postings, none of them empty, that add up to zero.
    pub fn is_balanced(&self) -> bool {
        let sum: i128 = self.postings.iter().map(|posting| i128::from(posting.amount.micro())).sum();
        self.postings.len() >= 2 && sum == 0 && self.postings.iter().all(|posting| posting.amount != Credits::ZERO)
    }

    /// The change of the wallet's balance. `None`: beyond the largest amount.
    pub fn effect(&self) -> Option<Credits> {
        let wallet = self.postings.iter().filter(|posting| posting.account.is_wallet());
        let sum: i128 = wallet.map(|posting| i128::from(posting.amount.micro())).sum();
        Credits::from_micro(i64::try_from(-sum).ok()?)
    }

    pub(super) fn content(&self) -> [u8; 32] {
        let mut content = ContentDigest::new(self.kind, self.workspace);
        for posting in &self.postings {
            content.text(posting.account.code());
            content.text(&posting.account.lot().map(|lot| lot.to_string()).unwrap_or_default());
            content.number(posting.amount.micro());
        }
        content.text(&self.key.map(|key| key.to_string()).unwrap_or_default());
        if let Some(reversed) = self.reverses {
            content.text(&reversed.to_string());
        }
        content.digest()
    }
}

/// A grant of credit to a wallet.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The workspace whose wallet changes.
    pub workspace: WorkspaceId,
    /// The amount, above zero.
    pub amount: Credits,
    /// The origin of the credit.
    pub origin: Origin,
    /// Promotional or paid.
    pub category: Category,
    /// 0 burns first, 100 last.
    pub priority: u8,
    /// The time of expiry. `None`: never. Paid credit gets it only where the site lets paid credit expire.
    pub expires_at: Option<Timestamp>,
    /// The text of the statement line.
    pub details: String,
    /// The idempotency key, unique for ever. The same key again is a repetition.
    pub idem_key: String,
}

impl Grant {
    /// Credit of the category of its origin, with the default priority, without expiry.
    pub fn new(
        workspace: WorkspaceId,
        amount: Credits,
        origin: Origin,
        details: impl Into<String>,
        idem_key: impl Into<String>,
    ) -> Self {
        Self {
            workspace,
            amount,
            origin,
            category: origin.category(),
            priority: PRIORITY,
            expires_at: None,
            details: details.into(),
            idem_key: idem_key.into(),
        }
    }

    pub(super) fn content(&self) -> [u8; 32] {
        let mut content = ContentDigest::new(self.origin.kind(), self.workspace);
        content.number(self.amount.micro());
        content.text(self.category.as_str());
        content.number(i64::from(self.priority));
        content.number(self.expires_at.map_or(i64::MAX, Timestamp::millis));
        content.digest()
    }
}

/// A charge for usage.
#[derive(Clone, Debug)]
pub struct Charge {
    /// The workspace whose wallet changes.
    pub workspace: WorkspaceId,
    /// The amount, above zero.
    pub amount: Credits,
    /// The text of the statement line.
    pub details: String,
    /// The API key of the usage. `None`: none.
    pub key: Option<ApiKeyId>,
    /// When the last of the usage happened. `None`: now.
    pub occurred_at: Option<Timestamp>,
    #[allow(missing_docs)]
    pub category: UsageCategory,
    /// The idempotency key, unique for ever. The same key again is a repetition.
    pub idem_key: String,
}

impl Charge {
    /// A charge for training that happened now, without a key.
    pub fn new(
        workspace: WorkspaceId,
        amount: Credits,
        details: impl Into<String>,
        idem_key: impl Into<String>,
    ) -> Self {
        Self {
            workspace,
            amount,
            details: details.into(),
            key: None,
            occurred_at: None,
            category: UsageCategory::Training,
            idem_key: idem_key.into(),
        }
    }

    pub(super) fn content(&self) -> [u8; 32] {
        let mut content = ContentDigest::new(Kind::Usage, self.workspace);
        content.number(self.amount.micro());
        content.text(&self.key.map(|key| key.to_string()).unwrap_or_default());
        content.digest()
    }
}

/// A transaction that was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostedTransaction {
    /// Its id.
    pub id: TransactionId,
    /// Its number in the ledger, from 1 without gaps.
    pub seq: i64,
    /// The balance of the wallet after it.
    pub balance_after: Credits,
}

/// Which lines of a statement are returned, newest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// The earliest time, included. `None`: from the beginning.
    pub from: Option<Timestamp>,
    /// The end, excluded. `None`: until now.
    pub to: Option<Timestamp>,
    /// Only lines before this one. `None`: from the newest.
    pub before: Option<Cursor>,
    /// The maximum number of lines, at most [`STATEMENT_LINES_MAX`].
    pub limit: u32,
}

/// A line of the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// The number of its transaction in the ledger.
    pub seq: i64,
    /// The id of its transaction.
    pub id: TransactionId,
    /// When it was posted.
    pub at: Timestamp,
    /// When the last of its usage happened. `None`: when it was posted.
    pub occurred_at: Option<Timestamp>,
    /// The kind of its transaction.
    pub kind: Kind,
    /// What was used. `None`: it is no usage, or was posted before categories were stored.
    pub category: Option<UsageCategory>,
    /// A description. Empty: it was erased.
    pub details: String,
    /// The change of the balance. Below zero: a charge.
    pub amount: Credits,
    /// The balance of the wallet after it.
    pub balance_after: Credits,
    /// The API key of the usage. `None`: none, or several.
    pub key: Option<ApiKeyId>,
    /// The service that reported the usage. `None`: none.
    pub service: Option<ServiceId>,
}

impl StatementLine {
    /// When it happened: the last of its usage, or else when it was posted.
    pub fn happened_at(&self) -> Timestamp {
        self.occurred_at.unwrap_or(self.at)
    }

    /// Where it stands in the statement by when things happened.
    pub fn place(&self) -> Place {
        Place { at: self.happened_at(), seq: self.seq }
    }
}

/// A place in the statement of a wallet by when things happened: that of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When the line happened.
    pub at: Timestamp,
    /// The number of its transaction.
    pub seq: i64,
}

impl Place {
    /// Reads the form of [`std::fmt::Display`]. `None`: the text is no place; callers then begin at the first line.
    pub fn parse(text: &str) -> Option<Self> {
        let (at, seq) = text.split_once('-')?;
        Some(Self { at: Timestamp::from_millis(at.parse().ok()?), seq: seq.parse().ok()? })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.at.millis(), self.seq)
    }
}

/// A lot with its remaining credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lot {
    pub id: LotId,
    pub workspace: WorkspaceId,
    pub origin: Origin,
    pub category: Category,
    /// What is left and not reserved.
    pub free: Credits,
    /// What holds reserve.
    pub reserved: Credits,
}

/// Takes `needed` from the free credit of the lots in their order. Returns a posting for each lot that is used, and the amount that is
/// missing.
pub(super) fn burn(lots: impl IntoIterator<Item = Lot>, needed: Credits) -> (Vec<Posting>, Credits) {
    let mut missing = needed;
    let mut postings = Vec::new();
    for lot in lots {
        if missing == Credits::ZERO {
            break;
        }
        let part = lot.free.min(missing);
        if part == Credits::ZERO {
            continue;
        }
        postings.push(Posting::debit(Account::Lot(lot.id), part));
        // `part` is between zero and `missing`, so the difference is an amount.
        missing = missing.minus(part).unwrap_or(Credits::ZERO);
    }
    (postings, missing)
}

/// The digest of the content of a transaction, without its text. A text may be erased later, and the digest of a short
/// text would still confirm it.
struct ContentDigest(Sha256);

impl ContentDigest {
    fn new(kind: Kind, workspace: WorkspaceId) -> Self {
        let mut content = Self(Sha256::new());
        content.text(kind.as_str());
        content.text(&workspace.to_string());
        content
    }

    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text);
    }

    fn number(&mut self, number: i64) {
        self.0.update(number.to_be_bytes());
    }

    fn digest(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
