//! The bar of a wait: drawn on a terminal, absent elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

use crate::store::Tally;

/// How many people are told, of all that must be.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// A bar on standard error, if that is a terminal.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{wide_bar} {pos} of {len} people {msg}");
        Self(bar.with_style(style.expect("the template is well-formed")))
    }

    /// Shows how things stand.
    pub(super) fn show(&self, tally: &Tally) {
        self.0.set_length(tally.people().into());
        self.0.set_position((tally.people() - tally.waiting).into());
        let message = match tally.held {
            0 => format!(
                "· {} told · {} must be phoned",
                tally.told, tally.must_be_phoned
            ),
            held => format!("· {held} held until somebody releases them"),
        };
        self.0.set_message(message);
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
