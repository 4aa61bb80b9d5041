//! Where sessions are kept: the trait, and this crate's stores.

mod boxed;
mod memory;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
mod sql;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use boxed::BoxSessionStore;
pub use memory::MemorySessionStore;
#[cfg(feature = "redis")]
pub use redis::RedisSessionStore;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
pub use sql::SqlSessionStore;

use crate::secret::SessionHandle;
use crate::wire;

/// What a [`SessionStore`] has under a key.
///
/// There is no third case, so this enum is exhaustive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredSession {
    /// A session. It is sealed with its handle, which the store never sees.
    Live {
        /// 1 for a new session; each [`replace`](SessionStore::replace) adds one.
        version: u64,
        /// A few thousand bytes of printable ASCII.
        sealed: String,
    },
    /// A tombstone: the session was removed a short while ago.
    Ended,
}

/// What a session is found by, apart from its key. Both are hashes: they say neither the user nor the session, and another client ID or
/// base URL gives other hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionIndex {
    /// The user's hash: 64 hexadecimal digits in lower case. All sessions of a user have the same.
    pub user: String,
    /// The hash of the session's ID at WorkOS: 64 hexadecimal digits in lower case.
    pub session: String,
}

impl SessionIndex {
    /// For the tests of a store. A [`SessionManager`](crate::SessionManager) makes its own.
    #[must_use]
    pub fn new(user: impl Into<String>, session: impl Into<String>) -> Self {
        Self { user: user.into(), session: session.into() }
    }
}

/// Keeps the sessions of a [`SessionManager`](crate::SessionManager). Applications implement it on their own database.
///
/// A key is the SHA-256 of the session's handle in hex. A value is sealed with that handle, for the manager's client ID and base URL:
/// a leaked store reveals nothing. Each method is atomic, and takes effect at once for every process that uses the store. Test an
/// implementation with `testing::check_session_store` (feature `testing`).
///
/// Which one to take, what each loses when it fails, and how many bytes a session needs: [the guide](crate::guide::stores).
///
/// | store | for |
/// | --- | --- |
/// | [`MemorySessionStore`] | tests, and one process whose users can sign in again |
/// | `RedisSessionStore` (feature `redis`; `redis-cluster`, `redis-sentinel`) | many processes, sessions that are refreshed often |
/// | `SqlSessionStore` (feature `sqlx-postgres`) | applications that have a PostgreSQL, and sessions that must not be lost |
/// | `SqlSessionStore` (feature `sqlx-sqlite`) | processes on one machine, without a server |
/// | [`BoxSessionStore`] | any of these, chosen while the application runs |
///
/// For a database that isn't here, this is what each method does in SQL. `src/session/store/sql/` has it in full.
///
/// | method | in SQL, with a table of sessions and a table of locks, by the database's own clock |
/// | --- | --- |
/// | `load` | `SELECT … WHERE key = ? AND expires > now()` |
/// | `create` | `INSERT … ON CONFLICT (key) DO UPDATE … WHERE sessions.expires <= now()`: `true` if it changed a row |
/// | `replace` | `UPDATE … SET version = version + 1 WHERE key = ? AND version = ? AND NOT ended AND expires > now()` |
/// | `find` | `SELECT key … WHERE (user_hash = ? OR session_hash = ?) AND NOT ended AND expires > now() LIMIT ?`, an index on each hash |
/// | `remove` | `INSERT … ON CONFLICT (key) DO UPDATE SET ended = true, sealed = '', user_hash = NULL, session_hash = NULL` |
/// | `lock` | as `create`, on the locks, and with `… OR owner = ?` |
/// | `unlock` | `DELETE … WHERE key = ? AND owner = ?` |
///
/// After an error nobody knows whether the call took effect. An unavailable store must return an error, and never say that there is no
/// session.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a store for sessions",
    label = "needs a `SessionStore`",
    note = "take a `MemorySessionStore`, a `RedisSessionStore` (feature `redis`) or a `SqlSessionStore` (features `sqlx-postgres`, `sqlx-sqlite`), or implement `SessionStore` on a database of your own",
    note = "a `PkceStore` keeps logins that are under way, and a `TokenStore` the token of a command line"
)]
pub trait SessionStore: Send + Sync + 'static {
    /// What is under a key; `None` when there is nothing, or its lifetime is over.
    ///
    /// # Errors
    /// The store's failure. It becomes the source of an [`Error`](crate::Error).
    fn load(&self, key: &str) -> impl Future<Output = io::Result<Option<StoredSession>>> + Send;

    /// Keeps a new session, with version 1, for `lifetime`. `false`, without a change, when there already is a session or a tombstone
    /// under the key. From `true` on, [`find`](Self::find) gives the key for both hashes of the index.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn create(
        &self,
        key: &str,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> impl Future<Output = io::Result<bool>> + Send;

    /// Replaces a session of exactly this version and its index, adds one to the version, and keeps it for `lifetime` from now.
    /// `false`, without a change, when there is another version, a tombstone or nothing under the key.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> impl Future<Output = io::Result<bool>> + Send;

    /// The keys of at most `limit` sessions whose index has this hash, as user or as session: in any order, each key once. It gives
    /// fewer only when there are no more. A session that was removed, or whose lifetime is over, isn't given.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn find(&self, hash: &str, limit: usize) -> impl Future<Output = io::Result<Vec<String>>> + Send;

    /// Removes what is under a key, and leaves a tombstone for `tombstone`, so that late callers learn that the session was removed. A
    /// store that has no room for a tombstone removes without one: a sign-out must not fail for that, and a late refresh can't
    /// [replace](Self::replace) a missing session. [`find`](Self::find) no longer gives the key. A key that has no session gets a
    /// tombstone, too.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn remove(&self, key: &str, tombstone: Duration) -> impl Future<Output = io::Result<()>> + Send;

    /// Locks a key for an owner, until [`unlock`](Self::unlock) or until `lease` (a minute at most) is over. `false` when another owner
    /// has the lock. An owner who already has it, and asks again because the reply was lost, gets another lease. Locks are separate
    /// from sessions: `load` and the others don't see them, and a key may have a lock and no session.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn lock(&self, key: &str, owner: &str, lease: Duration) -> impl Future<Output = io::Result<bool>> + Send;

    /// Releases a lock, if this owner still has it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn unlock(&self, key: &str, owner: &str) -> impl Future<Output = io::Result<()>> + Send;
}

impl SessionHandle {
    /// The key of its session in a store: SHA-256 in hexadecimal. Who reads the store doesn't learn the handle.
    #[must_use]
    pub fn key(&self) -> String {
        wire::sha256_hex(wire::text(self))
    }
}

/// One store for several managers.
impl<S: SessionStore> SessionStore for Arc<S> {
    fn load(&self, key: &str) -> impl Future<Output = io::Result<Option<StoredSession>>> + Send {
        S::load(self, key)
    }

    fn create(
        &self,
        key: &str,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> impl Future<Output = io::Result<bool>> + Send {
        S::create(self, key, sealed, index, lifetime)
    }

    fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> impl Future<Output = io::Result<bool>> + Send {
        S::replace(self, key, version, sealed, index, lifetime)
    }

    fn find(&self, hash: &str, limit: usize) -> impl Future<Output = io::Result<Vec<String>>> + Send {
        S::find(self, hash, limit)
    }

    fn remove(&self, key: &str, tombstone: Duration) -> impl Future<Output = io::Result<()>> + Send {
        S::remove(self, key, tombstone)
    }

    fn lock(&self, key: &str, owner: &str, lease: Duration) -> impl Future<Output = io::Result<bool>> + Send {
        S::lock(self, key, owner, lease)
    }

    fn unlock(&self, key: &str, owner: &str) -> impl Future<Output = io::Result<()>> + Send {
        S::unlock(self, key, owner)
    }
}
