//! The SMS channel: hands one SMS to an HTTP gateway and says what came of it.
//!
//! What a gateway wants to be told, what its answers mean and how it reports later is its profile
//! (config/gateways/*.toml). Here is what holds for all: one request, never a second one, never
//! another host, everything in bounded time, and an outcome that is known or *unknown*.

mod answer;
mod compile;
mod last_look;
mod lookup;
mod openness;
mod placeholder;
pub mod profile;
mod report;
mod request;

use std::error::Error;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, redirect, retry};

use self::answer::Answer;
use self::last_look::{LastLook, TooLate};
pub use self::openness::OpenWay;
use self::placeholder::Facts;
pub use self::placeholder::Secrets;
pub use self::profile::{Profile, ProfileFault};
pub use self::report::parse_report;
use super::{Channel, Outgoing, Sending, may_start};
use crate::domain::contact::Address;
use crate::domain::outcome::{Blame, Outcome};
use crate::domain::segments::{Encoding, segments};
use crate::sabotage::{self, Guard};

/// No more of an answer is read; a longer one counts as broken off.
pub const ANSWER_LIMIT_BYTES: usize = 64 * 1024;

/// A gateway that asks for a longer wait is asked again after this.
pub const RETRY_AFTER_LIMIT_SECONDS: u64 = 3600;

/// An SMS gateway. It never prints its secrets.
pub struct Sms {
    profile: Profile,
    secrets: Secrets,
    reports_url: String,
    client: Client,
}

impl std::fmt::Debug for Sms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sms")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

impl Sms {
    /// Opens the channel; nothing is sent or connected yet. `callback_base` is the address under
    /// which the gateway reaches our reports, as `https://varsel.example`.
    ///
    /// # Errors
    /// When a secret of the profile is missing, an address is none, or TLS cannot start.
    pub fn new(
        profile: Profile,
        secrets: Secrets,
        callback_base: &str,
    ) -> Result<Self, ProfileFault> {
        let fault = |key: &str, problem: String| ProfileFault {
            line: None,
            key: key.to_owned(),
            problem,
        };
        if let Some(name) = profile
            .secret_names()
            .into_iter()
            .find(|n| !secrets.contains_key(*n))
        {
            return Err(fault(
                &format!("secret.{name}"),
                "is used but not given".to_owned(),
            ));
        }
        compile::url(callback_base).map_err(|problem| fault("callback_base", problem))?;
        let client = client(&profile).map_err(|problem| fault("url", problem))?;
        let base = callback_base.trim_end_matches('/');
        let reports_url = format!("{base}/reports/{}/", profile.name);
        Ok(Self {
            profile,
            secrets,
            reports_url,
            client,
        })
    }

    /// The profile it works by.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    async fn hand_over(&self, message: &Outgoing) -> Outcome {
        let request = match self.request(message) {
            Ok(request) => request,
            Err(cause) => return Outcome::Refused { cause },
        };
        // Looked at twice: no connection is made in vain, and no byte leaves when it took too long.
        if !may_start(message) {
            return not_sent(TooLate.to_string(), Blame::Message);
        }
        let again = request
            .try_clone()
            .filter(|_| sabotage::is_off(Guard::OneRequest));
        let within = |request| LastLook::before(request, message.start_before);
        let mut answer = self.client.execute(within(request)).await;
        if let (Err(_), Some(again)) = (&answer, again) {
            answer = self.client.execute(within(again)).await;
        }
        match answer {
            Ok(response) => self.profile.table.read(&read(response).await),
            Err(error) => broken(&error),
        }
    }

    /// Asks whether the gateway knows a message. A break says nothing, wherever it happens.
    async fn look_up(&self, key: &str) -> Outcome {
        let Some(lookup) = &self.profile.lookup else {
            return unclear("the gateway cannot be asked".to_owned());
        };
        let facts = self.facts_of_key(key);
        let address = self.profile.form.address(&facts);
        let request = match address.and_then(|address| lookup.build(&address, &facts)) {
            Ok(request) => request,
            Err(cause) => return unclear(cause),
        };
        match self.client.execute(request).await {
            Ok(response) => lookup.read(&read(response).await),
            Err(error) => unclear(format!("asked in vain: {}", innermost(&error))),
        }
    }

    /// A question knows the key and the secrets; nothing else of the message is told.
    fn facts_of_key<'a>(&'a self, key: &'a str) -> Facts<'a> {
        Facts {
            to_e164: "",
            from: "",
            text: "",
            encoding: Encoding::Gsm7,
            parts: 0,
            key,
            validity: Duration::ZERO,
            callback_url: "",
            secrets: &self.secrets,
        }
    }

    fn request(&self, message: &Outgoing) -> Result<reqwest::Request, String> {
        let Address::Phone(phone) = &message.address else {
            return Err("an SMS needs a telephone number".to_owned());
        };
        let text = std::str::from_utf8(&message.body.0)
            .map_err(|_| "the stored text is not UTF-8".to_owned())?;
        if text.trim().is_empty() {
            return Err("the text is empty, and gateways would send it".to_owned());
        }
        let size = segments(text);
        let limit = self.profile.max_parts;
        if size.parts > limit {
            return Err(format!(
                "the SMS has {} parts; the profile allows {limit}",
                size.parts
            ));
        }
        self.profile.form.build(&Facts {
            to_e164: phone.expose(),
            from: &message.sender,
            text,
            encoding: size.encoding,
            parts: size.parts,
            key: &message.gateway_key,
            validity: message.validity,
            callback_url: &format!("{}{}", self.reports_url, message.report_token),
            secrets: &self.secrets,
        })
    }
}

impl Channel for Sms {
    fn send<'a>(&'a self, message: &'a Outgoing) -> Sending<'a> {
        Box::pin(self.hand_over(message))
    }

    fn ask<'a>(&'a self, key: &'a str) -> Sending<'a> {
        Box::pin(self.look_up(key))
    }
}

/// One request, to one host, directly, in bounded time.
fn client(profile: &Profile) -> Result<Client, String> {
    // Another channel may have installed it before; it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("varsel/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(profile.connect_timeout)
        .timeout(profile.timeout);
    let builder = match profile.keep_alive {
        Some(idle) => builder.pool_idle_timeout(idle),
        None => builder.pool_max_idle_per_host(0),
    };
    // A plain gateway needs no certificates, and a host without any must still be able to use it.
    let plain = profile
        .form
        .url
        .with(|_| String::new())
        .starts_with("http:");
    let builder = if plain {
        builder.tls_certs_only([])
    } else {
        builder.https_only(true)
    };
    builder.build().map_err(|error| {
        format!(
            "TLS cannot start ({}); install ca-certificates",
            innermost(&error)
        )
    })
}

/// Reads what can be read of the answer. Its status is known already.
async fn read(mut response: Response) -> Answer {
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let mut body = Vec::new();
    let whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_LIMIT_BYTES => body.extend(chunk),
            Ok(None) => break true,
            Ok(Some(_)) | Err(_) => break false,
        }
    };
    Answer {
        status,
        body: whole.then_some(body),
        retry_after,
    }
}

/// Seconds only: the other form, a date, would make a gateway's clock decide.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds.min(RETRY_AFTER_LIMIT_SECONDS)))
}

/// No answer at all. Only where no connection came about, or our own last look refused, is it certain that nothing was
/// handed over.
fn broken(error: &reqwest::Error) -> Outcome {
    if TooLate::is_root_of(error) {
        return not_sent(TooLate.to_string(), Blame::Message);
    }
    if error.is_connect() {
        let cause = format!("no connection to the gateway: {}", innermost(error));
        return not_sent(cause, Blame::Gateway);
    }
    let cause = if error.is_timeout() {
        "the gateway did not answer in time".to_owned()
    } else {
        format!(
            "the connection broke before the answer: {}",
            innermost(error)
        )
    };
    Outcome::Unknown { cause }
}

fn unclear(cause: String) -> Outcome {
    Outcome::Unknown { cause }
}

fn not_sent(cause: String, blame: Blame) -> Outcome {
    Outcome::NotSent {
        cause,
        retry_after: None,
        blame,
    }
}

/// The root of an error; the outer ones name the URL, which may hold an account.
fn innermost(error: &reqwest::Error) -> String {
    let mut root: Option<&dyn Error> = error.source();
    while let Some(deeper) = root.and_then(Error::source) {
        root = Some(deeper);
    }
    root.map_or_else(|| "no reason given".to_owned(), ToString::to_string)
}
