//! How a survey is shown: as a page that a person reads in a minute, and for programs.

use serde_json::{Value, json};

use super::check::Remark;
use crate::cli::out;
use crate::source::survey::{Survey, Suspicion, Words};

/// The width of the longest bar of the hours, in characters.
const BAR: u64 = 32;
/// The width of the names at the left.
const NAMES: usize = 12;
/// The width of a word.
const WORD: usize = 28;

pub(super) fn show(name: &str, survey: &Survey, remarks: &[Remark]) {
    let head = format!(
        "{name} · {} in {} ms",
        out::rows(survey.rows),
        survey.read_ms
    );
    out::line(out::styled(out::BOLD, head));
    row("columns", survey.columns.join(", "));
    if !survey.lacking.is_empty() {
        row(
            "",
            out::styled(
                out::DIM,
                format!("not there: {}", survey.lacking.join(", ")),
            ),
        );
    }
    let kinds = [
        (survey.active, "stand"),
        (survey.cancelled, "cancelled"),
        (survey.ignored, "left out by their status"),
        (survey.past, "past"),
    ];
    let kinds = kinds
        .iter()
        .filter(|(count, word)| *count > 0 || *word == "stand");
    let kinds: Vec<String> = kinds
        .map(|(count, word)| format!("{} {word}", out::long(*count)))
        .collect();
    row("bookings", kinds.join(", "));
    survey.words.iter().for_each(words);
    hours(survey);
    contacts(survey);
    if let Some(ahead) = survey.clock_ahead_seconds {
        row("clock", format!("{ahead:+} s against ours"));
    }
    for (at, step) in survey.cost.iter().enumerate() {
        row(if at == 0 { "cost" } else { "" }, step);
    }
    out::line("");
    for remark in remarks {
        let (style, mark) = if remark.wrong {
            (out::BAD, "✗")
        } else {
            (out::NOTE, "!")
        };
        out::line(format_args!(
            "  {} {}",
            out::styled(style, mark),
            remark.text
        ));
    }
    if remarks.is_empty() {
        out::line(out::styled(out::GOOD, "  every row is understood"));
    }
    out::line("");
}

fn row(name: &str, text: impl std::fmt::Display) {
    out::line(format!("  {name:<NAMES$}{text}").trim_end());
}

fn words(words: &Words) {
    for (at, word) in words.values.iter().enumerate() {
        let name = if at == 0 { words.column } else { "" };
        let meaning = match &word.meaning {
            Some(meaning) => format!("→ {meaning}"),
            None => out::styled(out::BAD, "not known"),
        };
        let count = out::long(word.count);
        row(name, format!("{:<WORD$}{count:>8}  {meaning}", word.word));
    }
    if words.more > 0 {
        row("", format!("and {} more", out::plural(words.more, "value")));
    }
}

fn hours(survey: &Survey) {
    for (zone, hours) in &survey.hours {
        let most = hours.iter().copied().max().unwrap_or_default().max(1);
        let first = hours
            .iter()
            .position(|count| *count > 0)
            .unwrap_or_default();
        let last = hours
            .iter()
            .rposition(|count| *count > 0)
            .unwrap_or_default();
        for (hour, count) in hours.iter().copied().enumerate().take(last + 1).skip(first) {
            let bar = (count * BAR).div_ceil(most);
            let bar = "█".repeat(usize::try_from(bar).unwrap_or_default());
            let name = if hour == first { "starts" } else { "" };
            let zone = if hour == first { zone.as_str() } else { "" };
            row(
                name,
                format!(
                    "{hour:02}–{:02} {:>8}  {bar:<34}{zone}",
                    hour + 1,
                    out::long(count)
                ),
            );
        }
    }
}

fn contacts(survey: &Survey) {
    let unusable = |counts: &std::collections::BTreeMap<crate::domain::contact::Unusable, u64>| {
        let counts: Vec<String> = counts
            .iter()
            .map(|(why, count)| format!("{} {}", out::long(*count), why.word().replace('_', " ")))
            .collect();
        match counts.is_empty() {
            true => "all usable".to_owned(),
            false => counts.join(", "),
        }
    };
    row("phones", unusable(&survey.phones));
    row("e-mails", unusable(&survey.emails));
    let tenths = survey.unreachable * 1_000 / survey.active.max(1);
    row(
        "unreachable",
        format!(
            "{} of {} ({}.{} %) in writing",
            out::long(survey.unreachable),
            out::long(survey.active),
            tenths / 10,
            tenths % 10
        ),
    );
    let shared = survey
        .suspicious
        .iter()
        .filter(|s| s.why == Suspicion::Shared);
    let shared: Vec<String> = shared
        .map(|s| format!("{} on {}", s.address, out::long(s.bookings)))
        .collect();
    if !shared.is_empty() {
        row("shared", shared.join(", "));
    }
    if survey.more_suspicious > 0 {
        row(
            "",
            format!(
                "and {} more addresses like these",
                out::long(survey.more_suspicious)
            ),
        );
    }
}

pub(super) fn as_json(name: &str, survey: &Survey, remarks: &[Remark]) -> Value {
    let remark = |remark: &Remark| json!({ "wrong": remark.wrong, "text": remark.text });
    let words = survey.words.iter().map(|words| {
        let value = |word: &crate::source::survey::Word| {
            json!({ "word": word.word, "count": word.count, "meaning": word.meaning })
        };
        json!({
            "column": words.column,
            "values": words.values.iter().map(value).collect::<Vec<_>>(),
            "more": words.more,
        })
    });
    let suspicious = survey.suspicious.iter().map(|address| {
        json!({
            "address": address.address,
            "bookings": address.bookings,
            "why": format!("{:?}", address.why).to_ascii_lowercase(),
        })
    });
    let unusable = |counts: &std::collections::BTreeMap<crate::domain::contact::Unusable, u64>| {
        let counts = counts
            .iter()
            .map(|(why, count)| (why.word().to_owned(), json!(count)));
        Value::Object(counts.collect())
    };
    json!({
        "source": name,
        "rows": survey.rows,
        "active": survey.active,
        "cancelled": survey.cancelled,
        "ignored": survey.ignored,
        "past": survey.past,
        "columns": survey.columns,
        "lacking": survey.lacking,
        "words": words.collect::<Vec<_>>(),
        "hours": survey.hours,
        "without_id": survey.without_key,
        "doubled": survey.doubled_rows,
        "unreachable": survey.unreachable,
        "phones": unusable(&survey.phones),
        "emails": unusable(&survey.emails),
        "suspicious": suspicious.collect::<Vec<_>>(),
        "more_suspicious": survey.more_suspicious,
        "clock_ahead_seconds": survey.clock_ahead_seconds,
        "cost": survey.cost,
        "read_ms": survey.read_ms,
        "remarks": remarks.iter().map(remark).collect::<Vec<_>>(),
    })
}
