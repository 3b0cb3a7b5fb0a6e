//! What is said of an appointment beside its state: of most, nothing.
//!
//! It decides who is written to, and what few texts say. It is personal data, and is erased with it.

use chrono::NaiveDate;

use super::contact::Email;
use super::message::Reason;

/// What a source, or a list, says of an appointment beside whether, when and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The person's address is protected: nothing is written to them.
    pub protected: bool,
    /// The person is not to be written to.
    pub do_not_contact: bool,
    /// The application cannot be submitted online for technical reasons.
    pub obstacle: bool,
    /// The source says that it does not know who cancelled it.
    pub canceller_unknown: bool,
    /// A list cancelled it, and the booking system still shows it.
    pub listed: bool,
    /// The birthday of the person it is for.
    pub born: Option<NaiveDate>,
    /// It was cancelled, and the office asks the person to choose a new time by this day.
    pub choose_by: Option<NaiveDate>,
    /// The invitation to it that stands in the person's calendar.
    pub invited: Option<Invited>,
}

/// The invitation that the booking system sent when the appointment was booked (RFC 5545).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// What the entry is known by for life: visible ASCII, at most [`MOST_UID_BYTES`] of it.
    pub uid: String,
    /// Who invited, and so may move and cancel it.
    pub organizer: Email,
}

/// The longest UID that calendars must be able to keep (RFC 7986, 5.3).
pub const MOST_UID_BYTES: usize = 255;

impl About {
    /// Why nothing is written to anybody about this appointment, so that somebody must call.
    #[must_use]
    pub fn only_by_phone(&self) -> Option<Reason> {
        if self.protected {
            Some(Reason::Protected)
        } else if self.do_not_contact {
            Some(Reason::DoNotContact)
        } else {
            None
        }
    }

    fn flags(&mut self) -> [(&'static str, &mut bool); 5] {
        [
            ("protected", &mut self.protected),
            ("do_not_contact", &mut self.do_not_contact),
            ("obstacle", &mut self.obstacle),
            ("canceller_unknown", &mut self.canceller_unknown),
            ("listed", &mut self.listed),
        ]
    }

    /// The stable words, one after the other; nothing said is an empty text.
    #[must_use]
    pub fn words(&self) -> String {
        let mut about = self.clone();
        let set = about.flags().into_iter().filter(|(_, set)| **set);
        let mut words: Vec<String> = set.map(|(word, _)| word.to_owned()).collect();
        words.extend(self.born.map(|day| format!("born={day}")));
        words.extend(self.choose_by.map(|day| format!("choose_by={day}")));
        if let Some(Invited { uid, organizer }) = &self.invited {
            words.push(format!("organizer={}", organizer.expose()));
            words.push(format!("uid={uid}"));
        }
        words.join(" ")
    }

    /// Reads the words back; `None` where one is not known.
    #[must_use]
    pub fn from_words(words: &str) -> Option<Self> {
        let mut about = Self::default();
        let mut organizer = None;
        for word in words.split_whitespace() {
            if let Some(address) = word.strip_prefix("organizer=") {
                organizer = Some(Email::from_stored(address));
                continue;
            }
            if let Some(uid) = word.strip_prefix("uid=") {
                let uid = uid.to_owned();
                let organizer = organizer.take()?;
                about.invited = Some(Invited { uid, organizer });
                continue;
            }
            if let Some(day) = word.strip_prefix("born=") {
                about.born = Some(day.parse().ok()?);
                continue;
            }
            if let Some(day) = word.strip_prefix("choose_by=") {
                about.choose_by = Some(day.parse().ok()?);
                continue;
            }
            let mut flags = about.flags().into_iter();
            let (_, flag) = flags.find(|(name, _)| *name == word)?;
            *flag = true;
        }
        Some(about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_back_from_its_words() {
        let mut all = About {
            born: NaiveDate::from_ymd_opt(2014, 5, 1),
            choose_by: NaiveDate::from_ymd_opt(2021, 4, 23),
            invited: Some(Invited {
                uid: "uid=7;protected,@agency.example".to_owned(),
                organizer: Email::from_stored("time@agency.example"),
            }),
            ..About::default()
        };
        for (_, flag) in all.flags() {
            *flag = true;
        }
        assert_eq!(About::from_words(&all.words()), Some(all));
        assert_eq!(About::from_words(""), Some(About::default()));
        assert_eq!(About::default().words(), "");
        assert_eq!(About::from_words("protected unheard"), None);
    }
}
