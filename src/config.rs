//! Reads the configuration, keeps the place of every value, and hands each room its own settings.
//!
//! The embedded config/varsel.toml is the lowest layer, the file of `-c` lies above it. Nothing
//! below `cli` knows this room; it knows the rooms only for the types of their settings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::brake::BrakeLimits;
use crate::domain::directory::ServiceId;
use crate::domain::ladder::Ladder;
use crate::domain::message::Channel;
use crate::domain::plan::{Rule, Rules, RungTime, Windows};
use crate::domain::retry::RetryPolicy;

pub mod directory;
pub mod document;
mod error;
pub mod file;
mod secret;
mod words;

pub use document::{Document, Layer};
pub use error::{ConfigError, did_you_mean};
pub use file::File;
pub use secret::SecretFile;
pub use words::{Allowed, Length, Schedule};

/// The commented default, as `config init` prints it.
pub const DEFAULT: &str = include_str!("../config/varsel.toml");

/// What an error calls the embedded default.
const DEFAULT_NAME: &str = "(embedded default) varsel.toml";

/// No configuration file is longer, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The configuration in force.
#[derive(Debug)]
pub struct Config {
    /// Every key as it is in force, paths resolved; `config show` prints it.
    pub file: File,
    /// The rules of planning.
    pub rules: Rules,
    /// When the brake stops a poll.
    pub brake: BrakeLimits,
    /// How retries are spread.
    pub retry: RetryPolicy,
    document: Document,
}

impl Config {
    /// The embedded default with the file at `path` above it.
    ///
    /// # Errors
    /// Everything that keeps the daemon from starting and can be seen in the file alone.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Self::parse(None, Path::new(""));
        };
        let text = read(path)?;
        let layer = Layer {
            name: path.display().to_string(),
            text,
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(Some(layer), folder)
    }

    /// As [`Config::load`], from a text whose paths are relative to `folder`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(layer: Option<Layer>, folder: &Path) -> Result<Self, ConfigError> {
        let default = Layer {
            name: DEFAULT_NAME.to_owned(),
            text: DEFAULT.to_owned(),
        };
        let layers = std::iter::once(default).chain(layer).collect();
        let (mut file, document) = Document::read::<File>(layers)?;
        check_values(&file, &document)?;
        resolve(&mut file, folder);
        Ok(Self {
            rules: rules(&file),
            brake: BrakeLimits {
                max_changes: file.brake.max_changes,
                max_share: file.brake.max_share,
                min_changes: file.brake.min_changes,
            },
            retry: RetryPolicy {
                base: file.retry.base.0,
                cap: file.retry.cap.0,
            },
            file,
            document,
        })
    }

    /// The effective configuration as one document that `-c` reads back. Secrets stand in it as
    /// names of files.
    #[must_use]
    pub fn show(&self) -> String {
        toml::to_string(&self.file).expect("every value of the file came from TOML")
    }

    /// An error at the value of these keys; see [`Document::error`].
    #[must_use]
    pub fn error(&self, keys: &[&str], problem: impl Into<String>, help: &str) -> ConfigError {
        self.document.error(keys, problem, help)
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |error| ConfigError::unreadable("the configuration", path, &error);
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if MAX_FILE_BYTES < length {
        return Err(ConfigError::new(
            format!("\"{}\" is {length} bytes long", path.display()),
            "a configuration has at most one megabyte: is this the right file?",
        ));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// Paths in the file are relative to it; a secret may also stand among systemd's credentials.
fn resolve(file: &mut File, folder: &Path) {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let resolve = |path: &mut PathBuf| *path = absolute.join(&*path);
    resolve(&mut file.store.path);
    file.agency.directory.iter_mut().for_each(resolve);
    file.agency.templates.iter_mut().for_each(resolve);
    file.source
        .iter_mut()
        .for_each(|source| resolve(&mut source.path));
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    for gateway in file.gateway.values_mut() {
        gateway.ca_file.iter_mut().for_each(resolve);
        for name in gateway
            .password_file
            .iter_mut()
            .chain(&mut gateway.token_file)
        {
            *name = SecretFile::find(name, credentials.as_ref(), &absolute).path;
        }
    }
}

fn rules(file: &File) -> Rules {
    let windows = &file.windows;
    Rules {
        rules: file.rule.iter().map(rule).collect(),
        short_notice: Duration::from_secs(u64::from(file.rules.short_notice_hours) * 3600),
        windows: Windows {
            sms: windows.sms.0,
            email: windows.email.0,
            phone: windows.phone.0,
        },
        quiet_reserve: windows.quiet_reserve.0,
        rung_time: RungTime {
            share: file.ladder.share,
            least: file.ladder.least.0,
            most: file.ladder.most.0,
        },
        second_language: file.agency.second_language.0,
        invitation_within: file.rules.invitation_within.0,
    }
}

fn rule(rule: &file::Rule) -> Rule {
    let channels: Vec<Channel> = rule.ladder.iter().map(|word| word.0).collect();
    Rule {
        services: rule
            .services
            .iter()
            .map(|id| ServiceId(id.clone()))
            .collect(),
        when: rule.when,
        short_notice: rule.short_notice,
        purpose: rule.purpose,
        ladder: Ladder::new(&channels),
        together: rule.together,
        on_unknown: rule.on_unknown,
    }
}

/// What no single value shows: bounds, and values that must fit each other.
fn check_values(file: &File, document: &Document) -> Result<(), ConfigError> {
    let share = |keys: &[&str], value: f64| {
        if 0.0 < value && value <= 1.0 {
            return Ok(());
        }
        let problem = format!("{value} is not a share");
        Err(document.error(
            keys,
            problem,
            "a share is above 0 and at most 1, such as 0.25",
        ))
    };
    share(&["ladder", "share"], file.ladder.share)?;
    share(&["brake", "max_share"], file.brake.max_share)?;
    let ordered = |keys: &[&str], least: Length, most: Length, help: &str| {
        if least <= most && !least.0.is_zero() {
            return Ok(());
        }
        Err(document.error(keys, format!("{least} does not fit {most}"), help))
    };
    let ladder = "ladder.least is above zero and at most ladder.most";
    ordered(
        &["ladder", "least"],
        file.ladder.least,
        file.ladder.most,
        ladder,
    )?;
    let retry = "retry.base is above zero and at most retry.cap";
    ordered(&["retry", "base"], file.retry.base, file.retry.cap, retry)?;
    check_sources(file, document)?;
    check_gateways(file, document)
}

fn check_sources(file: &File, document: &Document) -> Result<(), ConfigError> {
    let mut names = std::collections::BTreeSet::new();
    for (number, source) in file.source.iter().enumerate() {
        let number = number.to_string();
        let keys = ["source", number.as_str(), "name"];
        if source.name.is_empty() || source.name.contains('/') {
            let problem = format!("\"{}\" cannot name a source", source.name);
            return Err(document.error(&keys, problem, "use a short word without \"/\""));
        }
        if !names.insert(&source.name) {
            let problem = format!("two sources are called \"{}\"", source.name);
            return Err(document.error(&keys, problem, "give each source a name of its own"));
        }
        for (word, tag) in &source.languages {
            if let Err(unknown) = tag.parse::<crate::domain::language::Language>() {
                let keys = ["source", number.as_str(), "languages", word];
                return Err(document.error(&keys, unknown.to_string(), ""));
            }
        }
    }
    Ok(())
}

fn check_gateways(file: &File, document: &Document) -> Result<(), ConfigError> {
    let mut channels = std::collections::BTreeMap::new();
    for (name, gateway) in &file.gateway {
        let error = |key: &str, problem: String, help: &str| {
            Err(document.error(&["gateway", name, key], problem, help))
        };
        if gateway.channel == Channel::Phone {
            let help = "write \"sms\" or \"email\"";
            return error(
                "channel",
                "the phone's gateway is a person".to_owned(),
                help,
            );
        }
        if let Some(other) = channels.insert(gateway.channel, name) {
            let problem = format!("\"{other}\" carries {} already", gateway.channel);
            return error(
                "channel",
                problem,
                "one gateway carries a channel: remove one of them",
            );
        }
        let sms = gateway.channel == Channel::Sms;
        if sms && gateway.profile.is_none() {
            let help = "add profile = \"kannel\", or the path of a profile of your own";
            return error("profile", "the key \"profile\" is missing".to_owned(), help);
        }
        if gateway.connections == 0 {
            return error(
                "connections",
                "0 connections carry nothing".to_owned(),
                "use 1 or more",
            );
        }
        if gateway.lease.0 <= gateway.connect_timeout.0 + gateway.send_timeout.0 {
            let problem = format!(
                "a lease of {} ends before its hand-over does",
                gateway.lease
            );
            return error(
                "lease",
                problem,
                "make it longer than connect_timeout + send_timeout",
            );
        }
    }
    Ok(())
}
