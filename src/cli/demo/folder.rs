//! Where a demo keeps its files: a folder of its own that goes away, or one that was asked for.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::cli::config::unwritten;
use crate::cli::{Exit, Failure};

/// The folder of one demo.
pub(super) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// Makes the folder; one that is there already is refused, since its files are somebody's.
    pub(super) fn make(wanted: Option<&Path>) -> Result<Self, Failure> {
        let own =
            || std::env::temp_dir().join(format!("varsel-demo-{:08x}", rand::random::<u32>()));
        let path = wanted.map_or_else(own, Path::to_owned);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| {
            let problem = format!("the folder \"{}\" cannot be made: {error}", path.display());
            let help = "name a folder that does not exist yet, in one that does";
            Failure::new(unwritten(&error), problem, help)
        })?;
        // A configuration's paths are relative to where it stands; this one is not.
        let path = std::path::absolute(&path).unwrap_or(path);
        Ok(Self {
            path,
            keep: wanted.is_some(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one small file.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        std::fs::write(&path, text).map_err(|error| {
            let problem = format!("\"{}\" cannot be written: {error}", path.display());
            Failure::new(Exit::Unavailable, problem, "is the disk full?")
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed lies in the system's own folder for such files.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
