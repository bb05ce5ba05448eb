//! `./dev bench seed --accounts N --events N --audit N [--into FOLDER]` fills an appliance, to try it large.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::fixture::{self, Fixture, PASSWORD, PROGRAM, USERNAME};
use crate::seed::Seed;
use crate::table::thousands;
use crate::{Failure, fail};

/// The argument that asks for it.
pub const ARGUMENT: &str = "seed";
/// How many rows are written between two lines about the progress.
const PROGRESS_EVERY: u64 = 100_000;

const USAGE: &str = "\
usage: ./dev bench seed [--accounts N] [--events N] [--audit N] [--into FOLDER]
  --accounts N   people, each with a verified address, a workspace with credit, and a key
  --events N     usage events of these people
  --audit N      sign-ins in the audit, besides the events of the people and their usage
  --into FOLDER  a folder that does not exist yet; otherwise a new one in the build folder";

/// Reads the arguments, fills an appliance and prints how to use it.
pub fn run(arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let (seed, into) = read(arguments).map_err(|fault| fail(format!("{fault}\n{USAGE}")))?;
    let folder = match into {
        Some(folder) => new_folder(&folder)?,
        None => tempfile::Builder::new().prefix("seeded-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?.keep(),
    };
    let begun = Instant::now();
    let filled = Fixture::seeded_into(&folder, seed, |what, count| {
        if count.is_multiple_of(PROGRESS_EVERY) {
            eprintln!("bench: {} {what} after {:.0} s", thousands(count as f64), begun.elapsed().as_secs_f64());
        }
    })?;
    let size = fixture::size_mib(&*filled.open()?);
    println!("Filled {} in {:.0} s: {size:.0} MiB.\n", folder.display(), begun.elapsed().as_secs_f64());
    println!("  Serve    {PROGRAM} serve --config {}", filled.config().display());
    println!("  Open     http://{}", filled.address);
    println!("  Sign in  {USERNAME}, or seeded-0, seeded-1 and so on / {PASSWORD}");
    println!("  KEY={}", filled.sample_key);
    println!("  SERVICE={}", filled.service);
    Ok(())
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<(Seed, Option<PathBuf>), String> {
    let (mut seed, mut into) = (Seed::default(), None);
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{option} needs a value."));
        match option.as_str() {
            "--accounts" => seed.accounts = number(&value()?)?,
            "--events" => seed.events = number(&value()?)?,
            "--audit" => seed.audit = number(&value()?)?,
            "--into" => into = Some(value()?.into()),
            // Cargo adds it.
            "--bench" => {}
            other => return Err(format!("\"{other}\" is not an option.")),
        }
    }
    if seed == Seed::default() {
        return Err("Say how much there will be.".into());
    }
    Ok((seed, into))
}

/// A whole number, with or without separators between thousands: `1000000`, `1_000_000`.
fn number(text: &str) -> Result<u64, String> {
    text.replace(['_', ','], "").parse().map_err(|_| format!("\"{text}\" is not a number."))
}

/// Makes the folder. One that exists may hold an appliance that somebody needs.
fn new_folder(folder: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir(folder)
        .map_err(|error| fail(format!("The folder {} cannot be made: {error}.", folder.display())))?;
    Ok(folder.canonicalize()?)
}
