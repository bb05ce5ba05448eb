//! `/admin`: what needs an operator, and how the appliance is doing.

use actix_web::HttpRequest;
use askama::Template;

use super::super::model::{Overview, SnapshotState};
use super::super::ops;
use super::Tag;
use super::commands::command_tag;
use crate::app::App;
use crate::base::Timestamp;
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Dismissal, Moment, OperatorInSession, TimeFormat};
use crate::inbox::Command;
use crate::maintenance::Escrow;

/// What an operator has to act on, or should know.
struct Attention {
    /// The server says that it is not ready because of it.
    is_fault: bool,
    sentences: Vec<String>,
    /// `None`: it stays until its cause is gone.
    dismissal: Option<Dismissal>,
}

/// A value that is a moment, or a sentence when there is none.
enum Fact {
    At(&'static str, Moment),
    Says(String),
}

#[derive(Template)]
#[template(path = "console/overview.html")]
struct OverviewPage {
    context: PageContext,
    attention: Vec<Attention>,
    accounts: i64,
    sessions: i64,
    services: usize,
    commands: Vec<LateCommand>,
    snapshot: Fact,
    drill: Fact,
    keyring: Fact,
    journal_lines: i64,
    version: &'static str,
    region: String,
}

/// A command that is overdue or failed.
struct LateCommand {
    id: String,
    kind: &'static str,
    service: String,
    due: Option<Moment>,
    tag: Tag,
}

impl LateCommand {
    fn new(command: &Command, service: &str, now: Timestamp, times: TimeFormat<'_>) -> Self {
        Self {
            id: command.id.to_string(),
            kind: command.kind.as_str(),
            service: service.to_owned(),
            due: command.deadline.map(|at| times.moment(at)),
            tag: command_tag(command, now),
        }
    }
}

/// What the readiness probe and the banners say, and what is due. Takes the banners out of the page, which would say the
/// same above the list.
fn attention(app: &App, context: &mut PageContext, read: &Overview) -> Vec<Attention> {
    let faults = app.readiness().faults().into_iter();
    let faults = faults.map(|(_, reason)| Attention { is_fault: true, sentences: vec![reason], dismissal: None });
    let notices = std::mem::take(&mut context.notices).into_iter().map(|notice| Attention {
        is_fault: false,
        sentences: notice.sentences,
        dismissal: notice.dismissal,
    });
    let due = read.reminder.map(|sentence| Attention {
        is_fault: false,
        sentences: vec![sentence.to_owned()],
        dismissal: None,
    });
    let erasures = read.erasures.iter().map(|sentence| Attention {
        is_fault: false,
        sentences: vec![sentence.clone(), "They are on the page Erasures.".to_owned()],
        dismissal: None,
    });
    faults.chain(notices).chain(due).chain(erasures).collect()
}

/// `GET /admin`.
pub async fn overview(app: AppData, request: HttpRequest, OperatorInSession(who): OperatorInSession) -> Answer {
    let read = app.read_offloaded(ops::read_overview).await?;
    let times = TimeFormat::new(app.now(), &who.identity.zone);
    let mut context = PageContext::new(&app, &request, "Operator console");
    page::render(&OverviewPage {
        attention: attention(&app, &mut context, &read),
        context,
        accounts: read.accounts,
        sessions: read.sessions,
        services: read.services,
        commands: read
            .commands
            .iter()
            .map(|(command, service)| LateCommand::new(command, service, app.now(), times))
            .collect(),
        snapshot: match read.snapshot {
            SnapshotState::Published(at) => Fact::At("Made", times.moment(at)),
            SnapshotState::Missing => Fact::Says("None yet".into()),
        },
        drill: match read.drills.last {
            Some(last) if last.is_good => Fact::At("Succeeded", times.moment(last.finished_at)),
            Some(last) => Fact::At("Failed", times.moment(last.finished_at)),
            None => Fact::Says("None yet. To make one, run: domicile drill".into()),
        },
        keyring: match read.escrow {
            Escrow::Exported(at) => Fact::At("Exported", times.day(at)),
            Escrow::Waived(at, _) => Fact::At("Not exported, as decided", times.day(at)),
            Escrow::Due => Fact::Says("Not exported".into()),
        },
        journal_lines: read.journal_lines,
        version: env!("CARGO_PKG_VERSION"),
        region: app.config().region.clone(),
    })
}
