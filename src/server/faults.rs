//! Faults in the formats that programs read.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use serde::Serialize;

use crate::base::Problem;
use crate::http::schema::{ErrorBody, ProblemDocument};

/// The problem for a status that the framework answered with by itself.
pub(super) fn framework_problem(status: StatusCode) -> Problem {
    match status.as_u16() {
        404 => Problem::not_found(),
        405 => Problem::new(
            405,
            "method_not_allowed",
            "This address does not support this kind of request. Use a link or a form of a page.",
        ),
        413 => Problem::new(413, "too_large", "The request is larger than this address accepts. Send less at once."),
        408 => Problem::new(408, "timeout", "The request took too long to arrive. Send it again."),
        status if status < 500 => {
            Problem::new(status, "bad_request", "The request could not be read. Check its address and its format.")
        }
        _ => Problem::internal("the framework failed"),
    }
}

/// The same problem for a program, which has no pages: it is told where the description is.
pub(super) fn for_programs(problem: Problem) -> Problem {
    let sentence = match problem.code {
        "not_found" if problem.sentence == Problem::not_found().sentence => {
            "There is nothing at this address. All addresses are described at /v1/docs."
        }
        "method_not_allowed" => {
            "This address does not support this method. The header Allow names those that it supports."
        }
        _ => return problem,
    };
    Problem { sentence: sentence.into(), ..problem }
}

/// Writes a refused request to the log: an error of the server with its cause. What everybody can cause by typing an
/// address is logged at the level debug. Returns whether the log has it at the usual level, so that it is worth telling a
/// person its id.
pub(super) fn report(problem: &Problem, request_id: &str, path: &str) -> bool {
    let (request, status, code) = (request_id, problem.status, problem.code);
    let cause = problem.cause.as_deref();
    // Readiness logs each fault once, and a probe asks all the time.
    let is_common = matches!(status, 400 | 401 | 404 | 405 | 408 | 421) || (status == 503 && cause.is_none());
    match status {
        _ if is_common => tracing::debug!(request, path, status, code, "A request was refused."),
        500.. => {
            let cause = cause.unwrap_or("none given");
            tracing::error!(request, path, status, code, cause, "A request failed.");
        }
        _ => tracing::info!(request, path, status, code, "A request was refused."),
    }
    !is_common
}

/// A problem document (RFC 9457), for services and probes.
pub(super) fn problem_json(problem: &Problem, request_id: &str) -> HttpResponse {
    let status = status_of(problem);
    let reached = problem.reached.as_ref();
    let document = ProblemDocument {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: problem.status,
        detail: &problem.sentence,
        code: problem.code,
        error: &problem.sentence,
        request_id,
        field: problem.field,
        limit: reached.map(|reached| reached.limit),
        max: reached.map(|reached| reached.max),
        current: reached.map(|reached| reached.current),
        plan: reached.map(|reached| reached.plan.as_str()),
    };
    json_response(problem, status, "application/problem+json", &document)
}

/// The format that the reference's client reads.
pub(super) fn error_json(problem: &Problem) -> HttpResponse {
    let body = ErrorBody { error: &problem.sentence, code: problem.code };
    json_response(problem, status_of(problem), "application/json", &body)
}

fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn json_response(
    problem: &Problem,
    status: StatusCode,
    content_type: &'static str,
    document: &impl Serialize,
) -> HttpResponse {
    let mut response = HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(serde_json::to_string(document).unwrap_or_default());
    let headers = response.headers_mut();
    add_retry_after(problem, headers);
    if problem.status == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
    }
    response
}

/// Adds `Retry-After` if the problem says when to try again.
pub(super) fn add_retry_after(problem: &Problem, headers: &mut HeaderMap) {
    if let Some(seconds) = problem.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}
