//! `/settings/billing`.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;

use super::super::flashes::BillingFlash;
use super::super::ledger::{self, holds};
use super::super::transactions::{self, TransactionPage};
use super::super::{allowances, vouchers};
use super::PATH;
use super::transactions::{Fields, TransactionRow, TransactionsQuery, href};
use crate::base::{Credits, Problem};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, Moment, SignedIn, TimeFormat, redirect_with_flash};
use crate::{api_keys, db, services};

/// Choices of a filter at most: the search finds others by their names.
const CHOICES_MAX: usize = 100;

/// A service or a key to choose.
struct SourceChoice {
    value: String,
    label: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "billing/billing.html")]
struct BillingPage {
    context: PageContext,
    fault: Option<FormFault>,
    available: String,
    reserved: String,
    balance_hint: &'static str,
    /// So much expires next, and when. `None`: nothing expires.
    expires: Option<(String, Moment)>,
    /// So much each month, and when the next one comes. `None`: the workspace has no allowance.
    allowance: Option<(String, Moment)>,
    currency: String,
    filter: Fields,
    services: Vec<SourceChoice>,
    keys: Vec<SourceChoice>,
    /// Whether the person asked for something else than the last days.
    is_filtered: bool,
    transactions: Vec<TransactionRow>,
    newest: Option<String>,
    older: Option<String>,
    /// Whether the search stopped before the oldest transactions.
    is_cut: bool,
    download: String,
}

impl BillingPage {
    async fn build(
        app: &AppData,
        request: &HttpRequest,
        who: &SignedIn,
        query: &TransactionsQuery,
    ) -> Result<Self, Problem> {
        let zone = who.identity.zone.clone();
        let fields = Fields::new(query, app, &zone);
        let (filter, workspace) = (fields.page_filter(&zone), who.identity.workspace);
        let (credit, found, services, keys) = app
            .read_offloaded(move |view| {
                let (available, reserved) = (holds::available(view, workspace)?, holds::reserved(view, workspace)?);
                let (expires, allowance) = (ledger::next_expiry(view, workspace)?, allowances::find(view, workspace)?);
                let found = transactions::list(view, workspace, &filter)?;
                let (services, keys) = (services::list(view)?, api_keys::list(view, workspace)?);
                Ok::<_, db::Error>(((available, reserved, expires, allowance), found, services, keys))
            })
            .await?;
        let (available, reserved, expires, allowance) = credit;
        let TransactionPage { rows, next, is_cut } = found;
        let (times, parameters) = (TimeFormat::new(app.now(), &zone), fields.query());
        let services = services.into_iter().map(|one| SourceChoice {
            is_chosen: fields.service == Some(one.id),
            value: one.id.to_string(),
            label: one.name,
        });
        let keys = keys.into_iter().map(|one| SourceChoice {
            is_chosen: fields.key == Some(one.id),
            value: one.id.to_string(),
            label: format!("{} ({}…)", one.name, one.display),
        });
        Ok(Self {
            context: PageContext::new(app, request, "Billing"),
            fault: None,
            available: available.for_people(),
            reserved: reserved.for_people(),
            balance_hint: if available < Credits::ZERO {
                "You owe this amount. Your next credit repays it first."
            } else {
                "Programs that use your API keys can spend this amount."
            },
            expires: expires.map(|(at, left)| (left.for_people(), times.day(at))),
            allowance: allowance.map(|one| (one.amount.for_people(), times.day(one.granted_until))),
            currency: app.config().billing.currency.to_uppercase(),
            services: services.take(CHOICES_MAX).collect(),
            keys: keys.take(CHOICES_MAX).collect(),
            is_filtered: query.from.is_some(),
            newest: fields.after.map(|_| href(&parameters)),
            older: next.map(|place| href(&format!("{parameters}&after={place}"))),
            is_cut,
            transactions: rows.into_iter().map(|row| TransactionRow::new(row, times)).collect(),
            download: format!("{PATH}/download?{parameters}"),
            filter: fields,
        })
    }
}

/// `GET /settings/billing`. What cannot be read of the query is ignored.
pub async fn billing(app: AppData, request: HttpRequest, who: SignedIn, query: Query<TransactionsQuery>) -> Answer {
    page::render(&BillingPage::build(&app, &request, &who, &query).await?)
}

/// `POST /settings/billing/redeem`.
pub async fn redeem(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, code) = (who.actor(), form.secret("code"));
    let redeemed = app.write_deciding(move |tx| vouchers::redeem(tx, &actor, &code)).await;
    match redeemed {
        Ok(_) => Ok(redirect_with_flash(&format!("{PATH}#redeem"), BillingFlash::Redeemed)),
        Err(error) => {
            let problem = Problem::from(error);
            let mut page = BillingPage::build(&app, &request, &who, &TransactionsQuery::default()).await?;
            page.context.path = PATH.to_owned();
            page.fault = Some(FormFault::from(&problem));
            page::render_form_error(&problem, &page)
        }
    }
}
