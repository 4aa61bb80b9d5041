//! Where sessions are kept: the trait, and the stores that come with it.

mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use memory::MemorySessionStore;
#[cfg(feature = "redis")]
pub use redis::RedisSessionStore;

/// What a [`SessionStore`] holds under a key.
///
/// There is no third way, so this enum is exhaustive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredSession {
    /// A session, sealed with its handle, which the store never sees.
    Live {
        /// 1 for a new session, and one more with each [`replace`](SessionStore::replace).
        version: u64,
        /// Printable ASCII, of a few thousand bytes.
        sealed: String,
    },
    /// A tombstone: the session was removed a short while ago.
    Ended,
}

/// Keeps the sessions of a [`SessionManager`](crate::SessionManager), for an application to implement on its own database.
///
/// A key is SHA-256 of the session's handle in hex, a value is sealed with that handle, for the manager's client ID and base
/// URL: a store that leaks gives nothing away. Each method takes effect at once and as a whole, for every process that uses the store. Run
/// `testing::check_session_store` (feature `testing`) against an implementation.
///
/// | method | in SQL, with a table of sessions and one of locks, whose times are the database's |
/// | --- | --- |
/// | `load` | `SELECT … WHERE key = ? AND expires > now()` |
/// | `create` | `INSERT … ON CONFLICT (key) DO UPDATE … WHERE sessions.expires <= now()`: one row changed or none |
/// | `replace` | `UPDATE … SET version = version + 1 WHERE key = ? AND version = ? AND NOT ended AND expires > now()` |
/// | `remove` | `INSERT … ON CONFLICT (key) DO UPDATE SET ended = true, sealed = ''` |
/// | `lock` | as `create`, on the locks, and with `… OR owner = ?` |
/// | `unlock` | `DELETE … WHERE key = ? AND owner = ?` |
///
/// An error means that nobody knows whether the call took effect. A store that can't be reached must say so, and never that
/// there is no session.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store for sessions",
    label = "needs a `SessionStore`",
    note = "take a `MemorySessionStore` or a `RedisSessionStore` (feature `redis`), or implement `SessionStore` on a database of your own",
    note = "a `PkceStore` keeps logins that are under way, and a `TokenStore` the token of a command line"
)]
pub trait SessionStore: Send + Sync + 'static {
    /// What is under a key; `None` when there is nothing, or its time is over.
    ///
    /// # Errors
    /// Whatever went wrong; it becomes the source of an [`Error`](crate::Error).
    fn load(&self, key: &str) -> impl Future<Output = io::Result<Option<StoredSession>>> + Send;

    /// Keeps a new session, with version 1, for `lifetime`. `false`, and no change, when the key holds anything: a
    /// tombstone, too.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn create(&self, key: &str, sealed: &str, lifetime: Duration) -> impl Future<Output = io::Result<bool>> + Send;

    /// Replaces a session of exactly this version, raises the version by one, and keeps it for `lifetime` from now. `false`,
    /// and no change, when the key holds another version, a tombstone or nothing.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        lifetime: Duration,
    ) -> impl Future<Output = io::Result<bool>> + Send;

    /// Removes whatever is under a key, and leaves a tombstone for `tombstone`, so that whoever comes late learns that the session was
    /// removed. A store that has no room for a tombstone removes without one: a sign-out must not fail for that, and a refresh that
    /// comes late can't [replace](Self::replace) what isn't there.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn remove(&self, key: &str, tombstone: Duration) -> impl Future<Output = io::Result<()>> + Send;

    /// Locks a key for an owner, until [`unlock`](Self::unlock) or until `lease` (a minute at most) is over. `false` when
    /// somebody else holds the lock. An owner who holds it already, and asks again because the reply was lost, has it for
    /// another lease. Locks are kept apart from sessions: `load` and the others don't see them, and a key
    /// may have a lock and no session.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn lock(&self, key: &str, owner: &str, lease: Duration) -> impl Future<Output = io::Result<bool>> + Send;

    /// Gives a lock back, if this owner holds it still.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn unlock(&self, key: &str, owner: &str) -> impl Future<Output = io::Result<()>> + Send;
}

/// One store for several managers.
impl<S: SessionStore> SessionStore for Arc<S> {
    fn load(&self, key: &str) -> impl Future<Output = io::Result<Option<StoredSession>>> + Send {
        S::load(self, key)
    }

    fn create(&self, key: &str, sealed: &str, lifetime: Duration) -> impl Future<Output = io::Result<bool>> + Send {
        S::create(self, key, sealed, lifetime)
    }

    fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        lifetime: Duration,
    ) -> impl Future<Output = io::Result<bool>> + Send {
        S::replace(self, key, version, sealed, lifetime)
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
