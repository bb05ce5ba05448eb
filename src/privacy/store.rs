//! All SQL of requests, artifacts, links and erasures that are not final.

use rusqlite::{Row, named_params};

use super::model::{Artifact, Export, ExportState, ExportTask, PendingErasure};
use super::tables::{DATA_REQUEST, ERASURE_PENDING, EXPORT_ARTIFACT, EXPORT_LINK};
use crate::base::{AccountId, ArtifactId, RequestId, Timestamp};
use crate::db::{Error, Tx, View, by_name, columns, insert, only, sql, values};

const INSERT_REQUEST: &str = insert!(DATA_REQUEST);
const LIST_REQUESTED: &str = "
    select state, requested_at from data_request
    where account_id = :account_id and (requested_at > :after or state in ('requested', 'running'))
    order by requested_at";
const FIND_TASK: &str = "
    select id, account_id, artifact_id, recipient_kind, sealed_recipient, requested_at
    from data_request
    where id = :id and state in ('requested', 'running') and sealed_recipient is not null";
const UPDATE_PROGRESS: &str = "
    update data_request set state = 'running', progress_percent = :progress_percent, step = :step
    where id = :id and state in ('requested', 'running')";
const UPDATE_READY: &str = "
    update data_request
    set state = 'ready', progress_percent = 100, step = '', sealed_recipient = null, finished_at = :now
    where id = :id and state in ('requested', 'running')";
const UPDATE_FAILED: &str = "
    update data_request
    set state = 'failed', step = '', sealed_recipient = null, finished_at = :now, problem = :problem
    where id = :id and state in ('requested', 'running')";
const UPDATE_EXPIRED: &str = "update data_request set state = 'expired' where artifact_id = :artifact_id";
const LIST_STALE: &str = "
    select id from data_request where state in ('requested', 'running') and requested_at < :before limit :limit";
const REQUEST: &str =
    "r.id as request_id, r.state, r.progress_percent, r.step, r.requested_at, r.finished_at, r.problem";
const ARTIFACT: &str = columns!(EXPORT_ARTIFACT as "a", except request_id, account_id);
const LIST_EXPORTS: &str = sql!(
    "
    select ",
    ARTIFACT,
    ", ",
    REQUEST,
    "
    from data_request r left join export_artifact a on a.request_id = r.id
    where r.account_id = :account_id
    order by r.requested_at desc, r.id desc
    limit :limit"
);
const LIST_KEPT_FILES: &str = "select artifact_id from data_request where state in ('requested', 'running', 'ready')";
const LIST_ARTIFACT_IDS: &str = "select artifact_id from data_request where account_id = :account_id";
const DELETE_OLD_REQUESTS: &str = "
    delete from data_request
    where state in ('failed', 'expired') and requested_at < :before";
const DELETE_REQUESTS: &str = "delete from data_request where account_id = :account_id";

const INSERT_ARTIFACT: &str = insert!(EXPORT_ARTIFACT);
const FIND_ARTIFACT: &str = sql!(
    "select ",
    ARTIFACT,
    "
    from export_artifact a
    where a.id = :id and a.account_id = :account_id and a.delete_after > :now"
);
const LIST_OLD_ARTIFACTS: &str = "
    select id, account_id from export_artifact where delete_after <= :now limit :limit";
const DELETE_ARTIFACT: &str = "delete from export_artifact where id = :id";
const DELETE_ARTIFACTS: &str = "delete from export_artifact where account_id = :account_id";

const INSERT_LINK: &str = insert!(EXPORT_LINK);
const FIND_BY_LINK: &str = sql!(
    "select ",
    ARTIFACT,
    "
    from export_link l join export_artifact a on a.id = l.artifact_id
    where l.digest = :digest and l.account_id = :account_id and l.expires_at > :now and a.delete_after > :now"
);
const DELETE_OLD_LINKS: &str = "delete from export_link where expires_at <= :now";
const DELETE_ALL_LINKS: &str = "delete from export_link";
const DELETE_LINKS_OF_ARTIFACT: &str = "delete from export_link where artifact_id = :artifact_id";
const DELETE_LINKS: &str = "
    delete from export_link where artifact_id in (select id from export_artifact where account_id = :account_id)";

const INSERT_PENDING: &str = insert!(ERASURE_PENDING);
const PENDING: &str = columns!(ERASURE_PENDING);
const LIST_PENDING: &str = sql!(
    "select ",
    PENDING,
    "
    from erasure_pending
    order by erased_at, receipt_id
    limit :limit"
);
const FIND_PENDING: &str = sql!("select ", PENDING, " from erasure_pending where receipt_id = :receipt_id");
const UPDATE_LOG_EMPTIED: &str = "update erasure_pending set log_emptied = 1 where receipt_id = :receipt_id";
const UPDATE_SNAPSHOT_REPLACED: &str =
    "update erasure_pending set snapshot_replaced = 1 where receipt_id = :receipt_id";
const DELETE_FINAL: &str = "delete from erasure_pending where log_emptied = 1 and snapshot_replaced = 1";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT_REQUEST,
    LIST_REQUESTED,
    FIND_TASK,
    UPDATE_PROGRESS,
    UPDATE_READY,
    UPDATE_FAILED,
    UPDATE_EXPIRED,
    LIST_STALE,
    LIST_EXPORTS,
    LIST_KEPT_FILES,
    LIST_ARTIFACT_IDS,
    DELETE_OLD_REQUESTS,
    DELETE_REQUESTS,
    INSERT_ARTIFACT,
    FIND_ARTIFACT,
    LIST_OLD_ARTIFACTS,
    DELETE_ARTIFACT,
    DELETE_ARTIFACTS,
    INSERT_LINK,
    FIND_BY_LINK,
    DELETE_OLD_LINKS,
    DELETE_ALL_LINKS,
    DELETE_LINKS_OF_ARTIFACT,
    DELETE_LINKS,
    INSERT_PENDING,
    LIST_PENDING,
    FIND_PENDING,
    UPDATE_LOG_EMPTIED,
    UPDATE_SNAPSHOT_REPLACED,
    DELETE_FINAL,
];

pub(super) fn insert_request(tx: &mut Tx<'_>, task: &ExportTask) -> Result<(), Error> {
    tx.execute(
        INSERT_REQUEST,
        values!(DATA_REQUEST => {
            id: task.request,
            state: "requested",
            recipient_kind: task.recipient_kind,
            requested_at: task.requested_at,
            account_id: task.account,
            artifact_id: task.artifact,
            kind: "export",
            sealed_recipient: task.recipient,
        }),
    )?;
    Ok(())
}

/// Requests since `after` and requests in progress, oldest first.
pub(super) fn list_requested(
    view: &View<'_>,
    account: AccountId,
    after: Timestamp,
) -> Result<Vec<(ExportState, Timestamp)>, Error> {
    view.list(LIST_REQUESTED, named_params! {":account_id": account, ":after": after}, |row| {
        by_name!(row, LIST_REQUESTED => state, requested_at);
        Ok((state.parse(ExportState::parse)?, requested_at.get()?))
    })
}

pub(super) fn find_task(view: &View<'_>, request: RequestId) -> Result<Option<ExportTask>, Error> {
    view.find(FIND_TASK, named_params! {":id": request}, |row| {
        by_name!(row, FIND_TASK => id, account_id, artifact_id, recipient_kind, sealed_recipient, requested_at);
        Ok(ExportTask {
            request: id.get()?,
            account: account_id.get()?,
            artifact: artifact_id.get()?,
            recipient_kind: recipient_kind.get()?,
            recipient: sealed_recipient.get()?,
            requested_at: requested_at.get()?,
        })
    })
}

/// Stores the progress of an export.
pub(in crate::privacy) fn update_progress(
    tx: &mut Tx<'_>,
    request: RequestId,
    percent: u8,
    step: &str,
) -> Result<(), Error> {
    tx.execute(UPDATE_PROGRESS, named_params! {":id": request, ":progress_percent": percent, ":step": step})?;
    Ok(())
}

/// `false`: the request is no longer in progress.
pub(super) fn update_ready(tx: &mut Tx<'_>, request: RequestId) -> Result<bool, Error> {
    let now = tx.now();
    Ok(tx.execute(UPDATE_READY, named_params! {":id": request, ":now": now})? == 1)
}

pub(super) fn update_failed(tx: &mut Tx<'_>, request: RequestId, problem: &str) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_FAILED, named_params! {":id": request, ":now": now, ":problem": problem})?;
    Ok(())
}

pub(super) fn update_expired(tx: &mut Tx<'_>, artifact: ArtifactId) -> Result<(), Error> {
    tx.execute(UPDATE_EXPIRED, named_params! {":artifact_id": artifact})?;
    Ok(())
}

pub(super) fn list_stale(view: &View<'_>, before: Timestamp, limit: u32) -> Result<Vec<RequestId>, Error> {
    view.list(LIST_STALE, named_params! {":before": before, ":limit": limit}, only)
}

pub(super) fn list_exports(view: &View<'_>, account: AccountId, limit: u32) -> Result<Vec<Export>, Error> {
    view.list(LIST_EXPORTS, named_params! {":account_id": account, ":limit": limit}, |row| {
        by_name!(row, REQUEST in LIST_EXPORTS =>
            request_id, state, progress_percent, step, requested_at, finished_at, problem);
        Ok(Export {
            id: request_id.get()?,
            state: state.parse(ExportState::parse)?,
            progress_percent: progress_percent.get()?,
            step: step.get()?,
            requested_at: requested_at.get()?,
            finished_at: finished_at.get()?,
            problem: problem.get()?,
            artifact: read_artifact(row)?,
        })
    })
}

/// `None`: the row has no artifact.
fn read_artifact(row: &Row<'_>) -> rusqlite::Result<Option<Artifact>> {
    by_name!(row, ARTIFACT => id, file_name, bytes, sha256, ready_at, delete_after);
    let Some(id) = id.get()? else { return Ok(None) };
    Ok(Some(Artifact {
        id,
        file_name: file_name.get()?,
        bytes: bytes.get::<i64>()?.unsigned_abs(),
        sha256: sha256.get()?,
        ready_at: ready_at.get()?,
        delete_after: delete_after.get()?,
    }))
}

/// Exports whose files are needed or are being written.
pub(in crate::privacy) fn list_kept_files(view: &View<'_>) -> Result<Vec<ArtifactId>, Error> {
    view.list(LIST_KEPT_FILES, [], only)
}

pub(super) fn list_artifact_ids(view: &View<'_>, account: AccountId) -> Result<Vec<ArtifactId>, Error> {
    view.list(LIST_ARTIFACT_IDS, named_params! {":account_id": account}, only)
}

pub(super) fn delete_old_requests(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    tx.execute(DELETE_OLD_REQUESTS, named_params! {":before": before})
}

/// Deletes links, artifacts and requests of a person, in the order that the foreign keys require.
pub(super) fn delete_exports(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    for statement in [DELETE_LINKS, DELETE_ARTIFACTS, DELETE_REQUESTS] {
        tx.execute(statement, named_params! {":account_id": account})?;
    }
    Ok(())
}

pub(super) fn insert_artifact(tx: &mut Tx<'_>, task: &ExportTask, artifact: &Artifact) -> Result<(), Error> {
    tx.execute(
        INSERT_ARTIFACT,
        values!(EXPORT_ARTIFACT => {
            id: artifact.id,
            request_id: task.request,
            account_id: task.account,
            file_name: artifact.file_name,
            bytes: i64::try_from(artifact.bytes).unwrap_or(i64::MAX),
            sha256: artifact.sha256,
            ready_at: artifact.ready_at,
            delete_after: artifact.delete_after,
        }),
    )?;
    Ok(())
}

pub(super) fn find_artifact(
    view: &View<'_>,
    account: AccountId,
    artifact: ArtifactId,
) -> Result<Option<Artifact>, Error> {
    let now = view.now();
    view.find(FIND_ARTIFACT, named_params! {":id": artifact, ":account_id": account, ":now": now}, read_artifact)
        .map(Option::flatten)
}

pub(super) fn list_old_artifacts(view: &View<'_>, limit: u32) -> Result<Vec<(ArtifactId, AccountId)>, Error> {
    let now = view.now();
    view.list(LIST_OLD_ARTIFACTS, named_params! {":now": now, ":limit": limit}, |row| {
        by_name!(row, LIST_OLD_ARTIFACTS => id, account_id);
        Ok((id.get()?, account_id.get()?))
    })
}

/// Deletes an artifact and its links.
pub(super) fn delete_artifact(tx: &mut Tx<'_>, artifact: ArtifactId) -> Result<(), Error> {
    tx.execute(DELETE_LINKS_OF_ARTIFACT, named_params! {":artifact_id": artifact})?;
    tx.execute(DELETE_ARTIFACT, named_params! {":id": artifact})?;
    Ok(())
}

pub(super) fn insert_link(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    account: AccountId,
    artifact: ArtifactId,
    expires_at: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        INSERT_LINK,
        values!(EXPORT_LINK => {
            digest: digest,
            artifact_id: artifact,
            account_id: account,
            expires_at: expires_at,
        }),
    )?;
    Ok(())
}

pub(super) fn find_by_link(view: &View<'_>, digest: &[u8; 32], account: AccountId) -> Result<Option<Artifact>, Error> {
    let now = view.now();
    view.find(FIND_BY_LINK, named_params! {":digest": digest, ":account_id": account, ":now": now}, read_artifact)
        .map(Option::flatten)
}

pub(super) fn delete_old_links(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(DELETE_OLD_LINKS, named_params! {":now": now})
}

/// Ends the links to exports of all accounts, because a restored database does not know which were used after it was
/// copied. Calling it twice is the same as once.
///
/// # Errors
/// [`Error`].
pub fn delete_all_links(tx: &mut Tx<'_>) -> Result<(), Error> {
    tx.execute(DELETE_ALL_LINKS, [])?;
    Ok(())
}

pub(super) fn insert_pending(tx: &mut Tx<'_>, receipt: RequestId, erased_at: Timestamp) -> Result<(), Error> {
    tx.execute(INSERT_PENDING, values!(ERASURE_PENDING => { receipt_id: receipt, erased_at: erased_at }))?;
    Ok(())
}

pub(super) fn list_pending(view: &View<'_>, limit: u32) -> Result<Vec<PendingErasure>, Error> {
    view.list(LIST_PENDING, named_params! {":limit": limit}, read_pending)
}

/// What the files of the appliance may still have of an erased person. `None`: nothing.
pub(super) fn find_pending(view: &View<'_>, receipt: RequestId) -> Result<Option<PendingErasure>, Error> {
    view.find(FIND_PENDING, named_params! {":receipt_id": receipt}, read_pending)
}

fn read_pending(row: &Row<'_>) -> rusqlite::Result<PendingErasure> {
    by_name!(row, PENDING => receipt_id, erased_at, log_emptied, snapshot_replaced);
    Ok(PendingErasure {
        receipt: receipt_id.get()?,
        erased_at: erased_at.get()?,
        log_emptied: log_emptied.get()?,
        snapshot_replaced: snapshot_replaced.get()?,
    })
}

pub(super) fn set_log_emptied(tx: &mut Tx<'_>, receipt: RequestId) -> Result<(), Error> {
    tx.execute(UPDATE_LOG_EMPTIED, named_params! {":receipt_id": receipt}).map(drop)
}

pub(super) fn set_snapshot_replaced(tx: &mut Tx<'_>, receipt: RequestId) -> Result<(), Error> {
    tx.execute(UPDATE_SNAPSHOT_REPLACED, named_params! {":receipt_id": receipt}).map(drop)
}

pub(super) fn delete_final(tx: &mut Tx<'_>) -> Result<(), Error> {
    tx.execute(DELETE_FINAL, []).map(drop)
}
