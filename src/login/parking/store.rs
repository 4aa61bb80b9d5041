//! Stores for logins in the browser, for every kind of client. A login is taken once only, also by several processes.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::DEFAULT_LIFETIME;
use crate::client::Client;
use crate::credentials::HasClientId;
use crate::error::{CallbackError, Error, ParkedError};
use crate::id::RedirectUri;
use crate::login::{Callback, PkceSession};
use crate::rejected::Rejected;
use crate::secret::{AuthorizationUrl, State};
use crate::wire;

/// The value that a [`PkceStore`] keeps under a key. It can't be read without the handle, which the store never sees.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct StoredLogin {
    /// SHA-256 of the login's state, in hexadecimal, which [`PkceStore::take`] compares.
    pub state_hash: String,
    /// When it was stored. A store may drop the entries that had expired at this time: both times are from the client's clock, so that
    /// a store needs no clock.
    pub stored: Timestamp,
    /// After this time the entry may be dropped.
    pub expires: Timestamp,
    /// The login, sealed with its handle.
    pub sealed: String,
}

impl StoredLogin {
    /// An entry from the columns of an application's own store.
    #[must_use]
    pub fn new(state_hash: String, stored: Timestamp, expires: Timestamp, sealed: String) -> Self {
        Self { state_hash, stored, expires, sealed }
    }

    /// Whether it is the login with this state; compared in constant time.
    #[must_use]
    pub fn matches(&self, state_hash: &str) -> bool {
        self.state_hash.as_bytes().ct_eq(state_hash.as_bytes()).into()
    }
}

/// Keeps logins while their users sign in. Each login is taken at most once, by the process that gets the callback.
///
/// The key is SHA-256 of a random handle that is kept in the user's browser or in the process; it isn't the state. The value is
/// sealed with that handle, so a store that leaks reveals nothing.
///
/// ```
/// # async fn run(callback: workos_auth::Callback) -> Result<(), workos_auth::Error> {
/// use workos_auth::parking::MemoryPkceStore;
/// use workos_auth::{PublicClient, RedirectUri};
///
/// let (client, store) = (PublicClient::new("client_123")?, MemoryPkceStore::new());
/// let redirect_uri = RedirectUri::new("com.example.app:/callback")?;
/// let (url, handle) = client.authorize(redirect_uri.clone()).authkit().begin()?.store(&store).await?;
/// // The browser goes to `url`, and comes back:
/// let login = client.resume_login(&store, &handle, &redirect_uri, &callback).await?;
/// let response = login.exchange(callback)?.send().await?;
/// # Ok(()) }
/// ```
pub trait PkceStore: Send + Sync {
    /// Keeps a login.
    ///
    /// # Errors
    /// The failure of the store, which becomes the source of an [`Error`].
    fn put(&self, key: &str, login: StoredLogin) -> impl Future<Output = io::Result<()>> + Send;

    /// Removes and returns the login if it [`matches`](StoredLogin::matches) the state, and leaves it in place if it doesn't: a
    /// forged callback must remove nothing. Of several simultaneous calls, only one gets the login.
    ///
    /// # Errors
    /// The failure of the store, which becomes the source of an [`Error`].
    fn take(&self, key: &str, state_hash: &str) -> impl Future<Output = io::Result<Option<StoredLogin>>> + Send;

    /// How long a login is kept; ten minutes by default.
    fn login_lifetime(&self) -> Duration {
        DEFAULT_LIFETIME
    }
}

/// The handle of a stored login: 256 random bits, kept in a cookie of the user's browser or in the memory of the process.
///
/// Its `Debug` is redacted; only [`ExposeSecret`] gives the value.
pub struct LoginHandle(State);

impl LoginHandle {
    /// Makes it of the text that the application kept.
    pub fn new(value: impl Into<String>) -> Self {
        Self(State::new(value))
    }

    fn key(&self) -> String {
        wire::sha256_hex(wire::text(self))
    }
}

impl ExposeSecret<str> for LoginHandle {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for LoginHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginHandle([REDACTED])")
    }
}

impl<K> PkceSession<K> {
    /// Puts the login into a store, and returns the URL for the browser and the handle that takes the login out again.
    ///
    /// # Errors
    /// [`ErrorKind::Parked`](crate::ErrorKind::Parked) with [`ParkedError::Store`]; the session is returned.
    pub async fn store(self, store: &impl PkceStore) -> Result<(AuthorizationUrl, LoginHandle), Rejected<Self>> {
        match self.put(store).await {
            Ok(handle) => Ok((self.login.url, handle)),
            Err(error) => Err(Rejected::returning(error, self)),
        }
    }

    async fn put(&self, store: &impl PkceStore) -> Result<LoginHandle, Error> {
        let runtime = &self.login.caller.client.core.runtime;
        let handle = LoginHandle(wire::random_state(runtime.random.as_ref())?);
        let (stored, lifetime) = (runtime.clock.now(), store.login_lifetime());
        let login = StoredLogin {
            state_hash: wire::sha256_hex(wire::text(&self.login.state)),
            stored,
            expires: stored.checked_add(lifetime).unwrap_or(Timestamp::MAX),
            sealed: super::seal(self, wire::text(&handle), lifetime)?,
        };
        store.put(&handle.key(), login).await.map_err(Error::store)?;
        Ok(handle)
    }
}

/// # Logins that were stored
impl<K> Client<K> {
    /// Takes the login of a callback out of a store.
    ///
    /// # Errors
    /// [`ErrorKind::Parked`](crate::ErrorKind::Parked), with [`ParkedError::NotFound`] when there is no such login or it has
    /// another state, in which case nothing is removed. [`ErrorKind::Callback`](crate::ErrorKind::Callback) when the callback has no
    /// state.
    pub async fn resume_login(
        &self,
        store: &impl PkceStore,
        handle: &LoginHandle,
        redirect_uri: &RedirectUri,
        callback: &Callback,
    ) -> Result<PkceSession<K>, Error>
    where
        K: HasClientId,
    {
        let state = callback.state().ok_or_else(|| Error::callback(CallbackError::MissingState))?;
        let taken = store.take(&handle.key(), &wire::sha256_hex(wire::text(state))).await.map_err(Error::store)?;
        let login = taken.ok_or_else(|| Error::parked(ParkedError::NotFound))?;
        super::open(self, Some(redirect_uri), &[wire::text(handle)], &login.sealed)
    }
}

/// Keeps logins in the memory of this process.
#[derive(Debug)]
pub struct MemoryPkceStore {
    logins: Mutex<HashMap<String, StoredLogin>>,
    lifetime: Duration,
}

impl MemoryPkceStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { logins: Mutex::default(), lifetime: DEFAULT_LIFETIME }
    }

    /// How long a login is kept; ten minutes unless given.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }
}

impl Default for MemoryPkceStore {
    fn default() -> Self {
        Self::new()
    }
}

impl PkceStore for MemoryPkceStore {
    async fn put(&self, key: &str, login: StoredLogin) -> io::Result<()> {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.retain(|_, other| other.expires > login.stored);
        logins.insert(key.to_owned(), login);
        Ok(())
    }

    async fn take(&self, key: &str, state_hash: &str) -> io::Result<Option<StoredLogin>> {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        if logins.get(key).is_some_and(|login| login.matches(state_hash)) { Ok(logins.remove(key)) } else { Ok(None) }
    }

    fn login_lifetime(&self) -> Duration {
        self.lifetime
    }
}
