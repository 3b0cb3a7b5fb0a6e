//! How the tables of the file, the directory and each other fit: nothing is opened here.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::config::file::{Gateway, Mode, Source};
use crate::config::{Config, ConfigError, did_you_mean};
use crate::domain::directory::{Directory, Service};
use crate::domain::message::Channel;
use crate::domain::plan::{Rules, When};

/// What does not fit the directory.
pub(super) fn with_directory(config: &Config, directory: &Directory) -> Vec<Finding> {
    let mut findings = rule_findings(config, directory);
    findings.extend(word_findings(config, directory));
    sound(config, findings)
}

/// What does not fit among the tables.
pub(super) fn of_tables(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<Finding> = watching(config).into_iter().collect();
    findings.extend(unserved(config));
    findings.extend(trials(config));
    findings.extend(idle_gateways(config));
    findings.extend(invented(config));
    findings.extend(open_ways(config));
    sound(config, findings)
}

/// Without what only follows from a mistake that is told already.
fn sound(config: &Config, mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| {
        finding
            .error
            .key()
            .is_none_or(|key| config.is_sound(&[key]))
    });
    findings
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
        return Some(Finding::warning(config.error(&["rule"], problem, &help)));
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

/// Words of a source that lead to nothing in the directory.
fn word_findings(config: &Config, directory: &Directory) -> Vec<Finding> {
    let services: Vec<&str> = directory.services.keys().map(|id| id.0.as_str()).collect();
    let offices: Vec<&str> = directory.offices.keys().map(|id| id.0.as_str()).collect();
    let mut findings = Vec::new();
    for (number, source) in config.file.source.iter().enumerate() {
        let number = number.to_string();
        for (key, words, known) in words_of(source, &services, &offices) {
            for (word, id) in words.iter().filter(|(_, id)| !known.contains(&id.as_str())) {
                let keys = ["source", &number, key, word];
                let problem = format!("\"{id}\" is not among the directory's {key}");
                let error = config.error(&keys, problem, &did_you_mean(id, known));
                findings.push(error.into());
            }
        }
    }
    findings
}

type Words<'a> = (&'static str, &'a BTreeMap<String, String>, &'a [&'a str]);

fn words_of<'a>(source: &'a Source, services: &'a [&str], offices: &'a [&str]) -> [Words<'a>; 2] {
    [
        ("services", &source.services, services),
        ("offices", &source.offices, offices),
    ]
}

fn watching(config: &Config) -> Option<Finding> {
    let nothing = config.file.source.is_empty() && config.is_sound(&["source"]);
    nothing.then(|| {
        let problem = "no booking system is configured: nothing would be watched";
        let help = "add a [[source]]; `varsel config init` shows one";
        ConfigError::new(problem, help).of("source").into()
    })
}

/// A rung without a gateway would let its messages lie until it is too late.
fn unserved(config: &Config) -> Vec<Finding> {
    let gateways = &config.file.gateway;
    let known = |name: &String| config.is_sound(&["gateway", name, "channel"]);
    if !gateways.keys().all(known) {
        return Vec::new();
    }
    let rules = config.rules().rules;
    let rungs = rules.iter().flat_map(|rule| rule.ladder.channels());
    let used: BTreeSet<Channel> = rungs.copied().collect();
    let served = gateways.values().map(|gateway| gateway.channel);
    let served: BTreeSet<Channel> = served.chain([Channel::Phone]).collect();
    let unserved = used.difference(&served).map(|channel| {
        let problem = format!("rules write by {channel}, and no gateway carries it");
        let help = format!(
            "add a [gateway.NAME] with channel = \"{channel}\", or take {channel} out of the ladders"
        );
        ConfigError::new(problem, help).into()
    });
    unserved.collect()
}

/// The directory that ships is an example: nobody may be told to call its telephone numbers.
fn invented(config: &Config) -> Vec<Finding> {
    let gateways = &config.file.gateway;
    let own = config.file.agency.directory.is_some();
    if own || gateways.is_empty() || !config.is_sound(&["agency", "directory"]) {
        return Vec::new();
    }
    let help = "describe your own offices in a file such as config/offices.toml, and name it: \
                [agency] directory = \"offices.toml\"";
    let live = gateways
        .iter()
        .filter(|(_, gateway)| gateway.mode == Mode::Live);
    let errors: Vec<Finding> = live
        .map(|(name, _)| {
            let problem = format!(
                "gateway \"{name}\" is live, and people would be told the offices and telephone \
                 numbers of an invented directory"
            );
            config
                .error(&["gateway", name, "mode"], problem, help)
                .into()
        })
        .collect();
    if !errors.is_empty() {
        return errors;
    }
    let problem = "offices, services and telephone numbers are those of an invented directory";
    let error = ConfigError::new(problem, help).of("agency.directory");
    vec![Finding::warning(error)]
}

/// Plain HTTP beyond this machine and private networks.
fn open_ways(config: &Config) -> Vec<Finding> {
    let ways = config.open_ways();
    ways.map(|(name, way)| {
        let host = way.host;
        let problem = format!("whoever is on the way to \"{host}\" can read numbers and texts");
        let keys = ["gateway", name, "url"];
        if way.public {
            let help = "use https://; http:// is for this machine and private networks only";
            config.error(&keys, problem, help).into()
        } else {
            let help = "use https://, unless this name leads nowhere but into a private network";
            Finding::warning(config.error(&keys, problem, help))
        }
    })
    .collect()
}

/// A gateway stands in only for one that lets out the same people.
fn idle_gateways(config: &Config) -> Vec<Finding> {
    let mut gateways: Vec<_> = config.file.gateway.iter().collect();
    gateways.sort_by_key(|(_, gateway)| (gateway.channel, gateway.place()));
    let mut findings = Vec::new();
    let mut first = None;
    for (name, gateway) in gateways {
        let (first_name, first) = match first {
            Some((first_name, first)) if same_channel(first, gateway) => (first_name, first),
            _ => *first.insert((name, gateway)),
        };
        if (first.mode, &first.trial_allow) != (gateway.mode, &gateway.trial_allow) {
            let problem = format!(
                "gateway \"{name}\" never stands in for \"{first_name}\": they let out other people"
            );
            let help = "give both the same mode and the same trial_allow";
            let error = config.error(&["gateway", name, "mode"], problem, help);
            findings.push(Finding::warning(error));
        }
    }
    findings
}

fn same_channel(one: &Gateway, other: &Gateway) -> bool {
    one.channel == other.channel
}

fn trials(config: &Config) -> Vec<Finding> {
    let gateways = config.file.gateway.iter();
    let trials = gateways.filter(|(_, gateway)| gateway.mode == Mode::Trial);
    trials
        .map(|(name, gateway)| {
            let problem = match gateway.trial_allow.len() {
                0 => format!("gateway \"{name}\" is on trial and writes to nobody"),
                allowed => format!(
                    "gateway \"{name}\" is on trial and writes only to trial_allow ({allowed})"
                ),
            };
            let help = "set mode = \"live\" when people shall be told";
            Finding::warning(config.error(&["gateway", name, "mode"], problem, help))
        })
        .collect()
}
