//! `GET /v1/inbox` and `POST /v1/inbox/{id}/ack`: the commands to a service, and its answers.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Data, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::callers::Caller;
use super::{ServiceWrite, Written, parse_number};
use crate::app::{App, ConcurrencyLimit};
use crate::base::{Actor, CommandId, Stopwatch, Timestamp, seconds};
use crate::db::Tx;
use crate::http::schema::{self, ProblemDocument, ServerProblem, TooLarge};
use crate::http::{Answer, ShutdownSignal, json};
use crate::inbox::{
    self, AckHandler, AckOutcome, Acknowledged, Acknowledgement, CommandMessage, InboxError, Retention, RetentionBasis,
    WaitingPolls,
};

/// A request can wait this long for a command: less than the usual timeout of proxies.
const WAIT_SECONDS_MAX: u64 = 30;
/// How soon a waiting request notices what another process has sent.
const OTHER_PROCESSES: Duration = seconds(1);
/// Requests that can wait at the same time. A further request is answered at once.
const WAITING: ConcurrencyLimit = ConcurrencyLimit { name: "inbox", max: 1_000 };

/// The query: the position of the reader in its inbox.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InboxQuery {
    /// Only commands after this position: the `seq` of one that you have. 0, or without it: all that are open.
    #[serde(default)]
    #[param(value_type = u64, minimum = 0, default = 0, example = 0)]
    after: String,
    /// How many seconds to wait for a command if there is none.
    #[serde(default)]
    #[param(value_type = u64, minimum = 0, maximum = 30, default = 0, example = 30)]
    wait: String,
}

/// The open commands to the service, the oldest first.
#[derive(Serialize, ToSchema)]
struct Inbox {
    #[schema(max_items = 100)]
    commands: Vec<CommandMessage>,
    /// The value of `after` for the next commands: the `seq` of the last one, or that of the question.
    #[schema(example = 1_777_798_800_000_i64)]
    next: i64,
    /// Whether there are more. Acknowledge these, or ask with `next`.
    more: bool,
}

/// What the service says about a command.
#[derive(Deserialize, ToSchema)]
#[schema(as = Acknowledgement)]
#[serde(deny_unknown_fields)]
pub struct AckRequest {
    /// done: you did it. failed: you cannot; operators see it. For dsr.erase also in_progress: you began, and will say when it is
    /// done, within 14 days; retained: you did it, except for what a law lets you keep; rejected: you refuse, and detail says why.
    #[schema(schema_with = outcomes)]
    outcome: Outcome,
    /// One line for operators: why you could not, or what you did.
    #[serde(default)]
    #[schema(max_length = 1000, example = "12 files deleted")]
    detail: String,
    /// With retained: which exception of GDPR Art. 17(3) lets you keep something.
    #[serde(default)]
    #[schema(schema_with = bases)]
    basis: Option<Basis>,
    /// With retained: when you delete it.
    #[serde(default)]
    #[schema(nullable = false, format = DateTime, example = "2034-12-31T23:59:59Z")]
    until: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Done,
    InProgress,
    Retained,
    Rejected,
    Failed,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Basis {
    LegalObligation,
    LegalClaims,
    PublicHealth,
    Archiving,
    FreeExpression,
}

impl From<Basis> for RetentionBasis {
    fn from(basis: Basis) -> Self {
        match basis {
            Basis::LegalObligation => Self::LegalObligation,
            Basis::LegalClaims => Self::LegalClaims,
            Basis::PublicHealth => Self::PublicHealth,
            Basis::Archiving => Self::Archiving,
            Basis::FreeExpression => Self::FreeExpression,
        }
    }
}

impl From<Outcome> for AckOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::InProgress => Self::InProgress,
            Outcome::Retained => Self::Retained,
            Outcome::Rejected => Self::Rejected,
            Outcome::Failed => Self::Failed,
        }
    }
}

/// The acknowledged command.
#[derive(Serialize, ToSchema)]
#[schema(as = AcknowledgedCommand)]
struct AckResponse {
    #[schema(example = "cmd_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    id: String,
    #[schema(schema_with = outcomes)]
    outcome: &'static str,
    /// When it was acknowledged first, with this outcome.
    #[schema(format = DateTime, example = "2026-05-03T09:00:00.000Z")]
    acknowledged_at: String,
    /// Whether the deadline was over then.
    late: bool,
}

fn outcomes() -> utoipa::openapi::Object {
    schema::one_of("What became of the command.", AckOutcome::ALL.map(AckOutcome::as_str))
}

fn bases() -> utoipa::openapi::Object {
    schema::one_of("Why something may be kept.", RetentionBasis::ALL.map(RetentionBasis::as_str))
}

/// What the service keeps, if it says so completely.
///
/// # Errors
/// [`InboxError::Retention`].
fn retention_of(basis: Option<Basis>, until: Option<&str>) -> Result<Option<Retention>, InboxError> {
    match (basis, until) {
        (None, None) => Ok(None),
        (Some(basis), Some(until)) => {
            let until = Timestamp::parse_rfc3339(until).ok_or(InboxError::Retention)?;
            Ok(Some(Retention { basis: basis.into(), until }))
        }
        _ => Err(InboxError::Retention),
    }
}

impl From<Acknowledged> for AckResponse {
    fn from(command: Acknowledged) -> Self {
        Self {
            id: command.id.to_string(),
            outcome: command.outcome.as_str(),
            acknowledged_at: command.at.rfc3339(),
            late: command.is_late,
        }
    }
}

/// The handlers of acknowledgements, for the app data.
#[derive(Clone, Copy)]
pub struct AckHandlers(pub &'static [AckHandler]);

/// The inbox of the service: the commands that it has not acknowledged.
///
/// A command stays in the inbox until you acknowledge it, so a program that was down finds everything when it asks again. With
/// wait, the answer waits until there is a command. The same commands are sent as webhooks to a service that has an address
/// for them.
#[utoipa::path(
    get,
    path = "/v1/inbox",
    operation_id = "inbox",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params(InboxQuery),
    responses(
        (status = 200, description = "The open commands, at most 100.", body = Inbox),
        (
            status = 400,
            description = "`after` or `wait` is not such a number.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        (
            status = 401,
            description = "The request does not have the credential of a connected service.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        (
            status = 429,
            description = "too_many_polls: 16 requests of this service wait already.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServerProblem
    )
)]
pub async fn inbox(
    app: Data<Arc<App>>,
    shutdown: ShutdownSignal,
    polls: Data<WaitingPolls>,
    caller: Caller,
    query: Query<InboxQuery>,
) -> Answer {
    let after = parse_number("after", &query.after, i64::MAX.unsigned_abs())?.cast_signed();
    let wait = seconds(parse_number("wait", &query.wait, WAIT_SECONDS_MAX)?);
    let service = caller.service.id;
    let watch = Stopwatch::start();
    let waiting = if wait.is_zero() { None } else { Some((polls.enter(service)?, app.try_permit(WAITING))) };
    let may_wait = matches!(waiting, Some((_, Some(_))));
    // Before the first read, so that no command between a read and the wait is missed.
    let mut wake = app.commands_wake();
    loop {
        wake.mark_unchanged();
        let (commands, more) = app.query_inline(|view| inbox::inbox(view, service, after))?;
        let left = wait.saturating_sub(watch.elapsed());
        if !commands.is_empty() || left.is_zero() || !may_wait || shutdown.is_requested() {
            let next = commands.last().map_or(after, |last| last.seq);
            return json::ok(&Inbox { commands: commands.iter().map(CommandMessage::from).collect(), next, more });
        }
        tokio::select! {
            // A commit of this server, also one for another service.
            _ = wake.changed() => {}
            // Commands at the command line are other processes.
            () = tokio::time::sleep(left.min(OTHER_PROCESSES)) => {}
            () = shutdown.requested() => {}
        }
    }
}

/// Acknowledges a command: the service did it, or cannot.
///
/// Acknowledge when it is done, not when it has arrived. The same acknowledgement again gets the same answer. After the
/// deadline it is accepted too, and is late. in_progress leaves the command open, with a later deadline.
#[utoipa::path(
    post,
    path = "/v1/inbox/{id}/ack",
    operation_id = "acknowledge",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params(("id" = String, Path, description = "The id of the command.", example = "cmd_01k0r3v9qz8h2f7n5m4c6x1b0a")),
    request_body = AckRequest,
    responses(
        (status = 200, description = "The acknowledgement is stored.", body = AckResponse),
        (
            status = 400,
            description = "The body is not an acknowledgement, or the Idempotency-Key is not valid. outcome_not_allowed: a command \
                           of this type cannot have this outcome. retention_invalid: basis and until do not fit the outcome.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        (
            status = 401,
            description = "The request does not have the credential of a connected service.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        (
            status = 404,
            description = "The inbox has no command with this id, or it belongs to another service.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        (
            status = 409,
            description = "already_acknowledged: with another outcome, which stays. command_cancelled: there is nothing to do. \
                           Or the Idempotency-Key was used for another request.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        TooLarge,
        ServerProblem
    )
)]
pub async fn acknowledge(
    app: Data<Arc<App>>,
    handlers: Data<AckHandlers>,
    caller: Caller,
    id: Path<String>,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let body = body.map_err(json::body_problem)?;
    let write = ServiceWrite::new(&caller, None, &request)?;
    let request: AckRequest = json::parse(&body)?;
    let retention = retention_of(request.basis, request.until.as_deref())?;
    let acknowledgement = Acknowledgement::new(request.outcome.into(), &request.detail).ok_or(InboxError::Detail)?;
    let acknowledgement = acknowledgement.retaining(retention);
    let id = CommandId::parse(&id).ok_or(InboxError::NotFound)?;
    let (handlers, service) = (handlers.0, caller.service.id);
    let acknowledge = move |tx: &mut Tx<'_>, _: &Actor| {
        let done = inbox::acknowledge(tx, handlers, service, id, &acknowledgement)?;
        Ok::<_, InboxError>(Written::new(200, &AckResponse::from(done)))
    };
    write.run(&app, &body, acknowledge).await
}
