//! The SQL of spending.

use rusqlite::named_params;

use super::model::{DayRow, GroupBy, Period};
use crate::base::{Credits, WorkspaceId};
use crate::db::{Error, View, by_name};

const LIST_DAYS: &str = "
    select day, sum(events) as events, sum(charge_micro) as charge_micro
    from usage_day
    where workspace_id = :workspace_id and day between :first and :last
    group by day
    order by day";
const LIST_GROUPS: &str = "
    select iif(:by = 'sku', sku, iif(:by = 'service', service_id, key_id)) as name, sum(events) as events,
           sum(charge_micro) as charge_micro
    from usage_day
    where workspace_id = :workspace_id and day between :first and :last
    group by 1
    order by 3 desc, 1
    limit :limit";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LIST_DAYS, LIST_GROUPS];

/// The days of a period with usage.
pub(super) fn list_days(view: &View<'_>, workspace: WorkspaceId, period: Period) -> Result<Vec<DayRow>, Error> {
    let params = named_params! {":workspace_id": workspace, ":first": period.first, ":last": period.last};
    view.list(LIST_DAYS, params, |row| {
        by_name!(row, LIST_DAYS => day, events, charge_micro);
        Ok(DayRow { day: day.get()?, events: events.get()?, charge: charge_micro.get()? })
    })
}

/// A part of a period: the sku or the id, the events, and what they cost.
pub(super) type GroupRow = (String, i64, Credits);

/// The parts of a period, the largest first.
pub(super) fn list_groups(
    view: &View<'_>,
    workspace: WorkspaceId,
    period: Period,
    by: GroupBy,
    limit: u32,
) -> Result<Vec<GroupRow>, Error> {
    let params = named_params! {
        ":workspace_id": workspace,
        ":first": period.first,
        ":last": period.last,
        ":by": by.as_str(),
        ":limit": limit,
    };
    view.list(LIST_GROUPS, params, |row| {
        by_name!(row, LIST_GROUPS => name, events, charge_micro);
        Ok((name.get()?, events.get()?, charge_micro.get()?))
    })
}
