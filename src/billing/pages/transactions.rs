//! The transactions on the billing page, and their download.

use actix_web::web::Query;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::ledger::Place;
use super::super::transactions::{self, DOWNLOAD_MAX, Transaction, TransactionFilter};
use super::PATH;
use crate::app::App;
use crate::base::{
    ApiKeyId, Credits, PAGE_SIZE, Problem, ServiceId, Zone, days, escape_formula, hours, percent_encoded,
};
use crate::http::page::AppData;
use crate::http::{Answer, Moment, SignedIn, TimeFormat, attachment, csv_text};

/// How many days the page shows if the address names none.
const DAYS: u64 = 30;
/// Characters of a search at most.
const SEARCH_MAX: usize = 100;
/// When usage was charged is shown if that was so much later than the usage.
const POSTED_LATE: std::time::Duration = hours(1);

/// The query of the page: what is searched for, and where a page begins.
#[derive(Deserialize, Default)]
pub struct TransactionsQuery {
    #[serde(default)]
    q: String,
    pub(super) from: Option<String>,
    #[serde(default)]
    to: String,
    #[serde(default)]
    service: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    after: String,
    #[serde(default)]
    format: String,
}

/// The filter as a person reads it, and as the address has it. What cannot be read is left out.
pub(super) struct Fields {
    pub search: String,
    /// The first day, and the last one. Empty: no limit on that side.
    pub from: String,
    pub to: String,
    pub service: Option<ServiceId>,
    pub key: Option<ApiKeyId>,
    pub after: Option<Place>,
}

impl Fields {
    pub fn new(query: &TransactionsQuery, app: &App, zone: &Zone) -> Self {
        let is_day = |text: &String| zone.day(text).is_some();
        let first = || app.now().minus(days(DAYS - 1)).iso_day_in(zone);
        Self {
            search: query.q.trim().chars().take(SEARCH_MAX).collect(),
            from: query.from.clone().map_or_else(first, |from| Some(from).filter(is_day).unwrap_or_default()),
            to: Some(query.to.clone()).filter(is_day).unwrap_or_default(),
            service: ServiceId::parse(&query.service),
            key: ApiKeyId::parse(&query.key),
            after: Place::parse(&query.after),
        }
    }

    pub fn filter(&self, zone: &Zone, limit: usize) -> TransactionFilter {
        TransactionFilter {
            search: self.search.clone(),
            from: zone.day(&self.from).map(|(start, _)| start),
            // The range includes the whole last day.
            until: zone.day(&self.to).map(|(_, end)| end),
            service: self.service,
            key: self.key,
            after: self.after,
            limit,
        }
    }

    /// For one page of the list.
    pub fn page_filter(&self, zone: &Zone) -> TransactionFilter {
        self.filter(zone, PAGE_SIZE as usize)
    }

    pub fn query(&self) -> String {
        let text = |id: Option<String>| id.unwrap_or_default();
        let (service, key) = (self.service.map(|id| id.to_string()), self.key.map(|id| id.to_string()));
        let Self { search, from, to, .. } = self;
        let search = percent_encoded(search);
        format!("q={search}&from={from}&to={to}&service={}&key={}", text(service), text(key))
    }
}

pub(super) struct TransactionRow {
    pub title: &'static str,
    pub details: String,
    /// The service and the key, if they are known.
    pub source: String,
    pub time: Moment,
    /// When it was posted, if that was later.
    pub posted: Option<Moment>,
    pub amount: String,
    pub balance: String,
    pub is_credit: bool,
}

impl TransactionRow {
    pub fn new(transaction: Transaction, times: TimeFormat<'_>) -> Self {
        let Transaction { line, title, service, key } = transaction;
        let source: Vec<String> = [service, key].into_iter().filter(|name| !name.is_empty()).collect();
        Self {
            title,
            source: source.join(" · "),
            time: times.moment(line.happened_at()),
            posted: line.occurred_at.filter(|at| at.plus(POSTED_LATE) < line.at).map(|_| times.moment(line.at)),
            amount: line.amount.in_full(),
            balance: line.balance_after.for_people(),
            is_credit: line.amount > Credits::ZERO,
            details: line.details,
        }
    }
}

/// A transaction in a download.
#[derive(Serialize)]
struct Record<'a> {
    id: String,
    /// When it happened, and when it was posted.
    time: String,
    posted: String,
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    details: &'a str,
    service: &'a str,
    key: &'a str,
    /// Decimal credits.
    amount: String,
    balance_after: String,
}

const COLUMNS: [&str; 10] =
    ["id", "time", "posted", "type", "title", "details", "service", "key", "amount", "balance_after"];

impl<'a> Record<'a> {
    fn new(transaction: &'a Transaction) -> Self {
        let line = &transaction.line;
        Self {
            id: line.id.to_string(),
            time: line.happened_at().rfc3339(),
            posted: line.at.rfc3339(),
            kind: line.kind.as_str(),
            title: transaction.title,
            details: &line.details,
            service: &transaction.service,
            key: &transaction.key,
            amount: line.amount.to_string(),
            balance_after: line.balance_after.to_string(),
        }
    }

    /// With what people typed as text for a spreadsheet. Amounts stay numbers.
    fn cells(self) -> [String; 10] {
        let text = escape_formula;
        [
            self.id,
            self.time,
            self.posted,
            self.kind.to_owned(),
            self.title.to_owned(),
            text(self.details),
            text(self.service),
            text(self.key),
            self.amount,
            self.balance_after,
        ]
    }
}

/// `GET /settings/billing/download`: everything that the filter of the page finds, as a file.
pub async fn download(app: AppData, who: SignedIn, query: Query<TransactionsQuery>) -> Answer {
    let zone = &who.identity.zone;
    let fields = Fields { after: None, ..Fields::new(&query, &app, zone) };
    let (filter, workspace) = (fields.filter(zone, DOWNLOAD_MAX), who.identity.workspace);
    let found = app.read_offloaded(move |view| transactions::list(view, workspace, &filter)).await?;
    let rows = found.rows.iter().map(Record::new);
    let (kind, ending, body) = if query.format == "json" {
        let body = json!({"transactions": rows.collect::<Vec<_>>(), "more": found.next.is_some()});
        ("application/json", "json", body.to_string().into_bytes())
    } else {
        let text = csv_text(COLUMNS, rows.map(Record::cells)).map_err(Problem::internal)?;
        ("text/csv; charset=utf-8", "csv", text)
    };
    Ok(attachment(kind, &format!("transactions-{}.{ending}", app.now().iso_day_in(zone)), body))
}

/// The address of the page with this query.
pub(super) fn href(parameters: &str) -> String {
    format!("{PATH}?{parameters}")
}
