//! The arguments of the command line (clap).

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The account section of a platform, on your own machine.
#[derive(Parser, Debug)]
#[command(name = "domicile", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  domicile demo\n  domicile init && domicile serve\n\nExit status: 0 done, 1 refused or failed, 2 usage or configuration, 3 damage found, 74 I/O error while serving."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug, Clone)]
pub(super) struct Common {
    /// The configuration file.
    #[arg(long, global = true, env = "DOMICILE_CONFIG", default_value = crate::config::DEFAULT_PATH, value_name = "FILE")]
    pub config: PathBuf,
    /// Print the result as JSON, for programs.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Try Domicile: a temporary appliance with sample people, keys and credit.
    #[command(after_help = "Example:\n  domicile demo")]
    Demo {
        /// The port on the loopback interface.
        #[arg(long, default_value_t = 8080)]
        port: u16,
    },
    /// Create the settings, the keyring and the database of a new appliance, and print the one-time link for the first
    /// operator. Nothing that exists is overwritten.
    #[command(
        after_help = "Example:\n  domicile init --region eu --public-url https://account.example.org\n\nIf there is a settings file, it is used as it is, and the options are not needed. Then it prints what the settings still lack, with the lines to add."
    )]
    Init {
        /// The region in which all data stays, a short name such as eu. It cannot be changed.
        #[arg(long, requires = "public_url")]
        region: Option<String>,
        /// The address that people will type, with https://.
        #[arg(long, requires = "region", value_name = "URL")]
        public_url: Option<String>,
    },
    /// Check the configuration and describe it. Exit 2: the server would not start.
    #[command(after_help = "Example:\n  domicile check")]
    Check,
    /// Run the server.
    #[command(after_help = "Example:\n  domicile serve")]
    Serve,
    /// Manage accounts.
    #[command(subcommand_required = true)]
    Account {
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Manage API keys.
    #[command(subcommand_required = true)]
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Manage connected services.
    #[command(subcommand_required = true)]
    Service {
        #[command(subcommand)]
        command: ServiceCommand,
    },
    /// Grant credit.
    #[command(subcommand_required = true)]
    Credit {
        #[command(subcommand)]
        command: CreditCommand,
    },
    /// Check the ledger.
    #[command(subcommand_required = true)]
    Ledger {
        #[command(subcommand)]
        command: LedgerCommand,
    },
    /// Check the audit log.
    #[command(subcommand_required = true)]
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Publish snapshots.
    #[command(subcommand_required = true)]
    Snapshot {
        #[command(subcommand)]
        command: SnapshotCommand,
    },
    /// Manage the keyring.
    #[command(subcommand_required = true)]
    Keyring {
        #[command(subcommand)]
        command: KeyringCommand,
    },
    /// Check a snapshot or a copy of one: pages, structure, ledger and audit log. Exit 3: damage.
    #[command(after_help = "Example:\n  domicile verify /backup/domicile.sqlite")]
    Verify {
        /// The snapshot file.
        file: PathBuf,
    },
    /// Publish a snapshot of this moment and copy it, whether the server runs or not. To a folder: with its manifest and
    /// the journal. To a file: the snapshot.
    #[command(
        after_help = "Examples:\n  domicile backup /backup/\n  domicile backup /backup/domicile-today.sqlite\n\nThe keyring is not copied: keep it elsewhere. Backup jobs need no command; they copy the published files."
    )]
    Backup {
        /// A folder that exists or ends with `/`, or a file. What is there is replaced when the copy is complete.
        dest: PathBuf,
    },
    /// Make the data folder from a snapshot and its journal, on a new machine or over a stopped appliance.
    #[command(
        after_help = "Examples:\n  domicile restore /backup/domicile.sqlite\n  domicile restore /backup/domicile.sqlite --replace\n\nThe settings and the keyring must be in place. All sessions end. What the journal says has ended since the snapshot ends again: people who were erased are erased before the server starts."
    )]
    Restore(RestoreArguments),
    /// Confirm the clock after it was set.
    #[command(subcommand_required = true)]
    Clock {
        #[command(subcommand)]
        command: ClockCommand,
    },
    /// Make a restore drill now: the published snapshot is restored in a folder of its own, verified and used. Exit 3: it
    /// could not be restored.
    #[command(after_help = "Example:\n  domicile drill")]
    Drill,
    /// What a drill does, in a process of its own. Reads the keyring from standard input.
    #[command(hide = true)]
    RehearseRestore {
        /// The region of the appliance.
        #[arg(long)]
        region: String,
        /// The folder with the snapshot and the journal, in which everything is done.
        folder: PathBuf,
    },
    /// Show the state of the appliance on one screen: server, snapshot, restore drill, copies of the keyring, journal.
    #[command(after_help = "Example:\n  domicile status")]
    Status,
    /// Check whether the local server is ready. Exit 0: ready.
    #[command(after_help = "Example:\n  domicile healthcheck")]
    Healthcheck,
}

/// The options of `restore`.
#[derive(Args, Debug)]
pub(super) struct RestoreArguments {
    /// The snapshot: a copy of domicile.sqlite.
    pub file: PathBuf,
    /// The journal. Default: tombstones.jsonl beside FILE, or for NAME.sqlite the file NAME.tombstones.jsonl, if it is there.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Replace existing data. It is moved aside and kept for 30 days.
    #[arg(long)]
    pub replace: bool,
    /// Restore although the journal is missing, damaged or too old. Access that ended after the snapshot may work again,
    /// and people who were erased may come back. Audited.
    #[arg(long)]
    pub accept_missing_journal: bool,
}

#[derive(Subcommand, Debug)]
pub(super) enum AccountCommand {
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
    #[command(after_help = "Example:\n  domicile account operator-link")]
    OperatorLink,
    /// List accounts, the newest first: the newest 100, or all.
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
    #[command(after_help = "Example:\n  domicile account suspend ada-l --reason \"left the project\"")]
    Suspend {
        /// Id, username or e-mail address.
        account: String,
        /// Stored with the audit event. The person does not see it.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// Reactivate a suspended account.
    #[command(after_help = "Example:\n  domicile account reactivate ada-l")]
    Reactivate {
        /// Id, username or e-mail address.
        account: String,
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
        after_help = "Examples:\n  domicile account reset-factors ada-l\n  printf '%s\\n%s\\n' \"$PASSWORD\" \"$CODE\" | domicile account reset-factors ada-l --second-operator grace-h\n  domicile account reset-factors ada-l --cancel"
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
        #[arg(long, conflicts_with = "passphrase_stdin")]
        recipient: Option<String>,
        /// The file to write. It must not exist.
        #[arg(long)]
        output: PathBuf,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum KeyCommand {
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
    /// Revoke a key permanently.
    #[command(after_help = "Example:\n  domicile key revoke key_01k9…")]
    Revoke {
        /// The key's id, as `key list` prints it.
        key: String,
    },
}

/// The options of `key create`.
#[derive(Args, Debug)]
pub(super) struct NewKey {
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
    #[arg(long)]
    pub budget: Option<String>,
    /// Apply the budget to the whole lifetime of the key instead of each month.
    #[arg(long, requires = "budget")]
    pub budget_in_all: bool,
}

#[derive(Subcommand, Debug)]
pub(super) enum ServiceCommand {
    /// Connect a service. Prints only its credential.
    #[command(after_help = "Example:\n  domicile service create training")]
    Create {
        /// The name of the service. It must be unique.
        name: String,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum CreditCommand {
    /// Grant credit. Prints the id of the transaction.
    #[command(after_help = "Example:\n  domicile credit grant --account ada-l --amount 25.00 --reason \"Workshop\"")]
    Grant {
        /// Id, username or e-mail address.
        #[arg(long)]
        account: String,
        /// Decimal credits with at most six decimals.
        #[arg(long)]
        amount: String,
        /// The reason. The person sees it.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum LedgerCommand {
    /// Check every transaction and balance. Exit 3: damage.
    #[command(after_help = "Example:\n  domicile ledger check")]
    Check,
}

#[derive(Subcommand, Debug)]
pub(super) enum AuditCommand {
    /// Check every event of the hash chain. Exit 3: damage.
    #[command(after_help = "Example:\n  domicile audit verify")]
    Verify,
}

#[derive(Subcommand, Debug)]
pub(super) enum SnapshotCommand {
    /// Publish a snapshot now. It is checked before it replaces the old one.
    #[command(after_help = "Example:\n  domicile snapshot now")]
    Now,
}

#[derive(Subcommand, Debug)]
pub(super) enum ClockCommand {
    /// You have checked the clock of this machine, and it is right: what has expired may be deleted again, and the
    /// readiness probe no longer reports that the clock was set.
    #[command(after_help = "Example:\n  date && domicile clock confirm")]
    Confirm,
}

#[derive(Subcommand, Debug)]
pub(super) enum KeyringCommand {
    /// Print the database key for an independent reader. With this key and a copy, all data can be read. The command is
    /// audited.
    #[command(after_help = "Example:\n  domicile keyring show-database-key")]
    ShowDatabaseKey,
    /// Print the keyring, encrypted for the owner of an age key, for a safe place. With this copy and a backup, the appliance
    /// can be restored on another machine. The command is audited, and ends the reminder to make a copy.
    #[command(
        after_help = "Examples:\n  domicile keyring export --to age1… > keyring.age\n  domicile keyring export --waive \"It is in the vault of the platform team\"\n\nTo use the copy: age -d -i KEY keyring.age > /etc/domicile/keyring && chmod 600 /etc/domicile/keyring"
    )]
    Export {
        /// The age or SSH public key of the person who keeps the copy.
        #[arg(long, required_unless_present = "waive", conflicts_with = "waive")]
        to: Option<String>,
        /// Print nothing, and end the reminder for this reason.
        #[arg(long, value_name = "REASON")]
        waive: Option<String>,
    },
    /// Publish the next signing key of access tokens. It signs after a day, when every verifier knows it.
    #[command(after_help = "Example:\n  domicile keyring rotate-token-key")]
    RotateTokenKey {
        /// A signing key was exposed: withdraw all signing keys and sign with a new one at once. All access tokens
        /// become invalid.
        #[arg(long)]
        compromised: bool,
    },
    /// Add a new pepper and a new data key. All old ones stay, so that API keys and sealed data stay valid. Audited.
    #[command(
        after_help = "Example:\n  domicile keyring rotate && systemctl restart domicile\n\nThe server uses the new keys from its next start. Back up the keyring again: an older copy cannot open data written after that."
    )]
    Rotate,
}
