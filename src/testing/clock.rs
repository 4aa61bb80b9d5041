//! A manual clock and reproducible randomness.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::error::Error;
use crate::runtime::{Clock, Random, Sleep};

/// A clock for tests. A wait ends at once and moves the clock forward. A [`ticking`](Self::ticking) clock waits in
/// tokio's time instead. The clock records all waits.
///
/// Clones share the same time.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use workos_auth::testing::ManualClock;
///
/// let clock = ManualClock::new(SystemTime::UNIX_EPOCH);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<State>>);

/// How wrong a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// It is later than it should be.
    Ahead(Duration),
    /// It is earlier than it should be.
    Behind(Duration),
}

impl Skew {
    /// The time is right.
    pub const NONE: Self = Self::Ahead(Duration::ZERO);

    /// The time that a clock shows which is wrong by this much.
    pub(super) fn of(self, time: Timestamp) -> Timestamp {
        match self {
            Self::Ahead(by) => time.checked_add(by).unwrap_or(Timestamp::MAX),
            Self::Behind(by) => time.checked_sub(by).unwrap_or(Timestamp::MIN),
        }
    }
}

#[derive(Debug)]
struct State {
    start: Timestamp,
    /// How far it was moved forward.
    advanced: Duration,
    /// Set when the clock follows tokio's time: the time of its creation.
    ticking_since: Option<Instant>,
    /// How far the time of day is from the elapsed time.
    skew: Skew,
    waits: Vec<Duration>,
}

impl State {
    fn elapsed(&self) -> Duration {
        self.advanced.saturating_add(self.ticking_since.map_or(Duration::ZERO, |since| since.elapsed()))
    }
}

impl ManualClock {
    /// Creates a clock that shows this time until it is moved.
    #[must_use]
    pub fn new(start: SystemTime) -> Self {
        Self::create(start, None)
    }

    /// Creates a clock that shows this time now and follows tokio's time. When tokio's time is paused
    /// (`tokio::time::pause`), a whole application runs in virtual time.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use workos_auth::testing::{ManualClock, Skew};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let start = SystemTime::now();
    /// let clock = ManualClock::ticking(start);
    /// tokio::time::sleep(Duration::from_secs(60)).await;
    /// assert_eq!(clock.now(), start + Duration::from_secs(60));
    ///
    /// clock.set_skew(Skew::Behind(Duration::from_secs(600)));
    /// assert_eq!(clock.now(), start - Duration::from_secs(540));
    /// # }
    /// ```
    #[must_use]
    pub fn ticking(start: SystemTime) -> Self {
        Self::create(start, Some(Instant::now()))
    }

    fn create(start: SystemTime, ticking_since: Option<Instant>) -> Self {
        Self(Arc::new(Mutex::new(State {
            // Times before the year -9999 and after 9999 aren't those of any test.
            start: Timestamp::try_from(start).unwrap_or(Timestamp::UNIX_EPOCH),
            advanced: Duration::ZERO,
            ticking_since,
            skew: Skew::NONE,
            waits: Vec::new(),
        })))
    }

    /// The time that the clock shows.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.timestamp().into()
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        let state = self.state();
        state.skew.of(state.start.checked_add(state.elapsed()).unwrap_or(Timestamp::MAX))
    }

    /// Moves the clock forward: time passes.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.advanced = state.advanced.saturating_add(by);
    }

    /// Makes the time of day wrong by this much from now on; [`Skew::NONE`] makes it right again. No time passes.
    pub fn set_skew(&self, skew: Skew) {
        self.state().skew = skew;
    }

    /// The waits of the client, in order.
    #[must_use]
    pub fn waits(&self) -> Vec<Duration> {
        self.state().waits.clone()
    }

    fn ticks(&self) -> bool {
        self.state().ticking_since.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.timestamp()
    }

    fn elapsed(&self) -> Duration {
        self.state().elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        Box::pin(async move {
            if self.ticks() {
                tokio::time::sleep(duration).await;
            } else {
                self.advance(duration);
            }
            self.state().waits.push(duration);
        })
    }
}

/// Gives the same bytes in every run.
#[derive(Debug)]
pub(crate) struct SeededRandom {
    seed: u64,
    drawn: Mutex<u64>,
}

impl SeededRandom {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, drawn: Mutex::new(0) }
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(32) {
            let block = digest(&SHA256, &[self.seed.to_le_bytes(), drawn.to_le_bytes()].concat());
            *drawn += 1;
            for (byte, random) in chunk.iter_mut().zip(block.as_ref()) {
                *byte = *random;
            }
        }
        Ok(())
    }
}
