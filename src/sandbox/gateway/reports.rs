//! Delivery reports: a GET to the client's callback URL with the query parameter `state`, soon
//! after, until it answers 2xx.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Gateway, SmsState};
use crate::clock::Clock;

/// How long a message travels to its phone.
const TRAVEL: Duration = Duration::from_millis(600);
/// How long the client may take to answer a report.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Reports under way at a time.
const IN_FLIGHT: usize = 16;
/// How often a report is repeated when the client does not take it...
const TRIES: u32 = 6;
/// ...and how long it waits between.
const PAUSE: Duration = Duration::from_secs(2);

/// Sends reports in the background.
#[derive(Clone)]
pub(in crate::sandbox) struct Reporter {
    http: reqwest::Client,
    clock: Clock,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Reporter {
    pub(in crate::sandbox) fn new(
        clock: Clock,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(trusts_nobody())
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER_LIMIT)
            .build()?;
        Ok(Self {
            http,
            clock,
            room: Arc::new(Semaphore::new(IN_FLIGHT)),
            tasks,
            stop,
        })
    }

    /// Lets the message travel, sets its fate and reports it, if the client wants reports.
    pub(super) fn later(&self, gateway: Gateway, sms: u64, fate: SmsState, callback: Option<Url>) {
        let this = self.clone();
        let travel = async move {
            this.clock.pause(TRAVEL).await;
            gateway.arrive(sms, fate);
            if let Some(callback) = callback {
                this.report(callback, fate).await;
            }
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let _stopped = stop.run_until_cancelled(travel).await;
        });
    }

    async fn report(&self, mut callback: Url, fate: SmsState) {
        callback.query_pairs_mut().append_pair("state", fate.word());
        for _ in 0..TRIES {
            let Ok(place) = self.room.acquire().await else {
                return;
            };
            let answer = self.http.get(callback.clone()).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            drop(place);
            self.clock.pause(PAUSE).await;
        }
    }
}

/// Reads a callback URL; only plain HTTP to a loopback address is one.
pub(super) fn loopback_url(url: &str) -> Result<Url, &'static str> {
    let url = Url::parse(url).map_err(|_| "\"callback_url\" is not a URL")?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host
        .parse()
        .is_ok_and(|address: IpAddr| address.is_loopback());
    if url.scheme() == "http" && loopback {
        Ok(url)
    } else {
        Err("\"callback_url\" must be http:// to a loopback address: nothing leaves this machine")
    }
}

/// A TLS configuration that trusts no certificate at all: the sandbox talks plain HTTP to this
/// machine, and could not talk to another if it tried.
fn trusts_nobody() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring offers TLS 1.2 and 1.3")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}
