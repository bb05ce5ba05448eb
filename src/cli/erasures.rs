//! `domicile erasure …`.

use serde_json::{Value, json};

use super::arguments::{Common, ErasureCommand};
use super::context::open;
use super::failure::Failure;
use super::output::{Table, out, result, tell};
use crate::base::{Actor, PAGE_SIZE_MAX, Problem, RequestId, Timestamp};
use crate::privacy::PrivacyError;
use crate::privacy::erasures::{self, ErasureAtService, ErasureFilter, ErasureReport, Statement};

pub(super) fn erasure(common: &Common, command: &ErasureCommand) -> Result<(), Failure> {
    match command {
        ErasureCommand::List { state } => list(common, ErasureFilter::parse(state)),
        ErasureCommand::Show { receipt } => show(common, receipt),
        ErasureCommand::Attest { receipt, service, statement } => attest(common, receipt, service, statement),
    }
}

fn parse_receipt(text: &str) -> Result<RequestId, Failure> {
    let receipt = RequestId::parse(text.trim()).ok_or(PrivacyError::NoErasure);
    Ok(receipt.map_err(Problem::from)?)
}

fn list(common: &Common, filter: ErasureFilter) -> Result<(), Failure> {
    let app = open(common)?;
    let read = app.store().read_blocking(|view| erasures::list(view, filter, PAGE_SIZE_MAX));
    let reports = read.map_err(Problem::from)?;
    if common.json {
        return out!("{}", json!({"erasures": reports.iter().map(report_json).collect::<Vec<_>>()}));
    }
    if reports.is_empty() {
        tell!("There are no such erasures.");
        return Ok(());
    }
    let mut table = Table::new(&["receipt", "erased", "state", "services", "final"]);
    for report in &reports {
        table.row([
            report.erased.receipt.to_string(),
            report.erased.erased_at.day_and_time(),
            report.state().to_owned(),
            format!("{} of {}", report.settled(), report.services.len()),
            report.final_at.map_or_else(|| "no".to_owned(), Timestamp::day_and_time),
        ]);
    }
    table.print()
}

fn show(common: &Common, receipt: &str) -> Result<(), Failure> {
    let (app, receipt) = (open(common)?, parse_receipt(receipt)?);
    let found = app.store().read_blocking(|view| erasures::find(view, receipt)).map_err(Problem::from)?;
    let report = found.ok_or(PrivacyError::NoErasure).map_err(Problem::from)?;
    if common.json {
        return out!("{}", report_json(&report));
    }
    let mut lines = vec![
        format!("Receipt    {}", report.erased.receipt),
        format!("Account    {}", report.erased.account),
        format!("Erased     {}", report.erased.erased_at.day_and_time()),
        format!("State      {}", report.state()),
    ];
    lines.extend(report.final_at.map(|at| format!("Final      {}", at.day_and_time())));
    for one in &report.services {
        let at = one.answered_at.map(|at| format!(" ({})", at.day_and_time())).unwrap_or_default();
        lines.push(format!("Service    {}: {}{at}", one.name, one.answer.as_str()));
        lines.extend(one.answer.reason().map(|reason| format!("           {reason}")));
    }
    lines.extend(report.open_items().into_iter().map(|item| format!("Waits for  {item}")));
    out!("{}", lines.join("\n"))
}

fn attest(common: &Common, receipt: &str, service: &str, statement: &str) -> Result<(), Failure> {
    let statement = Statement::parse(statement).ok_or(PrivacyError::Statement).map_err(Problem::from)?;
    let (app, receipt, service) = (open(common)?, parse_receipt(receipt)?, service.to_owned());
    let attest =
        move |tx: &mut crate::db::Tx<'_>| erasures::attest(tx, &Actor::Operator, receipt, &service, &statement);
    let report = app.store().write_blocking(attest).map_err(Problem::from)?;
    result(common, &report_json(&report), report.state())
}

fn report_json(report: &ErasureReport) -> Value {
    let time = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    json!({
        "receipt": report.erased.receipt.to_string(),
        "account": report.erased.account.to_string(),
        "erased_at": report.erased.erased_at.rfc3339(),
        "state": report.state(),
        "final_at": time(report.final_at),
        "services": report.services.iter().map(service_json).collect::<Vec<_>>(),
        "open_items": report.open_items(),
    })
}

fn service_json(one: &ErasureAtService) -> Value {
    let kept = one.answer.retention();
    json!({
        "service": one.service.to_string(),
        "name": one.name,
        "state": one.answer.as_str(),
        "requested_at": one.requested_at.rfc3339(),
        "answered_at": one.answered_at.map(Timestamp::rfc3339),
        "due_at": one.due_at.map(Timestamp::rfc3339),
        "command": one.command.map(|id| id.to_string()),
        "basis": kept.map(|kept| kept.basis.as_str()),
        "until": kept.map(|kept| kept.until.rfc3339()),
        "reason": one.answer.reason(),
    })
}
