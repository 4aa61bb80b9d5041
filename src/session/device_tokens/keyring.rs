//! A device's refresh token, in the operating system's keyring.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use keyring_core::Error as KeyringError;

use super::lock::LockFile;
use super::store::TokenStore;
use crate::error::Error;
use crate::files::PrivateDirectory;
use crate::login::parking::keyring::{failed, with_entry};
use crate::secret::StoredToken;
use crate::wire;

/// Keeps a refresh token in the operating system's keyring: Keychain Services, the Windows Credential Manager, or the Secret
/// Service (GNOME Keyring, `KWallet`). An application that has set a default store of `keyring-core` gets that one instead.
///
/// In the Secret Service, the item has the attributes `service` and `username`, which is the account. A keyring has no locks between
/// processes, so the lock is a file.
///
/// A keyring that is locked, or whose user refuses, is an [`io::Error`] of the kind `PermissionDenied`. Where there is no keyring, the kind
/// is `Unsupported`; a process that found none looks for it only once.
///
/// ```no_run
/// # async fn run() -> Result<(), workos_auth::Error> {
/// use workos_auth::session::{KeyringTokenStore, TokenSession};
/// use workos_auth::PublicClient;
///
/// let store = KeyringTokenStore::new("com.example.app", "default", "/home/ada/.local/state/app/lock")?;
/// let session = TokenSession::new(PublicClient::from_env()?, store);
/// let signed_in = session.authenticate().await.active()?;
/// println!("signed in as {}", signed_in.user().email);
/// # Ok(()) }
/// ```
///
/// On Unix, the lock file and its directory are checked. The file must be a regular one of the user that the process runs as,
/// without access for group and others. A link isn't followed. Anything else is an error that says how to repair it. The
/// directory must belong to that user or to root, and be writable for nobody else. A sticky directory such as `/tmp` works,
/// but another user may create the name there first, and then the store fails: choose a directory of the user's own. The directories
/// above it aren't checked, and must be as safe.
#[derive(Clone)]
pub struct KeyringTokenStore {
    service: String,
    account: String,
    lock: LockFile,
}

impl KeyringTokenStore {
    /// Keeps the token under a service name, such as the application's own, and an account name, such as the environment's.
    /// The lock file's directory is created (mode 0700 on Unix) if it is missing.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) with the operating system's error as its source, or one that says what is
    /// wrong with the directory.
    pub fn new(
        service: impl Into<String>,
        account: impl Into<String>,
        lock_file: impl Into<PathBuf>,
    ) -> Result<Self, Error> {
        let (directory, name) = PrivateDirectory::of(&lock_file.into()).map_err(Error::session_store)?;
        Ok(Self { service: service.into(), account: account.into(), lock: LockFile { directory, name } })
    }
}

impl TokenStore for KeyringTokenStore {
    type Lock = File;

    async fn lock(&self) -> io::Result<File> {
        self.lock.lock().await
    }

    async fn read(&self) -> io::Result<Option<StoredToken>> {
        with_entry(&self.service, &self.account, |entry| match entry.get_password() {
            Ok(token) => Ok(Some(StoredToken::new(token))),
            Err(KeyringError::NoEntry) => Ok(None),
            Err(error) => Err(failed(&error)),
        })
        .await
    }

    async fn write(&self, token: &StoredToken) -> io::Result<()> {
        let token = StoredToken::new(wire::text(token));
        with_entry(&self.service, &self.account, move |entry| {
            entry.set_password(wire::text(&token)).map_err(|error| failed(&error))
        })
        .await
    }

    async fn remove(&self) -> io::Result<()> {
        with_entry(&self.service, &self.account, |entry| match entry.delete_credential() {
            Ok(()) | Err(KeyringError::NoEntry) => Ok(()),
            Err(error) => Err(failed(&error)),
        })
        .await
    }
}

impl fmt::Debug for KeyringTokenStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyringTokenStore").field("service", &self.service).finish_non_exhaustive()
    }
}
