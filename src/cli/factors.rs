//! `domicile account reset-factors`.

use serde_json::json;

use super::arguments::Common;
use super::context::{find_account, open, secret_from_stdin};
use super::failure::Failure;
use super::output::{out, tell};
use crate::app::App;
use crate::base::{AccountId, Actor, Problem, Secret};
use crate::db::Tx;
use crate::factors::{self, FactorError, ResetRequester};

pub(super) fn reset(common: &Common, name: &str, second: Option<&str>, cancel: bool) -> Result<(), Failure> {
    let app = open(common)?;
    let (person, _) = find_account(&app, name)?;
    let (account, actor) = (person.id, Actor::Operator);
    if cancel {
        let was_waiting =
            app.store().write_blocking(move |tx| factors::cancel_reset(tx, &actor, account)).map_err(Problem::from)?;
        if !was_waiting {
            return Err(Failure::refused(format!(
                "there is no waiting reset for {}. Nothing was changed.",
                person.username
            )));
        }
        return print_state(
            common,
            account,
            "cancelled",
            "The reset is cancelled. The second factors were not changed.",
        );
    }
    if let Some(second) = second {
        reset_at_once(&app, account, second).map_err(|error| to_failure(error, &person.username))?;
        return print_state(
            common,
            account,
            "done",
            "The second factors are removed, and all sessions of the person have ended.",
        );
    }
    let started =
        app.store().write_blocking(move |tx| factors::start_reset(tx, &actor, account, ResetRequester::Operator));
    let reset = started.map_err(|error| to_failure(error.into(), &person.username))?;
    if common.json {
        out!("{}", json!({"id": account.to_string(), "state": "waiting", "due_at": reset.due_at.rfc3339()}))?;
    } else {
        out!("{}", reset.due_at.rfc3339())?;
        tell!(
            "Every verified address gets a notice. The factors are removed at that time, unless the person or --cancel stops it."
        );
    }
    Ok(())
}

fn print_state(common: &Common, account: AccountId, state: &str, sentence: &str) -> Result<(), Failure> {
    if common.json {
        out!("{}", json!({"id": account.to_string(), "state": state}))?;
    } else {
        out!("{sentence}")?;
    }
    Ok(())
}

fn to_failure(error: Refusal, username: &str) -> Failure {
    match error {
        Refusal::Factor(FactorError::NotFound) => {
            Failure::refused(format!("{username} has no second factor to reset."))
        }
        Refusal::Factor(error) => Problem::from(error).into(),
        Refusal::Other(failure) => failure,
    }
}

enum Refusal {
    Factor(FactorError),
    Other(Failure),
}

impl From<FactorError> for Refusal {
    fn from(error: FactorError) -> Self {
        Self::Factor(error)
    }
}

/// Resets the factors at once, if the password and the code of the second operator are right: a line each on standard
/// input. The first operator is the user that runs this command.
fn reset_at_once(app: &App, account: AccountId, second: &str) -> Result<(), Refusal> {
    let (second, _) = find_account(app, second).map_err(Refusal::Other)?;
    let typed = secret_from_stdin("second operator's password and code").map_err(Refusal::Other)?;
    let (password, code) = typed.expose().split_once('\n').unwrap_or((typed.expose(), ""));
    let (password, code) =
        (Secret::new(password.trim_end_matches('\r').to_owned()), Secret::new(code.trim().to_owned()));
    let id = second.id;
    let stored = app.store().read_blocking(move |view| factors::second_operator_hash(view, id))?;
    let busy = |busy| Refusal::Other(Problem::from(busy).into());
    let is_right = app.passwords().verify_and_wait(&password, stored.clone()).map_err(busy)?;
    let verified = stored.filter(|_| is_right);
    let reset = move |tx: &mut Tx<'_>| factors::reset_by_operators(tx, account, id, verified.as_deref(), code);
    Ok(app.store().write_deciding_blocking(reset)?)
}
