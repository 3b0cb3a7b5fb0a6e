//! Reads the configuration, keeps the place of every value, and hands each room its own settings.
//!
//! The embedded config/varsel.toml is the lowest layer, the file of `-c` lies above it. Nothing
//! below `cli` knows this room; it knows the rooms only for the types of their settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::ExposeSecret;

use crate::channel::sms::OpenWay;
use crate::clock::Clock;
use crate::domain::brake::BrakeLimits;
use crate::domain::directory::{Directory, ServiceId};
use crate::domain::ladder::Ladder;
use crate::domain::message::Channel;
use crate::domain::plan::{Rule, Rules, RungTime, Windows};
use crate::domain::retry::RetryPolicy;
use crate::inbound::lmtp;
use crate::service::schedule::Schedule;
use crate::service::settings::{GatewaySettings, HttpSettings, Settings};
use crate::service::upkeep::Retention;
use crate::source::Settings as SourceSettings;
use crate::store::{Place, postgres};

mod alarm;
mod check;
pub mod directory;
pub mod document;
mod error;
pub mod file;
mod gateway;
mod list_key;
mod mistakes;
mod profile;
mod secret;
mod source;
mod words;

pub use document::{Document, Layer};
pub use error::{ConfigError, did_you_mean, nearest};
pub use file::File;
pub use list_key::ListKey;
pub use mistakes::Mistakes;
pub use secret::SecretFile;
use words::LmtpPlace;

/// The commented default, as `config init` prints it.
pub const DEFAULT: &str = include_str!("../config/varsel.toml");

/// What an error calls the embedded default.
const DEFAULT_NAME: &str = "(embedded default) varsel.toml";

/// What to do about a path given on the command line.
const GIVEN: &str = "check the path after -c and its permissions; `varsel config init FILE` writes a \
                     file to start from";

/// What to do about a path that the configuration names.
const NAMED: &str =
    "check the path (relative to the configuration file that names it) and its permissions";

/// No configuration file is longer, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The configuration in force.
#[derive(Debug)]
pub struct Config {
    /// Every key as it is in force, paths resolved; `config show` prints it.
    pub file: File,
    document: Document,
}

impl Config {
    /// The embedded default with the file at `path` above it.
    ///
    /// # Errors
    /// Everything that keeps the daemon from starting and can be seen in the file alone.
    pub fn load(path: Option<&Path>) -> Result<Self, Mistakes> {
        let Some(path) = path else {
            return Self::parse(None, Path::new(""));
        };
        let text = read("the configuration", path, GIVEN)?;
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
    pub fn parse(layer: Option<Layer>, folder: &Path) -> Result<Self, Mistakes> {
        let default = Layer {
            name: DEFAULT_NAME.to_owned(),
            text: DEFAULT.to_owned(),
        };
        let (below, missing) = match &layer {
            Some(layer) => profile::of_sources(&layer.text, folder),
            None => (Vec::new(), Vec::new()),
        };
        let layers = std::iter::once(default).chain(layer).collect();
        let mut read = Document::read::<File>(layers, below, file::STAND_INS)?;
        resolve(&mut read.value, folder);
        let config = Self {
            file: read.value,
            document: read.document,
        };
        let missing = missing.into_iter().map(|(number, error)| {
            let keys = ["source", &number.to_string(), "profile"];
            config.error(&keys, error.problem(), error.remedy().unwrap_or_default())
        });
        let mut errors = read.mistakes;
        errors.extend(missing);
        errors.extend(check::values(&config.file, &config.document));
        errors.extend(config.gateways().flat_map(|entry| entry.check()));
        errors.extend(config.report_faults());
        if errors.is_empty() {
            return Ok(config);
        }
        errors.sort_by_key(|error| (error.file().map(str::to_owned), error.line()));
        Err(Mistakes::new(errors, Some(config)))
    }

    /// The settings of the service, with the secrets read from their files.
    ///
    /// # Errors
    /// Every secret that cannot be read.
    pub fn service(&self, clock: Clock) -> Result<Settings, Mistakes> {
        let file = &self.file;
        let (mut gateways, mut errors) = (Vec::new(), Vec::new());
        for gateway in self.gateway_settings() {
            match gateway {
                Ok(gateway) => gateways.push(gateway),
                Err(faults) => errors.extend(faults),
            }
        }
        let mut sources = Vec::new();
        for source in self.source_settings() {
            match source {
                Ok(source) => sources.push(source),
                Err(fault) => errors.push(fault),
            }
        }
        if !errors.is_empty() {
            return Err(Mistakes::new(errors, None));
        }
        Ok(Settings {
            node: file.node.name.clone(),
            clock,
            store: self.store()?,
            journal: self.journal(),
            http: self.http(),
            lmtp: file.inbound.lmtp.as_ref().map(|place| place.0.clone()),
            sources,
            gateways,
            rules: self.rules(),
            brake: self.brake(),
            canary_wait: file.brake.canary_wait.0,
            retry: RetryPolicy {
                base: file.retry.base.0,
                cap: file.retry.cap.0,
            },
            quarantine_margin: file.upkeep.quarantine_margin.0,
            retention: Retention {
                schedule: Schedule::new(&file.upkeep.erase.0, file.agency.zone.0)
                    .expect("the expression was read by the same parser"),
                keep: TimeDelta::days(file.upkeep.retention_days.into()),
            },
            look_again: file.upkeep.every.0,
            alarm_recipients: alarm::recipients(file),
            alarm_pace: alarm::pace(file),
            beat: alarm::beat(file),
            drain_limit: file.drain.limit.0,
        })
    }

    /// The keys that may sign lists.
    #[must_use]
    pub fn list_keys(&self) -> Vec<ListKey> {
        let keys = self.file.list_key.iter();
        keys.filter_map(|key| {
            Some(ListKey {
                name: key.name.clone(),
                key: list_key::read(&key.public_key)?,
            })
        })
        .collect()
    }

    /// Where the store is, with its password read from its file.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub fn store(&self) -> Result<Place, ConfigError> {
        let store = &self.file.store;
        let address = store.url.as_deref().map(postgres::Address::parse);
        let Some(Ok(address)) = address else {
            return Ok(Place::Sqlite(store.path.clone()));
        };
        let Some(path) = store.password_file.clone() else {
            return Ok(Place::Postgres(Box::new(address)));
        };
        let password = SecretFile { path }.read()?;
        let address = address.with_password(password.expose_secret());
        Ok(Place::Postgres(Box::new(address)))
    }

    /// Where the newest attempts are remembered outside the store.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        let store = &self.file.store;
        if let Some(path) = &store.journal {
            return path.clone();
        }
        if store.url.is_none() {
            let mut name = store.path.as_os_str().to_owned();
            name.push(".attempts");
            return name.into();
        }
        // systemd gives one folder, unless the unit names several; the first is ours.
        let state = std::env::var("STATE_DIRECTORY").unwrap_or_default();
        match state.split(':').next().filter(|folder| !folder.is_empty()) {
            Some(folder) => Path::new(folder).join("varsel.attempts"),
            None => store.path.with_file_name("varsel.attempts"),
        }
    }

    /// The settings of the HTTP server.
    #[must_use]
    pub fn http(&self) -> HttpSettings {
        let http = &self.file.http;
        HttpSettings {
            listen: http.listen,
            public_url: http.public_url.clone(),
            max_connections: http.max_connections,
            read_timeout: http.read_timeout.0,
            max_body_bytes: http.max_body_bytes,
        }
    }

    /// The rules of planning.
    #[must_use]
    pub fn rules(&self) -> Rules {
        rules(&self.file)
    }

    /// When the brake stops a poll.
    #[must_use]
    pub fn brake(&self) -> BrakeLimits {
        let file = &self.file;
        BrakeLimits {
            max_changes: file.brake.max_changes,
            max_share: file.brake.max_share,
            min_changes: file.brake.min_changes,
            max_changes_per_hour: file.brake.max_changes_per_hour,
            max_share_per_hour: file.brake.max_share_per_hour,
            max_shrink: file.brake.max_shrink,
        }
    }

    /// The directory: the agency's own, or the model case.
    ///
    /// # Errors
    /// Every fault of its file.
    pub fn directory(&self) -> Result<Arc<Directory>, DirectoryError> {
        let (path, text) = match &self.file.agency.directory {
            Some(path) => (path.as_path(), read("the directory", path, NAMED)?),
            None => (
                Path::new("(embedded) offices.toml"),
                directory::MODEL_CASE.to_owned(),
            ),
        };
        Ok(Arc::new(directory::parse(&text, path)?))
    }

    /// The files of every secret: the store's, those of booking systems and of gateways, each with
    /// its keys in the document.
    #[must_use]
    pub fn secrets(&self) -> Vec<(Vec<String>, SecretFile)> {
        let keys = || ["store", "password_file"].map(str::to_owned).to_vec();
        let store = self.file.store.password_file.clone();
        let store = store.map(|path| (keys(), SecretFile { path }));
        let sources = self.file.source.iter().enumerate();
        let sources = sources.flat_map(|(number, source)| {
            let files = [
                ("password_file", source.password_file.clone()),
                ("token_file", source.token_file.clone()),
                ("wake_secret_file", source.wake_secret_file.clone()),
            ];
            files.into_iter().filter_map(move |(key, path)| {
                let keys = ["source", &number.to_string(), key].map(str::to_owned);
                Some((keys.to_vec(), SecretFile { path: path? }))
            })
        });
        let gateways = self.gateways().flat_map(|entry| entry.secrets());
        store.into_iter().chain(sources).chain(gateways).collect()
    }

    /// The settings of each source, in the order of the file, or why they cannot be made.
    pub fn source_settings(&self) -> impl Iterator<Item = Result<SourceSettings, ConfigError>> {
        self.file.source.iter().map(source::settings)
    }

    /// The settings of each gateway, in the order of their names, or why they cannot be made.
    pub fn gateway_settings(
        &self,
    ) -> impl Iterator<Item = Result<GatewaySettings, Vec<ConfigError>>> {
        self.gateways().map(|entry| entry.settings())
    }

    /// The gateways to which everybody on the way could read what is sent, by name.
    pub fn open_ways(&self) -> impl Iterator<Item = (&str, OpenWay)> {
        self.gateways()
            .filter_map(|entry| Some((entry.name, entry.open_way()?)))
    }

    fn gateways(&self) -> impl Iterator<Item = gateway::Entry<'_>> {
        self.file
            .gateway
            .iter()
            .map(|(name, gateway)| gateway::Entry {
                name,
                gateway,
                document: &self.document,
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

    /// Whether these keys are as the file says; see [`Document::is_sound`].
    #[must_use]
    pub fn is_sound(&self, keys: &[&str]) -> bool {
        self.document.is_sound(keys)
    }
}

/// Why there is no directory.
#[derive(Debug)]
pub enum DirectoryError {
    /// Its file cannot be read.
    Unreadable(ConfigError),
    /// It has faults.
    Faults(Vec<directory::DirectoryFault>),
}

impl DirectoryError {
    /// Each fault, at its place.
    #[must_use]
    pub fn into_errors(self) -> Vec<ConfigError> {
        match self {
            Self::Unreadable(error) => vec![error],
            Self::Faults(faults) => faults
                .into_iter()
                .map(|fault| {
                    let problem = format!("{}: {}", fault.key, fault.problem);
                    let error = ConfigError::new(problem, "").of(fault.key);
                    error.in_file(&fault.file, Some(fault.line))
                })
                .collect(),
        }
    }
}

impl From<ConfigError> for DirectoryError {
    fn from(error: ConfigError) -> Self {
        Self::Unreadable(error)
    }
}

impl From<Vec<directory::DirectoryFault>> for DirectoryError {
    fn from(faults: Vec<directory::DirectoryFault>) -> Self {
        Self::Faults(faults)
    }
}

fn read(what: &str, path: &Path, help: &str) -> Result<String, ConfigError> {
    let unreadable = |error| ConfigError::unreadable(what, path, &error, help);
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if MAX_FILE_BYTES < length {
        return Err(ConfigError::new(
            format!("\"{}\" is {length} bytes long", path.display()),
            "such a file has at most one megabyte: is this the right one?",
        ));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// Paths in the file are relative to it; a secret may also stand among systemd's credentials.
fn resolve(file: &mut File, folder: &Path) {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let resolve = |path: &mut PathBuf| *path = absolute.join(&*path);
    resolve(&mut file.store.path);
    file.store.journal.iter_mut().for_each(resolve);
    if let Some(LmtpPlace(lmtp::Place::Unix(path))) = &mut file.inbound.lmtp {
        resolve(path);
    }
    file.alarms.beat_file.iter_mut().for_each(resolve);
    file.agency.directory.iter_mut().for_each(resolve);
    file.agency.templates.iter_mut().for_each(resolve);
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    for source in &mut file.source {
        source.path.iter_mut().for_each(resolve);
        if let Some(csv) = &mut source.csv {
            csv.done.iter_mut().for_each(resolve);
        }
        let secrets = source.password_file.iter_mut();
        let secrets = secrets.chain(&mut source.token_file);
        for name in secrets.chain(&mut source.wake_secret_file) {
            *name = SecretFile::find(name, credentials.as_ref(), &absolute).path;
        }
        // Everything it says stands in the table by now.
        source.profile = None;
    }
    if let Some(name) = &mut file.store.password_file {
        *name = SecretFile::find(name, credentials.as_ref(), &absolute).path;
    }
    for gateway in file.gateway.values_mut() {
        gateway.ca_file.iter_mut().for_each(resolve);
        for profile in gateway
            .profile
            .iter_mut()
            .filter(|name| profile::is_path(name))
        {
            *profile = absolute.join(&*profile).display().to_string();
        }
        for name in gateway
            .password_file
            .iter_mut()
            .chain(gateway.secret_files.values_mut())
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
