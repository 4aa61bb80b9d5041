//! A device's refresh token, in a file.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::lock::LockFile;
use super::store::TokenStore;
use crate::error::Error;
use crate::files::{PrivateDirectory, new_of};
use crate::secret::StoredToken;
use crate::wire;

/// More bytes than a token and the one that it replaced have.
const LARGEST: usize = 4_096;

/// Keeps a refresh token in a file, readable only by its owner (mode 0600 on Unix; elsewhere the directory's rights count).
///
/// The file is replaced as a whole: a process that dies at any moment leaves the old token or the new one. Beside it are a lock file,
/// which is never removed, and for a moment the new file. The files are small, and are read and written on the calling thread. A
/// network file system needs advisory locks.
///
/// On Unix, files and directory are checked. The token and the lock must be regular files of the user that the process runs as,
/// without access for group and others. A link isn't followed. Anything else is an error that says how to repair it. The
/// directory must belong to that user or to root, and be writable for nobody else. A sticky directory such as `/tmp` works,
/// but another user may create the names there first, and then the store fails: choose a directory of the user's own. The directories
/// above it aren't checked, and must be as safe.
///
/// ```no_run
/// # async fn run() -> Result<(), workos_auth::Error> {
/// use workos_auth::PublicClient;
/// use workos_auth::session::{FileTokenStore, TokenSession};
///
/// let store = FileTokenStore::open("/home/ada/.local/state/app/token")?;
/// let session = TokenSession::new(PublicClient::from_env()?, store);
/// println!("signed in as {}", session.authenticate().await.active()?.user().email);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct FileTokenStore {
    directory: PrivateDirectory,
    name: OsString,
    lock: LockFile,
}

impl FileTokenStore {
    /// Keeps the token in this file, whose directory is created (mode 0700 on Unix) if it is missing.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) with the operating system's error as its source, or one that says what is
    /// wrong with the directory.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let (directory, name) = PrivateDirectory::of(&path.into()).map_err(Error::session_store)?;
        let mut lock = name.clone();
        lock.push(".lock");
        Ok(Self { lock: LockFile { directory: directory.clone(), name: lock }, directory, name })
    }
}

impl TokenStore for FileTokenStore {
    type Lock = File;

    async fn lock(&self) -> io::Result<File> {
        self.lock.lock().await
    }

    async fn read(&self) -> io::Result<Option<StoredToken>> {
        let Some(content) = self.directory.read(&self.name)? else { return Ok(None) };
        let not_text = |_| self.directory.at(&self.name, io::ErrorKind::InvalidData.into());
        let text = String::from_utf8(content).map_err(not_text)?;
        Ok(if text.is_empty() { None } else { Some(StoredToken::new(text)) })
    }

    async fn check_writable(&self) -> io::Result<()> {
        self.directory.rehearse(&self.name, &[b' '; LARGEST])
    }

    async fn write(&self, token: &StoredToken) -> io::Result<()> {
        // Files of processes that died: this process has the lock.
        self.directory.sweep(|name, _| new_of(name) == Some(self.name.as_encoded_bytes()));
        self.directory.replace(&self.name, wire::text(token).as_bytes())
    }

    async fn remove(&self) -> io::Result<()> {
        self.directory.remove(&self.name).map(drop)
    }
}
