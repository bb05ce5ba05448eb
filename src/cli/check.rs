//! `domicile check`.

use super::arguments::Common;
use super::context;
use super::failure::Failure;
use crate::config::Config;
use crate::server;

/// Says what the settings mean, after looking whether the server would start with them. Not tried: whether the addresses
/// can be listened on, because the server that runs already listens there.
pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let config = context::config(common)?;
    would_start(&config)?;
    if common.json {
        let meaning: serde_json::Map<_, _> = config
            .meaning()
            .into_iter()
            .map(|(name, words)| (name.to_owned(), serde_json::Value::String(words)))
            .collect();
        println!("{}", serde_json::json!({"settings": meaning, "warnings": config.warnings()}));
        return Ok(());
    }
    for (name, words) in config.meaning() {
        println!("{name:<14} {words}");
    }
    for warning in config.warnings() {
        eprintln!("Warning: {warning}");
    }
    Ok(())
}

/// In the order of `serve`, and as the person who would run it.
fn would_start(config: &Config) -> Result<(), Failure> {
    // Before `init` there are only settings.
    let keyring = if context::is_begun(config) { Some(context::keyring(config)?) } else { None };
    context::become_owner(&config.data_dir)?;
    server::check_tls(config).map_err(|error| Failure::configuration(error.to_string()))?;
    match keyring {
        Some(keyring) => context::examine(config.clone(), keyring),
        None => {
            eprintln!("There is no appliance yet: `domicile init` makes it.");
            Ok(())
        }
    }
}
