//! A refresh and the write of its new tokens, in one task that nobody cancels.
//!
//! The old refresh token is used up before the new one is written. A request handler that is dropped in between would lose the session,
//! so an application's own store is written to only from here.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::checks::{Checks, Need};
use super::parts::{Session, SessionParts};
use super::refresh::{RefreshError, Renewed, Want};
use super::refresh_table::{Key, RESULT_KEPT_FOR, UNDELIVERED_KEPT_FOR};
use super::state::Stop;
use super::{
    ActiveSession, OTHER_WRITER_WAIT, OpenedSession, Refreshed, SignedOut, WRITE_RETRY_FOR, WRITE_RETRY_PAUSE,
};
use crate::credentials::{HasClientId, IsConfidential};
use crate::error::{Error, ErrorCode};
use crate::secret::RefreshToken;
use crate::single_flight::{Flight, InFlight, Owner};
use crate::token::TokenVerifier;
use crate::wire;

/// How many attempts to write the callers wait for. The task goes on afterwards.
const AWAITED_ATTEMPTS: usize = 3;
/// The pauses between attempts double up to this. It is shorter than other processes wait before they remove the session.
const LONGEST_WRITE_PAUSE: Duration = Duration::from_secs(1);
/// How long one attempt may take. If it takes effect later, the next one finds that out.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// Which pair of tokens a session has: a hash of its refresh token, in 64 characters. It reveals nothing, so a column can hold it.
///
/// An application that writes `UPDATE … WHERE id = ? AND version = ?` never overwrites what another process has written in between,
/// and never brings back a session that was signed out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionVersion(String);

impl SessionVersion {
    fn of(token: &RefreshToken) -> Self {
        Self(wire::hex(&wire::sha256_of(["workos-auth session version\0", wire::text(token)])))
    }

    /// The text for the column.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What [`Refresh::keep`] asks an application to write, in one statement.
///
/// The session may be the one that the row has already: such a write finds out whether the store can be written to. A row that has the
/// version counts as changed then, too.
#[derive(Debug)]
#[non_exhaustive]
pub struct SessionUpdate<K> {
    /// Change the row only if it has this version.
    pub replaces: SessionVersion,
    /// What the row holds from now on. `None`: the session is over, so remove the row.
    pub session: Option<OpenedSession<K>>,
}

/// Why [`Refresh::keep`] has no session to go on with.
///
/// There is no fourth case, so this enum is exhaustive.
#[derive(Clone, Debug)]
#[must_use = "it says whether the user is still signed in"]
pub enum NotKept {
    /// The row has another version, or is gone: another process was faster, or the user has signed out. Read it again.
    Changed,
    /// The session is over, and its row was removed. The user must sign in again.
    Ended(SignedOut),
    /// Nothing is known against the session: WorkOS, its signing keys or the application's store is unavailable, the new token can't be
    /// verified, or a switch was refused. Answer with the error's [`response`](Error::response): 503 in an outage, 403 for a refusal. New
    /// tokens that could not be written are in memory, and for 10 minutes the task goes on trying.
    Unavailable(Error),
}

impl From<NotKept> for Error {
    fn from(not_kept: NotKept) -> Self {
        match not_kept {
            NotKept::Changed => Self::changed_meanwhile(),
            NotKept::Ended(signed_out) => signed_out.into(),
            NotKept::Unavailable(error) => error,
        }
    }
}

impl fmt::Display for NotKept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => formatter.write_str("the session was changed in between: read it again"),
            Self::Ended(signed_out) => signed_out.fmt(formatter),
            Self::Unavailable(error) => error.fmt(formatter),
        }
    }
}

impl StdError for NotKept {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Changed => None,
            Self::Ended(signed_out) => signed_out.source(),
            Self::Unavailable(error) => error.source(),
        }
    }
}

/// A refresh that waits to hear where its new tokens go. Nothing is sent yet.
///
/// | the session is in | |
/// | --- | --- |
/// | a store of the application | [`keep`](Self::keep): refreshes and writes in one task, which goes on when the caller is dropped |
/// | a cookie | `.await`: gives a [`Refreshed`] for [`into_cookie`](Refreshed::into_cookie) |
#[must_use = "nothing is sent yet: `.keep(write).await` for a store of your own, `.await` for a cookie"]
pub struct Refresh<K> {
    session: Session<K>,
    want: Want,
}

impl<K: HasClientId> Refresh<K> {
    pub(super) fn new(session: Session<K>, want: Want) -> Self {
        Self { session, want }
    }

    /// Refreshes the session and has the application write it, in one task of its own. When the caller is dropped, as request handlers
    /// are when the browser hangs up, the task goes on. For the session of a request, [`OpenedSession::check_and_keep`] does this when it
    /// is needed.
    ///
    /// `write` makes an [update](SessionUpdate) in one statement, and says whether it changed a row. It may be called again and again:
    /// after an error, a panic, or 5 s without an answer. The callers wait for three attempts, or until one hangs. Then they get
    /// [`NotKept::Unavailable`], and the task tries for 10 minutes, since nobody else has the new tokens. Callers of this process who
    /// refresh the same session meanwhile share the request, the write and the answer.
    ///
    /// `write` must not block its thread, or it stops other tasks too: a synchronous database client goes into
    /// [`spawn_blocking`](tokio::task::spawn_blocking).
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use std::convert::Infallible;
    /// use std::sync::{Arc, Mutex};
    ///
    /// use workos_auth::session::{NotActive, NotKept, SessionUpdate};
    /// # use workos_auth::testing::{AuthKit, Browser};
    /// # use workos_auth::{Callback, RedirectUri};
    /// use workos_auth::{Confidential, CookiePassword, SessionCookie};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let authkit = AuthKit::start().await?;
    /// # let client = authkit.confidential_client();
    /// # let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
    /// # let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
    /// # let response = login.exchange(Callback::from_url(&callback)?)?.send().await?;
    /// // Rows with a version and a sealed session. An application has a table.
    /// let rows = Arc::new(Mutex::new(HashMap::new()));
    /// let seal = SessionCookie::new(CookiePassword::new("a-random-password-of-32-characters")?)?;
    /// let session = client.session(response);
    /// rows.lock().unwrap().insert("row 1", (session.version(), seal.seal(&session)?));
    ///
    /// let write = {
    ///     let (rows, seal) = (rows.clone(), seal.clone());
    ///     move |update: SessionUpdate<Confidential>| {
    ///         let mut rows = rows.lock().unwrap();
    ///         let has_changed = rows.get("row 1").is_some_and(|(version, _)| *version == update.replaces);
    ///         match update.session {
    ///             _ if !has_changed => {}
    ///             Some(session) => drop(rows.insert("row 1", (session.version(), seal.seal(&session).unwrap()))),
    ///             None => drop(rows.remove("row 1")),
    ///         }
    ///         async move { Ok::<_, Infallible>(has_changed) }
    ///     }
    /// };
    ///
    /// let sealed = rows.lock().unwrap()["row 1"].1.clone();
    /// match seal.open(&client, &sealed)?.refresh().keep(write).await {
    ///     Ok(_) => println!("the row has new tokens"),
    ///     Err(NotKept::Changed) => println!("read the row again"),
    ///     Err(NotKept::Ended(_)) => println!("please sign in"),
    ///     Err(NotKept::Unavailable(error)) => println!("please try again: {error}"),
    /// }
    /// # assert_ne!(rows.lock().unwrap()["row 1"].1, sealed);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`NotKept`]: the row was changed in between, the session is over, or something is unavailable.
    pub async fn keep<W, F, E>(mut self, write: W) -> Result<OpenedSession<K>, NotKept>
    where
        W: Fn(SessionUpdate<K>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<bool, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        // Whoever has read the row before a switch of the organization must not switch it back.
        if matches!(self.want, Want::Same) {
            self.want = Want::Newest;
        }
        let key = self.key();
        let keeps: Arc<Keeps> = self.session.caller.client.core.shared.get();
        let write: Arc<Write<K>> = Arc::new(move |update| {
            let write = write(update);
            Box::pin(async move { write.await.map_err(|error| Error::not_kept(error.into())) })
        });
        loop {
            let flight = self.find_or_begin(&keeps, key, &write);
            match flight.wait().await {
                Some(result) => return result.map(|parts| OpenedSession(self.session.with(parts.copy()))),
                // Nobody drives its task.
                None => keeps.give_up(&key, &flight),
            }
        }
    }

    fn find_or_begin(&self, keeps: &Arc<Keeps>, key: Key, write: &Arc<Write<K>>) -> Flight<Kept> {
        let mut table = keeps.table();
        if let Some(flight) = table.get(&key) {
            return flight.clone();
        }
        let flight = Flight::new();
        table.insert(key, flight.clone());
        // Unlock first: a runtime that shuts down drops the task at once, and its owner needs the table then.
        drop(table);
        let owner = Owner::new(Arc::clone(keeps), key, flight.clone());
        let (session, want) = (self.session.copy(), self.want.clone());
        let writer = Writer { write: Arc::clone(write), flight: flight.clone() };
        self.session.caller.client.spawn(async move {
            let result = owner.keep_alive(writer.refresh_and_write(session, want)).await;
            // Later callers read the store.
            owner.finish(result);
        });
        flight
    }

    /// Callers with the same key get the same result.
    fn key(&self) -> Key {
        let organization = match &self.want {
            Want::Switch(id) => id.as_str(),
            Want::Same | Want::Newest => "",
        };
        let Session { caller, parts } = &self.session;
        wire::sha256_of([
            caller.identity().client_id.as_str(),
            "\0",
            wire::text(&parts.refresh_token),
            "\0",
            organization,
        ])
    }
}

/// For a session in a cookie: the caller has the new tokens, and nobody else.
impl<K: IsConfidential> IntoFuture for Refresh<K> {
    type Output = Result<Refreshed<K>, RefreshError<K>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.session.renew(self.want, RESULT_KEPT_FOR).await.map(Refreshed) })
    }
}

impl<K> fmt::Debug for Refresh<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Refresh").finish_non_exhaustive()
    }
}

impl<K> OpenedSession<K> {
    /// Which pair of tokens this session has, for a column beside it: [`Refresh::keep`] changes a row only if it has the version that
    /// was read.
    #[must_use]
    pub fn version(&self) -> SessionVersion {
        self.0.version()
    }

    /// The session of a request, from a store of the application: [checks](Self::check) it, and if its access token has expired,
    /// refreshes it and [keeps](Refresh::keep) what comes. That happens once at most: new tokens that can't be verified, since a clock is
    /// wrong or keys are missing, are no reason for another refresh.
    ///
    /// The guide [your own session layer](crate::guide::own_sessions) has the rest of the request.
    ///
    /// # Errors
    /// [`NotKept`]: the row was changed in between, the session is over, or something is unavailable.
    pub async fn check_and_keep<W, F, E>(self, verifier: &TokenVerifier, write: W) -> Result<ActiveSession<K>, NotKept>
    where
        K: HasClientId,
        W: Fn(SessionUpdate<K>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<bool, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let Self(session) = self;
        let known = session.known();
        // What is over must lose its row, whatever its token is.
        if known.ended.is_none() {
            match Checks::new(verifier.clone()).need_ahead(&session, known.age, Duration::ZERO).await {
                Ok(Need::Nothing(token) | Need::RefreshSoon(token)) => return Ok(ActiveSession { session, token }),
                Ok(Need::Refresh) => {}
                Err(Stop::SignedOut(signed_out)) => return Err(NotKept::Ended(signed_out)),
                Err(Stop::Unknown(error)) => return Err(NotKept::Unavailable(error)),
            }
        }
        let Self(session) = Refresh::new(session, Want::Same).keep(write).await?;
        match session.verify(verifier).await {
            Ok(token) => Ok(ActiveSession { session, token }),
            Err(not_verified) => Err(NotKept::Unavailable(not_verified.error())),
        }
    }
}

impl<K> Session<K> {
    fn version(&self) -> SessionVersion {
        SessionVersion::of(&self.parts.refresh_token)
    }
}

type Kept = Result<Arc<SessionParts>, NotKept>;

/// An application's write, with this crate's error.
type Write<K> = dyn Fn(SessionUpdate<K>) -> Pin<Box<dyn Future<Output = Result<bool, Error>> + Send>> + Send + Sync;

/// What is being refreshed and written in this process.
#[derive(Default)]
struct Keeps(Mutex<HashMap<Key, Flight<Kept>>>);

impl Keeps {
    fn table(&self) -> MutexGuard<'_, HashMap<Key, Flight<Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight for Keeps {
    type Key = Key;
    type Output = Kept;

    fn give_up(&self, key: &Key, flight: &Flight<Kept>) {
        let mut table = self.table();
        if table.get(key).is_some_and(|other| other.is(flight)) {
            table.remove(key);
        }
    }

    fn abandoned() -> Kept {
        Err(NotKept::Unavailable(Error::abandoned()))
    }
}

/// Writes for the callers of one flight.
struct Writer<K> {
    write: Arc<Write<K>>,
    flight: Flight<Kept>,
}

impl<K: HasClientId> Writer<K> {
    async fn refresh_and_write(&self, session: Session<K>, want: Want) -> Kept {
        let (before, old) = (session.copy(), session.version());
        let Renewed { result, spent } = session.renew_from(want, UNDELIVERED_KEPT_FOR).await;
        // The row may have the token that was exchanged last, if it was changed after the caller had read it.
        let spent = spent.map(|token| SessionVersion::of(&token)).filter(|spent| *spent != old);
        let keep = async |session: &Session<K>| {
            match (self.write(&old, Some(session)).await, &spent) {
                (Err(NotKept::Changed), Some(spent)) => self.write(spent, Some(session)).await,
                (result, _) => result,
            }?;
            session.delivered(&before);
            Ok(())
        };
        match result {
            Ok(session) => keep(&session).await.map(|()| Arc::new(session.parts)),
            Err(RefreshError::Kept(kept)) => {
                let error = kept.error().clone();
                let session = kept.into_session();
                // A pair that came on the way to another organization is the newest one, also after a failure.
                if session.version() != old {
                    keep(&session).await?;
                }
                Err(NotKept::Unavailable(error))
            }
            Err(RefreshError::Ended(signed_out)) => {
                // Another process may have used the token, and wait until it can write what it got. Where this process can, it can, too.
                if signed_out.error().and_then(Error::code) == Some(&ErrorCode::InvalidGrant) {
                    self.write(&old, Some(&before)).await?;
                    sleep(OTHER_WRITER_WAIT).await;
                }
                self.write(&old, None).await?;
                Err(NotKept::Ended(signed_out))
            }
        }
    }

    /// Has the application write a session, or remove its row, where the row has this version. While that fails, it is tried again.
    async fn write(&self, replaces: &SessionVersion, session: Option<&Session<K>>) -> Result<(), NotKept> {
        let until = Instant::now() + WRITE_RETRY_FOR;
        let mut pause = WRITE_RETRY_PAUSE;
        let mut attempts = 0;
        loop {
            let session = session.map(|session| OpenedSession(session.copy()));
            let error = match self.attempt(SessionUpdate { replaces: replaces.clone(), session }).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(NotKept::Changed),
                Err(error) => error,
            };
            if Instant::now() >= until {
                return Err(NotKept::Unavailable(error));
            }
            attempts += 1;
            if attempts >= AWAITED_ATTEMPTS {
                self.tell(error);
            }
            sleep(pause).await;
            pause = LONGEST_WRITE_PAUSE.min(pause * 2);
        }
    }

    /// One attempt, in a task of its own: if it panics or blocks its thread, this one goes on.
    async fn attempt(&self, update: SessionUpdate<K>) -> Result<bool, Error> {
        let write = Arc::clone(&self.write);
        // It aborts the attempt when it is dropped.
        let mut attempt = JoinSet::new();
        attempt.spawn(async move { write(update).await });
        let ended = if let Ok(ended) = timeout(WRITE_LIMIT, attempt.join_next()).await {
            ended
        } else {
            attempt.abort_all();
            self.tell(hung());
            // What blocks its thread can't be aborted, and gets no second attempt beside it.
            attempt.join_next().await
        };
        match ended {
            Some(Ok(result)) => result,
            // The message of a panic may be a secret.
            Some(Err(error)) if error.is_panic() => Err(Error::session_store(io::Error::other("the write panicked"))),
            Some(Err(_)) | None => Err(hung()),
        }
    }

    /// Tells the callers, unless they have their answer, and those who come until the task ends.
    fn tell(&self, error: Error) {
        self.flight.tell(Err(NotKept::Unavailable(error)));
    }
}

fn hung() -> Error {
    Error::session_store(io::ErrorKind::TimedOut.into())
}
