//! A store for sessions that fails halfway.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use workos_auth::session::{MemorySessionStore, SessionIndex, SessionStore, StoredSession};

/// Fails in the middle of its removals, for some time, and counts what is read.
#[derive(Default)]
pub(crate) struct Halfway {
    pub(crate) store: MemorySessionStore,
    pub(crate) loads: AtomicUsize,
    pub(crate) removals: AtomicUsize,
    /// The removals that fail: from this one on, so many.
    pub(crate) fails: (usize, usize),
    pub(crate) keeps: bool,
}

impl SessionStore for Halfway {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.store.load(key).await
    }

    async fn create(&self, key: &str, sealed: &str, index: &SessionIndex, lifetime: Duration) -> io::Result<bool> {
        self.store.create(key, sealed, index, lifetime).await
    }

    async fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> io::Result<bool> {
        self.store.replace(key, version, sealed, index, lifetime).await
    }

    async fn find(&self, hash: &str, limit: usize) -> io::Result<Vec<String>> {
        self.store.find(hash, limit).await
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        if self.keeps {
            return Ok(());
        }
        let number = self.removals.fetch_add(1, Ordering::SeqCst);
        let (first, count) = self.fails;
        if (first..first.saturating_add(count)).contains(&number) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.store.remove(key, tombstone).await
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        self.store.lock(key, owner, lease).await
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        self.store.unlock(key, owner).await
    }
}
