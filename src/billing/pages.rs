//! The door to a person's wallet.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::ledger::{self, Filter, Kind, StatementLine};
use crate::base::{Credits, Cursor, PAGE_SIZE, Zone};
use crate::http::page::{self, PageContext, TheApp};
use crate::http::{Answer, SignedIn};

struct LineRow {
    kind: &'static str,
    details: String,
    time: String,
    amount: String,
    balance: String,
    is_credit: bool,
}

#[derive(Template)]
#[template(path = "billing/billing.html")]
struct BillingPage {
    context: PageContext,
    balance: String,
    balance_hint: &'static str,
    currency: String,
    from: String,
    to: String,
    lines: Vec<LineRow>,
    next: Option<String>,
}

/// Which days, and where the list goes on.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    before: String,
}

/// `GET /settings/billing`. A day that is not one is taken as not asked for.
pub async fn billing(app: TheApp, request: HttpRequest, who: SignedIn, asked: Query<Asked>) -> Answer {
    let zone = who.identity.zone.clone();
    let (from, to) = (zone.day(&asked.from), zone.day(&asked.to));
    let filter = Filter {
        from: from.map(|(start, _)| start),
        // The last day is shown whole.
        to: to.map(|(_, end)| end),
        before: Cursor::parse(&asked.before),
        limit: PAGE_SIZE,
    };
    let workspace = who.identity.workspace;
    let (balance, lines) = app
        .read_offloaded(move |view| {
            Ok::<_, crate::db::Error>((ledger::balance(view, workspace)?, ledger::statement(view, workspace, &filter)?))
        })
        .await?;
    let asked = asked.into_inner();
    let from = from.map(|_| asked.from).unwrap_or_default();
    let to = to.map(|_| asked.to).unwrap_or_default();
    page::render(&BillingPage {
        context: PageContext::new(&app, &request, "Billing"),
        balance: balance.for_people(),
        balance_hint: if balance < Credits::ZERO {
            "You owe this much. The next credit pays it first."
        } else {
            "What programs with your keys can spend."
        },
        currency: app.config().billing.currency.to_uppercase(),
        next: lines.next.map(|cursor| format!("/settings/billing?from={from}&to={to}&before={cursor}")),
        lines: lines.rows.into_iter().map(|line| row(line, &zone)).collect(),
        from,
        to,
    })
}

fn row(line: StatementLine, zone: &Zone) -> LineRow {
    LineRow {
        kind: match line.kind {
            Kind::Signup => "Signup bonus",
            Kind::Adjustment => "Adjustment",
            Kind::Usage => "Usage",
            Kind::Purchase => "Credit purchase",
            Kind::Expired => "Credits expired",
            Kind::Refund => "Refund",
        },
        details: line.details,
        time: line.at.day_and_time_in(zone),
        amount: exact(line.amount),
        balance: line.balance_after.for_people(),
        is_credit: line.amount > Credits::ZERO,
    }
}

/// Two decimals where they tell the whole amount, else all of it: a charge of a tenth of a cent is not "0.00".
fn exact(amount: Credits) -> String {
    if amount.micro() % 10_000 == 0 { amount.for_people() } else { amount.to_string().replace('-', "\u{2212}") }
}
