//! All SQL of erasures and of what services say about them.

use rusqlite::{Row, named_params};

use super::super::tables::{ERASURE, ERASURE_SERVICE};
use super::model::{Erased, ErasureFilter, ErasureRow, ServiceAnswer, ServiceRow};
use crate::base::{CommandId, RequestId, ServiceId, Timestamp};
use crate::db::{Error, Tx, View, by_name, columns, insert, sql, values};
use crate::inbox::{Retention, RetentionBasis};

const ROW: &str = columns!(ERASURE);
const INSERT: &str = insert!("insert or ignore", ERASURE);
const FIND: &str = sql!("select ", ROW, " from erasure where receipt_id = :receipt_id");
const LIST_NEWEST: &str = sql!("select ", ROW, " from erasure order by erased_at desc, receipt_id desc limit :limit");
const LIST_OPEN: &str =
    sql!("select ", ROW, " from erasure where final_at is null order by erased_at, receipt_id limit :limit");
const UPDATE_SNAPSHOT_REPLACED: &str = "
    update erasure set snapshot_replaced_at = :now where receipt_id = :receipt_id and snapshot_replaced_at is null";
const UPDATE_FINAL: &str = "update erasure set final_at = :now where receipt_id = :receipt_id and final_at is null";

const SERVICE: &str = columns!(ERASURE_SERVICE as "s", except receipt_id);
const INSERT_SERVICE: &str = insert!("insert or ignore", ERASURE_SERVICE);
const LIST_SERVICES: &str =
    sql!("select ", SERVICE, " from erasure_service s where s.receipt_id = :receipt_id order by s.service_id");
const FIND_BY_COMMAND: &str = "select receipt_id, service_id from erasure_service where command_id = :command_id";
const UPDATE_ANSWER: &str = "
    update erasure_service
    set answer = :answer, answered_at = :now, basis = :basis, retained_until = :retained_until
    where receipt_id = :receipt_id and service_id = :service_id";
const UPDATE_COMMAND: &str = "
    update erasure_service
    set command_id = :command_id, answer = null, answered_at = null, basis = null, retained_until = null
    where receipt_id = :receipt_id and service_id = :service_id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    FIND,
    LIST_NEWEST,
    LIST_OPEN,
    UPDATE_SNAPSHOT_REPLACED,
    UPDATE_FINAL,
    INSERT_SERVICE,
    LIST_SERVICES,
    FIND_BY_COMMAND,
    UPDATE_ANSWER,
    UPDATE_COMMAND,
];

/// `false`: it is there.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    erased: &Erased,
    snapshot_replaced_at: Option<Timestamp>,
    copies_until: Option<Timestamp>,
) -> Result<bool, Error> {
    let inserted = tx.execute(
        INSERT,
        values!(ERASURE => {
            receipt_id: erased.receipt,
            account_id: erased.account,
            workspace_id: erased.workspace,
            erased_at: erased.erased_at,
            snapshot_replaced_at: snapshot_replaced_at,
            copies_until: copies_until,
        }),
    )?;
    Ok(inserted == 1)
}

pub(super) fn find(view: &View<'_>, receipt: RequestId) -> Result<Option<ErasureRow>, Error> {
    view.find(FIND, named_params! {":receipt_id": receipt}, read)
}

/// The newest ones, or the oldest ones that are not final.
pub(super) fn list(view: &View<'_>, filter: ErasureFilter, limit: u32) -> Result<Vec<ErasureRow>, Error> {
    let statement = match filter {
        ErasureFilter::All => LIST_NEWEST,
        ErasureFilter::Open => LIST_OPEN,
    };
    view.list(statement, named_params! {":limit": limit}, read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ErasureRow> {
    by_name!(row, ROW => receipt_id, account_id, workspace_id, erased_at, snapshot_replaced_at, copies_until, final_at);
    Ok(ErasureRow {
        erased: Erased {
            receipt: receipt_id.get()?,
            account: account_id.get()?,
            workspace: workspace_id.get()?,
            erased_at: erased_at.get()?,
        },
        snapshot_replaced_at: snapshot_replaced_at.get()?,
        copies_until: copies_until.get()?,
        final_at: final_at.get()?,
    })
}

/// Stores that a snapshot without the person replaced the published one now.
///
/// # Errors
/// [`Error`].
pub fn update_snapshot_replaced(tx: &mut Tx<'_>, receipt: RequestId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_SNAPSHOT_REPLACED, named_params! {":receipt_id": receipt, ":now": now})?;
    Ok(())
}

/// `false`: it was final before.
pub(super) fn update_final(tx: &mut Tx<'_>, receipt: RequestId) -> Result<bool, Error> {
    let now = tx.now();
    Ok(tx.execute(UPDATE_FINAL, named_params! {":receipt_id": receipt, ":now": now})? == 1)
}

pub(super) fn insert_service(
    tx: &mut Tx<'_>,
    receipt: RequestId,
    service: ServiceId,
    command: Option<CommandId>,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT_SERVICE,
        values!(ERASURE_SERVICE => {
            receipt_id: receipt,
            service_id: service,
            requested_at: now,
            command_id: command,
        }),
    )?;
    Ok(())
}

pub(super) fn list_services(view: &View<'_>, receipt: RequestId) -> Result<Vec<ServiceRow>, Error> {
    view.list(LIST_SERVICES, named_params! {":receipt_id": receipt}, |row| {
        by_name!(row, SERVICE => service_id, requested_at, command_id, answer, answered_at, basis, retained_until);
        let at: Option<Timestamp> = answered_at.get()?;
        let word: Option<String> = answer.get()?;
        let kept: Option<(String, Timestamp)> = basis.get::<Option<String>>()?.zip(retained_until.get()?);
        let kept = kept.and_then(|(basis, until)| Some(Retention { basis: RetentionBasis::parse(&basis)?, until }));
        let answer = match (word.as_deref(), kept) {
            (Some("retained"), Some(kept)) => Some(ServiceAnswer::Retained(kept)),
            (Some("completed"), _) => Some(ServiceAnswer::Completed),
            (Some("rejected"), _) => Some(ServiceAnswer::Rejected(String::new())),
            (Some("failed"), _) => Some(ServiceAnswer::Failed(String::new())),
            (Some("attested"), _) => Some(ServiceAnswer::Attested),
            _ => None,
        };
        Ok(ServiceRow {
            service: service_id.get()?,
            requested_at: requested_at.get()?,
            command: command_id.get()?,
            answer: answer.zip(at),
        })
    })
}

/// The erasure that a command is about, and its service.
pub(super) fn find_by_command(view: &View<'_>, command: CommandId) -> Result<Option<(RequestId, ServiceId)>, Error> {
    view.find(FIND_BY_COMMAND, named_params! {":command_id": command}, |row| {
        by_name!(row, FIND_BY_COMMAND => receipt_id, service_id);
        Ok((receipt_id.get()?, service_id.get()?))
    })
}

/// Stores an answer. The reason of a failure is in its command.
pub(super) fn update_answer(
    tx: &mut Tx<'_>,
    receipt: RequestId,
    service: ServiceId,
    answer: &ServiceAnswer,
) -> Result<(), Error> {
    let now = tx.now();
    let kept = if let ServiceAnswer::Retained(kept) = answer { Some(kept) } else { None };
    tx.execute(
        UPDATE_ANSWER,
        named_params! {
            ":receipt_id": receipt,
            ":service_id": service,
            ":now": now,
            ":answer": answer.as_str(),
            ":basis": kept.map(|kept| kept.basis.as_str()),
            ":retained_until": kept.map(|kept| kept.until),
        },
    )?;
    Ok(())
}

/// Stores that the service is asked again.
pub(super) fn update_command(
    tx: &mut Tx<'_>,
    receipt: RequestId,
    service: ServiceId,
    command: CommandId,
) -> Result<(), Error> {
    let params = named_params! {":receipt_id": receipt, ":service_id": service, ":command_id": command};
    tx.execute(UPDATE_COMMAND, params)?;
    Ok(())
}
