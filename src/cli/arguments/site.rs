//! The arguments of the commands about services, credit, evidence and the keyring.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum ServiceCommand {
    /// Connect a service. Prints only its credential.
    #[command(
        after_help = "Examples:\n  domicile service create training\n  domicile service create nginx --scope keys:verify --workspace ws_01k9…"
    )]
    Create {
        /// The name of the service. It must be unique.
        name: String,
        #[command(flatten)]
        access: ServiceAccess,
    },
    /// Make a code with which a service connects itself: within ten minutes, once. Prints only the code.
    #[command(
        after_help = "The service sends the code to POST /v1/services/enrol and gets its credential.\n\nExample:\n  domicile service enrol-code training"
    )]
    EnrolCode {
        /// The name of the service. If there is none with this name, it is created.
        name: String,
        #[command(flatten)]
        access: ServiceAccess,
    },
    /// List all services.
    #[command(after_help = "Example:\n  domicile service list")]
    List,
    /// Show one service: what it may do, what it says about itself, and its credentials.
    #[command(after_help = "Example:\n  domicile service show training")]
    Show {
        /// Id or name.
        service: String,
    },
    /// Change what a service may do. It is in force at its next request. What is not given stays as it is.
    #[command(
        after_help = "Examples:\n  domicile service change training --scope keys:verify --scope usage:write\n  domicile service change training --all-workspaces"
    )]
    Change {
        /// Id or name.
        service: String,
        #[command(flatten)]
        access: ServiceAccess,
        /// Let the service touch all workspaces, also those that are created later.
        #[arg(long, conflicts_with = "workspace")]
        all_workspaces: bool,
    },
    /// Show or set how usage of a service is authorized: whether its credit is reserved, with what margin, and for how long. What is
    /// not given stays as it is, and counts from the next authorization on.
    #[command(
        after_help = "Without an option, it shows how. `check` reserves nothing: two programs that ask at the same time can both get the last credit.\n\nExamples:\n  domicile service authorizations training\n  domicile service authorizations training --mode check\n  domicile service authorizations training --margin 20 --hold 2h"
    )]
    Authorizations {
        /// Id or name.
        service: String,
        /// `hold` reserves the credit; `check` only looks whether it is there. Default: hold.
        #[arg(long, value_parser = ["hold", "check"])]
        mode: Option<String>,
        /// How much more than the price is authorized, in percent of it: 0 to 100. Default: 0.
        #[arg(long, value_name = "PERCENT")]
        margin: Option<u8>,
        /// How long credit is reserved: 1m to 365d. Default: 24h.
        #[arg(long, value_name = "TIME")]
        hold: Option<String>,
    },
    /// Release an authorization of usage, whose service does not end it: what it reserves can be spent again at once.
    #[command(
        after_help = "Usage that the service reports for it later is charged all the same.\n\nExample:\n  domicile service release hold_01k0r3v9qz8h2f7n5m4c6x1b0a"
    )]
    Release {
        /// Id of the authorization.
        authorization: String,
    },
    /// Disconnect a service for good. Its credentials are refused at once. What it reported stays, and its name is free.
    #[command(after_help = "Example:\n  domicile service disconnect training --yes")]
    Disconnect {
        /// Id or name.
        service: String,
        /// Confirm it. Without this flag, the command only says what would happen.
        #[arg(long)]
        yes: bool,
    },
    /// Give a service a new credential. Prints only the credential. The old one stays valid for a while.
    #[command(
        after_help = "Examples:\n  domicile service rotate training\n  domicile service rotate training --overlap 0"
    )]
    Rotate {
        /// Id or name.
        service: String,
        /// How long the old credential stays valid: 0 to 7d. Default: 24h.
        #[arg(long)]
        overlap: Option<String>,
    },
    /// Revoke all credentials of a service at once, for example because one was exposed. The service stays.
    #[command(
        after_help = "Examples:\n  domicile service revoke training\n  domicile service revoke training --credential cred_01k9…"
    )]
    Revoke {
        /// Id or name.
        service: String,
        /// Revoke only this credential. `service show` prints the ids.
        #[arg(long, value_name = "ID")]
        credential: Option<String>,
    },
}

/// What a service may do.
#[derive(Args, Debug)]
pub(in crate::cli) struct ServiceAccess {
    /// A scope: keys:verify, usage:write or resources:write. Can be given several times. Without it, a new service has all.
    #[arg(long)]
    pub scope: Vec<String>,
    /// The id of a workspace that the service may touch. Can be given several times. Without it, a new service may touch
    /// all.
    #[arg(long, value_name = "ID")]
    pub workspace: Vec<String>,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum MailCommand {
    /// Send a test mail now and print the dialogue with the relay. Exit 1: it was not sent, and the output
    /// says why and what to do.
    #[command(after_help = "Example:\n  domicile mail test ada@example.org")]
    Test {
        /// The address that gets the mail.
        address: String,
    },
    /// List the mails that wait or were given up in the last week: since when, how often they were tried, and why.
    #[command(after_help = "Example:\n  domicile mail list --json")]
    List,
    /// Send the mails that wait now. Exit 1: some still wait.
    #[command(after_help = "Example:\n  domicile mail retry")]
    Retry,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum CreditCommand {
    /// Grant credit. Prints the id of the transaction.
    #[command(after_help = "Example:\n  domicile credit grant --account ada-l --amount 25.00 --reason \"Workshop\"")]
    Grant {
        /// Id, username or e-mail address.
        #[arg(long)]
        account: String,
        /// Decimal credits with at most six decimals.
        #[arg(long, allow_hyphen_values = true)]
        amount: String,
        /// The reason. The person sees it.
        #[arg(long)]
        reason: String,
    },
    /// Set how much credit a person gets each calendar month, or show it. What is left at the end of a month expires.
    #[command(
        after_help = "The first month is granted at once. Another amount counts from the next month on (UTC), and `none` ends it: what is left of this month stays until its end.\n\nExamples:\n  domicile credit allowance ada-l 30\n  domicile credit allowance ada-l none\n  domicile credit allowance ada-l"
    )]
    Allowance {
        /// Id, username or e-mail address.
        account: String,
        /// Decimal credits with at most six decimals, or `none`. Without it, the command only shows what is set.
        #[arg(allow_hyphen_values = true)]
        amount: Option<String>,
    },
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum LedgerCommand {
    /// Check every transaction and balance. Exit 3: damage.
    #[command(after_help = "Example:\n  domicile ledger check")]
    Check,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum AuditCommand {
    /// Check every event of the hash chain. Exit 3: damage. Exit 1, with checkpoints: a restore lost events of one.
    #[command(
        after_help = "A checkpoint that was kept elsewhere also shows what somebody with every key has changed or removed: keep the output of `audit head`, or of /v1/audit/head, on another machine.\n\nExamples:\n  domicile audit verify\n  domicile audit verify --checkpoint checkpoint.txt"
    )]
    Verify {
        /// Compare with the signed checkpoints in this file: one, or several after each other.
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// The number of a restore that you know of: events that it lost are no failure. Can be given several times.
        #[arg(long = "known-restore", value_name = "NUMBER", requires = "checkpoint")]
        known_restores: Vec<i64>,
    },
    /// Sign how far the audit goes, and print the checkpoint. Keep it on another machine.
    #[command(after_help = "Example:\n  domicile audit head > checkpoint.txt")]
    Head,
    /// Print the public key that other programs check checkpoints with (a vkey, C2SP signed-note).
    #[command(after_help = "Example:\n  domicile audit key")]
    Key,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum SnapshotCommand {
    /// Publish a snapshot now. It is checked before it replaces the old one.
    #[command(after_help = "Example:\n  domicile snapshot now")]
    Now,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum ClockCommand {
    /// Confirm that the clock of this machine is right, after you have checked it: what has expired may be deleted again,
    /// and the readiness probe no longer reports that the clock was set.
    #[command(after_help = "Example:\n  date && domicile clock confirm")]
    Confirm,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum KeyringCommand {
    /// Print the key of the database, for another program that reads copies of it (SQLCipher). With this key and a copy,
    /// all data can be read. The command is audited.
    #[command(after_help = "Example:\n  domicile keyring show-database-key")]
    ShowDatabaseKey,
    /// Print the keyring, encrypted for the owner of an age key, for a safe place. With this copy and a backup, the appliance
    /// can be restored on another machine. The command is audited, and ends the reminder to make a copy.
    #[command(
        after_help = "`check`, `status` and the log of each start remind of a missing copy. The reminder comes back when the keyring changes.\n\nExamples:\n  domicile keyring export --to age1… > keyring.age\n  domicile keyring export --waive \"It is in the vault of the platform team\"\n\nTo use the copy: age -d -i KEY keyring.age > /etc/domicile/keyring && chmod 600 /etc/domicile/keyring"
    )]
    Export {
        /// The age or SSH public key of the person who keeps the copy.
        #[arg(long, allow_hyphen_values = true, required_unless_present = "waive", conflicts_with = "waive")]
        to: Option<String>,
        /// Print nothing, and end the reminder for this reason.
        #[arg(long, value_name = "REASON")]
        waive: Option<String>,
    },
    /// Publish the next signing key of access tokens. It signs after a day, when every verifier knows it.
    #[command(
        after_help = "The server does this itself, by default every 90 days. Programs must exchange their keys again after --compromised.\n\nExample:\n  domicile keyring rotate-token-key"
    )]
    RotateTokenKey {
        /// A signing key was exposed: withdraw all signing keys and sign with a new one at once. All access tokens
        /// become invalid.
        #[arg(long)]
        compromised: bool,
    },
    /// Add a new secret for API keys (a pepper) and one for sealed data (a data key). All old ones stay, so that what they
    /// protect stays valid. Audited.
    #[command(
        after_help = "Example:\n  domicile keyring rotate && systemctl restart domicile\n\nThe server uses the new keys from its next start. Back up the keyring again: an older copy cannot open data written after that."
    )]
    Rotate,
}
