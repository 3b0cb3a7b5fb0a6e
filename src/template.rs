//! Texts: loaded, compiled and checked once; rendering is pure.
//!
//! It knows the directory and the facts of a notice; it decides nothing about whom to tell or when,
//! and never reads a file while rendering.

use std::path::PathBuf;

use crate::domain::directory::Directory;
use crate::domain::language::Language;
use crate::domain::plan::Telling;
use crate::domain::reference::Reference;
use crate::domain::segments::Segments;

/// The rendered SMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsText {
    /// The text, typography folded.
    pub text: String,
    /// Its size.
    pub segments: Segments,
    /// The sender people see, in the first language.
    pub sender: String,
}

/// The rendered e-mail, before it is built into bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailText {
    /// The sender's display name.
    pub from_name: String,
    /// The sender's address.
    pub from_address: String,
    /// The subject, both languages.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// The languages, in order.
    pub languages: Vec<Language>,
}

/// What is wrong with a template, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {problem}", file.display(), line.map(|l| format!(":{l}")).unwrap_or_default())]
pub struct TemplateFault {
    /// The file.
    pub file: PathBuf,
    /// The line, where it is known.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub problem: String,
    /// A warning does not keep the daemon from starting.
    pub warning: bool,
}

/// Every template of every purpose, compiled.
pub struct Templates {}

/// Why a text could not be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RenderError(pub String);

impl Templates {
    /// The SMS of a notice.
    ///
    /// # Errors
    /// When the directory lacks something the text needs; the checks at start leave none.
    pub fn sms(
        &self,
        telling: &Telling,
        directory: &Directory,
        reference: Reference,
    ) -> Result<SmsText, RenderError> {
        let _ = (telling, directory, reference);
        Err(RenderError("to come".to_owned()))
    }

    /// The e-mail of a notice.
    ///
    /// # Errors
    /// As [`Templates::sms`].
    pub fn email(
        &self,
        telling: &Telling,
        directory: &Directory,
        reference: Reference,
    ) -> Result<EmailText, RenderError> {
        let _ = (telling, directory, reference);
        Err(RenderError("to come".to_owned()))
    }
}
