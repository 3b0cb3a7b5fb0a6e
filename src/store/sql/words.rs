//! The words of values that have none of their own.

use serde_json::{Value, json};

use crate::domain::appointment::Standing;
use crate::domain::notice::Purpose;
use crate::domain::occasion::Occasion;
use crate::store::rows::{BatchState, Came, ReportStanding};

/// Two functions for one table: from the value to its word, and back.
macro_rules! words {
    ($type:ident: $word:ident, $read:ident { $($variant:ident => $text:literal),+ $(,)? }) => {
        pub(super) fn $word(value: $type) -> &'static str {
            match value { $($type::$variant => $text),+ }
        }

        pub(super) fn $read(word: &str) -> Option<$type> {
            match word { $($text => Some($type::$variant),)+ _ => None }
        }
    };
}

words!(Standing: standing, read_standing { Active => "active", Cancelled => "cancelled" });

words!(Came: came, read_came {
    Accepted => "accepted",
    NotSent => "not_sent",
    Refused => "refused",
    Unknown => "unknown",
    Withheld => "withheld",
});

words!(ReportStanding: report_standing, read_report_standing {
    Parked => "parked",
    Waiting => "waiting",
    Used => "used",
    LetGo => "let_go",
});

words!(BatchState: batch_state, read_batch_state {
    Held => "held",
    Releasing => "releasing",
    Released => "released",
    Discarded => "discarded",
    Dissolved => "dissolved",
});

/// What a person asked for as one text; nothing is an empty one.
pub(super) fn occasions(occasions: &[Occasion]) -> String {
    if occasions.is_empty() {
        return String::new();
    }
    let one = |o: &Occasion| {
        let until = o.until.map(|day| day.to_string());
        json!([o.purpose.word(), o.number, o.role.to_string(), until])
    };
    Value::Array(occasions.iter().map(one).collect()).to_string()
}

/// Reads it back.
pub(super) fn read_occasions(text: &str) -> Option<Vec<Occasion>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let read: Vec<(String, u32, String, Option<String>)> = serde_json::from_str(text).ok()?;
    let one = |(purpose, number, role, until): (String, u32, String, Option<String>)| {
        Some(Occasion {
            purpose: Purpose::from_word(&purpose)?,
            number,
            role: role.parse().ok()?,
            until: until.map(|day| day.parse()).transpose().ok()?,
        })
    };
    read.into_iter().map(one).collect()
}
