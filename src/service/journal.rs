//! The journal of attempts: a small file outside the database that remembers the newest attempt a
//! node knows of, so that the node notices when an older state of the store is put back.
//!
//! A line is appended before the first byte of what it names leaves, and synced at least each
//! second. A crash of the process loses no line, a power cut at most a second of them; a journal
//! that lags behind its store is no harm. It holds numbers only, nothing of persons.
//!
//! ```text
//! varsel attempts 1 STORE
//! RECOVERIES ATTEMPT NONCE
//! ```

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::store::{AttemptId, Remembered};

/// After so many lines the file is written anew with the last one.
const MOST_LINES: u32 = 4_096;
/// No journal is longer; what is, is none.
const MOST_BYTES: u64 = 1024 * 1024;
/// What the first line begins with; the store's identity follows.
const TITLE: &str = "varsel attempts 1 ";

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be opened, read or written.
    #[error("the journal of attempts {} cannot be written: {problem}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: std::io::Error,
    },
    /// Another daemon writes to it.
    #[error("the journal of attempts {} is another daemon's", .0.display())]
    Taken(PathBuf),
}

/// A journal that is open. No other process writes to it while it is.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    store: Option<String>,
    last: Option<Remembered>,
    lines: u32,
}

impl Journal {
    /// Opens a journal, or makes an empty one.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |problem| JournalError::Io {
            path: path.to_owned(),
            problem,
        };
        let mut file = open(path).map_err(io)?;
        lock(&file, path)?;
        let mut text = String::new();
        let read = Read::by_ref(&mut file).take(MOST_BYTES);
        // What is no text was not written by us: it counts as nothing.
        let _ = { read }.read_to_string(&mut text);
        let store = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix(TITLE));
        Ok(Self {
            path: path.to_owned(),
            store: store.map(str::to_owned),
            last: last_line(&text),
            lines: u32::try_from(text.lines().count()).unwrap_or(u32::MAX),
            file,
        })
    }

    /// What it remembers of this store; `None` where it was never begun for it.
    #[must_use]
    pub fn of(&self, store: &str) -> Option<Remembered> {
        self.last.filter(|_| self.store.as_deref() == Some(store))
    }

    /// Begins it anew for a store. The journal of another store is put aside under `.old`.
    ///
    /// # Errors
    /// When it cannot be written; the old one stands.
    pub fn begin(&mut self, store: &str, last: Remembered) -> Result<(), JournalError> {
        if self.store.as_deref().is_some_and(|old| old != store) {
            let kept = std::fs::copy(&self.path, beside(&self.path, ".old"));
            kept.map_err(|problem| self.io(problem))?;
        }
        self.rewrite(store, last)
            .map_err(|problem| self.io(problem))?;
        self.store = Some(store.to_owned());
        self.last = Some(last);
        Ok(())
    }

    /// Remembers an attempt. Before this returns, nothing of it may leave.
    ///
    /// # Errors
    /// When it cannot be written; then nothing may leave.
    pub fn append(&mut self, last: Remembered) -> Result<(), JournalError> {
        let store = self.store.clone();
        let written = match store {
            Some(store) if self.lines >= MOST_LINES => self.rewrite(&store, last),
            _ => self.file.write_all(line(last).as_bytes()),
        };
        written.map_err(|problem| self.io(problem))?;
        self.lines += 1;
        self.last = Some(last);
        Ok(())
    }

    /// A handle by which it is synced while others append.
    ///
    /// # Errors
    /// When there are no handles left.
    pub fn handle(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// A whole new file takes the old one's place in one step, so that no moment has none.
    fn rewrite(&mut self, store: &str, last: Remembered) -> std::io::Result<()> {
        let new = beside(&self.path, ".new");
        let mut file = open(&new)?;
        file.set_len(0)?;
        file.write_all(format!("{TITLE}{store}\n{}", line(last)).as_bytes())?;
        file.sync_all()?;
        if let Err(TryLockError::Error(problem)) = file.try_lock() {
            return Err(problem);
        }
        std::fs::rename(&new, &self.path)?;
        if let Some(folder) = self.path.parent().filter(|f| !f.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        (self.file, self.lines) = (file, 2);
        Ok(())
    }

    fn io(&self, problem: std::io::Error) -> JournalError {
        JournalError::Io {
            path: self.path.clone(),
            problem,
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).append(true).read(true).open(path)
}

fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(JournalError::Taken(path.to_owned())),
        Err(TryLockError::Error(problem)) => Err(JournalError::Io {
            path: path.to_owned(),
            problem,
        }),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn line(last: Remembered) -> String {
    let Remembered {
        recoveries,
        attempt,
        nonce,
    } = last;
    format!("{recoveries} {} {nonce}\n", attempt.0)
}

/// The last line that is whole: a power cut may have torn the one behind it.
fn last_line(text: &str) -> Option<Remembered> {
    let whole = &text[..text.rfind('\n')? + 1];
    whole.lines().skip(1).filter_map(read_line).last()
}

fn read_line(line: &str) -> Option<Remembered> {
    let mut numbers = line.split(' ');
    let remembered = Remembered {
        recoveries: numbers.next()?.parse().ok()?,
        attempt: AttemptId(numbers.next()?.parse().ok()?),
        nonce: numbers.next()?.parse().ok()?,
    };
    numbers.next().is_none().then_some(remembered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: i64) -> Remembered {
        Remembered {
            recoveries: 0,
            attempt: AttemptId(number),
            nonce: 7,
        }
    }

    fn begun(path: &Path) -> Journal {
        let mut journal = Journal::open(path).unwrap();
        journal.begin("store", attempt(0)).unwrap();
        journal
    }

    #[test]
    fn what_was_appended_last_is_remembered_and_of_its_store_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempts");
        assert_eq!(Journal::open(&path).unwrap().of("store"), None);
        let mut journal = begun(&path);
        journal.append(attempt(3)).unwrap();
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.of("store"), Some(attempt(3)));
        assert_eq!(journal.of("another"), None);
    }

    #[test]
    fn a_torn_line_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempts");
        let mut journal = begun(&path);
        journal.append(attempt(3)).unwrap();
        journal.file.write_all(b"0 41").unwrap();
        drop(journal);
        assert_eq!(Journal::open(&path).unwrap().of("store"), Some(attempt(3)));
    }

    #[test]
    fn it_stays_small_and_no_other_process_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempts");
        let mut journal = begun(&path);
        for number in 1..=10_000 {
            journal.append(attempt(number)).unwrap();
        }
        let length = std::fs::metadata(&path).unwrap().len();
        assert!(length < 64 * 1024, "{length}");
        assert!(matches!(Journal::open(&path), Err(JournalError::Taken(_))));
        drop(journal);
        assert_eq!(
            Journal::open(&path).unwrap().of("store"),
            Some(attempt(10_000))
        );
    }

    #[test]
    fn the_journal_of_another_store_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempts");
        drop(begun(&path));
        let mut journal = Journal::open(&path).unwrap();
        journal.begin("another", attempt(0)).unwrap();
        let aside = std::fs::read_to_string(folder.path().join("attempts.old")).unwrap();
        assert!(aside.starts_with("varsel attempts 1 store\n"), "{aside}");
    }
}
