//! The billing page.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::flashes::BillingFlash;
use super::ledger::{self, Filter, Kind, StatementLine, holds};
use super::{allowances, vouchers};
use crate::base::{Credits, Cursor, PAGE_SIZE, Problem, hours};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, Moment, SignedIn, TimeFormat, redirect_with_flash};

const PATH: &str = "/settings/billing";

/// When usage was charged is shown if that was so much later than the usage.
const POSTED_LATE: Duration = hours(1);

struct TransactionRow {
    kind: &'static str,
    details: String,
    time: Moment,
    /// When it was posted, if that was later.
    posted: Option<Moment>,
    amount: String,
    balance: String,
    is_credit: bool,
}

#[derive(Template)]
#[template(path = "billing/billing.html")]
struct BillingPage {
    context: PageContext,
    fault: Option<FormFault>,
    available: String,
    /// `None`: nothing is reserved.
    reserved: Option<String>,
    balance_hint: &'static str,
    /// So much each month, and when the next one comes. `None`: the workspace has no allowance.
    allowance: Option<(String, Moment)>,
    currency: String,
    from: String,
    to: String,
    transactions: Vec<TransactionRow>,
    next: Option<String>,
}

/// The query of the page: the first and the last day, and a cursor to older transactions.
#[derive(Deserialize, Default)]
pub struct BillingQuery {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    before: String,
}

impl BillingPage {
    async fn build(app: &AppData, request: &HttpRequest, who: &SignedIn, query: BillingQuery) -> Result<Self, Problem> {
        let zone = who.identity.zone.clone();
        let (from, to) = (zone.day(&query.from), zone.day(&query.to));
        let filter = Filter {
            from: from.map(|(start, _)| start),
            // The range includes the whole last day.
            to: to.map(|(_, end)| end),
            before: Cursor::parse(&query.before),
            limit: PAGE_SIZE,
        };
        let workspace = who.identity.workspace;
        let (available, reserved, allowance, lines) = app
            .read_offloaded(move |view| {
                let (available, reserved) = (holds::available(view, workspace)?, holds::reserved(view, workspace)?);
                let allowance = allowances::find(view, workspace)?;
                Ok::<_, crate::db::Error>((
                    available,
                    reserved,
                    allowance,
                    ledger::statement(view, workspace, &filter)?,
                ))
            })
            .await?;
        let times = TimeFormat::new(app.now(), &zone);
        let from = from.map(|_| query.from).unwrap_or_default();
        let to = to.map(|_| query.to).unwrap_or_default();
        Ok(Self {
            context: PageContext::new(app, request, "Billing"),
            fault: None,
            available: available.for_people(),
            reserved: (reserved > Credits::ZERO).then(|| reserved.for_people()),
            balance_hint: if available < Credits::ZERO {
                "You owe this amount. Your next credit repays it first."
            } else {
                "Programs that use your API keys can spend this amount."
            },
            allowance: allowance.map(|one| (one.amount.for_people(), times.day(one.granted_until))),
            currency: app.config().billing.currency.to_uppercase(),
            next: lines.next.map(|cursor| format!("{PATH}?from={from}&to={to}&before={cursor}")),
            transactions: lines.rows.into_iter().map(|line| row(line, times)).collect(),
            from,
            to,
        })
    }
}

/// `GET /settings/billing`. An invalid day is ignored.
pub async fn billing(app: AppData, request: HttpRequest, who: SignedIn, query: Query<BillingQuery>) -> Answer {
    page::render(&BillingPage::build(&app, &request, &who, query.into_inner()).await?)
}

/// `POST /settings/billing/redeem`.
pub async fn redeem(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, code) = (who.actor(), form.secret("code"));
    let redeemed = app.write_deciding(move |tx| vouchers::redeem(tx, &actor, &code)).await;
    match redeemed {
        Ok(_) => Ok(redirect_with_flash(&format!("{PATH}#redeem"), BillingFlash::Redeemed)),
        Err(error) => {
            let problem = Problem::from(error);
            let mut page = BillingPage::build(&app, &request, &who, BillingQuery::default()).await?;
            page.context.path = PATH.to_owned();
            page.fault = Some(FormFault::from(&problem));
            page::render_form_error(&problem, &page)
        }
    }
}

fn row(line: StatementLine, times: TimeFormat<'_>) -> TransactionRow {
    TransactionRow {
        kind: match line.kind {
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
        },
        details: line.details,
        time: times.moment(line.occurred_at.unwrap_or(line.at)),
        posted: line.occurred_at.filter(|at| at.plus(POSTED_LATE) < line.at).map(|_| times.moment(line.at)),
        amount: format_amount(line.amount),
        balance: line.balance_after.for_people(),
        is_credit: line.amount > Credits::ZERO,
    }
}

/// The amount with two decimals, or with more if it has more: a charge of a tenth of a cent is not shown as "0.00".
fn format_amount(amount: Credits) -> String {
    if amount.micro() % 10_000 == 0 { amount.for_people() } else { amount.to_string().replace('-', "\u{2212}") }
}
