//! Tells operators before the certificate of the server ends.

use std::sync::Arc;
use std::time::Duration;

use super::mails;
use crate::accounts::addresses;
use crate::app::App;
use crate::base::{Timestamp, Warning, days};
use crate::db::{Error, Tx};
use crate::mail;

/// The name of the warning on the pages of operators.
const WARNING: &str = "certificate";
/// The file that remembers which mail was sent last: fingerprint and days.
const LAST_MAIL: &str = "certificate-mail";
/// How many days before the end operators are told. Zero: it has ended.
const STAGES: [u64; 4] = [0, 1, 7, ENDING_DAYS];
/// How many days before its end a certificate ends soon.
pub const ENDING_DAYS: u64 = 30;

/// The lowest number of days before the end of a certificate that has begun. `None`: it is valid for more than
/// [`ENDING_DAYS`]. `is_valid_after`: whether it is still valid after this time from now.
pub fn ending_stage(is_valid_after: impl Fn(Duration) -> bool) -> Option<u64> {
    STAGES.into_iter().find(|stage| !is_valid_after(days(*stage)))
}

/// A certificate of the server.
#[derive(Clone, Debug)]
pub struct EndingCertificate {
    /// The host names, for people.
    pub names: String,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Identifies it.
    pub fingerprint: String,
}

impl EndingCertificate {
    /// As [`ending_stage`].
    fn stage(&self, now: Timestamp) -> Option<u64> {
        ending_stage(|wait| self.ends_at > now.plus(wait))
    }

    fn sentence(&self, now: Timestamp) -> String {
        let (names, at) = (&self.names, self.ends_at.day_and_time());
        if self.ends_at <= now {
            format!(
                "The certificate for {names} ended on {at}, so browsers refuse this site. Replace its files: the server reads the new ones by itself."
            )
        } else {
            format!(
                "The certificate for {names} ends on {at}. Replace its files before: the server reads the new ones by itself."
            )
        }
    }
}

/// Tells the log and the pages of operators that the certificate ends in 30, 7 or 1 days, or has ended, and mails it to
/// operators once for each. Withdraws what was told of an earlier certificate.
///
/// # Errors
/// [`Error`]: a mail could not be queued. It is tried again at the next call.
pub async fn tell_end_of_certificate(app: &Arc<App>, ending: EndingCertificate) -> Result<(), Error> {
    let now = app.now();
    let Some(stage) = ending.stage(now) else {
        app.readiness().clear_warning(WARNING);
        return Ok(());
    };
    let sentence = ending.sentence(now);
    let warning = Warning { id: format!("{}{stage:02}", ending.ends_at.unix_seconds()), sentence: sentence.clone() };
    if app.readiness().set_warning(WARNING, warning) {
        tracing::warn!("{sentence}");
    }
    let file = app.store().layout().root().join(LAST_MAIL);
    let told = format!("{} {stage}\n", ending.fingerprint);
    if std::fs::read_to_string(&file).is_ok_and(|last| last == told) {
        return Ok(());
    }
    app.write(move |tx| mail_operators(tx, &sentence)).await?;
    // After the mails are queued: if this fails, they are sent twice rather than never.
    std::fs::write(&file, told).map_err(|error| Error::file(&file, error))
}

fn mail_operators(tx: &mut Tx<'_>, sentence: &str) -> Result<(), Error> {
    let site = tx.site().config.public_url.clone();
    for operator in addresses::operators(tx)? {
        let message = mails::certificate_ends(&operator.display_name, sentence, &site);
        mail::enqueue(tx, Some(operator.account), operator.address, &message)?;
    }
    Ok(())
}
