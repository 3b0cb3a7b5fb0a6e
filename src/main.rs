//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    varsel::cli::main(std::env::args_os())
}
