//! The call list as CSV: RFC 4180, every field quoted, and no field that a spreadsheet would take
//! for a formula.

use super::Places;
use crate::domain::language::Language;
use crate::store::Call;

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

const HEAD: [&str; 14] = [
    "reference",
    "phone",
    "tell_before",
    "appointment",
    "office",
    "service",
    "change",
    "new_time",
    "new_office",
    "language",
    "why",
    "answering_machines",
    "role",
    "booking",
];

/// The whole table, its head first.
pub(super) fn table(calls: &[Call], places: &Places<'_>) -> String {
    let head = HEAD.map(str::to_owned);
    let rows = calls.iter().map(|call| row(call, places));
    let lines = std::iter::once(head).chain(rows);
    lines.map(|fields| line(&fields)).collect()
}

fn row(call: &Call, places: &Places<'_>) -> [String; HEAD.len()] {
    let person = &call.person;
    let (old, new) = (&person.change.old, &person.change.new);
    let moved = old.start != new.start || old.office != new.office;
    let when_moved = |text: String| if moved { text } else { String::new() };
    let why: Vec<&str> = person.why.iter().map(|w| w.said(Language::En)).collect();
    [
        person.reference.to_string(),
        call.number
            .as_ref()
            .map(|n| n.to_dial())
            .unwrap_or_default(),
        places.minute(person.due_by, &old.office),
        places.minute(old.start, &old.office),
        places.name_of(&old.office).to_owned(),
        places.service(&person.service).to_owned(),
        person.purpose.word().to_owned(),
        when_moved(places.minute(new.start, &new.office)),
        when_moved(places.name_of(&new.office).to_owned()),
        call.language
            .map(Language::tag)
            .unwrap_or_default()
            .to_owned(),
        why.join("; "),
        call.machines.to_string(),
        person.role.to_string(),
        format!("{}/{}", person.source, person.key),
    ]
}

fn line(fields: &[String]) -> String {
    let quoted: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    format!("{}\r\n", quoted.join(","))
}

/// A field in quotes. An apostrophe before what looks like a formula makes a spreadsheet read it as
/// text, telephone numbers among them.
fn quoted(field: &str) -> String {
    let guard = if field.starts_with(FORMULA) { "'" } else { "" };
    format!("\"{guard}{}\"", field.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_never_a_formula_and_never_breaks_its_row() {
        for (field, expected) in [
            ("Grønland", "\"Grønland\""),
            ("+47 40 00 00 00", "\"'+47 40 00 00 00\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("@SUM(1)", "\"'@SUM(1)\""),
            ("-1", "\"'-1\""),
            ("\tx", "\"'\tx\""),
            ("a,b\r\nc", "\"a,b\r\nc\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(field), expected, "{field:?}");
        }
    }
}
