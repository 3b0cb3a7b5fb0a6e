//! A message as it stands on a telephone: its text in a bubble of plain characters.

use super::out;

/// The width of a bubble's text, in characters.
const BUBBLE: usize = 44;

/// Shows a text in a bubble.
pub(super) fn show(text: &str) {
    out::line(format_args!("  ╭{}╮", "─".repeat(BUBBLE + 2)));
    for line in text.lines().flat_map(|line| wrapped(line, BUBBLE)) {
        let space = " ".repeat(BUBBLE.saturating_sub(line.chars().count()));
        out::line(format_args!("  │ {line}{space} │"));
    }
    out::line(format_args!("  ╰{}╯", "─".repeat(BUBBLE + 2)));
}

/// A line broken between words, so that it fits into `width` characters; an empty one stays, and a
/// word that is longer than a line stands alone.
pub(super) fn wrapped(line: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in line.split(' ') {
        let last = rows.last_mut().expect("there is always one row");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            rows.push(word.to_owned());
        }
    }
    rows
}
