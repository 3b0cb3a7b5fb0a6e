//! The ways booking systems write a start.
//!
//! Each source declares one of three; a text of another is refused, never reinterpreted.

use chrono::{DateTime, NaiveDateTime, Utc};

use super::StartFormat;
use super::row::{Column, Fault, MOST_SHOWN};

/// The ways systems write a wall-clock time. A text with an offset is none of them: reading it as
/// local time would be wrong by an hour or two, and nobody would notice.
pub(super) fn naive(text: &str) -> Option<NaiveDateTime> {
    let forms = [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ];
    let read = |form: &&str| NaiveDateTime::parse_from_str(text, form).ok();
    forms.iter().find_map(read)
}

pub(super) fn with_offset(text: &str) -> Option<DateTime<Utc>> {
    let forms = [
        "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        "%Y-%m-%d %H:%M%#z",
        "%Y-%m-%dT%H:%M%#z",
    ];
    let read = |form: &&str| DateTime::parse_from_str(text, form).ok();
    forms.iter().find_map(read).map(|at| at.to_utc())
}

pub(super) fn unreadable_start(text: &str, format: StartFormat) -> Fault {
    let example = match format {
        StartFormat::Naive => "2021-03-24 09:20 without a zone",
        StartFormat::Utc => "2021-03-24 08:20 in UTC",
        StartFormat::Offset => "2021-03-24T09:20:00+01:00",
    };
    // Only what looks like a date is repeated: another column may have been mapped by mistake.
    let dated = text.len() <= MOST_SHOWN && text.get(4..5) == Some("-");
    let what = if dated {
        format!("\"{text}\"")
    } else {
        "it".to_owned()
    };
    Fault::new(
        Column::Start,
        format!("{what} is not a start; starts are written like {example}"),
    )
}
