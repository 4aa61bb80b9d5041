//! The renewal of a session: under the store's lock, so that one process exchanges the refresh token and the others read its result.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::stored::{ENDED_VALUE, Loaded, key, unavailable, within_limit};
use super::{SessionManager, TOMBSTONE_LIFETIME};
use crate::credentials::Confidential;
use crate::error::Error;
use crate::id::OrganizationId;
use crate::secret::SessionHandle;
use crate::session::checks::Need;
use crate::session::parts::Session;
use crate::session::refresh::{RefreshError, Want};
use crate::session::state::{SignedIn, SignedOut, Stop};
use crate::session::store::SessionStore;
use crate::session::{OTHER_WRITER_WAIT, WRITE_RETRY_FOR, WRITE_RETRY_PAUSE};
use crate::single_flight::{Flight, InFlight, Owner};
use crate::token::VerifiedToken;
use crate::wire;

/// How long the lock is held, unless it is unlocked or locked again. It is well below the 30 s in which WorkOS replays a refresh: the
/// process that takes over from one that died still gets its pair, and those who wait for it still get their answer in time.
const LOCK_LEASE: Duration = Duration::from_secs(8);
/// How long other processes must assume that the one that began a renewal has a newer pair than the store: it sends its request for
/// as long as WorkOS replays it, and then it writes.
const CLAIM_LEASE: Duration = Duration::from_secs(60);
/// How long to wait for another process: its lease, and as long again.
const LOCK_WAIT: Duration = Duration::from_secs(20);
/// How often to ask for a lock when the store fails, and the pause in between.
const LOCK_ATTEMPTS: usize = 3;
const LOCK_RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How long to wait between two looks at another process's work: at first, and in the end.
const FIRST_POLL_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_POLL_PAUSE: Duration = Duration::from_millis(500);
/// How long one attempt to write may take. If it takes effect later, the next attempt finds that out.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// The renewals in flight in this process, by key: at most one for each session.
#[derive(Default)]
pub(super) struct Renewals(Mutex<HashMap<String, Renewal>>);

#[derive(Clone)]
pub(super) struct Renewal {
    goal: Goal,
    pub(super) flight: Flight<Result<SignedIn, Stop>>,
}

impl Renewals {
    fn table(&self) -> MutexGuard<'_, HashMap<String, Renewal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this flight still has its entry.
    fn has(&self, key: &str, flight: &Flight<Result<SignedIn, Stop>>) -> bool {
        self.table().get(key).is_some_and(|renewal| renewal.flight.is(flight))
    }
}

impl InFlight for Renewals {
    type Key = String;
    type Output = Result<SignedIn, Stop>;

    fn give_up(&self, key: &String, flight: &Flight<Self::Output>) {
        let mut table = self.table();
        if table.get(key).is_some_and(|renewal| renewal.flight.is(flight)) {
            table.remove(key);
        }
    }

    fn abandoned() -> Self::Output {
        Err(Stop::Unknown(Error::abandoned()))
    }
}

/// What a renewal is for.
#[derive(Clone)]
pub(super) enum Goal {
    /// Tokens newer than those of this version.
    Refresh { seen: u64 },
    /// Tokens of this organization.
    Switch(OrganizationId),
}

impl Goal {
    fn switch_to(&self) -> Option<&OrganizationId> {
        match self {
            Self::Refresh { .. } => None,
            Self::Switch(id) => Some(id),
        }
    }
}

/// The pauses between two looks, which grow.
struct Pauses(Duration);

impl Pauses {
    fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 3 / 2).min(LONGEST_POLL_PAUSE);
        pause
    }
}

/// A session whose lock this owner holds.
#[derive(Clone, Copy)]
struct Locked<'a> {
    handle: &'a SessionHandle,
    key: &'a str,
    owner: &'a str,
}

impl<S: SessionStore> SessionManager<S> {
    /// The session after a renewal, whichever caller or process began it.
    pub(super) async fn renewed(&self, handle: &SessionHandle, goal: Goal) -> Result<SignedIn, Stop> {
        let key = key(handle);
        loop {
            let (renewal, _) = self.renewal(handle, &goal);
            let Some(result) = renewal.flight.wait().await else {
                // Nobody drives its task.
                self.renewals.give_up(&key, &renewal.flight);
                continue;
            };
            let is_shared = renewal.goal.switch_to() == goal.switch_to();
            match result {
                result if is_shared => return result,
                // An error before the end holds for every caller: the store is unavailable.
                Err(stop) if self.renewals.has(&key, &renewal.flight) => return Err(stop),
                // It was for another organization. Now this caller begins its own.
                _ => {}
            }
        }
    }

    /// The renewal in flight in this process, and whether it has just begun. It has a task of its own, so that it goes on when the
    /// caller is cancelled.
    pub(super) fn renewal(&self, handle: &SessionHandle, goal: &Goal) -> (Renewal, bool) {
        let key = key(handle);
        let mut renewals = self.renewals.table();
        if let Some(renewal) = renewals.get(&key) {
            return (renewal.clone(), false);
        }
        let renewal = Renewal { goal: goal.clone(), flight: Flight::new() };
        renewals.insert(key.clone(), renewal.clone());
        // Unlock first: a runtime that shuts down drops the task at once, and its owner needs the table then.
        drop(renewals);
        let owner = Owner::new(Arc::clone(&self.renewals), key, renewal.flight.clone());
        let (manager, handle, goal) = (self.clone(), wire::clone_session_handle(handle), goal.clone());
        self.client.spawn(async move {
            let early = |stop| owner.flight().tell(Err(stop));
            let result = owner.keep_alive(manager.renew(&handle, goal, early)).await;
            // Later callers read the store.
            owner.finish(result);
        });
        (renewal, true)
    }

    /// Locks the session and renews it. `early` tells the callers an error before the work is done.
    async fn renew(&self, handle: &SessionHandle, goal: Goal, early: impl Fn(Stop)) -> Result<SignedIn, Stop> {
        let key = key(handle);
        let owner = wire::random_name(self.client.core.runtime.random.as_ref()).map_err(Stop::Unknown)?;
        let until = Instant::now() + LOCK_WAIT;
        let mut pauses = Pauses(FIRST_POLL_PAUSE);
        while !self.lock(&key, &owner).await? {
            if Instant::now() >= until {
                return Err(Stop::Unknown(Error::still_locked()));
            }
            sleep(pauses.next()).await;
            let loaded = self.load(handle).await?;
            if let Some(token) = self.renewed_by_another(&loaded, &goal).await? {
                return Ok(SignedIn::new(loaded.session, token));
            }
        }
        let locked = Locked { handle, key: &key, owner: &owner };
        let result = self.renew_locked(locked, goal, early).await;
        // If this fails, the lease ends by itself.
        drop(within_limit(self.store.unlock(&key, &owner)).await);
        result
    }

    /// Whether this owner has the lock. If a reply was lost, asking again settles it.
    async fn lock(&self, key: &str, owner: &str) -> Result<bool, Stop> {
        let mut attempts = 1;
        loop {
            match within_limit(self.store.lock(key, owner, LOCK_LEASE)).await {
                Ok(locked) => return Ok(locked),
                Err(_) if attempts < LOCK_ATTEMPTS => sleep(LOCK_RETRY_PAUSE).await,
                Err(error) => {
                    drop(within_limit(self.store.unlock(key, owner)).await);
                    return Err(unavailable(error));
                }
            }
            attempts += 1;
        }
    }

    async fn renew_locked(&self, locked: Locked<'_>, goal: Goal, early: impl Fn(Stop)) -> Result<SignedIn, Stop> {
        let loaded = self.load(locked.handle).await?;
        if let Some(token) = self.renewed_by_another(&loaded, &goal).await? {
            return Ok(SignedIn::new(loaded.session, token));
        }
        // It tells a process whose refresh is refused that there may be a newer pair.
        let claim = claim(locked.key);
        let has_claim = self.claim(&claim, locked.owner).await;
        let Loaded { version, session } = loaded;
        let old = wire::clone_refresh_token(&session.parts.refresh_token);
        let switch_to = goal.switch_to().cloned();
        let result = match self.exchange(session, goal).await {
            Ok(session) => self.write(locked, version, session, early).await.and_then(|kept| {
                // The lease was over, and another process has written its own pair.
                let lost = switch_to.is_some() && kept.organization_id() != switch_to.as_ref();
                if lost { Err(Stop::Unknown(Error::still_locked())) } else { Ok(kept) }
            }),
            Err(RefreshError::Kept(kept)) => {
                let error = kept.error().clone();
                let session = kept.into_session();
                // A pair that came on the way to another organization is the newest one, also after a failure.
                if !wire::same(&session.parts.refresh_token, &old) {
                    self.write(locked, version, session, early).await?;
                }
                Err(Stop::Unknown(error))
            }
            Err(RefreshError::Ended(over)) => {
                let claim = Claim { key: &claim, is_held: has_claim };
                self.remove_ended(locked, version, claim, over.into(), early).await
            }
        };
        drop(within_limit(self.store.unlock(&claim, locked.owner)).await);
        result
    }

    async fn exchange(
        &self,
        session: Session<Confidential>,
        goal: Goal,
    ) -> Result<Session<Confidential>, RefreshError<Confidential>> {
        // This process may still know a pair that the store has lost.
        let want = match goal {
            Goal::Switch(id) => Want::Switch(id),
            Goal::Refresh { .. } => Want::Newest,
        };
        session.renew_now(want).await
    }

    /// The token of a pair that another process has written meanwhile, if it is valid.
    async fn renewed_by_another(&self, loaded: &Loaded, goal: &Goal) -> Result<Option<VerifiedToken>, Stop> {
        match goal {
            Goal::Refresh { seen } if *seen != loaded.version => {
                let age = loaded.session.known().age;
                match self.checks.need_ahead(&loaded.session, age, Duration::ZERO).await? {
                    Need::Nothing(token) | Need::RefreshSoon(token) => Ok(Some(token)),
                    Need::Refresh => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    /// Writes a new pair. This is its only copy, so it is written again and again while the store is unavailable.
    async fn write(
        &self,
        Locked { handle, key, .. }: Locked<'_>,
        version: u64,
        session: Session<Confidential>,
        early: impl Fn(Stop),
    ) -> Result<SignedIn, Stop> {
        let sealed = self.seal(handle, &session.parts).map_err(Stop::Unknown)?;
        let index = self.index(key, &session.parts);
        let until = Instant::now() + WRITE_RETRY_FOR;
        let mut version = version;
        loop {
            let attempt =
                timeout(WRITE_TIMEOUT, self.store.replace(key, version, &sealed, &index, self.lifetime)).await;
            let problem = match attempt.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(true) => return self.checks.activate(session).await,
                Ok(false) => match self.load(handle).await {
                    // The reply to an attempt was lost, or another process has written the same pair.
                    Ok(loaded) if loaded.version > version && !loaded.session.known().is_spent => {
                        return self.checks.activate(loaded.session).await;
                    }
                    // The store has fallen back to an older version, or another process has written a pair that came on the
                    // way to this one. Only this process has the newest pair.
                    Ok(loaded) => {
                        version = loaded.version;
                        None
                    }
                    Err(Stop::Unknown(error)) => Some(error),
                    Err(stop) => return Err(stop),
                },
                Err(error) => Some(Error::session_store(error)),
            };
            if let Some(error) = problem {
                if Instant::now() >= until {
                    return Err(Stop::Unknown(error));
                }
                early(Stop::Unknown(error));
            }
            sleep(WRITE_RETRY_PAUSE).await;
        }
    }

    /// Removes a session that WorkOS has ended, unless another process has a newer pair.
    async fn remove_ended(
        &self,
        Locked { handle, key, owner }: Locked<'_>,
        version: u64,
        mut claim: Claim<'_>,
        error: Error,
        early: impl Fn(Stop),
    ) -> Result<SignedIn, Stop> {
        let mut until = Instant::now() + OTHER_WRITER_WAIT;
        let mut pauses = Pauses(FIRST_POLL_PAUSE);
        let index = loop {
            let loaded = self.load(handle).await?;
            if loaded.version != version {
                return self.checks.activate(loaded.session).await;
            }
            if claim.is_held && Instant::now() >= until {
                break self.index(key, &loaded.session.parts);
            }
            if !claim.is_held {
                // Nobody can tell until the other process has written its pair, or has had the time for it.
                early(Stop::Unknown(Error::still_locked()));
                claim.is_held = self.claim(claim.key, owner).await;
                until = Instant::now();
            }
            sleep(pauses.next()).await;
        };
        // Replacing this very version first keeps a newer one from being removed.
        let replacement = self.store.replace(key, version, ENDED_VALUE, &index, TOMBSTONE_LIFETIME);
        let is_replaced = within_limit(replacement).await;
        if !is_replaced.map_err(unavailable)? {
            return self.checks.activate(self.load(handle).await?.session).await;
        }
        within_limit(self.store.remove(key, TOMBSTONE_LIFETIME)).await.map_err(unavailable)?;
        Err(Stop::SignedOut(SignedOut::ended(error)))
    }

    /// Whether this owner now has the claim.
    async fn claim(&self, claim: &str, owner: &str) -> bool {
        matches!(within_limit(self.store.lock(claim, owner, CLAIM_LEASE)).await, Ok(true))
    }
}

/// A second lock on a session. Its owner may have a newer pair than the store.
struct Claim<'a> {
    key: &'a str,
    is_held: bool,
}

/// The key of a session's claim.
fn claim(key: &str) -> String {
    wire::sha256_hex(&format!("{key} claim"))
}
