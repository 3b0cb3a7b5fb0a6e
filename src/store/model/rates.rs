//! The tokens of a gateway's rate, on the model's own clock.

use std::time::Duration;

use super::{State, count};
use crate::domain::rate::{Bucket, Rate};
use crate::store::ClaimAsk;

impl State {
    /// The tokens that are there; `None` where the gateway has no rate.
    pub(super) fn tokens(&self, ask: &ClaimAsk) -> Option<Bucket> {
        let (rate, now) = (ask.rate?, self.db_now.0);
        Some(match self.buckets.get(&ask.gateway) {
            Some(bucket) => rate.filled(*bucket, now),
            None => rate.full(now),
        })
    }

    /// Takes what was claimed out of the bucket.
    pub(super) fn spend(&mut self, ask: &ClaimAsk, bucket: Option<Bucket>, claimed: usize) {
        if let Some(bucket) = bucket {
            let rest = bucket.without(count(claimed));
            self.buckets.insert(ask.gateway.clone(), rest);
        }
    }

    pub(super) fn next_tokens(&self, gateway: &str, rate: Rate) -> Duration {
        let bucket = self.buckets.get(gateway);
        bucket.map_or(Duration::ZERO, |bucket| rate.wait(*bucket, self.db_now.0))
    }
}
