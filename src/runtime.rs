//! The clock and the random generator: those of the operating system, or injected ones, in tests only.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::error::Error;

pub(crate) type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

pub(crate) trait Clock: fmt::Debug + Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;
    /// The time since a fixed moment; it never goes back.
    fn elapsed(&self) -> Duration;
    fn sleep(&self, duration: Duration) -> Sleep<'_>;
}

/// A moment whose age also grows while the computer sleeps. A monotonic clock may stop then, but the time of day doesn't. If the
/// time of day is set back, the monotonic clock counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// By the monotonic clock.
    pub(crate) elapsed: Duration,
    /// By the time of day.
    pub(crate) time: Timestamp,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self { elapsed: clock.elapsed(), time: clock.now() }
    }

    pub(crate) fn age(self, clock: &dyn Clock) -> Duration {
        let by_day = Duration::try_from(clock.now().duration_since(self.time)).unwrap_or_default();
        clock.elapsed().saturating_sub(self.elapsed).max(by_day)
    }
}

pub(crate) trait Random: fmt::Debug + Send + Sync {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error>;
}

#[derive(Clone, Debug)]
pub(crate) struct Runtime {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Default for Runtime {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock { start: Instant::now() }), random: Arc::new(SystemRandom) }
    }
}

/// The longest duration that is read from a server, 100 years: every clock can add it without an overflow.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A number of seconds that a server sent, limited to the range from zero to [`MAX_DURATION`].
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.clamp(0.0, MAX_DURATION.as_secs_f64())).unwrap_or_default()
}

#[derive(Debug)]
struct SystemClock {
    start: Instant,
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[derive(Debug)]
struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(bytes).map_err(Error::randomness)
    }
}
