//! The words of values that have none of their own.

use crate::domain::appointment::Standing;
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
