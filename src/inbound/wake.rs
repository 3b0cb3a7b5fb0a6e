//! `POST /sources/{name}/wake`: a booking system says that something changed there.
//!
//! Whether it may say so is for `service` to judge. What the request carries is never read as data: it
//! only makes us look.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

/// A wake-up as it came: who it claims to be from is not checked yet.
pub struct Ring<'a> {
    /// The source named in the path.
    pub source: &'a str,
    /// `X-Varsel-Signature`: `t=SECONDS,v1=HEX`, over the seconds, a full stop and the body.
    pub signature: Option<&'a str>,
    /// `X-Cal-Signature-256`: hexadecimal, over the body alone.
    pub cal_signature: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What became of a wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// The source will be looked at.
    Heard,
    /// No such source, one that takes no wake-ups, or a signature that is not right.
    Unknown,
    /// It came before, or too long ago.
    Stale,
    /// Too many came.
    TooMany,
}

/// Judges wake-ups.
pub trait WakeDesk: Send + Sync + 'static {
    /// Judges one, and wakes the source.
    fn ring(&self, ring: Ring<'_>) -> Rung;
}

/// `POST /sources/{name}/wake`.
pub fn wakes(desk: Arc<dyn WakeDesk>) -> Router {
    Router::new()
        .route("/sources/{name}/wake", post(wake))
        .with_state(desk)
}

async fn wake(
    State(desk): State<Arc<dyn WakeDesk>>,
    Path(source): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let rung = desk.ring(Ring {
        source: &source,
        signature: text("x-varsel-signature"),
        cal_signature: text("x-cal-signature-256"),
        body: &body,
    });
    match rung {
        Rung::Heard => StatusCode::ACCEPTED,
        Rung::Unknown => StatusCode::NOT_FOUND,
        Rung::Stale => StatusCode::CONFLICT,
        Rung::TooMany => StatusCode::TOO_MANY_REQUESTS,
    }
}
