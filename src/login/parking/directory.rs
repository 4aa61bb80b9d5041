//! Logins in a directory.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::DEFAULT_LIFETIME;
use super::store::{PkceStore, StoredLogin};
use crate::error::Error;
use crate::files::{PrivateDirectory, new_of};

/// The end of the name of a login's file.
const LOGIN_SUFFIX: &str = ".login";
/// The longest time to write a file. An older unfinished file belongs to a process that died.
const MAX_WRITE_TIME: Duration = Duration::from_secs(60);

/// Keeps logins in a directory, one file each, readable only by its owner (mode 0600 on Unix).
///
/// A file is complete when it appears, and of several processes that take it only one gets it. The files are small, and are read and
/// written on the calling thread.
///
/// On Unix, the files and the directory are checked. A login must be a regular file that the user of the process owns, without access
/// for group and others. A link isn't followed, and anything else is an error that says how to fix it. The directory must belong to
/// that user or to root, and other users must not be able to write to it, unless it is sticky. Files of other users are ignored.
/// The directories above it aren't checked, and must be equally safe.
#[derive(Clone, Debug)]
pub struct DirectoryPkceStore {
    directory: PrivateDirectory,
    lifetime: Duration,
}

impl DirectoryPkceStore {
    /// Opens a directory, and creates it (mode 0700 on Unix) if it doesn't exist.
    ///
    /// # Errors
    /// [`ErrorKind::Parked`](crate::ErrorKind::Parked) with the operating system's error as its source, or with one that says
    /// why the directory isn't safe.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        let directory = PrivateDirectory::open(&directory.into()).map_err(Error::store)?;
        Ok(Self { directory, lifetime: DEFAULT_LIFETIME })
    }

    /// How long a login is kept; ten minutes unless given.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    fn read(&self, name: impl AsRef<Path>) -> io::Result<Option<StoredLogin>> {
        Ok(self.directory.read(name)?.and_then(|content| serde_json::from_slice(&content).ok()))
    }

    /// Removes expired logins, and unfinished files of processes that died.
    fn sweep(&self, now: Timestamp) {
        let expired = |name: &OsStr| self.read(name).is_ok_and(|login| login.is_some_and(|login| login.expires <= now));
        let old = |metadata: &Metadata| {
            metadata.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > MAX_WRITE_TIME))
        };
        self.directory.sweep(|name, metadata| match new_of(name) {
            Some(name) => name.ends_with(LOGIN_SUFFIX.as_bytes()) && old(metadata),
            None => name.as_encoded_bytes().ends_with(LOGIN_SUFFIX.as_bytes()) && expired(name),
        });
    }
}

impl PkceStore for DirectoryPkceStore {
    async fn put(&self, key: &str, login: StoredLogin) -> io::Result<()> {
        self.sweep(login.stored);
        self.directory.replace(format!("{key}{LOGIN_SUFFIX}"), &serde_json::to_vec(&login)?)
    }

    async fn take(&self, key: &str, state_hash: &str) -> io::Result<Option<StoredLogin>> {
        let name = format!("{key}{LOGIN_SUFFIX}");
        match self.read(&name)? {
            // Several processes may have read it; the one that removes the file has taken it.
            Some(login) if login.matches(state_hash) => Ok(self.directory.remove(&name)?.then_some(login)),
            _ => Ok(None),
        }
    }

    fn login_lifetime(&self) -> Duration {
        self.lifetime
    }
}
