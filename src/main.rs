//! The program: parses its arguments and calls the command line.

fn main() -> std::process::ExitCode {
    domicile::cli::run(std::env::args_os())
}
