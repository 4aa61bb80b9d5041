//! The session of a device's user.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::store::TokenStore;
use super::stored::{Held, LoginId};
use crate::client::PublicClient;
use crate::credentials::Public;
use crate::error::Error;
use crate::id::{LogoutUrl, OrganizationId, RedirectUri};
use crate::rejected::Rejected;
use crate::session::checks::Checks;
use crate::session::parts::{Session, SessionParts};
use crate::session::refresh::BareSession;
use crate::session::state::{SessionState, SignedIn, SwitchError};
use crate::token::TokenVerifier;
use crate::wire;

/// How long to wait for the store's lock. Its owner may refresh a session, and WorkOS may be slow.
const LOCK_WAIT: Duration = Duration::from_secs(30);
/// How long a sign-out waits for the session's ID at WorkOS, which may need an exchange.
const SESSION_ID_WAIT: Duration = Duration::from_secs(5);

/// The session of a device's user, for command-line and desktop applications. Clones are the same session.
///
/// A process that keeps running uses its access token until that is about to expire, whatever other processes exchange. It notices a
/// sign-out or another login at once.
///
/// A [`TokenStore`] keeps no access token, since the stores of platforms are small. Each process gets one when it first needs it. If
/// several processes do so at the same time, the store's lock lets one of them exchange the refresh token. For 15 seconds the others
/// replay its request, which WorkOS answers with the same pair.
///
/// A new token is written before anybody hears of it: `Active` means that the next process is signed in, too. While it can't be
/// written, the answer is `TemporarilyUnknown` with the store's error, and the only copy of the token is in this process. It is written
/// again for 10 minutes, unless the user signs out. So a process that ends after a command calls [`finish_within`](Self::finish_within).
///
/// ```
/// use std::time::Duration;
///
/// use workos_auth::testing::{AuthKit, Browser};
/// use workos_auth::session::{MemoryTokenStore, TokenSession};
/// use workos_auth::{Callback, Client, RedirectUri, SessionState};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let client = authkit.public_client();
/// # let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
/// # let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
/// # let response = login.exchange(Callback::from_url(&callback)?)?.send().await?;
/// let session = TokenSession::new(client, MemoryTokenStore::new());
/// session.sign_in(response).await?;
///
/// match session.authenticate().await {
///     SessionState::Active(session) => println!("signed in as {}", session.user().email),
///     SessionState::SignedOut(_) => println!("please log in"),
///     SessionState::TemporarilyUnknown(error) => println!("please try again: {error}"),
/// }
/// # assert!(session.clone().sign_out(None).await?.is_some());
///
/// // Before the process ends:
/// session.finish_within(Duration::from_secs(30)).await?;
/// # Ok(())
/// # }
/// ```
pub struct TokenSession<S> {
    pub(super) client: PublicClient,
    pub(super) checks: Checks,
    pub(super) store: Arc<S>,
    current: Arc<Mutex<Option<Current>>>,
    /// Why the newest token isn't in the store.
    not_kept: Arc<Mutex<Option<Error>>>,
    /// Its receivers are the sign-outs that wait for the lock.
    sign_outs: Arc<watch::Sender<()>>,
}

/// The login and the session of this process.
type Current = (LoginId, Arc<Session<Public>>);

impl<S> TokenSession<S> {
    /// The session whose refresh token is in this store.
    #[must_use]
    pub fn new(client: PublicClient, store: S) -> Self
    where
        S: TokenStore,
    {
        let checks = Checks::new(client.verifier());
        Self {
            client,
            checks,
            store: Arc::new(store),
            current: Arc::default(),
            not_kept: Arc::default(),
            sign_outs: Arc::default(),
        }
    }

    /// Verifies access tokens with another verifier, such as one with the application's own issuer.
    #[must_use]
    pub fn verifier(mut self, verifier: TokenVerifier) -> Self {
        self.checks.verifier = verifier;
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

impl<S: TokenStore> TokenSession<S> {
    /// Keeps the refresh token of a login. It replaces an earlier session. The work goes on when the caller is cancelled.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store), also when another process has held the lock for 30 seconds, or this one has tried
    /// to write an earlier token for so long; the session comes back.
    pub async fn sign_in(&self, parts: impl Into<SessionParts>) -> Result<(), Rejected<SessionParts>> {
        let (this, parts) = (self.clone(), parts.into());
        let session = Session::new(&self.client, parts.copy());
        let task = self.client.spawn(async move { this.keep(session).await });
        let kept = task.await.unwrap_or_else(|_| Err(Error::abandoned()));
        kept.map_err(|error| Rejected::returning(error, parts))
    }

    /// Says whether the user is signed in, and has a valid access token: this process's, or a new one if that is about to expire or
    /// another process has signed in.
    ///
    /// It takes no longer than [`answer_within`](Self::answer_within). The exchange goes on when the caller is cancelled. A
    /// transient failure is always [`TemporarilyUnknown`](SessionState::TemporarilyUnknown), never signed out.
    pub async fn authenticate(&self) -> SessionState {
        SessionState::of(self.signed_in(None).await)
    }

    /// Exchanges the token for tokens of another organization of the user.
    ///
    /// # Errors
    /// [`SwitchError`] says whether the session is still there. An organization that requires SSO or a second factor ends it
    /// ([`ErrorKind::Unfinished`](crate::ErrorKind::Unfinished)).
    pub async fn switch_organization(&self, id: OrganizationId) -> Result<SignedIn, SwitchError> {
        self.signed_in(Some(id)).await.map_err(SwitchError::of)
    }

    /// Removes the token, and gives the URL that ends the session at WorkOS. The user's browser goes there, and from there back to
    /// `return_to`.
    ///
    /// The URL is absent when there is no session, or its ID at WorkOS is unavailable at the moment. The removal goes on when the caller is
    /// cancelled. It doesn't wait until a new token can be written.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store), also when another process has held the lock for 30 seconds: the token may still be
    /// there, so try again.
    pub async fn sign_out(&self, return_to: Option<&RedirectUri>) -> Result<Option<LogoutUrl>, Error> {
        let (this, return_to) = (self.clone(), return_to.cloned());
        let task = self.client.spawn(async move { this.remove(return_to.as_ref()).await });
        task.await.unwrap_or_else(|_| Err(Error::abandoned()))
    }

    /// Waits until nothing of this session's client is under way, but no longer than this time: call it before the process ends. It
    /// returns at once when there is nothing to wait for. 30 seconds are enough for an exchange with a slow WorkOS.
    ///
    /// `Ok` says nothing of an exchange that failed: if WorkOS has done it and all its replies were lost, the user must sign in again.
    ///
    /// # Errors
    /// - [`ErrorKind::Store`](crate::ErrorKind::Store): a new token could not be written, and its only copy is in the memory of this process.
    ///   When the process ends, the user must sign in again.
    /// - [`ErrorKind::Timeout`](crate::ErrorKind::Timeout): an exchange is under way. If WorkOS has answered it when the process ends, the
    ///   next process must ask again within 30 seconds, or the user must sign in again.
    pub async fn finish_within(self, time: Duration) -> Result<(), Error> {
        let in_time = timeout(time, self.client.idle()).await;
        match self.not_kept() {
            Some(error) => Err(error),
            None => in_time.map_err(|_| Error::too_late()),
        }
    }

    async fn remove(&self, return_to: Option<&RedirectUri>) -> Result<Option<LogoutUrl>, Error> {
        let waiting = self.sign_outs.subscribe();
        let lock = self.locked().await?;
        drop(waiting);
        let held = self.store.read().await.map_err(Error::session_store)?;
        self.store.remove().await.map_err(Error::session_store)?;
        self.set_not_kept(None);
        drop(lock);
        let Some(Ok(held)) = held.map(|token| Held::read(&token)) else { return Ok(None) };
        Ok(timeout(SESSION_ID_WAIT, self.logout_url(&held, return_to)).await.ok().flatten())
    }

    /// Only an access token says a session's ID.
    async fn logout_url(&self, held: &Held, return_to: Option<&RedirectUri>) -> Option<LogoutUrl> {
        let session = match self.remembered(held) {
            Some(session) => session,
            None => {
                Arc::new(BareSession { token: &held.refresh_token, held: None }.renew(&self.client, None).await.ok()?)
            }
        };
        session.end();
        Some(wire::logout_url(&self.client.core.base_url, &session.id_to_end()?, return_to))
    }

    async fn keep(&self, session: Session<Public>) -> Result<(), Error> {
        let login = wire::random_name(self.client.core.runtime.random.as_ref())?;
        let _lock = self.locked().await?;
        let kept = Held::write(&session.parts.refresh_token, &login, None)?;
        self.store.write(&kept).await.map_err(Error::session_store)?;
        self.set_not_kept(None);
        self.remember(login, &Arc::new(session));
        Ok(())
    }

    /// The store's lock, for which nobody waits forever.
    pub(super) async fn locked(&self) -> Result<S::Lock, Error> {
        let lock = timeout(LOCK_WAIT, self.store.lock()).await;
        let too_late =
            || Error::session_store(io::Error::new(io::ErrorKind::TimedOut, "another process holds the lock"));
        match lock {
            Ok(lock) => lock.map_err(Error::session_store),
            // Unless it is this process, which can't write a token.
            Err(_) => Err(self.not_kept().unwrap_or_else(too_late)),
        }
    }

    /// Whether a sign-out waits for the lock.
    pub(super) fn is_signing_out(&self) -> bool {
        !self.sign_outs.is_closed()
    }

    /// Why the newest token isn't in the store.
    pub(super) fn not_kept(&self) -> Option<Error> {
        self.not_kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_not_kept(&self, error: Option<Error>) {
        *self.not_kept.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    pub(super) fn remember(&self, login: LoginId, session: &Arc<Session<Public>>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((login, Arc::clone(session)));
    }

    /// The session of this process, if it belongs to the stored login.
    pub(super) fn remembered(&self, held: &Held) -> Option<Arc<Session<Public>>> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        current.filter(|(login, _)| *login == held.login).map(|(_, session)| session)
    }
}

impl<S> Clone for TokenSession<S> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            checks: self.checks.clone(),
            store: Arc::clone(&self.store),
            current: Arc::clone(&self.current),
            not_kept: Arc::clone(&self.not_kept),
            sign_outs: Arc::clone(&self.sign_outs),
        }
    }
}

impl<S> fmt::Debug for TokenSession<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenSession").finish_non_exhaustive()
    }
}
