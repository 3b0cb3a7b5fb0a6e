//! What happened in the sandbox, in a few words for the people who watch: the story's steps and the
//! answers to their own buttons. Bounded, in memory, in both languages.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::Bell;
use crate::clock::Clock;

/// Lines kept.
const LINES_KEPT: usize = 100;

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The story's next step.
    Story,
    /// What was asked for is done.
    Done,
    /// What was asked for could not be done.
    Refused,
}

/// One sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Norwegian Bokmål.
    pub nb: String,
    /// English.
    pub en: String,
}

impl Said {
    /// A sentence in both languages.
    #[must_use]
    pub fn new(nb: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            nb: nb.into(),
            en: en.into(),
        }
    }
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number, counted from 1.
    pub number: u64,
    /// When, in domain time.
    pub at: DateTime<Utc>,
    /// How it is meant.
    pub kind: Kind,
    /// What happened.
    pub said: Said,
}

/// The lines, shared by the story and the page.
#[derive(Clone)]
pub struct Feed {
    lines: Arc<Mutex<VecDeque<Line>>>,
    clock: Clock,
    bell: Bell,
}

impl Feed {
    pub(super) fn new(clock: Clock, bell: Bell) -> Self {
        Self {
            lines: Arc::default(),
            clock,
            bell,
        }
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line and returns its number.
    pub fn say(&self, kind: Kind, said: Said) -> u64 {
        let number = {
            let mut lines = self.lines();
            let number = lines.back().map_or(0, |last| last.number) + 1;
            if lines.len() == LINES_KEPT {
                lines.pop_front();
            }
            lines.push_back(Line {
                number,
                at: self.clock.now(),
                kind,
                said,
            });
            number
        };
        self.bell.ring();
        number
    }

    /// The newest lines first, at most `limit`.
    #[must_use]
    pub fn newest(&self, limit: usize) -> Vec<Line> {
        self.lines().iter().rev().take(limit).cloned().collect()
    }

    /// One line, if it is still kept.
    #[must_use]
    pub fn find(&self, number: u64) -> Option<Line> {
        let lines = self.lines();
        lines.iter().find(|line| line.number == number).cloned()
    }
}
