//! `config init` and `config show`.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Everywhere, Exit, Failure, out};
use crate::config::DEFAULT;

const INIT_HELP: &str = "\
Examples:
  varsel config init                 print it
  varsel config init varsel.toml     write it to a new file";

const SHOW_HELP: &str = "\
Secrets are shown as the names of their files. What is printed can be read by -c.

Examples:
  varsel config show
  varsel -c /etc/varsel/varsel.toml config show > effective.toml";

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Print the default configuration with what every key means
    #[command(after_help = INIT_HELP)]
    Init(Init),
    /// Print the configuration in force
    #[command(after_help = SHOW_HELP)]
    Show,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// Write it to this new file instead
    file: Option<PathBuf>,
}

pub(super) fn perform(everywhere: &Everywhere, verb: &Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Init(Init { file: None }) => out::text(DEFAULT),
        Verb::Init(Init { file: Some(path) }) => {
            // An existing file is somebody's work.
            let written = File::create_new(path).and_then(|mut f| f.write_all(DEFAULT.as_bytes()));
            written.map_err(|error| {
                let help = "name a new file in an existing folder";
                Failure::new(unwritten(&error), not_written(path, &error), help)
            })?;
            out::line(format_args!("{} is written.", path.display()));
        }
        Verb::Show => {
            let config = everywhere.load()?;
            if everywhere.json {
                let value = serde_json::to_value(&config.file);
                out::json(&value.expect("every value of the file has a JSON form"));
            } else {
                out::text(&config.show());
            }
        }
    }
    Ok(Exit::Done)
}

/// Why a new file was not written.
fn not_written(path: &Path, error: &std::io::Error) -> String {
    let path = path.display();
    match error.kind() {
        ErrorKind::AlreadyExists => format!("\"{path}\" exists already; it is not overwritten"),
        _ => format!("\"{path}\" was not written: {error}"),
    }
}

/// How a verb ends that could not make a new file or folder: naming one that exists is wrong usage.
pub(super) fn unwritten(error: &std::io::Error) -> Exit {
    match error.kind() {
        ErrorKind::AlreadyExists => Exit::Usage,
        _ => Exit::Unavailable,
    }
}
