//! One refresh for everybody who holds the same session.
//!
//! A refresh token is good for one exchange. So each token has at most one request under way, whose result is kept for a
//! while; whoever wants something else of a token that was exchanged goes on with its successor.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::{Session, SessionParts};
use crate::authenticate::{Authentication, RefreshGrant, Rejected};
use crate::client::Caller;
use crate::credentials::HasClientId;
use crate::error::Error;
use crate::id::OrganizationId;
use crate::model::AuthenticationResponse;
use crate::secret::RefreshToken;
use crate::wire;

/// How long a result is kept, from when it came: as long as WorkOS replays it.
const KEPT: Duration = Duration::from_secs(30);
/// Results kept at once; with more, the oldest go.
const MOST: usize = 4096;

/// A refresh that brought no new session.
///
/// There is no third way, so this enum is exhaustive.
#[must_use = "a session that was kept is in here"]
pub enum RefreshError<K> {
    /// Nothing is known against the session: no connection, no complete reply, 408, 429, 5xx, or a refusal that is not
    /// about its token. Keep it, and try again.
    Kept(KeptSession<K>),
    /// There is no session any more, and the user must sign in again. The error says why: `invalid_grant`, a step that WorkOS
    /// wants ([`ErrorKind::Unfinished`](crate::ErrorKind::Unfinished)),
    /// [`ErrorKind::AnotherUser`](crate::ErrorKind::AnotherUser) or [`ErrorKind::SignedOut`](crate::ErrorKind::SignedOut).
    Ended(Error),
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

    /// The session as it was.
    pub fn into_session(self) -> Session<K> {
        self.0.0
    }
}

impl<K> RefreshError<K> {
    /// Why the refresh failed.
    #[must_use]
    pub fn error(&self) -> &Error {
        match self {
            Self::Kept(kept) => kept.error(),
            Self::Ended(error) => error,
        }
    }

    /// The session as it was, for another try.
    ///
    /// # Errors
    /// Why the session ended.
    pub fn recover(self) -> Result<Session<K>, Error> {
        match self {
            Self::Kept(kept) => Ok(kept.into_session()),
            Self::Ended(error) => Err(error),
        }
    }
}

impl<K> From<RefreshError<K>> for Error {
    fn from(error: RefreshError<K>) -> Self {
        match error {
            RefreshError::Kept(kept) => kept.0.1,
            RefreshError::Ended(error) => error,
        }
    }
}

impl<K> std::error::Error for RefreshError<K> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error().source()
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
            Self::Ended(error) => formatter.debug_tuple("Ended").field(error).finish(),
        }
    }
}

impl<K> fmt::Debug for KeptSession<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeptSession").field("error", self.error()).finish_non_exhaustive()
    }
}

impl<K: HasClientId> Session<K> {
    pub(super) async fn renew(self, switch_to: Option<OrganizationId>) -> Result<Self, RefreshError<K>> {
        let wanted = Wanted {
            organization: switch_to.as_ref().or(self.parts.organization_id.as_ref()),
            switch_to: switch_to.as_ref(),
        };
        match self.caller.client.flights.refresh(&self.caller, &self.parts.refresh_token, wanted).await {
            Ok(response) if response.user.id != self.parts.user.id => Err(RefreshError::Ended(Error::another_user())),
            Ok(response) => {
                let parts = SessionParts {
                    user: response.user.clone(),
                    access_token: response.access_token.clone(),
                    refresh_token: wire::copy(&response.refresh_token),
                    organization_id: response.organization_id.clone(),
                    authentication_method: response.authentication_method.clone().or(self.parts.authentication_method),
                    impersonator: response.impersonator.clone(),
                };
                Ok(Self { caller: self.caller, parts })
            }
            Err(Failure::Kept(error)) => Err(RefreshError::Kept(KeptSession(Box::new((self, error))))),
            Err(Failure::Ended(error)) => Err(RefreshError::Ended(error)),
        }
    }
}

/// What a caller wants of a token.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    /// The organization of the new tokens.
    organization: Option<&'a OrganizationId>,
    /// The same, where the token is of another one.
    switch_to: Option<&'a OrganizationId>,
}

/// Why there is no new pair.
#[derive(Clone)]
enum Failure {
    /// The token may still be good.
    Kept(Error),
    /// It is not.
    Ended(Error),
}

type Outcome = Result<Arc<AuthenticationResponse>, Failure>;

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
    /// What is kept, oldest first, and since when.
    kept: VecDeque<(Duration, Key)>,
    /// Counts the requests, so that none is taken for another.
    requests: u64,
}

enum Entry {
    /// A request is under way.
    Asking { organization: Option<OrganizationId>, request: u64, outcome: watch::Receiver<Option<Outcome>> },
    /// The token was exchanged.
    Exchanged {
        organization: Option<OrganizationId>,
        response: Arc<AuthenticationResponse>,
        successor: Key,
        since: Duration,
    },
    /// The session is over.
    Ended { error: Error, since: Duration },
}

/// A request that nobody has sent yet.
type Request = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What there is to do for a caller.
enum Next {
    Take(Outcome),
    GoOnWith(RefreshToken),
    Wait { outcome: watch::Receiver<Option<Outcome>>, shared: bool },
}

impl Flights {
    async fn refresh<K: HasClientId>(
        self: &Arc<Self>,
        caller: &Caller<K>,
        token: &RefreshToken,
        wanted: Wanted<'_>,
    ) -> Outcome {
        let mut token = wire::copy(token);
        let mut wanted = wanted;
        loop {
            let (next, request) = self.next(caller, &token, wanted);
            // The table is free again: a runtime that shuts down drops the task at once, and its turn with it.
            if let Some(request) = request {
                tokio::spawn(request);
            }
            let (mut outcome, shared) = match next {
                Next::Take(outcome) => return outcome,
                Next::GoOnWith(successor) => {
                    token = successor;
                    // The successor is of another organization.
                    wanted.switch_to = wanted.organization;
                    continue;
                }
                Next::Wait { outcome, shared } => (outcome, shared),
            };
            let settled = outcome.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
            match settled {
                Ok(Some(outcome)) if shared => return outcome,
                Err(_) if shared => return Err(Failure::Kept(Error::abandoned())),
                // It was for another organization; now it is this caller's turn.
                _ => {}
            }
        }
    }

    fn next<K: HasClientId>(
        self: &Arc<Self>,
        caller: &Caller<K>,
        token: &RefreshToken,
        wanted: Wanted<'_>,
    ) -> (Next, Option<Request>) {
        let key = key(caller.identity().client_id.as_str(), token);
        let mut table = self.table();
        table.forget(caller.client.core.runtime.clock.elapsed());
        let next = match table.entries.get(&key) {
            Some(Entry::Ended { error, .. }) => Next::Take(Err(Failure::Ended(error.clone()))),
            Some(Entry::Exchanged { organization, response, .. }) if organization.as_ref() == wanted.organization => {
                Next::Take(Ok(Arc::clone(response)))
            }
            // A token that was not rotated is its own successor: it may be exchanged again.
            Some(Entry::Exchanged { response, successor, .. }) if *successor != key => {
                Next::GoOnWith(wire::copy(&response.refresh_token))
            }
            Some(Entry::Asking { organization, outcome, .. }) => {
                Next::Wait { outcome: outcome.clone(), shared: organization.as_ref() == wanted.organization }
            }
            Some(Entry::Exchanged { .. }) | None => {
                let (outcome, request) = self.ask(&mut table, key, caller, token, wanted);
                return (Next::Wait { outcome, shared: true }, Some(request));
            }
        };
        (next, None)
    }

    /// The request, for a task of its own, so that it goes on when the caller is cancelled.
    fn ask<K: HasClientId>(
        self: &Arc<Self>,
        table: &mut Table,
        key: Key,
        caller: &Caller<K>,
        token: &RefreshToken,
        wanted: Wanted<'_>,
    ) -> (watch::Receiver<Option<Outcome>>, Request) {
        let (sender, outcome) = watch::channel(None);
        table.requests += 1;
        let number = table.requests;
        let organization = wanted.organization.cloned();
        let entry = Entry::Asking { organization: organization.clone(), request: number, outcome: outcome.clone() };
        table.entries.insert(key, entry);
        let mut grant = RefreshGrant::new(caller.clone(), wire::copy(token));
        if let Some(id) = wanted.switch_to {
            grant = grant.organization(id.clone());
        }
        let turn = Turn { flights: Arc::clone(self), key, request: number, organization, sender: Some(sender) };
        let caller = caller.clone();
        let request = Box::pin(async move {
            let outcome = match grant.send().await.map_err(Rejected::into_parts) {
                Ok(Authentication::Complete(response)) => Ok(Arc::from(response)),
                Ok(step) => Err(Failure::Ended(match step.complete() {
                    Ok(_) => Error::abandoned(),
                    Err(error) => error,
                })),
                Err((error, Some(_))) => Err(Failure::Kept(error)),
                Err((error, None)) => Err(Failure::Ended(error)),
            };
            turn.settle(&caller, outcome);
        });
        (outcome, request)
    }

    /// Ends a session: whatever is known of its tokens, and whatever comes of a request that is under way, is thrown away.
    pub(super) fn end<K>(&self, caller: &Caller<K>, token: &RefreshToken, error: &Error) {
        let key = key(caller.identity().client_id.as_str(), token);
        let mut table = self.table();
        let now = caller.client.core.runtime.clock.elapsed();
        table.forget(now);
        table.end(key, error, now);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Forgets what is too old, or too much.
    fn forget(&mut self, now: Duration) {
        while let Some((since, key)) = self.kept.front().copied() {
            if now.saturating_sub(since) < KEPT && self.kept.len() <= MOST {
                break;
            }
            self.kept.pop_front();
            let same = |entry: &Entry| match entry {
                Entry::Exchanged { since: other, .. } | Entry::Ended { since: other, .. } => *other == since,
                Entry::Asking { .. } => false,
            };
            if self.entries.get(&key).is_some_and(same) {
                self.entries.remove(&key);
            }
        }
    }

    /// Ends a token, those it came from and those that came of it.
    fn end(&mut self, key: Key, error: &Error, now: Duration) {
        let mut ending = vec![key];
        while let Some(key) = ending.pop() {
            if let Some(Entry::Exchanged { successor, .. }) = self.entries.get(&key)
                && *successor != key
            {
                ending.push(*successor);
            }
            ending.extend(self.entries.iter().filter_map(|(other, entry)| match entry {
                Entry::Exchanged { successor, .. } if *successor == key && *other != key => Some(*other),
                _ => None,
            }));
            self.entries.insert(key, Entry::Ended { error: error.clone(), since: now });
            self.kept.push_back((now, key));
        }
    }
}

/// The one who asks. Dropped without a result, it leaves nothing behind.
struct Turn {
    flights: Arc<Flights>,
    key: Key,
    request: u64,
    organization: Option<OrganizationId>,
    sender: Option<watch::Sender<Option<Outcome>>>,
}

impl Turn {
    fn settle<K>(mut self, caller: &Caller<K>, outcome: Outcome) {
        let Some(sender) = self.sender.take() else { return };
        let mut table = self.flights.table();
        let now = caller.client.core.runtime.clock.elapsed();
        let outcome = match table.entries.get(&self.key) {
            Some(Entry::Asking { request, .. }) if *request == self.request => {
                match &outcome {
                    Ok(response) => {
                        let successor = key(caller.identity().client_id.as_str(), &response.refresh_token);
                        let entry = Entry::Exchanged {
                            organization: self.organization.take(),
                            response: Arc::clone(response),
                            successor,
                            since: now,
                        };
                        table.entries.insert(self.key, entry);
                        table.kept.push_back((now, self.key));
                    }
                    Err(Failure::Kept(_)) => {
                        table.entries.remove(&self.key);
                    }
                    Err(Failure::Ended(error)) => table.end(self.key, error, now),
                }
                outcome
            }
            // The session ended meanwhile: what came of it is thrown away.
            Some(Entry::Ended { error, .. }) => Err(Failure::Ended(error.clone())),
            _ => Err(Failure::Ended(Error::signed_out())),
        };
        drop(table);
        sender.send_replace(Some(outcome));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.sender.is_none() {
            return;
        }
        let mut table = self.flights.table();
        if matches!(table.entries.get(&self.key), Some(Entry::Asking { request, .. }) if *request == self.request) {
            table.entries.remove(&self.key);
        }
    }
}
