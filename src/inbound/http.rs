//! The HTTP server: a router behind named limits, and an end that waits for what is on its way.
//!
//! A client that is slow, too long or one too many costs a connection for a bounded time and
//! nothing else.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::clock::Clock;

/// What one server grants its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; further ones wait in the system's queue.
    pub max_connections: usize,
    /// The head of a request must have arrived within this.
    pub read_timeout: Duration,
    /// A request must be read and answered within this; a streamed answer may last longer.
    pub request_timeout: Duration,
    /// No request body is longer, in bytes.
    pub max_body_bytes: usize,
    /// After the stop, requests under way may finish within this.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 256,
            read_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            max_body_bytes: 64 * 1024,
            drain: Duration::from_secs(5),
        }
    }
}

/// After a failed accept (no file descriptors left), how long nothing is accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Serves `router` until `stop`, then lets requests under way finish within the drain limit.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, limits: Limits) {
    let router = router
        .layer(RequestBodyLimitLayer::new(limits.max_body_bytes))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            limits.request_timeout,
        ));
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let mut connections = JoinSet::new();
    while let Some(stream) = next(&listener, &stop, &places, &mut connections).await {
        let (stream, place) = stream;
        let connection = converse(stream, router.clone(), stop.clone(), limits);
        connections.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, all_ended).await.is_err() {
        tracing::info!("connections were still open at the end of the HTTP server's drain");
    }
    // What is left of the set is aborted when it is dropped.
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is a place for it; `None` after the stop.
async fn next(
    listener: &TcpListener,
    stop: &CancellationToken,
    places: &Arc<Semaphore>,
    connections: &mut JoinSet<()>,
) -> Option<(TcpStream, Place)> {
    let place = stop
        .run_until_cancelled(Arc::clone(places).acquire_owned())
        .await?
        .expect("the semaphore is never closed");
    loop {
        // Tasks that have ended leave the set here; their panics were told by the panic hook.
        while connections.try_join_next().is_some() {}
        match stop.run_until_cancelled(listener.accept()).await? {
            Ok((stream, _)) => return Some((stream, place)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                Clock::system().pause(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection with all its requests.
async fn converse(stream: TcpStream, router: Router, stop: CancellationToken, limits: Limits) {
    // Without it small answers wait for the client's acknowledgement; a failure costs only speed.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.read_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let result = tokio::select! {
        biased;
        result = &mut connection => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
