//! [`ApiKeyValidator`]: one request for all callers with the same key, and so many requests at most.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Api;
use super::api_keys::{KeyNotValidated, ValidApiKey, ask, validation};
use super::recent::{Fingerprint, Recent};
use crate::error::Error;
use crate::id::ApiKeyId;
use crate::runtime::{Clock, Moment};
use crate::secret::{ApiKey, CustomerApiKey};
use crate::single_flight::{Flight, InFlight, Owner};
use crate::transport::Core;
use crate::wire;

/// The longest time for which a good key is taken without asking. A customer who deletes a key that got out expects it to be dead when
/// the dashboard says so; 30 s is what a reload of the page takes for.
const MAX_VALID_FOR: Duration = Duration::from_secs(30);
/// The longest time for which a bad key is refused without asking. A key that was created a moment ago must soon be good.
const MAX_INVALID_FOR: Duration = Duration::from_secs(5);
/// Requests in a second, and at once. WorkOS takes 500 changes in 10 s from an environment; this leaves half of them.
const DEFAULT_RATE: u32 = 25;
const DEFAULT_BURST: u32 = 50;
/// Good keys that are known, and bad ones.
const DEFAULT_CAPACITY: usize = 8_192;
/// Requests in flight. Keys that aren't known to be good get half of them.
const MAX_IN_FLIGHT: usize = 256;
/// How long a key is known to have been good.
const KNOWN_FOR: Duration = Duration::from_secs(3_600);
/// What a caller is told where too many requests are in flight.
const IN_FLIGHT_WAIT: Duration = Duration::from_secs(1);
/// An answer that took longer than this says what was true before the computer slept: a request takes half of it at most.
const MAX_ANSWER_AGE: Duration = MAX_VALID_FOR;

type Answer = Result<ValidApiKey, KeyNotValidated>;

/// Validates customers' API keys for a server with many callers. [`ApiKeys::validator`](super::ApiKeys::validator) makes it; make one for
/// the process, and clone it: clones share everything.
///
/// - Callers with the same key share one request. It goes on when one of them is cancelled.
/// - It sends [`rate`](Self::rate) requests in a second, after a quiet time [`burst`](Self::burst) at once, and has at most 256 in flight,
///   whatever keys are made up. A key that it may not ask about now is [`KeyNotValidated::TooManyRequests`].
/// - Half of each is reserved for keys that were good in the last hour, so that made-up keys don't keep the callers of good ones out. A
///   good key that this process sees for the first time can't be told from a made-up one, and is treated like one.
/// - It remembers no answer, unless [`remember_valid`](Self::remember_valid) or [`remember_invalid`](Self::remember_invalid) says so.
///   It remembers the SHA-256 of a key, not the key, and at most [`capacity`](Self::capacity) good ones and bad ones.
///
/// ```
/// use std::time::Duration;
/// use workos_auth::secret::CustomerApiKey;
/// use workos_auth::testing::{AuthKit, Endpoint, TestApiKey};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let key = TestApiKey::of_organization("sk_customer", "org_1");
/// # let authkit = AuthKit::builder().customer_api_key(key).start().await?;
/// # let client = authkit.confidential_client();
/// let validator = client.api_keys().validator().rate(10)?.remember_valid(Duration::from_secs(5))?;
///
/// let presented = CustomerApiKey::new("sk_customer")?;
/// for _ in 0..100 {
///     assert_eq!(validator.validate(&presented).await?.organization_id().as_str(), "org_1");
/// }
/// assert_eq!(authkit.requests_to(Endpoint::ApiKeyValidation), 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ApiKeyValidator {
    core: Arc<Core>,
    key: ApiKey,
    settings: Settings,
    /// A changed validator starts with an empty one.
    table: Arc<Table>,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    rate: u32,
    burst: u32,
    capacity: usize,
    valid_for: Duration,
    invalid_for: Duration,
}

impl ApiKeyValidator {
    pub(super) fn new(api: Api<'_>) -> Self {
        let settings = Settings {
            rate: DEFAULT_RATE,
            burst: DEFAULT_BURST,
            capacity: DEFAULT_CAPACITY,
            valid_for: Duration::ZERO,
            invalid_for: Duration::ZERO,
        };
        let core = Arc::clone(api.core);
        Self { table: Table::new(&core, settings), core, key: api.key.clone(), settings }
    }

    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(&mut self.settings);
        self.table = Table::new(&self.core, self.settings);
        self
    }

    /// How many requests it sends in a second; 25 unless given. What WorkOS takes from an environment is shared by all processes.
    ///
    /// Good keys share it, too: a customer who calls very often leaves little for others, unless
    /// [`remember_valid`](Self::remember_valid) is on. While good keys use all of it, a key that is new to this process isn't asked about.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `rate`: it is 1 to 1,000.
    pub fn rate(self, requests_per_second: u32) -> Result<Self, Error> {
        if !(1..=1_000).contains(&requests_per_second) {
            return Err(Error::invalid_value("rate", "must be 1 to 1,000 requests in a second"));
        }
        Ok(self.set(|settings| settings.rate = requests_per_second))
    }

    /// How many requests it sends at once after a quiet time; 50 unless given. Half of them is reserved for keys that were good lately.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `burst`: it is 2 to 1,000.
    pub fn burst(self, requests: u32) -> Result<Self, Error> {
        if !(2..=1_000).contains(&requests) {
            return Err(Error::invalid_value("burst", "must be 2 to 1,000 requests"));
        }
        Ok(self.set(|settings| settings.burst = requests))
    }

    /// How many good keys it knows, and how many bad ones; 8,192 of each unless given. Those that were used last are kept.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `capacity`: it is 2 to 1,000,000.
    pub fn capacity(self, keys: usize) -> Result<Self, Error> {
        if !(2..=1_000_000).contains(&keys) {
            return Err(Error::invalid_value("capacity", "must be 2 to 1,000,000 keys"));
        }
        Ok(self.set(|settings| settings.capacity = keys))
    }

    /// For how long a good key is taken without asking again, counted from the request, and never longer than the key itself lasts. For
    /// so long a deleted key is still taken: a few seconds are enough to spare most requests. Off unless given.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `remember_valid`: it is 30 s at most.
    pub fn remember_valid(self, time: Duration) -> Result<Self, Error> {
        if time > MAX_VALID_FOR {
            return Err(Error::invalid_value("remember_valid", "must be 30 seconds at most"));
        }
        Ok(self.set(|settings| settings.valid_for = time))
    }

    /// For how long a bad key is refused without asking again. It spares requests where somebody tries the same one again and again;
    /// a key that WorkOS knows only a moment later is refused for so long. Off unless given.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `remember_invalid`: it is 5 s at most.
    pub fn remember_invalid(self, time: Duration) -> Result<Self, Error> {
        if time > MAX_INVALID_FOR {
            return Err(Error::invalid_value("remember_invalid", "must be 5 seconds at most"));
        }
        Ok(self.set(|settings| settings.invalid_for = time))
    }

    /// Whether this is a valid API key of one of the application's customers.
    ///
    /// # Errors
    /// [`KeyNotValidated`]: the key is invalid, too many keys are asked about, or WorkOS could not be asked. Only the first says
    /// something about the key.
    pub async fn validate(&self, key: &CustomerApiKey) -> Result<ValidApiKey, KeyNotValidated> {
        let fingerprint = wire::sha256(wire::text(key));
        loop {
            let flight = match self.table.find(fingerprint)? {
                Found::Remembered(answer) => return answer,
                Found::InFlight(flight) => flight,
                Found::Begun(begun) => {
                    let flight = begun.flight.clone();
                    self.ask(key, fingerprint, begun);
                    flight
                }
            };
            match flight.wait().await {
                Some(answer) => return answer,
                // Nobody drives its task.
                None => self.table.give_up(&fingerprint, &flight),
            }
        }
    }

    /// Forgets an answer about this key: the next caller with it asks WorkOS, also if a request is in flight. Call it when the key was
    /// deleted, or when a webhook (`api_key.revoked`) says so.
    ///
    /// This validator and its clones forget it. Other processes take it for the time of [`remember_valid`](Self::remember_valid), and so
    /// does a validator that was made of this one with other settings.
    pub fn forget(&self, id: &ApiKeyId) {
        let mut state = self.table.lock();
        state.forgotten += 1;
        for good in state.good.values_mut() {
            good.key.take_if(|key| key.id() == id);
        }
    }

    /// Asks in a task of its own, which goes on when the caller is cancelled.
    fn ask(&self, key: &CustomerApiKey, fingerprint: Fingerprint, begun: Begun) {
        let Begun { flight, since, is_known, place } = begun;
        let owner = Owner::new(Arc::clone(&self.table), fingerprint, flight);
        let core = Arc::clone(&self.core);
        let call = validation(Api { core: &self.core, key: &self.key }, key);
        tokio::spawn(async move {
            let may_repeat = || owner.table().may_send(is_known);
            let answer = owner.keep_alive(ask(&core, call, may_repeat)).await;
            let is_late = since.age(&*core.runtime.clock) > MAX_ANSWER_AGE;
            let answer = if is_late { Err(KeyNotValidated::Unavailable(Error::too_late())) } else { answer };
            // Before the flight ends, so that a later caller finds one of the two.
            owner.table().keep(owner.key(), owner.flight(), &answer);
            drop(place);
            owner.finish(answer);
        });
    }
}

/// How much it remembers, and how many requests are in flight.
impl fmt::Debug for ApiKeyValidator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.table.lock();
        formatter
            .debug_struct("ApiKeyValidator")
            .field("settings", &self.settings)
            .field("known_good", &state.good.len())
            .field("known_bad", &state.bad.len())
            .field("in_flight", &state.in_flight.len())
            .finish_non_exhaustive()
    }
}

struct Table {
    clock: Arc<dyn Clock>,
    settings: Settings,
    state: Mutex<State>,
    /// Each request in flight has a copy. Not all of them are in the state: a key may be asked about anew.
    place: Arc<()>,
}

struct State {
    good: Recent<Good>,
    bad: Recent<Moment>,
    in_flight: HashMap<Fingerprint, Asked>,
    allowance: Allowance,
    /// How often an answer was to be forgotten.
    forgotten: u64,
}

/// A key that was good.
struct Good {
    since: Moment,
    /// Where answers are remembered.
    key: Option<ValidApiKey>,
}

struct Asked {
    flight: Flight<Answer>,
    since: Moment,
    /// [`State::forgotten`] when it began: what was forgotten since must not come back with it.
    forgotten: u64,
}

enum Found {
    Remembered(Answer),
    InFlight(Flight<Answer>),
    Begun(Begun),
}

/// A request that is to be sent.
struct Begun {
    flight: Flight<Answer>,
    since: Moment,
    is_known: bool,
    place: Arc<()>,
}

impl Table {
    fn new(core: &Core, settings: Settings) -> Arc<Self> {
        let state = State {
            good: Recent::new(settings.capacity),
            bad: Recent::new(settings.capacity),
            in_flight: HashMap::new(),
            allowance: Allowance::new(settings.rate, settings.burst),
            forgotten: 0,
        };
        Arc::new(Self {
            clock: Arc::clone(&core.runtime.clock),
            settings,
            state: Mutex::new(state),
            place: Arc::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer, the request in flight, or a request that the caller has to send.
    fn find(&self, fingerprint: Fingerprint) -> Result<Found, KeyNotValidated> {
        let clock = &*self.clock;
        let mut state = self.lock();
        let good = state.good.get(&fingerprint);
        if let Some(Good { since, key: Some(key) }) = good
            && since.age(clock) < self.settings.valid_for
            && key.record().expires_at.is_none_or(|end| clock.now() < end)
        {
            return Ok(Found::Remembered(Ok(key.clone())));
        }
        let is_known = good.is_some_and(|good| good.since.age(clock) < KNOWN_FOR);
        if state.bad.get(&fingerprint).is_some_and(|since| since.age(clock) < self.settings.invalid_for) {
            return Ok(Found::Remembered(Err(KeyNotValidated::Invalid)));
        }
        if let Some(asked) = state.in_flight.get(&fingerprint)
            && asked.forgotten == state.forgotten
        {
            return Ok(Found::InFlight(asked.flight.clone()));
        }
        let in_flight = Arc::strong_count(&self.place) - 1;
        if in_flight >= if is_known { MAX_IN_FLIGHT } else { MAX_IN_FLIGHT / 2 } {
            return Err(KeyNotValidated::TooManyRequests { retry_after: IN_FLIGHT_WAIT });
        }
        let retry_after = |retry_after| KeyNotValidated::TooManyRequests { retry_after };
        state.allowance.take(is_known, clock.elapsed()).map_err(retry_after)?;
        let (flight, since) = (Flight::new(), Moment::now(clock));
        let asked = Asked { flight: flight.clone(), since, forgotten: state.forgotten };
        state.in_flight.insert(fingerprint, asked);
        Ok(Found::Begun(Begun { flight, since, is_known, place: Arc::clone(&self.place) }))
    }

    /// Whether one more request may be sent now; it counts if so.
    fn may_send(&self, is_known: bool) -> bool {
        self.lock().allowance.take(is_known, self.clock.elapsed()).is_ok()
    }

    /// Keeps what is to be remembered of an answer, unless the key was asked about anew meanwhile.
    fn keep(&self, fingerprint: &Fingerprint, flight: &Flight<Answer>, answer: &Answer) {
        let mut state = self.lock();
        let asked = state.in_flight.get(fingerprint).filter(|asked| asked.flight.is(flight));
        let Some(Asked { since, forgotten, .. }) = asked else { return };
        let (since, is_current) = (*since, *forgotten == state.forgotten);
        match answer {
            Ok(key) => {
                let key = (is_current && !self.settings.valid_for.is_zero()).then(|| key.clone());
                state.good.put(*fingerprint, Good { since, key });
                state.bad.remove(fingerprint);
            }
            Err(KeyNotValidated::Invalid) => {
                state.good.remove(fingerprint);
                if !self.settings.invalid_for.is_zero() {
                    state.bad.put(*fingerprint, since);
                }
            }
            Err(KeyNotValidated::TooManyRequests { .. } | KeyNotValidated::Unavailable(_)) => {}
        }
    }
}

impl InFlight for Table {
    type Key = Fingerprint;
    type Output = Answer;

    fn give_up(&self, fingerprint: &Fingerprint, flight: &Flight<Answer>) {
        let mut state = self.lock();
        if state.in_flight.get(fingerprint).is_some_and(|asked| asked.flight.is(flight)) {
            state.in_flight.remove(fingerprint);
        }
    }

    fn abandoned() -> Answer {
        Err(KeyNotValidated::Unavailable(Error::abandoned()))
    }
}

/// A bucket of requests that fills with time. It is described by when it will be full again.
struct Allowance {
    /// In which one request comes in.
    interval: Duration,
    /// How many requests it holds.
    burst: u32,
    full_at: Duration,
}

impl Allowance {
    fn new(rate: u32, burst: u32) -> Self {
        Self { interval: Duration::from_secs(1) / rate, burst, full_at: Duration::ZERO }
    }

    /// Takes a request out. For a key that isn't known, half of the bucket stays in.
    ///
    /// # Errors
    /// How long until there is one.
    fn take(&mut self, is_known: bool, now: Duration) -> Result<(), Duration> {
        let reserve = if is_known { 0 } else { self.burst / 2 };
        let full_at = self.full_at.max(now) + self.interval;
        let too_early = full_at.saturating_sub(now + self.interval * (self.burst - reserve));
        if !too_early.is_zero() {
            return Err(too_early);
        }
        self.full_at = full_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_allowance_gives_what_was_set_and_no_more() {
        let mut allowance = Allowance::new(10, 20);
        let mut taken = |is_known, now| (0..1_000).filter(|_| allowance.take(is_known, now).is_ok()).count();
        assert_eq!(taken(false, seconds(0)), 10, "half of the burst");
        assert_eq!(taken(true, seconds(0)), 10, "the reserve");
        assert_eq!(taken(true, seconds(0)), 0);
        assert_eq!(taken(false, seconds(1)), 0, "the reserve is filled first");
        assert_eq!(taken(false, seconds(2)), 10);
        assert_eq!(taken(true, seconds(2)), 10);
        assert_eq!(taken(true, seconds(3)), 10, "the rate");
        assert_eq!(taken(true, seconds(1_000)), 20, "never more than the burst");
    }

    #[test]
    fn an_allowance_says_when_to_come_again() {
        let mut allowance = Allowance::new(4, 4);
        while allowance.take(false, seconds(5)).is_ok() {}
        let wait = allowance.take(false, seconds(5)).unwrap_err();
        assert_eq!(wait, Duration::from_millis(250));
        let almost = (seconds(5) + wait).saturating_sub(Duration::from_nanos(1));
        assert_eq!(allowance.take(false, almost), Err(Duration::from_nanos(1)));
        assert_eq!(allowance.take(false, seconds(5) + wait), Ok(()));
        while allowance.take(true, seconds(6)).is_ok() {}
        // The reserve comes in first.
        assert_eq!(allowance.take(false, seconds(6)), Err(Duration::from_millis(750)));
    }
}
