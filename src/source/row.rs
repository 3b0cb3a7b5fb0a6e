//! One row as it was read: a text by column, and what to say of a text that is not understood.
//!
//! A row holds personal data and cannot be printed; a fault never repeats a contact's value.

use crate::domain::appointment::BookingKey;
use crate::source::RowFault;

/// A column that means something to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    Id,
    Status,
    Start,
    Office,
    Service,
    Phone,
    Email,
    Language,
    Tz,
    Replaces,
    Rescheduled,
    ChangedBy,
    Role,
    Born,
    DoNotContact,
    Protected,
    Obstacle,
    ChooseBy,
    GuardianPhone,
    GuardianEmail,
    Guardian2Phone,
    Guardian2Email,
    GuardianLanguage,
    Guardian2Language,
    InterpreterPhone,
    InterpreterEmail,
    CalendarUid,
    CalendarOrganizer,
}

impl Column {
    pub(super) const ALL: [Self; 28] = [
        Self::Id,
        Self::Status,
        Self::Start,
        Self::Office,
        Self::Service,
        Self::Phone,
        Self::Email,
        Self::Language,
        Self::Tz,
        Self::Replaces,
        Self::Rescheduled,
        Self::ChangedBy,
        Self::Role,
        Self::Born,
        Self::DoNotContact,
        Self::Protected,
        Self::Obstacle,
        Self::ChooseBy,
        Self::GuardianPhone,
        Self::GuardianEmail,
        Self::Guardian2Phone,
        Self::Guardian2Email,
        Self::GuardianLanguage,
        Self::Guardian2Language,
        Self::InterpreterPhone,
        Self::InterpreterEmail,
        Self::CalendarUid,
        Self::CalendarOrganizer,
    ];

    /// How many of them, from the first, every query must name.
    const MANDATORY: usize = 5;

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Status => "status",
            Self::Start => "start",
            Self::Office => "office",
            Self::Service => "service",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Language => "language",
            Self::Tz => "tz",
            Self::Replaces => "replaces",
            Self::Rescheduled => "rescheduled",
            Self::ChangedBy => "changed_by",
            Self::Role => "role",
            Self::Born => "born",
            Self::DoNotContact => "do_not_contact",
            Self::Protected => "protected",
            Self::Obstacle => "obstacle",
            Self::ChooseBy => "choose_by",
            Self::GuardianPhone => "guardian_phone",
            Self::GuardianEmail => "guardian_email",
            Self::Guardian2Phone => "guardian2_phone",
            Self::Guardian2Email => "guardian2_email",
            Self::GuardianLanguage => "guardian_language",
            Self::Guardian2Language => "guardian2_language",
            Self::InterpreterPhone => "interpreter_phone",
            Self::InterpreterEmail => "interpreter_email",
            Self::CalendarUid => "calendar_uid",
            Self::CalendarOrganizer => "calendar_organizer",
        }
    }

    /// The columns of a query that mean something, each with the name the query gives it, the key
    /// first; or what is missing.
    pub(super) fn among(found: &[String]) -> Result<Vec<(Self, String)>, Misfit> {
        let of = |column: &Self| {
            let mut found = found.iter();
            found.find(|found| found.eq_ignore_ascii_case(column.name()))
        };
        let missing: Vec<&str> = Self::ALL[..Self::MANDATORY]
            .iter()
            .filter(|column| of(column).is_none())
            .map(|column| column.name())
            .collect();
        if !missing.is_empty() {
            return Err(Misfit::Missing(format!(
                "the query has no column {}; it has {}. Name it with AS in the query",
                missing.join(", "),
                found.join(", ")
            )));
        }
        let (uid, organizer) = (Self::CalendarUid, Self::CalendarOrganizer);
        match (of(&uid), of(&organizer)) {
            (Some(_), None) => return Err(Misfit::Alone(uid, organizer)),
            (None, Some(_)) => return Err(Misfit::Alone(organizer, uid)),
            (Some(_), Some(_)) | (None, None) => {}
        }
        let named = |column: Self| of(&column).map(|name| (column, name.clone()));
        Ok(Self::ALL.into_iter().filter_map(named).collect())
    }
}

/// Why the columns of a source cannot be meant so.
#[derive(Debug, thiserror::Error)]
pub(super) enum Misfit {
    /// One that every source must have is not there; in the words of a query.
    #[error("{0}")]
    Missing(String),
    /// One means nothing without another.
    #[error(
        "the column {} is there without {}, and a calendar entry is known by both: name both, or none",
        .0.name(), .1.name()
    )]
    Alone(Column, Column),
}

/// One row as it was read: texts, and personal data among them. It has no Debug on purpose.
#[derive(Default)]
pub(super) struct Raw {
    cells: [Cell; Column::ALL.len()],
}

/// A text, nothing, or bytes that are no text.
pub(super) type Cell = Option<Result<String, ()>>;

/// The same where it was read, for as long as it lies there: most rows say nothing new, and of those
/// nothing is kept.
pub(super) type Glimpse<'a> = Option<Result<&'a str, ()>>;

impl Raw {
    /// A row of these columns, in this order.
    pub(super) fn of(columns: &[Column], cells: impl IntoIterator<Item = Cell>) -> Self {
        let mut raw = Self::default();
        for (column, cell) in columns.iter().zip(cells) {
            raw.set(*column, cell);
        }
        raw
    }

    /// The same, to be kept.
    pub(super) fn kept(columns: &[Column], cells: &[Glimpse<'_>]) -> Self {
        let keep = |cell: &Glimpse<'_>| cell.map(|text| text.map(str::to_owned));
        Self::of(columns, cells.iter().map(keep))
    }

    pub(super) fn set(&mut self, column: Column, cell: Cell) {
        self.cells[column as usize] = cell;
    }

    /// The trimmed text; empty where there is none.
    pub(super) fn text(&self, column: Column) -> Result<&str, Fault> {
        match &self.cells[column as usize] {
            None => Ok(""),
            // Cells padded with it exist; PostgreSQL's text and JSON cannot hold it.
            Some(Ok(text)) if text.contains('\0') => Err(Fault::new(
                column,
                "it holds U+0000, which no text has".to_owned(),
            )),
            Some(Ok(text)) => Ok(text.trim()),
            Some(Err(())) => Err(Fault::new(column, "it is not valid UTF-8".to_owned())),
        }
    }

    /// The text as it was read.
    pub(super) fn exact(&self, column: Column) -> Option<&str> {
        self.cells[column as usize].as_ref()?.as_deref().ok()
    }

    /// What the source knows the booking by, to the last blank; a text that no store can hold is none.
    pub(super) fn key(&self) -> Option<&str> {
        let key = self.exact(Column::Id)?;
        (!key.trim().is_empty() && !key.contains('\0')).then_some(key)
    }

    /// As [`Raw::text`], but an empty text is none.
    pub(super) fn given(&self, column: Column) -> Result<Option<&str>, Fault> {
        Ok(Some(self.text(column)?).filter(|text| !text.is_empty()))
    }
}

/// Why a row cannot be understood.
pub(super) struct Fault {
    column: Column,
    problem: String,
}

impl Fault {
    pub(super) fn new(column: Column, problem: String) -> Self {
        Self { column, problem }
    }

    pub(super) fn of(self, key: &BookingKey) -> RowFault {
        RowFault {
            key: Some(key.clone()),
            column: self.column.name().to_owned(),
            problem: self.problem,
        }
    }
}

pub(super) fn unknown(column: Column, word: &str) -> Fault {
    let remedy = "is not known: map it, or add it to the directory";
    Fault::new(column, format!("{} {remedy}", shown(word)))
}

/// The longest word that a fault repeats, in bytes.
pub(super) const MOST_SHOWN: usize = 60;

/// More digits than this in a word look like a telephone number or a national identity number.
const MOST_DIGITS_SHOWN: usize = 5;

/// A word for an error message, unless a contact column may have been mapped by mistake.
pub(super) fn shown(word: &str) -> String {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    if word.is_empty() {
        "an empty value".to_owned()
    } else if word.len() > MOST_SHOWN || digits > MOST_DIGITS_SHOWN || word.contains('@') {
        "a value that is not shown, since it may be personal,".to_owned()
    } else {
        // Quoted, and with its control characters to be seen and not to be obeyed.
        format!("{word:?}")
    }
}
