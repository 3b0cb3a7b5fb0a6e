//! The verbs: what a person types, what each one calls, and the exit code it ends with.
//!
//! A verb loads the configuration, calls the rooms below and prints what they say; it decides
//! nothing that they decide. An error is shown once, here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::Config;
use crate::telemetry::{self, Detail, LogFormat};

mod acting;
mod alarm;
mod bubble;
mod call_list;
mod check;
mod closing;
mod commitments;
mod config;
mod correct;
mod db;
mod demo;
mod exit;
mod explain;
mod findings;
mod hold;
mod list;
mod moment;
mod names;
mod out;
mod plan;
mod preview;
mod recover;
mod rehearse;
mod run;
mod send_test;
mod signals;
mod source;
mod status;
mod test;
mod wave;

pub use exit::{Exit, Failure};

const EXITS: &str = "\
Exit codes:
  0   done (check: nothing worse than a warning)
  1   the answer is no: nothing found, somebody still waits, or what you saw has changed
  2   the command line is wrong
  69  something needed is not there: a port is taken, the database is down, a second daemon runs
  75  try again
  78  the configuration, a template, the directory or a mapping is wrong

VARSEL_LOG sets what is logged to standard error, such as VARSEL_LOG=varsel=debug.";

/// Tells people, in time, that their appointment is cancelled or moved
#[derive(Debug, Parser)]
#[command(name = "varsel", version, max_term_width = 100, after_long_help = EXITS)]
#[command(disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    everywhere: Everywhere,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb understands.
#[derive(Clone, Debug, Args)]
struct Everywhere {
    /// The configuration file; without it, the built-in default
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long, global = true)]
    json: bool,
    /// Do it without asking; shown only where something asks
    #[arg(long, global = true, hide = true)]
    yes: bool,
}

/// What reading verbs understand beside that.
#[derive(Clone, Debug, Args)]
struct Reading {
    /// Look as if it were this time: 2021-03-16T14:00, in the agency's zone unless it has an offset
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the daemon
    #[command(after_help = run::HELP)]
    Run,
    /// Show everything at work on this machine; nothing leaves it
    #[command(after_help = demo::HELP)]
    Demo(demo::Options),
    /// Check configuration, directory and templates
    #[command(after_help = check::HELP)]
    Check(Reading),
    /// Show messages as people will read them
    #[command(after_help = preview::HELP)]
    Preview(preview::Options),
    /// Try what the expectations beside the templates say
    #[command(after_help = test::HELP)]
    Test(test::Options),
    /// Send one invented message to yourself through the real gateway
    #[command(after_help = send_test::HELP)]
    SendTest(send_test::Options),
    /// Say who is told, who waits and who must be phoned
    #[command(after_help = status::HELP)]
    Status(Reading),
    /// Say why somebody did, or did not, get a message
    #[command(after_help = explain::HELP)]
    Explain(explain::Options),
    /// Show who would be told what, and until when
    #[command(after_help = plan::HELP)]
    Plan(plan::Options),
    /// Look at a booking system: what it holds, and what would change
    #[command(subcommand, after_help = source::HELP)]
    Source(source::Verb),
    /// List, show, release or discard what the brake holds
    #[command(subcommand, after_help = hold::HELP)]
    Hold(hold::Verb),
    /// Stop a batch that was wrong, and tell those it had reached that their appointment stands
    #[command(after_help = correct::HELP)]
    Correct(correct::Options),
    /// Invite people to book again, as many as the offices can receive
    #[command(subcommand, after_help = wave::HELP)]
    Wave(wave::Verb),
    /// List what people were promised and did not get yet
    #[command(after_help = commitments::HELP)]
    Commitments(commitments::Options),
    /// Announce, list or end the closing of offices
    #[command(subcommand, after_help = closing::HELP)]
    Closing(closing::Verb),
    /// Cancel what a signed list names, whatever the booking system shows
    #[command(subcommand, after_help = list::HELP)]
    List(list::Verb),
    /// Show whom somebody must phone, and tick off who was told
    #[command(after_help = call_list::HELP)]
    CallList(call_list::Options),
    /// List what somebody must be told of, or say that you know
    #[command(subcommand, after_help = alarm::HELP)]
    Alarm(alarm::Verb),
    /// Say why the store is locked, and resolve it
    #[command(after_help = recover::HELP)]
    Recover(recover::Options),
    /// Migrate, verify or copy the store
    #[command(subcommand, after_help = db::HELP)]
    Db(db::Verb),
    /// Print the configuration
    #[command(subcommand)]
    Config(config::Verb),
}

impl Everywhere {
    /// How a person calls this program with the same configuration.
    fn program(&self) -> String {
        match &self.config {
            Some(file) => format!("varsel -c {}", file.display()),
            None => "varsel".to_owned(),
        }
    }

    fn load(&self) -> Result<Config, Failure> {
        Ok(Config::load(self.config.as_deref())?)
    }
}

/// Runs one command line to its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let read = flowing(Cli::command()).try_get_matches_from(arguments);
    let read = read.and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match read {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version come here too; a closed pipe is no reason to fail.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::USAGE));
        }
    };
    out::prepare();
    // A program that reads JSON reads failures too; a daemon's standard output is not read.
    let json = cli.everywhere.json && !matches!(cli.verb, Verb::Run | Verb::Demo(_));
    let performed = perform(cli).and_then(|exit| out::finish().map(|()| exit));
    match performed {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if json {
                out::json(&failure.as_json());
            }
            let exit = failure.exit;
            out::error(failure);
            exit.into()
        }
    }
}

/// The same with help texts that break where the terminal ends, and not where our lines do.
fn flowing(command: Command) -> Command {
    let text = command
        .get_after_help()
        .map(|text| joined(&text.to_string()));
    let command = match text {
        Some(text) => command.after_help(text),
        None => command,
    };
    command.mut_subcommands(flowing)
}

/// The paragraphs of a text, each in one line. What is indented (examples, lists) stays as it is.
fn joined(text: &str) -> String {
    let is_loose = |line: &str| line.is_empty() || line.starts_with(' ');
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if !is_loose(last) && !is_loose(line) => {
                last.push(' ');
                last.push_str(line);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

fn perform(cli: Cli) -> Result<Exit, Failure> {
    let everywhere = &cli.everywhere;
    match cli.verb {
        Verb::Config(verb) => config::perform(everywhere, &verb),
        Verb::Check(reading) => {
            telemetry::start(LogFormat::Text, Detail::Trouble);
            wait_for(check::perform(everywhere, &reading))
        }
        Verb::Preview(options) => preview::perform(everywhere, &options),
        Verb::Test(options) => test::perform(everywhere, &options),
        Verb::Run => {
            let config = everywhere.load()?;
            telemetry::start(config.file.log.format, Detail::Work);
            wait_for(run::perform(everywhere, config))
        }
        Verb::Demo(options) => {
            telemetry::start(LogFormat::Text, Detail::Trouble);
            if everywhere.config.is_some() {
                let help = "leave out -c; `run` takes it";
                let problem = "the demo has a configuration of its own";
                return Err(Failure::new(Exit::Usage, problem, help));
            }
            wait_for(demo::perform(everywhere.json, options))
        }
        Verb::SendTest(options) => {
            telemetry::start(LogFormat::Text, Detail::Trouble);
            wait_for(send_test::perform(everywhere, &options))
        }
        Verb::Status(reading) => wait_for(status::perform(everywhere, &reading)),
        Verb::Explain(options) => wait_for(explain::perform(everywhere, &options)),
        Verb::Plan(options) => wait_for(plan::perform(everywhere, &options)),
        Verb::Source(verb) => wait_for(source::perform(everywhere, &verb)),
        Verb::Hold(verb) => wait_for(hold::perform(everywhere, &verb)),
        Verb::Correct(options) => wait_for(correct::perform(everywhere, &options)),
        Verb::Wave(verb) => wait_for(wave::perform(everywhere, &verb)),
        Verb::Commitments(options) => wait_for(commitments::perform(everywhere, &options)),
        Verb::Closing(verb) => wait_for(closing::perform(everywhere, verb)),
        Verb::List(verb) => wait_for(list::perform(everywhere, &verb)),
        Verb::Alarm(verb) => wait_for(alarm::perform(everywhere, &verb)),
        Verb::CallList(options) => wait_for(call_list::perform(everywhere, &options)),
        Verb::Db(verb) => wait_for(db::perform(everywhere, &verb)),
        Verb::Recover(options) => wait_for(recover::perform(everywhere, &options)),
    }
}

/// Runs a verb that waits for sockets and files.
fn wait_for(verb: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            let help = "the system may have too few threads or file descriptors left";
            Failure::new(Exit::Unavailable, format!("cannot start: {error}"), help)
        })?;
    runtime.block_on(verb)
}
