//! What is said of an appointment beside its state: of most, nothing.
//!
//! It decides who is written to, and what few texts say. It is personal data, and is erased with it.

use chrono::NaiveDate;

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
}

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
        words.join(" ")
    }

    /// Reads the words back; `None` where one is not known.
    #[must_use]
    pub fn from_words(words: &str) -> Option<Self> {
        let mut about = Self::default();
        for word in words.split_whitespace() {
            if let Some(day) = word.strip_prefix("born=") {
                about.born = Some(day.parse().ok()?);
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
