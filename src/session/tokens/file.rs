//! The refresh token of a command line, in a file.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::TokenStore;
use super::lock::LockFile;
use crate::error::Error;
use crate::files::{ignore_missing, private_file};
use crate::secret::StoredToken;
use crate::wire;

/// Keeps a refresh token in a file, readable by its owner alone (mode 0600 on Unix; elsewhere the directory's rights count).
///
/// The file is replaced as a whole, so that a process that dies at any moment leaves the old token or the new one. Beside it
/// are a lock file, which is never removed, and for a moment the new file. The files are small, and are read and written on the
/// calling thread. Network file systems without advisory locks won't do.
#[derive(Clone, Debug)]
pub struct FileTokenStore {
    path: PathBuf,
    lock: LockFile,
}

impl FileTokenStore {
    /// Keeps the token in this file, whose directory is made (mode 0700 on Unix) if it isn't there.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) with the operating system's error as its source.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let lock = LockFile::in_directory_of(beside(&path, ".lock")).map_err(Error::session_store)?;
        Ok(Self { path, lock })
    }
}

impl TokenStore for FileTokenStore {
    type Lock = File;

    async fn lock(&self) -> io::Result<File> {
        self.lock.lock().await
    }

    async fn read(&self) -> io::Result<Option<StoredToken>> {
        match fs::read_to_string(&self.path) {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => Ok(Some(StoredToken::new(text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, token: &StoredToken) -> io::Result<()> {
        let new = beside(&self.path, ".new");
        // What a process that died has left, whoever may read it.
        ignore_missing(fs::remove_file(&new))?;
        let mut file = private_file(OpenOptions::new().create_new(true), &new)?;
        file.write_all(wire::text(token).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        sync_directory(&self.path)
    }

    async fn remove(&self) -> io::Result<()> {
        ignore_missing(fs::remove_file(&self.path))?;
        sync_directory(&self.path)
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// A renamed file is there after a power cut when its directory is.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "directories can't be synced here")]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
