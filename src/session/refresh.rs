//! One refresh for all callers who hold the same session.
//!
//! A refresh token can be exchanged once. So each token has at most one request in flight, whose result is kept for a while. A caller
//! who wants something else of a token that was exchanged goes on with its successor.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;

use super::refresh_table::{
    Exchange, Found, Key, Known, NewPair, NotExchanged, RESULT_KEPT_FOR, RefreshTable, UNDELIVERED_KEPT_FOR, Wanted,
    key,
};
use super::{Refreshed, Session, SessionParts, SignedOut};
use crate::client::{Caller, Client};
use crate::credentials::HasClientId;
use crate::error::{Error, ErrorCode};
use crate::id::OrganizationId;
use crate::login::{NotSignedIn, RefreshGrant};
use crate::runtime::{Clock, Moment};
use crate::secret::{AccessToken, RefreshToken};
use crate::single_flight::{Flight, InFlight, Owner};
use crate::wire;

/// The shortest time between two sweeps of the table.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How many results one caller waits for or follows, at most.
const MAX_WAITS: usize = 10_000;
/// How often a switch that brought another organization is tried again.
const MAX_SWITCH_RETRIES: usize = 2;

/// Why a refresh or a switch failed.
///
/// There is no third case, so this enum is exhaustive.
///
/// ```
/// use workos_auth::session::RefreshError;
/// use workos_auth::testing::{Endpoint, Fault};
/// # use workos_auth::testing::{AuthKit, Browser};
/// # use workos_auth::{Callback, RedirectUri};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let client = authkit.confidential_client();
/// # let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
/// # let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
/// # let response = login.exchange(Callback::from_url(&callback)?)?.send().await?;
/// let active = client.session(response).check(&client.verifier()).await?;
/// authkit.inject(Endpoint::Authenticate, Fault::Status(403, None), usize::MAX);
/// match active.refresh().await {
///     Err(RefreshError::Kept(kept)) => println!("keep the cookie, answer 503: {}", kept.error()),
///     Err(RefreshError::Ended(signed_out)) => println!("clear the cookie: {signed_out}"),
///     Ok(_) => unreachable!("a fault was injected"),
/// }
/// # Ok(()) }
/// ```
#[must_use = "a session that was kept is in here"]
pub enum RefreshError<K> {
    /// Nothing is known against the session: no connection, no complete reply, 408, 429, 5xx, or a refusal that isn't
    /// about its token. Keep it, and try again.
    Kept(KeptSession<K>),
    /// The session is over, and the user must sign in again. [`SignedOut::error`] says why: `invalid_grant`, a step that
    /// WorkOS requires ([`ErrorKind::Unfinished`](crate::ErrorKind::Unfinished)),
    /// [`ErrorKind::AnotherUser`](crate::ErrorKind::AnotherUser) or [`ErrorKind::SignedOut`](crate::ErrorKind::SignedOut).
    Ended(SignedOut),
}

/// A session whose refresh failed, and why.
pub struct KeptSession<K>(Box<(Session<K>, Error)>);

impl<K> KeptSession<K> {
    /// Why the refresh failed; [`retry_after`](Error::retry_after) and [`replay_before`](Error::replay_before) say when to try
    /// again.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0.1
    }

    /// The session with its newest known tokens. They may be newer than the caller's, when the session was refreshed on the way to
    /// another organization. So keep it before you use it.
    pub fn into_refreshed(self) -> Refreshed<K> {
        Refreshed(self.into_session())
    }

    pub(super) fn into_session(self) -> Session<K> {
        self.0.0
    }
}

impl<K> RefreshError<K> {
    pub(super) fn kept(session: Session<K>, error: Error) -> Self {
        Self::Kept(KeptSession(Box::new((session, error))))
    }

    /// Why the refresh failed.
    #[must_use]
    pub fn error(&self) -> Error {
        match self {
            Self::Kept(kept) => kept.error().clone(),
            Self::Ended(signed_out) => signed_out.clone().into(),
        }
    }

    /// The session, for another try; as [`KeptSession::into_refreshed`].
    ///
    /// # Errors
    /// Why the session ended.
    pub fn recover(self) -> Result<Refreshed<K>, SignedOut> {
        match self {
            Self::Kept(kept) => Ok(kept.into_refreshed()),
            Self::Ended(signed_out) => Err(signed_out),
        }
    }
}

impl<K> From<RefreshError<K>> for Error {
    fn from(error: RefreshError<K>) -> Self {
        error.error()
    }
}

impl<K> std::error::Error for RefreshError<K> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Kept(kept) => kept.error().source(),
            Self::Ended(signed_out) => signed_out.error().and_then(std::error::Error::source),
        }
    }
}

impl<K> fmt::Display for RefreshError<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(formatter)
    }
}

impl<K> fmt::Debug for RefreshError<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept(kept) => formatter.debug_tuple("Kept").field(kept.error()).finish(),
            Self::Ended(signed_out) => formatter.debug_tuple("Ended").field(signed_out).finish(),
        }
    }
}

impl<K> fmt::Debug for KeptSession<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeptSession").field("error", self.error()).finish_non_exhaustive()
    }
}

/// What a renewal is for.
#[derive(Clone)]
pub(super) enum Want {
    /// Tokens of the session's own organization, as far as its holder knows it.
    Same,
    /// The newest tokens, whatever organization the session is in now.
    Newest,
    /// Tokens of this organization.
    Switch(OrganizationId),
}

/// How a renewal ended, and the token that the newest pair was exchanged for.
pub(super) struct Renewed<K> {
    pub(super) result: Result<Session<K>, RefreshError<K>>,
    pub(super) spent: Option<RefreshToken>,
}

impl<K: HasClientId> Session<K> {
    /// The session with a new pair of tokens, which this process keeps for `keep`.
    pub(super) async fn renew(self, want: Want, keep: Duration) -> Result<Self, RefreshError<K>> {
        self.renew_from(want, keep).await.result
    }

    /// As [`renew`](Self::renew), with the token that the newest pair was exchanged for.
    pub(super) async fn renew_from(self, want: Want, keep: Duration) -> Renewed<K> {
        let own = self.parts.organization_id.clone();
        let wanted = match want {
            Want::Same => Wanted { organization: own, switch: false, any: false, keep },
            Want::Newest => Wanted { organization: own, switch: false, any: true, keep },
            Want::Switch(id) => Wanted { organization: Some(id), switch: true, any: false, keep },
        };
        let refreshes = refreshes(&self.caller.client);
        let held = Some(&self.parts.access_token);
        let attempt = refreshes.refresh(&self.caller, &self.parts.refresh_token, held, wanted).await;
        let Attempt { result, newest, spent } = attempt;
        if newest.as_ref().is_some_and(|newest| newest.parts.user.id != self.parts.user.id) {
            return Renewed { result: Err(RefreshError::Ended(SignedOut::ended(Error::another_user()))), spent };
        }
        // A pair that came on the way to another organization is the newest one, also after a failure.
        let session = match newest {
            Some(newest) => self.with(newest.parts.copy()),
            None => self,
        };
        let result = match result {
            Ok(()) => Ok(session),
            Err(NotExchanged::Kept(error)) => Err(RefreshError::kept(session, error)),
            Err(NotExchanged::Ended(error)) => Err(RefreshError::Ended(SignedOut::ended(error))),
        };
        Renewed { result, spent }
    }

    /// As [`renew`](Self::renew), but never with a pair from an earlier refresh, whose access token may be about to expire.
    pub(super) async fn renew_now(self, want: Want) -> Result<Self, RefreshError<K>> {
        let session = self.renew(want.clone(), UNDELIVERED_KEPT_FOR).await?;
        if session.is_from_before() { session.renew(want, UNDELIVERED_KEPT_FOR).await } else { Ok(session) }
    }
}

impl<K> Session<K> {
    /// The next tokens of this session. WorkOS may leave out how the user signed in.
    pub(super) fn with(self, parts: SessionParts) -> Self {
        let authentication_method = parts.authentication_method.clone().or(self.parts.authentication_method);
        Self { caller: self.caller, parts: SessionParts { authentication_method, ..parts } }
    }

    /// What this process knows of the session's refresh token.
    pub(super) fn known(&self) -> Known {
        let key = key(self.caller.identity().client_id.as_str(), &self.parts.refresh_token);
        let clock = &*self.caller.client.core.runtime.clock;
        refreshes(&self.caller.client).table().known(&key, clock)
    }

    pub(super) fn is_from_before(&self) -> bool {
        self.known().age.is_some_and(|age| age > RESULT_KEPT_FOR)
    }

    /// Whether this process knows newer tokens, or that the session is over.
    pub(super) fn is_outdated(&self) -> bool {
        let known = self.known();
        known.is_spent || known.ended.is_some()
    }

    /// This pair has reached its store: it, and those that led to it from the session `before`, are kept no longer than WorkOS replays
    /// them.
    pub(super) fn delivered(&self, before: &Self) {
        let key = |session: &Self| key(session.caller.identity().client_id.as_str(), &session.parts.refresh_token);
        let now = self.caller.client.core.runtime.clock.elapsed();
        refreshes(&self.caller.client).table().deliver(key(before), key(self), now);
    }

    /// Signs out in this process: the result of a refresh in flight is discarded.
    pub(super) fn end(&self) -> SignedOut {
        refreshes(&self.caller.client).end(&self.caller, &self.parts.refresh_token, &Error::signed_out());
        SignedOut::by_the_user()
    }
}

/// What the clones of a client share.
fn refreshes<K>(client: &Client<K>) -> Arc<Refreshes> {
    client.core.shared.get()
}

/// A session of which only the refresh token is known, and the access token that its holder had before.
pub(super) struct BareSession<'a> {
    pub(super) token: &'a RefreshToken,
    pub(super) held: Option<&'a AccessToken>,
}

/// Why a bare session was not renewed.
pub(super) enum BareError<K> {
    /// Nothing is known against it. If a pair came on the way to another organization, here it is.
    Kept(Error, Option<Box<Session<K>>>),
    /// The session is over.
    Ended(Error),
}

impl BareSession<'_> {
    /// The newest tokens, or tokens of the organization to switch to.
    pub(super) async fn renew<K: HasClientId>(
        self,
        client: &Client<K>,
        switch_to: Option<OrganizationId>,
    ) -> Result<Session<K>, BareError<K>> {
        let any = switch_to.is_none();
        let wanted = Wanted { switch: !any, organization: switch_to, any, keep: UNDELIVERED_KEPT_FOR };
        let caller = Caller::new(client);
        let Attempt { result, newest, .. } = refreshes(client).refresh(&caller, self.token, self.held, wanted).await;
        let session = newest.map(|newest| Session::new(client, newest.parts.copy()));
        match (result, session) {
            (Ok(()), Some(session)) => Ok(session),
            (Ok(()), None) => Err(BareError::Kept(Error::abandoned(), None)),
            (Err(NotExchanged::Kept(error)), session) => Err(BareError::Kept(error, session.map(Box::new))),
            (Err(NotExchanged::Ended(error)), _) => Err(BareError::Ended(error)),
        }
    }
}

/// How a refresh ended, the newest pair that came on the way, and the token that was exchanged for it.
struct Attempt {
    result: Result<(), NotExchanged>,
    newest: Option<Arc<NewPair>>,
    spent: Option<RefreshToken>,
}

/// The refreshes of one client and its clones in this process.
#[derive(Default)]
struct Refreshes(Mutex<RefreshTable>);

impl InFlight for Refreshes {
    type Key = Key;
    type Output = Exchange;

    fn give_up(&self, key: &Key, flight: &Flight<Exchange>) {
        self.table().give_up(key, flight);
    }

    fn abandoned() -> Exchange {
        Err(NotExchanged::Kept(Error::abandoned()))
    }
}

impl Refreshes {
    async fn refresh<K: HasClientId>(
        self: &Arc<Self>,
        caller: &Caller<K>,
        token: &RefreshToken,
        held: Option<&AccessToken>,
        mut wanted: Wanted,
    ) -> Attempt {
        let mut token = wire::clone_refresh_token(token);
        let mut newest: Option<Arc<NewPair>> = None;
        let mut spent = None;
        let mut retries = 0;
        for _ in 0..MAX_WAITS {
            let key = key(caller.identity().client_id.as_str(), &token);
            let held = newest.as_ref().map(|newest| &newest.parts.access_token).or(held);
            let (pair, is_retry) = match self.find_or_begin(key, caller, &token, held, &wanted) {
                Found::Result(Ok(pair)) => return Attempt { result: Ok(()), newest: Some(pair), spent: Some(token) },
                Found::Result(Err(error)) => return Attempt { result: Err(error), newest, spent },
                Found::Successor(pair) => (pair, false),
                Found::InFlight { flight, is_shared } => match flight.wait().await {
                    Some(Ok(pair)) if wanted.fits(&pair) && !pair.was_spent => {
                        return Attempt { result: Ok(()), newest: Some(pair), spent: Some(token) };
                    }
                    Some(Ok(pair)) => {
                        let is_retry = is_shared && !pair.was_spent;
                        (pair, is_retry)
                    }
                    Some(Err(error)) if is_shared => return Attempt { result: Err(error), newest, spent },
                    // The request was for another organization. Now this caller sends its own.
                    Some(Err(_)) => continue,
                    // Nobody drives the task. WorkOS answers the same request with the same pair.
                    None => {
                        self.give_up(&key, &flight);
                        continue;
                    }
                },
            };
            if is_retry && retries == MAX_SWITCH_RETRIES {
                let error = Error::another_organization();
                return Attempt { result: Err(NotExchanged::Kept(error)), newest: Some(pair), spent: Some(token) };
            }
            retries += usize::from(is_retry);
            // The successor belongs to another organization.
            wanted.switch = wanted.organization.is_some();
            spent = Some(mem::replace(&mut token, wire::clone_refresh_token(&pair.parts.refresh_token)));
            newest = Some(pair);
        }
        Attempt { result: Err(NotExchanged::Kept(Error::abandoned())), newest, spent }
    }

    /// What the table has for a caller, who begins a request if there is nothing.
    fn find_or_begin<K: HasClientId>(
        self: &Arc<Self>,
        key: Key,
        caller: &Caller<K>,
        token: &RefreshToken,
        held: Option<&AccessToken>,
        wanted: &Wanted,
    ) -> Found {
        let mut table = self.table();
        table.forget(caller.client.core.runtime.clock.elapsed());
        if let Some(found) = table.find(&key, held, wanted) {
            return found;
        }
        let flight = Flight::new();
        table.begin(key, wanted, flight.clone());
        // Unlock first: a runtime that shuts down drops the task at once, and its owner needs the table then.
        drop(table);
        let owner = Owner::new(Arc::clone(self), key, flight.clone());
        let client = &caller.client;
        let (caller, token, wanted) = (caller.clone(), wire::clone_refresh_token(token), wanted.clone());
        // In a task of its own, so that it goes on when the caller is cancelled.
        client.spawn(async move {
            let keep = wanted.keep;
            let result = owner.keep_alive(exchange(&caller, &token, wanted)).await;
            settle(owner, &caller, result, keep);
        });
        Found::InFlight { flight, is_shared: true }
    }

    /// Ends a session: its tokens are forgotten, and the result of a request in flight is discarded.
    fn end<K>(self: &Arc<Self>, caller: &Caller<K>, token: &RefreshToken, error: &Error) {
        let key = key(caller.identity().client_id.as_str(), token);
        let clock = &caller.client.core.runtime.clock;
        let mut table = self.table();
        table.forget(clock.elapsed());
        table.end(key, error, clock.elapsed());
        drop(table);
        self.sweep(clock);
    }

    /// Starts a task that forgets on time when no caller does. It needs a runtime, and keeps neither it nor the table alive.
    fn sweep(self: &Arc<Self>, clock: &Arc<dyn Clock>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let is_swept = mem::replace(&mut self.table().is_swept, true);
        // The table is unlocked again: a runtime that shuts down drops the task at once, and the sweeper needs the table then.
        if !is_swept {
            let (sweeper, clock) = (Sweeper(Arc::downgrade(self)), Arc::clone(clock));
            runtime.spawn(async move {
                while let Some(pause) = sweeper.sweep(clock.elapsed()) {
                    sleep(pause.max(SWEEP_INTERVAL)).await;
                }
            });
        }
    }

    fn table(&self) -> MutexGuard<'_, RefreshTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records how a request ended, and tells its callers.
fn settle<K>(owner: Owner<Refreshes>, caller: &Caller<K>, result: Result<NewPair, NotExchanged>, keep: Duration) {
    let clock = &caller.client.core.runtime.clock;
    let now = Moment::now(&**clock);
    let result = result.map(|pair| {
        let successor = key(caller.identity().client_id.as_str(), &pair.parts.refresh_token);
        (pair, successor)
    });
    let refreshes = owner.table();
    let mut table = refreshes.table();
    // The session was ended meanwhile: the result is discarded.
    if owner.flight().has_told() {
        return;
    }
    let outcome = table.settle(*owner.key(), owner.flight(), result, keep, now);
    drop(table);
    refreshes.sweep(clock);
    owner.finish(outcome);
}

/// Exchanges a token.
async fn exchange<K: HasClientId>(
    caller: &Caller<K>,
    token: &RefreshToken,
    wanted: Wanted,
) -> Result<NewPair, NotExchanged> {
    let grant = || RefreshGrant::new(caller.clone(), wire::clone_refresh_token(token));
    let Some(id) = wanted.organization.clone().filter(|_| wanted.switch) else {
        let parts = send(grant()).await?;
        return Ok(NewPair { requested: wanted.organization, parts, was_spent: false });
    };
    let parts = match send(grant().organization(id)).await {
        // Another process may have exchanged the token for another organization. If that is refused too, the session is over.
        Err(NotExchanged::Ended(error)) if error.code() == Some(&ErrorCode::InvalidGrant) => send(grant()).await?,
        result => result?,
    };
    Ok(NewPair { requested: parts.organization_id.clone(), parts, was_spent: false })
}

async fn send<K>(grant: RefreshGrant<K>) -> Result<SessionParts, NotExchanged> {
    let rejected = match grant.send().await {
        Ok(response) => return Ok(response.into()),
        Err(NotSignedIn::Step(step)) => return Err(NotExchanged::Ended(step.into())),
        Err(NotSignedIn::Rejected(rejected)) => rejected,
    };
    match rejected.into_parts() {
        (error, Some(_)) => Err(NotExchanged::Kept(error)),
        (error, None) => Err(NotExchanged::Ended(error)),
    }
}

/// Sweeps a table that no caller uses.
struct Sweeper(Weak<Refreshes>);

impl Sweeper {
    /// How long to wait for the next sweep, if there is one.
    fn sweep(&self, now: Duration) -> Option<Duration> {
        let refreshes = self.0.upgrade()?;
        let mut table = refreshes.table();
        table.forget(now);
        let pause = table.pause(now);
        table.is_swept = pause.is_some();
        pause
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(refreshes) = self.0.upgrade() {
            refreshes.table().is_swept = false;
        }
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;

    use super::super::refresh_table::{MAX_RESULTS, Sizes};
    use super::super::{NotKept, OpenedSession};
    use super::*;
    use crate::testing::ManualClock;
    use crate::transport::TransportError;

    const USER: &str = r#"{"id":"user_1","email":"ada@example.com","email_verified":true,
        "created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#;

    /// Each token is exchanged for one with a `+` more.
    async fn answer(request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let request: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
        let token = request["refresh_token"].as_str().unwrap();
        let body = format!(r#"{{"user":{USER},"access_token":"a of {token}","refresh_token":"{token}+"}}"#);
        Ok(http::Response::new(Bytes::from(body)))
    }

    fn session<K: HasClientId>(client: &Client<K>, token: &str) -> Session<K> {
        let user = serde_json::from_str(USER).unwrap();
        Session::new(client, SessionParts::new(user, AccessToken::new("a0"), RefreshToken::new(token)))
    }

    #[tokio::test(start_paused = true)]
    async fn results_are_forgotten_on_time_when_nobody_asks() {
        let clock = ManualClock::new(std::time::SystemTime::UNIX_EPOCH);
        let builder = Client::builder().client_id("client_123").base_url("http://127.0.0.1:9").clock(clock.clone());
        let client = builder.build_with(answer).unwrap();
        drop(session(&client, "t0").renew(Want::Same, RESULT_KEPT_FOR).await.unwrap());
        let refreshes = refreshes(&client);
        let sizes = || refreshes.table().sizes();
        let later = async |seconds| {
            clock.advance(Duration::from_secs(seconds));
            sleep(Duration::from_secs(seconds)).await;
        };
        later(29).await;
        assert_eq!(sizes().tokens, 1);
        later(2).await;
        assert_eq!(sizes().tokens, 0);
        // Only the time at which a pair came is known, for as long as somebody may ask for it.
        assert_eq!(sizes().arrivals, 1);
        later(3_600).await;
        assert_eq!(sizes().arrivals, 0);
        assert!(!refreshes.table().is_swept, "the sweeper has ended, too");
    }

    #[tokio::test]
    async fn what_was_written_is_kept_no_longer_than_usual() {
        let clock = ManualClock::new(std::time::SystemTime::UNIX_EPOCH);
        let builder = Client::builder().client_id("client_123").base_url("http://127.0.0.1:9").clock(clock.clone());
        let client = builder.build_with(answer).unwrap();
        let sizes = |seconds| {
            clock.advance(Duration::from_secs(seconds));
            refreshes(&client).table().forget(clock.elapsed());
            refreshes(&client).table().sizes().tokens
        };
        let written = OpenedSession(session(&client, "t0")).refresh().keep(|_| async { Ok::<_, Infallible>(true) });
        assert_eq!(written.await.unwrap().version(), OpenedSession(session(&client, "t0+")).version());
        assert_eq!((sizes(29), sizes(2)), (1, 0));
        // Nobody knows whether this one was.
        let changed = OpenedSession(session(&client, "t1")).refresh().keep(|_| async { Ok::<_, Infallible>(false) });
        assert!(matches!(changed.await, Err(NotKept::Changed)));
        assert_eq!((sizes(31), sizes(570)), (1, 0));
    }

    #[tokio::test]
    async fn a_sign_out_is_known_however_many_pairs_are_kept_and_removes_none_of_them() {
        let clock = ManualClock::new(std::time::SystemTime::UNIX_EPOCH);
        let builder = Client::builder().client_id("client_123").base_url("http://127.0.0.1:9").clock(clock.clone());
        let client = builder.build_with(answer).unwrap();
        let session = |token: String| session(&client, &token);
        for number in 0..MAX_RESULTS {
            clock.advance(Duration::from_micros(1));
            drop(session(format!("t{number}")).renew(Want::Newest, UNDELIVERED_KEPT_FOR).await.unwrap());
        }
        let newest = session("ended".to_owned()).renew(Want::Newest, UNDELIVERED_KEPT_FOR).await.unwrap();
        newest.end();
        drop(session("later".to_owned()).renew(Want::Newest, UNDELIVERED_KEPT_FOR).await.unwrap());
        let ended = session("ended".to_owned()).renew(Want::Same, RESULT_KEPT_FOR).await;
        assert!(matches!(ended, Err(RefreshError::Ended(_))));
        // However often.
        for _ in 0..MAX_RESULTS {
            clock.advance(Duration::from_micros(1));
            newest.end();
        }
        let known = format!("t{}", MAX_RESULTS - 1);
        assert!(session(known).known().is_spent, "it is kept");
        let Sizes { tokens, expiries, .. } = refreshes(&client).table().sizes();
        assert!(tokens <= MAX_RESULTS + 1 && expiries == tokens);
    }
}
