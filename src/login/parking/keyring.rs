//! Logins in the operating system's keyring.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyring_core::{Entry, Error};

use super::DEFAULT_LIFETIME;
use super::store::{PkceStore, StoredLogin};

/// Keeps logins in the operating system's keyring: Keychain Services, the Windows Credential Manager, or the Secret Service.
///
/// If the application has set a default store of `keyring-core`, that one is used instead.
///
/// It has limits. A keyring can't compare and remove in one step, so two *processes* that take the same login at the same moment may
/// both get it (within a process only one does). Logins that are never resumed stay in the keyring. A keyring that is locked or
/// missing is an error, and some ask their user. Calls block the thread. If any of that matters, use a
/// [`DirectoryPkceStore`](super::DirectoryPkceStore).
#[derive(Debug)]
pub struct KeyringPkceStore {
    service: String,
    lifetime: Duration,
    one_at_a_time: Mutex<()>,
}

impl KeyringPkceStore {
    /// Keeps logins under a service name, such as the name of the application.
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

/// An entry of the default store that the application has set, or else of the operating system's keyring.
pub(crate) fn entry(service: &str, key: &str) -> io::Result<Entry> {
    match Entry::new(service, key) {
        Err(Error::NoDefaultStore) => match keyring::v1::Entry::store_status() {
            Ok(()) => Entry::new(service, key).map_err(|error| failed(&error)),
            Err(error) => Err(failed(error)),
        },
        other => other.map_err(|error| failed(&error)),
    }
}

/// The keyring's own message may contain what was kept in it.
pub(crate) fn failed(error: &Error) -> io::Error {
    io::Error::other(match error {
        Error::NoDefaultStore => "there is no keyring",
        Error::NoStorageAccess(_) => "the keyring is locked or can't be reached",
        Error::TooLong(_, _) => "the entry is too long for the keyring",
        _ => "the keyring failed",
    })
}
