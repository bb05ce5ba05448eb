//! The job that sends the mails of the outbox.

use std::sync::Arc;

use super::ops;
use crate::app::App;
use crate::jobs::Outcome;
use crate::outbound::{Envelope, TransportError};

/// Sends every mail that is due. A mail that fails is tried again later and does not delay the others.
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
        let stored = match app.transport().send(&envelope).await {
            Ok(()) => app.write(move |tx| ops::mark_sent(tx, mail.id)).await,
            Err(error) => {
                // The relay's answer may name the recipient. It is stored with the mail and never logged.
                let kind = error.kind();
                tracing::warn!(mail = %mail.id, kind, "A mail could not be sent.");
                let permanent = matches!(error, TransportError::Refused(_));
                app.write(move |tx| ops::mark_failed(tx, &mail, &error.to_string(), permanent)).await
            }
        };
        if let Err(error) = stored {
            return Outcome::Again(error.to_string());
        }
    }
}
