//! `domicile status`: what is known about the appliance, on one screen. Changes nothing, and needs no server.

use serde_json::{Value, json};

use super::arguments::Common;
use super::context;
use super::doctor::journal_fault;
use super::failure::Failure;
use super::health::{self, ServerState};
use super::output::out;
use crate::app::{App, OpenError};
use crate::base::{Clock, Problem, Timestamp};
use crate::db::{self, FileCopy, Layout, MIGRATIONS_COUNT};
use crate::journal;
use crate::maintenance::{self, Escrow};
use crate::server::{self, Certificate};
use crate::snapshots;

/// One line of the screen: name, sentence, and the same for programs.
struct Fact {
    name: &'static str,
    text: String,
    value: Value,
}

pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let config = context::config(common)?;
    let server_state = health::probe(&config)?;
    let keyring = context::keyring(&config)?;
    context::drop_privileges(&config.data_dir)?;
    let (layout, region) = (Layout::new(&config.data_dir), config.region.clone());
    let now = Clock::system().now();
    let certificate = server::configured_certificate(&config);
    let database = App::check(config, keyring, now)?;
    let schema = database.schema_version().map_err(OpenError::Db)?;
    let mut lines = vec![
        fact("version", env!("CARGO_PKG_VERSION").into(), json!(env!("CARGO_PKG_VERSION"))),
        engines(),
        fact("region", region.clone(), json!(region)),
        server(&server_state),
        schema_line(schema),
        snapshot(&layout, &database, now),
    ];
    // The tables of an earlier schema are other ones.
    if schema == MIGRATIONS_COUNT {
        lines.extend(stored(&database).map_err(Problem::from)?);
        lines.push(journal_line(&layout, &database).map_err(Problem::from)?);
    }
    lines.extend(certificate.map(|certificate| certificate_line(&certificate, now)));
    lines.push(copies(&layout).map_err(Problem::from)?);
    if common.json {
        let members: serde_json::Map<_, _> = lines.into_iter().map(|line| (line.name.to_owned(), line.value)).collect();
        out!("{}", Value::Object(members))?;
    } else {
        let lines: Vec<_> = lines.iter().map(|line| format!("{:<10} {}", line.name, line.text)).collect();
        out!("{}", lines.join("\n"))?;
    }
    Ok(())
}

/// The versions of the libraries below the database, with their names.
pub(super) fn versions() -> [(&'static str, String); 3] {
    let (major, minor, patch) = db::engine_version();
    let sqlite = format!("{major}.{minor}.{patch}");
    let unknown = || "unknown".to_owned();
    let cipher = db::cipher_versions().unwrap_or_else(|_| (unknown(), unknown()));
    [("SQLCipher", cipher.0), ("SQLite", sqlite), ("OpenSSL", cipher.1)]
}

fn engines() -> Fact {
    let versions = versions();
    let text = versions.each_ref().map(|(name, version)| format!("{name} {version}")).join(", ");
    let members: serde_json::Map<_, _> =
        versions.into_iter().map(|(name, version)| (name.to_lowercase(), Value::String(version))).collect();
    fact("engines", text, members.into())
}

fn fact(name: &'static str, text: String, value: Value) -> Fact {
    Fact { name, text, value }
}

fn server(state: &ServerState) -> Fact {
    match state {
        ServerState::Ready => fact("server", "ready".into(), json!({"ready": true})),
        ServerState::NotReady(reason) => {
            fact("server", format!("not ready: {reason}"), json!({"ready": false, "reason": reason}))
        }
    }
}

fn certificate_line(certificate: &Certificate, now: Timestamp) -> Fact {
    let end = match certificate.has_ended(now) {
        true => format!("ended on {}: browsers refuse it, replace it", certificate.ends_at.day_and_time()),
        false => {
            let days = certificate.ends_at.since(now).as_secs() / (24 * 3600);
            format!("until {} ({days} days)", certificate.ends_at.day())
        }
    };
    let text = format!("for {}, {end}, SHA-256 {}", certificate.names_in_words(), certificate.fingerprint);
    let value = json!({
        "names": certificate.names,
        "ends_at": certificate.ends_at.rfc3339(),
        "sha256": certificate.fingerprint,
    });
    fact("certificate", text, value)
}

fn schema_line(schema: usize) -> Fact {
    let text = match schema {
        MIGRATIONS_COUNT => schema.to_string(),
        _ => format!("{schema}; the next start upgrades it to {MIGRATIONS_COUNT}"),
    };
    fact("schema", text, json!({"found": schema, "needed": MIGRATIONS_COUNT}))
}

fn snapshot(layout: &Layout, database: &FileCopy, now: Timestamp) -> Fact {
    let Some(published) = snapshots::read_published(&layout.snapshot(), database.site(), now) else {
        return fact("snapshot", "none yet".into(), Value::Null);
    };
    let made_at = published.stamp.made_at;
    let age = now.since(made_at).as_secs();
    let text = format!("{}, {} minutes ago: {}", made_at.day_and_time(), age / 60, layout.snapshot().display());
    let file = layout.snapshot().display().to_string();
    fact("snapshot", text, json!({"made_at": made_at.rfc3339(), "age_seconds": age, "file": file}))
}

/// What the database says: drills, copies of the keyring.
fn stored(database: &FileCopy) -> Result<[Fact; 2], db::Error> {
    let view = database.view();
    let drills = maintenance::drill_state(&view)?;
    let drill = match &drills.last {
        None => fact("drill", "none yet. Run: domicile drill".into(), Value::Null),
        Some(last) => fact(
            "drill",
            format!("{}: {}", last.finished_at.day_and_time(), last.result),
            json!({
                "finished_at": last.finished_at.rfc3339(),
                "ok": last.is_good,
                "result": last.result,
                "last_good_at": drills.last_good.map(|at| at.rfc3339()),
            }),
        ),
    };
    let escrow = match maintenance::escrow(&view)? {
        Escrow::Exported(at) => {
            fact("keyring", format!("exported on {}", at.day()), json!({"exported_at": at.rfc3339()}))
        }
        Escrow::Waived(at, reason) => fact(
            "keyring",
            format!("not exported, as decided on {}: {reason}", at.day()),
            json!({"waived_at": at.rfc3339(), "reason": reason}),
        ),
        Escrow::Due => fact("keyring", maintenance::ESCROW_REMINDER.into(), json!({"exported_at": null})),
    };
    Ok([drill, escrow])
}

fn journal_line(layout: &Layout, database: &FileCopy) -> Result<Fact, db::Error> {
    let lines = journal::head(&database.view())?.seq;
    let problem = journal_fault(layout, database).map(|(cause, cure)| format!("{cause}. {cure}"));
    let text = problem.clone().unwrap_or_else(|| format!("{lines} lines"));
    Ok(fact("journal", text, json!({"lines": lines, "problem": problem})))
}

fn copies(layout: &Layout) -> Result<Fact, db::Error> {
    let kept = db::kept_copies(layout)?;
    let text = match &kept[..] {
        [] => "none".to_owned(),
        kept => {
            let each = kept.iter().map(|copy| format!("{} until {}", copy.name, copy.delete_after.day()));
            each.collect::<Vec<_>>().join(", ")
        }
    };
    let value = kept.iter().map(|copy| json!({"name": copy.name, "until": copy.delete_after.rfc3339()})).collect();
    Ok(fact("copies", text, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_has_ended_is_not_called_valid() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let certificate = Certificate {
            names: vec!["account.example.org".into()],
            ends_at: at("2026-05-03T09:00:00Z"),
            fingerprint: "AB:CD".into(),
        };
        let line = |now: &str| certificate_line(&certificate, at(now)).text;

        assert!(line("2026-05-01T09:00:00Z").contains("until 3 May 2026 (2 days)"), "{}", line("2026-05-01T09:00:00Z"));
        for now in ["2026-05-03T09:00:00Z", "2026-05-04T09:00:00Z"] {
            assert!(line(now).contains("ended on 3 May 2026") && line(now).contains("replace it"), "{}", line(now));
        }
    }
}
