//! How far a wait is: a bar on a terminal, a few lines in a file or a pipe.

use std::time::Duration;

use indicatif::ProgressBar;

use crate::cli::out;
use crate::clock::Mono;
use crate::store::Tally;

/// Where no bar can be drawn, a line is written at most this often.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// How many people are told, of all that must be.
pub(super) struct Bar {
    drawn: Option<ProgressBar>,
    /// When the last line was written, and what it said.
    last: Option<(Mono, String)>,
}

impl Bar {
    /// A bar on standard error if that is a terminal, and lines there if it is not.
    pub(super) fn new() -> Self {
        Self {
            drawn: out::bar("{wide_bar} {pos} of {len} people {msg}"),
            last: None,
        }
    }

    /// Says what comes before there is anything to count.
    pub(super) fn begin(&self, what: &str) {
        if self.drawn.is_none() {
            out::note(what);
        }
    }

    /// Shows how things stand, as soon as there is anybody to tell: nobody of nobody is not done.
    pub(super) fn show(&mut self, tally: &Tally) {
        if tally.people() == 0 {
            return;
        }
        let message = match tally.held {
            0 => format!(
                "· {} told · {} must be phoned",
                tally.told, tally.must_be_phoned
            ),
            held => format!("· {held} held until somebody releases them"),
        };
        let (all, done) = (tally.people(), tally.people() - tally.waiting);
        match &self.drawn {
            Some(bar) => {
                bar.set_length(all.into());
                bar.set_position(done.into());
                bar.set_message(message);
            }
            None => self.line(format!("{done} of {all} people {message}")),
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.drawn {
            bar.finish_and_clear();
        }
    }

    fn line(&mut self, line: String) {
        let news = self
            .last
            .as_ref()
            .is_none_or(|(at, said)| *said != line && LINE_EVERY <= at.elapsed());
        if news {
            out::note(&line);
            self.last = Some((Mono::now(), line));
        }
    }
}
