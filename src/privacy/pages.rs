//! The pages for export and deletion.

use std::fs::File;
use std::io::Read;

use actix_web::http::header;
use actix_web::web::{Bytes, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use futures_util::stream;

use super::erasures::{self, ErasureAtService};
use super::error::{PRIVATE_KEY, PrivacyError};
use super::flashes::PrivacyFlash;
use super::model::{Download, Export, ExportState, Receipt};
use super::{ExportRecipient, flows, ops};
use crate::accounts;
use crate::api_keys;
use crate::base::{Problem, RequestId, Secret, Zone, size_in_words};
use crate::billing::ledger;
use crate::db;
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, Moment, SESSION, SignedIn, TimeFormat, forget, redirect_with_flash};
use crate::resources;
use crate::threads::spawn_blocking;

const PATH: &str = "/settings/privacy";
/// While an export is in progress, the page reloads itself, so that progress is visible without JavaScript.
const REFRESH_SECONDS: u32 = 5;
/// The size of one chunk of a download.
const CHUNK_BYTES: usize = 256 * 1024;

struct ExportRow {
    id: String,
    requested: Moment,
    /// Its size, and until when it is kept. `None`: there is no file.
    file: Option<(String, Moment)>,
    /// Why it failed. Empty: it did not.
    problem: String,
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
        app: &AppData,
        request: &HttpRequest,
        who: &SignedIn,
        typed: Option<(&str, &Problem)>,
    ) -> Result<Self, Problem> {
        let account = who.identity.account;
        let exports = app.read_offloaded(move |view| ops::list_exports(view, account)).await?;
        let is_under_way = exports.iter().any(|export| export.state.is_under_way());
        let mut context = PageContext::new(app, request, "Privacy");
        // A form that is shown again has a path that accepts only POST, so links of the sidebar and the theme use this
        // path.
        context.path = PATH.to_owned();
        if is_under_way && typed.is_none() {
            context.refresh_seconds = Some(REFRESH_SECONDS);
        }
        let times = TimeFormat::new(app.now(), &who.identity.zone);
        let days = app.config().privacy.export_keep.as_secs() / 86_400;
        Ok(Self {
            context,
            fault: typed.map(|(_, problem)| FormFault::from(problem)),
            recipient: typed.map(|(recipient, _)| recipient.to_owned()).unwrap_or_default(),
            kept_for: if days == 1 { "a day".into() } else { format!("{days} days") },
            is_under_way,
            exports: exports.into_iter().map(|export| row(export, times)).collect(),
        })
    }
}

fn row(export: Export, times: TimeFormat<'_>) -> ExportRow {
    ExportRow {
        id: export.id.to_string(),
        requested: times.moment(export.requested_at),
        file: export.artifact.as_ref().map(|file| (size_in_words(file.bytes), times.moment(file.delete_after))),
        problem: export.problem.clone().unwrap_or_default(),
        is_running: export.state.is_under_way(),
        percent: export.progress_percent,
        can_download: export.can_download(),
        is_bad: export.has_failed(),
        step: if export.step.is_empty() { "Waiting to start".into() } else { export.step },
        state: match export.state {
            ExportState::Requested | ExportState::Running => "In progress",
            ExportState::Ready => "Ready",
            ExportState::Failed => "Failed",
            ExportState::Expired => "Expired",
        },
    }
}

/// `GET /settings/privacy`.
pub async fn privacy(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    page::render(&PrivacyPage::build(&app, &request, &who, None).await?)
}

/// `POST /settings/privacy/export`.
pub async fn request_export(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    match start_export(&app, &who, &form).await {
        Ok(_) => Ok(redirect_with_flash(&format!("{PATH}#exports"), PrivacyFlash::ExportStarted)),
        Err(error) => {
            let problem = Problem::from(error);
            // A private key must not be in the page.
            let recipient = if problem.code == PRIVATE_KEY { "" } else { form.text("recipient") };
            let typed = Some((recipient, &problem));
            page::render_form_error(&problem, &PrivacyPage::build(&app, &request, &who, typed).await?)
        }
    }
}

async fn start_export(app: &AppData, who: &SignedIn, form: &Form) -> Result<RequestId, PrivacyError> {
    let recipient = match form.text("recipient") {
        "" => ExportRecipient::passphrase(form.secret("passphrase")),
        key => ExportRecipient::key(key),
    };
    let recipient = recipient.map_err(PrivacyError::Recipient)?;
    let (actor, account) = (who.actor(), who.identity.account);
    app.write(move |tx| ops::request_export(tx, &actor, account, &recipient)).await
}

/// `POST /settings/privacy/export/{id}/download`: creates a link for this response only and follows it at once.
pub async fn download(app: AppData, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let id = RequestId::parse(&path).ok_or_else(Problem::not_found)?;
    let (actor, account) = (who.actor(), who.identity.account);
    let download = app
        .write(move |tx| {
            let exports = ops::list_exports(tx, account)?;
            let artifact = exports.into_iter().find(|export| export.id == id).and_then(|export| export.artifact);
            let artifact = artifact.ok_or(PrivacyError::NotFound)?;
            let link = ops::export_link(tx, &actor, account, artifact.id)?;
            let download = ops::find_by_link(tx, account, link.token.expose())?.ok_or(PrivacyError::NotFound)?;
            ops::record_download(tx, &actor, account, artifact.id)?;
            Ok::<_, PrivacyError>(download)
        })
        .await?;
    stream_file(download).await
}

/// Sends the file in chunks. A blocking thread reads each chunk, so that a slow disk does not delay other requests.
/// Range requests are not supported: RFC 9110 §14.2 defines them for GET only, and a download is a POST, because each
/// download is audited and creates its own link.
async fn stream_file(download: Download) -> Answer {
    let path = download.path;
    let opened = spawn_blocking(move || File::open(&path).map_err(|error| db::Error::file(&path, error))).await;
    let file = opened.map_err(Problem::internal)??;
    let chunks = stream::unfold(Some(file), |file| async move {
        let file = file?;
        let read = spawn_blocking(move || read_chunk(file)).await.map_err(std::io::Error::other);
        match read.flatten() {
            Ok((chunk, _)) if chunk.is_empty() => None,
            Ok((chunk, file)) => Some((Ok(chunk), Some(file))),
            Err(error) => Some((Err(actix_web::Error::from(error)), None)),
        }
    });
    let artifact = download.artifact;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", artifact.file_name)))
        .insert_header((header::ETAG, format!("\"{}\"", hex::encode(artifact.sha256))))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .no_chunking(artifact.bytes)
        .streaming(Box::pin(chunks)))
}

/// The next chunk, empty at the end of the file, and the file to continue with.
fn read_chunk(mut file: File) -> std::io::Result<(Bytes, File)> {
    let mut chunk = vec![0u8; CHUNK_BYTES];
    let read = file.read(&mut chunk)?;
    chunk.truncate(read);
    Ok((Bytes::from(chunk), file))
}

#[derive(Template)]
#[template(path = "privacy/delete.html")]
struct DeletePage {
    context: PageContext,
    fault: Option<FormFault>,
    username: String,
    keys: String,
    /// How much services keep for it. `None`: nothing.
    items: Option<String>,
    balance: String,
    has_password: bool,
    /// For an account without a password: whether its last confirmation is recent enough.
    is_fresh: bool,
}

impl DeletePage {
    async fn build(
        app: &AppData,
        request: &HttpRequest,
        who: &SignedIn,
        fault: Option<&Problem>,
    ) -> Result<Self, Problem> {
        let (account, workspace) = (who.identity.account, who.identity.workspace);
        let (keys, items, balance, has_password) = app
            .read_offloaded(move |view| {
                let has_password = accounts::password_hash(view, account)?.is_some();
                Ok::<_, db::Error>((
                    api_keys::count_live(view, workspace)?,
                    resources::used_items(view, workspace)?,
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
            items: (items > 0).then(|| if items == 1 { "1 item".into() } else { format!("{items} items") }),
            balance: format!("{} {}", balance.for_people(), app.config().billing.currency.to_uppercase()),
            has_password,
            is_fresh: app.config().session.is_fresh(who.identity.proved_at, app.now()),
        })
    }
}

/// `GET /settings/privacy/delete`.
pub async fn confirm_delete(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    page::render(&DeletePage::build(&app, &request, &who, None).await?)
}

#[derive(Template)]
#[template(path = "privacy/deleted.html")]
struct DeletedPage {
    context: PageContext,
    receipt: String,
    services: Option<String>,
    remaining: Option<String>,
}

/// A service on the receipt.
struct ServiceLine {
    name: String,
    sentence: String,
    at: Option<Moment>,
}

#[derive(Template)]
#[template(path = "privacy/receipt.html")]
struct ReceiptPage {
    context: PageContext,
    receipt: String,
    account: String,
    erased: Moment,
    is_final: bool,
    finished: Option<Moment>,
    services: Vec<ServiceLine>,
    open_items: Vec<String>,
    remaining: Option<String>,
}

/// `GET /erasure/{id}`: what became of an erasure, for everybody who knows its number. It has 74 random bits, so nobody
/// guesses it, and the page has no personal data.
pub async fn receipt(app: AppData, request: HttpRequest, path: Path<String>) -> Answer {
    let receipt = RequestId::parse(&path).ok_or_else(Problem::not_found)?;
    let found = app.read_offloaded(move |view| erasures::find(view, receipt)).await?;
    let report = found.ok_or_else(Problem::not_found)?;
    let zone = Zone::default();
    let times = TimeFormat::new(app.now(), &zone);
    let open_items = report.open_besides_services();
    let service = |one: ErasureAtService| ServiceLine {
        sentence: one.answer.sentence(),
        at: one.answered_at.map(|at| times.day(at)),
        name: one.name,
    };
    page::render(&ReceiptPage {
        context: PageContext::new(&app, &request, "Receipt of erasure"),
        receipt: receipt.to_string(),
        account: report.erased.account.to_string(),
        erased: times.moment(report.erased.erased_at),
        is_final: report.is_final(),
        finished: report.final_at.map(|at| times.moment(at)),
        open_items,
        remaining: report.remaining(app.now()),
        services: report.services.into_iter().map(service).collect(),
    })
}

/// `POST /settings/privacy/delete`.
pub async fn delete(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let password: Secret<String> = form.secret("password");
    let proved_at = who.identity.proved_at;
    match flows::delete_account(&app, actor, account, form.text("confirm"), password, proved_at).await {
        Ok(receipt) => render_deleted(&app, &request, &receipt),
        Err(error) => {
            let problem = Problem::from(error);
            page::render_form_error(&problem, &DeletePage::build(&app, &request, &who, Some(&problem)).await?)
        }
    }
}

fn render_deleted(app: &AppData, request: &HttpRequest, receipt: &Receipt) -> Answer {
    let mut context = PageContext::new(app, request, "Your account is deleted");
    context.person = None;
    let mut response = page::render(&DeletedPage {
        context,
        receipt: receipt.id.to_string(),
        services: receipt.requested(),
        remaining: receipt.remaining(),
    })?;
    // If the cookie cannot be removed, it stays in the browser, but its session has ended.
    let _ = response.add_cookie(&forget(SESSION));
    Ok(response)
}
