//! `/settings/usage`: what usage costs, and what services keep.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::ledger::holds;
use super::super::spending::{self, Bar, GroupBy, Period, Share, Spending, Step};
use crate::api_keys::{self, MonthlyBudget};
use crate::base::{Credits, Timestamp};
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, SignedIn};
use crate::resources;
use crate::resources::pages::StorageView;

/// The height of the chart in its own units.
const HEIGHT: i64 = 100;
/// The width of a bar with the gap after it, and of what is drawn of it.
const BAR_WIDTH: i64 = 4;

/// A choice of the filter.
struct Choice {
    value: &'static str,
    label: &'static str,
    is_chosen: bool,
}

/// A bar of the chart, and a row of its table.
struct BarView {
    x: i64,
    y: i64,
    height: i64,
    /// The bar of the period before, behind it.
    before_y: i64,
    before_height: i64,
    is_running: bool,
    when: String,
    charge: String,
    before: String,
    events: i64,
}

struct ChartView {
    bars: Vec<BarView>,
    width: i64,
    top: String,
    half: String,
    first: String,
    last: String,
    sentence: String,
}

struct ShareView {
    name: String,
    events: i64,
    charge: String,
    percent: i64,
}

struct BudgetView {
    name: String,
    used: String,
    amount: String,
    percent: i64,
    is_spent: bool,
}

#[derive(Template)]
#[template(path = "billing/usage.html")]
struct UsagePage {
    context: PageContext,
    currency: String,
    available: String,
    total: String,
    /// What as many days before it cost, and how many days that are.
    before: (String, i64),
    events: i64,
    average: String,
    from: String,
    to: String,
    steps: [Choice; 2],
    groups: [Choice; 3],
    /// The heading of the first column of the shares.
    group: &'static str,
    chart: ChartView,
    shares: Vec<ShareView>,
    budgets: Vec<BudgetView>,
    storage: StorageView,
}

/// The query of the page: the first and the last day, what a bar stands for, and by what the spending is divided.
#[derive(Deserialize, Default)]
pub struct UsageQuery {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    group: String,
}

const fn label_of(group: GroupBy) -> &'static str {
    match group {
        GroupBy::Sku => "What was used",
        GroupBy::Service => "Service",
        GroupBy::Key => "API key",
    }
}

fn when(bar: &Bar, step: Step) -> String {
    match step {
        Step::Day => bar.first.day(),
        Step::Month => bar.first.month_in_words(),
    }
}

fn height_of(amount: Credits, top: Credits) -> i64 {
    let height = i128::from(amount.micro()) * i128::from(HEIGHT) / i128::from(top.micro().max(1));
    i64::try_from(height.clamp(0, i128::from(HEIGHT))).unwrap_or_default()
}

fn chart(spending: &Spending, period: Period, step: Step, currency: &str) -> ChartView {
    let top = spending.scale_top();
    let bar = |(index, bar): (i64, &Bar)| {
        let (height, before_height) = (height_of(bar.charge, top), height_of(bar.before, top));
        BarView {
            x: index * BAR_WIDTH,
            y: HEIGHT - height,
            height,
            before_y: HEIGHT - before_height,
            before_height,
            is_running: bar.is_running,
            when: when(bar, step),
            charge: bar.charge.in_full(),
            before: bar.before.in_full(),
            events: bar.events,
        }
    };
    let bars: Vec<BarView> = (0..).zip(&spending.bars).map(bar).collect();
    let half = Credits::from_micro(top.micro() / 2).unwrap_or(Credits::ZERO);
    let day = |number: i64| Timestamp::from_day_number(number).day();
    ChartView {
        width: (i64::try_from(bars.len()).unwrap_or(1) * BAR_WIDTH - 1).max(1),
        top: top.in_full(),
        half: half.in_full(),
        first: day(period.first),
        last: day(period.last),
        sentence: format!(
            "Usage cost {} {currency} from {} to {}, and {} {currency} in the {} days before",
            spending.total.in_full(),
            day(period.first),
            day(period.last),
            spending.before.in_full(),
            period.days()
        ),
        bars,
    }
}

fn share_view(share: Share) -> ShareView {
    ShareView { name: share.name, events: share.events, charge: share.charge.in_full(), percent: share.percent }
}

fn budget_view(budget: MonthlyBudget) -> BudgetView {
    BudgetView {
        used: budget.used.in_full(),
        amount: budget.amount.in_full(),
        percent: budget.percent(),
        is_spent: budget.is_spent(),
        name: budget.name,
    }
}

/// `GET /settings/usage`. What cannot be read of the query is ignored. Days are those of UTC.
pub async fn usage(app: AppData, request: HttpRequest, who: SignedIn, query: Query<UsageQuery>) -> Answer {
    let now = app.now();
    let period = Period::new(Timestamp::parse_day(&query.from), Timestamp::parse_day(&query.to), now);
    let (step, group) = (Step::new(&query.by, period), GroupBy::new(&query.group));
    let workspace = who.identity.workspace;
    let (available, spending, budgets, storage) = app
        .read_offloaded(move |view| {
            let available = holds::available(view, workspace)?;
            let spending = spending::read(view, workspace, period, step, group)?;
            let budgets = api_keys::monthly_budgets(view, workspace)?;
            Ok::<_, resources::ResourceError>((available, spending, budgets, resources::storage(view, workspace)?))
        })
        .await?;
    let currency = app.config().billing.currency.to_uppercase();
    let steps = [(Step::Day, "day", "Day"), (Step::Month, "month", "Month")];
    let iso = |number: i64| Timestamp::from_day_number(number).iso_day();
    page::render(&UsagePage {
        context: PageContext::new(&app, &request, "Usage"),
        available: available.for_people(),
        total: spending.total.for_people(),
        before: (spending.before.for_people(), period.days()),
        events: spending.events,
        average: spending.average().map_or_else(|| "–".to_owned(), Credits::in_full),
        from: iso(period.first),
        to: iso(period.last),
        steps: steps.map(|(one, value, label)| Choice { value, label, is_chosen: one == step }),
        groups: GroupBy::ALL.map(|one| Choice { value: one.as_str(), label: label_of(one), is_chosen: one == group }),
        group: label_of(group),
        chart: chart(&spending, period, step, &currency),
        shares: spending.shares.into_iter().map(share_view).collect(),
        budgets: budgets.into_iter().map(budget_view).collect(),
        storage: StorageView::new(storage),
        currency,
    })
}
