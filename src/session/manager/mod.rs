//! Sessions kept in a store, refreshed once for all processes that use it.

mod renewal;
mod stored;

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use self::renewal::{Goal, Renewals};
use self::stored::{Loaded, key, within_limit};
use super::SessionParts;
use super::checks::{Checks, Deadline, Need, time_left};
use super::state::{SessionState, SignedIn, SignedOutReason, Stop, SwitchError};
use super::store::SessionStore;
use crate::client::ConfidentialClient;
use crate::error::{Error, ErrorKind};
use crate::id::{LogoutUrl, OrganizationId, RedirectUri, SessionId, UserId};
use crate::rejected::Rejected;
use crate::secret::SessionHandle;
use crate::token::TokenVerifier;
use crate::wire;

/// How long the store keeps a session after its last refresh, unless the application says otherwise.
const SESSION_LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// Longer than any refresh that is in flight when a session is removed, and than this process keeps a new pair for the store.
const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(3_600);
/// How many sessions are ended at a time.
const BATCH: usize = 64;
/// How long a caller whose token is still valid waits for the next one.
const REFRESH_WAIT: Duration = Duration::from_secs(1);

/// Keeps sessions in a [`SessionStore`]. The browser only holds a random [`SessionHandle`].
///
/// However many tasks and processes authenticate an expired session at the same time, one request goes to WorkOS, and all get its
/// result. A session that was signed out stays signed out, even while a refresh is in flight. If the store becomes unavailable
/// between a refresh and the writing of its tokens, they are written in the background for up to ten minutes; a process that ends
/// earlier loses the session, so wait for [`Client::idle`](crate::Client::idle) first. Clones are the same manager.
///
/// ```
/// use workos_auth::testing::{AuthKit, Browser};
/// use workos_auth::session::MemorySessionStore;
/// use workos_auth::{Callback, Client, RedirectUri, SessionManager, SessionState};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let client = authkit.confidential_client();
/// # let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
/// # let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
/// # let response = login.exchange(Callback::from_url(&callback)?)?.send().await?;
/// let sessions = SessionManager::new(client, MemorySessionStore::new());
///
/// // After a login. The handle goes into a cookie:
/// let handle = sessions.sign_in(response).await?;
///
/// // With each request:
/// match sessions.authenticate(&handle).await {
///     SessionState::Active(session) => println!("hello, {}", session.user().email),
///     SessionState::SignedOut(_) => println!("clear the cookie, and go to the login"),
///     SessionState::TemporarilyUnknown(_) => println!("keep the cookie, and answer 503"),
/// }
///
/// // Clear the cookie, and send the browser to this URL:
/// let logout_url = sessions.sign_out(&handle, None).await?;
/// # assert!(logout_url.is_some());
/// # Ok(())
/// # }
/// ```
///
/// For claims of a JWT template, verify [`SignedIn::access_token`] with a
/// [`custom_claims`](TokenVerifier::custom_claims) verifier.
pub struct SessionManager<S> {
    client: ConfidentialClient,
    checks: Checks,
    store: Arc<S>,
    lifetime: Duration,
    renewals: Arc<Renewals>,
}

impl<S> SessionManager<S> {
    /// Keeps sessions in this store.
    #[must_use]
    pub fn new(client: ConfidentialClient, store: S) -> Self
    where
        S: SessionStore,
    {
        let checks = Checks::new(client.verifier());
        Self { client, checks, store: Arc::new(store), lifetime: SESSION_LIFETIME, renewals: Arc::default() }
    }

    /// Verifies access tokens with another verifier, such as one with the application's own issuer, or one that
    /// [remembers](TokenVerifier::remember) tokens it has verified.
    #[must_use]
    pub fn verifier(mut self, verifier: TokenVerifier) -> Self {
        self.checks.verifier = verifier;
        // A result that another verifier has let through must not be shared.
        self.renewals = Arc::default();
        self
    }

    /// How long the store keeps a session after its last refresh; 30 days by default. WorkOS may end the session earlier.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// How long before its expiry an access token is replaced: 30 seconds by default, and never more than a quarter of its lifetime.
    #[must_use]
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.checks.refresh_ahead = ahead;
        self
    }

    /// How long [`authenticate`](Self::authenticate) and [`switch_organization`](Self::switch_organization) take at most; 10
    /// seconds by default. After that the answer is the old session while its token is valid, or
    /// [`TemporarilyUnknown`](SessionState::TemporarilyUnknown). The work goes on, and the next call gets its result.
    #[must_use]
    pub fn answer_within(mut self, time: Duration) -> Self {
        self.checks.answer_within = time;
        self
    }
}

impl<S: SessionStore> SessionManager<S> {
    /// Keeps a session under a new handle. A handle that the browser already has is never used again (session fixation).
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

    /// Says whether a handle's user is signed in, and refreshes the session when its access token is about to expire.
    ///
    /// The refresh goes on when the caller is cancelled. A transient failure is always
    /// [`TemporarilyUnknown`](SessionState::TemporarilyUnknown), never signed out.
    pub async fn authenticate(&self, handle: &SessionHandle) -> SessionState {
        SessionState::of(self.current(handle, self.checks.deadline()).await)
    }

    /// Exchanges a session's tokens for those of another organization of its user.
    ///
    /// # Errors
    /// [`SwitchError`] says whether the session is still there. An organization that requires SSO or a second factor ends it
    /// ([`ErrorKind::Unfinished`](crate::ErrorKind::Unfinished)).
    pub async fn switch_organization(
        &self,
        handle: &SessionHandle,
        id: OrganizationId,
    ) -> Result<SignedIn, SwitchError> {
        let switched = self.checks.deadline().limit(self.renewed(handle, Goal::Switch(id))).await;
        switched.and_then(|switched| switched).map_err(SwitchError::of)
    }

    /// Removes a session, and gives the URL that ends it at WorkOS, from where the browser goes back to `return_to`.
    ///
    /// The URL is absent when there is no such session. Nothing is asked of WorkOS. The removal goes on when the caller is cancelled.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store): the session may still be there, so try again.
    pub async fn sign_out(
        &self,
        handle: &SessionHandle,
        return_to: Option<&RedirectUri>,
    ) -> Result<Option<LogoutUrl>, Error> {
        let id = self.signed_out(handle).await?;
        Ok(id.map(|id| wire::logout_url(&self.client.core.base_url, &id, return_to)))
    }

    pub(super) async fn signed_out(&self, handle: &SessionHandle) -> Result<Option<SessionId>, Error> {
        let (manager, handle) = (self.clone(), wire::clone_session_handle(handle));
        self.spawned(async move { manager.remove(&handle).await }).await
    }

    /// Ends all sessions of a user: those in the store, for all processes at once, and those at WorkOS. Says how many were still active
    /// at WorkOS.
    ///
    /// After `Ok`, no session that was there when the call began can be used, and a refresh in flight brings none back. One that
    /// begins during the call may end, too. Sessions of other applications of the environment end at WorkOS: such an application
    /// hears of it by the [webhook](crate::webhook) `session.revoked`, or when it refreshes. The work goes on when the caller is
    /// cancelled.
    ///
    /// # Errors
    /// The store or WorkOS failed. Both were tried, so some sessions may have ended, here and there. A second call ends the others.
    pub async fn sign_out_everywhere(&self, user_id: &UserId) -> Result<usize, Error> {
        let (manager, user_id) = (self.clone(), user_id.clone());
        self.spawned(async move {
            let at_workos = sign_out_everywhere(&manager.client, &user_id);
            manager.end_at_both(manager.user_hash(&user_id), at_workos).await
        })
        .await
    }

    /// Ends one session by its ID, such as one of a user's list of devices ([`Sessions::list`](crate::api::Sessions::list)): in the
    /// store, for all processes at once, and at WorkOS. The work goes on when the caller is cancelled.
    ///
    /// # Errors
    /// As [`sign_out_everywhere`](Self::sign_out_everywhere). Also when WorkOS doesn't know the session (status 404).
    pub async fn end_session(&self, id: &SessionId) -> Result<(), Error> {
        let (manager, id) = (self.clone(), id.clone());
        self.spawned(async move {
            let at_workos = async { manager.client.sessions().revoke(&id).send().await };
            manager.end_at_both(manager.session_hash(&id), at_workos).await
        })
        .await
    }

    /// Ends all sessions of a user in the store, and says how many. The work goes on when the caller is cancelled.
    pub(crate) async fn forget_user(&self, id: &UserId) -> Result<usize, Error> {
        let (manager, hash) = (self.clone(), self.user_hash(id));
        self.spawned(async move { manager.end_found(&hash).await }).await
    }

    /// Ends a session in the store, and says how many entries it had. The work goes on when the caller is cancelled.
    pub(crate) async fn forget_session(&self, id: &SessionId) -> Result<usize, Error> {
        let (manager, hash) = (self.clone(), self.session_hash(id));
        self.spawned(async move { manager.end_found(&hash).await }).await
    }

    /// Work that goes on when its caller is cancelled.
    async fn spawned<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        self.client.spawn(work).await.unwrap_or_else(|_| Err(Error::abandoned()))
    }

    pub(crate) fn client(&self) -> &ConfidentialClient {
        &self.client
    }

    pub(crate) fn store(&self) -> &Arc<S> {
        &self.store
    }

    /// Ends sessions in the store and at WorkOS. Neither waits for the other to be available.
    async fn end_at_both<T>(
        &self,
        hash: String,
        at_workos: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        // If this fails, the second time decides.
        drop(self.end_found(&hash).await);
        let ended = at_workos.await;
        // A login that was about to finish may have kept its session only now.
        self.end_found(&hash).await?;
        ended
    }

    /// Removes the sessions that the store finds by a hash, in batches, until it finds none. The tombstones keep refreshes in flight
    /// from bringing them back.
    async fn end_found(&self, hash: &str) -> Result<usize, Error> {
        let (mut ended, mut batch) = (0, Vec::new());
        loop {
            let found = within_limit(self.store.find(hash, BATCH)).await.map_err(Error::session_store)?;
            if found.iter().any(|key| batch.contains(key)) {
                // It would never end.
                return Err(Error::session_store(io::Error::other("the store still finds a session that was removed")));
            }
            if found.is_empty() {
                return Ok(ended);
            }
            for key in &found {
                within_limit(self.store.remove(key, TOMBSTONE_LIFETIME)).await.map_err(Error::session_store)?;
            }
            ended += found.len();
            batch = found;
        }
    }

    async fn remove(&self, handle: &SessionHandle) -> Result<Option<SessionId>, Error> {
        let session = match self.load(handle).await {
            Ok(loaded) => Some(loaded.session),
            // A made-up handle must not leave a tombstone.
            Err(Stop::SignedOut(over)) if over.reason() != SignedOutReason::Unreadable => return Ok(None),
            Err(Stop::Unknown(error)) if matches!(error.kind(), ErrorKind::Store) => return Err(error),
            // A session that can't be opened can be removed.
            Err(_) => None,
        };
        within_limit(self.store.remove(&key(handle), TOMBSTONE_LIFETIME)).await.map_err(Error::session_store)?;
        Ok(session.and_then(|session| {
            session.end();
            session.id_to_end()
        }))
    }

    async fn keep(&self, parts: &SessionParts) -> Result<SessionHandle, Error> {
        let handle = wire::random_handle(self.client.core.runtime.random.as_ref())?;
        let sealed = self.seal(&handle, parts)?;
        let key = key(&handle);
        let index = self.index(&key, parts);
        match within_limit(self.store.create(&key, &sealed, &index, self.lifetime)).await {
            Ok(true) => Ok(handle),
            // The same 256 random bits never come twice.
            Ok(false) => Err(Error::session_store(io::ErrorKind::AlreadyExists.into())),
            Err(error) => Err(Error::session_store(error)),
        }
    }

    async fn current(&self, handle: &SessionHandle, deadline: Deadline) -> Result<SignedIn, Stop> {
        let Loaded { version, session } = deadline.limit(self.load(handle)).await??;
        let goal = Goal::Refresh { seen: version };
        match deadline.limit(self.checks.need(&session, session.known().age)).await?? {
            Need::Nothing(token) => Ok(SignedIn::new(session, token)),
            Need::Refresh => deadline.limit(self.renewed(handle, goal)).await?,
            Need::RefreshSoon(token) => {
                let now = self.client.core.runtime.clock.now();
                let soon = deadline.or_after(REFRESH_WAIT.min(time_left(&token, now)));
                let old = SignedIn::new(session, token);
                // Only the caller that begins a renewal waits for it.
                let (renewal, true) = self.renewal(handle, &goal) else { return Ok(old) };
                match soon.limit(renewal.flight.wait()).await {
                    Ok(Some(Ok(new))) => Ok(new),
                    Ok(Some(Err(stop @ Stop::SignedOut(_)))) => Err(stop),
                    // Its token is still valid.
                    _ => Ok(old),
                }
            }
        }
    }
}

/// Ends all sessions of a user at WorkOS, and says how many. One that can't be ended keeps none of the others.
pub(super) async fn sign_out_everywhere(client: &ConfidentialClient, user_id: &UserId) -> Result<usize, Error> {
    let (mut ended, mut failed) = (0, None);
    let mut page = Some(client.sessions().list(user_id).send().await?);
    while let Some(sessions) = page {
        for session in sessions.data.iter().filter(|session| session.ended_at.is_none()) {
            match client.sessions().revoke(&session.id).send().await {
                Ok(()) => ended += 1,
                // It has ended since it was listed.
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        page = sessions.next().await?;
    }
    failed.map_or(Ok(ended), Err)
}

impl<S> Clone for SessionManager<S> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            checks: self.checks.clone(),
            store: Arc::clone(&self.store),
            lifetime: self.lifetime,
            renewals: Arc::clone(&self.renewals),
        }
    }
}

impl<S> fmt::Debug for SessionManager<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SessionManager").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}
