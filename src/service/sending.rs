//! Whether this node may send: not while the store is locked, and not while outcomes cannot be
//! written. It goes on by itself as soon as the reason is gone.
//!
//! Nothing here decides what becomes of a message; it only keeps messages from leaving.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::journal::{Journal, JournalError};
use crate::clock::Clock;
use crate::store::{AttemptId, Claim, Cluster, Lock, Locked, Remembered, Standing, StoreResult};

/// The journal is synced so often, when something was appended.
const SYNC_EVERY: Duration = Duration::from_millis(500);

/// What cannot be written when the journal of attempts cannot.
const JOURNAL: &str = "the journal of attempts";

/// Whether a node may send. Without a journal (in tests) it finds out nothing about the store's past.
#[derive(Debug, Default)]
pub struct Sending {
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    journal: Option<Journal>,
    /// Of the store's, what the journal goes on with.
    last: Option<Remembered>,
    unsynced: bool,
    locked: Option<Kept>,
    /// Which lines cannot write, and why.
    troubles: BTreeMap<String, String>,
}

/// What keeps the node from sending until a person has resolved it.
#[derive(Clone, Debug)]
struct Kept {
    why: String,
    /// How often the store had been recovered when it was found.
    recoveries: u32,
}

impl Sending {
    /// One that remembers attempts in this journal.
    #[must_use]
    pub fn with(journal: Journal) -> Self {
        let inside = Inside {
            journal: Some(journal),
            ..Inside::default()
        };
        Self {
            inside: Mutex::new(inside),
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message may leave now.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn may_send(&self) -> Result<(), String> {
        let inside = self.inside();
        if let Some(kept) = &inside.locked {
            return Err(kept.why.clone());
        }
        if inside.journal.is_some() && inside.last.is_none() {
            return Err("the journal of attempts is not begun".to_owned());
        }
        inside.trouble().map_or(Ok(()), Err)
    }

    /// Why nothing is sent until the store can be written again.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.inside().trouble()
    }

    /// What cannot be written, by its name alone: words that may leave the house.
    #[must_use]
    pub fn unwritten(&self) -> Option<String> {
        self.inside().troubles.keys().next().cloned()
    }

    /// Why nothing is sent until a person has run `varsel recover`.
    #[must_use]
    pub fn locked(&self) -> Option<String> {
        self.inside().locked.as_ref().map(|kept| kept.why.clone())
    }

    /// What the node remembers of the store, for its claims.
    #[must_use]
    pub fn remembered(&self) -> Option<Remembered> {
        self.inside().last
    }

    /// Remembers what was claimed, before its first byte.
    ///
    /// # Errors
    /// When the journal cannot be written: nothing of it may leave, and nothing more is claimed
    /// before [`Sending::look`] could write it.
    pub fn claimed(&self, claims: &[Claim]) -> Result<(), JournalError> {
        let newest = claims.iter().max_by_key(|claim| claim.attempt);
        let mut inside = self.inside();
        let (Some(newest), Some(last)) = (newest, inside.last) else {
            return Ok(());
        };
        let written = inside.remember(Remembered {
            attempt: newest.attempt,
            nonce: newest.nonce,
            ..last
        });
        if written.is_err() {
            inside.note(JOURNAL, &written);
        }
        written
    }

    /// Looks whether the store is the one that the node remembers, and locks it where it is not. At
    /// the start this comes before the node announces itself.
    ///
    /// # Errors
    /// When the store fails or the journal cannot be written.
    pub async fn look<C: Cluster>(
        &self,
        store: &C,
        node: &str,
        now: DateTime<Utc>,
    ) -> StoreResult<()> {
        if self.inside().journal.is_none() {
            return Ok(());
        }
        let standing = store.standing(node, self.remembered()).await?;
        let standing = match self.remembers_otherwise(&standing) {
            // What the journal holds is known only now that the store's name is.
            Some(remembered) => store.standing(node, Some(remembered)).await?,
            None => standing,
        };
        let found = self.inside().judge(&standing, node, now);
        if let Some(lock) = found {
            store.lock(&lock).await?;
        }
        Ok(())
    }

    fn remembers_otherwise(&self, standing: &Standing) -> Option<Remembered> {
        let mut inside = self.inside();
        if inside.last.is_some() {
            return None;
        }
        let journal = inside.journal.as_ref();
        inside.last = journal.and_then(|journal| journal.of(&standing.store));
        inside.last
    }

    /// A line of the service cannot write, or can again. As long as one cannot, none sends.
    pub fn note<T, E: std::fmt::Display>(&self, line: &str, written: &Result<T, E>) {
        self.inside().note(line, written);
    }

    /// Syncs the journal again and again until `stop`.
    pub async fn keep_synced(self: std::sync::Arc<Self>, clock: Clock, stop: CancellationToken) {
        loop {
            let stopped = stop.is_cancelled();
            self.sync().await;
            if stopped {
                return;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = clock.pause(SYNC_EVERY) => {}
            }
        }
    }

    async fn sync(&self) {
        let file = {
            let mut inside = self.inside();
            if !std::mem::take(&mut inside.unsynced) {
                return;
            }
            inside.journal.as_ref().and_then(|j| j.handle().ok())
        };
        let synced = tokio::task::spawn_blocking(move || file.map(|file| file.sync_data()));
        if !matches!(synced.await, Ok(Some(Ok(())))) {
            tracing::error!("the journal of attempts cannot be synced; it will be tried again");
            self.inside().unsynced = true;
        }
    }
}

impl Inside {
    fn note<T, E: std::fmt::Display>(&mut self, line: &str, written: &Result<T, E>) {
        let before = self.troubles.len();
        match written {
            Ok(_) => drop(self.troubles.remove(line)),
            Err(why) => drop(self.troubles.insert(line.to_owned(), why.to_string())),
        }
        match (before, self.trouble()) {
            (0, Some(why)) => tracing::error!("nothing is sent: {why}"),
            (1, None) => tracing::info!("outcomes can be written again: sending goes on"),
            _ => {}
        }
    }

    fn trouble(&self) -> Option<String> {
        let (line, why) = self.troubles.first_key_value()?;
        Some(format!("outcomes cannot be written ({line}): {why}"))
    }

    fn remember(&mut self, new: Remembered) -> Result<(), JournalError> {
        let newer = self
            .last
            .is_none_or(|last| (last.recoveries, last.attempt) < (new.recoveries, new.attempt));
        if let Some(journal) = self.journal.as_mut().filter(|_| newer) {
            journal.append(new)?;
            (self.last, self.unsynced) = (Some(new), true);
        }
        Ok(())
    }

    /// What the store's standing means: the lock to set, if any is missing.
    fn judge(&mut self, standing: &Standing, node: &str, now: DateTime<Utc>) -> Option<Lock> {
        if let Some(lock) = standing.locks.iter().find(|lock| lock.keeps(node)) {
            self.keep(lock, standing);
            return None;
        }
        let waited = self.locked.as_ref().map(|kept| kept.recoveries);
        let recovered = waited.is_some_and(|then| then < standing.recoveries);
        let why = match self.last {
            Some(last) if last.recoveries > standing.recoveries => Some(Locked::OlderState),
            Some(last) if last.recoveries == standing.recoveries && !standing.holds_it => {
                Some(Locked::OlderState)
            }
            Some(_) => None,
            None if standing.knows_node && !recovered => Some(Locked::NoJournal),
            None => None,
        };
        if let Some(why) = why {
            let lock = Lock {
                node: node.to_owned(),
                why,
                since: now,
                remembered: self.last.map_or(AttemptId(0), |last| last.attempt),
                newest: standing.newest,
            };
            self.keep(&lock, standing);
            return Some(lock);
        }
        self.go_on(standing);
        None
    }

    fn keep(&mut self, lock: &Lock, standing: &Standing) {
        if self.locked.is_none() {
            let why = explained(lock);
            tracing::error!("locked, nothing is sent: {why}");
            self.locked = Some(Kept {
                why,
                recoveries: standing.recoveries,
            });
        }
    }

    fn go_on(&mut self, standing: &Standing) {
        if self.locked.take().is_some() {
            tracing::info!("the store was recovered: sending goes on");
        }
        let now = standing.to_remember();
        let written = match (self.last, &mut self.journal) {
            (Some(last), _) if last.recoveries == now.recoveries => self.remember(now),
            (_, Some(journal)) => journal.begin(&standing.store, now).map(|()| {
                self.last = Some(now);
            }),
            (_, None) => Ok(()),
        };
        // What was claimed and could not be remembered is newer: only a line that was written says
        // that it can be.
        self.note(JOURNAL, &written);
    }
}

/// A lock in words.
#[must_use]
pub fn explained(lock: &Lock) -> String {
    match lock.why {
        Locked::OlderState => format!(
            "the store does not hold attempt {} of node \"{}\": an older state of it was put back; \
             `varsel recover` explains",
            lock.remembered.0, lock.node
        ),
        Locked::NoJournal => format!(
            "node \"{}\" has worked on this store, and its journal of attempts is gone: nobody can \
             say whether the store is as it was left; `varsel recover` explains",
            lock.node
        ),
        Locked::Moved => {
            "the store was copied into another database, which has taken its place".to_owned()
        }
    }
}
