//! How a verb ends: one list of exit codes, and the failure that carries one.

use std::process::ExitCode;

use miette::MietteDiagnostic;

use crate::config::{ConfigError, DirectoryError};
use crate::sandbox::SandboxError;
use crate::service::start::StartError;
use crate::store::StoreError;

/// The exit codes, after sysexits.h where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The answer is no.
    No,
    /// The command line is wrong.
    Usage,
    /// Something needed is not there (EX_UNAVAILABLE).
    Unavailable,
    /// Try again (EX_TEMPFAIL).
    TryAgain,
    /// Configuration, template, directory or mapping (EX_CONFIG).
    Config,
}

impl Exit {
    /// What clap ends with too.
    pub(super) const USAGE: u8 = 2;

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Usage => Self::USAGE,
            Self::Unavailable => 69,
            Self::TryAgain => 75,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a verb could not do what it was asked, to be shown once.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// What is shown.
    pub report: miette::Report,
}

impl Failure {
    /// A failure that no line of a file shows.
    #[must_use]
    pub fn new(exit: Exit, problem: impl Into<String>, help: impl Into<String>) -> Self {
        let shown = MietteDiagnostic::new(problem).with_help(help);
        Self {
            exit,
            report: shown.into(),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self {
            exit: Exit::Config,
            report: error.into(),
        }
    }
}

impl From<DirectoryError> for Failure {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Unreadable(error) => error.into(),
            DirectoryError::Faults(faults) => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                Self::new(
                    Exit::Config,
                    faults.join("\n"),
                    "`varsel check` lists every fault",
                )
            }
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        StartError::Store(error).into()
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = if error.is_configuration() {
            Exit::Config
        } else {
            Exit::Unavailable
        };
        Self::new(
            exit,
            error.to_string(),
            "nothing was sent, and nothing is lost",
        )
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        Self::new(
            Exit::Unavailable,
            error.to_string(),
            "`varsel demo --listen 127.0.0.1:0` takes any free port",
        )
    }
}
