//! The arguments of the command line (clap).

mod erasures;
mod inbox;
mod people;
mod resources;
mod site;
mod vouchers;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use erasures::ErasureCommand;
pub(super) use inbox::InboxCommand;
pub(super) use people::{AccountCommand, KeyCommand, NewKey};
pub(super) use resources::ResourceCommand;
pub(super) use site::{
    AuditCommand, ClockCommand, CreditCommand, KeyringCommand, LedgerCommand, MailCommand, ServiceAccess,
    ServiceCommand, SnapshotCommand,
};
pub(super) use vouchers::{NewVouchers, VoucherCommand};

/// The account section of a platform, on your own machine.
#[derive(Parser, Debug)]
#[command(name = "domicile", version, propagate_version = true, arg_required_else_help = true, max_term_width = 80)]
#[command(
    after_help = "Examples:\n  domicile demo\n  domicile init --region eu --public-url https://account.example.org\n  domicile doctor\n\nExit status: 0 done, 1 refused or failed, 2 usage or configuration, 3 damage found, 74 I/O error while serving."
)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug, Clone)]
pub(in crate::cli) struct Common {
    /// The settings file.
    #[arg(long, global = true, env = "DOMICILE_CONFIG", default_value = crate::config::DEFAULT_PATH, value_name = "FILE")]
    pub config: PathBuf,
    /// Print the result as JSON, for programs.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum Command {
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
        after_help = "If there is a settings file, it is used as it is, and the options are not needed. Otherwise one is written with the two values. What the settings still lack is printed with the lines to add. After an interruption, the command can be run again.\n\nThe keyring is /etc/domicile/keyring and the data folder /var/lib/domicile, wherever the settings file is. For other places, write the settings file first, with region, public_url, keyring and data_dir.\n\nThe link proves its holder, who is signed in at once as an operator. It does not prove the address that they enter: until they verify it in their settings, they sign in with the username, and the address gets no mail but the code.\n\nExample:\n  domicile init --region eu --public-url https://account.example.org"
    )]
    Init {
        /// The region in which all data stays, a short name such as eu. It cannot be changed.
        #[arg(long, requires = "public_url")]
        region: Option<String>,
        /// The address that people will type, with https://.
        #[arg(long, requires = "region", value_name = "URL")]
        public_url: Option<String>,
    },
    /// Check the settings and describe them. Exit 2: the server would not start.
    #[command(
        after_help = "This also checks the keyring, the database, every line of the journal and the TLS files, and lists the erasures whose receipts are not final, because a file may still contain the person. Nothing is changed, and a running server is not affected. The command does not try to listen on the addresses.\n\nExample:\n  domicile check"
    )]
    Check,
    /// Run the server.
    #[command(
        after_help = "With the Debian package, systemd runs it: systemctl start domicile.\n\nExample:\n  domicile serve"
    )]
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
    /// See what services were asked to do, send it again, and set their webhooks.
    #[command(subcommand_required = true)]
    Inbox {
        #[command(subcommand)]
        command: InboxCommand,
    },
    /// See what became of erasures, and attest for services that cannot answer.
    #[command(subcommand_required = true)]
    Erasure {
        #[command(subcommand)]
        command: ErasureCommand,
    },
    /// See what services keep for people, and move it to the trash.
    #[command(subcommand_required = true)]
    Resource {
        #[command(subcommand)]
        command: ResourceCommand,
    },
    /// Test the mail relay, and see or send the mails that wait.
    #[command(subcommand_required = true)]
    Mail {
        #[command(subcommand)]
        command: MailCommand,
    },
    /// Grant credit, once or each month.
    #[command(subcommand_required = true)]
    Credit {
        #[command(subcommand)]
        command: CreditCommand,
    },
    /// Make, list and revoke codes that give credit.
    #[command(subcommand_required = true)]
    Voucher {
        #[command(subcommand)]
        command: VoucherCommand,
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
    #[command(
        after_help = "The server does this itself every week. The readiness probe reports a drill that failed, and that none succeeded for three weeks.\n\nExample:\n  domicile drill"
    )]
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
    #[command(after_help = "It changes nothing and needs no server.\n\nExample:\n  domicile status")]
    Status,
    /// Check the appliance and everything around it: settings, files, disk, database, journal, snapshot, DNS, certificate,
    /// proxy, mail, clock. Names the cause and the cure of each fault. Exit 1: something is at fault.
    #[command(
        after_help = "It changes nothing, sends no mail and needs no server. Run it as root, like the other commands.\n\nExamples:\n  domicile doctor\n  domicile doctor --json\n  domicile doctor --support support.txt"
    )]
    Doctor {
        /// Write a text for support into this file instead, without secrets and data of people. `-` prints it.
        #[arg(long, value_name = "FILE")]
        support: Option<PathBuf>,
    },
    /// Check whether the server is ready. Exit 0: ready.
    #[command(
        after_help = "Examples:\n  domicile healthcheck\n  domicile healthcheck --url https://account.example.org"
    )]
    Healthcheck {
        /// Ask the server at this address. The settings are not read then.
        #[arg(long)]
        url: Option<String>,
    },
    /// Print the completions of this command line for a shell.
    #[command(
        after_help = "The Debian package installs them.\n\nExamples:\n  domicile completions bash > /etc/bash_completion.d/domicile\n  domicile completions fish > ~/.config/fish/completions/domicile.fish"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page of the program, of one of its commands, or of a chapter of the manual.
    #[command(
        after_help = "The Debian package installs all of them: man domicile, man domicile-account-create, man domicile-manual.\n\nExamples:\n  domicile man | man --local-file -\n  domicile man account create\n  domicile man manual backup"
    )]
    Man {
        /// A command, for example `account create`, or a chapter: `manual backup`.
        command: Vec<String>,
        /// Write all pages as files into this folder instead.
        #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
        folder: Option<PathBuf>,
    },
}

/// A shell with completions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The options of `restore`.
#[derive(Args, Debug)]
pub(in crate::cli) struct RestoreArguments {
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
