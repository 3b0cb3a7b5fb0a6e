//! Tells rows that only say what is known from the others while they are read: by their letters where
//! they have been understood before, else by what they mean.

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::appointment::Appointment;
use crate::domain::marks::{Marks, Place};
use crate::source::crowd;
use crate::source::row::Glimpse;

/// What is known, and the row at hand.
pub(super) struct Sieve<'a> {
    pub(super) marks: &'a mut Marks,
    /// The row at hand to the letter; 0 if it is of nothing known.
    pub(super) print: u64,
    /// The letters of the row at hand, kept so that no row needs space of its own.
    pub(super) text: Vec<u8>,
}

impl Sieve<'_> {
    /// Where a row stands, its key first, if it looks as it did when it was last understood.
    pub(super) fn knows(&mut self, cells: &[Glimpse<'_>]) -> Option<Place> {
        self.print = 0;
        let key = cells.first()?.as_ref()?.ok()?;
        let at = self.marks.find(key)?;
        self.print = print(cells, &mut self.text);
        self.marks.is_as_printed(at, self.print).then_some(at)
    }

    /// Whether the row at hand, understood, says what is known. It is remembered as it looks, with its
    /// addresses where they are counted, and left out.
    pub(super) fn recognises(&mut self, row: &Appointment, counts: bool) -> bool {
        let at = self.marks.find(&row.key.0);
        let at = at.filter(|at| self.print != 0 && self.marks.is_as_known(*at, row.fingerprint()));
        let Some(at) = at else {
            return false;
        };
        let people = row.recipients.iter().filter(|r| crowd::is_counted(r));
        let contacts = people.map(|recipient| &recipient.contact);
        let addresses: Vec<u32> = contacts
            .flat_map(crowd::numbers)
            .filter(|_| counts)
            .collect();
        self.marks.remember(at, self.print, &addresses);
        self.marks.leave_out(at);
        true
    }
}

/// A row to the letter: each text with its length before it, so that no two rows run into the same
/// letters. It is never 0.
fn print(cells: &[Glimpse<'_>], text: &mut Vec<u8>) -> u64 {
    text.clear();
    for cell in cells {
        let (length, letters) = match cell {
            None => (u32::MAX, ""),
            Some(Err(())) => (u32::MAX - 1, ""),
            Some(Ok(letters)) => (
                u32::try_from(letters.len()).unwrap_or(u32::MAX - 2),
                *letters,
            ),
        };
        text.extend_from_slice(&length.to_le_bytes());
        text.extend_from_slice(letters.as_bytes());
    }
    xxh3_64(text).max(1)
}
