//! Values that all of the in-process AuthKit makes or compares: random IDs, secrets and times.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use subtle::ConstantTimeEq;

use crate::wire;

pub(super) fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// 128 random bits in hexadecimal, after a prefix.
pub(super) fn random(prefix: &str) -> io::Result<String> {
    let bytes: [u8; 16] = random_bytes()?;
    Ok(format!("{prefix}{}", wire::hex(&bytes)))
}

/// Compares secrets in constant time.
pub(super) fn same(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}

pub(super) fn after(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// A time as the API writes it. All have the same length, so they can be compared as strings.
pub(super) fn api_time(time: Timestamp) -> String {
    format!("{time:.3}")
}
