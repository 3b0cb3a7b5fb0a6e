//! Who acts, why, and under which name an act is done once: what every verb gives with an act.

use chrono::{DateTime, Utc};
use clap::Args;

use super::{Exit, Failure};
use crate::store::{Act, ActError, Deed};

/// What every acting verb is told beside the deed.
#[derive(Clone, Debug, Args)]
pub(super) struct Acting {
    /// Why, in your own words; it is kept in the history
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) person: Person,
}

/// Who acts.
#[derive(Clone, Debug, Args)]
pub(super) struct Person {
    /// Who acts; without it, the user of this session
    #[arg(long, visible_alias = "by", value_name = "NAME")]
    actor: Option<String>,
    /// Do it once under this key, however often the command is repeated
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// Where the name of the session's user stands; the one who became root first.
const USER_VARIABLES: [&str; 3] = ["SUDO_USER", "USER", "LOGNAME"];
/// No name, reason or key is longer, in characters.
const MOST_CHARACTERS: usize = 500;

impl Acting {
    /// The act. `key` is its name where the person gives none.
    pub(super) fn act(&self, deed: Deed, key: String, at: DateTime<Utc>) -> Result<Act, Failure> {
        self.person.act(&self.reason, deed, key, at)
    }
}

impl Person {
    /// The act, for `reason`.
    pub(super) fn act(
        &self,
        reason: &str,
        deed: Deed,
        key: String,
        at: DateTime<Utc>,
    ) -> Result<Act, Failure> {
        Ok(Act {
            actor: self.name()?,
            reason: said("--reason", reason)?,
            idempotency_key: match &self.key {
                Some(key) => said("--key", key)?,
                None => key,
            },
            at,
            deed,
        })
    }

    /// The person's name.
    pub(super) fn name(&self) -> Result<String, Failure> {
        let help = "say who acts with --actor NAME; it is kept in the history";
        let missing = || Failure::new(Exit::Usage, "nobody knows who acts", help);
        let name = self
            .actor
            .clone()
            .or_else(session_user)
            .ok_or_else(missing)?;
        said("--actor", &name)
    }
}

/// The user of this session, if it says so.
pub(super) fn session_user() -> Option<String> {
    let mut names = USER_VARIABLES.iter().filter_map(|v| std::env::var(v).ok());
    names.find(|name| !name.trim().is_empty())
}

/// A text that a person gave: not empty, on one line, and not endless.
pub(super) fn said(option: &str, text: &str) -> Result<String, Failure> {
    let text = text.trim();
    let problem = if text.is_empty() {
        "is empty"
    } else if text.chars().any(char::is_control) {
        "holds a line break or another control character"
    } else if text.chars().count() > MOST_CHARACTERS {
        "is longer than 500 characters"
    } else {
        return Ok(text.to_owned());
    };
    let help = "a few words on one line";
    Err(Failure::new(
        Exit::Usage,
        format!("{option} {problem}"),
        help,
    ))
}

/// A key that no other act has.
pub(super) fn fresh_key(verb: &str) -> String {
    format!("{verb}-{:032x}", rand::random::<u128>())
}

impl From<ActError> for Failure {
    fn from(error: ActError) -> Self {
        let help = match &error {
            ActError::Changed { .. } => "look at it anew: varsel hold show",
            ActError::NotHeld(_) | ActError::NoHold(_) | ActError::NoBatch(_) => {
                "`varsel hold list` shows what is held"
            }
            ActError::WaveChanged(_) => "look at it anew: varsel wave plan",
            ActError::StillHeld(_) => "throw it away instead: varsel hold discard",
            ActError::NoList(_) => "`varsel list list` shows those that stand",
            ActError::NoAlarm(_) => "`varsel alarm list` shows those that stand",
            ActError::NoClosing(_) => "`varsel closing list` shows those that stand",
            ActError::NotOnCallList(_) => "`varsel call-list` shows who is",
            ActError::NotLocked => "there is nothing to recover",
            ActError::Moved => "name the configuration of that database with -c",
            ActError::Store(_) => "",
        };
        match error {
            ActError::Store(error) => error.into(),
            refused => Self::new(Exit::No, refused.to_string(), help),
        }
    }
}
