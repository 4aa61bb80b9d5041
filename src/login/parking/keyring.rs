//! Logins in the operating system's keyring.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyring_core::{Entry, Error};

use super::DEFAULT_LIFETIME;
use super::store::{PkceStore, StoredLogin};

/// Keeps logins in the operating system's keyring: Keychain Services, the Windows Credential Manager, or the Secret Service.
///
/// An application that has set a default store of `keyring-core` gets that one instead.
///
/// It is a best effort, and there is much that it can't promise. A keyring has no way to compare and remove in one step, so
/// of two *processes* that take the same login at the same moment both may get it (within a process one does). What nobody
/// comes back for stays there. A keyring may be locked, ask its user, or be missing, and is then an error. Calls block the
/// thread. Where any of that matters, take a [`DirectoryPkceStore`](super::DirectoryPkceStore).
#[derive(Debug)]
pub struct KeyringPkceStore {
    service: String,
    lifetime: Duration,
    one_at_a_time: Mutex<()>,
}

impl KeyringPkceStore {
    /// Keeps logins under a service name, such as the application's own.
    #[must_use]
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), lifetime: DEFAULT_LIFETIME, one_at_a_time: Mutex::default() }
    }

    /// How long a login is kept; ten minutes unless given.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    fn entry(&self, key: &str) -> io::Result<Entry> {
        entry(&self.service, key)
    }

    fn take_now(&self, key: &str, state_hash: &str) -> io::Result<Option<StoredLogin>> {
        let _guard = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = self.entry(key)?;
        let kept = match entry.get_password() {
            Ok(text) => serde_json::from_str::<StoredLogin>(&text).ok(),
            Err(Error::NoEntry) => None,
            Err(error) => return Err(failed(&error)),
        };
        match kept.filter(|login| login.matches(state_hash)) {
            Some(login) => match entry.delete_credential() {
                Ok(()) => Ok(Some(login)),
                Err(Error::NoEntry) => Ok(None),
                Err(error) => Err(failed(&error)),
            },
            None => Ok(None),
        }
    }
}

impl PkceStore for KeyringPkceStore {
    async fn put(&self, key: &str, login: StoredLogin) -> io::Result<()> {
        let text = serde_json::to_string(&login)?;
        self.entry(key)?.set_password(&text).map_err(|error| failed(&error))
    }

    async fn take(&self, key: &str, state_hash: &str) -> io::Result<Option<StoredLogin>> {
        self.take_now(key, state_hash)
    }

    fn login_lifetime(&self) -> Duration {
        self.lifetime
    }
}

/// An entry of the application's default store, or else of the operating system's.
pub(crate) fn entry(service: &str, key: &str) -> io::Result<Entry> {
    match Entry::new(service, key) {
        Err(Error::NoDefaultStore) => match keyring::v1::Entry::store_status() {
            Ok(()) => Entry::new(service, key).map_err(|error| failed(&error)),
            Err(error) => Err(failed(error)),
        },
        other => other.map_err(|error| failed(&error)),
    }
}

/// The keyring's own words may hold what was kept in it.
pub(crate) fn failed(error: &Error) -> io::Error {
    io::Error::other(match error {
        Error::NoDefaultStore => "there is no keyring",
        Error::NoStorageAccess(_) => "the keyring is locked or can't be reached",
        Error::TooLong(_, _) => "the keyring takes shorter entries only",
        _ => "the keyring failed",
    })
}
