//! A manual clock and reproducible randomness.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::error::Error;
use crate::runtime::{Clock, Random, Sleep};

/// A clock for tests. A wait ends at once and moves the clock forward. A [`ticking`](Self::ticking) clock waits in
/// tokio's time instead. The clock records all waits.
///
/// Clones share the same time.
///
/// ```
/// use std::time::Duration;
/// use workos_auth::testing::ManualClock;
///
/// let clock = ManualClock::new("2026-01-01T00:00:00Z".parse()?);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), "2026-01-01T00:01:00Z".parse()?);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    start: Timestamp,
    /// How far it was moved forward.
    advanced: Duration,
    /// Set when the clock follows tokio's time: the time of its creation.
    ticking_since: Option<Instant>,
    /// How far the time of day is ahead of the elapsed time.
    wrong_by: SignedDuration,
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
    pub fn new(start: Timestamp) -> Self {
        Self::create(start, None)
    }

    /// Creates a clock that shows this time now and follows tokio's time. When tokio's time is paused
    /// (`tokio::time::pause`), a whole application runs in virtual time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use jiff::SignedDuration;
    /// use workos_auth::testing::ManualClock;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = ManualClock::ticking("2026-01-01T00:00:00Z".parse()?);
    /// tokio::time::sleep(Duration::from_secs(60)).await;
    /// assert_eq!(clock.now(), "2026-01-01T00:01:00Z".parse()?);
    ///
    /// clock.be_wrong_by(SignedDuration::from_mins(-10));
    /// assert_eq!(clock.now(), "2025-12-31T23:51:00Z".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn ticking(start: Timestamp) -> Self {
        Self::create(start, Some(Instant::now()))
    }

    fn create(start: Timestamp, ticking_since: Option<Instant>) -> Self {
        Self(Arc::new(Mutex::new(State {
            start,
            advanced: Duration::ZERO,
            ticking_since,
            wrong_by: SignedDuration::ZERO,
            waits: Vec::new(),
        })))
    }

    /// The time that the clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let state = self.state();
        let now = state.start.checked_add(state.elapsed()).unwrap_or(Timestamp::MAX);
        now.checked_add(state.wrong_by).unwrap_or(now)
    }

    /// Moves the clock forward: time passes.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.advanced = state.advanced.saturating_add(by);
    }

    /// Makes the time of day wrong by this much, ahead or behind. No time passes.
    pub fn be_wrong_by(&self, by: SignedDuration) {
        self.state().wrong_by = by;
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
        Self::now(self)
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
            let mut block = Sha256::new();
            block.update(self.seed.to_le_bytes());
            block.update(drawn.to_le_bytes());
            *drawn += 1;
            for (byte, random) in chunk.iter_mut().zip(block.finalize()) {
                *byte = random;
            }
        }
        Ok(())
    }
}
