//! The door to a person's rights: export and deletion.

use std::fs::File;
use std::io::Read;

use actix_web::http::header;
use actix_web::web::{Bytes, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use futures_util::stream;

use super::error::PrivacyError;
use super::model::{Download, Export, ExportState, Receipt};
use super::{ExportRecipient, flows, ops};
use crate::accounts;
use crate::api_keys;
use crate::base::{Problem, RequestId, Secret, Zone};
use crate::billing::ledger;
use crate::db;
use crate::http::page::{self, FormFault, PageContext, TheApp};
use crate::http::{Answer, Form, SESSION, SignedIn, forget};
use crate::threads::spawn_blocking;

const PATH: &str = "/settings/privacy";
/// While an export is being made, the page loads itself again: progress without a script.
const REFRESH_SECONDS: u32 = 5;
/// Bytes of one piece of a download.
const PIECE_BYTES: usize = 256 * 1024;

struct ExportRow {
    id: String,
    title: String,
    details: String,
    is_running: bool,
    percent: u8,
    step: String,
    can_download: bool,
    is_bad: bool,
    state: &'static str,
}

#[derive(Template)]
#[template(path = "privacy/privacy.html")]
struct PrivacyPage {
    context: PageContext,
    fault: Option<FormFault>,
    recipient: String,
    kept_for: String,
    is_under_way: bool,
    exports: Vec<ExportRow>,
}

impl PrivacyPage {
    async fn build(
        app: &TheApp,
        request: &HttpRequest,
        who: &SignedIn,
        typed: Option<(&str, &Problem)>,
    ) -> Result<Self, Problem> {
        let account = who.identity.account;
        let exports = app.read_offloaded(move |view| ops::exports_of(view, account)).await?;
        let is_under_way = exports.iter().any(|export| export.state.is_under_way());
        let mut context = PageContext::new(app, request, "Privacy");
        // A form shown again stands at an address that only takes posts; the rail and the theme lead back to the page.
        context.path = PATH.to_owned();
        if is_under_way && typed.is_none() {
            context.refresh_seconds = Some(REFRESH_SECONDS);
        }
        let days = app.config().privacy.export_keep.as_secs() / 86_400;
        Ok(Self {
            context,
            fault: typed.map(|(_, problem)| FormFault::from(problem)),
            recipient: typed.map(|(recipient, _)| recipient.to_owned()).unwrap_or_default(),
            kept_for: if days == 1 { "a day".into() } else { format!("{days} days") },
            is_under_way,
            exports: exports.into_iter().map(|export| row(export, &who.identity.zone)).collect(),
        })
    }
}

fn row(export: Export, zone: &Zone) -> ExportRow {
    let details = match (&export.artifact, &export.problem) {
        (Some(artifact), _) => format!("{} · kept until {}", size(artifact.bytes), artifact.delete_after.day_in(zone)),
        (None, Some(problem)) => problem.clone(),
        (None, None) => String::new(),
    };
    ExportRow {
        id: export.id.to_string(),
        title: format!("Export of {}", export.requested_at.day_and_time_in(zone)),
        details,
        is_running: export.state.is_under_way(),
        percent: export.progress_percent,
        step: if export.step.is_empty() { "Waiting to begin".into() } else { export.step },
        can_download: export.state == ExportState::Ready && export.artifact.is_some(),
        is_bad: export.state == ExportState::Failed,
        state: match export.state {
            ExportState::Requested | ExportState::Running => "Under way",
            ExportState::Ready => "Ready",
            ExportState::Failed => "Failed",
            ExportState::Expired => "Expired",
        },
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} KB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// `GET /settings/privacy`.
pub async fn privacy(app: TheApp, request: HttpRequest, who: SignedIn) -> Answer {
    page::render(&PrivacyPage::build(&app, &request, &who, None).await?)
}

/// `POST /settings/privacy/export`.
pub async fn request_export(app: TheApp, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    match start_export(&app, &who, &form).await {
        Ok(_) => Ok(page::go(PATH, "export-started")),
        Err(error) => {
            let problem = Problem::from(error);
            let typed = Some((form.text("recipient"), &problem));
            page::again(&problem, &PrivacyPage::build(&app, &request, &who, typed).await?)
        }
    }
}

async fn start_export(app: &TheApp, who: &SignedIn, form: &Form) -> Result<RequestId, PrivacyError> {
    let recipient = match form.text("recipient") {
        "" => ExportRecipient::passphrase(form.secret("passphrase")),
        key => ExportRecipient::key(key),
    };
    let recipient = recipient.map_err(PrivacyError::Recipient)?;
    let (actor, account) = (who.actor(), who.identity.account);
    app.write(move |tx| ops::request_export(tx, &actor, account, &recipient)).await
}

/// `POST /settings/privacy/export/{id}/download`: mints a link for this answer alone and follows it at once.
pub async fn download(app: TheApp, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let id = RequestId::parse(&path).ok_or_else(Problem::not_found)?;
    let (actor, account) = (who.actor(), who.identity.account);
    let found = app
        .write(move |tx| {
            let exports = ops::exports_of(tx, account)?;
            let artifact = exports.into_iter().find(|export| export.id == id).and_then(|export| export.artifact);
            let artifact = artifact.ok_or(PrivacyError::NotFound)?;
            let link = ops::export_link(tx, &actor, account, artifact.id)?;
            let found = ops::find_by_link(tx, account, link.token.expose())?.ok_or(PrivacyError::NotFound)?;
            ops::note_download(tx, &actor, account, artifact.id)?;
            Ok::<_, PrivacyError>(found)
        })
        .await?;
    stream_file(found).await
}

/// Sends the file piece by piece. Each is read on a thread that may wait for the disk, so that a slow one holds up nobody
/// else. A range is not answered: it means something for GET alone (RFC 9110 §14.2), and an export is asked for by POST,
/// because each download is audited and mints its own link.
async fn stream_file(found: Download) -> Answer {
    let path = found.path;
    let opened = spawn_blocking(move || File::open(&path).map_err(|error| db::Error::file(&path, error))).await;
    let file = opened.map_err(Problem::ours)??;
    let pieces = stream::unfold(Some(file), |file| async move {
        let file = file?;
        let read = spawn_blocking(move || read_piece(file)).await.map_err(std::io::Error::other);
        match read.flatten() {
            Ok((piece, _)) if piece.is_empty() => None,
            Ok((piece, file)) => Some((Ok(piece), Some(file))),
            Err(error) => Some((Err(actix_web::Error::from(error)), None)),
        }
    });
    let artifact = found.artifact;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", artifact.file_name)))
        .insert_header((header::ETAG, format!("\"{}\"", hex::encode(artifact.sha256))))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .no_chunking(artifact.bytes)
        .streaming(Box::pin(pieces)))
}

/// The next piece, empty at the end, and the file to go on with.
fn read_piece(mut file: File) -> std::io::Result<(Bytes, File)> {
    let mut piece = vec![0u8; PIECE_BYTES];
    let read = file.read(&mut piece)?;
    piece.truncate(read);
    Ok((Bytes::from(piece), file))
}

#[derive(Template)]
#[template(path = "privacy/delete.html")]
struct DeletePage {
    context: PageContext,
    fault: Option<FormFault>,
    username: String,
    keys: String,
    balance: String,
    has_password: bool,
    /// Without a password: whether the last proof is fresh enough.
    is_fresh: bool,
}

impl DeletePage {
    async fn build(
        app: &TheApp,
        request: &HttpRequest,
        who: &SignedIn,
        fault: Option<&Problem>,
    ) -> Result<Self, Problem> {
        let (account, workspace) = (who.identity.account, who.identity.workspace);
        let (keys, balance, has_password) = app
            .read_offloaded(move |view| {
                let has_password = accounts::password_hash(view, account)?.is_some();
                Ok::<_, db::Error>((
                    api_keys::count_live(view, workspace)?,
                    ledger::balance(view, workspace)?,
                    has_password,
                ))
            })
            .await?;
        Ok(Self {
            context: PageContext::new(app, request, "Delete your account"),
            fault: fault.map(FormFault::from),
            username: who.identity.username.clone(),
            keys: if keys == 1 { "1 API key".into() } else { format!("{keys} API keys") },
            balance: balance.for_people(),
            has_password,
            is_fresh: app.now().since(who.identity.proved_at) < app.config().session.step_up_after,
        })
    }
}

/// `GET /settings/privacy/delete`.
pub async fn confirm_delete(app: TheApp, request: HttpRequest, who: SignedIn) -> Answer {
    page::render(&DeletePage::build(&app, &request, &who, None).await?)
}

#[derive(Template)]
#[template(path = "privacy/deleted.html")]
struct DeletedPage {
    context: PageContext,
    receipt: String,
}

/// `POST /settings/privacy/delete`.
pub async fn delete(app: TheApp, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let password: Secret<String> = form.secret("password");
    let proved_at = who.identity.proved_at;
    match flows::delete_account(&app, actor, account, form.text("confirm"), password, proved_at).await {
        Ok(receipt) => goodbye(&app, &request, &receipt),
        Err(error) => {
            let problem = Problem::from(error);
            page::again(&problem, &DeletePage::build(&app, &request, &who, Some(&problem)).await?)
        }
    }
}

fn goodbye(app: &TheApp, request: &HttpRequest, receipt: &Receipt) -> Answer {
    let mut context = PageContext::new(app, request, "Your account is deleted");
    context.person = None;
    let mut response = page::render(&DeletedPage { context, receipt: receipt.id.to_string() })?;
    // A cookie that cannot be added stays, and opens nothing any more.
    let _ = response.add_cookie(&forget(SESSION));
    Ok(response)
}
