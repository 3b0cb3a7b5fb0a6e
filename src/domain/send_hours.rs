//! When one message may leave: its channel's window in its office's zone, kept with the message, so that
//! a retry, a lifted hold or a backlog finds the same hours as the plan.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::calendar::{self, SendWindow};

/// The hours of a day in which a message may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendHours {
    /// The opening.
    pub from: NaiveTime,
    /// The end; on the next day where it is not after `from`.
    pub to: NaiveTime,
    /// Whose hours these are.
    pub zone: Tz,
}

/// A stretch of time in which a message may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its first instant.
    pub from: DateTime<Utc>,
    /// Its end, not included; `None` where nothing ends it.
    pub until: Option<DateTime<Utc>>,
}

impl Slot {
    /// From an instant on, at any hour.
    #[must_use]
    pub fn any_hour(from: DateTime<Utc>) -> Self {
        Self { from, until: None }
    }
}

impl SendHours {
    /// The hours of a window; `None` where it is always open.
    #[must_use]
    pub fn of(window: SendWindow, zone: Tz) -> Option<Self> {
        match window {
            SendWindow::Always => None,
            SendWindow::Daily { from, to } => Some(Self { from, to, zone }),
        }
    }

    /// When a message may leave that could leave at `now`: in the opening that is or comes next. The
    /// hours yield where waiting for it would leave less than `reserve` before `due_by`, or would miss
    /// the last try of the rung, where there is one.
    #[must_use]
    pub fn slot(
        &self,
        now: DateTime<Utc>,
        (due_by, last_try): (DateTime<Utc>, Option<DateTime<Utc>>),
        reserve: Duration,
    ) -> Slot {
        let Self { from, to, zone } = *self;
        let (open, end) = calendar::opening(SendWindow::Daily { from, to }, zone, now);
        let too_late = last_try.is_some_and(|last| open > last.max(now));
        if too_late || due_by - open < TimeDelta::from_std(reserve).unwrap_or(TimeDelta::MAX) {
            Slot::any_hour(now)
        } else {
            Slot {
                from: open,
                until: end,
            }
        }
    }
}

impl fmt::Display for SendHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{} {}", self.from, self.to, self.zone)
    }
}

/// A text that names no hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form \"08:00:00-21:00:00 Europe/Oslo\"")]
pub struct NoHours;

impl FromStr for SendHours {
    type Err = NoHours;

    fn from_str(text: &str) -> Result<Self, NoHours> {
        let (hours, zone) = text.split_once(' ').ok_or(NoHours)?;
        let (from, to) = hours.split_once('-').ok_or(NoHours)?;
        Ok(Self {
            from: from.parse().map_err(|_| NoHours)?,
            to: to.parse().map_err(|_| NoHours)?,
            zone: zone.parse().map_err(|_| NoHours)?,
        })
    }
}
