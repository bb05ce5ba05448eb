//! `/settings/keys/{id}`: the page of one key.

use actix_web::HttpRequest;
use actix_web::web::Path;
use askama::Template;

use super::super::error::ApiKeyError;
use super::super::model::{ApiKey, KeyActs, KeyChange, KeyName, KeyNote, Limits, Period};
use super::super::ops::{self, Insight};
use super::format::{LastUse, Sparkline, expiry_day, limits_text, state_tag, thousands};
use super::list::{Choice, periods};
use super::parse_id;
use crate::base::{ApiKeyId, Problem, Timestamp, Zone};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, CommonFlash, Form, Moment, SignedIn, TimeFormat, redirect_with_flash};

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

    fn from_form(form: &Form) -> Self {
        let text = |name: &str| form.text(name).trim().to_owned();
        Self {
            name: form.text("name").to_owned(),
            note: form.text("note").to_owned(),
            networks: text("networks"),
            rate: text("rate"),
            budget: text("budget"),
            period: text("budget_period"),
        }
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
    spark: Sparkline,
    callers: Vec<CallerRow>,
    revealed: Option<String>,
    draft: Draft,
    periods: Vec<Choice>,
    acts: KeyActs,
    can_reveal: bool,
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
        Ok(Self::new(PageContext::new(app, request, &title), key, insight, app.now(), &who.identity.zone))
    }

    fn new(context: PageContext, key: ApiKey, insight: Insight, now: Timestamp, zone: &Zone) -> Self {
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
            spark: Sparkline::new(&insight.days, now),
            callers: callers.collect(),
            revealed: None,
            periods: periods(&draft.period),
            draft,
            acts: key.acts(),
            can_reveal: insight.can_reveal,
            name: key.name,
            note: key.note,
            display: key.display,
            last_agent: key.last_agent,
        }
    }
}

/// `GET /settings/keys/{id}`.
pub async fn detail(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>) -> Answer {
    page::render(&DetailPage::build(&app, &request, &who, parse_id(&path)?).await?)
}

/// `POST /settings/keys/{id}`: changes name, note and limits.
pub async fn change(app: AppData, request: HttpRequest, who: SignedIn, path: Path<String>, form: Form) -> Answer {
    let (id, draft) = (parse_id(&path)?, Draft::from_form(&form));
    let changed = match draft.read() {
        Ok(change) => {
            let admin = who.admin();
            app.write(move |tx| ops::change(tx, &admin, id, &change)).await.map(drop)
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(()) => Ok(redirect_with_flash(&format!("{}/{id}", super::PATH), CommonFlash::Saved)),
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

/// The page of the key, with its text on it.
pub(super) async fn show_revealed(
    app: &AppData,
    request: &HttpRequest,
    who: &SignedIn,
    id: ApiKeyId,
    text: String,
) -> Answer {
    let mut page = DetailPage::build(app, request, who, id).await?;
    page.revealed = Some(text);
    page::render(&page)
}
