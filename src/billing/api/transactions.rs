//! The transactions of a wallet, for holders of an API key.

use std::sync::Arc;

use actix_web::web::{Data, Query};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::{IntoParams, ToSchema};

use super::super::ledger::{self, Kind, StatementLine, Window};
use crate::app::App;
use crate::base::{Credits, Problem, Timestamp, days};
use crate::http::schema::{ErrorBody, ServerError};
use crate::http::{Answer, json};
use crate::verification::api::{KeyHolder, KeyRefusals};

/// The query of the transactions: the first and the last moment.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TransactionsQuery {
    /// The first day or RFC 3339 time, included.
    #[serde(default)]
    #[param(example = "2026-05-01")]
    from: String,
    /// The last day or RFC 3339 time, included. For more than one answer holds: `nextTo` of the answer before.
    #[serde(default)]
    #[param(example = "2026-05-31")]
    to: String,
}

/// The newest transactions.
///
/// An answer has about 1,000 of them. If there are older ones, it has `nextTo`: ask again with it as `to`, and you get the
/// next ones without a gap and without a repetition.
#[utoipa::path(
    get,
    path = "/api/billing/transactions",
    operation_id = "listTransactions",
    tag = "key holders",
    security(("apiKey" = ["billing:read"])),
    params(TransactionsQuery),
    responses(
        (status = 200, description = "The transactions, newest first.", body = TransactionsResponse),
        (
            status = 400,
            description = "`from` or `to` is neither a day nor an RFC 3339 time with an offset. Or `forwarded_unreadable`: \
                           a proxy in front of this site does not tell it the address that the request came from.",
            body = ErrorBody
        ),
        KeyRefusals,
        ServerError
    )
)]
pub async fn transactions(app: Data<Arc<App>>, holder: KeyHolder, query: Query<TransactionsQuery>) -> Answer {
    holder.require(&app, "billing:read")?;
    let (from, to) = read_range(&query.from, &query.to)?;
    let workspace = holder.verified.workspace;
    let window = app.read_offloaded(move |view| ledger::window(view, workspace, from, to)).await?;
    json::ok(&TransactionsResponse::from(&window))
}

/// Parses `from` and `to`: the earliest and the latest time, both included; the second is returned as the end, excluded. A
/// day alone means the whole day in UTC. Empty: no limit on that side.
///
/// # Errors
/// A [`Problem`] with status 400 that names the parameter.
fn read_range(from: &str, to: &str) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
    let fault = |name: &'static str| {
        let sentence = format!(
            "\"{name}\" must be a day such as 2026-05-03, or an RFC 3339 time with an offset such as 2026-05-03T09:00:00Z. In an address, write + as %2B."
        );
        Problem::field(name, "bad_time", sentence)
    };
    let first = match from {
        "" => None,
        text => Some(Timestamp::parse(text).ok_or_else(|| fault("from"))?),
    };
    let end = match to {
        "" => None,
        text => {
            let day = Timestamp::parse_day(text).map(|day| day.plus(days(1)));
            let moment = || Timestamp::parse_rfc3339(text).map(|last| last.plus(std::time::Duration::from_millis(1)));
            Some(day.or_else(moment).ok_or_else(|| fault("to"))?)
        }
    };
    Ok((first, end))
}

/// The response of `GET /api/billing/transactions`, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TransactionsResponse {
    /// The lines of the statement.
    transactions: Vec<Transaction>,
    /// There are older transactions: the value of `to` that gets them. Missing: these are all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-05-03T08:59:59.999Z")]
    next_to: Option<String>,
}

/// A line of the statement, with the names that the client expects.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Transaction {
    /// The id of the transaction.
    #[schema(example = "txn_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    id: String,
    /// The kind, from the client's closed list.
    #[serde(rename = "type")]
    #[schema(example = "training")]
    kind: &'static str,
    /// The change of the balance, in cents with fractions. Below zero: a charge.
    #[schema(value_type = f64, example = -360.0)]
    amount_cents: Number,
    /// The balance after it, in cents with fractions.
    #[schema(value_type = f64, example = 140.0)]
    balance_after: Number,
    /// The API key it was used with. `None`: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "key_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    api_key_id: Option<String>,
    /// The time, RFC 3339 in UTC.
    #[schema(format = DateTime, example = "2026-05-03T09:00:00Z")]
    created_at: String,
}

impl From<&Window> for TransactionsResponse {
    fn from(window: &Window) -> Self {
        let transactions = window.rows.iter().map(|line: &StatementLine| Transaction {
            id: line.id.to_string(),
            kind: transaction_type(line),
            amount_cents: cents(line.amount),
            balance_after: cents(line.balance_after),
            api_key_id: line.key.map(|key| key.to_string()),
            created_at: line.at.rfc3339(),
        });
        Self { transactions: transactions.collect(), next_to: window.next_to.map(Timestamp::rfc3339) }
    }
}

/// The client's name for a kind, from its closed list (contract section 7).
fn transaction_type(line: &StatementLine) -> &'static str {
    match line.kind {
        Kind::Signup | Kind::Company => "signup",
        Kind::Monthly => "monthly_grant",
        Kind::Promo | Kind::Referral => "promo",
        Kind::Purchase | Kind::Voucher => "purchase",
        Kind::AutoTopUp => "auto_topup",
        Kind::Usage => line.category.unwrap_or_default().as_str(),
        Kind::Expired => "pro_credit_expiry",
        Kind::Refund | Kind::PaymentRefund => "refund",
        Kind::Adjustment | Kind::Dispute | Kind::DisputeWon | Kind::WriteOff | Kind::Repayment => "adjustment",
    }
}

/// The exact amount in cents. A micro-credit needs four decimals. The number is built from its digits, not from a
/// float.
fn cents(amount: Credits) -> Number {
    const MICRO_PER_CENT: u64 = 10_000;
    let (sign, micro) = (if amount < Credits::ZERO { "-" } else { "" }, amount.micro().unsigned_abs());
    let (whole, part) = (micro / MICRO_PER_CENT, micro % MICRO_PER_CENT);
    let fraction = if part == 0 { String::new() } else { format!(".{part:04}") };
    // Digits with at most one point between them are always a JSON number.
    #[allow(clippy::expect_used)]
    format!("{sign}{whole}{fraction}").parse().expect("digits are a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_are_exact_to_the_last_micro_credit() {
        let written = |micro: i64| cents(Credits::from_micro(micro).unwrap()).to_string();

        assert_eq!((written(5_000_000), written(0), written(-3_600_000)), ("500".into(), "0".into(), "-360".into()));
        assert_eq!((written(1), written(-12_345)), ("0.0001".into(), "-1.2345".into()));
        assert_eq!(written(999_999_999_999_999), "99999999999.9999");
    }

    #[test]
    fn a_range_includes_its_ends() {
        let at = |text: &str| Timestamp::parse(text);
        let range = |from, to| read_range(from, to).unwrap();

        assert_eq!(range("", ""), (None, None));
        assert_eq!(range("2026-05-01", "2026-05-03"), (at("2026-05-01"), at("2026-05-04")));
        assert_eq!(range("", "2026-05-03T09:00:00Z").1, at("2026-05-03T09:00:00.001Z"));
        assert_eq!(range("", "2026-05-03T09:00:00+02:00").1, at("2026-05-03T07:00:00.001Z"));
        assert!(range("0001-01-01", "9999-12-31").1 > at("9999-12-31T23:59:59.999Z"));
        assert!(range("", "9999-12-31T23:59:59.999Z").1 > at("9999-12-31"));
        for bad in ["soon", "2026-05-03T09:00:00", "2026-05-03T09:00:00 02:00", "2026-02-30", "1777766400"] {
            assert_eq!(read_range(bad, "").unwrap_err().field, Some("from"), "{bad}");
            assert_eq!(read_range("", bad).unwrap_err().field, Some("to"), "{bad}");
        }
    }
}
