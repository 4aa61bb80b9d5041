//! One refresh for everybody who holds the same session.
//!
//! A refresh token is good for one exchange. So each token has at most one request under way, whose result is kept for a
//! while; whoever wants something else of a token that was exchanged goes on with its successor.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::single_flight::{Listener, Teller, channel};
use super::{Refreshed, Session, SessionParts, SignedOut};
use crate::client::{Caller, Client};
use crate::credentials::HasClientId;
use crate::error::{Error, ErrorCode};
use crate::id::OrganizationId;
use crate::login::{NotSignedIn, RefreshGrant};
use crate::model::AuthenticationResponse;
use crate::runtime::{Clock, Moment};
use crate::secret::{AccessToken, RefreshToken};
use crate::wire;

/// How long a result is kept, from when it came: as long as WorkOS replays it.
pub(super) const REPLAYED: Duration = Duration::from_secs(30);
/// The same for a pair whose keeper is a browser or a store: it may have been handed to somebody who hung up, in a reply that
/// was lost, or to a store that has forgotten it. There is no other copy.
pub(super) const UNTIL_DELIVERED: Duration = Duration::from_secs(600);
/// Results kept at once; with more, those go that are kept for the shortest time from now on.
const MOST_RESULTS: usize = 4096;
/// How long it is known when a pair came. It is for access tokens that live no longer than this.
const AGE_KNOWN: Duration = Duration::from_secs(3_600);
const MOST_AGES: usize = 16_384;
/// A sweep follows the one before no sooner.
const SWEEP: Duration = Duration::from_secs(1);
/// How many others a caller waits for, at most.
const MOST_TURNS: usize = 10_000;
/// How often a switch is tried again that brought another organization.
const DETOURS: usize = 2;

/// Why a refresh or a switch did not give what was asked for.
///
/// There is no third way, so this enum is exhaustive.
#[must_use = "a session that was kept is in here"]
pub enum RefreshError<K> {
    /// Nothing is known against the session: no connection, no complete reply, 408, 429, 5xx, or a refusal that is not
    /// about its token. Keep it, and try again.
    Kept(KeptSession<K>),
    /// There is no session any more, and the user must sign in again. [`SignedOut::error`] says why: `invalid_grant`, a step that
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

    /// The session with the newest pair that is known. It may be newer than the one that the caller had, where the session was
    /// refreshed on the way to another organization: so it must be kept before it is used.
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
    /// A pair of the session's own organization, as far as its holder knows it.
    Same,
    /// The newest pair, in whatever organization the session is now.
    Newest,
    /// A pair of this organization.
    Switch(OrganizationId),
}

impl<K: HasClientId> Session<K> {
    /// The result is kept for `keep`.
    pub(super) async fn renew(self, want: Want, keep: Duration) -> Result<Self, RefreshError<K>> {
        let wanted = match want {
            Want::Same => Wanted { organization: self.parts.organization_id.clone(), switch: false, any: false, keep },
            Want::Newest => Wanted { organization: self.parts.organization_id.clone(), switch: false, any: true, keep },
            Want::Switch(id) => Wanted { organization: Some(id), switch: true, any: false, keep },
        };
        let flights = self.flights();
        let held = Some(&self.parts.access_token);
        let Attempt { outcome, newest } = flights.refresh(&self.caller, &self.parts.refresh_token, held, wanted).await;
        let newest = newest.map(|exchanged| exchanged.parts(self.parts.authentication_method.clone()));
        if newest.as_ref().is_some_and(|newest| newest.user.id != self.parts.user.id) {
            return Err(RefreshError::Ended(SignedOut::ended(Error::another_user())));
        }
        // A pair that came on the way to something else is the newest all the same.
        let session = match newest {
            Some(parts) => Self { caller: self.caller, parts },
            None => self,
        };
        match outcome {
            Ok(()) => Ok(session),
            Err(Failure::Kept(error)) => Err(RefreshError::kept(session, error)),
            Err(Failure::Ended(error)) => Err(RefreshError::Ended(SignedOut::ended(error))),
        }
    }

    /// A new pair. One that was kept from before is not new enough: its access token may be at its end.
    pub(super) async fn renew_now(self, want: Want) -> Result<Self, RefreshError<K>> {
        let session = self.renew(want.clone(), UNTIL_DELIVERED).await?;
        if session.is_from_before() { session.renew(want, UNTIL_DELIVERED).await } else { Ok(session) }
    }
}

impl<K> Session<K> {
    pub(super) fn is_from_before(&self) -> bool {
        self.age().is_some_and(|age| age > REPLAYED)
    }

    pub(super) fn flights(&self) -> Arc<Flights> {
        flights(&self.caller.client)
    }

    /// What the client's clones know of its refresh token.
    fn known<T>(&self, look: impl FnOnce(&Table, &Key) -> T) -> T {
        let key = key(self.caller.identity().client_id.as_str(), &self.parts.refresh_token);
        look(&self.flights().table(), &key)
    }

    /// Whether this process has exchanged its refresh token.
    pub(super) fn is_spent(&self) -> bool {
        // A token that was not rotated is its own successor.
        let is_spent =
            |key: &Key, entry: &Entry| matches!(entry, Entry::Exchanged { successor, .. } if successor != key);
        self.known(|table, key| table.entries.get(key).is_some_and(|entry| is_spent(key, entry)))
    }

    /// Whether somebody in this process is at it.
    pub(super) fn is_being_refreshed(&self) -> bool {
        self.known(|table, key| matches!(table.entries.get(key), Some(Entry::Asking { .. })))
    }

    /// Why the session is over, if this process knows that it is.
    pub(super) fn ended(&self) -> Option<Error> {
        let now = self.caller.client.core.runtime.clock.elapsed();
        self.known(|table, key| match table.entries.get(key) {
            Some(Entry::Ended { error, until }) if *until > now => Some(error.clone()),
            _ => None,
        })
    }

    /// Whether there is a newer pair, or the session is over, as far as this process knows.
    pub(super) fn is_outdated(&self) -> bool {
        self.is_spent() || self.ended().is_some()
    }

    /// How long ago this process got the pair, if it is known.
    pub(super) fn age(&self) -> Option<Duration> {
        let birth = self.known(|table, key| table.births.get(key).copied())?;
        Some(birth.age(&*self.caller.client.core.runtime.clock))
    }
}

/// The table that the clones of a client share.
fn flights<K>(client: &Client<K>) -> Arc<Flights> {
    client.core.shared.get()
}

/// A session of which only a refresh token is known, and the access token that its holder had before.
pub(super) struct Bare<'a> {
    pub(super) token: &'a RefreshToken,
    pub(super) held: Option<&'a AccessToken>,
}

/// Why there is no session as it was wanted.
pub(super) enum BareError<K> {
    /// Nothing is known against it; with a pair that came on the way to something else.
    Kept(Error, Option<Box<Session<K>>>),
    Ended(Error),
}

impl Bare<'_> {
    /// The newest pair, or one of the organization that is wanted.
    pub(super) async fn renew<K: HasClientId>(
        self,
        client: &Client<K>,
        switch_to: Option<OrganizationId>,
    ) -> Result<Session<K>, BareError<K>> {
        let any = switch_to.is_none();
        let wanted = Wanted { switch: !any, organization: switch_to, any, keep: UNTIL_DELIVERED };
        let Attempt { outcome, newest } =
            flights(client).refresh(&Caller::new(client), self.token, self.held, wanted).await;
        let session = newest.map(|exchanged| Session::new(client, exchanged.parts(None)));
        match (outcome, session) {
            (Ok(()), Some(session)) => Ok(session),
            (Ok(()), None) => Err(BareError::Kept(Error::abandoned(), None)),
            (Err(Failure::Kept(error)), session) => Err(BareError::Kept(error, session.map(Box::new))),
            (Err(Failure::Ended(error)), _) => Err(BareError::Ended(error)),
        }
    }
}

/// What a caller wants of a token.
#[derive(Clone)]
struct Wanted {
    /// The organization of the new tokens.
    organization: Option<OrganizationId>,
    /// The token is of another one, as far as is known.
    switch: bool,
    /// Any other one is as good.
    any: bool,
    keep: Duration,
}

impl Wanted {
    fn fits(&self, exchanged: &Exchanged) -> bool {
        let organization = if self.switch { &exchanged.response.organization_id } else { &exchanged.organization };
        self.any || *organization == self.organization
    }
}

/// Why there is no new pair.
#[derive(Clone)]
enum Failure {
    /// The token may still be good.
    Kept(Error),
    /// It is not.
    Ended(Error),
}

/// A token that was exchanged.
struct Exchanged {
    /// The organization that was asked for. Of a switch, the one that it brought: where another process has exchanged the
    /// token, WorkOS answers with what that one wanted.
    organization: Option<OrganizationId>,
    response: AuthenticationResponse,
    /// The pair was spent when it came: another process had exchanged the token, and this one has gone on with its pair since.
    was_spent: bool,
}

impl Exchanged {
    fn parts(&self, authentication_method: Option<crate::model::AuthenticationMethod>) -> SessionParts {
        let response = &self.response;
        SessionParts {
            user: response.user.clone(),
            access_token: response.access_token.clone(),
            refresh_token: wire::copy(&response.refresh_token),
            organization_id: response.organization_id.clone(),
            authentication_method: response.authentication_method.clone().or(authentication_method),
            impersonator: response.impersonator.clone(),
        }
    }
}

type Outcome<T = Arc<Exchanged>> = Result<T, Failure>;

/// What became of a refresh, and the newest pair that was seen on the way.
struct Attempt {
    outcome: Result<(), Failure>,
    newest: Option<Arc<Exchanged>>,
}

/// Client ID and token; each client has a table of its own, so the base URL needs no place in it.
type Key = [u8; 32];

fn key(client_id: &str, token: &RefreshToken) -> Key {
    Sha256::new().chain_update(client_id).chain_update([0]).chain_update(wire::text(token)).finalize().into()
}

/// What the clones of a client know of their refresh tokens.
#[derive(Default)]
pub(crate) struct Flights(Mutex<Table>);

#[derive(Default)]
struct Table {
    entries: HashMap<Key, Entry>,
    /// When entries are forgotten, the soonest first.
    forgotten: BTreeSet<(Duration, Key)>,
    /// When the pair with this refresh token came.
    births: HashMap<Key, Moment>,
    born: VecDeque<(Duration, Key)>,
    /// Somebody forgets on time.
    swept: bool,
}

enum Entry {
    /// A request is under way.
    Asking {
        organization: Option<OrganizationId>,
        keep: Duration,
        teller: Arc<Teller<Outcome>>,
        listener: Listener<Outcome>,
    },
    /// The token was exchanged.
    Exchanged { exchanged: Arc<Exchanged>, successor: Key, until: Duration },
    /// The session is over.
    Ended { error: Error, until: Duration },
}

impl Entry {
    fn is_of(&self, other: &Arc<Teller<Outcome>>) -> bool {
        matches!(self, Self::Asking { teller, .. } if Arc::ptr_eq(teller, other))
    }

    /// When it is forgotten, if by itself.
    fn until(&self) -> Option<Duration> {
        match self {
            Self::Asking { .. } => None,
            Self::Exchanged { until, .. } | Self::Ended { until, .. } => Some(*until),
        }
    }
}

/// A request that nobody has sent yet.
type Request = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What there is to do for a caller.
enum Next {
    Take(Outcome),
    GoOnWith(Arc<Exchanged>),
    /// `shared`: it asks for what this caller wants.
    Wait {
        teller: Arc<Teller<Outcome>>,
        listener: Listener<Outcome>,
        shared: bool,
    },
}

impl Flights {
    async fn refresh<K: HasClientId>(
        self: &Arc<Self>,
        caller: &Caller<K>,
        token: &RefreshToken,
        held: Option<&AccessToken>,
        mut wanted: Wanted,
    ) -> Attempt {
        let mut token = wire::copy(token);
        let mut newest: Option<Arc<Exchanged>> = None;
        let mut detours = 0;
        for _ in 0..MOST_TURNS {
            let held = newest.as_ref().map(|newest| &newest.response.access_token).or(held);
            let (next, request) = self.next(caller, &token, held, &wanted);
            // The table is free again: a runtime that shuts down drops the task at once, and its turn with it.
            if let Some(request) = request {
                tokio::spawn(request);
            }
            let (exchanged, shared) = match next {
                Next::Take(Ok(exchanged)) => return Attempt { outcome: Ok(()), newest: Some(exchanged) },
                Next::Take(Err(failure)) => return Attempt { outcome: Err(failure), newest },
                Next::GoOnWith(exchanged) => (exchanged, false),
                Next::Wait { teller, listener, shared } => match listener.wait().await {
                    Some(Ok(exchanged)) => {
                        if wanted.fits(&exchanged) && !exchanged.was_spent {
                            return Attempt { outcome: Ok(()), newest: Some(exchanged) };
                        }
                        let detour = shared && !exchanged.was_spent;
                        (exchanged, detour)
                    }
                    Some(Err(failure)) if shared => return Attempt { outcome: Err(failure), newest },
                    // It was for another organization; now it is this caller's turn.
                    Some(Err(_)) => continue,
                    // Nobody runs the task that asks. WorkOS answers the same request with the same pair.
                    None => {
                        self.table().give_up(&key(caller.identity().client_id.as_str(), &token), &teller);
                        continue;
                    }
                },
            };
            if shared && detours == DETOURS {
                return Attempt { outcome: Err(Failure::Kept(Error::another_organization())), newest: Some(exchanged) };
            }
            detours += usize::from(shared);
            // The successor is of another organization.
            wanted.switch = wanted.organization.is_some();
            token = wire::copy(&exchanged.response.refresh_token);
            newest = Some(exchanged);
        }
        Attempt { outcome: Err(Failure::Kept(Error::abandoned())), newest }
    }

    fn next<K: HasClientId>(
        self: &Arc<Self>,
        caller: &Caller<K>,
        token: &RefreshToken,
        held: Option<&AccessToken>,
        wanted: &Wanted,
    ) -> (Next, Option<Request>) {
        let key = key(caller.identity().client_id.as_str(), token);
        let mut table = self.table();
        table.forget(caller.client.core.runtime.clock.elapsed());
        let known = match table.entries.get_mut(&key) {
            Some(Entry::Ended { error, .. }) => return (Next::Take(Err(Failure::Ended(error.clone()))), None),
            Some(Entry::Asking { organization, keep, teller, listener }) => {
                *keep = wanted.keep.max(*keep);
                let shared = *organization == wanted.organization;
                return (Next::Wait { teller: Arc::clone(teller), listener: listener.clone(), shared }, None);
            }
            Some(Entry::Exchanged { exchanged, successor, .. }) => Some((Arc::clone(exchanged), *successor)),
            None => None,
        };
        if let Some((exchanged, successor)) = known {
            // A token that was not rotated is its own successor: it may be exchanged again.
            let is_rotated = successor != key;
            // A pair that is spent, or about to be, is of no use, and neither is the one that the caller has.
            let is_spent = is_rotated && table.entries.contains_key(&successor);
            let is_held = held.is_some_and(|held| wire::same(&exchanged.response.access_token, held));
            if wanted.fits(&exchanged) && !is_spent && !is_held {
                return (Next::Take(Ok(exchanged)), None);
            }
            if is_rotated {
                return (Next::GoOnWith(exchanged), None);
            }
        }
        let (next, request) = self.ask(&mut table, key, caller, token, wanted);
        (next, Some(request))
    }

    /// The request, for a task of its own, so that it goes on when the caller is cancelled.
    fn ask<K: HasClientId>(
        self: &Arc<Self>,
        table: &mut Table,
        key: Key,
        caller: &Caller<K>,
        token: &RefreshToken,
        wanted: &Wanted,
    ) -> (Next, Request) {
        let (teller, listener) = channel();
        let teller = Arc::new(teller);
        let (caller, token, wanted) = (caller.clone(), wire::copy(token), wanted.clone());
        let entry = Entry::Asking {
            organization: wanted.organization.clone(),
            keep: wanted.keep,
            teller: Arc::clone(&teller),
            listener: listener.clone(),
        };
        table.put(key, entry);
        let turn = Turn { flights: Arc::clone(self), key, keep: wanted.keep, teller: Arc::clone(&teller) };
        let request = Box::pin(async move {
            let outcome = turn.teller.alive(exchange(&caller, &token, wanted)).await;
            turn.settle(&caller, outcome);
        });
        (Next::Wait { teller, listener, shared: true }, request)
    }

    /// Ends a session: whatever is known of its tokens, and whatever comes of a request that is under way, is thrown away.
    pub(super) fn end<K>(self: &Arc<Self>, caller: &Caller<K>, token: &RefreshToken, error: &Error) {
        let key = key(caller.identity().client_id.as_str(), token);
        let clock = &caller.client.core.runtime.clock;
        let mut table = self.table();
        table.forget(clock.elapsed());
        table.end(key, error, clock.elapsed());
        drop(table);
        self.sweep(clock);
    }

    /// Forgets on time when nobody comes. Needs a runtime, and keeps neither it nor the table alive.
    fn sweep(self: &Arc<Self>, clock: &Arc<dyn Clock>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let is_swept = std::mem::replace(&mut self.table().swept, true);
        // The table is free again: a runtime that shuts down drops the task at once, and the sweeper needs the table then.
        if !is_swept {
            let (sweeper, clock) = (Sweeper(Arc::downgrade(self)), Arc::clone(clock));
            runtime.spawn(async move {
                while let Some(pause) = sweeper.sweep(clock.elapsed()) {
                    sleep(pause.max(SWEEP)).await;
                }
            });
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Exchanges a token, for as long as its outcome is not known.
async fn exchange<K: HasClientId>(caller: &Caller<K>, token: &RefreshToken, wanted: Wanted) -> Outcome<Exchanged> {
    let plain = || RefreshGrant::new(caller.clone(), wire::copy(token));
    let Some(id) = wanted.organization.clone().filter(|_| wanted.switch) else {
        let response = send(plain()).await?;
        return Ok(Exchanged { organization: wanted.organization, response, was_spent: false });
    };
    let response = match send(plain().organization(id)).await {
        // Another process may have exchanged the token for something else. It is over when that is refused, too.
        Err(Failure::Ended(error)) if error.code() == Some(&ErrorCode::InvalidGrant) => send(plain()).await?,
        outcome => outcome?,
    };
    Ok(Exchanged { organization: response.organization_id.clone(), response, was_spent: false })
}

async fn send<K>(grant: RefreshGrant<K>) -> Result<AuthenticationResponse, Failure> {
    let rejected = match grant.send().await {
        Ok(response) => return Ok(response),
        Err(NotSignedIn::Step(step)) => return Err(Failure::Ended(step.into())),
        Err(NotSignedIn::Rejected(rejected)) => rejected,
    };
    match rejected.into_parts() {
        (error, Some(_)) => Err(Failure::Kept(error)),
        (error, None) => Err(Failure::Ended(error)),
    }
}

impl Table {
    /// Forgets what is too old, or too much.
    fn forget(&mut self, now: Duration) {
        while let Some((until, key)) = self.forgotten.first().copied() {
            if until > now && self.forgotten.len() <= MOST_RESULTS {
                break;
            }
            self.forgotten.pop_first();
            self.entries.remove(&key);
        }
        while let Some((since, key)) = self.born.front().copied() {
            if now.saturating_sub(since) < AGE_KNOWN && self.born.len() <= MOST_AGES {
                break;
            }
            self.born.pop_front();
            if self.births.get(&key).is_some_and(|birth| birth.elapsed == since) {
                self.births.remove(&key);
            }
        }
    }

    /// How long until there is something to forget.
    fn pause(&self, now: Duration) -> Option<Duration> {
        let forgotten = self.forgotten.first().map(|(until, _)| *until);
        let born = self.born.front().map(|(since, _)| *since + AGE_KNOWN);
        forgotten.into_iter().chain(born).min().map(|next| next.saturating_sub(now))
    }

    /// Puts an entry in the place of another.
    fn put(&mut self, key: Key, entry: Entry) {
        let until = entry.until();
        if let Some(old) = self.entries.insert(key, entry).and_then(|old| old.until()) {
            self.forgotten.remove(&(old, key));
        }
        self.forgotten.extend(until.map(|until| (until, key)));
    }

    fn keep(&mut self, key: Key, successor: Key, exchanged: &Arc<Exchanged>, now: Moment, keep: Duration) {
        let until = now.elapsed + keep;
        self.put(key, Entry::Exchanged { exchanged: Arc::clone(exchanged), successor, until });
        self.births.insert(successor, now);
        self.born.push_back((now.elapsed, successor));
    }

    /// Ends a token, those it came from and those that came of it.
    fn end(&mut self, key: Key, error: &Error, now: Duration) {
        // Longer than its access tokens live, with which somebody may still come.
        let until = now + UNTIL_DELIVERED;
        let mut ending = vec![key];
        while let Some(key) = ending.pop() {
            match self.entries.get(&key) {
                Some(Entry::Exchanged { successor, .. }) if *successor != key => ending.push(*successor),
                Some(Entry::Asking { teller, .. }) => teller.tell(Err(Failure::Ended(error.clone()))),
                _ => {}
            }
            ending.extend(self.entries.iter().filter_map(|(other, entry)| match entry {
                Entry::Exchanged { successor, .. } if *successor == key && *other != key => Some(*other),
                _ => None,
            }));
            self.put(key, Entry::Ended { error: error.clone(), until });
        }
    }

    /// Makes room for another request, if this one is still thought to be under way.
    fn give_up(&mut self, key: &Key, teller: &Arc<Teller<Outcome>>) {
        if self.entries.get(key).is_some_and(|entry| entry.is_of(teller)) {
            self.entries.remove(key);
        }
    }
}

/// The one who asks. Dropped without a result, it leaves nothing behind.
struct Turn {
    flights: Arc<Flights>,
    key: Key,
    keep: Duration,
    teller: Arc<Teller<Outcome>>,
}

impl Turn {
    fn settle<K>(self, caller: &Caller<K>, outcome: Outcome<Exchanged>) {
        let clock = &caller.client.core.runtime.clock;
        let now = Moment::now(&**clock);
        let mut table = self.flights.table();
        // The session ended meanwhile: what came of it is thrown away.
        if self.teller.has_told() {
            return;
        }
        let entry = table.entries.get(&self.key);
        let kept = match entry {
            Some(Entry::Asking { keep, .. }) => self.keep.max(*keep),
            _ => self.keep,
        };
        let is_ours = entry.is_some_and(|entry| entry.is_of(&self.teller));
        let outcome = match (outcome, entry) {
            // Somebody gave this request up for dead, and asked again with the same token.
            (Ok(_) | Err(Failure::Ended(_)), Some(Entry::Exchanged { exchanged, .. })) => Ok(Arc::clone(exchanged)),
            (Ok(exchanged), _) => {
                let successor = key(caller.identity().client_id.as_str(), &exchanged.response.refresh_token);
                let was_spent = successor != self.key && table.entries.contains_key(&successor);
                let exchanged = Arc::new(Exchanged { was_spent, ..exchanged });
                table.keep(self.key, successor, &exchanged, now, kept);
                Ok(exchanged)
            }
            (Err(Failure::Ended(error)), _) if is_ours => {
                table.end(self.key, &error, now.elapsed);
                Err(Failure::Ended(error))
            }
            (Err(Failure::Ended(error) | Failure::Kept(error)), _) => {
                table.give_up(&self.key, &self.teller);
                Err(Failure::Kept(error))
            }
        };
        drop(table);
        self.flights.sweep(clock);
        self.teller.tell(outcome);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.flights.table().give_up(&self.key, &self.teller);
        self.teller.tell(Err(Failure::Kept(Error::abandoned())));
    }
}

/// Forgets for a table that nobody asks for anything.
struct Sweeper(Weak<Flights>);

impl Sweeper {
    /// How long to wait for the next sweep, if there is to be one.
    fn sweep(&self, now: Duration) -> Option<Duration> {
        let flights = self.0.upgrade()?;
        let mut table = flights.table();
        table.forget(now);
        let pause = table.pause(now);
        table.swept = pause.is_some();
        pause
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(flights) = self.0.upgrade() {
            flights.table().swept = false;
        }
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::testing::ManualClock;
    use crate::transport::TransportError;

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_forgotten_on_time_when_nobody_comes() {
        const USER: &str = r#"{"id":"user_1","email":"ada@example.com","email_verified":true,
            "created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#;
        let clock = ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap());
        let builder = Client::builder().client_id("client_123").base_url("http://127.0.0.1:9").clock(clock.clone());
        let answer = |_: http::Request<Bytes>| async {
            let body = format!(r#"{{"user":{USER},"access_token":"a1","refresh_token":"t1"}}"#);
            Ok::<_, TransportError>(http::Response::new(Bytes::from(body)))
        };
        let client = builder.build_with(answer).unwrap();
        let user = serde_json::from_str(USER).unwrap();
        let session = client.session(SessionParts::new(user, AccessToken::new("a0"), RefreshToken::new("t0")));
        drop(session.refresh().await.unwrap());
        let known = || flights(&client).table().entries.len();
        let later = async |seconds| {
            clock.advance(Duration::from_secs(seconds));
            sleep(Duration::from_secs(seconds)).await;
        };
        later(29).await;
        assert_eq!(known(), 1);
        later(2).await;
        assert_eq!(known(), 0);
        // Nothing but the time of its coming is known of a pair, for as long as it may be asked for.
        assert_eq!(flights(&client).table().births.len(), 1);
        later(3_600).await;
        assert_eq!(flights(&client).table().births.len(), 0);
        assert!(!flights(&client).table().swept, "the one who forgets has gone, too");
    }

    #[tokio::test]
    async fn a_sign_out_is_known_however_many_pairs_are_kept_and_costs_none_of_them() {
        const USER: &str = r#"{"id":"user_1","email":"ada@example.com","email_verified":true,
            "created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#;
        let clock = ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap());
        let builder = Client::builder().client_id("client_123").base_url("http://127.0.0.1:9").clock(clock.clone());
        let answer = |request: http::Request<Bytes>| async move {
            let request: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
            let token = request["refresh_token"].as_str().unwrap();
            let body = format!(r#"{{"user":{USER},"access_token":"a of {token}","refresh_token":"{token}+"}}"#);
            Ok::<_, TransportError>(http::Response::new(Bytes::from(body)))
        };
        let client = builder.build_with(answer).unwrap();
        let session = |token: String| {
            let user = serde_json::from_str(USER).unwrap();
            client.session(SessionParts::new(user, AccessToken::new("a0"), RefreshToken::new(token)))
        };
        for number in 0..MOST_RESULTS {
            clock.advance(Duration::from_micros(1));
            drop(session(format!("t{number}")).0.renew(Want::Newest, UNTIL_DELIVERED).await.unwrap());
        }
        let newest = session("ended".to_owned()).0.renew(Want::Newest, UNTIL_DELIVERED).await.unwrap();
        newest.end();
        drop(session("later".to_owned()).0.renew(Want::Newest, UNTIL_DELIVERED).await.unwrap());
        assert!(matches!(session("ended".to_owned()).refresh().await, Err(RefreshError::Ended(_))));
        // However often.
        for _ in 0..MOST_RESULTS {
            clock.advance(Duration::from_micros(1));
            newest.end();
        }
        let known = format!("t{}", MOST_RESULTS - 1);
        assert!(session(known).0.is_spent(), "it is kept");
        let flights = flights(&client);
        let table = flights.table();
        assert!(table.entries.len() <= MOST_RESULTS + 1 && table.forgotten.len() == table.entries.len());
    }
}
