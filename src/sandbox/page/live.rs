//! The event stream: each region of the page, whenever it reads otherwise than before.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use minijinja::value::{Serde, Value};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::assets::REGIONS;
use super::view::View;
use super::{Ask, Page};

/// The store does not ring: the tally is looked at so often.
const LOOK: Duration = Duration::from_millis(700);
/// The least time between two looks, however often the bell rings.
const REST: Duration = Duration::from_millis(200);

/// One open stream.
struct Watcher {
    page: Page,
    ask: Ask,
    bell: watch::Receiver<u64>,
    sent: BTreeMap<&'static str, String>,
    waiting: Vec<Event>,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

/// Streams the regions as server-sent events named after them.
pub(super) async fn stream(State(page): State<Page>, Query(ask): Query<Ask>) -> Response {
    let Ok(place) = std::sync::Arc::clone(&page.streams).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "Too many open pages.\n").into_response();
    };
    let watcher = Watcher {
        bell: page.bell.listen(),
        stop: page.sandbox.stop.clone(),
        page,
        ask,
        sent: BTreeMap::new(),
        waiting: Vec::new(),
        _place: place,
    };
    let events = stream::unfold(watcher, |mut watcher| async {
        let event = watcher.next().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

impl Watcher {
    /// The next region that reads otherwise; `None` when the sandbox ends.
    async fn next(&mut self) -> Option<Event> {
        let stop = self.stop.clone();
        stop.run_until_cancelled(async {
            loop {
                if let Some(event) = self.waiting.pop() {
                    return event;
                }
                self.look().await;
                if self.waiting.is_empty() {
                    self.rest().await;
                }
            }
        })
        .await
    }

    async fn look(&mut self) {
        let view = Value::from(Serde(View::of(&self.page, &self.ask).await));
        for (region, template) in REGIONS {
            let Ok(html) = self.page.render(template, &view) else {
                continue;
            };
            if self.sent.get(region) != Some(&html) {
                self.waiting
                    .push(Event::default().event(region).data(&html));
                self.sent.insert(region, html);
            }
        }
    }

    async fn rest(&mut self) {
        let clock = self.page.clock;
        clock.pause(REST).await;
        tokio::select! {
            biased;
            _ = self.bell.changed() => {}
            () = clock.pause(LOOK) => {}
        }
    }
}
