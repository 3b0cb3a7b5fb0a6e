//! Starts the service in order: sources and gateways are checked before anything is bound, and
//! nothing is sent before everything stands.

mod gateways;
mod sending_test;
mod sources;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use self::gateways::{bounces, gateway, profiles, told_on, ways};
pub use self::sending_test::{TestText, send_test};
use self::sources::open_sources;
pub use self::sources::{Rehearsed, rehearse_source};
use super::alarms::Duty;
use super::beat::Beat;
use super::chance::Chance;
use super::journal::{Journal, JournalError};
use super::pauses::Pauses;
use super::sending::Sending;
use super::settings::{GatewaySettings, HttpSettings, Settings};
use super::supervise::{self, Ended, Parts};
use super::vital::Health;
use super::waking;
use super::{Pulse, Shared, Trust, Wakes, announce, beats};
use crate::domain::appointment::SourceName;
use crate::domain::directory::Directory;
use crate::domain::plan::Rules;
use crate::inbound::http::{self, Limits};
use crate::inbound::lmtp;
use crate::inbound::routes;
use crate::service::reports::Reports;
use crate::source::sql::Bell;
use crate::source::{AnySource, Source, SourceError};
use crate::store::{Store, StoreError, SweepLimits};
use crate::telemetry::Metrics;
use crate::template::Templates;

/// What keeps the service from starting; nothing was sent, nothing is lost.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A booking system is not there, or does not fit its mapping.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A gateway's profile or secret is not right.
    #[error("gateway \"{name}\": {problem}")]
    Gateway {
        /// Its configured name.
        name: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The dead man's beat cannot be sent.
    #[error("the beat cannot be sent: {0}; set [alarms] beat_url")]
    Beat(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal of attempts cannot be used.
    #[error("{0}; set [store] journal to a place that the daemon may write to")]
    Journal(#[from] JournalError),
    /// The place for mails that come back cannot be listened on.
    #[error(
        "cannot listen on {place}: {problem}; set [inbound] lmtp to a free place, or remove it"
    )]
    ListenForMails {
        /// The place.
        place: lmtp::Place,
        /// What the system said.
        problem: std::io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {problem}; set [http] listen to a free address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        problem: std::io::Error,
    },
}

impl StartError {
    /// Whether the configuration is at fault, rather than something that is not there just now.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Source(SourceError::Mapping { .. }) | Self::Gateway { .. } | Self::Beat(_) => {
                true
            }
            Self::Store(StoreError::Unfit(_)) => true,
            Self::Source(_)
            | Self::Store(_)
            | Self::Journal(_)
            | Self::Listen { .. }
            | Self::ListenForMails { .. } => false,
        }
    }
}

/// A service that stands and waits to be run.
pub struct Service<S> {
    parts: Parts<S, AnySource>,
    listener: TcpListener,
    router: Router,
    limits: Limits,
    reports: Arc<Reports<S>>,
    mails: Option<lmtp::Listener>,
    bells: Vec<(SourceName, Bell)>,
}

/// Checks and opens everything; nothing is read or sent yet.
///
/// # Errors
/// [`StartError`] names what is missing and where.
pub async fn start<S: Store>(
    settings: Settings,
    store: S,
    directory: Arc<Directory>,
    templates: Arc<Templates>,
) -> Result<Service<S>, StartError> {
    let sources = open_sources(&settings, &store, &directory).await?;
    let told_on = told_on(&settings.gateways);
    let sending = join(&settings, &store).await?;
    let secrets = (store.secret("mail").await?, store.secret("reports").await?);
    let listener = listen(&settings.http).await?;
    let mails = listen_for_mails(settings.lmtp.as_ref()).await?;
    let base = public_url(&settings.http, &listener);
    let profiles = profiles(&settings.gateways);
    let bounces = bounces(&settings.gateways);
    let ways = ways(settings.gateways, &base, settings.quarantine_margin)?;
    let gateways: Vec<_> = ways.iter().map(|way| way.gateway.clone()).collect();
    let pace = settings.alarm_pace;
    let duty = Duty::new(settings.alarm_recipients, ways, pace.zone);
    let read = sources.iter().map(|(source, ..)| source.name());
    let beat = Beat::watched(&settings.beat, &gateways, read, pace.limits.stale_after);
    let beat = beat.map_err(|error| StartError::Beat(error.to_string()))?;
    let (bells, wake_secrets) = waking::of(&settings.sources);
    let shared = Arc::new(Shared {
        node: settings.node,
        clock: settings.clock,
        chance: Chance::system(),
        sources: settings.sources.iter().map(|s| s.name().clone()).collect(),
        directory,
        templates,
        sweep: sweep_limits(&settings.rules, settings.canary_wait),
        rules: settings.rules,
        brake: settings.brake,
        retry: settings.retry,
        told_on,
        mail_secret: secrets.0,
        report_secret: secrets.1,
        metrics: Metrics::default(),
        wakes: Wakes::default(),
        pauses: Pauses::default(),
        pulse: Pulse::default(),
        trust: Trust::default(),
        sending,
        look_again: settings.look_again,
    });
    beats::beat(&shared, &store).await?;
    let reports = Reports::new(Arc::clone(&shared), store.clone(), profiles, bounces);
    let reports = Arc::new(reports);
    let health = Health::new(Arc::clone(&shared), store.clone());
    let router = routes::health(Arc::new(health))
        .merge(routes::reports(reports.clone()))
        .merge(waking::router(&shared, wake_secrets));
    let parts = Parts {
        shared,
        store,
        sources,
        gateways,
        duty: (duty, pace),
        beat,
        retention: settings.retention,
        drain_limit: settings.drain_limit,
    };
    Ok(Service {
        parts,
        listener,
        router,
        limits: limits(&settings.http, settings.drain_limit),
        reports,
        mails,
        bells,
    })
}

/// Whether this gateway could be started; nothing is connected.
///
/// # Errors
/// As [`start`].
pub fn rehearse_gateway(settings: GatewaySettings, http: &HttpSettings) -> Result<(), StartError> {
    gateway(settings, &http.base(), Duration::ZERO)?;
    Ok(())
}

/// Whether the address is free: it is bound for a moment, and not listened on.
///
/// # Errors
/// As [`start`].
pub fn rehearse_listening(address: SocketAddr) -> Result<(), StartError> {
    let bind = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // As a listener does; without it the rest of a closed connection would look like a listener.
        socket.set_reuseaddr(true)?;
        socket.bind(address)
    };
    bind().map_err(|problem| StartError::Listen { address, problem })
}

/// Whether mails that come back could be taken at this place. An address is bound for a moment; of a
/// socket file only the folder is looked at, and whether somebody listens there.
///
/// # Errors
/// As [`start`].
pub async fn rehearse_mails(place: &lmtp::Place) -> Result<(), StartError> {
    let refused = |problem| StartError::ListenForMails {
        place: place.clone(),
        problem,
    };
    match place {
        lmtp::Place::Tcp(address) => rehearse_listening(*address).map_err(|error| match error {
            StartError::Listen { problem, .. } => refused(problem),
            other => other,
        }),
        lmtp::Place::Unix(path) => lmtp::is_free(path).await.map_err(refused),
    }
}

/// Compares the store with what the node remembers of it, and announces the node. In this order:
/// once it is announced, its name says nothing any more.
async fn join<S: Store>(settings: &Settings, store: &S) -> Result<Arc<Sending>, StartError> {
    let sending = Arc::new(Sending::with(Journal::open(&settings.journal)?));
    let now = settings.clock.now();
    sending.look(store, &settings.node, now).await?;
    store.join(&settings.node).await?;
    Ok(sending)
}

fn sweep_limits(rules: &Rules, canary_wait: Duration) -> SweepLimits {
    SweepLimits {
        batch: SWEEP_BATCH,
        parked: PARKED,
        canary_wait,
        rung_time: rules.rung_time,
        quiet_reserve: rules.quiet_reserve,
        tried_since: None,
    }
}

/// At most so many messages of each kind are swept at once.
const SWEEP_BATCH: u32 = 1_000;

/// A report whose attempt has not come to light within a week is let go: gateways report for days,
/// and an attempt that a restore has lost stays lost.
const PARKED: Duration = Duration::from_secs(7 * 24 * 3600);

impl<S: Store> Service<S> {
    /// What every line shares.
    #[must_use]
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.parts.shared)
    }

    /// Where health, metrics and reports are served.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where mails that come back are taken, on TCP.
    #[must_use]
    pub fn lmtp_address(&self) -> Option<SocketAddr> {
        self.mails.as_ref().and_then(lmtp::Listener::address)
    }

    /// Runs until `stop`, then drains. The servers outlive the lines, so that reports that come
    /// while draining are still taken.
    pub async fn run(self, stop: CancellationToken) -> Ended {
        let closed = CancellationToken::new();
        let server = http::serve(self.listener, self.router, closed.clone(), self.limits);
        let server = tokio::spawn(server);
        let mails = self.mails.map(|listener| {
            let limits = lmtp::Limits::default();
            tokio::spawn(lmtp::serve(listener, self.reports, closed.clone(), limits))
        });
        let shared = Arc::clone(&self.parts.shared);
        let watchdog = tokio::spawn(announce::watchdog(shared, closed.clone()));
        let bells = self.bells.into_iter().map(|(source, bell)| {
            let (shared, closed) = (Arc::clone(&self.parts.shared), closed.clone());
            tokio::spawn(waking::listen(source, bell, shared, closed))
        });
        let bells: Vec<_> = bells.collect();
        announce::ready();
        let ended = supervise::run(self.parts, stop).await;
        closed.cancel();
        let _ = watchdog.await;
        for bell in bells {
            let _ = bell.await;
        }
        if server.await.is_err() {
            tracing::error!("the HTTP server broke");
        }
        if let Some(mails) = mails
            && mails.await.is_err()
        {
            tracing::error!("the LMTP server broke");
        }
        ended
    }
}

async fn listen(settings: &HttpSettings) -> Result<TcpListener, StartError> {
    let address = settings.listen;
    TcpListener::bind(address)
        .await
        .map_err(|problem| StartError::Listen { address, problem })
}

async fn listen_for_mails(
    place: Option<&lmtp::Place>,
) -> Result<Option<lmtp::Listener>, StartError> {
    let Some(place) = place else { return Ok(None) };
    let listener = lmtp::Listener::bind(place).await;
    let listener = listener.map_err(|problem| StartError::ListenForMails {
        place: place.clone(),
        problem,
    })?;
    Ok(Some(listener))
}

fn public_url(settings: &HttpSettings, listener: &TcpListener) -> String {
    let bound = listener.local_addr().unwrap_or(settings.listen);
    settings
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{bound}"))
}

fn limits(settings: &HttpSettings, drain: Duration) -> Limits {
    Limits {
        max_connections: settings.max_connections,
        read_timeout: settings.read_timeout,
        request_timeout: settings.read_timeout * 2,
        max_body_bytes: settings.max_body_bytes,
        drain,
    }
}
