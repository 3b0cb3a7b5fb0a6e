//! The sandbox's page: phones with bubbles, the mailbox, the tally, and buttons that play the agency.
//!
//! Every page is made on the server and every button is a form, so it works without JavaScript; our
//! own script only swaps regions that changed. It shows and asks; it decides nothing.

mod acts;
mod assets;
mod guard;
mod live;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use minijinja::value::{Serde, Value};
use serde::Deserialize;
use tokio::sync::{OnceCell, Semaphore};

use super::mail::ReadMail;
use super::{Bell, Sandbox};
use crate::clock::Clock;
use crate::domain::contact::{Phone, Regions};
pub(super) use guard::guarded;
use view::View;

/// Event streams at a time.
const STREAMS: usize = 16;
/// The longest search, in characters.
const SEARCH_CHARACTERS: usize = 60;

/// Before the register has answered.
static NOBODY: BTreeMap<String, String> = BTreeMap::new();

/// Everything the handlers share.
#[derive(Clone)]
pub(super) struct Page {
    sandbox: Sandbox,
    clock: Clock,
    bell: Bell,
    pages: Arc<minijinja::Environment<'static>>,
    streams: Arc<Semaphore>,
    names: Arc<OnceCell<BTreeMap<String, String>>>,
}

/// What the address bar may ask for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Ask {
    /// Only phones and mails in which this occurs.
    #[serde(default)]
    q: String,
    /// The answer to the button pressed before: a line of the feed.
    svar: Option<u64>,
}

impl Ask {
    /// The search, bounded and in lower case; empty finds everything.
    fn search(&self) -> String {
        let trimmed = self.q.trim().to_lowercase();
        trimmed.chars().take(SEARCH_CHARACTERS).collect()
    }
}

impl Page {
    pub(super) fn new(sandbox: Sandbox, clock: Clock, bell: Bell) -> Self {
        Self {
            sandbox,
            clock,
            bell,
            pages: Arc::new(assets::pages()),
            streams: Arc::new(Semaphore::new(STREAMS)),
            names: Arc::default(),
        }
    }

    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/", get(show))
            .route("/live", get(live::stream))
            .route("/mail/{number}/html", get(mail_html))
            .route("/mail/{number}/raw", get(mail_raw))
            .route("/acts/cancel-day", post(acts::cancel_day))
            .route("/acts/cancel", post(acts::cancel))
            .route("/acts/move", post(acts::move_booking))
            .route("/acts/reinstate", post(acts::reinstate))
            .route("/acts/release", post(acts::release))
            .route("/acts/gateway", post(acts::gateway))
            .route("/acts/mail", post(acts::mail))
            .route("/assets/{name}", get(assets::serve))
            .with_state(self)
    }

    /// The invented people's names by number (E.164) and address; they never change.
    async fn names(&self) -> &BTreeMap<String, String> {
        let read = || async { self.sandbox.register.names().await.map(by_contact) };
        match self.names.get_or_try_init(read).await {
            Ok(names) => names,
            Err(_) => &NOBODY,
        }
    }

    fn render(&self, template: &str, view: &Value) -> Result<String, minijinja::Error> {
        self.pages.get_template(template)?.render(view.clone())
    }
}

/// Numbers were typed in many ways; messages go to their E.164 form.
fn by_contact(typed: Vec<(String, String)>) -> BTreeMap<String, String> {
    let regions = Regions {
        default: "NO",
        plausible: &[],
    };
    let key = |typed: String| match Phone::read(&typed, regions) {
        Ok(phone) => phone.expose().to_owned(),
        Err(_) => typed,
    };
    typed
        .into_iter()
        .map(|(typed, name)| (key(typed), name))
        .collect()
}

async fn show(State(page): State<Page>, Query(ask): Query<Ask>) -> Response {
    let view = Value::from(Serde(View::of(&page, &ask).await));
    match page.render("sandbox.html", &view) {
        Ok(html) => Html(html).into_response(),
        Err(problem) => {
            tracing::error!(%problem, "the sandbox's page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The HTML part of a mail, for a frame in which nothing runs and nothing is fetched.
async fn mail_html(State(page): State<Page>, Path(number): Path<u64>) -> Response {
    let Some(mail) = page.sandbox.mailbox.find(number) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let html = ReadMail::of(&mail.raw).htmls.into_iter().next();
    let html = html.map(|part| part.content).unwrap_or_default();
    (guard::frame_headers(), Html(html)).into_response()
}

/// The mail as it came, for people who want to see the headers.
async fn mail_raw(State(page): State<Page>, Path(number): Path<u64>) -> Response {
    match page.sandbox.mailbox.find(number) {
        Some(mail) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            (kind, mail.raw.to_vec()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
