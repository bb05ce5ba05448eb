//! The flash messages of the billing page.

use crate::http::flash::flashes;

flashes! {
    /// What happened to credit.
    pub enum BillingFlash {
        Redeemed = good "code-redeemed": "The code is redeemed, and its credit is yours.",
    }
}
