//! A list: appointments that the agency cancels although its booking system still shows them.
//!
//! It is a CSV file with a header, `source,key`, or `key` alone where there is one source. What a list
//! names is cancelled until the list is lifted. Nothing here reads a file or checks a signature.

use std::collections::BTreeSet;

use super::appointment::{BookingKey, SourceName};

/// The number of a list in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListId(pub i64);

/// What a list names.
pub type Named = BTreeSet<(SourceName, BookingKey)>;

/// No list names more appointments.
pub const MOST_NAMED: usize = 100_000;

/// Why a file is no list. Nothing of it counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoList {
    /// The header lacks the key, or the source where there are several.
    #[error("line 1: the header must name the columns {0}")]
    Header(&'static str),
    /// A line has other cells than the header says.
    #[error("line {0}: it has {1} cells where the header has {2}")]
    Cells(usize, usize, usize),
    /// A line lacks its source or key.
    #[error("line {0}: the {1} is empty")]
    Empty(usize, &'static str),
    /// No such source is configured.
    #[error("line {0}: no source is called \"{1}\"")]
    UnknownSource(usize, String),
    /// A quoted cell does not end.
    #[error("line {0}: a quoted cell does not end")]
    Quote(usize),
    /// It names nothing, or too many.
    #[error("it names {0} appointments; a list names 1 to {MOST_NAMED}")]
    Size(usize),
}

/// Reads a list of appointments of these sources. Cells are separated by the comma or the semicolon
/// that the header uses; a mark at the beginning of the file and empty lines are passed over.
///
/// # Errors
/// [`NoList`] with the line; nothing is read by halves.
pub fn read(text: &str, sources: &[SourceName]) -> Result<Named, NoList> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, l)| !l.trim().is_empty());
    let mut lines = lines.peekable();
    let header = lines.next().map_or("", |(_, line)| line);
    let comma = if header.contains(';') { ';' } else { ',' };
    let names = cells(header, comma).ok_or(NoList::Quote(1))?;
    let column = |name: &str| {
        let mut names = names.iter();
        names.position(|given| given.trim().eq_ignore_ascii_case(name))
    };
    let only = match sources {
        [only] => Some(only),
        _ => None,
    };
    let (key, source) = (column("key"), column("source"));
    let key = key.filter(|_| source.is_some() || only.is_some());
    let key = key.ok_or(NoList::Header(match only {
        Some(_) => "key and, if you like, source",
        None => "source and key",
    }))?;
    let mut named = Named::new();
    for (number, line) in lines {
        let row = cells(line, comma).ok_or(NoList::Quote(number))?;
        if row.len() != names.len() {
            return Err(NoList::Cells(number, row.len(), names.len()));
        }
        let source = match (source.map(|place| row[place].trim()), only) {
            (Some(""), _) => return Err(NoList::Empty(number, "source")),
            (Some(name), _) => SourceName(name.to_owned()),
            (None, Some(only)) => only.clone(),
            (None, None) => return Err(NoList::Header("source and key")),
        };
        if !sources.contains(&source) {
            return Err(NoList::UnknownSource(number, source.0));
        }
        if row[key].trim().is_empty() {
            return Err(NoList::Empty(number, "key"));
        }
        named.insert((source, BookingKey(row[key].clone())));
    }
    if named.is_empty() || named.len() > MOST_NAMED {
        return Err(NoList::Size(named.len()));
    }
    Ok(named)
}

/// The cells of one line (RFC 4180, 2.4 to 2.7, without line breaks in cells); `None` where a quote
/// does not end.
fn cells(line: &str, comma: char) -> Option<Vec<String>> {
    let mut cells = vec![String::new()];
    let mut rest = line.chars().peekable();
    let mut quoted = false;
    while let Some(c) = rest.next() {
        let cell = cells.last_mut()?;
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => {
                rest.next();
                cell.push('"');
            }
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            _ if c == comma && !quoted => cells.push(String::new()),
            _ => cell.push(c),
        }
    }
    (!quoted).then_some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<SourceName> {
        names
            .iter()
            .map(|name| SourceName((*name).to_owned()))
            .collect()
    }

    fn keys(text: &str, sources: &[&str]) -> Result<Vec<String>, NoList> {
        let named = read(text, &of(sources))?;
        Ok(named.into_iter().map(|(s, k)| format!("{s}/{k}")).collect())
    }

    #[test]
    fn a_list_is_read_with_either_separator_quotes_and_a_mark() {
        let text = "\u{feff}Key;Source\r\n\"a;\"\"1\";oslo\r\n\r\nb;bergen\r\n";
        let read = keys(text, &["oslo", "bergen"]).unwrap();
        assert_eq!(read, ["bergen/b", "oslo/a;\"1"]);
        assert_eq!(keys("key\n7\n7\n", &["oslo"]).unwrap(), ["oslo/7"]);
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_line() {
        let both = ["oslo", "bergen"];
        let refused = |text| keys(text, &both).unwrap_err();
        assert_eq!(refused("key\n1\n"), NoList::Header("source and key"));
        assert_eq!(refused("source,key\noslo,1,2\n"), NoList::Cells(2, 3, 2));
        assert_eq!(refused("source,key\noslo,\n"), NoList::Empty(2, "key"));
        assert_eq!(refused("source,key\n,1\n"), NoList::Empty(2, "source"));
        assert_eq!(refused("source,key\noslo,\"1\n"), NoList::Quote(2));
        assert_eq!(refused("source,key\n"), NoList::Size(0));
        let unknown = NoList::UnknownSource(3, "osl".to_owned());
        assert_eq!(refused("source,key\noslo,1\nosl,1\n"), unknown);
    }
}
