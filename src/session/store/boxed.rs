//! A store that is chosen while the application runs.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{SessionIndex, SessionStore, StoredSession};

/// Any [`SessionStore`], so that an application chooses its store while it runs and has one type for its
/// [`SessionManager`](crate::SessionManager). Clones share the store.
///
/// ```
/// use workos_auth::session::{BoxSessionStore, MemorySessionStore};
/// # #[cfg(feature = "redis")]
/// use workos_auth::session::RedisSessionStore;
/// use workos_auth::{Error, SessionManager};
///
/// fn store() -> Result<BoxSessionStore, Error> {
///     match std::env::var("SESSION_STORE").as_deref() {
/// #       #[cfg(feature = "redis")]
///         Ok(url) if url.starts_with("redis") => Ok(BoxSessionStore::new(RedisSessionStore::from_url(url)?)),
///         _ => Ok(BoxSessionStore::new(MemorySessionStore::new())),
///     }
/// }
///
/// struct Application {
///     sessions: SessionManager<BoxSessionStore>,
/// }
/// # let client = workos_auth::Client::builder().client_id("client_123").api_key("sk_123").build()?;
/// let application = Application { sessions: SessionManager::new(client, store()?) };
/// # drop(application.sessions);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct BoxSessionStore(Arc<dyn DynSessionStore>);

impl BoxSessionStore {
    /// Keeps sessions in this store.
    #[must_use]
    pub fn new(store: impl SessionStore) -> Self {
        Self(Arc::new(store))
    }
}

impl fmt::Debug for BoxSessionStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("BoxSessionStore").field(&self.0.name()).finish()
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// A [`SessionStore`] behind a pointer.
trait DynSessionStore: Send + Sync {
    fn name(&self) -> &'static str;
    fn load<'a>(&'a self, key: &'a str) -> Answer<'a, Option<StoredSession>>;
    fn create<'a>(
        &'a self,
        key: &'a str,
        sealed: &'a str,
        index: &'a SessionIndex,
        lifetime: Duration,
    ) -> Answer<'a, bool>;
    fn replace<'a>(
        &'a self,
        key: &'a str,
        version: u64,
        sealed: &'a str,
        index: &'a SessionIndex,
        lifetime: Duration,
    ) -> Answer<'a, bool>;
    fn remove<'a>(&'a self, key: &'a str, tombstone: Duration) -> Answer<'a, ()>;
    fn find<'a>(&'a self, hash: &'a str, limit: usize) -> Answer<'a, Vec<String>>;
    fn lock<'a>(&'a self, key: &'a str, owner: &'a str, lease: Duration) -> Answer<'a, bool>;
    fn unlock<'a>(&'a self, key: &'a str, owner: &'a str) -> Answer<'a, ()>;
}

impl<S: SessionStore> DynSessionStore for S {
    fn name(&self) -> &'static str {
        std::any::type_name::<S>()
    }

    fn load<'a>(&'a self, key: &'a str) -> Answer<'a, Option<StoredSession>> {
        Box::pin(SessionStore::load(self, key))
    }

    fn create<'a>(
        &'a self,
        key: &'a str,
        sealed: &'a str,
        index: &'a SessionIndex,
        lifetime: Duration,
    ) -> Answer<'a, bool> {
        Box::pin(SessionStore::create(self, key, sealed, index, lifetime))
    }

    fn replace<'a>(
        &'a self,
        key: &'a str,
        version: u64,
        sealed: &'a str,
        index: &'a SessionIndex,
        lifetime: Duration,
    ) -> Answer<'a, bool> {
        Box::pin(SessionStore::replace(self, key, version, sealed, index, lifetime))
    }

    fn remove<'a>(&'a self, key: &'a str, tombstone: Duration) -> Answer<'a, ()> {
        Box::pin(SessionStore::remove(self, key, tombstone))
    }

    fn find<'a>(&'a self, hash: &'a str, limit: usize) -> Answer<'a, Vec<String>> {
        Box::pin(SessionStore::find(self, hash, limit))
    }

    fn lock<'a>(&'a self, key: &'a str, owner: &'a str, lease: Duration) -> Answer<'a, bool> {
        Box::pin(SessionStore::lock(self, key, owner, lease))
    }

    fn unlock<'a>(&'a self, key: &'a str, owner: &'a str) -> Answer<'a, ()> {
        Box::pin(SessionStore::unlock(self, key, owner))
    }
}

impl SessionStore for BoxSessionStore {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        self.0.load(key).await
    }

    async fn create(&self, key: &str, sealed: &str, index: &SessionIndex, lifetime: Duration) -> io::Result<bool> {
        self.0.create(key, sealed, index, lifetime).await
    }

    async fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> io::Result<bool> {
        self.0.replace(key, version, sealed, index, lifetime).await
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        self.0.remove(key, tombstone).await
    }

    async fn find(&self, hash: &str, limit: usize) -> io::Result<Vec<String>> {
        self.0.find(hash, limit).await
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        self.0.lock(key, owner, lease).await
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        self.0.unlock(key, owner).await
    }
}
