//! What is wrong with a configuration as a whole: the file, the directory, the templates, how they
//! fit together (`fit`), and whether what they name is there (`needs`). Nothing is sent.

use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, Severity, SourceCode};

use super::Exit;
use super::exit::exit_of;
use crate::config::{Config, ConfigError, DirectoryError};
use crate::domain::directory::Directory;
use crate::sabotage;
use crate::template::{TemplateFault, Templates};

mod fit;
mod needs;

/// One thing that is wrong, or that somebody should know.
#[derive(Debug)]
pub(super) struct Finding {
    /// It does not keep the daemon from starting.
    pub(super) warning: bool,
    /// What, where, and what to do.
    pub(super) error: ConfigError,
}

impl Finding {
    fn warning(error: ConfigError) -> Self {
        Self {
            warning: true,
            error,
        }
    }
}

impl From<ConfigError> for Finding {
    fn from(error: ConfigError) -> Self {
        Self {
            warning: false,
            error,
        }
    }
}

impl From<TemplateFault> for Finding {
    fn from(fault: TemplateFault) -> Self {
        let error = ConfigError::new(fault.problem, fault.remedy.unwrap_or_default());
        let line = fault.place.map(|place| place.line);
        let column = fault.place.and_then(|place| place.column);
        Self {
            warning: fault.warning,
            error: error.in_file(&fault.file, line).at_column(column),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Finding {}

impl Diagnostic for Finding {
    fn severity(&self) -> Option<Severity> {
        self.warning.then_some(Severity::Warning)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.error.help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.error.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.error.labels()
    }
}

/// Directory and templates of a configuration, as far as they are good.
pub(super) struct Texts {
    /// The directory, if it can be read.
    pub(super) directory: Option<Arc<Directory>>,
    /// The templates, if they compile.
    pub(super) templates: Option<Templates>,
    /// What is wrong with them.
    pub(super) findings: Vec<Finding>,
}

/// Looks at directory and templates.
pub(super) fn texts(config: &Config) -> Texts {
    let mut findings = Vec::new();
    let directory = config.directory().map_err(|error| match error {
        DirectoryError::Unreadable(error) => findings.push(named_at(config, "directory", &error)),
        faults => findings.extend(faults.into_errors().into_iter().map(Finding::from)),
    });
    let templates = templates(config).map_err(|found| findings.extend(found));
    // What the file means to name is not known where it is mistaken.
    let named = |key| config.is_sound(&["agency", key]);
    let directory = directory.ok().filter(|_| named("directory"));
    let templates = templates.ok().filter(|_| named("templates"));
    if let (Some(directory), Some(templates), false) =
        (&directory, &templates, sabotage::trusts_texts())
    {
        let faults = templates.check_pairs(directory, config.rules().second_language);
        // What the shipped texts make of the shipped example is nobody's to mend.
        let agency = &config.file.agency;
        let own = agency.directory.is_some() || agency.templates.is_some();
        let told = faults.into_iter().filter(|fault| own || !fault.warning);
        findings.extend(told.map(Finding::from));
    }
    Texts {
        directory,
        templates,
        findings,
    }
}

fn templates(config: &Config) -> Result<Templates, Vec<Finding>> {
    let folder = config.file.agency.templates.as_deref();
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let problem = format!("there is no folder \"{}\"", folder.display());
        let help = "name the folder of your templates (relative to this file), or remove the key: \
                    those that ship with the program are used then";
        let error = ConfigError::new(problem, help);
        return Err(vec![named_at(config, "templates", &error)]);
    }
    let faults = |faults: Vec<TemplateFault>| faults.into_iter().map(Finding::from).collect();
    Templates::load(folder).map_err(faults)
}

/// What is wrong with a file or folder, at the key of `[agency]` that names it.
fn named_at(config: &Config, key: &str, error: &ConfigError) -> Finding {
    let help = error.remedy().unwrap_or_default();
    config.error(&["agency", key], error.problem(), help).into()
}

/// A configuration that was looked at.
pub(super) struct Looked {
    /// The directory, if it can be read.
    pub(super) directory: Option<Arc<Directory>>,
    /// The templates, if they compile.
    pub(super) templates: Option<Templates>,
    /// Errors first.
    pub(super) findings: Vec<Finding>,
}

impl Looked {
    /// What keeps the daemon from starting.
    pub(super) fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !finding.warning)
    }

    /// What does not.
    pub(super) fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.warning)
    }

    /// How a verb ends that found this.
    pub(super) fn exit(&self) -> Exit {
        exit_of(self.errors().map(|finding| &finding.error))
    }
}

/// Looks at everything that `run` would refuse: sources are opened and secrets are read. The file
/// may have `mistakes`; `config` is then what could be read beside them.
pub(super) async fn look(config: Option<&Config>, mistakes: Vec<ConfigError>) -> Looked {
    let mut looked = Looked {
        directory: None,
        templates: None,
        findings: mistakes.into_iter().map(Finding::from).collect(),
    };
    if let Some(config) = config {
        let texts = texts(config);
        let mut found = texts.findings;
        if let Some(directory) = &texts.directory {
            found.extend(fit::with_directory(config, directory));
        }
        found.extend(fit::of_tables(config));
        let known: Vec<&Finding> = looked.findings.iter().chain(&found).collect();
        let needs = needs::of(config, texts.directory.as_ref(), &known).await;
        looked.findings.extend(found);
        looked.findings.extend(needs);
        looked.directory = texts.directory;
        looked.templates = texts.templates;
    }
    looked.findings.sort_by_key(|finding| finding.warning);
    looked
}
