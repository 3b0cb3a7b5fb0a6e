//! One question, one answer: within its time, not longer than its limit, from the address that was
//! named and no other. The token goes nowhere else.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use reqwest::{Response, StatusCode, redirect, retry};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{Settings, SourceError};
use crate::domain::appointment::SourceName;

/// A connection is used again for the next page, and not for the next look: by then the other side
/// may be about to close it.
const BETWEEN_PAGES: Duration = Duration::from_secs(2);

/// An answer that was read to its end.
pub(super) struct Answer {
    pub(super) body: Value,
    /// What the source calls the state that it shows.
    pub(super) tag: Option<String>,
    /// The source's clock.
    pub(super) date: Option<DateTime<Utc>>,
}

/// What asks.
pub(super) struct Client {
    client: reqwest::Client,
    token: Option<SecretString>,
    name: SourceName,
    max_body_bytes: usize,
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Result<Self, SourceError> {
        // Another part may have installed it before; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("varsel/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(BETWEEN_PAGES)
            .timeout(settings.timeout);
        // A plain server needs no certificates, and a host without any must still be able to ask it.
        let builder = match settings.url.starts_with("http:") {
            true => builder.tls_certs_only([]),
            false => builder.https_only(true),
        };
        let client = builder.build().map_err(|error| SourceError::Unavailable {
            source_name: settings.name.clone(),
            problem: format!(
                "TLS cannot start ({}); install ca-certificates",
                cause(&error)
            ),
        })?;
        Ok(Self {
            client,
            token: settings.token.clone(),
            name: settings.name.clone(),
            max_body_bytes: settings.max_body_bytes,
        })
    }

    /// An answer; `None` when it says that nothing changed since `tag`.
    pub(super) async fn get(
        &self,
        url: &str,
        tag: Option<&str>,
    ) -> Result<Option<Answer>, SourceError> {
        let response = self.ask(url, tag).await?;
        match response.status() {
            StatusCode::OK => self.read(response).await.map(Some),
            StatusCode::NOT_MODIFIED if tag.is_some() => Ok(None),
            status => Err(self.refused(status)),
        }
    }

    /// An answer; `None` when there is no such thing.
    pub(super) async fn get_if_there(&self, url: &str) -> Result<Option<Answer>, SourceError> {
        let response = self.ask(url, None).await?;
        match response.status() {
            StatusCode::OK => self.read(response).await.map(Some),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status => Err(self.refused(status)),
        }
    }

    async fn ask(&self, url: &str, tag: Option<&str>) -> Result<Response, SourceError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = &self.token {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
            let mut bearer = bearer.map_err(|_| {
                self.misfit("the token holds characters that no header may carry".to_owned())
            })?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(tag).ok()) {
            headers.insert(IF_NONE_MATCH, tag);
        }
        let asked = self.client.get(url).headers(headers).send().await;
        asked.map_err(|error| self.unanswered(error))
    }

    async fn read(&self, mut response: Response) -> Result<Answer, SourceError> {
        let text = |name| {
            let value: Option<&HeaderValue> = response.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let (tag, date) = (text(ETAG), text(DATE));
        let mut bytes = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.unanswered(error))?
        {
            if self.max_body_bytes < bytes.len() + chunk.len() {
                return Err(self.unavailable(format!(
                    "an answer is longer than {} bytes (max_body_bytes); ask for smaller pages",
                    self.max_body_bytes
                )));
            }
            bytes.extend_from_slice(&chunk);
        }
        // What the parser says may repeat a piece of the answer, which may be personal.
        let body = serde_json::from_slice(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            self.misfit(format!(
                "the answer is no JSON (line {line}, column {column})"
            ))
        })?;
        let date = date.and_then(|date| DateTime::parse_from_rfc2822(&date).ok());
        Ok(Answer {
            body,
            tag,
            date: date.map(|date| date.to_utc()),
        })
    }

    fn refused(&self, status: StatusCode) -> SourceError {
        match status.as_u16() {
            300..=399 => self.misfit(format!(
                "it answers {status}, and redirects are not followed: give the address where the list is"
            )),
            401 | 403 => self.misfit(format!("it answers {status}: is the token right and still valid?")),
            400..=499 if status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::REQUEST_TIMEOUT => {
                self.misfit(format!("it answers {status}: is the address right?"))
            }
            _ => self.unavailable(format!("it answers {status}")),
        }
    }

    fn unanswered(&self, error: reqwest::Error) -> SourceError {
        // An address may name a booking.
        let error = error.without_url();
        let why = match (error.is_timeout(), error.is_connect()) {
            (true, _) => "it did not answer in time".to_owned(),
            (_, true) => format!("it cannot be reached: {}", cause(&error)),
            _ => format!("the answer broke off: {}", cause(&error)),
        };
        self.unavailable(why)
    }

    fn unavailable(&self, problem: String) -> SourceError {
        SourceError::Unavailable {
            source_name: self.name.clone(),
            problem,
        }
    }

    pub(super) fn misfit(&self, problem: String) -> SourceError {
        SourceError::Mapping {
            source_name: self.name.clone(),
            problem,
        }
    }
}

/// The innermost cause, without the address, which may name a person's booking.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// A key as one part of a path: everything but unreserved characters is escaped (RFC 3986, 2.3).
pub(super) fn escaped(key: &str) -> String {
    let mut escaped = String::new();
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
