//! `domicile voucher …`.

use std::time::Duration;

use serde_json::{Value, json};

use super::arguments::{Common, NewVouchers, VoucherCommand};
use super::context::open;
use super::failure::Failure;
use super::output::{Table, issue, out, tell};
use super::site::parse_amount;
use crate::base::{Actor, Problem, Timestamp, VoucherBatchId};
use crate::billing::vouchers::{self, Batch, CreatedBatch, NewBatch, NewCodes, VoucherCode, VoucherError};
use crate::config::parse_duration;
use crate::db::Tx;

pub(super) fn voucher(common: &Common, command: &VoucherCommand) -> Result<(), Failure> {
    match command {
        VoucherCommand::Create(new) => create(common, new),
        VoucherCommand::List => list(common),
        VoucherCommand::Revoke { id } => revoke(common, id),
    }
}

fn create(common: &Common, options: &NewVouchers) -> Result<(), Failure> {
    let codes = match &options.promo {
        None => NewCodes::Vouchers(options.codes.unwrap_or(1)),
        Some(chosen) => NewCodes::Promo {
            code: VoucherCode::parse_promo(chosen).ok_or_else(|| Problem::from(VoucherError::Promo))?,
            uses: options.uses.unwrap_or(1),
            uses_per_account: options.per_account.unwrap_or(1),
        },
    };
    let new = NewBatch {
        amount: parse_amount(&options.amount)?,
        reason: options.reason.clone(),
        codes,
        lasts: read_time("expires", options.expires.as_deref())?,
        credit_lasts: read_time("credit-expires", options.credit_expires.as_deref())?,
    };
    let (app, is_json) = (open(common)?, common.json);
    let make = move |tx: &mut Tx<'_>| vouchers::create(tx, &Actor::Operator, &new);
    let created = issue(&app, make, move |created| result_text(is_json, created))?;
    if !is_json {
        tell!("The codes are shown only now. `domicile voucher revoke {}` ends them.", created.batch.id);
    }
    Ok(())
}

fn read_time(option: &str, typed: Option<&str>) -> Result<Option<Duration>, Failure> {
    let Some(typed) = typed else { return Ok(None) };
    let time = parse_duration(typed).ok_or_else(|| {
        Failure::refused(format!("--{option} \"{typed}\" is not a time. Give a number and a unit, for example 90d."))
    })?;
    Ok(Some(time))
}

/// Only the codes, so that they can be piped into a file.
fn result_text(is_json: bool, created: &CreatedBatch) -> String {
    let codes: Vec<&str> = created.codes.iter().map(|code| code.shown().expose().as_str()).collect();
    if !is_json {
        return codes.join("\n");
    }
    json!({"id": created.batch.id.to_string(), "codes": codes}).to_string()
}

fn list(common: &Common) -> Result<(), Failure> {
    let app = open(common)?;
    let batches = app.store().read_blocking(vouchers::list).map_err(Problem::from)?;
    let now = app.now();
    if common.json {
        let batches: Vec<_> = batches.iter().map(|batch| batch_json(batch, now)).collect();
        return out!("{}", json!({"vouchers": batches}));
    }
    let mut table = Table::new(&["id", "kind", "amount", "used", "state", "end", "reason"]);
    for batch in batches {
        let end = batch.expires_at.map_or("never expires".to_owned(), |end| format!("until {}", end.iso_day()));
        table.row([
            batch.id.to_string(),
            batch.kind.as_str().to_owned(),
            batch.amount.to_string(),
            format!("{} of {}", batch.uses, batch.uses_in_all()),
            batch.state(now).as_str().to_owned(),
            end,
            batch.reason,
        ]);
    }
    table.print()
}

fn batch_json(batch: &Batch, now: Timestamp) -> Value {
    let time = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    json!({
        "id": batch.id.to_string(), "kind": batch.kind.as_str(), "reason": batch.reason,
        "amount": batch.amount.to_string(), "codes": batch.codes, "uses_per_code": batch.uses_max,
        "uses_per_account": batch.uses_per_account, "uses": batch.uses, "state": batch.state(now).as_str(),
        "credit_seconds": batch.credit_lasts.map(|lasts| lasts.as_secs()),
        "created_at": batch.created_at.rfc3339(), "expires_at": time(batch.expires_at),
        "revoked_at": time(batch.revoked_at),
    })
}

fn revoke(common: &Common, id: &str) -> Result<(), Failure> {
    let batch = VoucherBatchId::parse(id).ok_or_else(|| Problem::from(VoucherError::NotFound))?;
    let app = open(common)?;
    let revoke = move |tx: &mut Tx<'_>| vouchers::revoke(tx, &Actor::Operator, batch);
    let is_new = app.store().write_blocking(revoke).map_err(Problem::from)?;
    if common.json {
        out!("{}", json!({"id": batch.to_string(), "revoked": is_new}))?;
    } else if is_new {
        out!("{batch}")?;
    } else {
        tell!("{batch} was revoked before.");
    }
    Ok(())
}
