//! Which gateways are left alone now, and why: what dispatch knows, for those who tell people.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The gateways that this node leaves alone.
#[derive(Debug, Default)]
pub struct Pauses(Mutex<BTreeMap<String, String>>);

impl Pauses {
    /// A gateway is left alone, because of this. `true` where it was not before.
    pub fn pause(&self, gateway: &str, why: &str) -> bool {
        let old = self.lock().insert(gateway.to_owned(), why.to_owned());
        old.is_none()
    }

    /// A gateway is used again. `true` where it had been left alone.
    pub fn end(&self, gateway: &str) -> bool {
        self.lock().remove(gateway).is_some()
    }

    /// Whether a gateway is left alone.
    #[must_use]
    pub fn holds(&self, gateway: &str) -> bool {
        self.lock().contains_key(gateway)
    }

    /// Every gateway that is left alone, with the reason.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
