//! Sessions in the memory of the process.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{SessionIndex, SessionStore, StoredSession};

/// Fewer entries than this are never swept.
const MIN_SWEPT_ENTRIES: usize = 1024;

/// Keeps sessions in the memory of this process: for tests, and for applications with one process whose users can sign in again after
/// a restart.
///
/// ```
/// use workos_auth::session::MemorySessionStore;
/// use workos_auth::{SessionManager, SessionState};
///
/// # use workos_auth::testing::{AuthKit, Browser};
/// # use workos_auth::{Callback, RedirectUri};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let client = authkit.confidential_client();
/// # let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
/// # let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
/// # let response = login.exchange(Callback::from_url(&callback)?)?.send().await?;
/// let sessions = SessionManager::new(client, MemorySessionStore::new());
/// let handle = sessions.sign_in(response).await?;
/// match sessions.authenticate(&handle).await {
///     SessionState::Active(signed_in) => assert_eq!(signed_in.user().email, "ada@example.com"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct MemorySessionStore(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<String, Entry>,
    /// Each hash of a session's index, with the session's key.
    index: BTreeSet<(String, String)>,
    locks: HashMap<String, (String, Expiry)>,
    /// With more entries than this, expired ones are dropped.
    sweep_above: usize,
}

#[derive(Debug)]
struct Entry {
    session: StoredSession,
    /// A tombstone has none.
    index: Option<SessionIndex>,
    expiry: Expiry,
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
        self.sessions.get(key).filter(|entry| !entry.expiry.is_over()).map(|entry| &entry.session)
    }

    fn put(&mut self, key: &str, session: StoredSession, index: Option<&SessionIndex>, lifetime: Duration) {
        let entry = Entry { session, index: index.cloned(), expiry: Expiry::after(lifetime) };
        let old = self.sessions.insert(key.to_owned(), entry).and_then(|old| old.index);
        if old.as_ref() != index {
            if let Some(old) = &old {
                unlist(&mut self.index, key, old);
            }
            if let Some(SessionIndex { user, session }) = index {
                self.index.insert((user.clone(), key.to_owned()));
                self.index.insert((session.clone(), key.to_owned()));
            }
        }
        if self.sessions.len() + self.locks.len() > self.sweep_above.max(MIN_SWEPT_ENTRIES) {
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        self.sessions.retain(|key, entry| {
            let is_over = entry.expiry.is_over();
            if let Some(index) = entry.index.as_ref().filter(|_| is_over) {
                unlist(&mut self.index, key, index);
            }
            !is_over
        });
        self.locks.retain(|_, (_, expiry)| !expiry.is_over());
        self.sweep_above = 2 * (self.sessions.len() + self.locks.len());
    }

    fn find(&self, hash: &str, limit: usize) -> Vec<String> {
        let from = (hash.to_owned(), String::new());
        let found = self.index.range(from..).take_while(|(listed, _)| listed == hash).map(|(_, key)| key);
        found.filter(|key| self.get(key).is_some()).take(limit).cloned().collect()
    }
}

fn unlist(index: &mut BTreeSet<(String, String)>, key: &str, SessionIndex { user, session }: &SessionIndex) {
    for hash in [user, session] {
        index.remove(&(hash.clone(), key.to_owned()));
    }
}

impl SessionStore for MemorySessionStore {
    async fn load(&self, key: &str) -> io::Result<Option<StoredSession>> {
        Ok(self.table().get(key).cloned())
    }

    async fn create(&self, key: &str, sealed: &str, index: &SessionIndex, lifetime: Duration) -> io::Result<bool> {
        let mut table = self.table();
        let free = table.get(key).is_none();
        if free {
            table.put(key, StoredSession::Live { version: 1, sealed: sealed.to_owned() }, Some(index), lifetime);
        }
        Ok(free)
    }

    async fn replace(
        &self,
        key: &str,
        version: u64,
        sealed: &str,
        index: &SessionIndex,
        lifetime: Duration,
    ) -> io::Result<bool> {
        let mut table = self.table();
        let same = matches!(table.get(key), Some(StoredSession::Live { version: held, .. }) if *held == version);
        if same {
            let session = StoredSession::Live { version: version + 1, sealed: sealed.to_owned() };
            table.put(key, session, Some(index), lifetime);
        }
        Ok(same)
    }

    async fn find(&self, hash: &str, limit: usize) -> io::Result<Vec<String>> {
        Ok(self.table().find(hash, limit))
    }

    async fn remove(&self, key: &str, tombstone: Duration) -> io::Result<()> {
        self.table().put(key, StoredSession::Ended, None, tombstone);
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn index(user: &str, session: usize) -> SessionIndex {
        SessionIndex::new(user, format!("session {session}"))
    }

    /// The entries of the table and of its index.
    fn sizes(store: &MemorySessionStore) -> (usize, usize) {
        let table = store.table();
        (table.sessions.len(), table.index.len())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_leaves_nothing_in_the_index() {
        let store = MemorySessionStore::new();
        for number in 0..MIN_SWEPT_ENTRIES {
            assert!(store.create(&format!("key {number}"), "sealed", &index("ada", number), HOUR).await.unwrap());
        }
        assert_eq!(sizes(&store), (MIN_SWEPT_ENTRIES, 2 * MIN_SWEPT_ENTRIES));
        // Another index takes the place of the first one, and a tombstone has none.
        assert!(store.replace("key 0", 1, "sealed", &index("bob", 9_999), HOUR).await.unwrap());
        assert_eq!(sizes(&store), (MIN_SWEPT_ENTRIES, 2 * MIN_SWEPT_ENTRIES));
        store.remove("key 0", HOUR).await.unwrap();
        assert_eq!(sizes(&store), (MIN_SWEPT_ENTRIES, 2 * MIN_SWEPT_ENTRIES - 2));
        assert!(store.find("bob", 10).await.unwrap().is_empty());

        tokio::time::advance(HOUR).await;
        assert!(store.find("ada", 10).await.unwrap().is_empty());
        assert!(store.create("key", "sealed", &index("ada", 1), HOUR).await.unwrap());
        assert_eq!(sizes(&store), (1, 2), "the expired ones were swept");
        assert_eq!(store.find("ada", 10).await.unwrap(), ["key"]);
    }
}
