//! The arguments of `domicile account …` and `domicile key …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum AccountCommand {
    /// Create an account. Prints its id.
    #[command(
        after_help = "Example:\n  printf '%s' \"$PASSWORD\" | domicile account create --email ada@example.org --username ada-l --password-stdin --verified"
    )]
    Create {
        /// The person's e-mail address.
        #[arg(long)]
        email: String,
        /// 4 to 32 lower-case letters, digits and hyphens. It cannot be changed.
        #[arg(long)]
        username: String,
        /// Read the password from standard input. Without it, the person gets a link to set one by mail.
        #[arg(long)]
        password_stdin: bool,
        /// Make the person an operator of this appliance.
        #[arg(long)]
        operator: bool,
        /// You confirm that the address belongs to the person. Without it, the person must verify it first.
        #[arg(long)]
        verified: bool,
    },
    /// Invite an address. The link in the mail allows a person to sign up in every sign-up mode. Prints the id of the
    /// invitation.
    #[command(after_help = "Example:\n  domicile account invite --email ada@example.org")]
    Invite {
        /// The address to invite.
        #[arg(long)]
        email: String,
        /// Make the person an operator of this appliance.
        #[arg(long)]
        operator: bool,
        /// Print the link instead of mailing it. You then confirm that the address belongs to the person.
        #[arg(long)]
        print_link: bool,
    },
    /// List open invitations.
    #[command(after_help = "Example:\n  domicile account invitations --json")]
    Invitations,
    /// Withdraw an invitation.
    #[command(after_help = "Example:\n  domicile account uninvite ada@example.org")]
    Uninvite {
        /// Id or address of the invitation.
        invitation: String,
    },
    /// Print a new one-time link for the first operator, if the link from `init` was lost or has expired.
    #[command(
        after_help = "It works for 24 hours, and earlier links no longer work.\n\nExample:\n  domicile account operator-link"
    )]
    OperatorLink,
    /// List the newest 100 accounts, or all with --all.
    #[command(after_help = "Example:\n  domicile account list --all --json")]
    List {
        /// List all accounts.
        #[arg(long)]
        all: bool,
    },
    /// Show one account.
    #[command(after_help = "Example:\n  domicile account show ada-l")]
    Show {
        /// Id, username or e-mail address.
        account: String,
    },
    /// Suspend an account: its sessions end and its keys are refused at once. Nothing is deleted.
    #[command(
        after_help = "`account reactivate` restores everything except the sessions.\n\nExample:\n  domicile account suspend ada-l --reason \"left the project\""
    )]
    Suspend {
        /// Id, username or e-mail address.
        account: String,
        /// Stored with the audit event. The person does not see it.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// Reactivate a suspended account.
    #[command(
        after_help = "The person can sign in again, and their keys are valid again.\n\nExample:\n  domicile account reactivate ada-l"
    )]
    Reactivate {
        /// Id, username or e-mail address.
        account: String,
    },
    /// Put the workspace of a person on another plan. Prints the plan.
    #[command(
        after_help = "The limits of the plan apply from now on to what is created; what is there stays. [[plans]] in the settings has the plans.\n\nExample:\n  domicile account plan ada-l free"
    )]
    Plan {
        /// Id, username or e-mail address.
        account: String,
        /// The code of the plan, as [[plans]] has it.
        plan: String,
    },
    /// List the sessions of a person, or end them. Nothing else changes.
    #[command(after_help = "Examples:\n  domicile account sessions ada-l\n  domicile account sessions ada-l --end-all")]
    Sessions {
        /// Id, username or e-mail address.
        account: String,
        /// End this session.
        #[arg(long, value_name = "SESSION")]
        end: Option<String>,
        /// End all sessions.
        #[arg(long, conflicts_with = "end")]
        end_all: bool,
    },
    /// Delete an account and all its data permanently.
    #[command(after_help = "Example:\n  domicile account delete ada-l --yes")]
    Delete {
        /// Id, username or e-mail address.
        account: String,
        /// Confirm the deletion. Without this flag, the command only says what would happen.
        #[arg(long)]
        yes: bool,
    },
    /// Remove the second factors of a person who lost them: after 72 hours and a notice to each of their addresses, or
    /// at once if a second operator agrees.
    #[command(
        after_help = "Each verified address of the person gets a notice at once, with a link that cancels the reset.\n\nExamples:\n  domicile account reset-factors ada-l\n  printf '%s\\n%s\\n' \"$PASSWORD\" \"$CODE\" | domicile account reset-factors ada-l --second-operator grace-h\n  domicile account reset-factors ada-l --cancel"
    )]
    ResetFactors {
        /// Id, username or e-mail address of the person.
        account: String,
        /// Remove them at once. This second operator agrees with their password and a code, one line each on standard
        /// input.
        #[arg(long, value_name = "ACCOUNT")]
        second_operator: Option<String>,
        /// Cancel a waiting reset.
        #[arg(long, conflicts_with = "second_operator")]
        cancel: bool,
    },
    /// Write all data of an account into an encrypted archive.
    #[command(
        after_help = "Example:\n  printf '%s' \"$PASSPHRASE\" | domicile account export ada-l --passphrase-stdin --output ada.zip.age"
    )]
    Export {
        /// Id, username or e-mail address.
        account: String,
        /// Read the passphrase from standard input.
        #[arg(long)]
        passphrase_stdin: bool,
        /// Encrypt for this age or SSH public key instead.
        // The text of a private key by mistake may begin with hyphens, and an error must not repeat it.
        #[arg(long, conflicts_with = "passphrase_stdin", allow_hyphen_values = true)]
        recipient: Option<String>,
        /// The file to write. It must not exist.
        #[arg(long)]
        output: PathBuf,
    },
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum KeyCommand {
    /// Create an API key. Prints only the key.
    #[command(
        after_help = "Example:\n  domicile key create --account ada-l --name ci --scope models:read --scope billing:read --expires 90d"
    )]
    Create(NewKey),
    /// List the keys of an account.
    #[command(after_help = "Example:\n  domicile key list --account ada-l")]
    List {
        /// Id, username or e-mail address.
        #[arg(long)]
        account: String,
    },
    /// Find exposed keys in files, by their form and checksum. Needs no network and no appliance. Exit 1: keys found.
    #[command(after_help = "Example:\n  domicile key scan .\n  git diff --cached | domicile key scan -")]
    Scan {
        /// A file or a folder. `-` reads standard input. Links are not followed.
        path: PathBuf,
        /// The prefix of keys. Can be given several times. Default: the configured prefix.
        #[arg(long)]
        prefix: Vec<String>,
    },
    /// Print patterns of keys for scanners and hooks.
    #[command(after_help = "Example:\n  domicile key pattern")]
    Pattern {
        /// The prefix of keys. Can be given several times. Default: the configured prefix.
        #[arg(long)]
        prefix: Vec<String>,
    },
    /// Replace a key with a new one with the same settings. Prints only the new key. The old key stays valid for a
    /// while.
    #[command(after_help = "Example:\n  domicile key rotate key_01k9… --overlap 3d")]
    Rotate {
        /// The key's id, as `key list` prints it.
        key: String,
        /// How long the old key stays valid: 0 to 7d, and never beyond its own expiry. Default: 24h.
        #[arg(long)]
        overlap: Option<String>,
    },
    /// Take scopes away from a key. Programs that use it lose them at once.
    #[command(after_help = "Example:\n  domicile key reduce key_01k9… --scope models:read")]
    Reduce {
        /// The key's id, as `key list` prints it.
        key: String,
        /// A scope that the key keeps. Can be given several times.
        #[arg(long, required = true)]
        scope: Vec<String>,
    },
    /// Revoke a key permanently.
    #[command(after_help = "Example:\n  domicile key revoke key_01k9…")]
    Revoke {
        /// The key's id, as `key list` prints it.
        key: String,
    },
}

/// The options of `key create`.
#[derive(Args, Debug)]
pub(in crate::cli) struct NewKey {
    /// Id, username or e-mail address of the owner.
    #[arg(long)]
    pub account: String,
    /// A name to recognize the key.
    #[arg(long)]
    pub name: String,
    /// What the key is for, in at most 500 characters. Can have several lines.
    #[arg(long)]
    pub note: Option<String>,
    /// A scope of the key. Can be given several times.
    #[arg(long, required = true)]
    pub scope: Vec<String>,
    /// Expires after this time, for example 90d. Default: never.
    #[arg(long)]
    pub expires: Option<String>,
    /// A network from which the key can be used: an address or a CIDR block. Can be given several times. Default: any
    /// network.
    #[arg(long)]
    pub network: Vec<String>,
    /// Maximum requests a minute. Default: the limit of the site.
    #[arg(long)]
    pub rate: Option<String>,
    /// Maximum cost of its use in a calendar month, in decimal credits. Default: the credit of the workspace.
    #[arg(long, allow_hyphen_values = true)]
    pub budget: Option<String>,
    /// Apply the budget to the whole lifetime of the key instead of each month.
    #[arg(long, requires = "budget")]
    pub budget_in_all: bool,
}
