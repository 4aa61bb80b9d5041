//! Logins in the operating system's keyring.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use keyring_core::{Entry, Error};
use tokio::sync::oneshot;

use super::DEFAULT_LIFETIME;
use super::store::{PkceStore, StoredLogin};

/// Keeps logins in the operating system's keyring: Keychain Services, the Windows Credential Manager, or the Secret Service (GNOME
/// Keyring, `KWallet`).
///
/// In the Secret Service, an item has the attributes `service`, which is the application's name, and `username`, which is the key of the
/// login. If the application has set a default store of `keyring-core`, that one is used instead.
///
/// A keyring can't compare and remove in one step, so two *processes* that take the same login at the same moment may both get it
/// (within a process only one does). Logins that are never resumed stay in the keyring. If any of that matters, use a
/// [`DirectoryPkceStore`](super::DirectoryPkceStore).
///
/// A keyring that is locked is an [`io::Error`] of the kind `PermissionDenied`, and may ask its user first. Where there is no keyring,
/// the kind is `Unsupported`; a process that found none looks for it only once.
///
/// ```no_run
/// # async fn run(client: workos_auth::PublicClient, callback: workos_auth::Callback) -> Result<(), workos_auth::Error> {
/// use workos_auth::RedirectUri;
/// use workos_auth::parking::KeyringPkceStore;
///
/// let store = KeyringPkceStore::new("com.example.app");
/// let redirect_uri = RedirectUri::new("com.example.app:/callback")?;
/// let (url, handle) = client.authorize(redirect_uri.clone()).authkit().begin()?.store(&store).await?;
/// // Open `url`, and keep `handle` until the application is started with the callback:
/// let login = client.resume_login(&store, &handle, &redirect_uri, &callback).await?;
/// let response = login.exchange(callback)?.send().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct KeyringPkceStore {
    service: String,
    lifetime: Duration,
    one_at_a_time: Arc<Mutex<()>>,
}

impl KeyringPkceStore {
    /// Keeps logins under a service name, such as the name of the application.
    #[must_use]
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), lifetime: DEFAULT_LIFETIME, one_at_a_time: Arc::default() }
    }

    /// How long a login is kept; ten minutes unless given.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }
}

fn take(entry: &Entry, state_hash: &str) -> io::Result<Option<StoredLogin>> {
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

impl PkceStore for KeyringPkceStore {
    async fn put(&self, key: &str, login: StoredLogin) -> io::Result<()> {
        let text = serde_json::to_string(&login)?;
        with_entry(&self.service, key, move |entry| entry.set_password(&text).map_err(|error| failed(&error))).await
    }

    async fn take(&self, key: &str, state_hash: &str) -> io::Result<Option<StoredLogin>> {
        let (turn, state_hash) = (Arc::clone(&self.one_at_a_time), state_hash.to_owned());
        with_entry(&self.service, key, move |entry| {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            take(entry, &state_hash)
        })
        .await
    }

    fn login_lifetime(&self) -> Duration {
        self.lifetime
    }
}

/// Does something with an entry on a thread of its own: a keyring blocks, and may wait for its user. The work goes on when the caller is
/// cancelled.
pub(crate) async fn with_entry<T: Send + 'static>(
    service: &str,
    key: &str,
    work: impl FnOnce(&Entry) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (service, key) = (service.to_owned(), key.to_owned());
    let (teller, listener) = oneshot::channel();
    // Not one of tokio's threads, for which a runtime waits at its end.
    let thread = thread::Builder::new().name("keyring".to_owned());
    thread.spawn(move || drop(teller.send(entry(&service, &key).and_then(|entry| work(&entry)))))?;
    listener.await.unwrap_or_else(|_| Err(io::Error::other("the keyring failed")))
}

/// An entry of the default store that the application has set, or else of the operating system's keyring.
fn entry(service: &str, key: &str) -> io::Result<Entry> {
    match Entry::new(service, key) {
        Err(Error::NoDefaultStore) => match keyring::v1::Entry::store_status() {
            Ok(()) => Entry::new(service, key).map_err(|error| failed(&error)),
            Err(error) if is_missing(error) => Err(missing()),
            Err(error) => Err(failed(error)),
        },
        other => other.map_err(|error| failed(&error)),
    }
}

/// The keyring's own message may contain what was kept in it.
pub(crate) fn failed(error: &Error) -> io::Error {
    match error {
        Error::NoDefaultStore => missing(),
        Error::NoStorageAccess(_) => io::Error::new(
            ErrorKind::PermissionDenied,
            "the keyring is locked, or its user refused: unlock it, and try again",
        ),
        Error::TooLong(_, _) => io::Error::new(ErrorKind::InvalidInput, "the entry is too long for the keyring"),
        Error::Ambiguous(_) => {
            io::Error::new(ErrorKind::InvalidData, "the keyring has several entries of this name: remove them")
        }
        _ => io::Error::other("the keyring failed"),
    }
}

fn missing() -> io::Error {
    io::Error::new(
        ErrorKind::Unsupported,
        "there is no keyring here: on Linux, no Secret Service is on the session bus",
    )
}

/// Whether the connection to the keyring failed because there is none, and not for any other reason.
fn is_missing(error: &Error) -> bool {
    let cause = match error {
        Error::Invalid(parameter, _) => return parameter == "platform",
        Error::PlatformFailure(cause) => cause.as_ref() as &(dyn StdError + 'static),
        _ => return false,
    };
    let mut causes = std::iter::successors(Some(cause), |cause| (*cause).source());
    causes.any(|cause| {
        let bus = cause.downcast_ref::<Arc<io::Error>>();
        // The types of the other errors aren't in the public API of `keyring`. What an unknown text means isn't guessed.
        let text = cause.to_string();
        bus.is_some_and(|bus| bus.kind() == ErrorKind::NotFound)
            || text == "no secret service provider or dbus session found"
            || text.contains("org.freedesktop.DBus.Error.ServiceUnknown")
    })
}
