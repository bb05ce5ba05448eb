//! `/settings/keys`: the list of keys, and the form for a new one.

use actix_web::HttpRequest;
use actix_web::web::Query;
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
use crate::accounts;
use crate::base::{Problem, Timestamp, Zone};
use crate::db::View;
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, CommonFlash, Form, Moment, SignedIn, TimeFormat, redirect_with_flash};

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
/// The states to filter the list by: value and label. `live` means all keys that have not ended.
const STATES: [(&str, &str); 8] = [
    ("", "Any state"),
    ("live", "Not ended"),
    ("active", "Active"),
    ("retiring", "Retiring"),
    ("disabled", "Disabled"),
    ("quarantined", "Quarantined"),
    ("expired", "Expired"),
    ("revoked", "Revoked"),
];

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

struct ScopeChoice {
    name: String,
    description: String,
    is_chosen: bool,
}

struct ScopeGroup {
    title: &'static str,
    scopes: Vec<ScopeChoice>,
}

struct KeyRow {
    id: String,
    name: String,
    /// Its note, if that is short.
    note: Option<String>,
    display: String,
    scopes: String,
    last_use: LastUse,
    expires: Option<Moment>,
    expires_soon: bool,
    state: &'static str,
    colour: &'static str,
    is_over: bool,
    acts: KeyActs,
    spark: Sparkline,
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

pub(super) struct NewKeyView {
    pub name: String,
    pub secret: String,
    /// A command that tries the key. `None`: the key has no scope for any of [`FIRST_CALLS`].
    pub first_call: Option<String>,
    /// When the overlap of the key that it replaces ends.
    pub overlap: Option<Moment>,
    /// Whether its owner can show it again later.
    pub is_kept: bool,
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
    scope_groups: Vec<ScopeGroup>,
    quarantined: Vec<QuarantineNotice>,
    advice: Vec<Advice>,
    query: String,
    states: Vec<Choice>,
    has_keys: bool,
    /// Whether all keys are refused until the person sets a new password.
    are_locked: bool,
    keys: Vec<KeyRow>,
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
    fn new(form: &Form) -> Self {
        let text = |name: &str| form.text(name).trim().to_owned();
        Self {
            name: form.text("name").to_owned(),
            note: form.text("note").to_owned(),
            expires: text("expires"),
            expires_on: text("expires_on"),
            scopes: form.all("scope"),
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
    q: Option<String>,
    state: Option<String>,
}

impl ListFilter {
    fn matches(&self, key: &ApiKey) -> bool {
        let state = self.state.as_deref().unwrap_or_default();
        let is_state = match state {
            "" => true,
            "live" => !key.state.is_over(),
            state => key.state.as_str() == state,
        };
        let search = self.q.as_deref().unwrap_or_default().trim().to_lowercase();
        let texts = [&key.name, &key.display, &key.scopes];
        is_state && texts.iter().any(|text| text.to_lowercase().contains(&search))
    }
}

impl ListPage {
    async fn build(
        app: &AppData,
        request: &HttpRequest,
        who: &SignedIn,
        draft: Draft,
        filter: &ListFilter,
    ) -> Result<Self, Problem> {
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
        let (keys, mut used, health, policy, offer, are_locked) =
            if has_few_keys { app.read_inline(load)? } else { app.read_offloaded(load).await? };
        let (now, zone) = (app.now(), &who.identity.zone);
        let site_max = app.config().api_keys.max_lifetime;
        let state = filter.state.clone().unwrap_or_default();
        let query = filter.q.clone().unwrap_or_default();
        let whole_days = |life: std::time::Duration| life.as_secs() / 86_400;
        Ok(Self {
            context: PageContext::new(app, request, "API keys"),
            fault: None,
            created: None,
            is_creating: false,
            expiries: expiries(&draft, &offer),
            periods: periods(&draft.period),
            first_day: offer.days.0.iso_day(),
            last_day: offer.days.1.iso_day(),
            max_life: offer.max_life.map(whole_days),
            presets: &PRESETS,
            scope_groups: groups(app, &draft.scopes),
            draft,
            quarantined: keys.iter().filter_map(|key| quarantined(key, TimeFormat::new(now, zone))).collect(),
            advice: advice(&health, &keys),
            query,
            states: STATES.map(|(value, label)| Choice { value, label, is_chosen: value == state }).into(),
            has_keys: !keys.is_empty(),
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

fn groups(app: &AppData, chosen: &[String]) -> Vec<ScopeGroup> {
    let mut groups: Vec<ScopeGroup> = Vec::new();
    for entry in app.config().scopes.entries() {
        let choice = ScopeChoice {
            name: entry.name.clone(),
            description: entry.description.clone(),
            is_chosen: chosen.contains(&entry.name),
        };
        match groups.last_mut().filter(|group| group.title == entry.group) {
            Some(group) => group.scopes.push(choice),
            None => groups.push(ScopeGroup { title: entry.group, scopes: vec![choice] }),
        }
    }
    groups
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
        scopes: key.scopes.replace(' ', ", "),
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
    let mut page = ListPage::build(&app, &request, &who, Draft::default(), &filter).await?;
    page.is_creating = filter.create.is_some();
    page::render(&page)
}

/// `POST /settings/keys`. The response is the page itself, because the key is shown once and a redirect would lose it.
pub async fn create(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let draft = Draft::new(&form);
    match make(&app, &who, &draft).await {
        Ok(created) => show_new_key(&app, &request, &who, created).await,
        Err(error) => {
            let problem = Problem::from(error);
            let mut page = ListPage::build(&app, &request, &who, draft, &ListFilter::default()).await?;
            page.is_creating = true;
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

/// The list with a new key above it.
pub(super) async fn show_new_key(
    app: &AppData,
    request: &HttpRequest,
    who: &SignedIn,
    created: CreatedApiKey,
) -> Answer {
    let mut page = ListPage::build(app, request, who, Draft::default(), &ListFilter::default()).await?;
    let secret = created.secret.expose().clone();
    let first_call = first_call(app, &created.key.scopes, &secret);
    let times = TimeFormat::new(app.now(), &who.identity.zone);
    let overlap = created.predecessor_ends_at.map(|end| times.moment(end));
    page.created =
        Some(NewKeyView { name: created.key.name, secret, first_call, overlap, is_kept: created.key.is_kept });
    page::render(&page)
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
        Ok(()) => Ok(redirect_with_flash(PATH, CommonFlash::Saved)),
        Err(ApiKeyError::Expiry) => {
            let problem = Problem::field(
                "max_life_days",
                "days_invalid",
                "The maximum lifetime has to be a whole number of days from 1 to 3653. Leave it empty for no maximum.",
            );
            let mut page = ListPage::build(&app, &request, &who, Draft::default(), &ListFilter::default()).await?;
            page.own_max_days = typed;
            page.fault = Some(FormFault::from(&problem));
            page::render_form_error(&problem, &page)
        }
        Err(error) => Err(Problem::from(error).into()),
    }
}
