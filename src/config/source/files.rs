//! `[source.csv]` into the settings of a drop folder.

use super::Misplaced;
use crate::config::file::{self, Source};
use crate::domain::appointment::SourceName;
use crate::source::Words;
use crate::source::files::{Encoding, Scope, Settings, Whole};

/// The settings of a drop folder, or what is wrong at which key.
pub(super) fn settings(source: &Source, words: Words) -> Result<Settings, Misplaced> {
    let Some(csv) = &source.csv else {
        let problem = "a source of kind \"csv\" needs to know how its files are written".to_owned();
        let help = "add [source.csv] with whole = \"rename\" or \"checksum\", and scope = \"full\" or \"delta\"";
        return Err(("csv", problem, help));
    };
    let (Some(folder), None, None) = (&source.path, &source.url, &source.query) else {
        let problem =
            "a source of kind \"csv\" has a path, which is its folder, and neither url nor query";
        return Err((
            "kind",
            problem.to_owned(),
            "give the folder as path, and remove the others",
        ));
    };
    if csv.files.matches('*').count() > 1 || csv.files.contains('/') {
        let problem = format!("\"{}\" does not name files of one folder", csv.files);
        return Err((
            "csv",
            problem,
            "use a name with at most one *, such as \"bookings-*.csv\"",
        ));
    }
    let separator = u8::try_from(csv.separator).ok().filter(u8::is_ascii);
    let Some(separator) = separator.filter(|byte| !matches!(byte, b'"' | b'\n' | b'\r')) else {
        let problem = format!("{:?} cannot stand between two fields", csv.separator);
        return Err(("csv", problem, "use \";\", \",\" or \"\\t\""));
    };
    let columns = csv.columns.iter();
    Ok(Settings {
        name: SourceName(source.name.clone()),
        folder: folder.clone(),
        files: csv.files.clone(),
        whole: match csv.whole {
            file::Whole::Rename => Whole::Rename,
            file::Whole::Checksum => Whole::Checksum,
        },
        scope: match csv.scope {
            file::Scope::Full => Scope::Full,
            file::Scope::Delta => Scope::Delta,
        },
        encoding: match csv.encoding {
            file::Encoding::Utf8 => Encoding::Utf8,
            file::Encoding::Latin1 => Encoding::Latin1,
            file::Encoding::Windows1252 => Encoding::Windows1252,
        },
        separator,
        columns: columns
            .map(|(ours, theirs)| (ours.clone(), theirs.clone()))
            .collect(),
        done: csv.done.clone(),
        oldest: csv.oldest.map(|oldest| oldest.0),
        max_file_bytes: csv.max_file_bytes,
        words,
    })
}
