//! The activity page and its download.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::{Deserialize, Serialize};

use super::model::{Activity, ActivityFilter, ActivityPage, outcome_label};
use super::ops::{self, DOWNLOAD_MAX};
use crate::app::App;
use crate::audit::Outcome;
use crate::base::{Cursor, PAGE_SIZE, PAGE_SIZE_MAX, Problem, Zone, days, escape_formula, percent_encoded};
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Moment, SignedIn, TimeFormat, attachment, csv_text};

const PATH: &str = "/activity";
/// How many days the page shows if the address names none.
const DAYS: u64 = 30;
/// The rows that a person can choose.
const SIZES: [u32; 3] = [PAGE_SIZE, 50, PAGE_SIZE_MAX];
/// Characters of a search at most.
const SEARCH_MAX: usize = 100;

struct EventRow {
    title: String,
    tag: Option<OutcomeTag>,
    details: String,
    device: String,
    address: String,
    time: Moment,
    id: String,
}

/// The tag of an action that was not done.
struct OutcomeTag {
    label: &'static str,
    colour: &'static str,
}

struct SizeChoice {
    value: u32,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "activity/activity.html")]
struct EventsPage {
    context: PageContext,
    filter: Fields,
    sizes: [SizeChoice; 3],
    /// Whether the person asked for something else than the last days.
    is_filtered: bool,
    events: Vec<EventRow>,
    newest: Option<String>,
    older: Option<String>,
    is_cut: bool,
    download: String,
}

/// The query of the page. `before`: a cursor to older events.
#[derive(Deserialize)]
pub struct ActivityQuery {
    #[serde(default)]
    q: String,
    from: Option<String>,
    #[serde(default)]
    to: String,
    #[serde(default)]
    size: String,
    #[serde(default)]
    before: String,
    #[serde(default)]
    format: String,
}

/// The filter as a person reads it, and as the address has it. What cannot be read is left out.
struct Fields {
    search: String,
    /// The first day, and the last one. Empty: no limit on that side.
    from: String,
    to: String,
    size: u32,
}

impl Fields {
    fn new(query: &ActivityQuery, app: &App, zone: &Zone) -> Self {
        let is_day = |text: &String| zone.day(text).is_some();
        let first = || app.now().minus(days(DAYS - 1)).iso_day_in(zone);
        Self {
            search: query.q.trim().chars().take(SEARCH_MAX).collect(),
            from: query.from.clone().map_or_else(first, |from| Some(from).filter(is_day).unwrap_or_default()),
            to: Some(query.to.clone()).filter(is_day).unwrap_or_default(),
            size: query.size.parse().ok().filter(|size| SIZES.contains(size)).unwrap_or(PAGE_SIZE),
        }
    }

    fn filter(&self, zone: &Zone, before: Option<Cursor>, limit: usize) -> ActivityFilter {
        ActivityFilter {
            search: self.search.clone(),
            from: zone.day(&self.from).map(|(start, _)| start),
            // The range includes the whole last day.
            until: zone.day(&self.to).map(|(_, end)| end),
            before,
            limit,
        }
    }

    fn query(&self) -> String {
        let Self { search, from, to, size } = self;
        format!("q={}&from={from}&to={to}&size={size}", percent_encoded(search))
    }
}

async fn read(app: &AppData, who: &SignedIn, filter: ActivityFilter) -> Result<ActivityPage, Problem> {
    let (account, workspace) = (who.identity.account, who.identity.workspace);
    Ok(app.read_offloaded(move |view| ops::list(view, account, workspace, &filter)).await?)
}

/// `GET /activity`.
pub async fn activity(app: AppData, request: HttpRequest, who: SignedIn, query: Query<ActivityQuery>) -> Answer {
    let zone = &who.identity.zone;
    let (fields, before) = (Fields::new(&query, &app, zone), Cursor::parse(&query.before));
    let found = read(&app, &who, fields.filter(zone, before, fields.size as usize)).await?;
    let (times, parameters) = (TimeFormat::new(app.now(), zone), fields.query());
    page::render(&EventsPage {
        context: PageContext::new(&app, &request, "Activity"),
        is_filtered: query.from.is_some() || !fields.search.is_empty(),
        newest: before.map(|_| format!("{PATH}?{parameters}")),
        older: found.next.map(|cursor| format!("{PATH}?{parameters}&before={cursor}")),
        is_cut: found.is_cut,
        events: found.rows.into_iter().map(|activity| row(activity, times)).collect(),
        sizes: SIZES.map(|value| SizeChoice { value, is_chosen: value == fields.size }),
        download: format!("{PATH}/download?{parameters}"),
        filter: fields,
    })
}

fn row(activity: Activity, times: TimeFormat<'_>) -> EventRow {
    let parts = [&activity.kind, &activity.name, &activity.details, activity.by];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    EventRow {
        details: parts.join(" · "),
        title: activity.title,
        tag: outcome_label(activity.event.outcome).map(|label| {
            let colour = colour_of(activity.event.outcome);
            OutcomeTag { label, colour }
        }),
        device: activity.device,
        address: activity.address,
        time: times.moment(activity.event.at),
        id: activity.event.id,
    }
}

const fn colour_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "",
        Outcome::Failure => "warn",
        Outcome::Denied => "bad",
    }
}

/// An event in a download.
#[derive(Serialize)]
struct Record<'a> {
    id: &'a str,
    time: String,
    /// Its stable name.
    event: &'a str,
    title: &'a str,
    outcome: &'static str,
    r#type: &'a str,
    name: &'a str,
    resource: &'a str,
    details: &'a str,
    /// The kind of the actor, and its id.
    by: &'a str,
    actor: &'a str,
    device: &'a str,
    address: &'a str,
}

impl<'a> Record<'a> {
    fn new(activity: &'a Activity) -> Self {
        let event = &activity.event;
        Self {
            id: &event.id,
            time: event.at.rfc3339(),
            event: &event.name,
            title: &activity.title,
            outcome: event.outcome.as_str(),
            r#type: &activity.kind,
            name: &activity.name,
            resource: event.target.as_deref().unwrap_or_default(),
            details: &activity.details,
            by: &event.actor_kind,
            actor: event.actor_id.as_deref().unwrap_or_default(),
            device: &activity.device,
            address: &activity.address,
        }
    }

    /// With what people typed, and what their browsers say, as text for a spreadsheet.
    fn cells(&self) -> [String; 13] {
        let text = escape_formula;
        [
            self.id.to_owned(),
            self.time.clone(),
            self.event.to_owned(),
            self.title.to_owned(),
            self.outcome.to_owned(),
            text(self.r#type),
            text(self.name),
            text(self.resource),
            text(self.details),
            self.by.to_owned(),
            self.actor.to_owned(),
            text(self.device),
            text(self.address),
        ]
    }
}

const COLUMNS: [&str; 13] = [
    "id", "time", "event", "title", "outcome", "type", "name", "resource", "details", "by", "actor", "device",
    "address",
];

/// `GET /activity/download`: everything that the filter of the page finds, as a file.
pub async fn download(app: AppData, who: SignedIn, query: Query<ActivityQuery>) -> Answer {
    let zone = &who.identity.zone;
    let fields = Fields::new(&query, &app, zone);
    let found = read(&app, &who, fields.filter(zone, None, DOWNLOAD_MAX)).await?;
    let (kind, ending, body) = if query.format == "json" {
        let events: Vec<_> = found.rows.iter().map(Record::new).collect();
        let body = serde_json::json!({"events": events, "more": found.next.is_some()});
        ("application/json", "json", body.to_string().into_bytes())
    } else {
        let cells = found.rows.iter().map(|activity| Record::new(activity).cells());
        ("text/csv; charset=utf-8", "csv", csv_text(COLUMNS, cells).map_err(Problem::internal)?)
    };
    Ok(attachment(kind, &format!("activity-{}.{ending}", app.now().iso_day_in(zone)), body))
}
