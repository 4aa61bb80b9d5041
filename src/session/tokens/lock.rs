//! A lock between processes: an advisory one on a file, which the operating system gives back when its holder dies.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use fs4::{FileExt, TryLockError};
use tokio::time::{Instant, sleep};

use crate::files::{private_directory, private_file};

/// How long to wait for a turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts.
const POLL: Duration = Duration::from_millis(10);

#[derive(Clone, Debug)]
pub(super) struct LockFile(PathBuf);

impl LockFile {
    /// Makes the directory that the file is to be in (mode 0700 on Unix), if it isn't there.
    pub(super) fn in_directory_of(path: PathBuf) -> io::Result<Self> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            private_directory(directory)?;
        }
        Ok(Self(path))
    }

    /// The lock, until the file is closed.
    pub(super) async fn lock(&self) -> io::Result<File> {
        let patience = Instant::now() + PATIENCE;
        // The file is never removed: whoever waits for it has it open.
        let file = private_file(OpenOptions::new().create(true).truncate(false), &self.0)?;
        loop {
            match FileExt::try_lock(&file) {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= patience => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds the lock"));
                }
                Err(TryLockError::WouldBlock) => sleep(POLL).await,
            }
        }
    }
}
