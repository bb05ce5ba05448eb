//! The arguments of `domicile voucher`.

use clap::{Args, Subcommand};

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum VoucherCommand {
    /// Make codes that give credit, and print them: only now, one on each line. Vouchers work once each; a promo code is one code
    /// for many people.
    #[command(
        after_help = "People redeem a code on their billing page. The credit of vouchers counts as paid for, that of promo codes as given.\n\nExamples:\n  domicile voucher create --amount 25 --codes 40 --reason \"Workshop in May\"\n  domicile voucher create --amount 5 --promo WELCOME-24 --uses 500 --expires 30d --reason Welcome"
    )]
    Create(NewVouchers),
    /// List what was made, the newest first: how often it was redeemed, and whether it still can be. The codes are not stored.
    #[command(after_help = "Example:\n  domicile voucher list --json")]
    List,
    /// End codes that were made at once. Credit that they gave stays.
    #[command(after_help = "Example:\n  domicile voucher revoke vch_01k9…")]
    Revoke {
        /// The id. `voucher list` prints it.
        id: String,
    },
}

/// The options of `voucher create`.
#[derive(Args, Debug)]
pub(in crate::cli) struct NewVouchers {
    /// The credit of each use: decimal credits with at most six decimals.
    #[arg(long, allow_hyphen_values = true)]
    pub amount: String,
    /// What it is for. Everybody who redeems a code reads it in their statement, so name nobody.
    #[arg(long)]
    pub reason: String,
    /// How many vouchers: 1 to 1000. Default: 1.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["promo", "uses", "per_account"])]
    pub codes: Option<u32>,
    /// A promo code instead of vouchers: 4 to 19 letters and digits. Hyphens and spaces do not count.
    #[arg(long, value_name = "CODE", requires = "uses")]
    pub promo: Option<String>,
    /// How often the promo code works, for all people together: 1 to 1000000.
    #[arg(long, value_name = "NUMBER", requires = "promo")]
    pub uses: Option<u32>,
    /// How often the promo code works for one account. Default: 1.
    #[arg(long, value_name = "NUMBER", requires = "promo")]
    pub per_account: Option<u32>,
    /// How long the codes work, for example 90d. Without it: until they are used up or revoked.
    #[arg(long, value_name = "TIME")]
    pub expires: Option<String>,
    /// How long the credit is valid, for example 365d. Without it, the credit does not expire. Credit of vouchers expires only
    /// with billing.paid_credit_expires.
    #[arg(long, value_name = "TIME")]
    pub credit_expires: Option<String>,
}
