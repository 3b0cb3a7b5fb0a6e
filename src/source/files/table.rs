//! The rows of one CSV file (RFC 4180, with the separator that was agreed), as texts by column.
//!
//! A row that does not have as many fields as the header may be shifted, so that not even its id can
//! be trusted: it is reported with its line, and what such a file lacks says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use chrono::{DateTime, Utc};
use csv::{ByteRecord, Reader, ReaderBuilder};

use super::folder::{Dropped, Folder};
use super::{Encoding, Scope, Settings, Snapshot, SourceError};
use crate::domain::appointment::BookingKey;
use crate::source::RowFault;
use crate::source::mapping::Mapping;
use crate::source::row::{Cell, Column, Misfit, Raw};

/// The byte order mark of UTF-8.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// One row.
pub(super) struct Row {
    pub(super) raw: Raw,
    pub(super) line: u64,
}

/// An open file.
pub(super) struct Table<'a> {
    settings: &'a Settings,
    file: &'a Dropped,
    reader: Reader<BufReader<File>>,
    /// Our columns, and where in a row each stands.
    columns: Vec<Column>,
    places: Vec<usize>,
    width: usize,
    record: ByteRecord,
}

impl<'a> Table<'a> {
    /// Opens a file and reads its header.
    pub(super) fn open(settings: &'a Settings, file: &'a Dropped) -> Result<Self, SourceError> {
        let folder = Folder(settings);
        let broken = |error| folder.broken(&file.path, &error);
        let misfit = |problem: String| SourceError::Mapping {
            source_name: settings.name.clone(),
            problem: format!("{}: {problem}", file.name()),
        };
        let mut open = File::open(&file.path).map_err(broken)?;
        let mut mark = Vec::new();
        Read::by_ref(&mut open)
            .take(3)
            .read_to_end(&mut mark)
            .map_err(broken)?;
        let marked = mark == MARK;
        if marked && settings.encoding != Encoding::Utf8 {
            let problem = "it begins with the mark of UTF-8, and its encoding is declared another";
            return Err(misfit(problem.to_owned()));
        }
        if !ends_a_line(&mut open).map_err(broken)? {
            return Err(folder.unavailable(format!(
                "{} does not end with a line break: it is half-written, and nothing is concluded from it",
                file.name()
            )));
        }
        open.seek(SeekFrom::Start(if marked { 3 } else { 0 }))
            .map_err(broken)?;
        let mut reader = ReaderBuilder::new()
            .delimiter(settings.separator)
            .flexible(true)
            .has_headers(false)
            .from_reader(BufReader::new(open));
        let mut record = ByteRecord::new();
        let header = reader.read_byte_record(&mut record);
        if !header.map_err(|error| misfit(error.to_string()))? {
            return Err(
                folder.unavailable(format!("{} is empty, without even a header", file.name()))
            );
        }
        let names: Vec<String> = record
            .iter()
            .map(|name| {
                decode(settings.encoding, name)
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            })
            .collect();
        let ours: Vec<String> = names.iter().map(|name| ours(settings, name)).collect();
        let columns = Column::among(&ours).map_err(|wrong| misfit(misnamed(&wrong, &names)))?;
        let place = |name: &String| {
            ours.iter()
                .position(|ours| ours == name)
                .unwrap_or_default()
        };
        Ok(Self {
            settings,
            file,
            reader,
            places: columns.iter().map(|(_, name)| place(name)).collect(),
            columns: columns.into_iter().map(|(column, _)| column).collect(),
            width: names.len(),
            record,
        })
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The next row, or what is wrong with it; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Result<Row, RowFault>>, SourceError> {
        let read = self.reader.read_byte_record(&mut self.record);
        let read = read.map_err(|error| {
            Folder(self.settings).unavailable(format!("{}: {error}", self.file.name()))
        })?;
        if !read {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        if self.record.len() != self.width {
            let fields = self.record.len();
            let problem = format!(
                "{} fields where the header has {}: a separator inside a value must stand in quotes. \
                 What this file does not show is not taken for cancelled",
                fields, self.width
            );
            return Ok(Some(Err(self.fault(line, "(row)", problem))));
        }
        let cell = |place: &usize| -> Cell {
            let bytes = self.record.get(*place)?;
            (!bytes.is_empty()).then(|| decode(self.settings.encoding, bytes).ok_or(()))
        };
        let raw = Raw::of(&self.columns, self.places.iter().map(cell));
        if raw.key().is_none() {
            let problem = "there is no id. What this file does not show is not taken for cancelled";
            return Ok(Some(Err(self.fault(line, "id", problem.to_owned()))));
        }
        Ok(Some(Ok(Row { raw, line })))
    }

    /// Whether the file has stayed as it was while it was read.
    pub(super) fn close(self) -> Result<(), SourceError> {
        let folder = Folder(self.settings);
        let file = self.reader.into_inner().into_inner();
        let broken = |error| folder.broken(&self.file.path, &error);
        if self.file.is_untouched(&file).map_err(broken)? {
            return Ok(());
        }
        Err(folder.unavailable(format!(
            "{} changed while it was read: its writer must rename it when it is whole",
            self.file.name()
        )))
    }

    fn fault(&self, line: u64, column: &str, problem: String) -> RowFault {
        RowFault {
            key: None,
            column: column.to_owned(),
            problem: format!("{} line {line}: {problem}", self.file.name()),
        }
    }
}

/// The rows of these files as one snapshot: of one booking the last row counts. `only` keeps the rows
/// of these keys.
pub(super) fn merge(
    settings: &Settings,
    mapping: &Mapping,
    files: &[Dropped],
    floor: Option<DateTime<Utc>>,
    only: Option<&BTreeSet<BookingKey>>,
) -> Result<Snapshot, SourceError> {
    let mut partial = settings.scope == Scope::Delta;
    let mut strays = Vec::new();
    let mut rows: BTreeMap<String, (String, Row)> = BTreeMap::new();
    let mut filling = mapping.filling(floor);
    let mut places: BTreeMap<BookingKey, (String, u64)> = BTreeMap::new();
    for file in files {
        let mut table = Table::open(settings, file)?;
        while let Some(row) = table.next()? {
            let row = match row {
                Ok(row) => row,
                Err(fault) => {
                    partial = true;
                    strays.push(fault);
                    continue;
                }
            };
            let key = row.raw.exact(Column::Id).unwrap_or_default().to_owned();
            if only.is_some_and(|only| !only.contains(&BookingKey(key.clone()))) {
                continue;
            }
            if settings.scope == Scope::Delta {
                rows.insert(key, (file.name().to_owned(), row));
                continue;
            }
            let faults = filling.faults();
            filling.take(&row.raw)?;
            if filling.faults() > faults {
                places.insert(BookingKey(key), (file.name().to_owned(), row.line));
            }
        }
        table.close()?;
    }
    for (key, (name, row)) in rows {
        filling.take(&row.raw)?;
        places.insert(BookingKey(key), (name, row.line));
    }
    let mut snapshot = filling.end();
    for fault in &mut snapshot.faults {
        if let Some((name, line)) = fault.key.as_ref().and_then(|key| places.get(key)) {
            fault.problem = format!("{name} line {line}: {}", fault.problem);
        }
    }
    snapshot.faults.append(&mut strays);
    snapshot.partial = partial;
    Ok(snapshot)
}

/// Our name of a header.
fn ours(settings: &Settings, header: &str) -> String {
    let mut columns = settings.columns.iter();
    let mapped = columns.find(|(_, theirs)| theirs == header);
    mapped.map_or_else(|| header.to_owned(), |(ours, _)| ours.clone())
}

/// Whether the last byte ends a line.
fn ends_a_line(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// What the bytes 0x80 to 0x9f mean in Windows-1252; the five that mean nothing are `\0`.
const WINDOWS_1252: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘',
    '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

/// The text of these bytes; `None` where they are none in this encoding.
fn decode(encoding: Encoding, bytes: &[u8]) -> Option<String> {
    match encoding {
        Encoding::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Encoding::Latin1 => Some(bytes.iter().copied().map(char::from).collect()),
        Encoding::Windows1252 => {
            let character = |byte: &u8| match byte {
                0x80..=0x9f => {
                    Some(WINDOWS_1252[usize::from(byte - 0x80)]).filter(|known| *known != '\0')
                }
                _ => Some(char::from(*byte)),
            };
            bytes.iter().map(character).collect()
        }
    }
}

/// Why a header cannot be meant so.
fn misnamed(wrong: &Misfit, names: &[String]) -> String {
    match wrong {
        Misfit::Missing(_) => format!(
            "its header has {}; [source.csv.columns] says which is id, status, start, office and \
             service. Is the separator right?",
            names.join(", ")
        ),
        Misfit::Alone(..) => wrong.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_reads_its_own_letters() {
        assert_eq!(
            decode(Encoding::Utf8, "Tromsø".as_bytes()).unwrap(),
            "Tromsø"
        );
        assert_eq!(decode(Encoding::Latin1, b"Troms\xf8").unwrap(), "Tromsø");
        assert_eq!(decode(Encoding::Windows1252, b"5 \x80").unwrap(), "5 €");
        assert_eq!(decode(Encoding::Windows1252, b"\x81"), None);
        assert_eq!(decode(Encoding::Utf8, b"Troms\xf8"), None);
    }
}
