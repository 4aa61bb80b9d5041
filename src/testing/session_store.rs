//! A suite that tests session stores.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::session::{SessionIndex, SessionStore, StoredSession};
use crate::wire;

/// Tasks that call the store at the same time.
const CALLERS: usize = 32;
/// Rounds in which a removal meets a replacement.
const RACES: usize = 64;
/// Longer than the suite runs.
const LONG: Duration = Duration::from_secs(60);
/// Sessions of one user: more than a store lists in one reply.
const MANY: usize = 300;
const SHORT: Duration = Duration::from_millis(500);
/// Longer than `SHORT`: what was kept for `SHORT` is gone after it.
const AFTER_SHORT: Duration = Duration::from_millis(900);

/// What a [`SessionStore`] does wrong.
#[derive(Debug)]
pub struct SessionStoreFault {
    rule: &'static str,
    source: Option<io::Error>,
}

impl SessionStoreFault {
    /// The rule that the store breaks.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for SessionStoreFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the store breaks a rule: {}", self.rule)
    }
}

impl std::error::Error for SessionStoreFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

type Checked<T = ()> = Result<T, SessionStoreFault>;

fn rule(holds: bool, rule: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(SessionStoreFault { rule, source: None }) }
}

fn works<T>(result: io::Result<T>) -> Checked<T> {
    result.map_err(|source| SessionStoreFault { rule: "a call must not fail", source: Some(source) })
}

/// Tests everything that a [`SessionManager`](crate::SessionManager) needs from a [`SessionStore`]. Applications with their
/// own store call it in their tests.
///
/// It uses random keys, and takes a few seconds of real time because it waits for leases and lifetimes to end. Clones
/// must share the same data: put the store into an `Arc` if they don't. Needs a tokio runtime.
///
/// ```
/// use std::sync::Arc;
/// use workos_auth::session::MemorySessionStore;
/// use workos_auth::testing::check_session_store;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// check_session_store(Arc::new(MemorySessionStore::new())).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The first rule that the store breaks.
pub async fn check_session_store<S: SessionStore + Clone>(store: S) -> Result<(), SessionStoreFault> {
    versions(&store).await?;
    one_winner(&store).await?;
    tombstones(&store).await?;
    removals_win(&store).await?;
    lifetimes(&store).await?;
    indexes(&store).await?;
    finds_during_changes(&store).await?;
    locks(&store).await?;
    leases(&store).await
}

fn random_key() -> Checked<String> {
    let mut bytes = [0; 32];
    let filled = getrandom::fill(&mut bytes).map_err(|_| io::Error::other("no random bytes"));
    works(filled)?;
    Ok(wire::sha256_hex(&format!("{bytes:?}")))
}

fn random_index() -> Checked<SessionIndex> {
    Ok(SessionIndex::new(random_key()?, random_key()?))
}

/// All keys that have a hash in their index, in order.
async fn found<S: SessionStore>(store: &S, hash: &str) -> Checked<Vec<String>> {
    let mut found = works(store.find(hash, 10 * MANY).await)?;
    found.sort();
    Ok(found)
}

async fn live<S: SessionStore>(store: &S, key: &str) -> Checked<Option<(u64, String)>> {
    Ok(match works(store.load(key).await)? {
        Some(StoredSession::Live { version, sealed }) => Some((version, sealed)),
        _ => None,
    })
}

async fn versions<S: SessionStore>(store: &S) -> Checked {
    let (key, other, index) = (random_key()?, random_key()?, random_index()?);
    rule(works(store.load(&key).await)?.is_none(), "a new key has no session")?;
    let replaced = works(store.replace(&key, 0, "none", &index, LONG).await)?;
    let replaced = replaced || works(store.replace(&key, 1, "none", &index, LONG).await)?;
    rule(!replaced, "a session that doesn't exist can't be replaced")?;
    rule(works(store.load(&key).await)?.is_none(), "a refused replacement changes nothing")?;

    // All characters that a sealed session can have, at a size that it can have.
    let printable: String = (b'!'..=b'~').map(char::from).cycle().take(16_384).collect();
    rule(works(store.create(&key, &printable, &index, LONG).await)?, "a new session is kept")?;
    rule(live(store, &key).await? == Some((1, printable)), "a new session has version 1 and loads unchanged")?;
    rule(!works(store.create(&key, "second", &index, LONG).await)?, "an existing session can't be created again")?;
    rule(live(store, &key).await?.is_some_and(|(_, sealed)| sealed != "second"), "a refused creation changes nothing")?;

    let refused = [0, 2, 11, u64::MAX >> 1];
    for version in refused {
        rule(
            !works(store.replace(&key, version, "stale", &index, LONG).await)?,
            "only the version that is there is replaced",
        )?;
    }
    rule(works(store.replace(&key, 1, "second", &index, LONG).await)?, "the current version can be replaced")?;
    rule(live(store, &key).await? == Some((2, "second".to_owned())), "a replacement raises the version by one")?;
    rule(!works(store.replace(&key, 1, "stale", &index, LONG).await)?, "a version can be replaced only once")?;
    rule(live(store, &key).await? == Some((2, "second".to_owned())), "a refused replacement changes nothing")?;
    rule(works(store.load(&other).await)?.is_none(), "keys are independent of each other")
}

/// Makes the same call from many tasks at the same time. Returns the tasks that got `true`.
async fn at_once<S, F, A>(store: &S, action: A) -> Checked<Vec<usize>>
where
    S: SessionStore + Clone,
    F: Future<Output = io::Result<bool>> + Send + 'static,
    A: Fn(S, usize) -> F,
{
    let start = Arc::new(Barrier::new(CALLERS));
    let mut tasks = JoinSet::new();
    for caller in 0..CALLERS {
        let (start, call) = (Arc::clone(&start), action(store.clone(), caller));
        tasks.spawn(async move {
            start.wait().await;
            (caller, call.await)
        });
    }
    let mut winners = Vec::new();
    for (caller, won) in tasks.join_all().await {
        if works(won)? {
            winners.push(caller);
        }
    }
    Ok(winners)
}

async fn one_winner<S: SessionStore + Clone>(store: &S) -> Checked {
    let (first, index) = (random_key()?, random_index()?);
    let create = |store: S, caller: usize| {
        let (key, index) = (first.clone(), index.clone());
        async move { store.create(&key, &format!("first {caller}"), &index, LONG).await }
    };
    let winners = at_once(store, create).await?;
    rule(winners.len() == 1, "of simultaneous creations, exactly one succeeds")?;
    rule(
        live(store, &first).await? == Some((1, format!("first {}", winners[0]))),
        "the session of the successful creation is kept",
    )?;

    let replace = |store: S, caller: usize| {
        let (key, index) = (first.clone(), index.clone());
        async move { store.replace(&key, 1, &format!("second {caller}"), &index, LONG).await }
    };
    let winners = at_once(store, replace).await?;
    rule(winners.len() == 1, "of simultaneous replacements of one version, exactly one succeeds")?;
    let kept = live(store, &first).await?;
    rule(kept == Some((2, format!("second {}", winners[0]))), "the session of the successful replacement is kept")
}

async fn tombstones<S: SessionStore>(store: &S) -> Checked {
    let (key, index) = (random_key()?, random_index()?);
    works(store.create(&key, "first", &index, LONG).await)?;
    works(store.remove(&key, LONG).await)?;
    let ended = |held: Option<StoredSession>| held == Some(StoredSession::Ended);
    rule(ended(works(store.load(&key).await)?), "what was removed leaves a tombstone")?;
    for version in [0, 1, 2] {
        rule(!works(store.replace(&key, version, "late", &index, LONG).await)?, "a removed session can't be replaced")?;
    }
    rule(!works(store.create(&key, "late", &index, LONG).await)?, "a removed session can't be created again")?;
    works(store.remove(&key, LONG).await)?;
    rule(ended(works(store.load(&key).await)?), "a second removal keeps the tombstone")?;

    let brief = random_key()?;
    works(store.create(&brief, "first", &index, SHORT).await)?;
    works(store.remove(&brief, LONG).await)?;
    sleep(AFTER_SHORT).await;
    rule(ended(works(store.load(&brief).await)?), "a tombstone has its own lifetime, not the session's")
}

async fn removals_win<S: SessionStore + Clone>(store: &S) -> Checked {
    for _ in 0..RACES {
        let (key, index) = (random_key()?, random_index()?);
        works(store.create(&key, "first", &index, LONG).await)?;
        let start = Arc::new(Barrier::new(2));
        let replacement = tokio::spawn({
            let (store, key, index, start) = (store.clone(), key.clone(), index.clone(), Arc::clone(&start));
            async move {
                start.wait().await;
                store.replace(&key, 1, "second", &index, LONG).await
            }
        });
        start.wait().await;
        works(store.remove(&key, LONG).await)?;
        works(replacement.await.unwrap_or_else(|error| Err(io::Error::other(error))))?;
        let held = works(store.load(&key).await)?;
        rule(held == Some(StoredSession::Ended), "a removal wins over a simultaneous replacement")?;
        let found = [found(store, &index.user).await?, found(store, &index.session).await?];
        rule(found.concat().is_empty(), "a removal during a replacement leaves nothing to find")?;
    }
    Ok(())
}

async fn lifetimes<S: SessionStore>(store: &S) -> Checked {
    let (brief, renewed, index) = (random_key()?, random_key()?, random_index()?);
    works(store.create(&brief, "first", &index, SHORT).await)?;
    works(store.create(&renewed, "first", &index, SHORT).await)?;
    works(store.replace(&renewed, 1, "second", &index, LONG).await)?;
    sleep(AFTER_SHORT).await;
    rule(live(store, &brief).await?.is_none(), "a session is gone after its lifetime")?;
    rule(
        !works(store.replace(&brief, 1, "late", &index, LONG).await)?,
        "a session can't be replaced after its lifetime",
    )?;
    rule(live(store, &renewed).await? == Some((2, "second".to_owned())), "a replacement starts a new lifetime")?;
    let found = found(store, &index.user).await?;
    rule(found == [renewed], "a session is found during its lifetime, and not after it")
}

async fn indexes<S: SessionStore>(store: &S) -> Checked {
    let (key, other, index, others) = (random_key()?, random_key()?, random_index()?, random_index()?);
    rule(works(store.find(&index.user, 1).await)?.is_empty(), "a new hash finds nothing")?;
    works(store.create(&key, "first", &index, LONG).await)?;
    works(store.create(&other, "first", &others, LONG).await)?;
    rule(found(store, &index.user).await? == [key.clone()], "a session is found by its user's hash alone")?;
    rule(found(store, &index.session).await? == [key.clone()], "a session is found by its own hash alone")?;
    rule(found(store, &key).await?.is_empty(), "a key isn't a hash")?;
    rule(works(store.find(&index.user, 0).await)?.is_empty(), "no more are found than the limit says")?;

    works(store.create(&key, "second", &others, LONG).await)?;
    works(store.replace(&key, 7, "second", &others, LONG).await)?;
    let unchanged = [found(store, &index.user).await?, found(store, &index.session).await?];
    rule(unchanged.concat() == [key.clone(), key.clone()], "a refused change leaves the index as it is")?;
    rule(found(store, &others.user).await? == [other.clone()], "a refused change is in no index")?;

    // The same user, in another session.
    let next = SessionIndex::new(index.user.clone(), random_key()?);
    works(store.replace(&key, 1, "second", &next, LONG).await)?;
    rule(found(store, &index.session).await?.is_empty(), "a replacement ends what a session was found by")?;
    let replaced = [found(store, &next.user).await?, found(store, &next.session).await?];
    rule(replaced.concat() == [key.clone(), key.clone()], "a replaced session is found by its new index")?;
    works(store.replace(&key, 2, "third", &index, LONG).await)?;
    rule(found(store, &index.session).await? == [key.clone()], "an index can come back")?;

    works(store.remove(&key, LONG).await)?;
    for hash in [&index.user, &index.session, &next.session] {
        rule(found(store, hash).await?.is_empty(), "a removed session isn't found")?;
    }
    rule(found(store, &others.user).await? == [other], "a removal hides no other session")
}

/// Sessions of one user come, go and are found at the same time.
async fn finds_during_changes<S: SessionStore + Clone>(store: &S) -> Checked {
    let (user, staying) = (random_key()?, random_key()?);
    works(store.create(&staying, "first", &SessionIndex::new(user.clone(), random_key()?), LONG).await)?;
    let mut keys = Vec::new();
    for _ in 0..MANY {
        keys.push((random_key()?, SessionIndex::new(user.clone(), random_key()?)));
    }
    for some in keys.chunks(CALLERS) {
        let mut tasks = JoinSet::new();
        for (key, index) in some {
            let (store, key, index) = (store.clone(), key.clone(), index.clone());
            tasks.spawn(async move { store.create(&key, "first", &index, LONG).await });
        }
        for created in tasks.join_all().await {
            rule(works(created)?, "a new session is kept")?;
        }
    }
    let mut all: Vec<_> = keys.iter().map(|(key, _)| key.clone()).chain([staying.clone()]).collect();
    all.sort();
    rule(found(store, &user).await? == all, "all sessions of a user are found")?;
    let some = works(store.find(&user, MANY / 2).await)?;
    rule(some.len() == MANY / 2, "as many sessions are found as the limit says, if there are as many")?;

    for some in keys.chunks(CALLERS) {
        let mut tasks = JoinSet::new();
        for (key, _) in some {
            let (store, key) = (store.clone(), key.clone());
            tasks.spawn(async move { store.remove(&key, LONG).await });
        }
        while let Some(mut removed) = tasks.join_next().await {
            rule(found(store, &user).await?.contains(&staying), "a session is found while others are removed")?;
            loop {
                works(removed.unwrap_or_else(|error| Err(io::Error::other(error))))?;
                let Some(next) = tasks.try_join_next() else { break };
                removed = next;
            }
        }
    }
    rule(found(store, &user).await? == [staying], "after the removals, one session is found")
}

async fn locks<S: SessionStore + Clone>(store: &S) -> Checked {
    let (first, other, index) = (random_key()?, random_key()?, random_index()?);
    rule(works(store.lock(&first, "a", LONG).await)?, "a free key can be locked")?;
    rule(!works(store.lock(&first, "b", LONG).await)?, "a locked key can't be locked by another owner")?;
    rule(works(store.lock(&first, "a", LONG).await)?, "the owner of a lock can lock again")?;
    rule(works(store.lock(&other, "b", LONG).await)?, "a lock is for one key only")?;
    works(store.unlock(&first, "b").await)?;
    rule(!works(store.lock(&first, "b", LONG).await)?, "only the owner of a lock can unlock it")?;
    rule(works(store.load(&first).await)?.is_none(), "a lock isn't a session")?;
    rule(works(store.create(&first, "first", &index, LONG).await)?, "a lock doesn't block the creation of a session")?;
    works(store.unlock(&first, "a").await)?;
    rule(live(store, &first).await?.is_some(), "unlocking doesn't remove the session")?;
    rule(works(store.lock(&first, "b", LONG).await)?, "an unlocked key can be locked")?;

    let contested = random_key()?;
    let lock = |store: S, caller: usize| {
        let key = contested.clone();
        async move { store.lock(&key, &caller.to_string(), LONG).await }
    };
    rule(at_once(store, lock).await?.len() == 1, "of simultaneous locks, exactly one succeeds")
}

async fn leases<S: SessionStore>(store: &S) -> Checked {
    let key = random_key()?;
    let renewed = random_key()?;
    works(store.lock(&key, "a", SHORT).await)?;
    works(store.lock(&renewed, "a", SHORT).await)?;
    works(store.lock(&renewed, "a", LONG).await)?;
    rule(!works(store.lock(&key, "b", LONG).await)?, "a lock is held during its lease")?;
    sleep(AFTER_SHORT).await;
    rule(works(store.lock(&key, "b", LONG).await)?, "a lock is free when its lease is over")?;
    rule(!works(store.lock(&renewed, "b", LONG).await)?, "locking again starts a new lease")?;
    works(store.unlock(&key, "a").await)?;
    rule(!works(store.lock(&key, "c", LONG).await)?, "a former owner can't unlock another owner's lock")
}
