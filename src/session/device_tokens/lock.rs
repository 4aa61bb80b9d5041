//! A lock between processes: an advisory lock on a file. The operating system releases it when its process dies.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::time::Duration;

use fs4::{FileExt, TryLockError};
use tokio::time::sleep;

use crate::files::PrivateDirectory;

/// Between two attempts to lock.
const FILE_LOCK_PAUSE: Duration = Duration::from_millis(10);

#[derive(Clone, Debug)]
pub(super) struct LockFile {
    pub(super) directory: PrivateDirectory,
    pub(super) name: OsString,
}

impl LockFile {
    /// Waits for the lock. It is held until the file is closed.
    pub(super) async fn lock(&self) -> io::Result<File> {
        // The file is never removed: others who wait for the lock have it open.
        let file = self.directory.file(&self.name, OpenOptions::new().write(true).create(true).truncate(false))?;
        loop {
            match FileExt::try_lock(&file) {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(self.directory.at(&self.name, error)),
                Err(TryLockError::WouldBlock) => sleep(FILE_LOCK_PAUSE).await,
            }
        }
    }
}
