//! Reads what a period cost.

use std::collections::HashMap;

use super::model::{GroupBy, Period, Share, Spending, Step, bars, percent, sum};
use super::store;
use crate::base::WorkspaceId;
use crate::db::{Error, View};
use crate::{api_keys, services};

/// Parts of a period at most.
const SHARES_MAX: u32 = 100;

/// What the usage of a workspace cost in a period, in bars, and where it went.
///
/// # Errors
/// [`Error`].
pub fn read(
    view: &View<'_>,
    workspace: WorkspaceId,
    period: Period,
    step: Step,
    by: GroupBy,
) -> Result<Spending, Error> {
    let rows = store::list_days(view, workspace, period)?;
    let before = store::list_days(view, workspace, period.before())?;
    let total = sum(&rows);
    let names = names(view, workspace, by)?;
    let share = |(id, events, charge): store::GroupRow| Share {
        name: names.get(&id).cloned().unwrap_or(id),
        events,
        charge,
        percent: percent(charge, total),
    };
    Ok(Spending {
        total,
        events: rows.iter().map(|row| row.events).sum(),
        before: sum(&before),
        bars: bars(period, step, &rows, &before, view.now()),
        shares: store::list_groups(view, workspace, period, by, SHARES_MAX)?.into_iter().map(share).collect(),
    })
}

/// The names of ids.
fn names(view: &View<'_>, workspace: WorkspaceId, by: GroupBy) -> Result<HashMap<String, String>, Error> {
    Ok(match by {
        GroupBy::Sku => HashMap::new(),
        GroupBy::Service => services::list(view)?.into_iter().map(|one| (one.id.to_string(), one.name)).collect(),
        GroupBy::Key => {
            let keys = api_keys::list(view, workspace)?.into_iter().map(|one| (one.id.to_string(), one.name));
            keys.chain([(String::new(), "Without an API key".to_owned())]).collect()
        }
    })
}
