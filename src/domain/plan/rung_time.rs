//! How long a rung is tried: a share of the time that is left, within bounds.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The timers of the ladder: how long a rung is tried before the next one takes over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RungTime {
    /// The share of the time left until `due_by`, in (0, 1).
    pub share: f64,
    /// Never shorter than this.
    pub least: Duration,
    /// Never longer than this.
    pub most: Duration,
}

impl RungTime {
    /// When a rung that begins at `from` is given up: after its share of the time left until `due_by`,
    /// never past that, and never past its last try where there is one.
    #[must_use]
    pub fn give_up_at(
        &self,
        from: DateTime<Utc>,
        (due_by, last_try): (DateTime<Utc>, Option<DateTime<Utc>>),
    ) -> DateTime<Utc> {
        let left = (due_by - from).to_std().unwrap_or_default();
        let share = left
            .mul_f64(self.share.clamp(0.0, 1.0))
            .max(self.least)
            .min(self.most);
        (from + share).min(last_try.unwrap_or(due_by).max(from))
    }

    /// The latest deadline whose rungs have had their time at `now`, had they begun at `since`;
    /// `None` while no rung has. All earlier deadlines' rungs have had theirs, too.
    #[must_use]
    pub fn over_by(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let tried = (now - since).to_std().ok()?;
        if tried < self.least {
            return None;
        }
        let share = self.share.clamp(0.0, 1.0);
        if tried >= self.most || share == 0.0 {
            return Some(DateTime::<Utc>::MAX_UTC);
        }
        let left = Duration::try_from_secs_f64(tried.as_secs_f64() / share).ok();
        let left = left.and_then(|left| TimeDelta::from_std(left).ok());
        let by = left.and_then(|left| since.checked_add_signed(left));
        Some(by.unwrap_or(DateTime::<Utc>::MAX_UTC))
    }
}
