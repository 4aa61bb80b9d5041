//! Sessions in the memory of the process.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{SessionStore, StoredSession};

/// Fewer entries than this are never swept.
const MIN_SWEPT_ENTRIES: usize = 1024;

/// Keeps sessions in the memory of this process: for tests, and for applications with one process whose users can sign in again after
/// a restart.
#[derive(Debug, Default)]
pub struct MemorySessionStore(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<String, (StoredSession, Expiry)>,
    locks: HashMap<String, (String, Expiry)>,
    /// With more entries than this, expired ones are dropped.
    sweep_above: usize,
}

#[derive(Clone, Copy, Debug)]
struct Expiry(Option<Instant>);

impl Expiry {
    /// A time that is too long to add never ends.
    fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    fn is_over(self) -> bool {
        self.0.is_some_and(|expiry| expiry <= Instant::now())
    }
}

impl MemorySessionStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn get(&self, key: &str) -> Option<&StoredSession> {
        self.sessions.get(key).filter(|(_, expiry)| !expiry.is_over()).map(|(session, _)| session)
    }

    fn put(&mut self, key: &str, session: StoredSession, lifetime: Duration) {
        self.sessions.insert(key.to_owned(), (session, Expiry::after(lifetime)));
        if self.sessions.len() + self.locks.len() > self.sweep_above.max(MIN_SWEPT_ENTRIES) {
            self.sessions.retain(|_, (_, expiry)| !expiry.is_over());
            self.locks.retain(|_, (_, expiry)| !expiry.is_over());
            self.sweep_above = 2 * (self.sessions.len() + self.locks.len());
        }
    }
}

impl SessionStore for MemorySessionStore {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        Ok(self.table().get(key).cloned())
    }

    async fn create(&self, key: &str, sealed: &str, lifetime: Duration) -> io::Result<bool> {
        let mut table = self.table();
        let free = table.get(key).is_none();
        if free {
            table.put(key, StoredSession::Live { version: 1, sealed: sealed.to_owned() }, lifetime);
        }
        Ok(free)
    }

    async fn replace(&self, key: &str, version: u64, sealed: &str, lifetime: Duration) -> io::Result<bool> {
        let mut table = self.table();
        let same = matches!(table.get(key), Some(StoredSession::Live { version: held, .. }) if *held == version);
        if same {
            table.put(key, StoredSession::Live { version: version + 1, sealed: sealed.to_owned() }, lifetime);
        }
        Ok(same)
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        self.table().put(key, StoredSession::Ended, tombstone);
        Ok(())
    }

    async fn lock(&self, key: &str, owner: &str, lease: Duration) -> io::Result<bool> {
        let mut table = self.table();
        let free = table.locks.get(key).is_none_or(|(holder, expiry)| holder == owner || expiry.is_over());
        if free {
            table.locks.insert(key.to_owned(), (owner.to_owned(), Expiry::after(lease)));
        }
        Ok(free)
    }

    async fn unlock(&self, key: &str, owner: &str) -> io::Result<()> {
        let mut table = self.table();
        if table.locks.get(key).is_some_and(|(holder, _)| holder == owner) {
            table.locks.remove(key);
        }
        Ok(())
    }
}
