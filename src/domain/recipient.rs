//! Whom an appointment concerns: a role of the appointment, never an address.

use std::fmt;
use std::str::FromStr;

use super::contact::Contact;
use super::language::Language;

/// A role that a person has in an appointment. Part of a notice's key, so its text form is stable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The person the appointment is for.
    Applicant,
    /// One guardian of a minor, told apart by the source's own key.
    Guardian(String),
    /// Someone with a power of attorney.
    Representative,
    /// The interpreter.
    Interpreter,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applicant => f.write_str("applicant"),
            Self::Guardian(key) => write!(f, "guardian:{key}"),
            Self::Representative => f.write_str("representative"),
            Self::Interpreter => f.write_str("interpreter"),
        }
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        match text {
            "applicant" => Ok(Self::Applicant),
            "representative" => Ok(Self::Representative),
            "interpreter" => Ok(Self::Interpreter),
            _ => match text.strip_prefix("guardian:") {
                Some(key) if !key.is_empty() => Ok(Self::Guardian(key.to_owned())),
                _ => Err(UnknownRole(text.to_owned())),
            },
        }
    }
}

/// A word that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a role; roles are applicant, guardian:KEY, representative and interpreter")]
pub struct UnknownRole(pub String);

/// One person of an appointment, with where they can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The role.
    pub role: Role,
    /// Where they can be reached; personal data, printed masked.
    pub contact: Contact,
    /// The language they asked for, if the source knows.
    pub language: Option<Language>,
}
