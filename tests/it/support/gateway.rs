//! An SMS gateway for journeys: a real HTTP server that takes what the sandbox's profile sends,
//! remembers it, and misbehaves on command. It waits for nothing but what a test tells it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::watch;
use varsel::clock::Clock;

/// One SMS as the gateway got it.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Sms {
    pub to: String,
    pub from: String,
    pub text: String,
    pub key: String,
    pub validity_seconds: u64,
    pub callback_url: String,
}

/// What the gateway does with the next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Takes it and says so.
    Accept,
    /// Answers this status and takes nothing.
    Answer(u16),
    /// Takes it and never answers.
    TakeAndHang,
    /// Reads it, forgets it, and never answers.
    LoseAndHang,
    /// Takes it, and answers only after [`Gateway::let_go`].
    TakeAndWait,
    /// Takes it, and answers after so long, as a gateway far away does.
    TakeInTime(Duration),
}

#[derive(Clone)]
pub struct Gateway {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    behaviour: Mutex<Behaviour>,
    hang_after: Mutex<Option<usize>>,
    full_after: Mutex<Option<usize>>,
    answers_questions: Mutex<bool>,
    asked: Mutex<usize>,
    offered: Mutex<usize>,
    taken: watch::Sender<Vec<Sms>>,
    go: watch::Sender<bool>,
}

impl Gateway {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            behaviour: Mutex::new(Behaviour::Accept),
            hang_after: Mutex::new(None),
            full_after: Mutex::new(None),
            answers_questions: Mutex::new(true),
            asked: Mutex::new(0),
            offered: Mutex::new(0),
            taken: watch::Sender::new(Vec::new()),
            go: watch::Sender::new(false),
        });
        let router = Router::new()
            .route("/gateway/messages", post(take))
            .route("/gateway/messages/{key}", get(look_up))
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    pub fn url(&self) -> String {
        format!("http://{}/gateway/messages", self.address)
    }

    pub fn behave(&self, behaviour: Behaviour) {
        if behaviour == Behaviour::TakeAndWait {
            self.inner.go.send_replace(false);
        }
        *self.inner.hang_after.lock().unwrap() = None;
        *self.inner.behaviour.lock().unwrap() = behaviour;
    }

    /// Accepts `count` messages, and takes every later one without answering.
    pub fn hang_after(&self, count: usize) {
        *self.inner.hang_after.lock().unwrap() = Some(count);
    }

    /// Once it has taken `count` messages it answers 503; `None`: it takes all of them.
    pub fn full_after(&self, count: Option<usize>) {
        *self.inner.full_after.lock().unwrap() = count;
    }

    /// Whether it says, asked, what it has taken.
    pub fn answer_questions(&self, answers: bool) {
        *self.inner.answers_questions.lock().unwrap() = answers;
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        *self.inner.asked.lock().unwrap()
    }

    /// How many messages were offered to it, whether it took them or not.
    pub fn offered(&self) -> usize {
        *self.inner.offered.lock().unwrap()
    }

    pub fn let_go(&self) {
        self.inner.go.send_replace(true);
    }

    /// Everything taken so far, in order.
    pub fn taken(&self) -> Vec<Sms> {
        self.inner.taken.borrow().clone()
    }

    /// Waits until `count` messages were taken.
    pub async fn wait_for(&self, count: usize) -> Vec<Sms> {
        let mut taken = self.inner.taken.subscribe();
        let seen = taken
            .wait_for(|messages| messages.len() >= count)
            .await
            .unwrap();
        seen.clone()
    }
}

async fn look_up(State(inner): State<Arc<Inner>>, Path(key): Path<String>) -> Response {
    *inner.asked.lock().unwrap() += 1;
    if !*inner.answers_questions.lock().unwrap() {
        return (StatusCode::INTERNAL_SERVER_ERROR, "not today").into_response();
    }
    let taken = inner.taken.borrow();
    match taken.iter().any(|sms| sms.key == key) {
        true => (StatusCode::OK, format!("{{\"id\":\"{key}\"}}")).into_response(),
        false => (StatusCode::NOT_FOUND, "{}").into_response(),
    }
}

async fn take(State(inner): State<Arc<Inner>>, body: String) -> Response {
    *inner.offered.lock().unwrap() += 1;
    let behaviour = *inner.behaviour.lock().unwrap();
    if let Behaviour::Answer(status) = behaviour {
        let status = StatusCode::from_u16(status).unwrap();
        return (status, "{\"error\":\"as told\"}").into_response();
    }
    let full = *inner.full_after.lock().unwrap();
    if full.is_some_and(|count| inner.taken.borrow().len() >= count) {
        return (StatusCode::SERVICE_UNAVAILABLE, "{}").into_response();
    }
    if behaviour == Behaviour::LoseAndHang {
        std::future::pending::<()>().await;
    }
    let sms: Sms = serde_json::from_str(&body).unwrap();
    let id = sms.key.clone();
    inner.taken.send_modify(|taken| taken.push(sms));
    let hang = *inner.hang_after.lock().unwrap();
    let hangs = hang.is_some_and(|count| inner.taken.borrow().len() > count);
    match if hangs {
        Behaviour::TakeAndHang
    } else {
        behaviour
    } {
        Behaviour::TakeAndHang => std::future::pending::<()>().await,
        Behaviour::TakeAndWait => {
            let _ = inner.go.subscribe().wait_for(|go| *go).await;
        }
        Behaviour::TakeInTime(time) => Clock::system().pause(time).await,
        Behaviour::Accept | Behaviour::Answer(_) | Behaviour::LoseAndHang => {}
    }
    (StatusCode::ACCEPTED, format!("{{\"id\":\"{id}\"}}")).into_response()
}
