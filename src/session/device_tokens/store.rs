//! Where a device's refresh token is kept: the trait, and the store in memory.

use std::future::{Future, ready};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::secret::StoredToken;
use crate::wire;

/// Keeps the refresh token of one user's session on the user's device, for every process of the application.
///
/// This crate has stores in a file (`FileTokenStore`, feature `files`), in the operating system's keyring (`KeyringTokenStore`,
/// feature `keyring`) and in memory ([`MemoryTokenStore`]).
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a store for the token of a command line",
    label = "needs a `TokenStore`",
    note = "take a `FileTokenStore` (feature `files`), a `KeyringTokenStore` (feature `keyring`) or a `MemoryTokenStore`, or implement `TokenStore`"
)]
pub trait TokenStore: Send + Sync + 'static {
    /// Held while a token is exchanged and written. When it is dropped, or its process dies, the next caller gets the lock.
    type Lock: Send;

    /// Locks the store for this process and task; waits while another has the lock. The caller limits the time.
    ///
    /// # Errors
    /// The store's failure. It becomes the source of an [`Error`](crate::Error).
    fn lock(&self) -> impl Future<Output = io::Result<Self::Lock>> + Send;

    /// The token, if there is one. Needs no lock.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    fn read(&self) -> impl Future<Output = io::Result<Option<StoredToken>>> + Send;

    /// Fails if a token could not be written now, while the lock is held. It is asked before an exchange, which uses the old token up.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    fn check_writable(&self) -> impl Future<Output = io::Result<()>> + Send {
        ready(Ok(()))
    }

    /// Replaces the token, as a whole or not at all, while the lock is held.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    fn write(&self, token: &StoredToken) -> impl Future<Output = io::Result<()>> + Send;

    /// Removes the token, while the lock is held. A missing token isn't an error.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    fn remove(&self) -> impl Future<Output = io::Result<()>> + Send;
}

/// Keeps a refresh token in the memory of the process: for tests, and for applications whose users sign in at each start.
#[derive(Debug, Default)]
pub struct MemoryTokenStore {
    token: Mutex<Option<StoredToken>>,
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl MemoryTokenStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// The lock of a [`MemoryTokenStore`], until it is dropped.
#[derive(Debug)]
pub struct MemoryTokenLock {
    _guard: OwnedMutexGuard<()>,
}

impl TokenStore for MemoryTokenStore {
    type Lock = MemoryTokenLock;

    async fn lock(&self) -> io::Result<Self::Lock> {
        Ok(MemoryTokenLock { _guard: Arc::clone(&self.lock).lock_owned().await })
    }

    async fn read(&self) -> io::Result<Option<StoredToken>> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(token.as_ref().map(|token| StoredToken::new(wire::text(token))))
    }

    async fn write(&self, token: &StoredToken) -> io::Result<()> {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(StoredToken::new(wire::text(token)));
        Ok(())
    }

    async fn remove(&self) -> io::Result<()> {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}
