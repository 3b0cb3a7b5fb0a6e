//! The mailbox: the newest mails with their text and HTML parts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::contact::Email;
use crate::sandbox::mail::{Mail, Mailbox, ReadMail};

/// Mails shown.
const MAILS: usize = 12;

/// The newest mails.
#[derive(Serialize)]
pub(super) struct MailboxView {
    shown: Vec<MailView>,
    /// Mails that the search finds, shown or not.
    found: usize,
    taken: u64,
}

#[derive(Serialize)]
struct MailView {
    number: u64,
    name: String,
    address: String,
    from: String,
    subject: String,
    time: String,
    text: String,
    has_html: bool,
    octets: usize,
}

impl MailboxView {
    pub(super) fn of(
        mailbox: &Mailbox,
        names: &BTreeMap<String, String>,
        search: &str,
        time: &dyn Fn(DateTime<Utc>) -> String,
    ) -> Self {
        let fits = |mail: &Mail| search.is_empty() || found(mail, names, search);
        // Without a search nothing beyond what is shown has to be read.
        let (mails, found) = if search.is_empty() {
            let taken = usize::try_from(mailbox.taken()).unwrap_or(usize::MAX);
            (mailbox.newest(MAILS), taken)
        } else {
            let mails: Vec<Mail> = mailbox
                .newest(usize::MAX)
                .into_iter()
                .filter(fits)
                .collect();
            let found = mails.len();
            (mails, found)
        };
        let shown = mails.iter().take(MAILS);
        Self {
            shown: shown.map(|mail| view(mail, names, time)).collect(),
            found,
            taken: mailbox.taken(),
        }
    }
}

fn found(mail: &Mail, names: &BTreeMap<String, String>, search: &str) -> bool {
    let among = |text: &str| text.to_lowercase().contains(search);
    let read = ReadMail::of(&mail.raw);
    among(&name(mail, names))
        || mail.to.iter().any(|to| among(to))
        || among(&read.subject)
        || read.texts.iter().any(|part| among(&part.content))
}

fn view(
    mail: &Mail,
    names: &BTreeMap<String, String>,
    time: &dyn Fn(DateTime<Utc>) -> String,
) -> MailView {
    let read = ReadMail::of(&mail.raw);
    let texts: Vec<String> = read.texts.into_iter().map(|part| part.content).collect();
    MailView {
        number: mail.number,
        name: name(mail, names),
        address: masked(mail),
        from: read.from,
        subject: read.subject,
        time: time(mail.at),
        text: super::unbroken(&texts.join("\n")),
        has_html: !read.htmls.is_empty(),
        octets: mail.raw.len(),
    }
}

fn name(mail: &Mail, names: &BTreeMap<String, String>) -> String {
    let found = mail.to.iter().find_map(|to| names.get(to));
    found.cloned().unwrap_or_default()
}

fn masked(mail: &Mail) -> String {
    let shown = mail.to.iter().map(|to| Email::from_stored(to).to_string());
    shown.collect::<Vec<_>>().join(", ")
}
