//! What can be typed.

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

/// What every command takes.
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
    /// Try it: a throw-away appliance with sample people, keys and credit.
    #[command(after_help = "Example:\n  domicile demo")]
    Demo {
        /// The port of the loopback interface.
        #[arg(long, default_value_t = 8080)]
        port: u16,
    },
    /// Make keyring and database of a new appliance, stamp its region, print the first operator's one-time link.
    #[command(after_help = "Example:\n  domicile init --config /etc/domicile/domicile.toml")]
    Init,
    /// Check the configuration and say what it means. Exit 2: the server would not start.
    #[command(after_help = "Example:\n  domicile check")]
    Check,
    /// Run the server.
    #[command(after_help = "Example:\n  domicile serve")]
    Serve,
    /// People.
    #[command(subcommand_required = true)]
    Account {
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// API keys.
    #[command(subcommand_required = true)]
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Connected services.
    #[command(subcommand_required = true)]
    Service {
        #[command(subcommand)]
        command: ServiceCommand,
    },
    /// Credit.
    #[command(subcommand_required = true)]
    Credit {
        #[command(subcommand)]
        command: CreditCommand,
    },
    /// The ledger.
    #[command(subcommand_required = true)]
    Ledger {
        #[command(subcommand)]
        command: LedgerCommand,
    },
    /// The audit.
    #[command(subcommand_required = true)]
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// The published snapshot.
    #[command(subcommand_required = true)]
    Snapshot {
        #[command(subcommand)]
        command: SnapshotCommand,
    },
    /// The keyring.
    #[command(subcommand_required = true)]
    Keyring {
        #[command(subcommand)]
        command: KeyringCommand,
    },
    /// Check a snapshot or a copy of one: pages, structure, ledger and audit. Exit 3: damage.
    #[command(after_help = "Example:\n  domicile verify /backup/domicile.sqlite")]
    Verify {
        /// The file.
        file: PathBuf,
    },
    /// Exit 0 when the local server is ready.
    #[command(after_help = "Example:\n  domicile healthcheck")]
    Healthcheck,
}

#[derive(Subcommand, Debug)]
pub(super) enum AccountCommand {
    /// Make an account; prints its id.
    #[command(
        after_help = "Example:\n  printf '%s' \"$PASSWORD\" | domicile account create --email ada@example.org --username ada-l --password-stdin --verified"
    )]
    Create {
        /// Where the person can be written to.
        #[arg(long)]
        email: String,
        /// 4 to 32 small letters, digits and hyphens; permanent.
        #[arg(long)]
        username: String,
        /// Read the password from standard input. Without it, a link to set one is mailed.
        #[arg(long)]
        password_stdin: bool,
        /// The person also runs this appliance.
        #[arg(long)]
        operator: bool,
        /// You vouch for the address. Without it, the person must verify it first.
        #[arg(long)]
        verified: bool,
    },
    /// Invite an address: whoever follows the mailed link may sign up with it, in every sign-up mode. Prints the invitation's
    /// id.
    #[command(after_help = "Example:\n  domicile account invite --email ada@example.org")]
    Invite {
        /// Who is invited.
        #[arg(long)]
        email: String,
        /// The person will also run this appliance.
        #[arg(long)]
        operator: bool,
        /// Print the link instead of mailing it; you vouch for the address then.
        #[arg(long)]
        print_link: bool,
    },
    /// List invitations that nobody took yet.
    #[command(after_help = "Example:\n  domicile account invitations --json")]
    Invitations,
    /// Take an invitation back.
    #[command(after_help = "Example:\n  domicile account uninvite ada@example.org")]
    Uninvite {
        /// Its id or address.
        invitation: String,
    },
    /// Print a new one-time link for the first operator, when the one of `init` was lost or is too old.
    #[command(after_help = "Example:\n  domicile account operator-link")]
    OperatorLink,
    /// List accounts, the newest first: a hundred of them, or all.
    #[command(after_help = "Example:\n  domicile account list --all --json")]
    List {
        /// List everybody.
        #[arg(long)]
        all: bool,
    },
    /// Show one account.
    #[command(after_help = "Example:\n  domicile account show ada-l")]
    Show {
        /// Id, username or e-mail address.
        account: String,
    },
    /// Stop an account: it is signed out everywhere and its keys are refused, at once. Nothing is deleted.
    #[command(after_help = "Example:\n  domicile account suspend ada-l --reason \"left the project\"")]
    Suspend {
        /// Id, username or e-mail address.
        account: String,
        /// Kept with the audit event; the person is not told.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Give a suspended account back to its person.
    #[command(after_help = "Example:\n  domicile account reactivate ada-l")]
    Reactivate {
        /// Id, username or e-mail address.
        account: String,
    },
    /// List where a person is signed in, or sign them out; nothing else changes.
    #[command(after_help = "Examples:\n  domicile account sessions ada-l\n  domicile account sessions ada-l --end-all")]
    Sessions {
        /// Id, username or e-mail address.
        account: String,
        /// End this one.
        #[arg(long, value_name = "SESSION")]
        end: Option<String>,
        /// End all of them.
        #[arg(long, conflicts_with = "end")]
        end_all: bool,
    },
    /// Delete an account and everything about it, for ever.
    #[command(after_help = "Example:\n  domicile account delete ada-l --yes")]
    Delete {
        /// Id, username or e-mail address.
        account: String,
        /// Do it; without this flag it only says what would happen.
        #[arg(long)]
        yes: bool,
    },
    /// Take the second factors away from a person who lost them: after 72 hours in which every address of theirs is told, or
    /// at once when a second operator agrees.
    #[command(
        after_help = "Examples:\n  domicile account reset-factors ada-l\n  printf '%s\\n%s\\n' \"$PASSWORD\" \"$CODE\" | domicile account reset-factors ada-l --second-operator grace-h\n  domicile account reset-factors ada-l --cancel"
    )]
    ResetFactors {
        /// Id, username or e-mail address of the person.
        account: String,
        /// Do it at once: this operator agrees, and proves it with their password and a code of theirs, a line each on standard
        /// input.
        #[arg(long, value_name = "ACCOUNT")]
        second_operator: Option<String>,
        /// Stop a reset that waits.
        #[arg(long, conflicts_with = "second_operator")]
        cancel: bool,
    },
    /// Write everything about an account into a sealed archive.
    #[command(
        after_help = "Example:\n  printf '%s' \"$PASSPHRASE\" | domicile account export ada-l --passphrase-stdin --output ada.zip.age"
    )]
    Export {
        /// Id, username or e-mail address.
        account: String,
        /// Read the passphrase from standard input.
        #[arg(long)]
        passphrase_stdin: bool,
        /// Seal to this age or SSH public key instead.
        #[arg(long, conflicts_with = "passphrase_stdin")]
        recipient: Option<String>,
        /// The file to write; it must not exist.
        #[arg(long)]
        output: PathBuf,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum KeyCommand {
    /// Make an API key; prints only the key.
    #[command(
        after_help = "Example:\n  domicile key create --account ada-l --name ci --scope models:read --scope billing:read --expires 90d"
    )]
    Create(NewKey),
    /// List an account's keys.
    #[command(after_help = "Example:\n  domicile key list --account ada-l")]
    List {
        /// Id, username or e-mail address.
        #[arg(long)]
        account: String,
    },
    /// Find keys that lie about in files, by form and checksum. Asks nobody and needs no appliance. Exit 1: found some.
    #[command(after_help = "Example:\n  domicile key scan .\n  git diff --cached | domicile key scan -")]
    Scan {
        /// A file or a folder; `-` reads standard input. Links are not followed.
        path: PathBuf,
        /// What keys begin with; may be given several times. Without it, as configured.
        #[arg(long)]
        prefix: Vec<String>,
    },
    /// Print what keys look like, for scanners and hooks.
    #[command(after_help = "Example:\n  domicile key pattern")]
    Pattern {
        /// What keys begin with; may be given several times. Without it, as configured.
        #[arg(long)]
        prefix: Vec<String>,
    },
    /// Make a new key of the same kind in place of one; prints only the new key. The old one stays good for a while.
    #[command(after_help = "Example:\n  domicile key rotate key_01k9… --overlap 3d")]
    Rotate {
        /// The key's id, as `key list` prints it.
        key: String,
        /// How long the old key stays good: 0 to 7d, and never longer than it would have been. Without it, 24h.
        #[arg(long)]
        overlap: Option<String>,
    },
    /// End a key for ever.
    #[command(after_help = "Example:\n  domicile key revoke key_01k9…")]
    Revoke {
        /// The key's id, as `key list` prints it.
        key: String,
    },
}

/// What `key create` is told.
#[derive(Args, Debug)]
pub(super) struct NewKey {
    /// Id, username or e-mail address of its owner.
    #[arg(long)]
    pub account: String,
    /// For people, to tell it from others.
    #[arg(long)]
    pub name: String,
    /// What it may do; may be given several times.
    #[arg(long, required = true)]
    pub scope: Vec<String>,
    /// When it ends, such as 90d. Without it, it never expires.
    #[arg(long)]
    pub expires: Option<String>,
    /// From where it may be used: an address or a CIDR block; may be given several times. Without it, from anywhere.
    #[arg(long)]
    pub network: Vec<String>,
    /// Requests a minute. Without it, what the site allows.
    #[arg(long)]
    pub rate: Option<String>,
    /// What its use may cost in a calendar month, in decimal credits. Without it, whatever the workspace has.
    #[arg(long)]
    pub budget: Option<String>,
    /// The budget is for the whole life of the key and not for each month.
    #[arg(long, requires = "budget")]
    pub budget_in_all: bool,
}

#[derive(Subcommand, Debug)]
pub(super) enum ServiceCommand {
    /// Connect a service; prints only its credential.
    #[command(after_help = "Example:\n  domicile service create training")]
    Create {
        /// Its name, unique here.
        name: String,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum CreditCommand {
    /// Give credit; prints the transaction's id.
    #[command(after_help = "Example:\n  domicile credit grant --account ada-l --amount 25.00 --reason \"Workshop\"")]
    Grant {
        /// Id, username or e-mail address.
        #[arg(long)]
        account: String,
        /// Decimal credits, at most six decimals.
        #[arg(long)]
        amount: String,
        /// Why; the person sees it.
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
    /// Check every event of the chain. Exit 3: damage.
    #[command(after_help = "Example:\n  domicile audit verify")]
    Verify,
}

#[derive(Subcommand, Debug)]
pub(super) enum SnapshotCommand {
    /// Publish a snapshot now, checked before it replaces the old one.
    #[command(after_help = "Example:\n  domicile snapshot now")]
    Now,
}

#[derive(Subcommand, Debug)]
pub(super) enum KeyringCommand {
    /// Print the database key for an independent reader. Whoever has it and a copy can read everything; it is audited.
    #[command(after_help = "Example:\n  domicile keyring show-database-key")]
    ShowDatabaseKey,
    /// Publish the next key that signs access tokens; it signs a day later, when every verifier knows it.
    #[command(after_help = "Example:\n  domicile keyring rotate-token-key")]
    RotateTokenKey {
        /// The secret got out: withdraw every signing key now and sign with a new one at once. All access tokens are dead.
        #[arg(long)]
        compromised: bool,
    },
    /// Add a new pepper and a new data key; every old one stays, so that no key and nothing sealed is lost. Audited.
    #[command(
        after_help = "Example:\n  domicile keyring rotate && systemctl restart domicile\n\nThe new ones are in use from the next start on. Back the keyring up again: an older copy does not open what is made then."
    )]
    Rotate,
}
