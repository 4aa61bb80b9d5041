//! What one process knows of refresh tokens: which are being exchanged, which were exchanged for what, and which sessions are over.
//!
//! This is only data. `refresh.rs` sends the requests and locks the table.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::parts::SessionParts;
use crate::error::Error;
use crate::id::OrganizationId;
use crate::runtime::{Clock, Moment};
use crate::secret::{AccessToken, RefreshToken};
use crate::single_flight::Flight;
use crate::wire;

/// How long a result is kept after it came: as long as WorkOS replays it.
pub(super) const RESULT_KEPT_FOR: Duration = Duration::from_secs(30);
/// The same for a pair that goes to a browser or a store, which may not get it: the caller hung up, the reply was lost, or the store
/// forgot it. There is no other copy. It is shortened when an application says that its own store has it.
pub(super) const UNDELIVERED_KEPT_FOR: Duration = Duration::from_secs(600);
/// Results kept at once. When there are more, those that would be forgotten first go.
pub(super) const MAX_RESULTS: usize = 4096;
/// How long the arrival of a pair is known: access tokens don't live longer than this.
const ARRIVAL_KEPT_FOR: Duration = Duration::from_secs(3_600);
const MAX_ARRIVALS: usize = 16_384;

/// SHA-256 of client ID and token. Each client has a table of its own, so the base URL isn't part of it.
pub(super) type Key = [u8; 32];

pub(super) fn key(client_id: &str, token: &RefreshToken) -> Key {
    wire::sha256_of([client_id, "\0", wire::text(token)])
}

/// What a caller wants for a token.
#[derive(Clone)]
pub(super) struct Wanted {
    /// The organization of the new tokens.
    pub(super) organization: Option<OrganizationId>,
    /// As far as is known, the token belongs to another organization.
    pub(super) switch: bool,
    /// Every organization is right.
    pub(super) any: bool,
    /// How long the result is kept.
    pub(super) keep: Duration,
}

impl Wanted {
    pub(super) fn fits(&self, pair: &NewPair) -> bool {
        let organization = if self.switch { &pair.parts.organization_id } else { &pair.requested };
        self.any || *organization == self.organization
    }
}

/// What a token was exchanged for.
pub(super) struct NewPair {
    pub(super) parts: SessionParts,
    /// The organization that was asked for. After a switch it is the one that came: if another process has exchanged the token, WorkOS
    /// answers with what that process wanted.
    pub(super) requested: Option<OrganizationId>,
    /// The pair was spent when it came: another process had exchanged the token, and this process has already exchanged its successor.
    pub(super) was_spent: bool,
}

/// Why a token was not exchanged.
#[derive(Clone)]
pub(super) enum NotExchanged {
    /// The token may still be good.
    Kept(Error),
    /// The session is over.
    Ended(Error),
}

pub(super) type Exchange = Result<Arc<NewPair>, NotExchanged>;

/// What the table has for a caller.
pub(super) enum Found {
    /// The result.
    Result(Exchange),
    /// The token was exchanged for a pair that doesn't fit. Its refresh token is the next to try.
    Successor(Arc<NewPair>),
    /// A request is in flight. `is_shared`: it asks for what this caller wants.
    InFlight { flight: Flight<Exchange>, is_shared: bool },
}

/// What is known of one session's refresh token.
pub(super) struct Known {
    /// This process has exchanged it.
    pub(super) is_spent: bool,
    /// This process is exchanging it.
    pub(super) is_in_flight: bool,
    /// Why its session is over.
    pub(super) ended: Option<Error>,
    /// How long ago this process got it.
    pub(super) age: Option<Duration>,
}

enum TokenState {
    /// A request is in flight.
    InFlight { organization: Option<OrganizationId>, keep: Duration, flight: Flight<Exchange> },
    /// The token was exchanged.
    Exchanged { pair: Arc<NewPair>, successor: Key, until: Duration },
    /// The session is over.
    Ended { error: Error, until: Duration },
}

impl TokenState {
    fn is_of(&self, other: &Flight<Exchange>) -> bool {
        matches!(self, Self::InFlight { flight, .. } if flight.is(other))
    }

    /// When it is forgotten. A request in flight is not.
    fn until(&self) -> Option<Duration> {
        match self {
            Self::InFlight { .. } => None,
            Self::Exchanged { until, .. } | Self::Ended { until, .. } => Some(*until),
        }
    }
}

/// What the clones of a client know of their refresh tokens.
#[derive(Default)]
pub(super) struct RefreshTable {
    tokens: HashMap<Key, TokenState>,
    /// When tokens are forgotten, the soonest first.
    expiries: BTreeSet<(Duration, Key)>,
    /// When the pair with this refresh token came.
    arrivals: HashMap<Key, Moment>,
    /// The same in their order, to forget them.
    arrival_order: VecDeque<(Duration, Key)>,
    /// A task sweeps the table.
    pub(super) is_swept: bool,
}

impl RefreshTable {
    /// What there is for a caller who holds this access token; `None` when the token can be exchanged.
    pub(super) fn find(&mut self, key: &Key, held: Option<&AccessToken>, wanted: &Wanted) -> Option<Found> {
        let (pair, successor) = match self.tokens.get_mut(key)? {
            TokenState::Ended { error, .. } => return Some(Found::Result(Err(NotExchanged::Ended(error.clone())))),
            TokenState::InFlight { organization, keep, flight } => {
                *keep = wanted.keep.max(*keep);
                let is_shared = *organization == wanted.organization;
                return Some(Found::InFlight { flight: flight.clone(), is_shared });
            }
            TokenState::Exchanged { pair, successor, .. } => (Arc::clone(pair), *successor),
        };
        // A token that was not rotated is its own successor: it may be exchanged again.
        let is_rotated = successor != *key;
        // A pair that is spent or in flight is useless, and so is the one that the caller has.
        let is_spent = is_rotated && self.tokens.contains_key(&successor);
        let is_held = held.is_some_and(|held| wire::same(&pair.parts.access_token, held));
        if wanted.fits(&pair) && !is_spent && !is_held {
            return Some(Found::Result(Ok(pair)));
        }
        is_rotated.then_some(Found::Successor(pair))
    }

    pub(super) fn known(&self, key: &Key, clock: &dyn Clock) -> Known {
        let mut known = Known {
            is_spent: false,
            is_in_flight: false,
            ended: None,
            age: self.arrivals.get(key).map(|arrival| arrival.age(clock)),
        };
        match self.tokens.get(key) {
            // A token that was not rotated is its own successor.
            Some(TokenState::Exchanged { successor, .. }) => known.is_spent = successor != key,
            Some(TokenState::InFlight { .. }) => known.is_in_flight = true,
            Some(TokenState::Ended { error, until }) if *until > clock.elapsed() => known.ended = Some(error.clone()),
            Some(TokenState::Ended { .. }) | None => {}
        }
        known
    }

    /// Records a request that is about to be sent.
    pub(super) fn begin(&mut self, key: Key, wanted: &Wanted, flight: Flight<Exchange>) {
        self.put(key, TokenState::InFlight { organization: wanted.organization.clone(), keep: wanted.keep, flight });
    }

    /// Records how a request ended, and gives what its callers get. A new pair comes with the key of its refresh token.
    pub(super) fn settle(
        &mut self,
        key: Key,
        flight: &Flight<Exchange>,
        result: Result<(NewPair, Key), NotExchanged>,
        keep: Duration,
        now: Moment,
    ) -> Exchange {
        let state = self.tokens.get(&key);
        let keep = match state {
            Some(TokenState::InFlight { keep: longest, .. }) => keep.max(*longest),
            _ => keep,
        };
        let is_ours = state.is_some_and(|state| state.is_of(flight));
        match (result, state) {
            // A caller gave this request up, and the same token was exchanged again.
            (Ok(_) | Err(NotExchanged::Ended(_)), Some(TokenState::Exchanged { pair, .. })) => Ok(Arc::clone(pair)),
            (Ok((pair, successor)), _) => {
                let was_spent = successor != key && self.tokens.contains_key(&successor);
                let pair = Arc::new(NewPair { was_spent, ..pair });
                self.keep(key, successor, &pair, now, keep);
                Ok(pair)
            }
            (Err(NotExchanged::Ended(error)), _) if is_ours => {
                self.end(key, &error, now.elapsed);
                Err(NotExchanged::Ended(error))
            }
            (Err(NotExchanged::Ended(error) | NotExchanged::Kept(error)), _) => {
                self.give_up(&key, flight);
                Err(NotExchanged::Kept(error))
            }
        }
    }

    /// Ends a token, those it came from and those it was exchanged for.
    pub(super) fn end(&mut self, key: Key, error: &Error, now: Duration) {
        // Longer than the access tokens live that copies of the session may still hold.
        let until = now + UNDELIVERED_KEPT_FOR;
        let mut ending = vec![key];
        while let Some(key) = ending.pop() {
            match self.tokens.get(&key) {
                Some(TokenState::Exchanged { successor, .. }) if *successor != key => ending.push(*successor),
                Some(TokenState::InFlight { flight, .. }) => flight.tell(Err(NotExchanged::Ended(error.clone()))),
                _ => {}
            }
            ending.extend(self.tokens.iter().filter_map(|(other, state)| match state {
                TokenState::Exchanged { successor, .. } if *successor == key && *other != key => Some(*other),
                _ => None,
            }));
            self.put(key, TokenState::Ended { error: error.clone(), until });
        }
    }

    /// The pair with the token `to` has reached its store, so it and those on the way to it are kept no longer than usual.
    pub(super) fn deliver(&mut self, from: Key, to: Key, now: Duration) {
        let limit = now + RESULT_KEPT_FOR;
        let mut key = from;
        while let Some(TokenState::Exchanged { pair, successor, until }) = self.tokens.get(&key)
            && key != to
            && *until > limit
        {
            let (pair, successor) = (Arc::clone(pair), *successor);
            self.put(key, TokenState::Exchanged { pair, successor, until: limit });
            key = successor;
        }
    }

    /// Removes a request in flight, so that the token can be exchanged again.
    pub(super) fn give_up(&mut self, key: &Key, flight: &Flight<Exchange>) {
        if self.tokens.get(key).is_some_and(|state| state.is_of(flight)) {
            self.tokens.remove(key);
        }
    }

    /// Forgets what is too old, or too much.
    pub(super) fn forget(&mut self, now: Duration) {
        while let Some((until, key)) = self.expiries.first().copied() {
            if until > now && self.expiries.len() <= MAX_RESULTS {
                break;
            }
            self.expiries.pop_first();
            self.tokens.remove(&key);
        }
        while let Some((since, key)) = self.arrival_order.front().copied() {
            if now.saturating_sub(since) < ARRIVAL_KEPT_FOR && self.arrival_order.len() <= MAX_ARRIVALS {
                break;
            }
            self.arrival_order.pop_front();
            if self.arrivals.get(&key).is_some_and(|arrival| arrival.elapsed == since) {
                self.arrivals.remove(&key);
            }
        }
    }

    /// How long until there is something to forget.
    pub(super) fn pause(&self, now: Duration) -> Option<Duration> {
        let expiry = self.expiries.first().map(|(until, _)| *until);
        let arrival = self.arrival_order.front().map(|(since, _)| *since + ARRIVAL_KEPT_FOR);
        expiry.into_iter().chain(arrival).min().map(|next| next.saturating_sub(now))
    }

    fn keep(&mut self, key: Key, successor: Key, pair: &Arc<NewPair>, now: Moment, keep: Duration) {
        let until = now.elapsed + keep;
        self.put(key, TokenState::Exchanged { pair: Arc::clone(pair), successor, until });
        self.arrivals.insert(successor, now);
        self.arrival_order.push_back((now.elapsed, successor));
    }

    /// Replaces what was known of a token.
    fn put(&mut self, key: Key, state: TokenState) {
        let until = state.until();
        if let Some(old) = self.tokens.insert(key, state).and_then(|old| old.until()) {
            self.expiries.remove(&(old, key));
        }
        self.expiries.extend(until.map(|until| (until, key)));
    }
}

#[cfg(test)]
pub(super) struct Sizes {
    pub(super) tokens: usize,
    pub(super) expiries: usize,
    pub(super) arrivals: usize,
}

#[cfg(test)]
impl RefreshTable {
    pub(super) fn sizes(&self) -> Sizes {
        Sizes { tokens: self.tokens.len(), expiries: self.expiries.len(), arrivals: self.arrivals.len() }
    }
}
