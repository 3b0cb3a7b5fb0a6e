//! How a verb ends: one list of exit codes, and the failure that carries one.

use std::process::ExitCode;

use serde_json::json;

use crate::config::{ConfigError, DirectoryError, Mistakes};
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
    /// What is shown, at least one.
    pub errors: Vec<ConfigError>,
}

impl Failure {
    /// A failure that no line of a file shows.
    #[must_use]
    pub fn new(exit: Exit, problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            exit,
            errors: vec![ConfigError::new(problem, help)],
        }
    }

    /// The same, for a program.
    pub(super) fn as_json(&self) -> serde_json::Value {
        let errors: Vec<_> = self.errors.iter().map(error_json).collect();
        json!({ "errors": errors, "warnings": [] })
    }
}

/// One error, for a program.
pub(super) fn error_json(error: &ConfigError) -> serde_json::Value {
    json!({
        "file": error.file(),
        "line": error.line(),
        "key": error.key(),
        "message": error.problem(),
        "help": error.remedy(),
    })
}

/// How errors of a configuration end a verb: is something wrong, or only something not there?
pub(super) fn exit_of<'a>(errors: impl IntoIterator<Item = &'a ConfigError>) -> Exit {
    let (mut wrong, mut not_there) = (false, false);
    for error in errors {
        not_there |= error.is_not_there();
        wrong |= !error.is_not_there();
    }
    match (wrong, not_there) {
        (true, _) => Exit::Config,
        (false, true) => Exit::Unavailable,
        (false, false) => Exit::Done,
    }
}

/// What SQLite says, as the end of a sentence.
pub(super) fn plainly(text: &str) -> String {
    const DRIVER: &str = "error returned from database: (code: ";
    match text.split_once(DRIVER) {
        Some((before, after)) => match after.split_once(") ") {
            Some((code, said)) => format!("{before}SQLite says \"{said}\" (code {code})"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Self {
        let (errors, _) = mistakes.into_parts();
        Self {
            exit: exit_of(&errors),
            errors,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Mistakes::from(error).into()
    }
}

impl From<DirectoryError> for Failure {
    fn from(error: DirectoryError) -> Self {
        Mistakes::from(error.into_errors()).into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match error {
            StoreError::Unfit(_) => Exit::Config,
            StoreError::Unavailable(_)
            | StoreError::InDoubt(_)
            | StoreError::Taken(_)
            | StoreError::Overtaken(_)
            | StoreError::Corrupt(_) => Exit::Unavailable,
        };
        Self::new(exit, plainly(&error.to_string()), store_remedy(&error))
    }
}

/// What to do about a store that cannot be used.
pub(super) fn store_remedy(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable(_) | StoreError::Corrupt(_) => {
            "look at [store] path, its folder and the disk; a damaged file is replaced by a backup"
        }
        StoreError::InDoubt(_) => "look at the disk, then start it again: it finds out",
        StoreError::Taken(_) | StoreError::Overtaken(_) | StoreError::Unfit(_) => {
            "nothing was sent, and nothing is lost"
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = if error.is_configuration() {
            Exit::Config
        } else {
            Exit::Unavailable
        };
        match error {
            StartError::Store(error) => error.into(),
            error => Self::new(
                exit,
                plainly(&error.to_string()),
                "nothing was sent, and nothing is lost",
            ),
        }
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let exit = match error {
            SandboxError::NotLoopback(_) => Exit::Usage,
            SandboxError::Listen { .. } | SandboxError::Register(_) | SandboxError::Reports(_) => {
                Exit::Unavailable
            }
        };
        let help = "`varsel demo --listen 127.0.0.1:0` takes any free port";
        Self::new(exit, plainly(&error.to_string()), help)
    }
}
