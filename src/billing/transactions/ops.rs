//! Reads the transactions of a wallet.

use std::collections::HashMap;

use super::super::ledger;
use super::model::{Transaction, TransactionFilter, TransactionPage, title_of};
use crate::base::{ApiKeyId, ServiceId, WorkspaceId};
use crate::db::{Error, View};
use crate::{api_keys, services};

/// Transactions of a download at most.
pub const DOWNLOAD_MAX: usize = 10_000;
/// Lines that a search for one page reads at most.
const READ_MAX: usize = 5_000;
/// Lines that are read at once while lines are compared.
const READ_AT_ONCE: usize = 500;

/// The transactions of a wallet, what happened last first. Without a search, no more lines are read than returned.
///
/// # Errors
/// [`Error`].
pub fn list(view: &View<'_>, workspace: WorkspaceId, filter: &TransactionFilter) -> Result<TransactionPage, Error> {
    let words: Vec<String> = filter.search.split_whitespace().map(str::to_lowercase).collect();
    let names = Names::read(view, workspace)?;
    let limit = filter.limit.clamp(1, DOWNLOAD_MAX);
    let read_max = READ_MAX.max(10 * limit);
    let (mut page, mut after, mut read) = (TransactionPage::default(), filter.after, 0);
    loop {
        let wanted = if filter.compares() { READ_AT_ONCE } else { limit + 1 - page.rows.len() };
        let lines = ledger::by_event(view, workspace, (filter.from, filter.until), after, wanted)?;
        let (count, last) = (lines.len(), lines.last().map(ledger::StatementLine::place));
        read += count;
        for line in lines {
            let found = filter.has_source(&line).then(|| names.complete(line)).filter(|row| row.has_all(&words));
            let Some(row) = found else { continue };
            if page.rows.len() == limit {
                page.next = page.rows.last().map(|last| last.line.place());
                return Ok(page);
            }
            page.rows.push(row);
        }
        if count < wanted {
            return Ok(page);
        }
        after = last;
        if read >= read_max {
            (page.next, page.is_cut) = (last, true);
            return Ok(page);
        }
    }
}

/// The names of services and of the keys of a workspace.
struct Names {
    services: HashMap<ServiceId, String>,
    keys: HashMap<ApiKeyId, String>,
}

impl Names {
    fn read(view: &View<'_>, workspace: WorkspaceId) -> Result<Self, Error> {
        let services = services::list(view)?.into_iter().map(|service| (service.id, service.name)).collect();
        let keys = api_keys::list(view, workspace)?.into_iter().map(|key| (key.id, key.name)).collect();
        Ok(Self { services, keys })
    }

    fn complete(&self, line: ledger::StatementLine) -> Transaction {
        let service = line.service.and_then(|id| self.services.get(&id)).cloned().unwrap_or_default();
        let key = line.key.and_then(|id| self.keys.get(&id)).cloned().unwrap_or_default();
        Transaction { title: title_of(line.kind), service, key, line }
    }
}
