//! What wakes a source before its time: a signed request, or a word from its own database.
//!
//! A wake-up carries no data and proves nothing: it only makes us look, as we would have done a little
//! later. So one that gets lost costs time and never a change, and one that is forged costs a look.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::clock::{Clock, Mono};
use crate::domain::appointment::SourceName;
use crate::inbound::wake::{self, Ring, Rung, WakeDesk};
use crate::source::Settings;
use crate::source::sql::Bell;

/// A request that is older, or from further in the future, is not believed, in seconds.
const STALE_SECONDS: u64 = 300;
/// So many requests of one source are remembered, so that none counts twice.
const REMEMBERED: usize = 1_024;
/// No more requests of one source are heard...
const MOST_RINGS: usize = 60;
/// ...within this.
const WITHIN: Duration = Duration::from_secs(60);
/// The wait before a database that does not talk to us is asked to again.
const AGAIN: Duration = Duration::from_secs(10);

/// Judges the wake-ups that come by HTTP.
pub struct Waking {
    shared: Arc<Shared>,
    secrets: Secrets,
    /// The system's clock: signatures are made now, whatever day the daemon lives in.
    clock: Clock,
    heard: Mutex<BTreeMap<SourceName, Heard>>,
}

/// What one source has said lately.
#[derive(Default)]
struct Heard {
    rings: VecDeque<Mono>,
    tags: VecDeque<[u8; 32]>,
}

impl Waking {
    /// Judges by these secrets; a source without one takes no wake-ups.
    #[must_use]
    pub fn new(shared: Arc<Shared>, secrets: Secrets) -> Self {
        Self {
            shared,
            secrets,
            clock: Clock::system(),
            heard: Mutex::default(),
        }
    }

    /// The tag of a request whose signature is right, or what is wrong with it.
    fn proven(&self, ring: &Ring<'_>, secret: &SecretString) -> Result<[u8; 32], Rung> {
        let mac = |parts: &[&[u8]]| {
            let key = secret.expose_secret().as_bytes();
            let mut mac =
                Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
            parts.iter().for_each(|part| mac.update(part));
            mac
        };
        if let Some(signature) = ring.signature {
            let (seconds, tag) = parts(signature).ok_or(Rung::Unknown)?;
            let mac = mac(&[seconds.as_bytes(), b".", ring.body]);
            mac.clone().verify_slice(&tag).map_err(|_| Rung::Unknown)?;
            let at: i64 = seconds.parse().map_err(|_| Rung::Unknown)?;
            let apart = self.clock.now().timestamp().abs_diff(at);
            return match apart <= STALE_SECONDS {
                true => Ok(mac.finalize().into_bytes().into()),
                false => Err(Rung::Stale),
            };
        }
        let tag = ring.cal_signature.and_then(hex).ok_or(Rung::Unknown)?;
        let mac = mac(&[ring.body]);
        mac.clone().verify_slice(&tag).map_err(|_| Rung::Unknown)?;
        Ok(mac.finalize().into_bytes().into())
    }
}

impl WakeDesk for Waking {
    fn ring(&self, ring: Ring<'_>) -> Rung {
        let source = SourceName(ring.source.to_owned());
        let Some(secret) = self.secrets.get(&source) else {
            return Rung::Unknown;
        };
        let tag = match self.proven(&ring, secret) {
            Ok(tag) => tag,
            Err(rung) => return rung,
        };
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let rung = heard.entry(source.clone()).or_default().take(tag);
        drop(heard);
        if rung == Rung::Heard {
            self.shared.wakes.of(&source).notify_one();
        }
        rung
    }
}

impl Heard {
    fn take(&mut self, tag: [u8; 32]) -> Rung {
        if self.tags.contains(&tag) {
            return Rung::Stale;
        }
        while self
            .rings
            .front()
            .is_some_and(|first| first.elapsed() >= WITHIN)
        {
            self.rings.pop_front();
        }
        if self.rings.len() >= MOST_RINGS {
            return Rung::TooMany;
        }
        self.rings.push_back(Mono::now());
        if self.tags.len() >= REMEMBERED {
            self.tags.pop_front();
        }
        self.tags.push_back(tag);
        Rung::Heard
    }
}

/// `t=SECONDS,v1=HEX`.
fn parts(signature: &str) -> Option<(&str, Vec<u8>)> {
    let (time, tag) = signature.trim().split_once(',')?;
    Some((time.strip_prefix("t=")?, hex(tag.strip_prefix("v1=")?)?))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.trim().chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).ok();
    digits.chunks_exact(2).map(byte).collect()
}

/// What wakes sources before their time: databases that ring, and secrets that sign.
pub(super) fn of(sources: &[Settings]) -> (Vec<(SourceName, Bell)>, Secrets) {
    let bells = sources.iter();
    let bells = bells.filter_map(|source| Some((source.name().clone(), source.bell()?)));
    let secrets = sources.iter();
    let secrets =
        secrets.filter_map(|source| Some((source.name().clone(), source.wake_secret.clone()?)));
    (bells.collect(), secrets.collect())
}

/// The routes by which signed requests come.
pub(super) fn router(shared: &Arc<Shared>, secrets: Secrets) -> Router {
    wake::wakes(Arc::new(Waking::new(Arc::clone(shared), secrets)))
}

/// What signs the requests of each source.
pub type Secrets = BTreeMap<SourceName, SecretString>;

/// Wakes a source whenever its database says something, until `stop`.
pub(super) async fn listen(
    source: SourceName,
    mut bell: Bell,
    shared: Arc<Shared>,
    stop: CancellationToken,
) {
    let mut silent = false;
    while let Some(rung) = stop.run_until_cancelled(bell.rung()).await {
        match rung {
            Ok(()) => {
                silent = false;
                shared.wakes.of(&source).notify_one();
            }
            Err(error) => {
                // Once is enough: it is looked at every so often in any case.
                if !silent {
                    tracing::warn!(source = %source, "wake-ups are not heard just now: {error}");
                }
                silent = true;
                let pause = Clock::system();
                if stop.run_until_cancelled(pause.pause(AGAIN)).await.is_none() {
                    return;
                }
            }
        }
    }
}
