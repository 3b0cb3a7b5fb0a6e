//! What is wrong with a configuration as a whole: the file, the directory, the templates, and how
//! they fit together. Nothing is connected, sent or read from a secret.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::config::file::{Mode, Source};
use crate::config::{Config, ConfigError, DirectoryError, did_you_mean};
use crate::domain::directory::{Directory, Service};
use crate::domain::language::{Language, LanguagePair};
use crate::domain::message::Channel;
use crate::domain::plan::{Rules, When};
use crate::template::{TemplateFault, Templates};

/// One thing that is wrong, or that somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// It does not keep the daemon from starting.
    pub(super) warning: bool,
    /// File and line.
    pub(super) place: Option<String>,
    /// What is wrong.
    pub(super) problem: String,
    /// What to do.
    pub(super) remedy: Option<String>,
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

/// Looks at everything that can be seen without a network.
pub(super) fn look(config: &Config) -> Looked {
    let mut findings = Vec::new();
    let directory = match config.directory() {
        Ok(directory) => Some(directory),
        Err(error) => {
            findings.extend(directory_findings(error));
            None
        }
    };
    let templates = match Templates::load(config.file.agency.templates.as_deref()) {
        Ok(templates) => Some(templates),
        Err(faults) => {
            findings.extend(faults.into_iter().map(Finding::from));
            None
        }
    };
    if let (Some(directory), Some(templates)) = (&directory, &templates) {
        let faults = templates.check(directory, languages(config));
        findings.extend(faults.into_iter().map(Finding::from));
    }
    if let Some(directory) = &directory {
        findings.extend(rule_findings(config, directory));
        findings.extend(source_findings(config, directory));
    }
    findings.extend(watching(config));
    findings.extend(gateway_findings(config));
    findings.extend(config.channel_faults().into_iter().map(Finding::from));
    findings.extend(secret_findings(config));
    findings.sort_by_key(|finding| finding.warning);
    Looked {
        directory,
        templates,
        findings,
    }
}

/// The languages every text must exist in: the offices' usual one and the second one.
fn languages(config: &Config) -> LanguagePair {
    LanguagePair {
        first: Language::Nb,
        second: config.rules().second_language,
    }
}

impl From<ConfigError> for Finding {
    fn from(error: ConfigError) -> Self {
        Self {
            warning: false,
            place: error.place().map(|(file, line)| format!("{file}:{line}")),
            problem: error.problem().to_owned(),
            remedy: error.remedy().map(str::to_owned),
        }
    }
}

impl From<TemplateFault> for Finding {
    fn from(fault: TemplateFault) -> Self {
        let line = fault
            .line
            .map(|line| format!(":{line}"))
            .unwrap_or_default();
        Self {
            warning: fault.warning,
            place: Some(format!("{}{line}", fault.file.display())),
            problem: fault.problem,
            remedy: None,
        }
    }
}

impl Finding {
    fn warning(mut self) -> Self {
        self.warning = true;
        self
    }
}

fn directory_findings(error: DirectoryError) -> Vec<Finding> {
    match error {
        DirectoryError::Unreadable(error) => vec![error.into()],
        DirectoryError::Faults(faults) => faults
            .into_iter()
            .map(|fault| Finding {
                warning: false,
                place: Some(format!("{}:{}", fault.file.display(), fault.line)),
                problem: format!("{}: {}", fault.key, fault.problem),
                remedy: None,
            })
            .collect(),
    }
}

/// Every service must be spoken of whatever changes, and every word of a rule must mean something.
fn rule_findings(config: &Config, directory: &Directory) -> Vec<Finding> {
    let known: Vec<&str> = directory.services.keys().map(|id| id.0.as_str()).collect();
    let mut findings = Vec::new();
    for (number, rule) in config.file.rule.iter().enumerate() {
        let unknown = rule
            .services
            .iter()
            .find(|id| !known.contains(&id.as_str()));
        if let Some(service) = unknown {
            let keys = ["rule", &number.to_string(), "services"];
            let problem = format!("service \"{service}\" is not in the directory");
            let error = config.error(&keys, problem, &did_you_mean(service, &known));
            findings.push(error.into());
        }
    }
    findings.extend(
        When::ALL
            .iter()
            .filter_map(|when| unspoken(config, directory, *when)),
    );
    findings
}

/// The services that no rule speaks of when this changes. Without an invitation people still get
/// the cancellation, so that is a warning.
fn unspoken(config: &Config, directory: &Directory, when: When) -> Option<Finding> {
    let rules = config.rules();
    let concerned = |service: &&Service| {
        when != When::Digital || service.digital.is_some() && service.kind.may_be_digital()
    };
    let services = directory.services.values().filter(concerned);
    let unspoken: Vec<&str> = services
        .filter(|service| !speaks(&rules, service, when))
        .map(|service| service.id.0.as_str())
        .collect();
    if unspoken.is_empty() {
        return None;
    }
    let names = unspoken.join(", ");
    let help = format!("add a [[rule]] with when = \"{when}\"");
    if when == When::Digital {
        let problem = format!("no rule invites people to submit online, as they could: {names}");
        return Some(Finding::from(config.error(&["rule"], problem, &help)).warning());
    }
    let problem = format!("nobody would be told, for no rule speaks of this when {when}: {names}");
    Some(config.error(&["rule"], problem, &help).into())
}

fn speaks(rules: &Rules, service: &Service, when: When) -> bool {
    let here = |short: bool| {
        rules.rules.iter().any(|rule| {
            rule.when == when
                && (rule.services.is_empty() || rule.services.contains(&service.id))
                && rule.short_notice.is_none_or(|only| only == short)
        })
    };
    match when {
        When::Digital => here(true),
        When::Cancelled | When::Moved | When::Reinstated => here(true) && here(false),
    }
}

fn source_findings(config: &Config, directory: &Directory) -> Vec<Finding> {
    let services: Vec<&str> = directory.services.keys().map(|id| id.0.as_str()).collect();
    let offices: Vec<&str> = directory.offices.keys().map(|id| id.0.as_str()).collect();
    let mut findings = Vec::new();
    for (number, source) in config.file.source.iter().enumerate() {
        let number = number.to_string();
        let words = [
            ("services", &source.services, &services),
            ("offices", &source.offices, &offices),
        ];
        for (key, words, known) in words {
            for (word, id) in words.iter().filter(|(_, id)| !known.contains(&id.as_str())) {
                let keys = ["source", &number, key, word];
                let problem = format!("\"{id}\" is not among the directory's {key}");
                findings.push(
                    config
                        .error(&keys, problem, &did_you_mean(id, known))
                        .into(),
                );
            }
        }
        findings.extend(unreachable_source(config, &number, source));
    }
    findings
}

fn unreachable_source(config: &Config, number: &str, source: &Source) -> Option<Finding> {
    let missing = !source.path.exists();
    missing.then(|| {
        let problem = format!("\"{}\" is not there", source.path.display());
        let help = "the daemon will not start before this database can be read";
        let error = config.error(&["source", number, "path"], problem, help);
        Finding::from(error).warning()
    })
}

fn watching(config: &Config) -> Option<Finding> {
    config.file.source.is_empty().then(|| {
        let help = "add a [[source]]; `varsel config init` shows one";
        ConfigError::new(
            "no booking system is configured: nothing would be watched",
            help,
        )
        .into()
    })
}

/// A rung without a gateway would let its messages lie until it is too late.
fn gateway_findings(config: &Config) -> Vec<Finding> {
    let file = &config.file;
    let used: BTreeSet<Channel> = config
        .rules()
        .rules
        .iter()
        .flat_map(|rule| rule.ladder.channels().to_vec())
        .filter(|channel| *channel != Channel::Phone)
        .collect();
    let served: BTreeSet<Channel> = file.gateway.values().map(|g| g.channel).collect();
    let mut findings = Vec::new();
    for channel in used.difference(&served) {
        let problem = format!("rules write by {channel}, and no gateway carries it");
        let help = format!(
            "add a [gateway.NAME] with channel = \"{channel}\", or take {channel} out of the ladders"
        );
        findings.push(ConfigError::new(problem, help).into());
    }
    for (name, gateway) in &file.gateway {
        if gateway.mode == Mode::Trial {
            let allowed = gateway.trial_allow.len();
            let problem = match allowed {
                0 => format!("gateway \"{name}\" is on trial and writes to nobody"),
                _ => format!(
                    "gateway \"{name}\" is on trial and writes only to trial_allow ({allowed})"
                ),
            };
            let help = "set mode = \"live\" when people shall be told";
            let error = config.error(&["gateway", name, "mode"], problem, help);
            findings.push(Finding::from(error).warning());
        }
    }
    findings
}

/// Secrets are looked for, not read: a check may run where they are not.
fn secret_findings(config: &Config) -> Vec<Finding> {
    let missing = |path: &Path| {
        let problem = format!("the secret file \"{}\" is not there", path.display());
        ConfigError::new(problem, "the daemon will not start before it can be read")
    };
    let secrets = config.secrets().into_iter();
    secrets
        .filter_map(|secret| match secret.exposure() {
            Some(exposed) => Some(ConfigError::new(exposed, "")),
            None => (!secret.path.exists()).then(|| missing(&secret.path)),
        })
        .map(|error| Finding::from(error).warning())
        .collect()
}
