//! The errors of commands and webhooks, and the sentences about them.

use super::model::{AckOutcome, CommandKind, CommandOutcome, DETAIL_MAX};
use crate::base::Problem;
use crate::db;
use crate::outbound::CallError;

/// An error of an operation on commands or webhooks.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// There is no such command, or it belongs to another service.
    #[error("there is no such command")]
    NotFound,
    /// It was acknowledged with another outcome.
    #[error("the command ended as {}", .0.as_str())]
    AlreadyEnded(CommandOutcome),
    /// A deletion that failed is repeated by itself.
    #[error("the command repeats by itself")]
    Repeats,
    /// A resource waits for it.
    #[error("a resource waits for the command")]
    Awaited,
    /// The receipt of an erasure waits for it.
    #[error("a receipt waits for the command")]
    Promised,
    /// A command of this kind cannot have this outcome.
    #[error("a command {} cannot have this outcome", .0.as_str())]
    Outcome(CommandKind),
    /// What is kept, and until when, is missing, or not in the future, or given with another outcome.
    #[error("the retention does not fit the outcome")]
    Retention,
    /// The text of an acknowledgement is too long, or has characters that cannot be seen.
    #[error("the detail is too long or not visible")]
    Detail,
    /// The service has no webhook secret yet.
    #[error("the service has no webhook secret")]
    NoSecret,
    /// The overlap of a rotation is longer than a week.
    #[error("the overlap is too long")]
    Overlap,
    /// The address cannot be called.
    #[error(transparent)]
    Url(#[from] CallError),
    /// The address is longer than 2,048 characters, or has a part after `#`.
    #[error("the address is not one of a webhook")]
    UrlForm,
    /// Too many requests of the service wait for a command.
    #[error("too many requests of the service wait")]
    TooManyPolls,
    /// A secret in the database does not open.
    #[error("the webhook secret does not open")]
    Sealed,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<InboxError> for Problem {
    fn from(error: InboxError) -> Self {
        match error {
            InboxError::NotFound => Problem::new(
                404,
                "command_not_found",
                "There is no command with this id in the inbox. Read the inbox again.",
            ),
            InboxError::Repeats => Problem::new(
                409,
                "command_repeats",
                "The resource that could not be deleted is in the trash again. A day later its service gets a new command, unless the \
                 resource was restored.",
            ),
            InboxError::Awaited => Problem::new(
                409,
                "command_awaited",
                "A resource counts until its service has answered this command, so it cannot be cancelled. If the service will never \
                 answer, disconnect it.",
            ),
            InboxError::Promised => Problem::new(
                409,
                "command_promised",
                "The receipt of an erasure waits for this command, so it cannot be cancelled. If the service will never answer, \
                 disconnect it. Then an operator can attest that the data is gone.",
            ),
            InboxError::Outcome(kind) => {
                let allowed =
                    AckOutcome::ALL.into_iter().filter(|outcome| kind.allows(*outcome)).map(AckOutcome::as_str);
                let allowed = allowed.collect::<Vec<_>>().join(", ");
                Problem::field(
                    "outcome",
                    "outcome_not_allowed",
                    format!("A command {} can be acknowledged with {allowed}. Send one of these.", kind.as_str()),
                )
            }
            InboxError::Retention => Problem::field(
                "until",
                "retention_invalid",
                "With retained, say why and until when: basis, and until as a time in the future, at most 100 years from now. With \
                 another outcome, leave both out.",
            ),
            InboxError::AlreadyEnded(CommandOutcome::Cancelled) => Problem::new(
                409,
                "command_cancelled",
                "This command was cancelled, so there is nothing to do and nothing to acknowledge.",
            ),
            InboxError::AlreadyEnded(CommandOutcome::Acknowledged(outcome)) => Problem::new(
                409,
                "already_acknowledged",
                format!(
                    "This command was acknowledged as {}, and that stays. If it is wrong, ask an operator to send the command again.",
                    outcome.as_str()
                ),
            ),
            InboxError::Detail => Problem::field(
                "detail",
                "detail_invalid",
                format!(
                    "detail can have one line of at most {DETAIL_MAX} visible characters. Shorten it, or leave it out."
                ),
            ),
            InboxError::NoSecret => Problem::new(
                409,
                "webhook_secret_missing",
                "This service has no webhook secret yet. Set an address for webhooks first.",
            ),
            InboxError::Overlap => Problem::field(
                "overlap",
                "overlap_invalid",
                "The old secret can stay valid for 0 to 7 days. Give a time such as 24h, or 0 to end it at once.",
            ),
            InboxError::Url(CallError::Address(_)) | InboxError::UrlForm => Problem::field(
                "webhook_url",
                "webhook_url_invalid",
                "The address of a webhook begins with https://, has at most 2,048 characters, and no user name, password or part \
                 after #. On the machine of Domicile it can begin with http://localhost or http://127.0.0.1. Correct it.",
            ),
            InboxError::Url(error) => Problem::field(
                "webhook_url",
                "webhook_host_undeclared",
                format!(
                    "Domicile may not call this address: {error}. Ask the operator to declare the host, or read the inbox instead."
                ),
            ),
            InboxError::TooManyPolls => Problem {
                retry_after_seconds: Some(1),
                ..Problem::new(
                    429,
                    "too_many_polls",
                    "16 requests of this service wait for a command already. Wait with one of them only.",
                )
            },
            InboxError::Sealed => Problem::internal(error),
            InboxError::Db(error) => error.into(),
        }
    }
}
