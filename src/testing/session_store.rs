//! What every store of sessions must do, asked of a real one.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rand::TryRng;
use rand::rngs::SysRng;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::session::{SessionStore, StoredSession};
use crate::wire;

/// Calls at once.
const CALLERS: usize = 32;
/// Removals that meet a replacement.
const RACES: usize = 64;
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(500);
/// After this, what was kept for a short while is gone.
const LATER: Duration = Duration::from_millis(900);

/// What a [`SessionStore`] does wrong.
#[derive(Debug)]
pub struct SessionStoreFault {
    rule: &'static str,
    source: Option<io::Error>,
}

impl SessionStoreFault {
    /// The rule that it breaks.
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

type Verdict<T = ()> = Result<T, SessionStoreFault>;

fn rule(holds: bool, rule: &'static str) -> Verdict {
    if holds { Ok(()) } else { Err(SessionStoreFault { rule, source: None }) }
}

fn works<T>(result: io::Result<T>) -> Verdict<T> {
    result.map_err(|source| SessionStoreFault { rule: "a call must not fail", source: Some(source) })
}

/// Runs a [`SessionStore`] through everything that a [`SessionManager`](crate::SessionManager) relies on: for the tests of
/// applications that have a store of their own.
///
/// It uses random keys and takes a few seconds of real time, since leases and lifetimes run out in it. Clones must be the
/// same store; an `Arc` makes any store so. Needs a tokio runtime.
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
/// The first rule that it breaks.
pub async fn check_session_store<S: SessionStore + Clone>(store: S) -> Result<(), SessionStoreFault> {
    versions(&store).await?;
    one_winner(&store).await?;
    tombstones(&store).await?;
    removals_win(&store).await?;
    lifetimes(&store).await?;
    locks(&store).await?;
    leases(&store).await
}

fn key() -> Verdict<String> {
    let mut bytes = [0; 32];
    let filled = SysRng.try_fill_bytes(&mut bytes).map_err(|_| io::Error::other("no random bytes"));
    works(filled)?;
    Ok(wire::sha256_hex(&format!("{bytes:?}")))
}

async fn live<S: SessionStore>(store: &S, key: &str) -> Verdict<Option<(u64, String)>> {
    Ok(match works(store.load(key).await)? {
        Some(StoredSession::Live { version, sealed }) => Some((version, sealed)),
        _ => None,
    })
}

async fn versions<S: SessionStore>(store: &S) -> Verdict {
    let (key, other) = (key()?, key()?);
    rule(works(store.load(&key).await)?.is_none(), "there is nothing under a new key")?;
    let replaced = works(store.replace(&key, 0, "none", LONG).await)?;
    let replaced = replaced || works(store.replace(&key, 1, "none", LONG).await)?;
    rule(!replaced, "what isn't there can't be replaced")?;
    rule(works(store.load(&key).await)?.is_none(), "a replacement that was refused changes nothing")?;

    // All that a sealed session may be made of, at a size that a session may have.
    let printable: String = (b'!'..=b'~').map(char::from).cycle().take(16_384).collect();
    rule(works(store.create(&key, &printable, LONG).await)?, "a new session is kept")?;
    rule(live(store, &key).await? == Some((1, printable)), "a new session has version 1, and comes back as it was")?;
    rule(!works(store.create(&key, "second", LONG).await)?, "a session is not created over another")?;
    rule(
        live(store, &key).await?.is_some_and(|(_, sealed)| sealed != "second"),
        "a creation that was refused changes nothing",
    )?;

    let refused = [0, 2, 11, u64::MAX >> 1];
    for version in refused {
        rule(!works(store.replace(&key, version, "stale", LONG).await)?, "only the version that is there is replaced")?;
    }
    rule(works(store.replace(&key, 1, "second", LONG).await)?, "the version that is there is replaced")?;
    rule(live(store, &key).await? == Some((2, "second".to_owned())), "a replacement raises the version by one")?;
    rule(!works(store.replace(&key, 1, "stale", LONG).await)?, "a version is replaced once")?;
    rule(live(store, &key).await? == Some((2, "second".to_owned())), "a replacement that was refused changes nothing")?;
    rule(works(store.load(&other).await)?.is_none(), "keys have nothing to do with each other")
}

/// Does the same from many tasks at the same moment, and says who was told `true`.
async fn at_once<S, F, A>(store: &S, action: A) -> Verdict<Vec<usize>>
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
    for (caller, outcome) in tasks.join_all().await {
        if works(outcome)? {
            winners.push(caller);
        }
    }
    Ok(winners)
}

async fn one_winner<S: SessionStore + Clone>(store: &S) -> Verdict {
    let first = key()?;
    let create = |store: S, caller: usize| {
        let key = first.clone();
        async move { store.create(&key, &format!("first {caller}"), LONG).await }
    };
    let winners = at_once(store, create).await?;
    rule(winners.len() == 1, "of creations at once, one succeeds")?;
    rule(
        live(store, &first).await? == Some((1, format!("first {}", winners[0]))),
        "the creation that succeeds is kept",
    )?;

    let replace = |store: S, caller: usize| {
        let key = first.clone();
        async move { store.replace(&key, 1, &format!("second {caller}"), LONG).await }
    };
    let winners = at_once(store, replace).await?;
    rule(winners.len() == 1, "of replacements of one version at once, one succeeds")?;
    let kept = live(store, &first).await?;
    rule(kept == Some((2, format!("second {}", winners[0]))), "the replacement that succeeds is kept")
}

async fn tombstones<S: SessionStore>(store: &S) -> Verdict {
    let key = key()?;
    works(store.create(&key, "first", LONG).await)?;
    works(store.remove(&key, LONG).await)?;
    let ended = |held: Option<StoredSession>| held == Some(StoredSession::Ended);
    rule(ended(works(store.load(&key).await)?), "what was removed leaves a tombstone")?;
    for version in [0, 1, 2] {
        rule(!works(store.replace(&key, version, "late", LONG).await)?, "a late replacement brings nothing back")?;
    }
    rule(!works(store.create(&key, "late", LONG).await)?, "a late creation brings nothing back")?;
    works(store.remove(&key, LONG).await)?;
    rule(ended(works(store.load(&key).await)?), "a tombstone stays")?;

    let brief = self::key()?;
    works(store.create(&brief, "first", SHORT).await)?;
    works(store.remove(&brief, LONG).await)?;
    sleep(LATER).await;
    rule(ended(works(store.load(&brief).await)?), "a tombstone lasts for its own time, not the session's")
}

async fn removals_win<S: SessionStore + Clone>(store: &S) -> Verdict {
    for _ in 0..RACES {
        let key = key()?;
        works(store.create(&key, "first", LONG).await)?;
        let start = Arc::new(Barrier::new(2));
        let replacement = tokio::spawn({
            let (store, key, start) = (store.clone(), key.clone(), Arc::clone(&start));
            async move {
                start.wait().await;
                store.replace(&key, 1, "second", LONG).await
            }
        });
        start.wait().await;
        works(store.remove(&key, LONG).await)?;
        works(replacement.await.unwrap_or_else(|error| Err(io::Error::other(error))))?;
        let held = works(store.load(&key).await)?;
        rule(held == Some(StoredSession::Ended), "a removal wins over a replacement at the same moment")?;
    }
    Ok(())
}

async fn lifetimes<S: SessionStore>(store: &S) -> Verdict {
    let (brief, renewed) = (key()?, key()?);
    works(store.create(&brief, "first", SHORT).await)?;
    works(store.create(&renewed, "first", SHORT).await)?;
    works(store.replace(&renewed, 1, "second", LONG).await)?;
    sleep(LATER).await;
    rule(live(store, &brief).await?.is_none(), "a session is kept for its lifetime and no longer")?;
    rule(!works(store.replace(&brief, 1, "late", LONG).await)?, "what was kept for its lifetime can't be replaced")?;
    rule(live(store, &renewed).await? == Some((2, "second".to_owned())), "a replacement begins a lifetime of its own")
}

async fn locks<S: SessionStore + Clone>(store: &S) -> Verdict {
    let (first, other) = (key()?, key()?);
    rule(works(store.lock(&first, "a", LONG).await)?, "a free key can be locked")?;
    rule(!works(store.lock(&first, "b", LONG).await)?, "a locked key can't be locked")?;
    rule(works(store.lock(&first, "a", LONG).await)?, "its owner has it, however often it asks")?;
    rule(works(store.lock(&other, "b", LONG).await)?, "a lock is for one key")?;
    works(store.unlock(&first, "b").await)?;
    rule(!works(store.lock(&first, "b", LONG).await)?, "only its owner gives a lock back")?;
    rule(works(store.load(&first).await)?.is_none(), "a lock is no session")?;
    rule(works(store.create(&first, "first", LONG).await)?, "a lock is in nobody's way but a lock's")?;
    works(store.unlock(&first, "a").await)?;
    rule(live(store, &first).await?.is_some(), "giving a lock back removes no session")?;
    rule(works(store.lock(&first, "b", LONG).await)?, "a lock that was given back is free")?;

    let contested = key()?;
    let lock = |store: S, caller: usize| {
        let key = contested.clone();
        async move { store.lock(&key, &caller.to_string(), LONG).await }
    };
    rule(at_once(store, lock).await?.len() == 1, "of locks at once, one succeeds")
}

async fn leases<S: SessionStore>(store: &S) -> Verdict {
    let key = key()?;
    let renewed = self::key()?;
    works(store.lock(&key, "a", SHORT).await)?;
    works(store.lock(&renewed, "a", SHORT).await)?;
    works(store.lock(&renewed, "a", LONG).await)?;
    rule(!works(store.lock(&key, "b", LONG).await)?, "a lock is held during its lease")?;
    sleep(LATER).await;
    rule(works(store.lock(&key, "b", LONG).await)?, "a lock is free when its lease is over")?;
    rule(!works(store.lock(&renewed, "b", LONG).await)?, "an owner who asks again has another lease")?;
    works(store.unlock(&key, "a").await)?;
    rule(!works(store.lock(&key, "c", LONG).await)?, "whoever held a lock before gives back nothing of another's")
}
