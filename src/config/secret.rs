//! Secrets stand in files: the configuration names the file, and the value is read only where it is
//! used. It never prints.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::error::ConfigError;

/// No secret is longer, in bytes; a longer file is not a secret but a mistake.
const MAX_BYTES: u64 = 16 * 1024;

/// The file that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    /// Where it stands.
    pub path: PathBuf,
}

impl SecretFile {
    /// Finds the file of `name`: a bare name in systemd's credentials directory first, anything else
    /// (and a bare name that is not there) beside the configuration file.
    #[must_use]
    pub fn find(name: &Path, credentials: Option<&OsString>, folder: &Path) -> Self {
        let bare = name.components().count() == 1;
        let credential = credentials
            .filter(|_| bare)
            .map(|directory| Path::new(directory).join(name))
            .filter(|path| path.exists());
        Self {
            path: credential.unwrap_or_else(|| folder.join(name)),
        }
    }

    /// The secret; one line end at its end does not belong to it.
    ///
    /// # Errors
    /// When the file cannot be read, is empty or is too long to be a secret.
    pub fn read(&self) -> Result<SecretString, ConfigError> {
        let unreadable = |error| ConfigError::unreadable("the secret file", &self.path, &error);
        let length = std::fs::metadata(&self.path).map_err(unreadable)?.len();
        let text = if length <= MAX_BYTES {
            std::fs::read_to_string(&self.path).map_err(unreadable)?
        } else {
            String::new()
        };
        let secret = text.strip_suffix('\n').unwrap_or(&text);
        let secret = secret.strip_suffix('\r').unwrap_or(secret);
        if secret.is_empty() {
            return Err(ConfigError::new(
                format!(
                    "the secret file \"{}\" holds no secret",
                    self.path.display()
                ),
                "put the secret into it, on one line",
            ));
        }
        Ok(SecretString::from(secret))
    }

    /// What is wrong with the file's permissions, without reading it.
    #[must_use]
    pub fn exposure(&self) -> Option<String> {
        let mode = std::fs::metadata(&self.path).ok()?.permissions().mode();
        (mode & 0o007 != 0).then(|| {
            format!(
                "\"{}\" can be read by every user of this machine: chmod o-rwx",
                self.path.display()
            )
        })
    }
}
