//! The arguments of `domicile erasure`.

use clap::Subcommand;

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum ErasureCommand {
    /// List erasures: the newest 100, or with --state open those whose receipts are not final.
    #[command(
        after_help = "A receipt is final when no file of the appliance contains the person and each service has answered. needs_operator: a service was disconnected before it answered, or has refused.\n\nExamples:\n  domicile erasure list\n  domicile erasure list --state open --json"
    )]
    List {
        /// open or all.
        #[arg(long, value_parser = ["open", "all"], default_value = "all")]
        state: String,
    },
    /// Show an erasure: what each service said, and what the receipt waits for.
    #[command(after_help = "Example:\n  domicile erasure show dsr_…")]
    Show {
        /// The number of the receipt.
        receipt: String,
    },
    /// Attest that a service has nothing of the person any more, because it cannot say so itself: it was disconnected, or it refused.
    #[command(
        after_help = "The statement is in the audit, with your name. Do not write data of the person into it.\n\nExample:\n  domicile erasure attest dsr_… --service training --statement \"The machine was wiped on 3 May 2026\""
    )]
    Attest {
        /// The number of the receipt.
        receipt: String,
        /// Name or id of the service.
        #[arg(long)]
        service: String,
        /// How you know that the data is gone.
        #[arg(long)]
        statement: String,
    },
}
