//! A refresh and the write of its new tokens, in one task that nobody cancels.
//!
//! The old refresh token is used up before the new one is written. A request handler that is dropped in between would lose the session,
//! so an application's own store is written to only from here.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::parts::{Session, SessionParts};
use super::refresh::{RefreshError, Renewed, Want};
use super::refresh_table::{Key, RESULT_KEPT_FOR, UNDELIVERED_KEPT_FOR};
use super::{OpenedSession, Refreshed, SignedOut};
use crate::credentials::{HasClientId, IsConfidential};
use crate::error::Error;
use crate::secret::RefreshToken;
use crate::single_flight::{Flight, InFlight, Owner};
use crate::wire;

/// How long to wait after a write that failed, before the next attempt.
const WRITE_PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
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
        Self(wire::hex(&wire::sha256(["workos-auth session version\0", wire::text(token)])))
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
    /// Nothing is known against the session: WorkOS or the application's store is unavailable. Answer 503. New tokens that could not be
    /// written are kept in memory for 10 minutes, and the next call writes them.
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
    /// are when the browser hangs up, the task goes on.
    ///
    /// `write` makes an [update](SessionUpdate) in one statement, and says whether it changed a row. It may be called several times: after
    /// an error, or after 5 s without an answer, it is tried again, three times in all. Callers of this process who refresh the same
    /// session at the same time share one request, one write and the result.
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
    ///     Ok(session) => println!("hello, {}", session.check(&client.verifier()).await?.user().email),
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
    pub async fn keep<W, F, E>(self, write: W) -> Result<OpenedSession<K>, NotKept>
    where
        W: Fn(SessionUpdate<K>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<bool, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let key = self.key();
        let keeps: Arc<Keeps> = self.session.caller.client.core.shared.get();
        let write = Arc::new(write);
        loop {
            let flight = self.find_or_begin(&keeps, key, &write);
            match flight.wait().await {
                Some(result) => return result.map(|parts| OpenedSession(self.session.with(parts.copy()))),
                // Nobody drives its task.
                None => keeps.give_up(&key, &flight),
            }
        }
    }

    fn find_or_begin<W, F, E>(&self, keeps: &Arc<Keeps>, key: Key, write: &Arc<W>) -> Flight<Kept>
    where
        W: Fn(SessionUpdate<K>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<bool, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let mut table = keeps.table();
        if let Some(flight) = table.get(&key) {
            return flight.clone();
        }
        let flight = Flight::new();
        table.insert(key, flight.clone());
        // Unlock first: a runtime that shuts down drops the task at once, and its owner needs the table then.
        drop(table);
        let owner = Owner::new(Arc::clone(keeps), key, flight.clone());
        let (session, want, write) = (self.session.copy(), self.want.clone(), Arc::clone(write));
        self.session.caller.client.spawn(async move {
            let result = owner.keep_alive(refresh_and_write(session, want, &*write)).await;
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
        wire::sha256([caller.identity().client_id.as_str(), "\0", wire::text(&parts.refresh_token), "\0", organization])
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
}

impl<K> Session<K> {
    fn version(&self) -> SessionVersion {
        SessionVersion::of(&self.parts.refresh_token)
    }
}

type Kept = Result<Arc<SessionParts>, NotKept>;

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

async fn refresh_and_write<K, W, F, E>(session: Session<K>, want: Want, write: &W) -> Kept
where
    K: HasClientId,
    W: Fn(SessionUpdate<K>) -> F,
    F: Future<Output = Result<bool, E>>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    let old = session.version();
    let Renewed { result, spent } = session.renew_from(want, UNDELIVERED_KEPT_FOR).await;
    // The row may have the token that was exchanged last, if it was changed after the caller had read it.
    let spent = spent.map(|token| SessionVersion::of(&token)).filter(|spent| *spent != old);
    let keep = async |session: &Session<K>| match (written(write, &old, Some(session)).await, &spent) {
        (Err(NotKept::Changed), Some(spent)) => written(write, spent, Some(session)).await,
        (result, _) => result,
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
            written(write, &old, None).await?;
            Err(NotKept::Ended(signed_out))
        }
    }
}

/// Has the application write a session, or remove its row, where the row has this version.
async fn written<K, W, F, E>(write: &W, replaces: &SessionVersion, session: Option<&Session<K>>) -> Result<(), NotKept>
where
    W: Fn(SessionUpdate<K>) -> F,
    F: Future<Output = Result<bool, E>>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    let mut pauses = WRITE_PAUSES.into_iter();
    loop {
        let session = session.map(|session| OpenedSession(session.copy()));
        let error = match timeout(WRITE_LIMIT, write(SessionUpdate { replaces: replaces.clone(), session })).await {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => return Err(NotKept::Changed),
            Ok(Err(error)) => Error::not_kept(error.into()),
            Err(_) => Error::too_late(),
        };
        match pauses.next() {
            Some(pause) => sleep(pause).await,
            None => return Err(NotKept::Unavailable(error)),
        }
    }
}
