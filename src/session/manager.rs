//! Sessions kept in a store, refreshed once for all processes that use it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::state::{
    AHEAD, ActiveSession, Need, SessionState, SignedOut, Stop, SwitchError, active, fresh, goodbye, left, need,
};
use super::store::{SessionStore, StoredSession};
use super::{RefreshError, Session, SessionParts, cookie};
use crate::authenticate::Rejected;
use crate::client::ConfidentialClient;
use crate::credentials::Confidential;
use crate::envelope::{self, Purpose};
use crate::error::{Error, ErrorKind, ParkedError, SealError};
use crate::id::{OrganizationId, RedirectUri, UserId};
use crate::secret::SessionHandle;
use crate::token::{TokenVerifier, VerifiedToken};
use crate::wire;

/// How long a session is kept after its last refresh.
const LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// Well below the 30 s in which WorkOS replays a refresh: whoever takes over from a process that died still gets its pair.
const LEASE: Duration = Duration::from_secs(10);
/// Longer than any refresh that is under way when a session is removed, and than a new pair is kept at hand.
const TOMBSTONE: Duration = Duration::from_secs(3_600);
/// How long to wait for another process: its lease, and as long again.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a caller whose token is good still is held up by its replacement.
const HASTE: Duration = Duration::from_secs(1);
/// Between two looks at what another process does.
const POLL: Duration = Duration::from_millis(25);
/// How long a new pair is kept at hand for a store that is away. Then it is lost.
const STUBBORN: Duration = Duration::from_secs(600);
/// What stands in for a session for the moment between its end and its removal.
const ENDED: &str = "ended";
/// Between two attempts to write.
const RETRY: Duration = Duration::from_millis(100);
/// How long one attempt to write may take; one that takes effect later is found to have done so.
const ATTEMPT: Duration = Duration::from_secs(1);
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
/// use workos_auth::{Callback, Client, MemorySessionStore, RedirectUri, SessionManager, SessionState};
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
/// For claims of a JWT template, verify [`ActiveSession::access_token`] with a
/// [`custom_claims`](TokenVerifier::custom_claims) verifier.
pub struct SessionManager<S> {
    client: ConfidentialClient,
    verifier: TokenVerifier,
    store: Arc<S>,
    lifetime: Duration,
    refresh_ahead: Duration,
    renewals: Arc<Renewals>,
}

/// The refreshes that this process is at, by key.
#[derive(Default)]
struct Renewals(Mutex<HashMap<String, watch::Receiver<Option<Outcome>>>>);

type Outcome = Result<ActiveSession, Arc<Stop>>;

/// A session as it was loaded.
struct Loaded {
    version: u64,
    session: Session<Confidential>,
}

/// What a renewal is for.
enum Goal {
    /// A pair newer than that of this version.
    Refresh { seen: u64 },
    /// A pair of this organization.
    Switch(OrganizationId),
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
            renewals: Arc::default(),
        }
    }

    /// Another verifier, such as one with an issuer of the application's own, or one that
    /// [remembers](TokenVerifier::remember) the tokens that come with every request.
    #[must_use]
    pub fn verifier(mut self, verifier: TokenVerifier) -> Self {
        self.verifier = verifier;
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
        self.current(handle).await.into()
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
    ) -> Result<ActiveSession, SwitchError> {
        let manager = self.clone();
        let handle = SessionHandle::new(wire::text(handle));
        let (sender, outcome) = watch::channel(None);
        tokio::spawn(async move {
            let tell = |stop: Stop| drop(sender.send_replace(Some(Err(Arc::new(stop)))));
            let outcome = manager.renew(&handle, Goal::Switch(id), tell).await;
            tell_last(&sender, outcome);
        });
        settled(outcome).await.map_err(SwitchError::from)
    }

    /// Removes a session, and gives the URL that ends it at WorkOS, from where the browser goes back to `return_to`.
    ///
    /// The URL is absent when there is no such session, or when nobody can tell its name at WorkOS at the moment.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store): the session may still be there, so try again.
    pub async fn sign_out(
        &self,
        handle: &SessionHandle,
        return_to: Option<&RedirectUri>,
    ) -> Result<Option<Url>, Error> {
        let session = match self.load(handle).await {
            Ok(loaded) => Some(loaded.session),
            // Nothing is written for whoever makes handles up.
            Err(Stop::SignedOut(SignedOut::NotFound | SignedOut::Removed)) => return Ok(None),
            Err(Stop::Unknown(error)) if matches!(error.kind(), ErrorKind::Store) => return Err(error),
            // What can't be opened can be removed.
            Err(_) => None,
        };
        self.store.remove(&key(handle), TOMBSTONE).await.map_err(Error::session_store)?;
        match session {
            Some(session) => {
                session.end();
                Ok(goodbye(&session, &self.verifier, return_to).await)
            }
            None => Ok(None),
        }
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

    async fn keep(&self, parts: &SessionParts) -> Result<SessionHandle, Error> {
        let handle = wire::random_handle(self.client.core.runtime.random.as_ref())?;
        let sealed = self.seal(&handle, parts)?;
        match self.store.create(&key(&handle), &sealed, self.lifetime).await {
            Ok(true) => Ok(handle),
            // Nobody draws the same 256 bits twice.
            Ok(false) => Err(Error::session_store(std::io::ErrorKind::AlreadyExists.into())),
            Err(error) => Err(Error::session_store(error)),
        }
    }

    async fn current(&self, handle: &SessionHandle) -> Result<ActiveSession, Stop> {
        let Loaded { version, session } = self.load(handle).await?;
        let now = self.client.core.runtime.clock.now();
        match need(&session, session.age(), &self.verifier, self.refresh_ahead).await? {
            Need::Nothing(token) => Ok(active(session, token)),
            Need::Refresh => self.renewed(handle, version).await,
            Need::RefreshSoon(token) => {
                // No longer than the token is good.
                let haste = HASTE.min(left(&token, now));
                let old = active(session, token);
                match self.renewed_soon(handle, version, haste).await {
                    Some(Ok(new)) => Ok(new),
                    Some(Err(Stop::SignedOut(why))) => Err(Stop::SignedOut(why)),
                    // Its token is good still.
                    Some(Err(Stop::Unknown(_))) | None => Ok(old),
                }
            }
        }
    }

    /// The session with a newer pair than `seen`, whoever gets it.
    async fn renewed(&self, handle: &SessionHandle, seen: u64) -> Result<ActiveSession, Stop> {
        let (outcome, _) = self.renewal(handle, seen);
        settled(outcome).await
    }

    /// The same, unless somebody in this process is at it or it takes long.
    async fn renewed_soon(
        &self,
        handle: &SessionHandle,
        seen: u64,
        haste: Duration,
    ) -> Option<Result<ActiveSession, Stop>> {
        match self.renewal(handle, seen) {
            (outcome, true) => timeout(haste, settled(outcome)).await.ok(),
            (_, false) => None,
        }
    }

    /// The renewal that this process is at, and whether it has just begun; in a task of its own, so that it goes on when the
    /// caller is cancelled.
    fn renewal(&self, handle: &SessionHandle, seen: u64) -> (watch::Receiver<Option<Outcome>>, bool) {
        let key = key(handle);
        let mut renewals = self.renewals.table();
        if let Some(outcome) = renewals.get(&key) {
            return (outcome.clone(), false);
        }
        let (sender, outcome) = watch::channel(None);
        renewals.insert(key.clone(), outcome.clone());
        // A runtime that shuts down drops the task at once, and its entry with it.
        drop(renewals);
        let manager = self.clone();
        let handle = SessionHandle::new(wire::text(handle));
        let entry = Entry { renewals: Arc::clone(&self.renewals), key };
        tokio::spawn(async move {
            let tell = |stop: Stop| drop(sender.send_replace(Some(Err(Arc::new(stop)))));
            let outcome = manager.renew(&handle, Goal::Refresh { seen }, tell).await;
            // Who comes from now on loads what was written.
            drop(entry);
            tell_last(&sender, outcome);
        });
        (outcome, true)
    }

    /// Gets a new pair under the store's lock. `early` tells those who wait what is known before the end.
    async fn renew(&self, handle: &SessionHandle, goal: Goal, early: impl Fn(Stop)) -> Result<ActiveSession, Stop> {
        let key = key(handle);
        let owner = wire::random_name(self.client.core.runtime.random.as_ref()).map_err(Stop::Unknown)?;
        let patience = Instant::now() + PATIENCE;
        while !self.store.lock(&key, &owner, LEASE).await.map_err(unknown)? {
            if Instant::now() >= patience {
                return Err(Stop::Unknown(Error::still_locked()));
            }
            sleep(POLL).await;
            let loaded = self.load(handle).await?;
            if let Some(token) = self.got_by_another(&loaded, &goal).await? {
                return Ok(active(loaded.session, token));
            }
        }
        let outcome = self.renew_locked(handle, &key, goal, early).await;
        // What can't be unlocked now is, when its lease is over.
        drop(self.store.unlock(&key, &owner).await);
        outcome
    }

    async fn renew_locked(
        &self,
        handle: &SessionHandle,
        key: &str,
        goal: Goal,
        early: impl Fn(Stop),
    ) -> Result<ActiveSession, Stop> {
        let loaded = self.load(handle).await?;
        if let Some(token) = self.got_by_another(&loaded, &goal).await? {
            return Ok(active(loaded.session, token));
        }
        let Loaded { version, session } = loaded;
        let switch = matches!(goal, Goal::Switch(_));
        let refreshed = match goal {
            Goal::Refresh { .. } => session.refresh().await,
            Goal::Switch(id) => session.switch_organization(id).await,
        };
        match refreshed {
            Ok(session) => {
                let wanted = session.organization_id().cloned();
                let kept = self.replace(handle, key, version, session, early).await?;
                // Its lease was over, and another process has written what it got.
                let lost = switch && kept.organization_id() != wanted.as_ref();
                if lost { Err(Stop::Unknown(Error::still_locked())) } else { Ok(kept) }
            }
            Err(RefreshError::Kept(kept)) => Err(Stop::Unknown(kept.error().clone())),
            Err(RefreshError::Ended(error)) => self.bury(handle, key, version, error).await,
        }
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
    ) -> Result<ActiveSession, Stop> {
        let sealed = self.seal(handle, &session.parts).map_err(Stop::Unknown)?;
        let stubborn = Instant::now() + STUBBORN;
        loop {
            let attempt = timeout(ATTEMPT, self.store.replace(key, version, &sealed, self.lifetime)).await;
            match attempt.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
                Ok(true) => return fresh(session, &self.verifier).await,
                // It was signed out, or an attempt whose reply was lost or another process has written the same.
                Ok(false) => return fresh(self.load(handle).await?.session, &self.verifier).await,
                Err(error) if Instant::now() >= stubborn => return Err(unknown(error)),
                Err(error) => early(unknown(error)),
            }
            sleep(RETRY).await;
        }
    }

    /// Removes a session that WorkOS has ended, unless somebody else has a newer pair of it.
    async fn bury(&self, handle: &SessionHandle, key: &str, version: u64, error: Error) -> Result<ActiveSession, Stop> {
        for pause in [Duration::ZERO, GRACE] {
            sleep(pause).await;
            let loaded = self.load(handle).await?;
            if loaded.version != version {
                return fresh(loaded.session, &self.verifier).await;
            }
        }
        // Only who replaces this very version removes it.
        if !self.store.replace(key, version, ENDED, TOMBSTONE).await.map_err(unknown)? {
            return fresh(self.load(handle).await?.session, &self.verifier).await;
        }
        self.store.remove(key, TOMBSTONE).await.map_err(unknown)?;
        Err(Stop::SignedOut(SignedOut::Ended(error)))
    }

    async fn load(&self, handle: &SessionHandle) -> Result<Loaded, Stop> {
        match self.store.load(&key(handle)).await {
            Ok(Some(StoredSession::Live { version, sealed })) => match self.open(handle, &sealed) {
                Ok(parts) => Ok(Loaded { version, session: self.client.session(parts) }),
                // A newer release of the application is being rolled out.
                Err(SealError::UnknownVersion) => Err(Stop::Unknown(Error::seal(SealError::UnknownVersion))),
                Err(problem) => Err(Stop::SignedOut(SignedOut::Unreadable(Error::seal(problem)))),
            },
            Ok(Some(StoredSession::Ended)) => Err(Stop::SignedOut(SignedOut::Removed)),
            Ok(None) => Err(Stop::SignedOut(SignedOut::NotFound)),
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

/// What the store sees of a handle.
fn key(handle: &SessionHandle) -> String {
    wire::sha256_hex(wire::text(handle))
}

fn unknown(error: std::io::Error) -> Stop {
    Stop::Unknown(Error::session_store(error))
}

/// The outcome, unless those who wait were told something before.
fn tell_last(sender: &watch::Sender<Option<Outcome>>, outcome: Result<ActiveSession, Stop>) {
    sender.send_if_modified(|told| {
        let silent = told.is_none();
        if silent {
            *told = Some(outcome.map_err(Arc::new));
        }
        silent
    });
}

async fn settled(mut outcome: watch::Receiver<Option<Outcome>>) -> Result<ActiveSession, Stop> {
    let settled = outcome.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
    match settled {
        Ok(Some(Ok(session))) => Ok(session),
        Ok(Some(Err(stop))) => Err(stop.again()),
        _ => Err(Stop::Unknown(Error::abandoned())),
    }
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
    fn table(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<Option<Outcome>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the table, given back however its task ends.
struct Entry {
    renewals: Arc<Renewals>,
    key: String,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.renewals.table().remove(&self.key);
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
            renewals: Arc::clone(&self.renewals),
        }
    }
}

impl<S> fmt::Debug for SessionManager<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SessionManager").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}
