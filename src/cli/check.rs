//! `domicile check` and `domicile healthcheck`.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::arguments::Common;
use super::failure::Failure;
use super::house;
use crate::base::seconds;

pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let config = house::config(common)?;
    if common.json {
        let meaning: serde_json::Map<_, _> = config
            .meaning()
            .into_iter()
            .map(|(name, words)| (name.to_owned(), serde_json::Value::String(words)))
            .collect();
        println!("{}", serde_json::json!({"settings": meaning, "warnings": config.warnings()}));
    } else {
        for (name, words) in config.meaning() {
            println!("{name:<14} {words}");
        }
        for warning in config.warnings() {
            eprintln!("Warning: {warning}");
        }
    }
    // What exists already must fit too: a new appliance has neither.
    if config.keyring.exists() || std::env::var_os("CREDENTIALS_DIRECTORY").is_some() {
        house::keyring(&config)?;
    }
    Ok(())
}

/// Asks the local server whether it is ready, as a load balancer would.
pub(super) fn health(common: &Common) -> Result<(), Failure> {
    let config = house::config(common)?;
    let address =
        config.listen.addresses.first().copied().ok_or_else(|| Failure::configuration("listen.address is empty."))?;
    let mut target = address;
    if target.ip().is_unspecified() {
        target.set_ip(if target.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    let told =
        |error: &dyn std::fmt::Display| Failure::refused(format!("the server at {target} is not ready: {error}."));
    let stream = TcpStream::connect_timeout(&target, seconds(3)).map_err(|error| told(&error))?;
    stream.set_read_timeout(Some(seconds(5))).map_err(|error| told(&error))?;
    if !matches!(config.listen.tls, crate::config::Tls::Off) {
        // The handshake would need the certificate's name; that the listener takes connections is what can be told here.
        println!("listening");
        return Ok(());
    }
    let mut stream = stream;
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .map_err(|error| told(&error))?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).map_err(|error| told(&error))?;
    match answer.lines().next() {
        Some(line) if line.contains(" 200 ") => {
            println!("ready");
            Ok(())
        }
        Some(line) => Err(told(&line)),
        None => Err(told(&"it answered nothing")),
    }
}
