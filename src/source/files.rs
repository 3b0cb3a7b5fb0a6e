//! A booking system that drops its appointments into a folder as CSV files.
//!
//! A file is taken only when it is surely whole, by the way that was agreed with its writer, and what
//! does not read as it should is never read as a cancellation. A *full* file is a snapshot; files of
//! *deltas* say something of the bookings they name and nothing of the others.

mod folder;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::mapping::Mapping;
use super::survey::{Survey, Surveyor};
use super::{Look, Snapshot, Source, SourceError, Words};
use crate::clock::{Clock, Mono};
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::directory::Directory;
use folder::{Dropped, Folder};
use table::Table;

/// Everything the configuration says of one drop folder.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The source's name.
    pub name: SourceName,
    /// The folder.
    pub folder: PathBuf,
    /// Which files in it are ours: a name with at most one `*`.
    pub files: String,
    /// How a whole file is known.
    pub whole: Whole,
    /// What a file says of the bookings that it does not name.
    pub scope: Scope,
    /// Its characters.
    pub encoding: Encoding,
    /// What stands between two fields.
    pub separator: u8,
    /// Our columns by their headers in the file; a header that is one of our names needs no entry.
    pub columns: Vec<(String, String)>,
    /// Where a file goes that was recorded; `None` leaves it where it is.
    pub done: Option<PathBuf>,
    /// A full file older than this is no news, and reading it is refused.
    pub oldest: Option<Duration>,
    /// No file is longer, in bytes.
    pub max_file_bytes: u64,
    /// What its values mean.
    pub words: Words,
}

/// How a whole file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// It is written under another name and then renamed.
    Rename,
    /// A file `NAME.sha256` beside it holds its checksum.
    Checksum,
}

/// What a file says of the bookings that it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// They are gone: the newest file, by name, holds every future booking.
    Full,
    /// Nothing: each file, in the order of their names, holds what changed.
    Delta,
}

/// The characters of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// ISO 8859-1.
    Latin1,
    /// Windows-1252.
    Windows1252,
}

/// A source that reads a drop folder.
pub struct FolderSource {
    settings: Arc<Settings>,
    mapping: Arc<Mapping>,
    /// What the last complete read took; it counts as recorded when the next read begins.
    taken: Vec<Dropped>,
    /// Whether the last read was recorded, and the same files say nothing new.
    calm: bool,
}

impl FolderSource {
    /// Checks the mapping against the directory.
    pub(super) fn closed(
        settings: Settings,
        directory: Arc<Directory>,
    ) -> Result<Self, SourceError> {
        let mapping = Mapping::new(settings.name.clone(), settings.words.clone(), directory)?;
        Ok(Self {
            settings: Arc::new(settings),
            mapping: Arc::new(mapping),
            taken: Vec::new(),
            calm: false,
        })
    }

    /// Checks that the folder can be listed.
    pub(super) async fn try_out(&mut self) -> Result<(), SourceError> {
        let settings = Arc::clone(&self.settings);
        self.apart(move || Folder(&settings).waiting()).await?;
        Ok(())
    }

    /// Files are read on a thread of their own: the lines go on meanwhile.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let broke = |_| SourceError::Unavailable {
            source_name: self.settings.name.clone(),
            problem: "reading its files broke off".to_owned(),
        };
        tokio::task::spawn_blocking(work).await.map_err(broke)?
    }

    /// What one read of the files holds, counted; nothing is concluded from it.
    ///
    /// # Errors
    /// As for a snapshot, except that rows which cannot be understood are counted.
    pub async fn survey(&mut self, floor: DateTime<Utc>) -> Result<Survey, SourceError> {
        let (settings, mapping) = (Arc::clone(&self.settings), Arc::clone(&self.mapping));
        self.apart(move || {
            let begun = Mono::now();
            let files = Folder(&settings).waiting()?;
            let mut survey = None;
            for file in &files {
                let mut table = Table::open(&settings, file)?;
                let surveyor =
                    survey.get_or_insert_with(|| Surveyor::new(&mapping, table.columns(), floor));
                while let Some(row) = table.next()? {
                    match row {
                        Ok(row) => surveyor.take(&row.raw),
                        Err(fault) => surveyor.refuse(fault),
                    }
                }
                table.close()?;
            }
            let mut survey = survey.map(Surveyor::end).unwrap_or_default();
            survey.cost = files.iter().map(Dropped::said).collect();
            survey.read_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            Ok(survey)
        })
        .await
    }
}

impl Source for FolderSource {
    fn name(&self) -> &SourceName {
        &self.settings.name
    }

    async fn snapshot(&mut self, floor: DateTime<Utc>) -> Result<Look, SourceError> {
        let (settings, mapping) = (Arc::clone(&self.settings), Arc::clone(&self.mapping));
        let (taken, calm) = (std::mem::take(&mut self.taken), self.calm);
        // Until this read has ended well, nothing is known.
        self.calm = false;
        let read = self.apart(move || read(&settings, &mapping, taken, calm, floor));
        let (taken, snapshot) = read.await?;
        self.taken = taken;
        self.calm = true;
        Ok(snapshot.map_or(Look::Unchanged, Look::Snapshot))
    }

    /// The rows of these keys in the files that count now, whenever they start.
    async fn look_up(&mut self, keys: &[BookingKey]) -> Result<Snapshot, SourceError> {
        let (settings, mapping) = (Arc::clone(&self.settings), Arc::clone(&self.mapping));
        let keys: std::collections::BTreeSet<BookingKey> = keys.iter().cloned().collect();
        self.apart(move || {
            let files = Folder(&settings).waiting()?;
            table::merge(&settings, &mapping, &files, None, Some(&keys))
        })
        .await
    }

    fn forget(&mut self) {
        self.calm = false;
    }

    fn mapping(&self) -> Option<String> {
        let settings = &self.settings;
        let folder = settings.folder.display().to_string();
        let columns = settings.columns.iter();
        let columns = columns.flat_map(|(ours, theirs)| [ours.as_str(), theirs.as_str()]);
        let scope = match settings.scope {
            Scope::Full => "full",
            Scope::Delta => "delta",
        };
        let read: Vec<&str> = [&folder, scope].into_iter().chain(columns).collect();
        Some(self.mapping.fingerprint(&read))
    }
}

/// The files that were taken, and what they hold, unless that is no news.
type Taken = (Vec<Dropped>, Option<Snapshot>);

fn read(
    settings: &Settings,
    mapping: &Mapping,
    taken: Vec<Dropped>,
    calm: bool,
    floor: DateTime<Utc>,
) -> Result<Taken, SourceError> {
    let folder = Folder(settings);
    // Who asks again without having forgotten has recorded what was read before.
    if calm {
        folder.put_away(&taken)?;
    }
    let waiting = folder.waiting()?;
    folder.refuse_what_is_old(&waiting, Clock::system().now())?;
    // What was put away has another place now, and is still the same file.
    let is_news = |file: &&Dropped| !calm || !taken.iter().any(|old| old.is(file));
    let news: Vec<Dropped> = waiting.iter().filter(is_news).cloned().collect();
    if calm && news.is_empty() {
        return Ok((waiting, None));
    }
    let snapshot = table::merge(settings, mapping, &news, Some(floor), None)?;
    Ok((waiting, Some(snapshot)))
}
