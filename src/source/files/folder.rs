//! Which files of a drop folder count: whole ones, in the order of their names.
//!
//! Nothing is deleted here. A file that was recorded is moved where the configuration says.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::{Scope, Settings, SourceError, Whole};

/// No more files of a folder are looked at; where there are more, somebody has to clear it up.
const MOST_FILES: usize = 10_000;
/// A companion with a checksum is never longer, in bytes.
const LONGEST_COMPANION: u64 = 1_024;

/// One file that is surely whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) path: PathBuf,
    name: String,
    /// Device, inode, length and time of the last change: another one of these is another file.
    identity: (u64, u64, u64, i64),
}

impl Dropped {
    fn of(path: PathBuf, name: String) -> std::io::Result<Self> {
        let identity = identity(&fs::metadata(&path)?);
        Ok(Self {
            path,
            name,
            identity,
        })
    }

    /// Whether it is the same file, wherever it lies.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.identity == other.identity
    }

    /// Whether it still is as it was when it was found.
    pub(super) fn is_untouched(&self, file: &File) -> std::io::Result<bool> {
        Ok(identity(&file.metadata()?) == self.identity)
    }

    /// Its name and length, for people.
    pub(super) fn said(&self) -> String {
        format!("{}, {} bytes", self.name, self.identity.2)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn length(&self) -> u64 {
        self.identity.2
    }
}

fn identity(meta: &fs::Metadata) -> (u64, u64, u64, i64) {
    (meta.dev(), meta.ino(), meta.len(), meta.mtime())
}

/// The folder of a source.
pub(super) struct Folder<'a>(pub(super) &'a Settings);

impl Folder<'_> {
    /// The files that count now, in the order of their names: of full ones the newest by name, even
    /// if it was put away already, and of two with one name the one that was not.
    pub(super) fn waiting(&self) -> Result<Vec<Dropped>, SourceError> {
        let mut files = self.list(&self.0.folder)?;
        if self.0.scope == Scope::Full {
            let mut newest: Vec<_> = match &self.0.done {
                Some(done) if done.is_dir() => self.list(done)?,
                _ => Vec::new(),
            };
            newest.append(&mut files);
            // Of equal ones `max_by` takes the last, and those of the folder come last.
            files.extend(
                newest
                    .into_iter()
                    .max_by(|(one, _), (other, _)| one.cmp(other)),
            );
            if files.is_empty() {
                return Err(self.unavailable(format!(
                    "there is no whole file \"{}\" in \"{}\" yet",
                    self.0.files,
                    self.0.folder.display()
                )));
            }
        }
        files.sort();
        let dropped = files.into_iter().map(|(name, path)| {
            let found = Dropped::of(path.clone(), name);
            found.map_err(|error| self.broken(&path, &error))
        });
        let dropped = dropped.collect::<Result<Vec<_>, _>>()?;
        dropped
            .iter()
            .try_for_each(|file| self.is_as_announced(file))?;
        Ok(dropped)
    }

    /// The names and places of files in a folder that claim to be whole.
    fn list(&self, folder: &Path) -> Result<Vec<(String, PathBuf)>, SourceError> {
        let unreadable = |error| self.broken(folder, &error);
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let Some(name) = name.filter(|name| self.is_ours(name)) else {
                continue;
            };
            let whole = self.0.whole == Whole::Rename || companion(&path).is_file();
            if whole && path.is_file() {
                found.push((name.to_owned(), path.clone()));
            }
            if found.len() > MOST_FILES {
                return Err(self.unavailable(format!(
                    "\"{}\" holds more than {MOST_FILES} files: put those away that were read",
                    folder.display()
                )));
            }
        }
        Ok(found)
    }

    /// Whether a name fits; what is hidden is still being written.
    fn is_ours(&self, name: &str) -> bool {
        if name.starts_with('.') {
            return false;
        }
        match self.0.files.split_once('*') {
            None => name == self.0.files,
            Some((before, after)) => {
                let long_enough = before.len() + after.len() <= name.len();
                long_enough && name.starts_with(before) && name.ends_with(after)
            }
        }
    }

    /// Whether a file has the checksum that its companion announces.
    fn is_as_announced(&self, file: &Dropped) -> Result<(), SourceError> {
        if self.0.max_file_bytes < file.length() {
            return Err(self.unavailable(format!(
                "{} is longer than {} bytes (max_file_bytes): nothing is concluded from it",
                file.name, self.0.max_file_bytes
            )));
        }
        if self.0.whole == Whole::Rename {
            return Ok(());
        }
        let beside = companion(&file.path);
        let announced = announced(&beside).map_err(|error| self.broken(&beside, &error))?;
        let counted = checksum(&file.path).map_err(|error| self.broken(&file.path, &error))?;
        if announced.eq_ignore_ascii_case(&counted) {
            return Ok(());
        }
        Err(self.unavailable(format!(
            "{} has another checksum than its .sha256 says: it is damaged or half-written, and \
             nothing is concluded from it",
            file.name
        )))
    }

    /// An export that has stopped must not look like a calm.
    pub(super) fn refuse_what_is_old(
        &self,
        files: &[Dropped],
        now: DateTime<Utc>,
    ) -> Result<(), SourceError> {
        let (Some(oldest), Scope::Full, Some(newest)) = (self.0.oldest, self.0.scope, files.last())
        else {
            return Ok(());
        };
        let age = now.timestamp().saturating_sub(newest.identity.3);
        if u64::try_from(age).unwrap_or_default() <= oldest.as_secs() {
            return Ok(());
        }
        Err(self.unavailable(format!(
            "the newest file, {}, is {} h old: has the export stopped?",
            newest.name,
            age / 3_600
        )))
    }

    /// Moves what was recorded to its place.
    pub(super) fn put_away(&self, files: &[Dropped]) -> Result<(), SourceError> {
        let Some(done) = &self.0.done else {
            return Ok(());
        };
        fs::create_dir_all(done).map_err(|error| self.broken(done, &error))?;
        for file in files {
            let here = self.0.folder.join(&file.name);
            // What was put away before, or replaced meanwhile, stays where it is.
            let same = Dropped::of(here.clone(), file.name.clone());
            if !same.is_ok_and(|now| now.is(file)) {
                continue;
            }
            // The companion first: a file without one is not taken for whole.
            let moves = [
                (companion(&here), companion(&done.join(&file.name))),
                (here, done.join(&file.name)),
            ];
            for (from, to) in moves {
                if from.is_file() {
                    fs::rename(&from, to).map_err(|error| self.broken(&from, &error))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn broken(&self, path: &Path, error: &std::io::Error) -> SourceError {
        self.unavailable(format!("\"{}\": {error}", path.display()))
    }

    pub(super) fn unavailable(&self, problem: String) -> SourceError {
        SourceError::Unavailable {
            source_name: self.0.name.clone(),
            problem,
        }
    }
}

/// The file with the checksum of another.
fn companion(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sha256");
    PathBuf::from(name)
}

/// The first word of a companion, as sha256sum writes it.
fn announced(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(LONGEST_COMPANION)
        .read_to_string(&mut text)?;
    Ok(text
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned())
}

fn checksum(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let hex = hash.finalize();
    Ok(hex.iter().map(|byte| format!("{byte:02x}")).collect())
}
