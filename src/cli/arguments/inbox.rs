//! The arguments of `domicile inbox`.

use clap::Subcommand;

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum InboxCommand {
    /// List the commands that wait for an acknowledgement, of one service or of all; with --state those in another state.
    #[command(
        after_help = "A command is open until its service acknowledges it; overdue when the deadline is over; then done, failed or cancelled. The list has the newest 100. \"tried\" counts the webhooks that were sent.\n\nExamples:\n  domicile inbox list\n  domicile inbox list --state overdue\n  domicile inbox list training --state failed --json"
    )]
    List {
        /// Name or id of the service. Without it: all services.
        service: Option<String>,
        /// open (also overdue), overdue, failed, or all.
        #[arg(long, value_parser = ["open", "overdue", "failed", "all"], default_value = "open")]
        state: String,
    },
    /// Show a command, what the service said, and each attempt to send it as a webhook.
    #[command(after_help = "Example:\n  domicile inbox show cmd_…")]
    Show {
        /// The id of the command.
        command: String,
    },
    /// Send a command again now: an open one, or one that failed.
    #[command(after_help = "Example:\n  domicile inbox retry cmd_…")]
    Retry {
        /// The id of the command.
        command: String,
    },
    /// Cancel a command that the service need not do any more: an open one, or one that failed.
    #[command(after_help = "Example:\n  domicile inbox cancel cmd_…")]
    Cancel {
        /// The id of the command.
        command: String,
    },
    /// Send a command that asks for nothing, to try the connection. The service has an hour to acknowledge it.
    #[command(after_help = "Example:\n  domicile inbox ping training")]
    Ping {
        /// Name or id of the service.
        service: String,
    },
    /// Show where the commands of a service are sent as webhooks, or set it. With an option, it prints only the secret that
    /// signs them, if it is new.
    #[command(
        after_help = "The host of the address must be declared in [[egress]], also if it is this machine. Without an address, the service reads its inbox.\n\nExamples:\n  domicile inbox webhook training\n  domicile inbox webhook training --url https://training.example.org/domicile\n  domicile inbox webhook training --rotate-secret --overlap 24h\n  domicile inbox webhook training --remove"
    )]
    Webhook {
        /// Name or id of the service.
        service: String,
        /// The address from now on.
        #[arg(long)]
        url: Option<String>,
        /// Send no webhooks.
        #[arg(long, conflicts_with_all = ["url", "rotate_secret"])]
        remove: bool,
        /// Replace the secret.
        #[arg(long, conflicts_with = "url")]
        rotate_secret: bool,
        /// How long the old secret signs too, at most 7 days. Default: 24h.
        #[arg(long, requires = "rotate_secret", value_name = "TIME", allow_hyphen_values = true)]
        overlap: Option<String>,
    },
}
