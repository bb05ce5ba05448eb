//! `domicile check`.

use super::arguments::Common;
use super::context;
use super::failure::Failure;
use super::output::{out, tell};
use crate::app::OpenError;
use crate::config::{Config, UnitLimits, unit_warnings};
use crate::outbound::Transport;
use crate::privacy::PendingErasure;
use crate::server;

/// Checks whether the server would start with the settings, and describes them. Does not try to listen on the
/// addresses, because a running server already listens there.
pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let config = context::config(common)?;
    let pending = check_start(common, &config)?;
    let mut warnings = config.warnings();
    warnings.extend(unit_warnings(&config, &UnitLimits::find()));
    if common.json {
        let settings: serde_json::Map<_, _> = config
            .describe()
            .into_iter()
            .map(|(name, text)| (name.to_owned(), serde_json::Value::String(text)))
            .collect();
        out!(
            "{}",
            serde_json::json!({
                "settings": settings,
                "warnings": warnings,
                "pending_erasures": pending.iter().map(pending_json).collect::<Vec<_>>(),
            })
        )?;
        return Ok(());
    }
    for (name, text) in config.describe() {
        out!("{name:<14} {text}")?;
    }
    for warning in warnings {
        tell!("Warning: {warning}");
    }
    for erasure in &pending {
        let (receipt, at) = (erasure.receipt, erasure.erased_at.day_and_time());
        let what = match (erasure.log_emptied, erasure.snapshot_replaced) {
            (false, _) => "the write-ahead log, the published snapshot, or a mail that was not sent yet",
            (true, _) => "the published snapshot",
        };
        tell!(
            "Warning: the erasure {receipt} of {at} is not final: {what} may still contain the person. The server does the rest while it runs."
        );
    }
    Ok(())
}

fn pending_json(erasure: &PendingErasure) -> serde_json::Value {
    serde_json::json!({
        "receipt": erasure.receipt.to_string(),
        "erased_at": erasure.erased_at.rfc3339(),
        "log_emptied": erasure.log_emptied,
        "snapshot_replaced": erasure.snapshot_replaced,
    })
}

/// Makes the checks of `serve` in the same order, and as the same user.
fn check_start(common: &Common, config: &Config) -> Result<Vec<PendingErasure>, Failure> {
    // Before `init`, only the settings can be checked.
    let keyring = if context::has_files(config) { Some(context::keyring(config)?) } else { None };
    context::drop_privileges(&config.data_dir)?;
    context::check_settings_readable(common)?;
    server::check_tls(config).map_err(|error| Failure::configuration(error.to_string()))?;
    Transport::new(config).map_err(OpenError::Transport)?;
    match keyring {
        Some(keyring) => context::check_appliance(config.clone(), keyring),
        None => {
            tell!("There is no appliance yet. Create it with `domicile init`.");
            Ok(Vec::new())
        }
    }
}
