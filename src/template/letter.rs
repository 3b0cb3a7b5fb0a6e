//! The small markup of an e-mail, from which both its parts are made, so that they cannot diverge.
//!
//! `Subject: ...` first; then lines: `## heading`, `- item`, `1. step`, `| Label: value` for the facts of
//! when and where, and plain lines. An empty line ends a paragraph. The HTML holds no link, no
//! image and no colour: it follows the reader's own light or dark, and every value is escaped.

use std::fmt::Write as _;

use crate::domain::language::Language;

/// What stands between the two languages of the text part.
const DIVIDER: &str = "----------------------------------------";

const BODY_STYLE: &str = "margin:0;padding:24px 16px;font-family:system-ui,-apple-system,'Segoe UI',\
                          Roboto,Arial,sans-serif;font-size:16px;line-height:1.5";

/// One language of an e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) language: Language,
    pub(super) subject: String,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Empty,
    Heading(String),
    Item(String),
    Step(String, String),
    Fact(String, String),
    Plain(String),
    /// Points to the other language, and is written in it.
    Pointer(Language, String),
}

impl Letter {
    /// Reads what a template rendered.
    pub(super) fn read(language: Language, rendered: &str) -> Result<Self, String> {
        let mut lines = rendered.lines().skip_while(|line| line.trim().is_empty());
        let subject = lines
            .next()
            .and_then(|line| line.strip_prefix("Subject:"))
            .map(str::trim)
            .filter(|subject| !subject.is_empty())
            .ok_or("the first line of an e-mail must be \"Subject: ...\"")?;
        let mut letter = Self {
            language,
            subject: subject.to_owned(),
            lines: Vec::new(),
        };
        for line in lines.map(str::trim_end) {
            letter.push(Line::read(line)?);
        }
        while letter.lines.last() == Some(&Line::Empty) {
            letter.lines.pop();
        }
        Ok(letter)
    }

    /// Adds a line; empty ones at the start or after another are dropped.
    fn push(&mut self, line: Line) {
        let after_empty = matches!(self.lines.last(), None | Some(Line::Empty));
        if line != Line::Empty || !after_empty {
            self.lines.push(line);
        }
    }

    /// Points to the other language below the first line.
    pub(super) fn point(&mut self, other: Language, words: &str) {
        let first = self.lines.iter().position(|line| *line == Line::Empty);
        let at = first.unwrap_or(self.lines.len());
        let pointer = Line::Pointer(other, words.to_owned());
        self.lines.splice(at..at, [Line::Empty, pointer]);
    }

    fn text(&self) -> String {
        self.lines
            .iter()
            .map(Line::text)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn html(&self) -> String {
        let mut html = format!(
            "<div lang=\"{}\">\n<h1 style=\"font-size:24px;line-height:1.3\">{}</h1>\n",
            self.language,
            escape(&self.subject)
        );
        for group in self.lines.chunk_by(Line::belongs_with) {
            html.push_str(&group_html(group));
        }
        html.push_str("</div>\n");
        html
    }
}

impl Line {
    fn read(line: &str) -> Result<Self, String> {
        if line.is_empty() {
            return Ok(Self::Empty);
        }
        if let Some(heading) = line.strip_prefix("## ") {
            return Ok(Self::Heading(heading.to_owned()));
        }
        if let Some(item) = line.strip_prefix("- ") {
            return Ok(Self::Item(item.to_owned()));
        }
        if let Some(fact) = line.strip_prefix("| ") {
            return match fact.split_once(": ") {
                Some((label, value)) => Ok(Self::Fact(label.to_owned(), value.to_owned())),
                None => Err(format!("\"{line}\" must read \"| Label: value\"")),
            };
        }
        if let Some((number, step)) = line.split_once(". ") {
            let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
            if is_number && number.len() <= 2 {
                return Ok(Self::Step(number.to_owned(), step.to_owned()));
            }
        }
        Ok(Self::Plain(line.to_owned()))
    }

    fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Heading(text) | Self::Plain(text) | Self::Pointer(_, text) => text.clone(),
            Self::Item(text) => format!("- {text}"),
            Self::Step(number, text) => format!("{number}. {text}"),
            Self::Fact(label, value) => format!("{label}: {value}"),
        }
    }

    /// Whether two neighbours are of one list, table or paragraph.
    fn belongs_with(&self, next: &Self) -> bool {
        !matches!(self, Self::Heading(_) | Self::Empty)
            && std::mem::discriminant(self) == std::mem::discriminant(next)
    }
}

/// Subject and text of one language, for the checks.
pub(super) fn whole(letter: &Letter) -> String {
    format!("{}\n{}", letter.subject, letter.text())
}

/// The text part of one or two languages.
pub(super) fn text(letters: &[Letter]) -> String {
    let texts: Vec<String> = letters.iter().map(Letter::text).collect();
    let mut text = texts.join(&format!("\n\n{DIVIDER}\n\n"));
    text.push('\n');
    text
}

/// The HTML part of one or two languages.
pub(super) fn html(letters: &[Letter], subject: &str) -> String {
    let first = letters.first().map_or("nb", |letter| letter.language.tag());
    let divider = "<hr style=\"border:0;border-top:1px solid;margin:32px 0\">\n";
    let blocks: Vec<String> = letters.iter().map(Letter::html).collect();
    format!(
        "<!doctype html>\n<html lang=\"{first}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n</head>\n\
         <body style=\"{BODY_STYLE}\">\n<div style=\"max-width:600px;margin:0 auto\">\n{}</div>\n\
         </body>\n</html>\n",
        escape(subject),
        blocks.join(divider)
    )
}

fn group_html(group: &[Line]) -> String {
    let Some(first) = group.first() else {
        return String::new();
    };
    match first {
        Line::Empty => String::new(),
        Line::Heading(text) => {
            let style = "font-size:18px;line-height:1.3;margin:24px 0 0";
            format!("<h2 style=\"{style}\">{}</h2>\n", escape(text))
        }
        Line::Item(_) => list_html("ul", group),
        Line::Step(..) => list_html("ol", group),
        Line::Fact(..) => table_html(group),
        Line::Plain(_) => {
            let lines: Vec<String> = group.iter().map(|line| escape(&line.text())).collect();
            format!(
                "<p style=\"margin:8px 0 16px\">{}</p>\n",
                lines.join("<br>\n")
            )
        }
        Line::Pointer(language, text) => {
            format!(
                "<p lang=\"{language}\" style=\"margin:8px 0 16px\">{}</p>\n",
                escape(text)
            )
        }
    }
}

fn list_html(tag: &str, group: &[Line]) -> String {
    let mut html = format!("<{tag} style=\"margin:8px 0 16px;padding-left:24px\">\n");
    for line in group {
        if let Line::Item(text) | Line::Step(_, text) = line {
            let _ = writeln!(html, "<li>{}</li>", escape(text));
        }
    }
    let _ = writeln!(html, "</{tag}>");
    html
}

fn table_html(group: &[Line]) -> String {
    let mut html = String::from("<table style=\"margin:8px 0 16px;border-collapse:collapse\">\n");
    for line in group {
        if let Line::Fact(label, value) = line {
            let _ = writeln!(
                html,
                "<tr><th scope=\"row\" style=\"text-align:left;vertical-align:top;padding:2px 16px 2px 0\">{}</th>\
                 <td style=\"padding:2px 0\">{}</td></tr>",
                escape(label),
                escape(value)
            );
        }
    }
    html.push_str("</table>\n");
    html
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}
