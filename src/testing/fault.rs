//! Faults that the in-process AuthKit is told to have.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

/// What goes wrong with a request to an [`AuthKit`](super::AuthKit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// This status, and nothing is done; with `Retry-After` in seconds, where it is given.
    Status(u16, Option<u64>),
    /// The request is done, and the reply comes after this time.
    Slow(Duration),
    /// Nothing is done, and no reply ever comes.
    Stall,
    /// Nothing is done, and the connection is closed.
    LostBefore,
    /// The request is done, and the connection is closed instead of the reply.
    LostAfter,
    /// The request is done, and the connection is closed in the middle of the reply.
    Truncated,
}

/// The faults that are still to come, by path.
#[derive(Default)]
pub(super) struct Faults(HashMap<String, (Fault, Lasting)>);

enum Lasting {
    Times(usize),
    Until(Timestamp),
}

impl Faults {
    pub(super) fn inject(&mut self, path: &str, fault: Fault, times: usize) {
        self.0.insert(path.to_owned(), (fault, Lasting::Times(times)));
    }

    pub(super) fn inject_until(&mut self, path: &str, fault: Fault, end: Timestamp) {
        self.0.insert(path.to_owned(), (fault, Lasting::Until(end)));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn take(&mut self, path: &str, now: Timestamp) -> Option<Fault> {
        let (fault, lasting) = self.0.get_mut(path)?;
        match lasting {
            Lasting::Times(times) => *times = times.checked_sub(1)?,
            Lasting::Until(end) if now >= *end => return None,
            Lasting::Until(_) => {}
        }
        Some(*fault)
    }
}
