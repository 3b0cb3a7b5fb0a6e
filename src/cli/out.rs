//! What verbs print: to standard output through one door, errors to standard error.
//!
//! Colours are dropped where nobody sees them or NO_COLOR asks for it, and drawings become plain
//! characters where the locale is not UTF-8. A reader that has gone away (a closed pipe) is no
//! failure; a disk that takes no more is.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use miette::{Diagnostic, GraphicalTheme, MietteHandlerOpts, Report, ThemeCharacters, ThemeStyles};
use textwrap::{WordSeparator, WordSplitter};

use super::{Exit, Failure};

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

/// Why standard output took no more; a closed pipe is none.
static LOST: OnceLock<String> = OnceLock::new();

/// One line on standard output.
pub(super) fn line(text: impl Display) {
    exactly(&format!("{}\n", drawn(text.to_string())));
}

/// A whole text on standard output, as it stands.
pub(super) fn text(text: &str) {
    exactly(text);
}

/// One JSON value on one line of standard output.
pub(super) fn json(value: &serde_json::Value) {
    exactly(&format!("{value}\n"));
}

/// One line on standard error.
pub(super) fn note(text: impl Display) {
    // Where standard error is gone, nobody is left to tell.
    let _ = writeln!(anstream::stderr(), "{}", drawn(text.to_string()));
}

/// One finding on standard output.
pub(super) fn report(finding: impl Diagnostic + Send + Sync + 'static) {
    line(format_args!("{:?}", Report::new(finding)));
}

/// A failure on standard error.
pub(super) fn error(failure: Failure) {
    for error in failure.errors {
        note(format_args!("{:?}", Report::new(error)));
    }
}

/// Whether everything that was printed has left the process.
pub(super) fn finish() -> Result<(), Failure> {
    note_loss(std::io::stdout().flush());
    match LOST.get() {
        None => Ok(()),
        Some(why) => {
            let problem = format!("standard output cannot be written: {why}");
            let help = "what was printed is not whole; is the disk full?";
            Err(Failure::new(Exit::Unavailable, problem, help))
        }
    }
}

fn exactly(text: &str) {
    note_loss(write!(anstream::stdout(), "{text}"));
}

fn note_loss(written: std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        // The first reason is the one to tell.
        let _ = LOST.set(error.to_string());
    }
}

/// Draws errors and warnings of the whole program in one style: our own marks, the file's line, and
/// lines that fit the terminal.
pub(super) fn prepare() {
    let watched = std::io::stderr().is_terminal() || std::io::stdout().is_terminal();
    // It can be set only once; the first one stays.
    let _ = miette::set_hook(Box::new(move |_| {
        let characters = ThemeCharacters {
            error: "✗".to_owned(),
            warning: "!".to_owned(),
            ..ThemeCharacters::unicode()
        };
        let theme = GraphicalTheme {
            characters,
            // They are taken out again where nobody sees them.
            styles: ThemeStyles::ansi(),
        };
        let options = MietteHandlerOpts::new()
            .graphical_theme(theme)
            .terminal_links(false)
            // Names and paths are there to be copied: none is broken.
            .break_words(false)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation);
        let options = if watched {
            options
        } else {
            options.width(FILE_WIDTH)
        };
        Box::new(options.build())
    }));
}

/// Where nobody watches, lines are this wide.
const FILE_WIDTH: usize = 100;

/// What we draw with, and what stands for it where the locale knows no more than ASCII.
const DRAWINGS: [(char, &str); 21] = [
    ('✗', "x"),
    ('→', "->"),
    ('·', "-"),
    ('…', "..."),
    ('─', "-"),
    ('│', "|"),
    ('╭', ","),
    ('╮', "."),
    ('╰', "`"),
    ('╯', "'"),
    ('┬', "|"),
    ('┴', "|"),
    ('├', "|"),
    ('┤', "|"),
    ('┼', "+"),
    ('▲', "^"),
    ('▶', ">"),
    ('█', "#"),
    ('░', "."),
    ('–', "-"),
    ('☞', ">"),
];

/// The text as this locale can show it.
fn drawn(text: String) -> String {
    if locale_knows_unicode() {
        return text;
    }
    DRAWINGS
        .iter()
        .fold(text, |text, (drawing, plain)| text.replace(*drawing, plain))
}

/// A bar in the shape of `template` on standard error; none where that is no terminal.
pub(super) fn bar(template: &'static str) -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    let style = match locale_knows_unicode() {
        true => style,
        false => style.progress_chars("#>-"),
    };
    Some(ProgressBar::new(0).with_style(style))
}

/// What POSIX says of these variables: the first that is set and not empty counts.
pub(super) fn locale_knows_unicode() -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let mut set = names.iter().filter_map(|name| std::env::var(name).ok());
    let locale = set.find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
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

/// As [`count`], of more.
pub(super) fn long(number: u64) -> String {
    count(u32::try_from(number).unwrap_or(u32::MAX))
}

/// "1 row" or "2 000 rows".
pub(super) fn rows(number: u64) -> String {
    match number {
        1 => "1 row".to_owned(),
        _ => format!("{} rows", long(number)),
    }
}

/// "1 booking" or "2 000 bookings".
pub(super) fn bookings(number: u64) -> String {
    match number {
        1 => "1 booking".to_owned(),
        _ => format!("{} bookings", long(number)),
    }
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
