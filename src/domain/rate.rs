//! How fast a gateway may be given messages: a bucket that fills with the rate and holds one burst, and
//! each message takes a token out of it. Pure; whoever shares the bucket keeps it and says when it is.

use std::time::Duration;

/// A gateway with many messages a second is not looked at for each of them: what waits for tokens waits
/// for this part of a second's.
const PARTS_OF_A_SECOND: u32 = 20;

/// How fast a gateway may be given messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Messages a second, on the average; at least 1.
    pub per_second: u32,
    /// At most so many at once, after a rest; at least 1.
    pub burst: u32,
}

/// What was left in a bucket, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Thousandths of tokens: with them a rate per second is a whole number per millisecond.
    pub thousandths: i64,
    /// When, in milliseconds of the clock of those who share it.
    pub at_ms: i64,
}

impl Rate {
    /// A bucket nobody has taken anything from.
    #[must_use]
    pub fn full(self, now_ms: i64) -> Bucket {
        Bucket {
            thousandths: self.most(),
            at_ms: now_ms,
        }
    }

    /// The bucket now. A clock that was set back fills nothing, and keeps nobody waiting for the
    /// time it had shown.
    #[must_use]
    pub fn filled(self, bucket: Bucket, now_ms: i64) -> Bucket {
        let passed = now_ms.saturating_sub(bucket.at_ms).max(0);
        let more = passed.saturating_mul(self.per_second.into());
        let thousandths = bucket.thousandths.saturating_add(more).min(self.most());
        Bucket {
            thousandths,
            at_ms: now_ms,
        }
    }

    /// How long after `now_ms` it is worth looking again; zero where there are tokens enough.
    #[must_use]
    pub fn wait(self, bucket: Bucket, now_ms: i64) -> Duration {
        let some = (self.per_second / PARTS_OF_A_SECOND).clamp(1, self.burst.max(1));
        let lacking = i64::from(some) * 1000 - self.filled(bucket, now_ms).thousandths;
        let rate = i64::from(self.per_second.max(1));
        let wait = lacking.max(0).saturating_add(rate - 1) / rate;
        Duration::from_millis(wait.unsigned_abs())
    }

    fn most(self) -> i64 {
        i64::from(self.burst) * 1000
    }
}

impl Bucket {
    /// Whole tokens.
    #[must_use]
    pub fn tokens(self) -> u32 {
        u32::try_from(self.thousandths / 1000).unwrap_or_default()
    }

    /// The bucket without so many tokens.
    #[must_use]
    pub fn without(self, tokens: u32) -> Self {
        Self {
            thousandths: self.thousandths - i64::from(tokens) * 1000,
            ..self
        }
    }
}
