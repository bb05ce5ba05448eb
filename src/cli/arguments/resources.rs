//! The arguments of `domicile resource`.

use clap::Subcommand;

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum ResourceCommand {
    /// List what services keep for a person, the largest first: the first 100, or all with --all.
    #[command(
        after_help = "Examples:\n  domicile resource list --account ada-l\n  domicile resource list --account ada-l --search yolo --json"
    )]
    List {
        /// Id, username or e-mail address of the person.
        #[arg(long)]
        account: String,
        /// Only what has this in its name.
        #[arg(long)]
        search: Option<String>,
        /// List all of them.
        #[arg(long)]
        all: bool,
    },
    /// Move a resource of a person to the trash, with everything below it. It can be restored for 30 days.
    #[command(after_help = "Example:\n  domicile resource trash res_01k0… --account ada-l")]
    Trash {
        /// The id of the resource. `resource list` prints it.
        resource: String,
        /// Id, username or e-mail address of the person.
        #[arg(long)]
        account: String,
    },
}
