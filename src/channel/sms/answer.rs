//! What a gateway's answer means: the one table of the HTTP protocol, first match wins.
//!
//! A profile gives the rows; two fixed rows follow them: 401 and 403 pause the gateway, and what no
//! row knows is *unknown*. Nothing is guessed: where the part of an answer that decides is missing,
//! it is unknown too.

use std::time::Duration;

use regex::Regex;
use serde::Deserialize;

use crate::domain::outcome::{Blame, Outcome};

/// A gateway's own identifier longer than this is not kept.
const GATEWAY_ID_LIMIT_BYTES: usize = 128;

/// What a row says of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Class {
    Accepted,
    NotSent,
    Refused,
    Paused,
    Unknown,
}

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// First and last status it fits.
    pub(super) status: (u16, u16),
    /// What the body must match; without it, the status alone decides.
    pub(super) body: Option<Regex>,
    pub(super) class: Class,
    /// Where in a JSON body the gateway's identifier stands (RFC 6901).
    pub(super) gateway_id: Option<String>,
    /// What it means, for people.
    pub(super) cause: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The body; `None` when it broke off or was longer than we read.
    pub(super) body: Option<Vec<u8>>,
    /// How long the gateway asked us to wait.
    pub(super) retry_after: Option<Duration>,
}

/// The rows of a profile and the fixed ones.
#[derive(Clone, Debug)]
pub(super) struct Table(Vec<Row>);

impl Table {
    /// The profile's rows, followed by the fixed row that pauses.
    pub(super) fn new(mut rows: Vec<Row>) -> Self {
        rows.extend([401, 403].map(|status| Row {
            status: (status, status),
            body: None,
            class: Class::Paused,
            gateway_id: None,
            cause: Some("the gateway does not let us in: check its user and secrets".to_owned()),
        }));
        Self(rows)
    }

    /// What the answer means.
    pub(super) fn read(&self, answer: &Answer) -> Outcome {
        match &answer.body {
            Some(body) => self.read_whole(answer, &String::from_utf8_lossy(body)),
            None => self.read_torn(answer),
        }
    }

    fn read_whole(&self, answer: &Answer, body: &str) -> Outcome {
        let fits = |row: &&Row| {
            row.body
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(body))
        };
        match self.of_status(answer.status).find(fits) {
            Some(row) => row.outcome(answer, row.find_gateway_id(body)),
            None => unknown(answer.status, "which its profile does not know"),
        }
    }

    /// Without the body, every row up to the first that needs none is possible. Only where they
    /// agree is the answer known.
    fn read_torn(&self, answer: &Answer) -> Outcome {
        let mut possible = Vec::new();
        for row in self.of_status(answer.status) {
            possible.push(row);
            if row.body.is_none() {
                break;
            }
        }
        match possible.as_slice() {
            [] => unknown(answer.status, "which its profile does not know"),
            [first, rest @ ..] if rest.iter().all(|row| row.class == first.class) => {
                first.outcome(answer, None)
            }
            _ => unknown(answer.status, "and broke off before its meaning"),
        }
    }

    fn of_status(&self, status: u16) -> impl Iterator<Item = &Row> {
        self.0
            .iter()
            .filter(move |row| row.status.0 <= status && status <= row.status.1)
    }
}

impl Row {
    fn outcome(&self, answer: &Answer, gateway_id: Option<String>) -> Outcome {
        let cause = match &self.cause {
            Some(cause) => format!("{cause} (HTTP {})", answer.status),
            None => format!("the gateway answered HTTP {}", answer.status),
        };
        let not_sent = |blame| Outcome::NotSent {
            cause: cause.clone(),
            retry_after: answer.retry_after,
            blame,
        };
        match self.class {
            Class::Accepted => Outcome::Accepted { gateway_id },
            Class::NotSent => not_sent(Blame::Gateway),
            Class::Paused => not_sent(Blame::Account),
            Class::Refused => Outcome::Refused { cause },
            Class::Unknown => Outcome::Unknown { cause },
        }
    }

    fn find_gateway_id(&self, body: &str) -> Option<String> {
        let json: serde_json::Value = serde_json::from_str(body).ok()?;
        let id = match json.pointer(self.gateway_id.as_deref()?)? {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => return None,
        };
        let fit = id.len() <= GATEWAY_ID_LIMIT_BYTES && id.bytes().all(|b| b.is_ascii_graphic());
        fit.then_some(id)
    }
}

fn unknown(status: u16, why: &str) -> Outcome {
    Outcome::Unknown {
        cause: format!("the gateway answered HTTP {status}, {why}"),
    }
}
