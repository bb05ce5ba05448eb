//! `domicile mail test`, `list` and `retry`.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::arguments::{Common, MailCommand};
use super::context::{self, open};
use super::failure::Failure;
use super::output::{Table, out, result, tell, times};
use crate::base::{Clock, EmailAddress, MailId, Problem, Rng, Timestamp};
use crate::mail::{self, MailStatus, TestError};
use crate::outbound::{DialogueLine, MailFailure};

pub(super) fn mail(common: &Common, command: &MailCommand) -> Result<(), Failure> {
    match command {
        MailCommand::Test { address } => test(common, address),
        MailCommand::List => list(common),
        MailCommand::Retry => retry(common),
    }
}

/// Needs no appliance: the settings are tried before `init` too.
fn test(common: &Common, address: &str) -> Result<(), Failure> {
    let recipient = EmailAddress::parse(address)
        .map_err(|_| Failure::configuration("ADDRESS must be an e-mail address, for example ada@example.org."))?;
    let config = context::config(common)?;
    // As the server, which must be able to read the settings and ca_file too.
    context::drop_privileges(&config.data_dir)?;
    context::check_settings_readable(common)?;
    let id = MailId::new(Clock::system().now(), &mut Rng::system());
    let printed = Arc::new(Mutex::new(Vec::new()));
    let (is_json, lines) = (common.json, printed.clone());
    let listener = Arc::new(move |line: DialogueLine<'_>| {
        let (mark, text) = match line {
            DialogueLine::Sent(text) => (">", text),
            DialogueLine::Received(text) => ("<", text),
            DialogueLine::Note(text) => ("*", text),
        };
        if is_json {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{mark} {text}"));
        } else {
            // The mail is sent although nobody reads.
            let _ = out!("{mark} {text}");
        }
    });
    let sent = block_on(mail::send_test(&config, id, recipient, listener))?;
    let dialogue = json!(std::mem::take(&mut *printed.lock().unwrap_or_else(PoisonError::into_inner)));
    match sent {
        Ok(()) => {
            if common.json {
                out!("{}", json!({"sent": true, "dialogue": dialogue}))?;
            }
            tell!("The mail to {address} was taken. If it does not arrive, look into the log of the relay.");
            Ok(())
        }
        Err(TestError::Delivery(error)) => {
            let failure = not_sent(error.failure).with_detail("failure", failure_json(error.failure));
            Err(failure.with_detail("dialogue", dialogue))
        }
        Err(error @ TestError::Settings(_)) => Err(Failure::configuration(format!("{error}."))),
        Err(error @ TestError::NotSent) => Err(Failure::refused(format!(
            "{error}. Set mail.transport = \"smtp\" and mail.smtp_url in the configuration."
        ))),
    }
}

fn not_sent(failure: MailFailure) -> Failure {
    Failure::refused(format!("the mail was not sent. {} {}", failure.sentence(), failure.cure()))
        .with_code("mail_not_sent")
}

fn failure_json(failure: MailFailure) -> Value {
    json!({
        "stage": failure.stage.name(),
        "code": failure.code,
        "cause": failure.cause.name(),
        "sentence": failure.sentence(),
        "cure": failure.cure(),
    })
}

fn list(common: &Common) -> Result<(), Failure> {
    let app = open(common)?;
    let mails = app.store().read_blocking(mail::unsent).map_err(Problem::from)?;
    if common.json {
        let mails: Vec<_> = mails.iter().map(status_json).collect();
        return out!("{}", json!({"mails": mails}));
    }
    if mails.is_empty() {
        tell!("No mail waits, and none was given up in the last week.");
        return Ok(());
    }
    let mut table = Table::new(&["id", "to", "subject", "since", "tried", "next try", "why"]);
    for status in &mails {
        let why = match (status.failure, &status.detail) {
            (Some(failure), Some(detail)) => format!("{} The answer was: {detail}", failure.sentence()),
            (_, detail) => detail.clone().unwrap_or_default(),
        };
        table.row([
            status.id.to_string(),
            status.recipient.to_string(),
            status.subject.clone(),
            status.queued_at.day_and_time(),
            times(status.attempts),
            status.next_at.map_or_else(|| "given up".to_owned(), Timestamp::day_and_time),
            why,
        ]);
    }
    table.print()?;
    let waiting = mails.iter().filter(|status| status.next_at.is_some());
    if let Some(failure) = waiting.filter_map(|status| status.failure).next_back() {
        tell!("{} {}", failure.sentence(), failure.cure());
    }
    Ok(())
}

fn status_json(status: &MailStatus) -> Value {
    json!({
        "id": status.id.to_string(),
        "to": status.recipient.as_str(),
        "subject": status.subject,
        "queued_at": status.queued_at.rfc3339(),
        "attempts": status.attempts,
        "next_at": status.next_at.map(Timestamp::rfc3339),
        "given_up": status.next_at.is_none(),
        "failure": status.failure.map(failure_json),
        "answer": status.detail,
    })
}

fn retry(common: &Common) -> Result<(), Failure> {
    let app = open(common)?;
    app.store().write_blocking(mail::retry).map_err(Problem::from)?;
    let report = block_on(mail::send_due(&app))?.map_err(Problem::from)?;
    let waiting = app.store().read_blocking(mail::backlog).map_err(Problem::from)?.waiting;
    let (sent, given_up) = (report.sent, report.given_up);
    let text = format!("{sent} sent, {given_up} given up, {waiting} waiting");
    let Some(failure) = report.failure else {
        return result(common, &json!({"sent": sent, "given_up": given_up, "waiting": waiting}), &text);
    };
    if !common.json {
        out!("{text}")?;
    }
    let (what, cure) = (failure.sentence(), failure.cure());
    Err(Failure::refused(format!("some mails still wait. {what} {cure} `domicile mail list` shows them."))
        .with_code("mail_waits")
        .with_detail("sent", json!(sent))
        .with_detail("given_up", json!(given_up))
        .with_detail("waiting", json!(waiting))
        .with_detail("failure", failure_json(failure)))
}

/// Runs a future on this thread.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map(|runtime| runtime.block_on(work)).map_err(|error| Failure::refused(format!("{error}.")))
}
