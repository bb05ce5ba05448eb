//! What money is here, and the rules that need no database. Pure.
//!
//! ```text
//! what happens               debit (+)                  credit (-)
//! a grant opens a lot        expense.signup    5.00     lot a           5.00
//! a charge burns it,         lot a             5.00     income.usage    7.00
//!   what is missing is owed  overdraft         2.00
//! the next credit repays     asset.clearing   10.00     overdraft       2.00
//!   and the rest is a lot                               lot b           8.00
//! ```

use sha2::{Digest as _, Sha256};

use crate::base::{ApiKeyId, Credits, Cursor, LotId, Timestamp, TransactionId, WorkspaceId};

/// Lines of a statement at once at most: a month of a busy workspace.
pub const STATEMENT_LINES_MAX: u32 = 1000;
/// Characters of a line's details that are kept; the rest is cut.
pub(super) const DETAILS_CHARS_MAX: usize = 300;
/// Where a lot stands when nobody says otherwise, of 0 (first) to 100 (last).
const PRIORITY: u8 = 50;

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The welcome credit.
    Signup,
    /// An operator gave credit.
    Adjustment,
    /// A service reported use.
    Usage,
    /// Somebody paid.
    Purchase,
    /// A lot's time was over.
    Expired,
    /// Something charged was given back.
    Refund,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Signup, Self::Adjustment, Self::Usage, Self::Purchase, Self::Expired, Self::Refund];

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::Adjustment => "adjustment",
            Self::Usage => "usage",
            Self::Purchase => "purchase",
            Self::Expired => "expired",
            Self::Refund => "refund",
        }
    }

    /// Reads the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where credit comes from: the kinds that grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The welcome credit.
    Signup,
    /// An operator.
    Adjustment,
    /// A payment.
    Purchase,
    /// An earlier charge.
    Refund,
}

impl Origin {
    const ALL: [Self; 4] = [Self::Signup, Self::Adjustment, Self::Purchase, Self::Refund];

    /// The kind of transaction that grants it.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Signup => Kind::Signup,
            Self::Adjustment => Kind::Adjustment,
            Self::Purchase => Kind::Purchase,
            Self::Refund => Kind::Refund,
        }
    }

    /// Reads the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.kind().as_str() == text)
    }

    /// The account that gives it.
    pub(super) const fn given_by(self) -> Account {
        match self {
            Self::Signup => Account::SignupExpense,
            Self::Adjustment => Account::Adjustments,
            Self::Purchase => Account::Clearing,
            Self::Refund => Account::Usage,
        }
    }

    /// The account that gets back what expires: credit that was given away returns to the giver; credit that was paid
    /// for is income, for the money stays.
    pub(super) const fn expires_to(self, category: Category) -> Account {
        match category {
            Category::Promotional => self.given_by(),
            Category::Paid => Account::Breakage,
        }
    }
}

/// Whether somebody paid for a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Given.
    Promotional,
    /// Paid for.
    Paid,
}

impl Category {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promotional => "promotional",
            Self::Paid => "paid",
        }
    }

    /// Reads the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Promotional, Self::Paid].into_iter().find(|category| category.as_str() == text)
    }
}

/// Where money stands. The first two belong to a wallet, the others to the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// What is left of one lot.
    Lot(LotId),
    /// What the wallet owes.
    Overdraft,
    /// Welcome credit given.
    SignupExpense,
    /// Credit given by operators.
    Adjustments,
    /// Payments on their way.
    Clearing,
    /// What use earned.
    Usage,
    /// Paid credit that expired.
    Breakage,
}

impl Account {
    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Lot(_) => "lot",
            Self::Overdraft => "overdraft",
            Self::SignupExpense => "expense.signup",
            Self::Adjustments => "equity.adjustment",
            Self::Clearing => "asset.clearing",
            Self::Usage => "income.usage",
            Self::Breakage => "income.breakage",
        }
    }

    /// The lot. `None`: another account.
    pub const fn lot(self) -> Option<LotId> {
        match self {
            Self::Lot(lot) => Some(lot),
            _ => None,
        }
    }

    /// Whether it is part of a wallet.
    pub const fn is_wallet(self) -> bool {
        matches!(self, Self::Lot(_) | Self::Overdraft)
    }

    /// The least and the most its balance may be, in micro-credits, debits positive. The site's own accounts go as far
    /// as an integer does, short of its end so that a sum of two still is one.
    pub(super) const fn bounds(self) -> (i64, i64) {
        const SITE_MAX: i64 = 9_000_000_000_000_000_000;
        match self {
            Self::Lot(_) => (-Credits::MAX.micro(), 0),
            Self::Overdraft => (0, Credits::MAX.micro()),
            _ => (-SITE_MAX, SITE_MAX),
        }
    }
}

/// One side of a transaction. Debits are positive, credits negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Where.
    pub account: Account,
    /// How much.
    pub amount: Credits,
}

impl Posting {
    /// Takes from a credit-normal account (a lot, an income), or adds to a debit-normal one (an expense, a debt).
    pub const fn debit(account: Account, amount: Credits) -> Self {
        Self { account, amount }
    }

    /// The opposite.
    pub const fn credit(account: Account, amount: Credits) -> Self {
        Self { account, amount: amount.negated() }
    }
}

/// A lot that a transaction opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewLot {
    /// Its id; one of the postings credits its account with `original`.
    pub id: LotId,
    /// Where it comes from.
    pub origin: Origin,
    /// Given or paid for.
    pub category: Category,
    /// 0 burns first, 100 last.
    pub priority: u8,
    /// What it starts with.
    pub original: Credits,
    /// From then on it is gone. `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// A transaction before it is posted.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Whose wallet it moves.
    pub workspace: WorkspaceId,
    /// Why.
    pub kind: Kind,
    /// The words of the statement line.
    pub details: String,
    /// The API key that used something. `None`: nobody's key.
    pub key: Option<ApiKeyId>,
    /// Unique for ever: the same again is a repetition.
    pub idem_key: String,
    /// The two or more sides.
    pub postings: Vec<Posting>,
    /// The lot that one of the postings fills. `None`: none is opened.
    pub opens: Option<NewLot>,
}

impl Draft {
    /// Whether there are two or more postings, none empty, adding up to zero.
    pub fn is_balanced(&self) -> bool {
        let sum: i128 = self.postings.iter().map(|posting| i128::from(posting.amount.micro())).sum();
        self.postings.len() >= 2 && sum == 0 && self.postings.iter().all(|posting| posting.amount != Credits::ZERO)
    }

    /// What the wallet gains, or loses below zero. `None`: more than an amount may be.
    pub fn effect(&self) -> Option<Credits> {
        let wallet = self.postings.iter().filter(|posting| posting.account.is_wallet());
        let sum: i128 = wallet.map(|posting| i128::from(posting.amount.micro())).sum();
        Credits::from_micro(i64::try_from(-sum).ok()?)
    }

    pub(super) fn content(&self) -> [u8; 32] {
        let mut content = Content::new(self.kind, self.workspace);
        for posting in &self.postings {
            content.text(posting.account.code());
            content.text(&posting.account.lot().map(|lot| lot.to_string()).unwrap_or_default());
            content.number(posting.amount.micro());
        }
        content.text(&self.key.map(|key| key.to_string()).unwrap_or_default());
        content.digest()
    }
}

/// Credit for a wallet.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Whose wallet.
    pub workspace: WorkspaceId,
    /// How much; above zero.
    pub amount: Credits,
    /// Where it comes from.
    pub origin: Origin,
    /// Given or paid for.
    pub category: Category,
    /// 0 burns first, 100 last.
    pub priority: u8,
    /// From then on it is gone. `None`: never.
    pub expires_at: Option<Timestamp>,
    /// The words of the statement line.
    pub details: String,
    /// Unique for ever: the same again is a repetition.
    pub idem_key: String,
}

impl Grant {
    /// Credit given, at the usual place in the burn order, without expiry.
    pub fn promotional(
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
            category: Category::Promotional,
            priority: PRIORITY,
            expires_at: None,
            details: details.into(),
            idem_key: idem_key.into(),
        }
    }

    pub(super) fn content(&self) -> [u8; 32] {
        let mut content = Content::new(self.origin.kind(), self.workspace);
        content.number(self.amount.micro());
        content.text(self.category.as_str());
        content.number(i64::from(self.priority));
        content.number(self.expires_at.map_or(i64::MAX, Timestamp::millis));
        content.digest()
    }
}

/// The price of something used.
#[derive(Clone, Debug)]
pub struct Charge {
    /// Whose wallet.
    pub workspace: WorkspaceId,
    /// How much; above zero.
    pub amount: Credits,
    /// The words of the statement line.
    pub details: String,
    /// The API key it was used with. `None`: none.
    pub key: Option<ApiKeyId>,
    /// Unique for ever: the same again is a repetition.
    pub idem_key: String,
}

impl Charge {
    pub(super) fn content(&self) -> [u8; 32] {
        let mut content = Content::new(Kind::Usage, self.workspace);
        content.number(self.amount.micro());
        content.text(&self.key.map(|key| key.to_string()).unwrap_or_default());
        content.digest()
    }
}

/// What was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The transaction.
    pub id: TransactionId,
    /// Its place in the book, dense from 1.
    pub seq: i64,
    /// What the wallet held after it.
    pub balance_after: Credits,
}

/// Which lines of a statement are shown, newest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// The first moment. `None`: from the beginning.
    pub from: Option<Timestamp>,
    /// The moment after the last. `None`: until now.
    pub to: Option<Timestamp>,
    /// Only before this line.
    pub before: Option<Cursor>,
    /// Lines at most; [`STATEMENT_LINES_MAX`] whatever is asked.
    pub limit: u32,
}

/// A line of the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// Its transaction's place in the book.
    pub seq: i64,
    /// Its transaction.
    pub id: TransactionId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub kind: Kind,
    /// In words. Empty: the words were taken back.
    pub details: String,
    /// What the wallet gained, or lost below zero.
    pub amount: Credits,
    /// What the wallet held after it.
    pub balance_after: Credits,
    /// The API key it was used with. `None`: none.
    pub key: Option<ApiKeyId>,
}

/// A lot with what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lot {
    pub id: LotId,
    pub workspace: WorkspaceId,
    pub origin: Origin,
    pub category: Category,
    pub left: Credits,
}

/// How `needed` is taken from lots in the order they come: a posting for each, and what is still missing after them.
pub(super) fn burn(lots: impl IntoIterator<Item = Lot>, needed: Credits) -> (Vec<Posting>, Credits) {
    let mut missing = needed;
    let mut postings = Vec::new();
    for lot in lots {
        if missing == Credits::ZERO {
            break;
        }
        let part = lot.left.min(missing);
        postings.push(Posting::debit(Account::Lot(lot.id), part));
        // `part` is between zero and `missing`, so the difference is an amount.
        missing = missing.minus(part).unwrap_or(Credits::ZERO);
    }
    (postings, missing)
}

/// Digest of what was asked for: money, not words. Words may be taken back later, and a digest of few words would still
/// confirm them.
struct Content(Sha256);

impl Content {
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
