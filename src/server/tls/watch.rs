//! Notices that the files of the certificate changed, and that the certificate ends soon.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Certificates;
use crate::app::App;
use crate::base::seconds;
use crate::config::Tls;
use crate::maintenance::{self, EndingCertificate};

/// How often the files are looked at: two calls of `stat`.
const INTERVAL: Duration = seconds(2);
/// How many looks there are between two comparisons of the end with the clock: an hour.
const LOOKS_PER_END: u32 = 1800;

/// Reads changed files of the certificate while the server runs, and tells operators before it ends.
pub(in crate::server) async fn watch(app: Arc<App>, certificates: Arc<Certificates>) {
    let mut watched = Watched { seen: State::of(&app.config().listen.tls), was_refused: false };
    let mut looks = tokio::time::interval(INTERVAL);
    for look in 0_u32.. {
        looks.tick().await;
        if watched.reload_if_changed(&app, &certificates) || look.is_multiple_of(LOOKS_PER_END) {
            if app.config().listen.tls == Tls::SelfSigned {
                // It is renewed when it is read.
                log(certificates.reload(app.config(), &Tls::SelfSigned, app.now()), &certificates);
            }
            tell(&app, &certificates).await;
        }
    }
}

/// Tells the log, the pages and the mailboxes of operators that the certificate ends soon.
pub(in crate::server) async fn tell(app: &Arc<App>, certificates: &Certificates) {
    let certificate = certificates.certificate();
    let ending = EndingCertificate {
        names: certificate.names_in_words(),
        ends_at: certificate.ends_at,
        fingerprint: certificate.fingerprint,
    };
    if let Err(error) = maintenance::tell_end_of_certificate(app, ending).await {
        tracing::warn!(%error, "Operators could not be told when the certificate ends. It is tried again in an hour.");
    }
}

struct Watched {
    /// As the files were when they were last read.
    seen: Option<State>,
    /// Whether the files could not be used at the last look.
    was_refused: bool,
}

impl Watched {
    /// Reads the files if they changed. Answers whether there is another certificate. The two files cannot be replaced at
    /// the same moment, so a pair that does not fit is read again at the next look, and only then reported.
    fn reload_if_changed(&mut self, app: &App, certificates: &Certificates) -> bool {
        let tls = &app.config().listen.tls;
        let now = State::of(tls);
        if now.is_none() || now == self.seen {
            return false;
        }
        match certificates.reload(app.config(), tls, app.now()) {
            Ok(is_other) => {
                (self.seen, self.was_refused) = (now, false);
                if is_other {
                    log(Ok(true), certificates);
                }
                is_other
            }
            Err(reason) if self.was_refused => {
                self.seen = now;
                self.was_refused = false;
                log(Err(reason), certificates);
                false
            }
            Err(_) => {
                self.was_refused = true;
                false
            }
        }
    }
}

/// Writes to the log what reading the certificate again did.
pub(in crate::server) fn log(reloaded: Result<bool, String>, certificates: &Certificates) {
    let certificate = certificates.certificate();
    let (names, ends, fingerprint) = (certificate.names_in_words(), certificate.ends_at.day(), certificate.fingerprint);
    match reloaded {
        Ok(true) => tracing::info!("A new certificate is in use, for {names}, until {ends}, SHA-256 {fingerprint}."),
        Ok(false) => {}
        Err(reason) => {
            tracing::error!("The new certificate cannot be used, so the one until {ends} stays in use. {reason}")
        }
    }
}

/// What tells that a file was replaced or written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State([(u64, i64, i64, u64); 2]);

impl State {
    /// `None`: there are no files, or one is missing at the moment.
    fn of(tls: &Tls) -> Option<Self> {
        let Tls::Files { certificate, private_key } = tls else { return None };
        let one = |path: &Path| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
        };
        Some(Self([one(certificate)?, one(private_key)?]))
    }
}
