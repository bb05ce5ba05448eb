//! `/settings/keys`: the list of keys, and the form for a new one.

use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::super::error::ApiKeyError;
use super::super::model::{
    ApiKey, CreatedApiKey, Expiry, ExpiryOffer, KeyActs, KeyName, KeyNote, KeyPolicy, Limits, NEVER, NewApiKey, ON_DAY,
    Period,
};
use super::super::ops::{self, Health};
use super::PATH;
use super::format::{LastUse, Sparkline, expiry_day, label_of, short_note, state_tag};
use super::scope_table::ScopeChoices;
use crate::accounts;
use crate::base::{ApiKeyId, Problem, Timestamp, Zone};
use crate::db::View;
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, CommonFlash, Form, Moment, SignedIn, TimeFormat, redirect, redirect_with_flash};

/// The labels of the choices of the expiration.
const EXPIRIES: [(&str, &str); 7] = [
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("60d", "60 days"),
    ("90d", "90 days"),
    ("365d", "1 year"),
    (ON_DAY, "Until a day…"),
    (NEVER, "No expiration"),
];
/// Buttons that select the scopes most programs need: label and scopes.
const PRESETS: [Preset; 2] =
    [Preset { label: "Training machine", scopes: "training" }, Preset { label: "Read only", scopes: "read" }];
/// Calls to try a new key with: a scope, and a path that it gives access to.
const FIRST_CALLS: [(&str, &str); 2] =
    [("account:read", "/api/account/summary"), ("billing:read", "/api/billing/transactions")];
/// The filters of the list: value and label. Ended keys are shown only on request.
const STATES: [(&str, &str); 7] = [
    ("", "Live"),
    ("ended", "Ended"),
    ("all", "All"),
    ("active", "Active"),
    ("retiring", "Retiring"),
    ("disabled", "Disabled"),
    ("quarantined", "Quarantined"),
];
/// The columns that the list can be sorted by: value, heading, and whether the first click begins with the largest.
const COLUMNS: [(&str, &str, bool); 4] =
    [("name", "Name", false), ("created", "Created", true), ("used", "Last used", true), ("expires", "Expires", false)];
/// Scopes that a row of the list names. The others are counted.
const SCOPES_SHOWN: usize = 2;

pub(super) struct Choice {
    pub value: &'static str,
    pub label: &'static str,
    pub is_chosen: bool,
}

pub(super) fn periods(chosen: &str) -> Vec<Choice> {
    let choices = [(Period::Month.as_str(), "a month"), (Period::Total.as_str(), "in total")];
    choices.into_iter().map(|(value, label)| Choice { value, label, is_chosen: value == chosen }).collect()
}

struct Preset {
    label: &'static str,
    scopes: &'static str,
}

struct KeyRow {
    id: String,
    name: String,
    /// Its note, if that is short.
    note: Option<String>,
    display: String,
    /// The first scopes, and how many more there are.
    scopes: String,
    more_scopes: usize,
    all_scopes: String,
    created: Moment,
    last_use: LastUse,
    expires: Option<Moment>,
    expires_soon: bool,
    state: &'static str,
    colour: &'static str,
    is_over: bool,
    acts: KeyActs,
    spark: Sparkline,
}

/// A heading of the list.
struct Column {
    value: &'static str,
    label: &'static str,
    href: String,
    /// `ascending` or `descending`. `None`: the list is not sorted by it.
    sorted: Option<&'static str>,
}

struct QuarantineNotice {
    id: String,
    name: String,
    display: String,
    since: Moment,
    until: Moment,
}

/// Advice about some keys.
struct Advice {
    sentence: &'static str,
    keys: Vec<AdvisedKey>,
}

struct AdvisedKey {
    id: String,
    name: String,
    detail: String,
}

/// A key that was made a moment ago.
struct NewKeyView {
    id: String,
    name: String,
    /// Its text. `None`: it was shown, and is not any more.
    secret: Option<String>,
    /// A command that tries the key. `None`: the key has no scope for any of [`FIRST_CALLS`].
    first_call: Option<String>,
    /// When the overlap of the key that it replaces ends.
    overlap: Option<Moment>,
    /// Whether its owner can show it again later.
    is_kept: bool,
    can_rotate: bool,
}

impl NewKeyView {
    fn new(app: &AppData, who: &SignedIn, key: &ApiKey, keys: &[ApiKey]) -> Self {
        let text = app.shown_once().text(who.identity.session, &text_name(key.id), app.now());
        let secret = text.map(|text| text.expose().clone());
        let times = TimeFormat::new(app.now(), &who.identity.zone);
        let predecessor = keys.iter().find(|old| Some(old.id) == key.predecessor);
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            first_call: secret.as_deref().and_then(|secret| first_call(app, &key.scopes, secret)),
            secret,
            overlap: predecessor.and_then(|old| old.retire_at).map(|end| times.moment(end)),
            is_kept: key.is_kept,
            can_rotate: key.acts().can_rotate,
        }
    }
}

/// The name of a new key's text among the texts that are shown once.
fn text_name(key: ApiKeyId) -> String {
    format!("new {key}")
}

#[derive(Template)]
#[template(path = "api_keys/list.html")]
struct ListPage {
    context: PageContext,
    fault: Option<FormFault>,
    created: Option<NewKeyView>,
    is_creating: bool,
    draft: Draft,
    expiries: Vec<Choice>,
    periods: Vec<Choice>,
    first_day: String,
    last_day: String,
    max_life: Option<u64>,
    presets: &'static [Preset],
    choices: ScopeChoices,
    quarantined: Vec<QuarantineNotice>,
    advice: Vec<Advice>,
    query: String,
    states: Vec<Choice>,
    has_keys: bool,
    /// Whether all keys are refused until the person sets a new password.
    are_locked: bool,
    columns: Vec<Column>,
    keys: Vec<KeyRow>,
    /// How many keys have ended, for the link to them.
    ended: usize,
    own_max_days: String,
    site_max_days: Option<u64>,
}

/// The values of the form's fields, to show them again after an error.
#[derive(Default)]
struct Draft {
    name: String,
    note: String,
    expires: String,
    expires_on: String,
    scopes: Vec<String>,
    networks: String,
    rate: String,
    budget: String,
    period: String,
}

impl Draft {
    fn new(app: &AppData, form: &Form) -> Self {
        let text = |name: &str| form.text(name).trim().to_owned();
        Self {
            name: form.text("name").to_owned(),
            note: form.text("note").to_owned(),
            expires: text("expires"),
            expires_on: text("expires_on"),
            scopes: ScopeChoices::chosen(&app.config().scopes, form),
            networks: text("networks"),
            rate: text("rate"),
            budget: text("budget"),
            period: text("budget_period"),
        }
    }

    fn has_limits(&self) -> bool {
        !(self.networks.is_empty() && self.rate.is_empty() && self.budget.is_empty())
    }

    fn read(&self, now: Timestamp) -> Result<NewApiKey, ApiKeyError> {
        let expiry = Expiry::parse_choice(&self.expires, &self.expires_on, now);
        Ok(NewApiKey {
            name: KeyName::parse(&self.name).ok_or(ApiKeyError::Name)?,
            note: KeyNote::parse(&self.note).ok_or(ApiKeyError::Note)?,
            scopes: self.scopes.clone(),
            expiry: expiry.ok_or(ApiKeyError::Expiry)?,
            limits: Limits::parse(&self.networks, &self.rate, &self.budget, &self.period)?,
        })
    }
}

/// The query of the page: whether the form is open, and the filter of the list.
#[derive(Deserialize, Default)]
pub struct ListFilter {
    create: Option<String>,
    /// The key that was made a moment ago.
    new: Option<String>,
    q: Option<String>,
    state: Option<String>,
    sort: Option<String>,
    /// `down`: the largest first.
    order: Option<String>,
}

impl ListFilter {
    fn matches(&self, key: &ApiKey) -> bool {
        let state = self.state.as_deref().unwrap_or_default();
        let is_state = match state {
            "all" => true,
            "" => !key.state.is_over(),
            "ended" => key.state.is_over(),
            state => key.state.as_str() == state,
        };
        let search = self.q.as_deref().unwrap_or_default().trim().to_lowercase();
        let texts = [&key.name, &key.display, &key.scopes];
        is_state && texts.iter().any(|text| text.to_lowercase().contains(&search))
    }

    /// Sorts keys as the person asked. They come with the newest first.
    fn sort(&self, keys: &mut [ApiKey]) {
        const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);
        const LONG_AGO: Timestamp = Timestamp::from_millis(0);
        match self.sort.as_deref() {
            Some("name") => keys.sort_by_key(|key| key.name.to_lowercase()),
            Some("created") => keys.sort_by_key(|key| key.created_at),
            Some("used") => keys.sort_by_key(|key| key.last_used_at.unwrap_or(LONG_AGO)),
            Some("expires") => keys.sort_by_key(|key| key.good_until().unwrap_or(NEVER)),
            _ => return,
        }
        if self.is_down() {
            keys.reverse();
        }
    }

    fn is_down(&self) -> bool {
        self.order.as_deref() == Some("down")
    }

    /// The headings of the list: a click sorts, and another one turns the order.
    fn columns(&self) -> Vec<Column> {
        let column = |(value, label, begins_down): (&'static str, &'static str, bool)| {
            let is_sorted = self.sort.as_deref() == Some(value);
            let is_down = if is_sorted { !self.is_down() } else { begins_down };
            let (state, search) = (self.state.as_deref().unwrap_or_default(), self.q.as_deref().unwrap_or_default());
            let query = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("q", search), ("state", state), ("sort", value)])
                .append_pair("order", if is_down { "down" } else { "up" })
                .finish();
            Column {
                value,
                label,
                href: format!("{PATH}?{query}#keys"),
                sorted: is_sorted.then_some(if self.is_down() { "descending" } else { "ascending" }),
            }
        };
        COLUMNS.into_iter().map(column).collect()
    }
}

impl ListPage {
    /// `draft`: the values of the form that creates a key. `None`: the page does not have the form.
    async fn build(
        app: &AppData,
        request: &HttpRequest,
        who: &SignedIn,
        draft: Option<Draft>,
        filter: &ListFilter,
    ) -> Result<Self, Problem> {
        let choices = draft.as_ref().map(|draft| ScopeChoices::new(&app.config().scopes, &draft.scopes));
        let draft = draft.unwrap_or_default();
        let (workspace, account) = (who.identity.workspace, who.identity.account);
        let load = move |view: &View<'_>| {
            let keys = ops::list(view, workspace)?;
            let health = ops::health(view, workspace, &keys)?;
            let used = ops::daily_uses(view, workspace)?;
            let are_locked = accounts::keys_locked_at(view, account)?.is_some();
            let offer = ops::expiry_offer(view, workspace)?;
            Ok::<_, crate::db::Error>((keys, used, health, super::super::policy(view, workspace)?, offer, are_locked))
        };
        let has_few_keys = app.query_inline(|view| ops::has_few_keys(view, workspace))?;
        let (mut keys, mut used, health, policy, offer, are_locked) =
            if has_few_keys { app.read_inline(load)? } else { app.read_offloaded(load).await? };
        let (now, zone) = (app.now(), &who.identity.zone);
        let site_max = app.config().api_keys.max_lifetime;
        let state = filter.state.clone().unwrap_or_default();
        let query = filter.q.clone().unwrap_or_default();
        let whole_days = |life: std::time::Duration| life.as_secs() / 86_400;
        filter.sort(&mut keys);
        let new = filter.new.as_deref().and_then(ApiKeyId::parse);
        let created = new.and_then(|id| keys.iter().find(|key| key.id == id));
        Ok(Self {
            context: PageContext::new(app, request, "API keys"),
            fault: None,
            created: created.map(|key| NewKeyView::new(app, who, key, &keys)),
            is_creating: choices.is_some(),
            expiries: expiries(&draft, &offer),
            periods: periods(&draft.period),
            first_day: offer.days.0.iso_day(),
            last_day: offer.days.1.iso_day(),
            max_life: offer.max_life.map(whole_days),
            presets: &PRESETS,
            choices: choices.unwrap_or_default(),
            draft,
            quarantined: keys.iter().filter_map(|key| quarantined(key, TimeFormat::new(now, zone))).collect(),
            advice: advice(&health, &keys),
            query,
            states: STATES.map(|(value, label)| Choice { value, label, is_chosen: value == state }).into(),
            has_keys: !keys.is_empty(),
            columns: filter.columns(),
            ended: keys.iter().filter(|key| key.state.is_over()).count(),
            are_locked,
            own_max_days: policy.map(|policy| policy.max_life_days.to_string()).unwrap_or_default(),
            site_max_days: site_max.map(whole_days),
            keys: keys
                .into_iter()
                .filter(|key| filter.matches(key))
                .map(|key| {
                    let spark = Sparkline::new(&used.remove(&key.id).unwrap_or_default(), now);
                    row(key, now, zone, spark)
                })
                .collect(),
        })
    }
}

/// The choices of the expiration.
fn expiries(draft: &Draft, offer: &ExpiryOffer) -> Vec<Choice> {
    let selected = offer.selected(&draft.expires);
    let choice =
        |value: &'static str| Choice { value, label: label_of(value, &EXPIRIES), is_chosen: value == selected };
    offer.choices.iter().copied().map(choice).collect()
}

fn row(key: ApiKey, now: Timestamp, zone: &Zone, spark: Sparkline) -> KeyRow {
    let (state, colour) = state_tag(&key);
    let times = TimeFormat::new(now, zone);
    let acts = key.acts();
    KeyRow {
        id: key.id.to_string(),
        last_use: LastUse::new(&key, times),
        expires: expiry_day(&key, times),
        expires_soon: key.ends_soon(now),
        note: short_note(&key.note).map(str::to_owned),
        name: key.name,
        display: key.display,
        scopes: key.scopes.split(' ').take(SCOPES_SHOWN).collect::<Vec<_>>().join(", "),
        more_scopes: key.scopes.split(' ').count().saturating_sub(SCOPES_SHOWN),
        all_scopes: key.scopes.replace(' ', ", "),
        created: times.day(key.created_at),
        state,
        colour,
        is_over: key.state.is_over(),
        acts,
        spark,
    }
}

/// `None`: the key is not in quarantine.
fn quarantined(key: &ApiKey, times: TimeFormat<'_>) -> Option<QuarantineNotice> {
    let until = key.quarantine_ends_at()?;
    Some(QuarantineNotice {
        id: key.id.to_string(),
        name: key.name.clone(),
        display: key.display.clone(),
        since: times.moment(key.state_at),
        until: times.moment(until),
    })
}

fn advice(health: &Health, keys: &[ApiKey]) -> Vec<Advice> {
    let advised = |id: &crate::base::ApiKeyId, detail: String| {
        let key = keys.iter().find(|key| key.id == *id)?;
        Some(AdvisedKey { id: id.to_string(), name: key.name.clone(), detail })
    };
    let plain = |ids: &[crate::base::ApiKeyId]| ids.iter().filter_map(|id| advised(id, String::new())).collect();
    let unused: Vec<_> = health.unused_scopes.iter().filter_map(|(id, names)| advised(id, names.join(", "))).collect();
    let all = [
        ("Programs still use these old keys that you rotated", plain(&health.still_called)),
        ("Not used for 90 days. Revoke keys that you do not need", plain(&health.idle)),
        ("No expiration: a leaked key works until you revoke it", plain(&health.never_expire)),
        ("Scopes not used for 90 days", unused),
    ];
    all.into_iter().filter(|(_, keys)| !keys.is_empty()).map(|(sentence, keys)| Advice { sentence, keys }).collect()
}

/// `GET /settings/keys`.
pub async fn list(app: AppData, request: HttpRequest, who: SignedIn, filter: Query<ListFilter>) -> Answer {
    let draft = filter.create.is_some().then(Draft::default);
    page::render(&ListPage::build(&app, &request, &who, draft, &filter).await?)
}

/// `POST /settings/keys`. The page after it shows the key.
pub async fn create(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let draft = Draft::new(&app, &form);
    match make(&app, &who, &draft).await {
        Ok(created) => Ok(to_new_key(&app, &who, created)),
        Err(error) => {
            let problem = Problem::from(error);
            let mut page = ListPage::build(&app, &request, &who, Some(draft), &ListFilter::default()).await?;
            page.fault = Some(FormFault::from(&problem));
            page::render_form_error(&problem, &page)
        }
    }
}

async fn make(app: &AppData, who: &SignedIn, draft: &Draft) -> Result<CreatedApiKey, ApiKeyError> {
    let new = draft.read(app.now())?;
    let (admin, account, workspace) = (who.admin(), who.identity.account, who.identity.workspace);
    app.write(move |tx| ops::create(tx, &admin, account, workspace, &new)).await
}

/// Redirects to the list with a new key above it.
pub(super) fn to_new_key(app: &AppData, who: &SignedIn, created: CreatedApiKey) -> HttpResponse {
    let id = created.key.id;
    app.shown_once().keep(who.identity.session, &text_name(id), created.secret, app.now());
    redirect(&format!("{PATH}?new={id}"))
}

fn first_call(app: &AppData, scopes: &str, secret: &str) -> Option<String> {
    let config = app.config();
    let held = config.scopes.rights_of(scopes);
    let opens = |scope: &str| config.scopes.parse(scope).is_some_and(|rights| held.contains(rights));
    let (_, path) = FIRST_CALLS.into_iter().find(|(scope, _)| opens(scope))?;
    Some(format!("curl -H \"Authorization: Bearer {secret}\" {}{path}", config.public_url))
}

/// `POST /settings/keys/policy`: sets the maximum lifetime for new keys.
pub async fn set_policy(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let typed = form.text("max_life_days").trim().to_owned();
    let policy = match typed.as_str() {
        "" => Ok(None),
        number => {
            number.parse().map(|max_life_days| Some(KeyPolicy { max_life_days })).map_err(|_| ApiKeyError::Expiry)
        }
    };
    let (admin, account, workspace) = (who.admin(), who.identity.account, who.identity.workspace);
    let set = match policy {
        Ok(policy) => app.write(move |tx| ops::set_policy(tx, &admin, account, workspace, policy)).await,
        Err(error) => Err(error),
    };
    match set {
        Ok(()) => Ok(redirect_with_flash(&format!("{PATH}#policy"), CommonFlash::Saved)),
        Err(ApiKeyError::Expiry) => {
            let problem = Problem::field(
                "max_life_days",
                "days_invalid",
                "The maximum lifetime has to be a whole number of days from 1 to 3653. Leave it empty for no maximum.",
            );
            let mut page = ListPage::build(&app, &request, &who, None, &ListFilter::default()).await?;
            page.own_max_days = typed;
            page.fault = Some(FormFault::from(&problem));
            page::render_form_error(&problem, &page)
        }
        Err(error) => Err(Problem::from(error).into()),
    }
}
