//! Sessions kept in a store, refreshed once for all processes that use it.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::refresh::Want;
use super::single_flight::{Listener, Teller, channel};
use super::state::{
    AHEAD, ANSWER_WITHIN, Deadline, Need, SessionState, SignedIn, SignedOut, SignedOutReason, Stop, SwitchError,
    active, fresh, left, logout_url, need,
};
use super::store::{SessionStore, StoredSession};
use super::{RefreshError, Session, SessionParts, cookie};
use crate::client::ConfidentialClient;
use crate::credentials::Confidential;
use crate::envelope::{self, Purpose};
use crate::error::{Error, ErrorKind, ParkedError, SealError};
use crate::id::{OrganizationId, RedirectUri, UserId};
use crate::rejected::Rejected;
use crate::secret::SessionHandle;
use crate::token::{TokenVerifier, VerifiedToken};
use crate::wire;

/// How long a session is kept after its last refresh.
const LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// Well below the 30 s in which WorkOS replays a refresh: whoever takes over from a process that died still gets its pair, and
/// those who wait for it still get their answer in time.
const LEASE: Duration = Duration::from_secs(8);
/// How long others must think that a process which began a renewal has a newer pair than the store: it repeats its request for
/// as long as WorkOS replays it, and then it writes.
const CLAIM: Duration = Duration::from_secs(60);
/// Longer than any refresh that is under way when a session is removed, and than a new pair is kept at hand.
const TOMBSTONE: Duration = Duration::from_secs(3_600);
/// How long to wait for another process: its lease, and as long again.
const LOCK_WAIT: Duration = Duration::from_secs(20);
/// How often a lock is asked for whose reply was lost, and how long in between.
const LOCK_ATTEMPTS: usize = 3;
const LOCK_RETRY: Duration = Duration::from_millis(100);
/// How long a caller whose token is good still is held up by its replacement.
const REFRESH_WAIT: Duration = Duration::from_secs(1);
/// Between two looks at what another process does: at first, and in the end.
const FIRST_LOOK: Duration = Duration::from_millis(25);
const LATER_LOOK: Duration = Duration::from_millis(500);
/// How long a new pair is kept at hand for a store that is away. Then it is lost.
const WRITE_RETRY_FOR: Duration = Duration::from_secs(600);
/// Between two attempts to write.
const WRITE_RETRY: Duration = Duration::from_millis(100);
/// How long one attempt to write may take; one that takes effect later is found to have done so.
const WRITE_ATTEMPT: Duration = Duration::from_secs(1);
/// The same for any other call of the store.
const STORE_CALL: Duration = Duration::from_secs(5);
/// What stands in for a session for the moment between its end and its removal.
const ENDED: &str = "ended";
/// A process with a new pair in its hands writes it within this time of the store's return.
const GRACE: Duration = Duration::from_secs(2);

/// Keeps sessions in a [`SessionStore`]; the browser holds a random [`SessionHandle`] alone.
///
/// However many tasks and processes authenticate one expired session at once, one request goes to WorkOS and all get its
/// result. A session that is signed out stays signed out, whatever refresh is under way. A store that goes away between a
/// refresh and its writing is waited for in the background, for ten minutes; a process that ends before loses the session.
/// Clones are the same manager.
///
/// ```
/// use workos_auth::testing::{AuthKit, Browser};
/// use workos_auth::session::MemorySessionStore;
/// use workos_auth::{Callback, Client, RedirectUri, SessionManager, SessionState};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let client = Client::builder()
/// #     .client_id(authkit.client_id()).api_key(authkit.api_key()).base_url(authkit.base_url()).build()?;
/// # let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
/// # let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
/// # let response = login.exchange(Callback::from_url(&callback)?)?.send().await?.complete()?;
/// let sessions = SessionManager::new(client, MemorySessionStore::new());
///
/// // After a login: into a cookie with it.
/// let handle = sessions.sign_in(response).await?;
///
/// // With each request:
/// match sessions.authenticate(&handle).await {
///     SessionState::Active(session) => println!("{} may {:?}", session.user().email, session.token().role()),
///     SessionState::SignedOut(_) => println!("clear the cookie, and go to the login"),
///     SessionState::TemporarilyUnknown(_) => println!("keep the cookie, and answer 503"),
/// }
///
/// // Clear the cookie, and send the browser there:
/// let goodbye = sessions.sign_out(&handle, None).await?;
/// # assert!(goodbye.is_some());
/// # Ok(())
/// # }
/// ```
///
/// For claims of a JWT template, verify [`SignedIn::access_token`] with a
/// [`custom_claims`](TokenVerifier::custom_claims) verifier.
pub struct SessionManager<S> {
    client: ConfidentialClient,
    verifier: TokenVerifier,
    store: Arc<S>,
    lifetime: Duration,
    refresh_ahead: Duration,
    answer_within: Duration,
    renewals: Arc<Renewals>,
}

/// The renewals that this process is at, by key: one for each session.
#[derive(Default)]
struct Renewals(Mutex<HashMap<String, Renewal>>);

#[derive(Clone)]
struct Renewal {
    goal: Goal,
    teller: Arc<Teller<Outcome>>,
    listener: Listener<Outcome>,
}

type Outcome = Result<SignedIn, Arc<Stop>>;

/// A session as it was loaded.
struct Loaded {
    version: u64,
    session: Session<Confidential>,
}

/// What a renewal is for.
#[derive(Clone)]
enum Goal {
    /// A pair newer than that of this version.
    Refresh { seen: u64 },
    /// A pair of this organization.
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
        self.0 = (pause * 3 / 2).min(LATER_LOOK);
        pause
    }
}

impl<S> SessionManager<S> {
    /// Manages the sessions of a store.
    #[must_use]
    pub fn new(client: ConfidentialClient, store: S) -> Self
    where
        S: SessionStore,
    {
        let verifier = client.verifier();
        Self {
            client,
            verifier,
            store: Arc::new(store),
            lifetime: LIFETIME,
            refresh_ahead: AHEAD,
            answer_within: ANSWER_WITHIN,
            renewals: Arc::default(),
        }
    }

    /// Another verifier, such as one with an issuer of the application's own, or one that
    /// [remembers](TokenVerifier::remember) the tokens that come with every request.
    #[must_use]
    pub fn verifier(mut self, verifier: TokenVerifier) -> Self {
        self.verifier = verifier;
        // What another verifier let through is not let through by this one.
        self.renewals = Arc::default();
        self
    }

    /// How long the store keeps a session after its last refresh; 30 days unless given. WorkOS ends sessions in its own
    /// time, whatever is said here.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// How long before its expiry an access token is replaced; 30 seconds unless given.
    #[must_use]
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.refresh_ahead = ahead;
        self
    }

    /// How long [`authenticate`](Self::authenticate) and [`switch_organization`](Self::switch_organization) take at most; 10
    /// seconds unless given. Then the answer is the old session, while its token is good, or
    /// [`TemporarilyUnknown`](SessionState::TemporarilyUnknown); what was begun goes on, and the next call has its result.
    #[must_use]
    pub fn answer_within(mut self, time: Duration) -> Self {
        self.answer_within = time;
        self
    }
}

impl<S: SessionStore> SessionManager<S> {
    /// Keeps a session under a new handle, whatever the browser had before (no session fixation).
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) or [`ErrorKind::Randomness`](crate::ErrorKind::Randomness); the session
    /// comes back.
    pub async fn sign_in(&self, parts: impl Into<SessionParts>) -> Result<SessionHandle, Rejected<SessionParts>> {
        let parts = parts.into();
        match self.keep(&parts).await {
            Ok(handle) => Ok(handle),
            Err(error) => Err(Rejected::returning(error, parts)),
        }
    }

    /// Says whether a handle's user is signed in, and refreshes the session when its access token is at its end.
    ///
    /// The refresh goes on when the caller is cancelled. A transient failure of anything is
    /// [`TemporarilyUnknown`](SessionState::TemporarilyUnknown), never signed out.
    pub async fn authenticate(&self, handle: &SessionHandle) -> SessionState {
        SessionState::of(self.current(handle, Deadline::after(self.answer_within)).await)
    }

    /// Exchanges a session's tokens for those of another organization of its user.
    ///
    /// # Errors
    /// [`SwitchError`] says whether there still is a session. An organization that wants SSO or a second factor ends it
    /// ([`ErrorKind::Unfinished`](crate::ErrorKind::Unfinished)).
    pub async fn switch_organization(
        &self,
        handle: &SessionHandle,
        id: OrganizationId,
    ) -> Result<SignedIn, SwitchError> {
        let switched = self.renewed(handle, Goal::Switch(id));
        let outcome = Deadline::after(self.answer_within).limit(switched).await;
        outcome.and_then(|outcome| outcome).map_err(SwitchError::of)
    }

    /// Removes a session, and gives the URL that ends it at WorkOS, from where the browser goes back to `return_to`.
    ///
    /// The URL is absent when there is no such session, or when nobody can tell its name at WorkOS within a second. The removal
    /// goes on when the caller is cancelled.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store): the session may still be there, so try again.
    pub async fn sign_out(
        &self,
        handle: &SessionHandle,
        return_to: Option<&RedirectUri>,
    ) -> Result<Option<Url>, Error> {
        let (manager, handle, return_to) = (self.clone(), wire::clone_session_handle(handle), return_to.cloned());
        let task = tokio::spawn(async move { manager.remove(&handle, return_to.as_ref()).await });
        task.await.unwrap_or_else(|_| Err(Error::abandoned()))
    }

    /// Ends all sessions of a user at WorkOS, and says how many.
    ///
    /// A store knows nobody's name, so this manager goes on with a session until its access token expires, which is minutes;
    /// then WorkOS refuses the refresh.
    ///
    /// # Errors
    /// [`Error`]; some may have been ended. Call it again.
    pub async fn sign_out_everywhere(&self, user_id: &UserId) -> Result<usize, Error> {
        sign_out_everywhere(&self.client, user_id).await
    }

    async fn remove(&self, handle: &SessionHandle, return_to: Option<&RedirectUri>) -> Result<Option<Url>, Error> {
        let session = match self.load(handle).await {
            Ok(loaded) => Some(loaded.session),
            // Nothing is written for whoever makes handles up.
            Err(Stop::SignedOut(why)) if why.reason() != SignedOutReason::Unreadable => return Ok(None),
            Err(Stop::Unknown(error)) if matches!(error.kind(), ErrorKind::Store) => return Err(error),
            // What can't be opened can be removed.
            Err(_) => None,
        };
        // Before anything is removed: whoever asks again then has no session to name.
        let url = match &session {
            Some(session) => logout_url(session, &self.verifier, return_to).await,
            None => None,
        };
        call(self.store.remove(&key(handle), TOMBSTONE)).await.map_err(Error::session_store)?;
        if let Some(session) = session {
            session.end();
        }
        Ok(url)
    }

    async fn keep(&self, parts: &SessionParts) -> Result<SessionHandle, Error> {
        let handle = wire::random_handle(self.client.core.runtime.random.as_ref())?;
        let sealed = self.seal(&handle, parts)?;
        match call(self.store.create(&key(&handle), &sealed, self.lifetime)).await {
            Ok(true) => Ok(handle),
            // Nobody draws the same 256 bits twice.
            Ok(false) => Err(Error::session_store(io::ErrorKind::AlreadyExists.into())),
            Err(error) => Err(Error::session_store(error)),
        }
    }

    async fn current(&self, handle: &SessionHandle, deadline: Deadline) -> Result<SignedIn, Stop> {
        let Loaded { version, session } = deadline.limit(self.load(handle)).await??;
        let goal = Goal::Refresh { seen: version };
        match deadline.limit(need(&session, session.age(), &self.verifier, self.refresh_ahead)).await?? {
            Need::Nothing(token) => Ok(active(session, token)),
            Need::Refresh => deadline.limit(self.renewed(handle, goal)).await?,
            Need::RefreshSoon(token) => {
                // Unless somebody in this process is at it, and no longer than the token is good.
                let now = self.client.core.runtime.clock.now();
                let soon = deadline.or_after(REFRESH_WAIT.min(left(&token, now)));
                let old = active(session, token);
                let (renewal, true) = self.renewal(handle, &goal) else { return Ok(old) };
                match soon.limit(renewal.listener.wait()).await {
                    Ok(Some(Ok(new))) => Ok(new),
                    Ok(Some(Err(stop))) if matches!(*stop, Stop::SignedOut(_)) => Err((*stop).clone()),
                    // Its token is good still.
                    _ => Ok(old),
                }
            }
        }
    }

    /// The session as it is after a renewal, whoever does it.
    async fn renewed(&self, handle: &SessionHandle, goal: Goal) -> Result<SignedIn, Stop> {
        let key = key(handle);
        loop {
            let (renewal, _) = self.renewal(handle, &goal);
            let Some(outcome) = renewal.listener.clone().wait().await else {
                // Nobody runs its task.
                self.renewals.give_up(&key, &renewal.teller);
                continue;
            };
            let is_shared = renewal.goal.switch_to() == goal.switch_to();
            match outcome {
                outcome if is_shared => return outcome.map_err(|stop| (*stop).clone()),
                // What is known before the end is known for all: the store is away.
                Err(stop) if self.renewals.has(&key, &renewal.teller) => return Err((*stop).clone()),
                // It was for another organization; now it is this caller's turn.
                _ => {}
            }
        }
    }

    /// The renewal that this process is at, and whether it has just begun; in a task of its own, so that it goes on when the
    /// caller is cancelled.
    fn renewal(&self, handle: &SessionHandle, goal: &Goal) -> (Renewal, bool) {
        let key = key(handle);
        let mut renewals = self.renewals.table();
        if let Some(renewal) = renewals.get(&key) {
            return (renewal.clone(), false);
        }
        let (teller, listener) = channel();
        let teller = Arc::new(teller);
        let renewal = Renewal { goal: goal.clone(), teller: Arc::clone(&teller), listener };
        renewals.insert(key.clone(), renewal.clone());
        // A runtime that shuts down drops the task at once, and its turn with it.
        drop(renewals);
        let turn = Turn { renewals: Arc::clone(&self.renewals), key, teller };
        let (manager, handle, goal) = (self.clone(), wire::clone_session_handle(handle), goal.clone());
        tokio::spawn(async move {
            let early = |stop: Stop| turn.teller.tell(Err(Arc::new(stop)));
            let outcome = turn.teller.alive(manager.renew(&handle, goal, early)).await;
            turn.settle(outcome.map_err(Arc::new));
        });
        (renewal, true)
    }

    /// Gets a new pair under the store's lock. `early` tells those who wait what is known before the end.
    async fn renew(&self, handle: &SessionHandle, goal: Goal, early: impl Fn(Stop)) -> Result<SignedIn, Stop> {
        let key = key(handle);
        let owner = wire::random_name(self.client.core.runtime.random.as_ref()).map_err(Stop::Unknown)?;
        let until = Instant::now() + LOCK_WAIT;
        let mut pauses = Pauses(FIRST_LOOK);
        while !self.lock(&key, &owner).await? {
            if Instant::now() >= until {
                return Err(Stop::Unknown(Error::still_locked()));
            }
            sleep(pauses.next()).await;
            let loaded = self.load(handle).await?;
            if let Some(token) = self.got_by_another(&loaded, &goal).await? {
                return Ok(active(loaded.session, token));
            }
        }
        let outcome = self.renew_locked(handle, &key, &owner, goal, early).await;
        // What can't be unlocked now is, when its lease is over.
        drop(call(self.store.unlock(&key, &owner)).await);
        outcome
    }

    /// Whether this owner has the lock. A reply that was lost is settled by asking again.
    async fn lock(&self, key: &str, owner: &str) -> Result<bool, Stop> {
        let mut attempts = 1;
        loop {
            match call(self.store.lock(key, owner, LEASE)).await {
                Ok(locked) => return Ok(locked),
                Err(_) if attempts < LOCK_ATTEMPTS => sleep(LOCK_RETRY).await,
                Err(error) => {
                    drop(call(self.store.unlock(key, owner)).await);
                    return Err(unknown(error));
                }
            }
            attempts += 1;
        }
    }

    async fn renew_locked(
        &self,
        handle: &SessionHandle,
        key: &str,
        owner: &str,
        goal: Goal,
        early: impl Fn(Stop),
    ) -> Result<SignedIn, Stop> {
        let loaded = self.load(handle).await?;
        if let Some(token) = self.got_by_another(&loaded, &goal).await? {
            return Ok(active(loaded.session, token));
        }
        // Whoever finds the old token refused knows by this that there may be a newer pair.
        let claim = claim(key);
        let is_alone = matches!(call(self.store.lock(&claim, owner, CLAIM)).await, Ok(true));
        let Loaded { version, session } = loaded;
        let old = wire::clone_refresh_token(&session.parts.refresh_token);
        let switch_to = goal.switch_to().cloned();
        let outcome = match self.refresh(session, goal).await {
            Ok(session) => self.replace(handle, key, version, session, early).await.and_then(|kept| {
                // Its lease was over, and another process has written what it got.
                let lost = switch_to.is_some() && kept.organization_id() != switch_to.as_ref();
                if lost { Err(Stop::Unknown(Error::still_locked())) } else { Ok(kept) }
            }),
            Err(RefreshError::Kept(kept)) => {
                let error = kept.error().clone();
                let session = kept.into_session();
                // A pair that came on the way is the newest all the same.
                if !wire::same(&session.parts.refresh_token, &old) {
                    self.replace(handle, key, version, session, early).await?;
                }
                Err(Stop::Unknown(error))
            }
            Err(RefreshError::Ended(over)) => {
                let error = over.into();
                let held = Held { key, claim: &claim, owner, version };
                self.bury(handle, held, is_alone, error, early).await
            }
        };
        drop(call(self.store.unlock(&claim, owner)).await);
        outcome
    }

    async fn refresh(
        &self,
        session: Session<Confidential>,
        goal: Goal,
    ) -> Result<Session<Confidential>, RefreshError<Confidential>> {
        // What the store has lost may still be known here.
        let want = match goal {
            Goal::Switch(id) => Want::Switch(id),
            Goal::Refresh { .. } => Want::Newest,
        };
        session.renew_now(want).await
    }

    /// The token of a pair that another process has got meanwhile, as long as it is good.
    async fn got_by_another(&self, loaded: &Loaded, goal: &Goal) -> Result<Option<VerifiedToken>, Stop> {
        match goal {
            Goal::Refresh { seen } if *seen != loaded.version => {
                match need(&loaded.session, loaded.session.age(), &self.verifier, Duration::ZERO).await? {
                    Need::Nothing(token) | Need::RefreshSoon(token) => Ok(Some(token)),
                    Need::Refresh => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    /// Writes a new pair: there is no other copy of it, so a store that is away is waited for.
    async fn replace(
        &self,
        handle: &SessionHandle,
        key: &str,
        version: u64,
        session: Session<Confidential>,
        early: impl Fn(Stop),
    ) -> Result<SignedIn, Stop> {
        let sealed = self.seal(handle, &session.parts).map_err(Stop::Unknown)?;
        let until = Instant::now() + WRITE_RETRY_FOR;
        let mut version = version;
        loop {
            let attempt = timeout(WRITE_ATTEMPT, self.store.replace(key, version, &sealed, self.lifetime)).await;
            let problem = match attempt.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(true) => return fresh(session, &self.verifier).await,
                Ok(false) => match self.load(handle).await {
                    // The reply of an attempt was lost, or another process has written the same.
                    Ok(loaded) if loaded.version > version && !loaded.session.is_spent() => {
                        return fresh(loaded.session, &self.verifier).await;
                    }
                    // The store has fallen back to an older version, or another process has written a pair that came on the
                    // way to this one. Nobody else has the newest pair.
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
            sleep(WRITE_RETRY).await;
        }
    }

    /// Removes a session that WorkOS has ended, unless somebody else has a newer pair of it.
    async fn bury(
        &self,
        handle: &SessionHandle,
        held: Held<'_>,
        mut is_alone: bool,
        error: Error,
        early: impl Fn(Stop),
    ) -> Result<SignedIn, Stop> {
        let Held { key, claim, owner, version } = held;
        let mut until = Instant::now() + GRACE;
        let mut pauses = Pauses(FIRST_LOOK);
        loop {
            let loaded = self.load(handle).await?;
            if loaded.version != version {
                return fresh(loaded.session, &self.verifier).await;
            }
            if is_alone && Instant::now() >= until {
                break;
            }
            if !is_alone {
                // Nobody can tell until it has written its pair, or has had the time for it.
                early(Stop::Unknown(Error::still_locked()));
                is_alone = matches!(call(self.store.lock(claim, owner, CLAIM)).await, Ok(true));
                until = Instant::now();
            }
            sleep(pauses.next()).await;
        }
        // Only who replaces this very version removes it.
        if !call(self.store.replace(key, version, ENDED, TOMBSTONE)).await.map_err(unknown)? {
            return fresh(self.load(handle).await?.session, &self.verifier).await;
        }
        call(self.store.remove(key, TOMBSTONE)).await.map_err(unknown)?;
        Err(Stop::SignedOut(SignedOut::ended(error)))
    }

    async fn load(&self, handle: &SessionHandle) -> Result<Loaded, Stop> {
        match call(self.store.load(&key(handle))).await {
            Ok(Some(StoredSession::Ended)) => Err(Stop::SignedOut(SignedOut::removed())),
            Ok(Some(StoredSession::Live { sealed, .. })) if sealed == ENDED => {
                Err(Stop::SignedOut(SignedOut::removed()))
            }
            Ok(Some(StoredSession::Live { version, sealed })) => match self.open(handle, &sealed) {
                Ok(parts) => Ok(Loaded { version, session: Session::new(&self.client, parts) }),
                // A newer release of the application is being rolled out.
                Err(SealError::UnknownVersion) => Err(Stop::Unknown(Error::seal(SealError::UnknownVersion))),
                Err(problem) => Err(Stop::SignedOut(SignedOut::unreadable(Error::seal(problem)))),
            },
            Ok(None) => Err(Stop::SignedOut(SignedOut::not_found())),
            Err(error) => Err(unknown(error)),
        }
    }

    fn seal(&self, handle: &SessionHandle, parts: &SessionParts) -> Result<String, Error> {
        let random = self.client.core.runtime.random.as_ref();
        envelope::seal(Purpose::StoredSession, wire::text(handle), &self.context(), &cookie::text(parts)?, random)
    }

    fn open(&self, handle: &SessionHandle, sealed: &str) -> Result<SessionParts, SealError> {
        let opened = envelope::open(Purpose::StoredSession, wire::text(handle), &self.context(), sealed);
        let text = opened.map_err(|error| match error {
            ParkedError::UnknownVersion => SealError::UnknownVersion,
            ParkedError::WrongPassword => SealError::WrongPassword,
            ParkedError::Tampered => SealError::BadMac,
            _ => SealError::Malformed,
        })?;
        cookie::parts(&text)
    }

    /// A session opens for the client ID and the API that it is of.
    fn context(&self) -> String {
        format!("{} {}", self.client.client_id(), self.client.base_url())
    }
}

/// A session that is renewed under the store's lock.
struct Held<'a> {
    key: &'a str,
    claim: &'a str,
    owner: &'a str,
    version: u64,
}

/// What is locked while a process may have a newer pair than the store.
fn claim(key: &str) -> String {
    wire::sha256_hex(&format!("{key} claim"))
}

/// A call of the store that takes too long has failed.
async fn call<T>(call: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(STORE_CALL, call).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// What the store sees of a handle.
fn key(handle: &SessionHandle) -> String {
    wire::sha256_hex(wire::text(handle))
}

fn unknown(error: io::Error) -> Stop {
    Stop::Unknown(Error::session_store(error))
}

/// Ends all sessions of a user at WorkOS.
pub(super) async fn sign_out_everywhere(client: &ConfidentialClient, user_id: &UserId) -> Result<usize, Error> {
    let mut ended = 0;
    let mut page = Some(client.sessions().list(user_id).send().await?);
    while let Some(sessions) = page {
        for session in sessions.data.iter().filter(|session| session.ended_at.is_none()) {
            client.sessions().revoke(&session.id).send().await?;
            ended += 1;
        }
        page = sessions.next().await?;
    }
    Ok(ended)
}

impl Renewals {
    fn table(&self) -> MutexGuard<'_, HashMap<String, Renewal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the renewal of this teller is still under way.
    fn has(&self, key: &str, teller: &Arc<Teller<Outcome>>) -> bool {
        self.table().get(key).is_some_and(|renewal| Arc::ptr_eq(&renewal.teller, teller))
    }

    fn give_up(&self, key: &str, teller: &Arc<Teller<Outcome>>) {
        let mut table = self.table();
        if table.get(key).is_some_and(|renewal| Arc::ptr_eq(&renewal.teller, teller)) {
            table.remove(key);
        }
    }
}

/// A place in the table, given back however its task ends.
struct Turn {
    renewals: Arc<Renewals>,
    key: String,
    teller: Arc<Teller<Outcome>>,
}

impl Turn {
    fn settle(self, outcome: Outcome) {
        // Who comes from now on loads what was written.
        self.renewals.give_up(&self.key, &self.teller);
        self.teller.tell(outcome);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.renewals.give_up(&self.key, &self.teller);
        self.teller.tell(Err(Arc::new(Stop::Unknown(Error::abandoned()))));
    }
}

impl<S> Clone for SessionManager<S> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            verifier: self.verifier.clone(),
            store: Arc::clone(&self.store),
            lifetime: self.lifetime,
            refresh_ahead: self.refresh_ahead,
            answer_within: self.answer_within,
            renewals: Arc::clone(&self.renewals),
        }
    }
}

impl<S> fmt::Debug for SessionManager<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SessionManager").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}
