//! Sessions of command-line and desktop applications, which keep their refresh token and nothing else.

#[cfg(feature = "token-file")]
mod file;
#[cfg(feature = "keyring")]
mod keyring;
#[cfg(any(feature = "token-file", feature = "keyring"))]
mod lock;

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

#[cfg(feature = "token-file")]
pub use file::FileTokenStore;
#[cfg(feature = "keyring")]
pub use keyring::KeyringTokenStore;

use super::refresh::{Bare, BareError};
use super::single_flight::channel;
use super::state::{
    AHEAD, ANSWER_WITHIN, Deadline, Need, SessionState, SignedIn, SignedOut, Stop, SwitchError, active, fresh, left,
    logout_url, need,
};
use super::{Session, SessionParts};
use crate::client::PublicClient;
use crate::credentials::Public;
use crate::error::{Error, SealError};
use crate::id::{OrganizationId, RedirectUri};
use crate::rejected::Rejected;
use crate::secret::{RefreshToken, StoredToken};
use crate::token::TokenVerifier;
use crate::wire;

/// For so long after an exchange its token is replayed by other processes: half of the time in which WorkOS answers a replay
/// with the same pair.
const REPLAY: Duration = Duration::from_secs(15);
/// How long a sign-out waits for the session's name at WorkOS, for which it may need an exchange.
const NAMING: Duration = Duration::from_secs(5);
/// How long a new token is kept at hand for a store that fails, while nobody else gets the lock. Then it is lost.
const WRITE_RETRY_FOR: Duration = Duration::from_secs(600);
/// How long a caller waits for that.
const WRITE_WAIT: Duration = Duration::from_secs(5);
/// Between two attempts to write.
const WRITE_RETRY: Duration = Duration::from_millis(100);
/// After a refusal, another process that took no lock may be about to write.
const GRACE: Duration = Duration::from_millis(200);

/// Keeps the refresh token of one user's session on a user's device, for every process of the application.
///
/// Ships for files (`FileTokenStore`, feature `token-file`), the operating system's keyring (`KeyringTokenStore`, feature
/// `keyring`) and memory ([`MemoryTokenStore`]).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store for the token of a command line",
    label = "needs a `TokenStore`",
    note = "take a `FileTokenStore` (feature `token-file`), a `KeyringTokenStore` (feature `keyring`) or a `MemoryTokenStore`, or implement `TokenStore`"
)]
pub trait TokenStore: Send + Sync + 'static {
    /// Held while a token is exchanged and written; when it is dropped, or its process dies, the next one gets it.
    type Lock: Send;

    /// Locks the store for this process and task, and waits for its turn.
    ///
    /// # Errors
    /// Whatever went wrong; it becomes the source of an [`Error`].
    fn lock(&self) -> impl Future<Output = io::Result<Self::Lock>> + Send;

    /// The token, if there is one. Needs no lock.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    fn read(&self) -> impl Future<Output = io::Result<Option<StoredToken>>> + Send;

    /// Replaces the token, as a whole or not at all, while the lock is held.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    fn write(&self, token: &StoredToken) -> impl Future<Output = io::Result<()>> + Send;

    /// Removes the token, while the lock is held. That there is none is no error.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    fn remove(&self) -> impl Future<Output = io::Result<()>> + Send;
}

/// Keeps a refresh token in the memory of the process: for tests, and for applications whose users sign in at each start.
#[derive(Debug, Default)]
pub struct MemoryTokenStore {
    token: Mutex<Option<StoredToken>>,
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl MemoryTokenStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl TokenStore for MemoryTokenStore {
    type Lock = OwnedMutexGuard<()>;

    async fn lock(&self) -> io::Result<Self::Lock> {
        Ok(Arc::clone(&self.lock).lock_owned().await)
    }

    async fn read(&self) -> io::Result<Option<StoredToken>> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(token.as_ref().map(|token| StoredToken::new(wire::text(token))))
    }

    async fn write(&self, token: &StoredToken) -> io::Result<()> {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(StoredToken::new(wire::text(token)));
        Ok(())
    }

    async fn remove(&self) -> io::Result<()> {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

/// The session of a device's user, for command-line and desktop applications. Clones are the same session.
///
/// A process that runs on keeps its access token until it is at its end, whatever other processes exchange; a sign-out or
/// another login it notices at once.
///
/// A [`TokenStore`] keeps no access token, since the stores of platforms are small: each process asks for one when it first
/// needs it. Processes that do so at the same time don't get into each other's way: the store's lock lets one exchange the
/// refresh token, and for 15 seconds the others replay what it sent, which WorkOS answers with the same pair.
///
/// ```
/// use workos_auth::testing::{AuthKit, Browser};
/// use workos_auth::session::{MemoryTokenStore, TokenSession};
/// use workos_auth::{Callback, Client, RedirectUri, SessionState};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let client = Client::builder().client_id(authkit.client_id()).base_url(authkit.base_url()).build()?;
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
/// # assert!(session.sign_out(None).await?.is_some());
/// # Ok(())
/// # }
/// ```
pub struct TokenSession<S> {
    client: PublicClient,
    verifier: TokenVerifier,
    store: Arc<S>,
    answer_within: Duration,
    current: Arc<Mutex<Option<Current>>>,
}

/// The login and the session of this process.
type Current = (LoginId, Arc<Session<Public>>);

/// What this process knows without an exchange.
enum AtHand {
    Good(SignedIn),
    /// Good, but not for long.
    Short(SignedIn),
    Nothing,
}

type Outcome = Result<SignedIn, Arc<Stop>>;

/// Tells one login from the next: an access token of another is nobody's.
type LoginId = String;

impl<S> TokenSession<S> {
    /// The session whose token is in this store.
    #[must_use]
    pub fn new(client: PublicClient, store: S) -> Self
    where
        S: TokenStore,
    {
        let verifier = client.verifier();
        Self { client, verifier, store: Arc::new(store), answer_within: ANSWER_WITHIN, current: Arc::default() }
    }

    /// Another verifier, such as one with an issuer of the application's own.
    #[must_use]
    pub fn verifier(mut self, verifier: TokenVerifier) -> Self {
        self.verifier = verifier;
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

impl<S: TokenStore> TokenSession<S> {
    /// Keeps the refresh token of a login; whatever session there was before is replaced.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store), also when another process has held the lock for 30 seconds; the session
    /// comes back.
    pub async fn sign_in(&self, parts: impl Into<SessionParts>) -> Result<(), Rejected<SessionParts>> {
        let parts = parts.into();
        let login = match self.keep(&parts.refresh_token).await {
            Ok(login) => login,
            Err(error) => return Err(Rejected::returning(error, parts)),
        };
        self.remember(login, &Arc::new(Session::new(&self.client, parts)));
        Ok(())
    }

    /// Says whether the user is signed in, with an access token that is good: this process's, until it is at its end or
    /// another process has signed out, or a new one.
    ///
    /// It takes no longer than [`answer_within`](Self::answer_within). The exchange goes on when the caller is cancelled. A
    /// transient failure of anything is
    /// [`TemporarilyUnknown`](SessionState::TemporarilyUnknown), never signed out.
    pub async fn authenticate(&self) -> SessionState {
        SessionState::of(self.answer(None).await)
    }

    /// Exchanges the token for a pair in another organization of the user.
    ///
    /// # Errors
    /// [`SwitchError`] says whether there still is a session. An organization that wants SSO or a second factor ends it
    /// ([`ErrorKind::Unfinished`](crate::ErrorKind::Unfinished)).
    pub async fn switch_organization(&self, id: OrganizationId) -> Result<SignedIn, SwitchError> {
        self.answer(Some(id)).await.map_err(SwitchError::of)
    }

    /// Removes the token, and gives the URL that ends the session at WorkOS, for the user's browser, from where it goes back to
    /// `return_to`.
    ///
    /// The URL is absent when there is no session, or its name at WorkOS is unavailable at the moment.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store): the token may still be there, so try again.
    pub async fn sign_out(&self, return_to: Option<&RedirectUri>) -> Result<Option<Url>, Error> {
        let (this, return_to) = (self.clone(), return_to.cloned());
        let task = tokio::spawn(async move { this.remove(return_to.as_ref()).await });
        task.await.unwrap_or_else(|_| Err(Error::abandoned()))
    }

    async fn remove(&self, return_to: Option<&RedirectUri>) -> Result<Option<Url>, Error> {
        let lock = self.store.lock().await.map_err(Error::session_store)?;
        let held = self.store.read().await.map_err(Error::session_store)?;
        self.store.remove().await.map_err(Error::session_store)?;
        drop(lock);
        let Some(Ok(held)) = held.map(|token| Held::read(&token)) else { return Ok(None) };
        Ok(timeout(NAMING, self.logout_url(&held, return_to)).await.ok().flatten())
    }

    /// Only an access token says what a session is called.
    async fn logout_url(&self, held: &Held, return_to: Option<&RedirectUri>) -> Option<Url> {
        let session = match self.remembered(held) {
            Some(session) => session,
            None => Arc::new(Bare { token: &held.refresh_token, held: None }.renew(&self.client, None).await.ok()?),
        };
        session.end();
        logout_url(&session, &self.verifier, return_to).await
    }

    async fn keep(&self, token: &RefreshToken) -> Result<LoginId, Error> {
        let login = wire::random_name(self.client.core.runtime.random.as_ref())?;
        let _lock = self.store.lock().await.map_err(Error::session_store)?;
        let kept = Held::write(token, &login, None)?;
        self.store.write(&kept).await.map_err(Error::session_store)?;
        Ok(login)
    }

    fn remember(&self, login: LoginId, session: &Arc<Session<Public>>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((login, Arc::clone(session)));
    }

    /// The session of this process, if its login is the one that is kept.
    fn remembered(&self, held: &Held) -> Option<Arc<Session<Public>>> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        current.filter(|(login, _)| *login == held.login).map(|(_, session)| session)
    }

    async fn answer(&self, switch_to: Option<OrganizationId>) -> Result<SignedIn, Stop> {
        let mut deadline = Deadline::after(self.answer_within);
        let mut old = None;
        if switch_to.is_none() {
            let held = deadline.limit(self.read(SignedOut::not_found())).await??;
            match deadline.limit(self.at_hand(&held)).await?? {
                AtHand::Good(session) => return Ok(session),
                AtHand::Short(session) => {
                    deadline = deadline.or_after(left(session.token(), self.client.core.runtime.clock.now()));
                    old = Some(session);
                }
                AtHand::Nothing => {}
            }
        }
        match (deadline.limit(self.renewed(switch_to)).await.and_then(|outcome| outcome), old) {
            // Its token is good still.
            (Err(Stop::Unknown(_)), Some(old)) => Ok(old),
            (outcome, _) => outcome,
        }
    }

    /// In a task of its own, so that a pair that has come is written when the caller is cancelled.
    async fn renewed(&self, switch_to: Option<OrganizationId>) -> Result<SignedIn, Stop> {
        let this = self.clone();
        let (teller, listener) = channel::<Outcome>();
        tokio::spawn(async move {
            let tell = |outcome: Result<SignedIn, Stop>| teller.tell(outcome.map_err(Arc::new));
            let renewal = async {
                // Whoever has the lock goes on; who waits for it after the caller has gone is in everybody's way.
                let lock = teller.while_wanted(this.store.lock()).await;
                let lock = lock.ok_or_else(|| Stop::Unknown(Error::abandoned()))?.map_err(unknown)?;
                this.renew(lock, switch_to, tell).await
            };
            let outcome = teller.alive(renewal).await;
            tell(outcome);
        });
        match listener.wait().await {
            Some(outcome) => outcome.map_err(|stop| (*stop).clone()),
            None => Err(Stop::Unknown(Error::abandoned())),
        }
    }

    /// `early` tells the caller what is known before the end.
    async fn renew(
        &self,
        _lock: S::Lock,
        switch_to: Option<OrganizationId>,
        early: impl Fn(Result<SignedIn, Stop>),
    ) -> Result<SignedIn, Stop> {
        // Somebody else may have been here.
        let held = self.read(if switch_to.is_some() { SignedOut::not_found() } else { SignedOut::removed() }).await?;
        if switch_to.is_none()
            && let AtHand::Good(session) = self.at_hand(&held).await?
        {
            return Ok(session);
        }
        let error = match self.exchange(&held, switch_to.clone()).await {
            Err(BareError::Ended(error)) => error,
            outcome => return self.keep_and_activate(held, switch_to.is_some(), outcome, early).await,
        };
        sleep(GRACE).await;
        let newer = self.read(SignedOut::removed()).await?;
        if wire::same(&held.refresh_token, &newer.refresh_token) {
            self.store.remove().await.map_err(unknown)?;
            return Err(Stop::SignedOut(SignedOut::ended(error)));
        }
        let outcome = self.exchange(&newer, switch_to.clone()).await;
        self.keep_and_activate(newer, switch_to.is_some(), outcome, early).await
    }

    /// An access token that needs no exchange: this process's, or the one that another process has just got.
    async fn at_hand(&self, held: &Held) -> Result<AtHand, Stop> {
        let mut known = self.remembered(held);
        if known.is_none() {
            let Some(replaced) = &held.replaced else { return Ok(AtHand::Nothing) };
            let age = self.client.core.runtime.clock.now().duration_since(replaced.at);
            if !Duration::try_from(age).is_ok_and(|age| age < REPLAY) {
                return Ok(AtHand::Nothing);
            }
            let replay = Bare { token: &replaced.refresh_token, held: None }.renew(&self.client, None).await;
            let Ok(session) = replay else { return Ok(AtHand::Nothing) };
            // Another process may have exchanged it meanwhile.
            if !wire::same(&session.parts.refresh_token, &held.refresh_token) {
                return Ok(AtHand::Nothing);
            }
            let session = Arc::new(session);
            self.remember(held.login.clone(), &session);
            known = Some(session);
        }
        let Some(session) = known else { return Ok(AtHand::Nothing) };
        Ok(match need(&session, session.age(), &self.verifier, AHEAD).await? {
            Need::Nothing(token) => AtHand::Good(active(session.copy(), token)),
            Need::RefreshSoon(token) => AtHand::Short(active(session.copy(), token)),
            Need::Refresh => AtHand::Nothing,
        })
    }

    async fn read(&self, missing: SignedOut) -> Result<Held, Stop> {
        match self.store.read().await {
            Ok(Some(token)) => Held::read(&token),
            Ok(None) => Err(Stop::SignedOut(missing)),
            Err(error) => Err(unknown(error)),
        }
    }

    async fn exchange(
        &self,
        held: &Held,
        switch_to: Option<OrganizationId>,
    ) -> Result<Session<Public>, BareError<Public>> {
        let known = self.remembered(held);
        let known = known.as_ref().map(|session| &session.parts.access_token);
        let bare = Bare { token: &held.refresh_token, held: known };
        let session = bare.renew(&self.client, switch_to.clone()).await?;
        if !session.is_from_before() {
            return Ok(session);
        }
        // The store has lost what this process got before.
        let parts = session.parts;
        Bare { token: &parts.refresh_token, held: Some(&parts.access_token) }.renew(&self.client, switch_to).await
    }

    /// Writes the new token before anything else is asked of its pair.
    async fn keep_and_activate(
        &self,
        held: Held,
        is_switch: bool,
        outcome: Result<Session<Public>, BareError<Public>>,
        early: impl Fn(Result<SignedIn, Stop>),
    ) -> Result<SignedIn, Stop> {
        let (session, problem) = match outcome {
            Ok(session) => (session, None),
            Err(BareError::Kept(error, Some(session))) => (*session, Some(error)),
            Err(BareError::Kept(error, None)) => return Err(Stop::Unknown(error)),
            Err(BareError::Ended(error)) => return Err(Stop::SignedOut(SignedOut::ended(error))),
        };
        let session = Arc::new(session);
        self.remember(held.login.clone(), &session);
        let activate = async || match &problem {
            Some(error) => Err(Stop::Unknown(error.clone())),
            None => fresh(session.copy(), &self.verifier).await,
        };
        if !wire::same(&held.refresh_token, &session.parts.refresh_token) {
            // Replaying a switch is not the same as asking for the pair that it brought.
            let at = self.client.core.runtime.clock.now();
            let replaced = (!is_switch).then_some((&held.refresh_token, at));
            let token = Held::write(&session.parts.refresh_token, &held.login, replaced).map_err(Stop::Unknown)?;
            // There is no other copy of it.
            let began = Instant::now();
            let mut told = false;
            while let Err(error) = self.store.write(&token).await {
                if began.elapsed() >= WRITE_RETRY_FOR {
                    return Err(unknown(error));
                }
                if !told && began.elapsed() >= WRITE_WAIT {
                    told = true;
                    early(activate().await);
                }
                sleep(WRITE_RETRY).await;
            }
        }
        activate().await
    }
}

/// What is in a [`StoredToken`].
#[derive(Deserialize)]
struct Held {
    refresh_token: RefreshToken,
    login: LoginId,
    replaced: Option<Replaced>,
}

/// The token that was exchanged last, and when.
#[derive(Deserialize)]
struct Replaced {
    refresh_token: RefreshToken,
    at: Timestamp,
}

#[derive(Serialize)]
struct Writing<'a> {
    refresh_token: &'a str,
    login: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<WritingReplaced<'a>>,
}

#[derive(Serialize)]
struct WritingReplaced<'a> {
    refresh_token: &'a str,
    at: Timestamp,
}

impl Held {
    fn write(
        token: &RefreshToken,
        login: &str,
        replaced: Option<(&RefreshToken, Timestamp)>,
    ) -> Result<StoredToken, Error> {
        let replaced = replaced.map(|(token, at)| WritingReplaced { refresh_token: wire::text(token), at });
        let text = wire::body(&Writing { refresh_token: wire::text(token), login, replaced })?;
        str::from_utf8(&text).map(StoredToken::new).map_err(|_| Error::invalid_value("refresh_token", "is no text"))
    }

    fn read(token: &StoredToken) -> Result<Self, Stop> {
        let unreadable = |_| Stop::SignedOut(SignedOut::unreadable(Error::seal(SealError::NotASession)));
        serde_json::from_str(wire::text(token)).map_err(unreadable)
    }
}

fn unknown(error: io::Error) -> Stop {
    Stop::Unknown(Error::session_store(error))
}

impl<S> Clone for TokenSession<S> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            verifier: self.verifier.clone(),
            store: Arc::clone(&self.store),
            answer_within: self.answer_within,
            current: Arc::clone(&self.current),
        }
    }
}

impl<S> fmt::Debug for TokenSession<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenSession").finish_non_exhaustive()
    }
}
