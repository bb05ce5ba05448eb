//! The kinds of transactions, of credit and of ledger accounts.

use crate::base::{Credits, LotId};

/// The kind of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The welcome credit of a new account.
    Signup,
    /// The credit for a verified address of a company.
    Company,
    /// The credit of a month.
    Monthly,
    /// A promo code.
    Promo,
    /// The reward for a new account, for both sides.
    Referral,
    /// A payment.
    Purchase,
    /// A payment that was made because the credit ran low.
    AutoTopUp,
    /// A voucher that was sold.
    Voucher,
    /// An operator granted credit, or took it back.
    Adjustment,
    /// A service reported usage.
    Usage,
    /// A lot expired.
    Expired,
    /// An earlier charge was returned, in whole or in part.
    Refund,
    /// A payment was returned, with the credit that it bought.
    PaymentRefund,
    /// The bank of the payer took a payment back.
    Dispute,
    /// The payment of a dispute came back.
    DisputeWon,
    /// A debt that nobody will pay.
    WriteOff,
    /// Credit that was reserved repays a debt that was made meanwhile. The balance stays the same.
    Repayment,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Signup,
        Self::Company,
        Self::Monthly,
        Self::Promo,
        Self::Referral,
        Self::Purchase,
        Self::AutoTopUp,
        Self::Voucher,
        Self::Adjustment,
        Self::Usage,
        Self::Expired,
        Self::Refund,
        Self::PaymentRefund,
        Self::Dispute,
        Self::DisputeWon,
        Self::WriteOff,
        Self::Repayment,
    ];

    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::Company => "company",
            Self::Monthly => "monthly",
            Self::Promo => "promo",
            Self::Referral => "referral",
            Self::Purchase => "purchase",
            Self::AutoTopUp => "auto_topup",
            Self::Voucher => "voucher",
            Self::Adjustment => "adjustment",
            Self::Usage => "usage",
            Self::Expired => "expired",
            Self::Refund => "refund",
            Self::PaymentRefund => "payment_refund",
            Self::Dispute => "dispute",
            Self::DisputeWon => "dispute_won",
            Self::WriteOff => "write_off",
            Self::Repayment => "repayment",
        }
    }

    /// Parses the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The origin of credit: the kinds that grant credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The welcome credit.
    Signup,
    /// A verified address of a company.
    Company,
    /// The credit of a month.
    Monthly,
    /// A promo code.
    Promo,
    /// A new account that somebody was asked to make.
    Referral,
    /// A payment.
    Purchase,
    /// A payment that was made because the credit ran low.
    AutoTopUp,
    /// A voucher.
    Voucher,
    /// An operator.
    Adjustment,
    /// An earlier charge.
    Refund,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Signup,
        Self::Company,
        Self::Monthly,
        Self::Promo,
        Self::Referral,
        Self::Purchase,
        Self::AutoTopUp,
        Self::Voucher,
        Self::Adjustment,
        Self::Refund,
    ];

    /// The kind of the transaction that grants it.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Signup => Kind::Signup,
            Self::Company => Kind::Company,
            Self::Monthly => Kind::Monthly,
            Self::Promo => Kind::Promo,
            Self::Referral => Kind::Referral,
            Self::Purchase => Kind::Purchase,
            Self::AutoTopUp => Kind::AutoTopUp,
            Self::Voucher => Kind::Voucher,
            Self::Adjustment => Kind::Adjustment,
            Self::Refund => Kind::Refund,
        }
    }

    /// Parses the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.kind().as_str() == text)
    }

    /// Whether it is paid for or given.
    pub const fn category(self) -> Category {
        match self {
            Self::Purchase | Self::AutoTopUp | Self::Voucher => Category::Paid,
            _ => Category::Promotional,
        }
    }

    /// The ledger account that grants it.
    pub(in super::super) const fn source_account(self) -> Account {
        match self {
            Self::Signup | Self::Company => Account::SignupExpense,
            Self::Monthly => Account::MonthlyExpense,
            Self::Promo => Account::PromoExpense,
            Self::Referral => Account::ReferralExpense,
            Self::Purchase | Self::AutoTopUp => Account::Clearing,
            Self::Voucher => Account::VouchersSold,
            Self::Adjustment => Account::Adjustments,
            Self::Refund => Account::Usage,
        }
    }

    /// The ledger account that receives expired credit: promotional credit returns to its source; paid credit becomes
    /// income.
    pub(in super::super) const fn expiry_account(self, category: Category) -> Account {
        match category {
            Category::Promotional => self.source_account(),
            Category::Paid => Account::Breakage,
        }
    }
}

/// Whether a lot was paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// Granted without a payment.
    Promotional,
    /// Paid for.
    Paid,
}

impl Category {
    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promotional => "promotional",
            Self::Paid => "paid",
        }
    }

    /// Parses the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Promotional, Self::Paid].into_iter().find(|category| category.as_str() == text)
    }
}

/// A ledger account. The first two belong to a wallet, the others to the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The remaining credit of one lot.
    Lot(LotId),
    /// The debt of the wallet.
    Overdraft,
    /// Credit for new accounts and for addresses of companies that was granted.
    SignupExpense,
    /// Monthly credit that was granted.
    MonthlyExpense,
    /// Credit that was granted for promo codes.
    PromoExpense,
    /// Rewards for new accounts.
    ReferralExpense,
    /// Vouchers that were sold and redeemed.
    VouchersSold,
    /// Credit that operators granted, less what they took back.
    Adjustments,
    /// Payments in transit.
    Clearing,
    /// Income from usage.
    Usage,
    /// Paid credit that expired.
    Breakage,
    /// Fees of disputes.
    DisputeFees,
    /// Debts that were written off.
    BadDebt,
}

impl Account {
    /// The stored form.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Lot(_) => "lot",
            Self::Overdraft => "overdraft",
            Self::SignupExpense => "expense.signup",
            Self::MonthlyExpense => "expense.monthly",
            Self::PromoExpense => "expense.promo",
            Self::ReferralExpense => "expense.referral",
            Self::VouchersSold => "asset.voucher_sold",
            Self::Adjustments => "equity.adjustment",
            Self::Clearing => "asset.clearing",
            Self::Usage => "income.usage",
            Self::Breakage => "income.breakage",
            Self::DisputeFees => "expense.dispute",
            Self::BadDebt => "expense.bad_debt",
        }
    }

    /// The lot of the account. `None`: it is not the account of a lot.
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

    /// The minimum and the maximum balance, in micro-credits, debits positive. The limit of the site's accounts is a
    /// little below the largest integer, so that adding a posting cannot overflow.
    pub(in super::super) const fn bounds(self) -> (i64, i64) {
        const SITE_MAX: i64 = 9_000_000_000_000_000_000;
        match self {
            Self::Lot(_) => (-Credits::MAX.micro(), 0),
            Self::Overdraft => (0, Credits::MAX.micro()),
            _ => (-SITE_MAX, SITE_MAX),
        }
    }
}
