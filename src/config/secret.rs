//! Secrets stand in files: the configuration names the file, and the value is read only where it is
//! used. It never prints.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::error::ConfigError;

/// No secret is longer, in bytes; a longer file is not a secret but a mistake.
const MAX_BYTES: u64 = 16 * 1024;

/// What to do about a secret that is not there.
const WHERE: &str = "put the secret into this file; a bare name is looked for in \
    $CREDENTIALS_DIRECTORY first, where systemd puts what LoadCredential= names";

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
        let unreadable = |error| {
            let problem = format!(
                "the secret file \"{}\" cannot be read: {error}",
                self.path.display()
            );
            ConfigError::new(problem, WHERE)
        };
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

    /// Whether every user of this machine can read it; it is not read here.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        let meta = std::fs::metadata(&self.path);
        meta.is_ok_and(|meta| meta.permissions().mode() & 0o007 != 0)
    }
}
