//! A clock that moves when it is told to, and randomness that repeats itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::runtime::{Clock, Random, Sleep};

/// A clock for tests: a wait ends at once, moves the clock forward and is written down.
///
/// Clones are the same clock.
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
    elapsed: Duration,
    waits: Vec<Duration>,
}

impl ManualClock {
    /// A clock that shows this time until it is moved.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(State { start, elapsed: Duration::ZERO, waits: Vec::new() })))
    }

    /// The time it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let state = self.state();
        state.start.checked_add(state.elapsed).unwrap_or(Timestamp::MAX)
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.elapsed = state.elapsed.saturating_add(by);
    }

    /// The waits that the client asked for, in order.
    #[must_use]
    pub fn waits(&self) -> Vec<Duration> {
        self.state().waits.clone()
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
        self.state().elapsed
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        Box::pin(async move {
            self.advance(duration);
            self.state().waits.push(duration);
        })
    }
}

/// The same bytes in every run.
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
