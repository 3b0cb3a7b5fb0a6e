//! The routes every daemon has: delivery reports, health and metrics.
//!
//! What they ask for is given by `service` as a trait object; this room only speaks HTTP.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Form, Json};

/// The future of an answer.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A delivery report as it came: who it claims to be from is not checked yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The gateway named in the path.
    pub gateway: String,
    /// The token that shall prove it.
    pub token: String,
    /// The parameters of the query, then those of a form or JSON body, in order.
    pub parameters: Vec<(String, String)>,
}

impl std::fmt::Debug for Delivery {
    /// Token and parameters may identify a person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Delivery({}, {} parameters)",
            self.gateway,
            self.parameters.len()
        )
    }
}

/// What became of a delivery report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is durable, applied or parked: the gateway need not repeat it.
    Kept,
    /// No such gateway, or a token we did not make.
    Unknown,
    /// It says nothing that can be read.
    Unreadable,
    /// It could not be written: the gateway shall repeat it.
    Failed,
}

/// Takes delivery reports.
pub trait ReportDesk: Send + Sync + 'static {
    /// Takes one report; the answer is given after it is durable.
    fn take(&self, delivery: Delivery) -> Answering<'_, Taken>;
}

/// `GET` and `POST /reports/{gateway}/{token}`.
pub fn reports(desk: Arc<dyn ReportDesk>) -> Router {
    Router::new()
        .route("/reports/{gateway}/{token}", get(take).post(take))
        .with_state(desk)
}

async fn take(
    State(desk): State<Arc<dyn ReportDesk>>,
    Path((gateway, token)): Path<(String, String)>,
    Query(mut parameters): Query<Vec<(String, String)>>,
    request: Request,
) -> StatusCode {
    let Ok(body) = body_parameters(request).await else {
        return StatusCode::BAD_REQUEST;
    };
    parameters.extend(body);
    let delivery = Delivery {
        gateway,
        token,
        parameters,
    };
    match desk.take(delivery).await {
        Taken::Kept => StatusCode::OK,
        Taken::Unknown => StatusCode::NOT_FOUND,
        Taken::Unreadable => StatusCode::BAD_REQUEST,
        Taken::Failed => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The pairs of a form, or the plain values at the top of a JSON object; none in any other body.
async fn body_parameters(request: Request) -> Result<Vec<(String, String)>, ()> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
        .to_owned();
    if kind.starts_with("application/x-www-form-urlencoded") && request.method() != "GET" {
        let form = Form::<Vec<(String, String)>>::from_request(request, &()).await;
        return form.map(|Form(pairs)| pairs).map_err(drop);
    }
    if kind.starts_with("application/json") {
        type Object = serde_json::Map<String, serde_json::Value>;
        let object = Json::<Object>::from_request(request, &())
            .await
            .map_err(drop)?;
        let plain = |(key, value): (String, serde_json::Value)| match value {
            serde_json::Value::String(text) => Some((key, text)),
            serde_json::Value::Number(number) => Some((key, number.to_string())),
            serde_json::Value::Bool(yes) => Some((key, yes.to_string())),
            serde_json::Value::Null
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => None,
        };
        return Ok(object.0.into_iter().filter_map(plain).collect());
    }
    Ok(Vec::new())
}

/// What the health routes ask the daemon.
pub trait Vital: Send + Sync + 'static {
    /// Whether its loops move; else why not.
    fn live(&self) -> Result<(), String>;

    /// Whether it can do its work: store and baseline. A gateway's trouble is no reason: restarting
    /// us would not help it.
    fn ready(&self) -> Answering<'_, Result<(), String>>;

    /// The figures, in the OpenMetrics text format.
    fn metrics(&self) -> Answering<'_, String>;
}

/// The media type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /livez`, `/readyz` and `/metrics`.
pub fn health(vital: Arc<dyn Vital>) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(vital)
}

async fn live(State(vital): State<Arc<dyn Vital>>) -> (StatusCode, String) {
    verdict(vital.live())
}

async fn ready(State(vital): State<Arc<dyn Vital>>) -> (StatusCode, String) {
    verdict(vital.ready().await)
}

async fn metrics(State(vital): State<Arc<dyn Vital>>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, OPEN_METRICS)],
        vital.metrics().await,
    )
}

fn verdict(answer: Result<(), String>) -> (StatusCode, String) {
    match answer {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}
