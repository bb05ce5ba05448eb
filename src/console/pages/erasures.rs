//! `/admin/erasures`: what became of erasures, and what waits for an operator.

use actix_web::HttpRequest;
use actix_web::web::{Path, Query};
use askama::Template;
use serde::Deserialize;

use super::super::flashes::ConsoleFlash;
use super::Tag;
use crate::base::{PAGE_SIZE_MAX, Problem, RequestId};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, Moment, OperatorInSession, SignedIn, TimeFormat, redirect_with_flash};
use crate::privacy::PrivacyError;
use crate::privacy::erasures::{self, ErasureAtService, ErasureFilter, ErasureReport, ServiceAnswer, Statement};

const PATH: &str = "/admin/erasures";

fn state_tag(report: &ErasureReport) -> Tag {
    match report.state() {
        "final" => Tag { word: "Final", colour: "ok" },
        "needs_operator" => Tag { word: "Needs you", colour: "bad" },
        _ => Tag { word: "Open", colour: "accent" },
    }
}

fn answer_tag(answer: &ServiceAnswer) -> Tag {
    match answer {
        ServiceAnswer::Requested => Tag { word: "Asked", colour: "accent" },
        ServiceAnswer::InProgress => Tag { word: "In progress", colour: "accent" },
        ServiceAnswer::Overdue => Tag { word: "Overdue", colour: "bad" },
        ServiceAnswer::Completed => Tag { word: "Deleted", colour: "ok" },
        ServiceAnswer::Retained(_) => Tag { word: "Deleted, some kept", colour: "ok" },
        ServiceAnswer::Rejected(_) => Tag { word: "Refused", colour: "bad" },
        ServiceAnswer::Failed(_) => Tag { word: "Failed", colour: "bad" },
        ServiceAnswer::Disconnected => Tag { word: "Disconnected", colour: "bad" },
        ServiceAnswer::Attested => Tag { word: "Attested", colour: "ok" },
    }
}

struct ErasureRow {
    receipt: String,
    erased: Moment,
    tag: Tag,
    settled: usize,
    services: usize,
}

#[derive(Template)]
#[template(path = "console/erasures.html")]
struct ErasuresPage {
    context: PageContext,
    only_open: bool,
    erasures: Vec<ErasureRow>,
}

/// The query: which erasures are listed.
#[derive(Deserialize)]
pub struct ErasuresQuery {
    #[serde(default)]
    state: String,
}

/// `GET /admin/erasures`.
pub async fn list(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(who): OperatorInSession,
    query: Query<ErasuresQuery>,
) -> Answer {
    let filter = ErasureFilter::parse(&query.state);
    let reports = app.read_offloaded(move |view| erasures::list(view, filter, PAGE_SIZE_MAX)).await?;
    let times = TimeFormat::new(app.now(), &who.identity.zone);
    let rows = reports.iter().map(|report| ErasureRow {
        receipt: report.erased.receipt.to_string(),
        erased: times.moment(report.erased.erased_at),
        tag: state_tag(report),
        settled: report.settled(),
        services: report.services.len(),
    });
    page::render(&ErasuresPage {
        context: PageContext::new(&app, &request, "Erasures"),
        only_open: filter.is_open(),
        erasures: rows.collect(),
    })
}

struct ServiceRow {
    id: String,
    name: String,
    tag: Tag,
    sentence: String,
    reason: Option<String>,
    at: Option<Moment>,
    due: Option<Moment>,
    command: Option<String>,
    needs_operator: bool,
}

impl ServiceRow {
    fn new(one: ErasureAtService, times: TimeFormat<'_>) -> Self {
        Self {
            id: one.service.to_string(),
            name: one.name,
            tag: answer_tag(&one.answer),
            sentence: one.answer.sentence(),
            reason: one.answer.reason().map(str::to_owned),
            at: one.answered_at.map(|at| times.moment(at)),
            due: one.due_at.map(|at| times.moment(at)),
            command: one.command.map(|id| id.to_string()),
            needs_operator: one.answer.needs_operator(),
        }
    }
}

#[derive(Template)]
#[template(path = "console/erasure.html")]
struct ErasurePage {
    context: PageContext,
    fault: Option<FormFault>,
    /// The service whose form has the fault.
    at_service: String,
    statement: String,
    receipt: String,
    account: String,
    erased: Moment,
    tag: Tag,
    finished: Option<Moment>,
    open_items: Vec<String>,
    services: Vec<ServiceRow>,
}

impl ErasurePage {
    async fn build(app: &AppData, request: &HttpRequest, who: &SignedIn, path: &str) -> Result<Self, Problem> {
        let receipt = RequestId::parse(path).ok_or_else(Problem::not_found)?;
        let found = app.read_offloaded(move |view| erasures::find(view, receipt)).await?;
        let report = found.ok_or_else(Problem::not_found)?;
        let times = TimeFormat::new(app.now(), &who.identity.zone);
        let mut context = PageContext::new(app, request, "Erasure");
        context.path = PATH.to_owned();
        Ok(Self {
            context,
            fault: None,
            at_service: String::new(),
            statement: String::new(),
            receipt: receipt.to_string(),
            account: report.erased.account.to_string(),
            erased: times.moment(report.erased.erased_at),
            tag: state_tag(&report),
            finished: report.final_at.map(|at| times.moment(at)),
            open_items: report.open_besides_services(),
            services: report.services.into_iter().map(|one| ServiceRow::new(one, times)).collect(),
        })
    }
}

/// `GET /admin/erasures/{id}`.
pub async fn detail(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(who): OperatorInSession,
    path: Path<String>,
) -> Answer {
    page::render(&ErasurePage::build(&app, &request, &who, &path).await?)
}

/// `POST /admin/erasures/{id}/attest`.
pub async fn attest(
    app: AppData,
    request: HttpRequest,
    OperatorInSession(who): OperatorInSession,
    path: Path<String>,
    form: Form,
) -> Answer {
    let receipt = RequestId::parse(&path).ok_or_else(Problem::not_found)?;
    let (actor, service) = (who.actor(), form.text("service").to_owned());
    let attested = match Statement::parse(form.text("statement")) {
        Some(statement) => app.write(move |tx| erasures::attest(tx, &actor, receipt, &service, &statement)).await,
        None => Err(PrivacyError::Statement),
    };
    match attested {
        Ok(_) => Ok(redirect_with_flash(&format!("{PATH}/{receipt}"), ConsoleFlash::Attested)),
        Err(error) => {
            let problem = Problem::from(error);
            let mut page = ErasurePage::build(&app, &request, &who, &path).await?;
            page.fault = Some(FormFault::from(&problem));
            form.text("service").clone_into(&mut page.at_service);
            form.text("statement").clone_into(&mut page.statement);
            page::render_form_error(&problem, &page)
        }
    }
}
