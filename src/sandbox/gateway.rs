//! The sandbox's SMS gateway: takes messages over HTTP, shows them as bubbles, sends reports.
//!
//! It plays a real one: it answers before the message arrives, reports later, de-duplicates nothing,
//! and can be told to be slow, to fail, to stay silent or to refuse. It reports to loopback
//! addresses only, so nothing leaves the machine.

mod reports;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{Router, post};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Bell;
use crate::clock::Clock;
use crate::domain::message::words;
use crate::domain::segments::{Segments, segments};

pub(super) use reports::Reporter;

/// The path that messages are posted to.
pub const PATH: &str = "/gateway/messages";
/// Messages kept; older ones are thrown away.
pub const SMS_KEPT: usize = 5_000;
/// The largest request, in octets.
const BODY_OCTETS: usize = 64 * 1024;
/// The longest text a gateway takes, in parts (3GPP TS 23.040 counts them in one octet).
const PARTS_LIMIT: usize = 255;
/// How late the slow mode answers.
const SLOW_ANSWER: Duration = Duration::from_secs(4);

/// How the gateway behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GatewayMode {
    /// Takes messages and reports on them.
    #[default]
    Normal,
    /// The same, but answers late.
    Slow,
    /// Answers 503 and takes nothing.
    Failing,
    /// Takes messages and never reports.
    Silent,
    /// Answers 422 and takes nothing.
    Refusing,
}

words!(GatewayMode {
    Normal => "normal",
    Slow => "slow",
    Failing => "failing",
    Silent => "silent",
    Refusing => "refusing",
});

/// Where a message stands at the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsState {
    /// Taken.
    Accepted,
    /// On the phone.
    Delivered,
    /// The number does not exist.
    Undelivered,
    /// Sent, but the phone is switched off.
    Buffered,
}

words!(SmsState {
    Accepted => "accepted",
    Delivered => "delivered",
    Undelivered => "undelivered",
    Buffered => "sent",
});

/// What will become of a message, decided by the last two digits of its number: a tally is worth
/// showing only if some people cannot be reached.
#[must_use]
pub fn fate(number: &str) -> SmsState {
    match number.get(number.len().saturating_sub(2)..) {
        Some("13") => SmsState::Undelivered,
        Some("77") => SmsState::Buffered,
        _ => SmsState::Delivered,
    }
}

/// One message as it came.
#[derive(Clone)]
pub struct Sms {
    /// Its number, counted from 1.
    pub number: u64,
    /// The phone, in E.164 form.
    pub to: String,
    /// The sender that the phone shows.
    pub from: String,
    /// The text.
    pub text: String,
    /// What it costs.
    pub segments: Segments,
    /// The client's key.
    pub key: String,
    /// How many messages with this key had come before; a good client makes it 0.
    pub repeats: u32,
    /// How long it is worth delivering, in seconds.
    pub validity_seconds: u64,
    /// When, in domain time.
    pub at: DateTime<Utc>,
    /// Where it stands.
    pub state: SmsState,
}

impl std::fmt::Debug for Sms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sms({}, {}, {:?})", self.number, self.key, self.state)
    }
}

/// What a client posts. What else it says (`encoding`, `parts`) is its own count; ours is billed.
#[derive(Deserialize)]
struct Submission {
    to: String,
    from: String,
    text: String,
    key: String,
    validity_seconds: u64,
    callback_url: Option<String>,
}

#[derive(Default)]
struct Kept {
    sms: VecDeque<Sms>,
    keys: HashMap<String, u32>,
    taken: u64,
    duplicates: u64,
    parts: u64,
    mode: GatewayMode,
}

/// The messages and the mode, shared by the HTTP routes, the reporter and the page.
#[derive(Clone)]
pub struct Gateway {
    kept: Arc<Mutex<Kept>>,
    reporter: Reporter,
    clock: Clock,
    bell: Bell,
}

/// What the gateway has taken since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Messages.
    pub messages: u64,
    /// Messages whose key had come before.
    pub duplicates: u64,
    /// Parts that an operator would bill.
    pub parts: u64,
}

impl Gateway {
    pub(super) fn new(clock: Clock, bell: Bell, reporter: Reporter) -> Self {
        Self {
            kept: Arc::default(),
            reporter,
            clock,
            bell,
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The routes of the gateway.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route(PATH, post(submit))
            .layer(DefaultBodyLimit::max(BODY_OCTETS))
            .with_state(self)
    }

    /// The messages kept, the newest first.
    #[must_use]
    pub fn newest(&self) -> Vec<Sms> {
        self.kept().sms.iter().rev().cloned().collect()
    }

    /// What it has taken since its start.
    #[must_use]
    pub fn taken(&self) -> Taken {
        let kept = self.kept();
        Taken {
            messages: kept.taken,
            duplicates: kept.duplicates,
            parts: kept.parts,
        }
    }

    /// How the gateway behaves.
    #[must_use]
    pub fn mode(&self) -> GatewayMode {
        self.kept().mode
    }

    /// Makes the gateway behave so from now on.
    pub fn set_mode(&self, mode: GatewayMode) {
        self.kept().mode = mode;
        self.bell.ring();
    }

    fn take(&self, submission: Submission, segments: Segments) -> Sms {
        let mut kept = self.kept();
        kept.taken += 1;
        kept.parts += segments.parts as u64;
        let seen = kept.keys.entry(submission.key.clone()).or_default();
        let repeats = *seen;
        *seen += 1;
        kept.duplicates += u64::from(repeats > 0);
        let sms = Sms {
            number: kept.taken,
            to: submission.to,
            from: submission.from,
            text: submission.text,
            segments,
            key: submission.key,
            repeats,
            validity_seconds: submission.validity_seconds,
            at: self.clock.now(),
            state: SmsState::Accepted,
        };
        if kept.sms.len() == SMS_KEPT
            && let Some(oldest) = kept.sms.pop_front()
        {
            kept.keys.remove(&oldest.key);
        }
        kept.sms.push_back(sms.clone());
        sms
    }

    fn arrive(&self, number: u64, state: SmsState) {
        if let Some(sms) = self.kept().sms.iter_mut().find(|sms| sms.number == number) {
            sms.state = state;
        }
        self.bell.ring();
    }
}

/// A refusal, with what the client did wrong.
type Refusal = (StatusCode, Json<Value>);

async fn submit(
    State(gateway): State<Gateway>,
    body: Result<Json<Submission>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let mode = gateway.mode();
    match mode {
        GatewayMode::Failing => {
            return Err(refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "the gateway is down",
            ));
        }
        GatewayMode::Refusing => {
            return Err(refusal(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the gateway takes nothing",
            ));
        }
        GatewayMode::Slow => gateway.clock.pause(SLOW_ANSWER).await,
        GatewayMode::Normal | GatewayMode::Silent => {}
    }
    let Json(submission) =
        body.map_err(|problem| refusal(StatusCode::BAD_REQUEST, &problem.body_text()))?;
    let callback = read_callback(submission.callback_url.as_deref())?;
    let segments = check(&submission)?;
    let sms = gateway.take(submission, segments);
    if mode != GatewayMode::Silent {
        let fate = fate(&sms.to);
        gateway
            .reporter
            .later(gateway.clone(), sms.number, fate, callback);
    }
    gateway.bell.ring();
    Ok((
        StatusCode::ACCEPTED,
        Json(json!({ "id": sms.number.to_string() })),
    ))
}

fn check(submission: &Submission) -> Result<Segments, Refusal> {
    let wrong = |problem| Err(refusal(StatusCode::UNPROCESSABLE_ENTITY, problem));
    let digits = submission.to.strip_prefix('+').unwrap_or_default();
    if !(8..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return wrong("\"to\" must be a number in E.164 form");
    }
    if submission.from.is_empty() || submission.from.chars().count() > 11 {
        return wrong("\"from\" must have 1 to 11 characters");
    }
    if submission.validity_seconds == 0 {
        return wrong("\"validity_seconds\" must be at least 1");
    }
    let segments = segments(&submission.text);
    if submission.text.is_empty() || segments.parts > PARTS_LIMIT {
        return wrong("\"text\" must have 1 to 255 parts");
    }
    Ok(segments)
}

fn read_callback(url: Option<&str>) -> Result<Option<reqwest::Url>, Refusal> {
    url.map(reports::loopback_url)
        .transpose()
        .map_err(|problem| refusal(StatusCode::BAD_REQUEST, problem))
}

fn refusal(status: StatusCode, problem: &str) -> Refusal {
    (status, Json(json!({ "error": problem })))
}
