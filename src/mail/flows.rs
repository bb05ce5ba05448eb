//! Sends what is due.

use std::sync::Arc;

use super::message::PlainMessage;
use super::model::{DeliveryReport, Message};
use super::{ops, store};
use crate::app::App;
use crate::base::{EmailAddress, MailId};
use crate::config::{Config, MailTransport};
use crate::db::Error;
use crate::outbound::{DeliveryError, Envelope, Listener, Transport, TransportError};

/// Why no test mail was sent.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TestError {
    #[error(transparent)]
    Settings(#[from] TransportError),
    /// `mail.transport` is "log".
    #[error("mail.transport is \"log\", so no mail is sent")]
    NotSent,
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

/// Sends a mail to try the settings. It needs no database, and is in no outbox. `listener` is told each line of the dialogue.
///
/// # Errors
/// [`TestError`].
pub async fn send_test(
    config: &Config,
    id: MailId,
    recipient: EmailAddress,
    listener: Arc<Listener>,
) -> Result<(), TestError> {
    let transport = Transport::new(config)?;
    if matches!(config.mail.transport, MailTransport::Log) {
        return Err(TestError::NotSent);
    }
    let message = PlainMessage {
        subject: "A test of your mail settings".into(),
        paragraphs: vec![format!("This mail was sent by {} to test its mail settings. They work.", config.public_url)],
        code: None,
        link: None,
        closing: "An operator sent it at the command line. You can delete it.".into(),
        site: config.public_url.clone(),
    };
    let (subject, text, html) = (message.subject(), message.text(&config.site), message.html(&config.site));
    let mut delivery = transport.delivery(listener);
    let sent = delivery.send(&Envelope { id: id.to_string(), recipient, subject, text, html }).await;
    delivery.end().await;
    Ok(sent?)
}

/// Makes those mails due that wait for the relay: its settings may have been mended before the server started.
pub async fn retry_after_start(app: &App) {
    // Without such a mail, nothing is committed.
    let is_needed = app.query_inline(|view| Ok(store::backlog(view)?.failure.is_some()));
    if is_needed.is_ok_and(|is_needed| is_needed)
        && let Err(error) = app.write(ops::retry_relay).await
    {
        tracing::error!(%error, "The waiting mails could not be made due. They are sent at their next attempts.");
    }
}

/// Sends every mail that is due. A mail that the relay refuses does not delay the others. If the relay itself fails, all
/// mails that are due wait, and this ends.
///
/// # Errors
/// [`Error`].
pub async fn send_due(app: &Arc<App>) -> Result<DeliveryReport, Error> {
    let mut report = DeliveryReport::default();
    let mut delivery = app.transport().delivery(Arc::new(|_| ()));
    while let Some(mail) = app.write(ops::claim).await? {
        let envelope = Envelope {
            id: mail.id.to_string(),
            recipient: mail.recipient.clone(),
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            html: mail.html.clone(),
        };
        let Err(error) = delivery.send(&envelope).await else {
            report.sent += 1;
            app.write(move |tx| ops::mark_sent(tx, mail.id)).await?;
            continue;
        };
        let failure = error.failure;
        // The relay's answer may name the recipient. It is stored with the mail and never logged.
        let (stage, cause) = (failure.stage.name(), failure.cause.name());
        tracing::warn!(
            mail = %mail.id, stage, cause, code = failure.code, cure = failure.cure(), "A mail could not be sent."
        );
        report.given_up += app.write(move |tx| ops::mark_failed(tx, &mail, &error)).await?;
        if !failure.is_final() {
            report.failure = Some(failure);
        }
        if failure.is_about_relay() {
            break;
        }
    }
    delivery.end().await;
    Ok(report)
}
