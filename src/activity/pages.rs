//! The activity page.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::model::{Activity, outcome_label};
use super::ops;
use crate::api_keys::exposure_place;
use crate::audit::{Filter, Outcome, Part};
use crate::base::{Cursor, PAGE_SIZE};
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Moment, SignedIn, TimeFormat};
use crate::sessions::device_of;

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

#[derive(Template)]
#[template(path = "activity/activity.html")]
struct ActivityPage {
    context: PageContext,
    events: Vec<EventRow>,
    next: Option<String>,
}

/// The query of the page. `before`: a cursor to older events.
#[derive(Deserialize)]
pub struct ActivityQuery {
    #[serde(default)]
    before: String,
}

/// `GET /activity`.
pub async fn activity(app: AppData, request: HttpRequest, who: SignedIn, from: Query<ActivityQuery>) -> Answer {
    let (account, workspace) = (who.identity.account, who.identity.workspace);
    let filter = Filter { before: Cursor::parse(&from.before), limit: PAGE_SIZE };
    let events = app.read_offloaded(move |view| ops::list(view, account, workspace, &filter)).await?;
    let times = TimeFormat::new(app.now(), &who.identity.zone);
    page::render(&ActivityPage {
        context: PageContext::new(&app, &request, "Activity"),
        next: events.next.map(|cursor| format!("/activity?before={cursor}")),
        events: events.rows.into_iter().map(|activity| row(activity, times)).collect(),
    })
}

fn row(activity: Activity, times: TimeFormat<'_>) -> EventRow {
    let Activity { title, event } = activity;
    let by = match event.actor_kind.as_str() {
        "operator" => Some("by the operator"),
        "service" => Some("by a service"),
        "system" => Some("automatic"),
        _ => None,
    };
    let name = event.private_text(Part::Text, "name").or_else(|| event.private_text(Part::Text, "reason"));
    let place = event.private_text(Part::Contact, "url").and_then(exposure_place);
    let kind = event.data.get("type").and_then(|kind| kind.as_str()).filter(|_| name.is_some());
    let details = [kind, name, place.as_deref(), by].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    EventRow {
        title,
        tag: outcome_label(event.outcome).map(|label| OutcomeTag { label, colour: colour_of(event.outcome) }),
        details,
        device: event.private_text(Part::Network, "agent").map(device_of).unwrap_or_default(),
        address: event.private_text(Part::Network, "address").unwrap_or_default().to_owned(),
        time: times.moment(event.at),
        id: event.id,
    }
}

const fn colour_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "",
        Outcome::Failure => "warn",
        Outcome::Denied => "bad",
    }
}
