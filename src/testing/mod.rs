//! For tests: an AuthKit inside the process, a clock that is moved by hand, and reproducible randomness.

mod clock;

pub use clock::ManualClock;
pub(crate) use clock::SeededRandom;
