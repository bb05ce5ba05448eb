//! The SQL of authorizations and policies.

use std::time::Duration;

use rusqlite::{Row, named_params};

use super::super::model::Meter;
use super::super::tables::{USAGE_AUTHORIZATION, USAGE_POLICY};
use super::model::{Authorization, AuthorizationState, Mode, Policy};
use crate::base::{HoldId, ServiceId};
use crate::config::UsageCategory;
use crate::db::{Error, Tx, View, by_name, insert, only, sql, values};

const COLUMNS: &str = "id, service_id, workspace_id, key_id, sku, unit, category, quantity_micro, price_micro, amount_micro, \
                       charged_micro, rest_pico, state, expires_at";
const INSERT: &str = insert!(USAGE_AUTHORIZATION);
const FIND_OF_SERVICE: &str =
    sql!("select ", COLUMNS, " from usage_authorization where id = :id and service_id = :service_id");
const FIND: &str = sql!("select ", COLUMNS, " from usage_authorization where id = :id");
// What is reserved now is far less than what was ever authorized.
const RESERVING: &str = "
    from credit_hold h indexed by credit_hold_due join usage_authorization a on a.id = h.id
    where h.state = 'active'";
const LIST_SERVICES_WITH_HOLDS: &str = sql!("select distinct a.service_id", RESERVING);
const LIST_RESERVING: &str = sql!("select a.id", RESERVING, " and a.service_id = :service_id limit :limit");
const COUNT_RESERVING: &str = sql!("select count(*)", RESERVING, " and a.service_id = :service_id");
const EXISTS: &str = "select exists (select 1 from usage_authorization where id = :id)";
const UPDATE_METER: &str = "
    update usage_authorization set charged_micro = :charged_micro, rest_pico = :rest_pico where id = :id";
const UPDATE_CLOSED: &str = "update usage_authorization set state = :state, closed_at = :now where id = :id";
const FIND_POLICY: &str = "select mode, margin_percent, hold_seconds from usage_policy where service_id = :service_id";
const REPLACE_POLICY: &str = insert!("insert or replace", USAGE_POLICY);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    FIND,
    FIND_OF_SERVICE,
    LIST_SERVICES_WITH_HOLDS,
    LIST_RESERVING,
    COUNT_RESERVING,
    EXISTS,
    UPDATE_METER,
    UPDATE_CLOSED,
    FIND_POLICY,
    REPLACE_POLICY,
];

pub(super) fn insert(tx: &mut Tx<'_>, authorization: &Authorization) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT,
        values!(USAGE_AUTHORIZATION => {
            id: authorization.id,
            sku: authorization.sku,
            unit: authorization.unit,
            category: authorization.category.as_str(),
            quantity_micro: authorization.quantity,
            price_micro: authorization.price,
            amount_micro: authorization.amount,
            key_id: authorization.key,
            created_at: now,
            expires_at: authorization.expires_at,
            service_id: authorization.service,
            workspace_id: authorization.workspace,
        }),
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Authorization> {
    by_name!(row, COLUMNS =>
        id, service_id, workspace_id, key_id, sku, unit, category, quantity_micro, price_micro, amount_micro,
        charged_micro, rest_pico, state, expires_at);
    Ok(Authorization {
        id: id.get()?,
        service: service_id.get()?,
        workspace: workspace_id.get()?,
        key: key_id.get()?,
        sku: sku.get()?,
        unit: unit.get()?,
        category: category.parse(UsageCategory::parse)?,
        quantity: quantity_micro.get()?,
        price: price_micro.get()?,
        amount: amount_micro.get()?,
        meter: Meter { charged_micro: charged_micro.get()?, rest_pico: rest_pico.get()? },
        state: state.parse(AuthorizationState::parse)?,
        expires_at: expires_at.get()?,
    })
}

/// An authorization of this service. `None`: it has no such one.
pub(in super::super) fn find_of_service(
    view: &View<'_>,
    service: ServiceId,
    id: HoldId,
) -> Result<Option<Authorization>, Error> {
    view.find(FIND_OF_SERVICE, named_params! {":id": id, ":service_id": service}, read)
}

/// An authorization of any service.
pub(super) fn find(view: &View<'_>, id: HoldId) -> Result<Option<Authorization>, Error> {
    view.find(FIND, named_params! {":id": id}, read)
}

/// The services whose authorizations reserve credit.
pub(super) fn list_services_with_holds(view: &View<'_>) -> Result<Vec<ServiceId>, Error> {
    view.list(LIST_SERVICES_WITH_HOLDS, [], only)
}

/// Authorizations of a service that reserve credit.
pub(super) fn list_reserving(view: &View<'_>, service: ServiceId, limit: u32) -> Result<Vec<HoldId>, Error> {
    view.list(LIST_RESERVING, named_params! {":service_id": service, ":limit": limit}, only)
}

/// How many authorizations of a service reserve credit.
///
/// # Errors
/// [`Error`].
pub fn count_reserving(view: &View<'_>, service: ServiceId) -> Result<i64, Error> {
    view.one(COUNT_RESERVING, named_params! {":service_id": service}, only)
}

/// Whether there is an authorization with this id, of any service.
pub(in super::super) fn exists(view: &View<'_>, id: HoldId) -> Result<bool, Error> {
    view.one(EXISTS, named_params! {":id": id}, only)
}

pub(in super::super) fn update_meter(tx: &mut Tx<'_>, id: HoldId, meter: Meter) -> Result<(), Error> {
    let params = named_params! {":id": id, ":charged_micro": meter.charged_micro, ":rest_pico": meter.rest_pico};
    tx.execute(UPDATE_METER, params)?;
    Ok(())
}

pub(super) fn update_closed(tx: &mut Tx<'_>, id: HoldId, state: AuthorizationState) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_CLOSED, named_params! {":id": id, ":state": state.as_str(), ":now": now})?;
    Ok(())
}

pub(super) fn find_policy(view: &View<'_>, service: ServiceId) -> Result<Option<Policy>, Error> {
    view.find(FIND_POLICY, named_params! {":service_id": service}, |row| {
        by_name!(row, FIND_POLICY => mode, margin_percent, hold_seconds);
        let seconds: u32 = hold_seconds.get()?;
        Ok(Policy {
            mode: mode.parse(Mode::parse)?,
            margin_percent: margin_percent.get()?,
            hold_for: Duration::from_secs(seconds.into()),
        })
    })
}

pub(super) fn replace_policy(tx: &mut Tx<'_>, service: ServiceId, policy: &Policy) -> Result<(), Error> {
    // At most a year.
    let seconds = u32::try_from(policy.hold_for.as_secs()).unwrap_or(u32::MAX);
    tx.execute(
        REPLACE_POLICY,
        values!(USAGE_POLICY => {
            service_id: service,
            mode: policy.mode.as_str(),
            margin_percent: policy.margin_percent,
            hold_seconds: seconds,
        }),
    )?;
    Ok(())
}
