//! Delivers what waits in the outbox.

use std::sync::Arc;

use super::ops;
use crate::app::App;
use crate::jobs::Outcome;
use crate::outbound::{Envelope, TransportError};

/// Sends every mail that is due. A mail that fails waits by itself and does not hold up the others.
pub async fn deliver(app: Arc<App>) -> Outcome {
    loop {
        let mail = match app.write(ops::claim).await {
            Ok(Some(mail)) => mail,
            Ok(None) => return Outcome::Done,
            Err(error) => return Outcome::Again(error.to_string()),
        };
        let envelope = Envelope {
            id: mail.id.to_string(),
            recipient: mail.recipient.clone(),
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            html: mail.html.clone(),
        };
        let noted = match app.transport().send(&envelope).await {
            Ok(()) => app.write(move |tx| ops::sent(tx, mail.id)).await,
            Err(error) => {
                // The relay's own words may name the recipient, so the log has none of them; they stay with the mail.
                let kind = error.kind();
                tracing::warn!(mail = %mail.id, kind, "A mail did not go out.");
                let permanent = matches!(error, TransportError::Refused(_));
                app.write(move |tx| ops::failed(tx, &mail, &error.to_string(), permanent)).await
            }
        };
        if let Err(error) = noted {
            return Outcome::Again(error.to_string());
        }
    }
}
