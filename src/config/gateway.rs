//! `[gateway.NAME]` into what the service needs: profile or relay, mode, and the secrets from files.

mod guards;

use std::path::Path;
use std::time::Duration;

use super::document::{Document, Layer};
use super::error::ConfigError;
use super::file::{Gateway, Mode, Tls};
use super::profile;
use super::secret::SecretFile;
use super::words::Length;
use crate::channel::email::{self, SetupError};
use crate::channel::sms::{OpenWay, Profile, ProfileFault, Secrets};
use crate::domain::message::Channel;
use crate::service;
use crate::service::settings::{GatewaySettings, Speaks};

/// A lease that the file leaves out lasts so much longer than the longest send.
const LEASE_MARGIN: Duration = Duration::from_secs(60);

/// Claims held ready for an SMS gateway: with none, commits would stall the wire.
const SMS_CLAIM_AHEAD: u32 = 64;

/// Claims held ready per SMTP connection.
const EMAIL_CLAIM_AHEAD: u32 = 8;

/// What stands before the token in the addresses of bounces.
const BOUNCE_LOCALPART: &str = "bounce";

/// After so many mails a connection is replaced, so that load balancers get their turn.
const MAILS_PER_CONNECTION: u32 = 100;

/// After so long a rest a connection is replaced; relays close theirs after minutes.
const IDLE: Duration = Duration::from_secs(30);

/// One gateway of the file, with its place for errors.
pub(super) struct Entry<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its table.
    pub(super) gateway: &'a Gateway,
    /// Where everything stands.
    pub(super) document: &'a Document,
}

impl Entry<'_> {
    /// The settings, secrets included.
    ///
    /// # Errors
    /// When a profile, a secret or a value does not fit.
    pub(super) fn settings(&self) -> Result<GatewaySettings, Vec<ConfigError>> {
        let (speaks, longest_send) = match self.gateway.channel {
            Channel::Sms => self.sms()?,
            Channel::Email => self.email()?,
            Channel::Phone => return Err(vec![self.phone()]),
        };
        let ahead = match self.gateway.channel {
            Channel::Sms | Channel::Phone => SMS_CLAIM_AHEAD,
            Channel::Email => EMAIL_CLAIM_AHEAD * self.gateway.connections,
        };
        Ok(GatewaySettings {
            name: self.name.to_owned(),
            preference: self.gateway.place(),
            mode: match self.gateway.mode {
                Mode::Live => service::Mode::Live,
                Mode::Trial => {
                    let allowed = self.gateway.trial_allow.iter();
                    service::Mode::Trial(allowed.map(|entry| entry.0.clone()).collect())
                }
            },
            connections: self.gateway.connections,
            claim_ahead: self.gateway.claim_ahead.unwrap_or(ahead),
            lease: self.lease(longest_send)?,
            rate: self.rate(),
            breaker: self.breaker(),
            speaks,
        })
    }

    /// Everything that the file alone shows to be wrong; no secret is read.
    pub(super) fn check(&self) -> Vec<ConfigError> {
        // Which keys belong here hangs on the channel.
        if !self.is_sound("channel") {
            return Vec::new();
        }
        let mut errors = self.keys_fit();
        if self.gateway.connections == 0 {
            let problem = "0 connections carry nothing";
            errors.push(self.error("connections", problem, "use 1 or more"));
        }
        errors.extend(self.guard_faults());
        let longest_send = match self.gateway.channel {
            Channel::Sms => self.profile().map(|profile| profile.longest_send()),
            Channel::Email => self.relay(None).map(|relay| relay.timeouts.longest_send()),
            Channel::Phone => Err(vec![self.phone()]),
        };
        match longest_send {
            Ok(longest_send) => errors.extend(self.lease(longest_send).err().into_iter().flatten()),
            Err(faults) => errors.extend(faults),
        }
        errors.retain(|error| error.key().is_none_or(|key| self.document.is_sound(&[key])));
        errors
    }

    /// The way to an SMS gateway, where everybody on it could read what is sent.
    pub(super) fn open_way(&self) -> Option<OpenWay> {
        let sms = self.gateway.channel == Channel::Sms && self.is_sound("channel");
        let profile = sms.then(|| self.profile().ok()).flatten();
        profile?.open_way()
    }

    /// What the channel of a relay itself finds wrong; nothing is connected.
    fn channel_fault(&self) -> Option<ConfigError> {
        let fault = email::Smtp::new(self.relay(None).ok()?).err()?;
        let key = match &fault {
            SetupError::Host(_) => "host",
            SetupError::PlainAbroad(_) => "tls",
            SetupError::HelloName(_) => "hello_name",
            SetupError::Sender { key, .. } | SetupError::Zero(key) => key,
            SetupError::CaFile { .. } => "ca_file",
            SetupError::Trust(_) => "",
        };
        let help = "`varsel config init` shows the keys of a relay with what they mean";
        let error = self.error(key, fault.to_string(), help);
        Some(match fault {
            SetupError::CaFile { .. } | SetupError::Trust(_) => error.not_there(),
            _ => error,
        })
    }

    /// The files of its secrets, each with its keys in the document.
    pub(super) fn secrets(&self) -> Vec<(Vec<String>, SecretFile)> {
        let files = self.gateway.secret_files.iter();
        let files = files.map(|(name, path)| (vec!["secret_files", name], path));
        let password = self.gateway.password_file.iter();
        let password = password.map(|path| (vec!["password_file"], path));
        files
            .chain(password)
            .map(|(keys, path)| {
                let keys = ["gateway", self.name].into_iter().chain(keys);
                let file = SecretFile { path: path.clone() };
                (keys.map(str::to_owned).collect(), file)
            })
            .collect()
    }

    fn lease(&self, longest_send: Duration) -> Result<Duration, Vec<ConfigError>> {
        let Some(lease) = self.gateway.lease else {
            return Ok(longest_send + LEASE_MARGIN);
        };
        if longest_send < lease.0 {
            return Ok(lease.0);
        }
        let seconds = longest_send.as_secs();
        let problem = format!("a lease of {lease} ends before the longest send ({seconds}s) does");
        let error = self.error("lease", problem, "make it longer, or leave it out");
        Err(vec![error])
    }

    fn sms(&self) -> Result<(Speaks, Duration), Vec<ConfigError>> {
        let profile = self.profile()?;
        let (mut secrets, mut errors) = (Secrets::new(), Vec::new());
        for (name, path) in &self.gateway.secret_files {
            match self.secret(&["secret_files", name], path) {
                Ok(secret) => drop(secrets.insert(name.clone(), secret)),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let longest_send = profile.longest_send();
        let within = self.gateway.report_within.map(|length| length.0);
        let report_within = within.or(profile.report_within());
        let reports = self.gateway.reports.unwrap_or(true);
        let speaks = Speaks::Sms {
            report_within: report_within.filter(|_| reports && profile.report_within().is_some()),
            profile: Box::new(profile),
            secrets,
        };
        Ok((speaks, longest_send))
    }

    fn email(&self) -> Result<(Speaks, Duration), Vec<ConfigError>> {
        let password = match &self.gateway.password_file {
            Some(path) => {
                let secret = self.secret(&["password_file"], path);
                // What else is wrong with the relay shows without the password.
                let all = |error| {
                    [error]
                        .into_iter()
                        .chain(self.channel_fault())
                        .collect::<Vec<_>>()
                };
                Some(secret.map_err(all)?)
            }
            None => None,
        };
        let settings = self.relay(password)?;
        if let Some(fault) = self.channel_fault() {
            return Err(vec![fault]);
        }
        let longest_send = settings.timeouts.longest_send();
        Ok((Speaks::Email(Box::new(settings)), longest_send))
    }

    /// The profile, at its address, with every secret it names given a file.
    fn profile(&self) -> Result<Profile, Vec<ConfigError>> {
        let Some(profile) = &self.gateway.profile else {
            let help = "add profile = \"kannel\", or the path of a profile of your own";
            return Err(vec![self.error(
                "profile",
                "the key \"profile\" is missing",
                help,
            )]);
        };
        let Layer { name, text } = profile::gateway(profile).map_err(|error| {
            let help = error.remedy().unwrap_or_default().to_owned();
            vec![self.error("profile", error.problem(), &help)]
        })?;
        let fault = |fault: ProfileFault| vec![profile_error(&name, &text, &fault)];
        let profile = Profile::parse(self.name, &text).map_err(fault)?;
        let given = &self.gateway.secret_files;
        let names = profile.secret_names();
        let missing = names.iter().filter(|name| !given.contains_key(**name));
        let mut errors: Vec<ConfigError> = missing.map(|name| self.nameless(name)).collect();
        let profile = match &self.gateway.url {
            Some(url) => profile.at_url(url).map_err(|fault| fault.problem),
            None => Ok(profile),
        };
        match profile {
            Ok(profile) if errors.is_empty() => Ok(profile),
            Ok(_) => Err(errors),
            Err(problem) => {
                errors.push(self.error("url", problem, ""));
                Err(errors)
            }
        }
    }

    /// A secret that the profile names and the table gives no file.
    fn nameless(&self, secret: &str) -> ConfigError {
        let problem = format!("the profile needs the secret \"{secret}\", and no file is named");
        let help = format!("add secret_files.{secret} = \"FILE\"");
        self.error("secret_files", problem, &help)
    }

    fn relay(
        &self,
        password: Option<secrecy::SecretString>,
    ) -> Result<email::Settings, Vec<ConfigError>> {
        let gateway = self.gateway;
        let mut errors = Vec::new();
        let mut needed = |key: &str, value: &Option<String>, help: &str| {
            if value.is_none() {
                errors.push(self.error(key, format!("the key \"{key}\" is missing"), help));
            }
            value.clone().unwrap_or_default()
        };
        let help = "add host = \"NAME\": the agency's relay";
        let host = needed("host", &gateway.host, help);
        let help = "add envelope_from = \"ADDRESS\": where the relay sends bounces";
        let envelope_from = needed("envelope_from", &gateway.envelope_from, help);
        if !errors.is_empty() {
            return Err(errors);
        }
        let (tls, usual_port) = match gateway.tls.unwrap_or(Tls::StartTls) {
            Tls::Implicit => (email::TlsMode::Implicit, 465),
            Tls::StartTls => (email::TlsMode::StartTls, 587),
            Tls::Plain => (email::TlsMode::Plain, 25),
        };
        let domain = envelope_from
            .rsplit_once('@')
            .map_or("localhost", |(_, domain)| domain);
        Ok(email::Settings {
            host,
            port: gateway.port.unwrap_or(usual_port),
            tls,
            ca_file: gateway.ca_file.clone(),
            hello_name: gateway
                .hello_name
                .clone()
                .unwrap_or_else(|| domain.to_owned()),
            login: gateway
                .username
                .clone()
                .zip(password)
                .map(|(user, password)| email::Login { user, password }),
            envelope_from,
            bounces: self.bounces(),
            connections: usize::try_from(gateway.connections).unwrap_or(usize::MAX),
            mails_per_connection: gateway.mails_per_connection.unwrap_or(MAILS_PER_CONNECTION),
            idle: gateway.idle.map_or(IDLE, |length| length.0),
            timeouts: self.timeouts(),
        })
    }

    fn bounces(&self) -> Option<email::BounceAddress> {
        let localpart = self.gateway.bounce_localpart.as_deref();
        Some(email::BounceAddress {
            localpart: localpart.unwrap_or(BOUNCE_LOCALPART).to_owned(),
            domain: self.gateway.bounce_domain.clone()?,
        })
    }

    fn timeouts(&self) -> email::Timeouts {
        let given = self.gateway.timeouts.unwrap_or_default();
        let usual = email::Timeouts::default();
        let or = |given: Option<Length>, usual| given.map_or(usual, |length| length.0);
        email::Timeouts {
            connect: or(given.connect, usual.connect),
            tls: or(given.tls, usual.tls),
            greeting: or(given.greeting, usual.greeting),
            command: or(given.command, usual.command),
            body: or(given.body, usual.body),
            before_dot: or(given.before_dot, usual.before_dot),
            dot: or(given.dot, usual.dot),
        }
    }

    fn secret(&self, key: &[&str], path: &Path) -> Result<secrecy::SecretString, ConfigError> {
        let file = SecretFile {
            path: path.to_owned(),
        };
        let keys: Vec<&str> = ["gateway", self.name].iter().chain(key).copied().collect();
        file.read().map_err(|error| {
            let help = error.remedy().unwrap_or_default();
            let error = self.document.error(&keys, error.problem(), help);
            error.not_there()
        })
    }

    /// Each channel has keys of its own; one of the other channel would silently do nothing.
    fn keys_fit(&self) -> Vec<ConfigError> {
        let gateway = self.gateway;
        let sms = [
            ("profile", gateway.profile.is_some()),
            ("url", gateway.url.is_some()),
            ("reports", gateway.reports.is_some()),
            ("report_within", gateway.report_within.is_some()),
            ("secret_files", !gateway.secret_files.is_empty()),
        ];
        let email = [
            ("host", gateway.host.is_some()),
            ("port", gateway.port.is_some()),
            ("tls", gateway.tls.is_some()),
            ("ca_file", gateway.ca_file.is_some()),
            ("username", gateway.username.is_some()),
            ("password_file", gateway.password_file.is_some()),
            ("envelope_from", gateway.envelope_from.is_some()),
            ("bounce_domain", gateway.bounce_domain.is_some()),
            ("bounce_localpart", gateway.bounce_localpart.is_some()),
            ("hello_name", gateway.hello_name.is_some()),
            (
                "mails_per_connection",
                gateway.mails_per_connection.is_some(),
            ),
            ("idle", gateway.idle.is_some()),
            ("timeouts", gateway.timeouts.is_some()),
        ];
        let (foreign, other): (&[(&str, bool)], _) = match gateway.channel {
            Channel::Sms => (&email, "email"),
            Channel::Email => (&sms, "sms"),
            Channel::Phone => return Vec::new(),
        };
        let foreign = foreign.iter().filter(|(_, given)| *given);
        let mut errors: Vec<ConfigError> = foreign
            .map(|(key, _)| {
                let problem = format!("\"{key}\" belongs to gateways with channel = \"{other}\"");
                self.error(key, problem, "remove it, or change the channel")
            })
            .collect();
        let login = (gateway.username.is_some(), gateway.password_file.is_some());
        if errors.is_empty() && login.0 != login.1 {
            let key = if login.0 { "username" } else { "password_file" };
            let problem = "\"username\" and \"password_file\" belong together";
            errors.push(self.error(key, problem, "add the other one"));
        }
        errors
    }

    fn is_sound(&self, key: &str) -> bool {
        self.document.is_sound(&["gateway", self.name, key])
    }

    fn phone(&self) -> ConfigError {
        self.error(
            "channel",
            "the phone's gateway is a person",
            "write \"sms\" or \"email\"",
        )
    }

    fn error(&self, key: &str, problem: impl Into<String>, help: &str) -> ConfigError {
        let keys: Vec<&str> = ["gateway", self.name, key]
            .into_iter()
            .filter(|key| !key.is_empty())
            .collect();
        self.document.error(&keys, problem, help)
    }
}

fn profile_error(name: &str, text: &str, fault: &ProfileFault) -> ConfigError {
    let error = ConfigError::new(format!("{}: {}", fault.key, fault.problem), "");
    let Some(line) = fault.line else {
        return error;
    };
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let length = text
        .get(before..)
        .and_then(|rest| rest.lines().next())
        .map_or(0, str::len);
    error.at(name, text, before..before + length)
}
