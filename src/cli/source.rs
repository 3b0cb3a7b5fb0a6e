//! `source`: what a booking system holds, and what would change if the daemon looked now.

mod check;
mod diff;
mod survey;

use clap::{Args, Subcommand};

use super::{Everywhere, Exit, Failure, Reading};

pub(super) const HELP: &str = "\
Both only read: the booking system is never written to, nothing is sent and nothing is recorded.

Examples:
  varsel -c varsel.toml source check
  varsel -c varsel.toml source check oslo --json
  varsel -c varsel.toml source diff oslo --at 2021-03-16T14:00";

/// What to look at.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Say what a booking system holds and whether the mapping understands it
    #[command(after_help = CHECK_HELP)]
    Check(Options),
    /// Say what would change if the daemon looked now
    #[command(after_help = DIFF_HELP)]
    Diff(Options),
}

const CHECK_HELP: &str = "\
Reads the booking system once as the daemon would, and counts: its columns, its words and what they
mean, ids that come twice, the local hours at which bookings start, who cannot be reached, addresses
that may not be one person's own, the difference of the clocks, and what the read costs there.
Contacts are masked. It ends with 78 where a row would not be understood.";

const DIFF_HELP: &str = "\
Compares the booking system with what the daemon knows, and shows each change that people would be
told, without waiting for it to settle. It needs the store of a daemon that has run before.";

/// Which source, and when.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The source; without it, all of them
    name: Option<String>,
    #[command(flatten)]
    reading: Reading,
}

pub(super) async fn perform(everywhere: &Everywhere, verb: &Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Check(options) => check::perform(everywhere, options).await,
        Verb::Diff(options) => diff::perform(everywhere, options).await,
    }
}
