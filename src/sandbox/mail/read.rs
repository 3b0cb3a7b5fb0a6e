//! A mail as a person would see it: subject, sender, and its text and HTML parts.

use mail_parser::{Address, MessageParser, MessagePart, MimeHeaders, PartType};

use crate::domain::message::Channel;
use crate::store::Sample;

/// A mail, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadMail {
    /// The subject, decoded.
    pub subject: String,
    /// The sender as shown: display name and address.
    pub from: String,
    /// The text parts, in order.
    pub texts: Vec<Part>,
    /// The HTML parts, in order.
    pub htmls: Vec<Part>,
}

/// One part of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its Content-Language, if it names one.
    pub language: Option<String>,
    /// Its content, decoded.
    pub content: String,
}

impl ReadMail {
    /// Reads the bytes of a mail; what cannot be read stays empty.
    #[must_use]
    pub fn of(raw: &[u8]) -> Self {
        let Some(mail) = MessageParser::default().parse(raw) else {
            return Self::default();
        };
        let parts = |ids: &[u32], html: bool| {
            let found = ids.iter().filter_map(|id| mail.part(*id));
            found.filter_map(|part| read(part, html)).collect()
        };
        Self {
            subject: mail.subject().unwrap_or_default().to_owned(),
            from: mail.from().map(sender).unwrap_or_default(),
            texts: parts(&mail.text_body, false),
            htmls: parts(&mail.html_body, true),
        }
    }
}

/// The part, if it is of the kind; a text part is never shown as HTML, nor the other way round.
fn read(part: &MessagePart<'_>, html: bool) -> Option<Part> {
    let content = match (&part.body, html) {
        (PartType::Text(text), false) => text,
        (PartType::Html(text), true) => text,
        _ => return None,
    };
    Some(Part {
        language: part.content_language().as_text().map(str::to_owned),
        content: content.clone().into_owned(),
    })
}

fn sender(from: &Address<'_>) -> String {
    let Some(first) = from.first() else {
        return String::new();
    };
    match (first.name(), first.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => name.or(address).unwrap_or_default().to_owned(),
    }
}

/// A sample of a held batch as a person reads it: of an e-mail its subject and its text parts.
#[must_use]
pub fn readable(sample: &Sample) -> String {
    if sample.channel != Channel::Email {
        return sample.content.clone();
    }
    let read = ReadMail::of(sample.content.as_bytes());
    let texts: Vec<String> = read.texts.into_iter().map(|part| part.content).collect();
    let read = format!("{}\n\n{}", read.subject, texts.join("\n").trim());
    read.replace("\r\n", "\n")
}
