//! docs/STATES.md shows what the code does: its picture and tables are built from the code and
//! compared cell by cell; `VARSEL_BLESS=1` writes them.

use std::fmt::Write as _;
use std::path::PathBuf;

use chrono::TimeDelta;
use varsel::domain::message::{Channel, Event, MessageState, Next, ToldOn, next};
use varsel::domain::verdict::{verdict, word};

use super::made::{due_by, message, notice};

/// The parts of the file that are built, by the name of their markers.
fn parts() -> [(&'static str, String); 5] {
    [
        ("picture", picture()),
        ("transitions", transitions()),
        ("told", told()),
        ("verdicts", verdicts()),
        ("words", words()),
    ]
}

#[test]
fn the_document_shows_what_the_code_does() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/STATES.md");
    let mut text = std::fs::read_to_string(&path).unwrap();
    if std::env::var_os("VARSEL_BLESS").is_some() {
        for (name, built) in parts() {
            let (from, to) = bounds(&text, name);
            text.replace_range(from..to, &format!("\n{built}"));
        }
        std::fs::write(&path, &text).unwrap();
    }
    let mut wrong = Vec::new();
    for (name, built) in parts() {
        let (from, to) = bounds(&text, name);
        wrong.extend(differences(name, text[from..to].trim(), built.trim()));
    }
    assert!(
        wrong.is_empty(),
        "docs/STATES.md differs from the code; VARSEL_BLESS=1 writes it anew:\n{}",
        wrong.join("\n")
    );
}

fn bounds(text: &str, name: &str) -> (usize, usize) {
    let open = format!("<!-- {name} -->");
    let from = text.find(&open).expect("each part has its marker") + open.len();
    let end = text[from..].find(&format!("<!-- /{name} -->"));
    (from, from + end.expect("each part ends with its marker"))
}

fn differences(name: &str, shown: &str, built: &str) -> Vec<String> {
    let (mut shown, mut built) = (shown.lines(), built.lines());
    let mut wrong = Vec::new();
    for row in 1.. {
        let (shown, built) = match (shown.next(), built.next()) {
            (None, None) => break,
            (shown, built) => (shown.unwrap_or_default(), built.unwrap_or_default()),
        };
        if cells(shown) != cells(built) {
            let cell = |line| cells(line).join(" | ");
            wrong.push(format!(
                "{name}, line {row}: the file says \"{}\", the code \"{}\"",
                cell(shown),
                cell(built)
            ));
        }
    }
    wrong
}

fn cells(line: &str) -> Vec<&str> {
    line.split('|').map(str::trim).collect()
}

/// A table whose first column names the rows.
fn table(corner: &str, columns: &[&str], rows: Vec<(&str, Vec<String>)>) -> String {
    let mut text = format!("| {corner} | {} |\n|---|", columns.join(" | "));
    text.push_str(&"---|".repeat(columns.len()));
    text.push('\n');
    for (name, cells) in rows {
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    text
}

fn states() -> Vec<&'static str> {
    MessageState::ALL.iter().map(|state| state.word()).collect()
}

fn picture() -> String {
    let expected = [
        MessageState::Sending,
        MessageState::Accepted,
        MessageState::Unconfirmed,
        MessageState::Unknown,
    ];
    let mut text = "```mermaid\nstateDiagram-v2\n    [*] --> ready\n    [*] --> held\n".to_owned();
    for from in MessageState::ALL {
        for to in MessageState::ALL {
            let drawn = |event: &&Event| {
                next(*from, **event) == Next::To(*to)
                    && (**event != Event::ReportedDelivered || expected.contains(from))
            };
            let events: Vec<&str> = Event::ALL.iter().filter(drawn).map(|e| e.word()).collect();
            if !events.is_empty() {
                let _ = writeln!(text, "    {from} --> {to}: {}", events.join(", "));
            }
        }
    }
    text + "```\n"
}

fn transitions() -> String {
    let row = |event: &Event| {
        let cell = |state: &MessageState| match next(*state, *event) {
            Next::To(to) => to.word().to_owned(),
            Next::Stay => "·".to_owned(),
            Next::Refused => "—".to_owned(),
        };
        (event.word(), MessageState::ALL.iter().map(cell).collect())
    };
    table("event", &states(), Event::ALL.iter().map(row).collect())
}

fn told() -> String {
    let columns: Vec<&str> = ToldOn::ALL.iter().map(|on| on.word()).collect();
    let row = |state: &MessageState| {
        let cell = |on: &ToldOn| match message(0, Channel::Sms, *state, *on).has_told() {
            true => "told".to_owned(),
            false => "".to_owned(),
        };
        (state.word(), ToldOn::ALL.iter().map(cell).collect())
    };
    let rows = MessageState::ALL.iter().map(row).collect();
    table("state, where told_on is", &columns, rows)
}

fn verdicts() -> String {
    let row = |first: &MessageState| {
        let cell = |second: &MessageState| {
            let notice = notice(vec![
                message(0, Channel::Sms, *first, ToldOn::Delivered),
                message(1, Channel::Sms, *second, ToldOn::Delivered),
            ]);
            verdict(&notice).map_or("…".to_owned(), |v| v.word().to_owned())
        };
        (first.word(), MessageState::ALL.iter().map(cell).collect())
    };
    let rows = MessageState::ALL.iter().map(row).collect();
    table("one \\ other", &states(), rows)
}

fn words() -> String {
    let rungs = [
        (Channel::Sms, ToldOn::Delivered),
        (Channel::Sms, ToldOn::Unconfirmed),
        (Channel::Email, ToldOn::Accepted),
        (Channel::Phone, ToldOn::Delivered),
    ];
    let columns = [
        "sms",
        "sms, after due_by",
        "sms without reports",
        "sms without reports, after due_by",
        "email",
        "email, after due_by",
        "phone",
        "phone, after due_by",
    ];
    let row = |state: &MessageState| {
        let cells = rungs.iter().flat_map(|(channel, on)| {
            let notice = notice(vec![message(0, *channel, *state, *on)]);
            [-1, 1].map(|minutes| {
                let now = due_by() + TimeDelta::minutes(minutes);
                word(&notice, now).word().to_owned()
            })
        });
        (state.word(), cells.collect())
    };
    table(
        "state",
        &columns,
        MessageState::ALL.iter().map(row).collect(),
    )
}
