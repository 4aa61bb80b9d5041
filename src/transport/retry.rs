//! What may be sent again: one table for every request.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, RETRY_AFTER};
use http::{Response, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::{TransportError, TransportErrorKind};
use crate::runtime::{LONGEST, Random, seconds};

/// Which row of the retry table a request is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A request that changes nothing.
    Read,
    /// A refresh: the API answers a replay of the same token with the same pair for a short while.
    Refresh,
    /// A code, password or other credential that must not arrive twice.
    Credential,
    /// A poll of a device login: its loop sends the next one in its own time.
    Poll,
}

/// One row of the table.
pub(crate) struct Rule {
    /// No connection was made.
    not_sent: bool,
    /// A complete reply of 429 came.
    throttled: bool,
    /// Bytes left, and no complete reply or a 5xx came.
    ambiguous: bool,
    /// How long one attempt may take, besides the client's own timeout.
    pub(crate) attempt: Option<Duration>,
    /// How long after the first attempt the last one may start.
    pub(crate) budget: Option<Duration>,
}

/// Tries after the first one.
const RETRIES: u32 = 3;
const BACKOFF_BASE: Duration = Duration::from_millis(250);
const BACKOFF_CAP: Duration = Duration::from_secs(8);
const RETRY_AFTER_CAP: Duration = Duration::from_secs(60);
/// The API replays a refresh for about 30 s; what is left of it is for the last attempt to arrive.
const REPLAY_WINDOW: Duration = Duration::from_secs(25);

impl Repeat {
    pub(crate) const fn rule(self) -> Rule {
        match self {
            Self::Read => Rule { not_sent: true, throttled: true, ambiguous: true, attempt: None, budget: None },
            Self::Refresh => Rule {
                not_sent: true,
                throttled: true,
                ambiguous: true,
                attempt: Some(Duration::from_secs(8)),
                budget: Some(REPLAY_WINDOW),
            },
            Self::Credential => Rule { not_sent: true, throttled: true, ambiguous: false, attempt: None, budget: None },
            Self::Poll => Rule { not_sent: false, throttled: false, ambiguous: false, attempt: None, budget: None },
        }
    }

    /// Until when the caller may send the same credential again after an ambiguous outcome.
    pub(crate) fn replay_before(self, ambiguous_since: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Refresh => ambiguous_since.checked_add(REPLAY_WINDOW).ok(),
            Self::Read | Self::Credential | Self::Poll => None,
        }
    }
}

impl Rule {
    pub(crate) fn allows(&self, verdict: Verdict, attempt: u32) -> bool {
        attempt < RETRIES
            && match verdict {
                Verdict::NotSent => self.not_sent,
                Verdict::Throttled => self.throttled,
                Verdict::Ambiguous => self.ambiguous,
                Verdict::Answered | Verdict::Settled => false,
            }
    }
}

/// What an attempt says about repeating it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    NotSent,
    Throttled,
    Ambiguous,
    /// The API did as it was asked; if its reply can't be read, the credential is used up all the same.
    Answered,
    /// A complete reply that another attempt would not change.
    Settled,
}

impl Verdict {
    pub(crate) fn of(outcome: &Result<Response<Bytes>, TransportError>) -> Self {
        match outcome {
            Ok(response) => match response.status() {
                StatusCode::TOO_MANY_REQUESTS => Self::Throttled,
                StatusCode::REQUEST_TIMEOUT
                | StatusCode::INTERNAL_SERVER_ERROR
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => Self::Ambiguous,
                status if status.is_success() => Self::Answered,
                _ => Self::Settled,
            },
            Err(error) => match error.kind() {
                TransportErrorKind::NotSent => Self::NotSent,
                TransportErrorKind::Timeout | TransportErrorKind::Interrupted => Self::Ambiguous,
                TransportErrorKind::TooLarge => Self::Answered,
            },
        }
    }
}

/// Exponential backoff with full jitter; the API's own advice wins.
pub(crate) fn backoff(attempt: u32, advised: Option<Duration>, random: &dyn Random) -> Duration {
    if let Some(advised) = advised {
        return advised.min(RETRY_AFTER_CAP);
    }
    let ceiling = BACKOFF_BASE.saturating_mul(1 << attempt.min(8)).min(BACKOFF_CAP);
    let mut bytes = [0; 4];
    match random.fill(&mut bytes) {
        Ok(()) => ceiling.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)),
        Err(_) => ceiling,
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.parse().ok().map(seconds);
    }
    let date = DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[derive(Debug)]
    struct Always(u8);

    impl Random for Always {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn backoff_doubles_from_250_ms_to_8_s_and_jitters_down_to_nothing() {
        let waits = [0, 1, 2, 3, 5, 6, 31].map(|attempt| backoff(attempt, None, &Always(0xff)).as_millis());
        assert_eq!(waits, [250, 500, 1000, 2000, 8000, 8000, 8000]);
        assert_eq!(backoff(3, None, &Always(0)), Duration::ZERO);
    }

    #[test]
    fn advice_wins_over_backoff_and_is_capped() {
        assert_eq!(backoff(0, Some(Duration::from_secs(7)), &Always(0)), Duration::from_secs(7));
        assert_eq!(backoff(0, Some(Duration::from_secs(3600)), &Always(0)), Duration::from_secs(60));
    }

    #[test]
    fn retry_after_reads_seconds_and_dates() -> Result<(), Box<dyn std::error::Error>> {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse()?;
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().ok()?);
            retry_after(&headers, now)
        };
        assert_eq!(read("12"), Some(Duration::from_secs(12)));
        assert_eq!(read("18446744073709551615"), Some(LONGEST));
        assert_eq!(read(&"9".repeat(400)), Some(LONGEST));
        assert_eq!(read("Fri, 31 Dec 9999 23:59:59 GMT"), Some(LONGEST));
        assert_eq!(read("1.5"), None);
        assert_eq!(read("Fri, 02 Jan 2026 03:04:35 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Fri, 02 Jan 2026 03:03:35 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-5"), None);
        Ok(())
    }
}
