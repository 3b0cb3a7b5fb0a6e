//! The only source of chance in the lines: references, keys towards gateways, and the spread of
//! retries. A simulation gives it a seed, and the same seed draws the same again.

use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::domain::reference::Reference;

/// Draws what nobody shall guess.
pub struct Chance(Mutex<StdRng>);

impl Chance {
    /// Chance as the system gives it.
    #[must_use]
    pub fn system() -> Self {
        Self(Mutex::new(rand::make_rng()))
    }

    /// Chance that repeats itself; for simulations only.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// A reference for a new notice.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference::draw(self.with(|rng| rng.random()))
    }

    /// A key under which a gateway shall know a message: 32 hexadecimal digits.
    #[must_use]
    pub fn gateway_key(&self) -> String {
        let key: u128 = self.with(|rng| rng.random());
        format!("{key:032x}")
    }

    /// A nonce for a claim.
    #[must_use]
    pub fn nonce(&self) -> u32 {
        self.with(|rng| rng.random())
    }

    /// Where in its range a retry falls, in [0, 1).
    #[must_use]
    pub fn jitter(&self) -> f64 {
        self.with(|rng| rng.random())
    }

    fn with<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        // Whoever panicked while drawing left a generator behind that is as good as any.
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
