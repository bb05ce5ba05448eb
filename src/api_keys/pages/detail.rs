//! `/settings/keys/{id}`: the page of one key.

use actix_web::web::{Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::super::error::ApiKeyError;
use super::super::model::{ApiKey, KeyActs, KeyChange, KeyName, KeyNote, Limits, Period};
use super::super::ops::{self, Insight};
use super::format::{Chart, LastUse, expiry_day, limits_text, state_tag, thousands};
use super::list::{Choice, periods};
use super::parse_id;
use super::scope_table::{Row, ScopeChoices, Tick};
use crate::base::{ApiKeyId, Problem, Secret, Timestamp, Zone};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, CommonFlash, Form, Moment, SignedIn, TimeFormat, redirect, redirect_with_flash};

struct CallerRow {
    address: String,
    agent: String,
    last: Moment,
    uses: String,
}

/// The values of the form's fields.
struct Draft {
    name: String,
    note: String,
    networks: String,
    rate: String,
    budget: String,
    period: String,
}

impl Draft {
    fn new(key: &ApiKey) -> Self {
        let Limits { rate_per_minute, budget, .. } = &key.limits;
        Self {
            name: key.name.clone(),
            note: key.note.clone(),
            networks: key.limits.networks_text().replace(' ', ", "),
            rate: rate_per_minute.map(|rate| rate.to_string()).unwrap_or_default(),
            budget: budget.map(|budget| budget.amount.to_string()).unwrap_or_default(),
            period: budget.map_or(Period::Month, |budget| budget.period).as_str().to_owned(),
        }
    }

    /// The fields of a form over what the key has: name and note are one form, its limits another.
    fn from_form(form: &Form, key: &ApiKey) -> Self {
        let mut draft = Self::new(key);
        if form.has("name") {
            draft.name = form.text("name").to_owned();
            draft.note = form.text("note").to_owned();
        }
        if form.has("networks") {
            let text = |name: &str| form.text(name).trim().to_owned();
            draft.networks = text("networks");
            draft.rate = text("rate");
            draft.budget = text("budget");
            draft.period = text("budget_period");
        }
        draft
    }

    fn read(&self) -> Result<KeyChange, ApiKeyError> {
        Ok(KeyChange {
            name: KeyName::parse(&self.name).ok_or(ApiKeyError::Name)?,
            note: KeyNote::parse(&self.note).ok_or(ApiKeyError::Note)?,
            limits: Limits::parse(&self.networks, &self.rate, &self.budget, &self.period)?,
        })
    }
}

#[derive(Template)]
#[template(path = "api_keys/detail.html")]
struct DetailPage {
    context: PageContext,
    fault: Option<FormFault>,
    id: String,
    name: String,
    note: String,
    display: String,
    state: &'static str,
    colour: &'static str,
    scopes: Vec<String>,
    /// The resources that it reaches, and scopes that are none.
    access: Vec<Row>,
    other_access: Vec<Tick>,
    created: Moment,
    expires: Option<Moment>,
    expires_soon: bool,
    last_use: LastUse,
    last_agent: String,
    uses: String,
    limits: String,
    spent: Option<String>,
    predecessor: Option<String>,
    successor: Option<String>,
    retires: Option<Moment>,
    chart: Chart,
    callers: Vec<CallerRow>,
    revealed: Option<String>,
    draft: Draft,
    periods: Vec<Choice>,
    acts: KeyActs,
    can_reveal: bool,
    /// When it was reported as found in public.
    exposed: Option<Moment>,
    /// Where it was found, according to the report.
    exposed_at: Option<String>,
}

impl DetailPage {
    async fn build(app: &AppData, request: &HttpRequest, who: &SignedIn, id: ApiKeyId) -> Result<Self, Problem> {
        let actor = who.actor();
        let (key, insight) = app
            .read_offloaded(move |view| {
                let key = ops::find(view, &actor, id)?;
                let insight = ops::insight(view, &key)?;
                Ok::<_, ApiKeyError>((key, insight))
            })
            .await?;
        let title = format!("API key “{}”", key.name);
        let held = ScopeChoices::held(&app.config().scopes, &key.scopes, None);
        Ok(Self::new(PageContext::new(app, request, &title), (key, held), insight, app.now(), &who.identity.zone))
    }

    fn new(
        context: PageContext,
        (key, held): (ApiKey, ScopeChoices),
        insight: Insight,
        now: Timestamp,
        zone: &Zone,
    ) -> Self {
        let times = TimeFormat::new(now, zone);
        let (state, colour) = state_tag(&key);
        let draft = Draft::new(&key);
        let spent = insight.spent.map(|(spent, budget)| {
            let period = match budget.period {
                Period::Month => "this month",
                Period::Total => "in total",
            };
            format!("{spent} of {} credits {period}", budget.amount)
        });
        let callers = insight.callers.into_iter().map(|caller| CallerRow {
            address: if caller.address.is_empty() { "Unknown".to_owned() } else { caller.address },
            agent: if caller.agent.is_empty() { "Unknown".to_owned() } else { caller.agent },
            last: times.moment(caller.last_at),
            uses: thousands(caller.uses),
        });
        Self {
            context,
            fault: None,
            id: key.id.to_string(),
            state,
            colour,
            scopes: key.scopes.split(' ').map(str::to_owned).collect(),
            access: held.rows,
            other_access: held.others,
            created: times.moment(key.created_at),
            expires: expiry_day(&key, times),
            expires_soon: key.ends_soon(now),
            last_use: LastUse::new(&key, times),
            uses: thousands(key.uses),
            limits: limits_text(&key),
            spent,
            predecessor: key.predecessor.map(|id| id.to_string()),
            successor: insight.successor.map(|id| id.to_string()),
            retires: key.retire_at.map(|end| times.moment(end)),
            chart: Chart::new(&insight.days, now),
            callers: callers.collect(),
            revealed: None,
            periods: periods(&draft.period),
            draft,
            acts: key.acts(),
            can_reveal: insight.can_reveal,
            exposed: insight.exposure.as_ref().map(|exposure| times.moment(exposure.at)),
            exposed_at: insight.exposure.and_then(|exposure| exposure.place),
            name: key.name,
            note: key.note,
            display: key.display,
            last_agent: key.last_agent,
        }
    }
}

/// The query of the page. `revealed`: the text of the key was asked for a moment ago.
#[derive(Deserialize)]
pub struct DetailQuery {
    revealed: Option<String>,
}

/// `GET /settings/keys/{id}`.
pub async fn detail(
    app: AppData,
    request: HttpRequest,
    who: SignedIn,
    path: Path<String>,
    query: Query<DetailQuery>,
) -> Answer {
    let id = parse_id(&path)?;
    let mut page = DetailPage::build(&app, &request, &who, id).await?;
    if query.revealed.is_some() {
        let text = app.shown_once().text(who.identity.session, &text_name(id), app.now());
        page.revealed = text.map(|text| text.expose().clone());
    }
    page::render(&page)
}

/// `POST /settings/keys/{id}`: changes name, note and limits.
pub async fn change(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, form: Form) -> Answer {
    let (id, actor) = (parse_id(&path)?, who.actor());
    let key = app.read_offloaded(move |view| ops::find(view, &actor, id)).await?;
    let draft = Draft::from_form(&form, &key);
    let place = if form.has("networks") { "limits" } else { "details" };
    let changed = match draft.read() {
        Ok(change) => {
            let admin = who.admin();
            app.write(move |tx| ops::change(tx, &admin, id, &change)).await.map(drop)
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(()) => Ok(redirect_with_flash(&format!("{}/{id}#{place}", super::PATH), CommonFlash::Saved)),
        Err(error) => {
            let problem = Problem::from(error);
            let mut page = DetailPage::build(&app, &request, &who, id).await?;
            page.periods = periods(&draft.period);
            page.draft = draft;
            page.fault = Some(FormFault::from(&problem));
            page::render_form_error(&problem, &page)
        }
    }
}

/// The name of a revealed text among the texts that are shown once.
fn text_name(key: ApiKeyId) -> String {
    format!("revealed {key}")
}

/// Redirects to the page of the key, with its text on it.
pub(super) fn to_revealed(app: &AppData, who: &SignedIn, id: ApiKeyId, text: Secret<String>) -> HttpResponse {
    app.shown_once().keep(who.identity.session, &text_name(id), text, app.now());
    redirect(&format!("{}/{id}?revealed=1", super::PATH))
}
