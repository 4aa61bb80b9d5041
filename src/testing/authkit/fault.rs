//! Faults that a test injects into the in-process AuthKit.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::endpoint::Endpoint;

/// What goes wrong with a request to an [`AuthKit`](super::AuthKit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The request isn't processed. The reply has this status and, if given, `Retry-After` in seconds.
    Status(u16, Option<u64>),
    /// The request is processed. The reply comes after this time.
    Slow(Duration),
    /// The request isn't processed. No reply comes, and the connection stays open.
    Stall,
    /// The request isn't processed. The connection is closed without a reply.
    LostBefore,
    /// The request is processed. The connection is closed without a reply.
    LostAfter,
    /// The request is processed. The connection is closed in the middle of the reply.
    Truncated,
}

/// The injected faults.
#[derive(Default)]
pub(super) struct Faults(HashMap<Endpoint, (Fault, Remaining)>);

/// How long a fault goes on.
enum Remaining {
    Times(usize),
    Until(Timestamp),
}

impl Faults {
    pub(super) fn inject(&mut self, endpoint: Endpoint, fault: Fault, times: usize) {
        self.0.insert(endpoint, (fault, Remaining::Times(times)));
    }

    pub(super) fn inject_until(&mut self, endpoint: Endpoint, fault: Fault, end: Timestamp) {
        self.0.insert(endpoint, (fault, Remaining::Until(end)));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that the next request meets: that of its endpoint, or else that of all of them.
    pub(super) fn take(&mut self, endpoint: Option<Endpoint>, now: Timestamp) -> Option<Fault> {
        endpoint.and_then(|endpoint| self.take_from(endpoint, now)).or_else(|| self.take_from(Endpoint::All, now))
    }

    fn take_from(&mut self, endpoint: Endpoint, now: Timestamp) -> Option<Fault> {
        let (fault, remaining) = self.0.get_mut(&endpoint)?;
        match remaining {
            Remaining::Times(times) => *times = times.checked_sub(1)?,
            Remaining::Until(end) if now >= *end => return None,
            Remaining::Until(_) => {}
        }
        Some(*fault)
    }
}
