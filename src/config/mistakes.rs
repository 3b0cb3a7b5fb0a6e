//! Everything that is wrong with a configuration, and as much of it as could be read all the same.

use std::fmt;

use super::Config;
use super::error::ConfigError;

/// Every mistake that could be found, at least one.
#[derive(Debug)]
pub struct Mistakes {
    errors: Vec<ConfigError>,
    config: Option<Box<Config>>,
}

impl Mistakes {
    pub(super) fn new(errors: Vec<ConfigError>, config: Option<Config>) -> Self {
        Self {
            errors,
            config: config.map(Box::new),
        }
    }

    /// Each of them, in the order of the file.
    #[must_use]
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }

    /// The mistakes, and what could be read beside them. It is good for looking further only: where
    /// the file is mistaken it holds a default or a stand-in ([`Config::is_sound`]).
    #[must_use]
    pub fn into_parts(self) -> (Vec<ConfigError>, Option<Config>) {
        (self.errors, self.config.map(|config| *config))
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.errors.iter().enumerate() {
            let line_end = if number == 0 { "" } else { "\n" };
            write!(f, "{line_end}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl From<ConfigError> for Mistakes {
    fn from(error: ConfigError) -> Self {
        Self::new(vec![error], None)
    }
}

impl From<Vec<ConfigError>> for Mistakes {
    fn from(errors: Vec<ConfigError>) -> Self {
        Self::new(errors, None)
    }
}
