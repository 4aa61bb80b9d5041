//! A lock between processes: an advisory one on a file, which the operating system gives back when its holder dies.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::time::Duration;

use fs4::{FileExt, TryLockError};
use tokio::time::{Instant, sleep};

use crate::files::PrivateDirectory;

/// How long to wait for a turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts.
const POLL: Duration = Duration::from_millis(10);

#[derive(Clone, Debug)]
pub(super) struct LockFile {
    pub(super) directory: PrivateDirectory,
    pub(super) name: OsString,
}

impl LockFile {
    /// The lock, until the file is closed.
    pub(super) async fn lock(&self) -> io::Result<File> {
        let patience = Instant::now() + PATIENCE;
        // The file is never removed: whoever waits for it has it open.
        let file = self.directory.file(&self.name, OpenOptions::new().write(true).create(true).truncate(false))?;
        loop {
            match FileExt::try_lock(&file) {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(self.directory.at(&self.name, error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= patience => {
                    let error = io::Error::new(io::ErrorKind::TimedOut, "another process holds the lock");
                    return Err(self.directory.at(&self.name, error));
                }
                Err(TryLockError::WouldBlock) => sleep(POLL).await,
            }
        }
    }
}
