//! What verbs print: to standard output through one door, errors to standard error.
//!
//! Colours are dropped where nobody sees them or NO_COLOR asks for it; a reader that has gone away
//! (a closed pipe) is no failure.

use std::fmt::Display;
use std::io::Write;

use anstyle::{AnsiColor, Style};

use super::Failure;

/// What is well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What somebody should look at.
pub(super) const NOTE: Style = AnsiColor::Yellow.on_default();
/// What is wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default();
/// What matters.
pub(super) const BOLD: Style = Style::new().bold();
/// What matters less.
pub(super) const DIM: Style = Style::new().dimmed();

/// One line on standard output.
pub(super) fn line(text: impl Display) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// A whole text on standard output, as it stands.
pub(super) fn text(text: &str) {
    let _ = write!(anstream::stdout(), "{text}");
}

/// One JSON value on one line of standard output.
pub(super) fn json(value: &serde_json::Value) {
    line(value);
}

/// One line on standard error.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// A failure on standard error.
pub(super) fn error(failure: &Failure) {
    note(format_args!("{:?}", failure.report));
}

/// A text in a style.
pub(super) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A count with a space between thousands, as both languages of our users write it.
pub(super) fn count(number: u32) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}

/// "1 person" or "2 000 people".
pub(super) fn people(number: u32) -> String {
    match number {
        1 => "1 person".to_owned(),
        _ => format!("{} people", count(number)),
    }
}

/// "1 error" or "2 errors".
pub(super) fn plural(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}
