//! What is retried, and which value is returned to the caller: one table for every request.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, RETRY_AFTER};
use http::{Response, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::{TransportError, TransportErrorKind};
use crate::error::{Error, ErrorCode};
use crate::runtime::{MAX_DURATION, Random, seconds};

/// The kind of a request, which is its row in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// A request that changes nothing.
    Read,
    /// The signing keys, for which callers that check a token may wait.
    Keys,
    /// A token of a machine, for its client ID and secret, which aren't used up (RFC 6749 §4.4).
    MachineToken,
    /// The validation of a customer's API key, which changes nothing, and for which the customer's request waits.
    Validation,
    /// A refresh: the API answers a replay of the same token with the same pair for a short while.
    Refresh,
    /// The exchange of an authorization code, which must not be used twice (RFC 6749 §4.1.2).
    CodeExchange,
    /// A password, a one-time code or another answer of the user, or a call between two steps of a login.
    Credential,
    /// One poll of a device login, whose loop sends the next one.
    DevicePoll,
    /// A change through the API, or a request for a device code.
    Write,
}

/// One row of the table.
pub(crate) struct Rule {
    /// Retried when no connection was made.
    not_sent: bool,
    /// Retried after a complete reply of 429.
    throttled: bool,
    /// Retried when the outcome is ambiguous: bytes were sent, and no complete reply or a 5xx arrived.
    ambiguous: bool,
    /// When the value is returned to the caller after the last attempt.
    returns: Returns,
    /// How long one attempt may take, if that is less than the client's timeout.
    pub(crate) attempt: Option<Duration>,
    /// How long after the first attempt the last one may begin.
    budget: Option<Duration>,
    /// How long the API answers the same request with the same result. After an ambiguous outcome the request is retried for that
    /// time, and no wait exceeds it.
    window: Option<Duration>,
}

/// When a failed call returns the value that it consumed. It is always returned when nothing was sent, or when the API didn't process
/// the request (429).
enum Returns {
    /// In no other case: no value was consumed, or a new one can be requested.
    WhenUnused,
    /// Also after a refusal that doesn't end the login. After an ambiguous outcome the value may be used up.
    UnlessUsed,
    /// Also after such a refusal and after an ambiguous outcome: the user may send the same answer again.
    UnlessEnded,
    /// Also after an ambiguous outcome, but not after a refusal.
    WhileTransient,
    /// In every case, unless the API said that the token is no longer valid.
    UnlessInvalidGrant,
}

/// The state of a request after one of its attempts.
pub(crate) struct Progress {
    /// Attempts before this one.
    pub(crate) attempt: u32,
    /// The time since the first attempt began.
    pub(crate) elapsed: Duration,
    /// The time since the first attempt with an ambiguous outcome began.
    pub(crate) ambiguous: Option<Duration>,
}

/// Statuses of servers and proxies after which it is unknown whether the request was processed. Cloudflare sends 520 to 525, 529 and
/// 530; other proxies that lost a connection send 598 and 599.
const AMBIGUOUS_STATUSES: [u16; 15] = [408, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 529, 530, 598, 599];
/// The maximum number of retries, unless the application sets another. It doesn't limit a request with a window after an ambiguous
/// outcome.
pub(crate) const DEFAULT_RETRIES: u32 = 3;
const BACKOFF_BASE: Duration = Duration::from_millis(250);
const BACKOFF_CAP: Duration = Duration::from_secs(8);
const RETRY_AFTER_CAP: Duration = Duration::from_secs(60);
/// How long a refresh is retried. The API replays it for about 30 s; the difference is for the last attempt to arrive.
const REPLAY_WINDOW: Duration = Duration::from_secs(25);

const NEVER: Rule = Rule {
    not_sent: false,
    throttled: false,
    ambiguous: false,
    returns: Returns::WhenUnused,
    attempt: None,
    budget: None,
    window: None,
};

impl RequestKind {
    pub(crate) const fn rule(self) -> Rule {
        match self {
            Self::Read => Rule { not_sent: true, throttled: true, ambiguous: true, ..NEVER },
            Self::Keys | Self::MachineToken | Self::Validation => Rule {
                not_sent: true,
                throttled: true,
                ambiguous: true,
                attempt: Some(Duration::from_secs(5)),
                budget: Some(Duration::from_secs(10)),
                ..NEVER
            },
            Self::Refresh => Rule {
                not_sent: true,
                throttled: true,
                ambiguous: true,
                returns: Returns::UnlessInvalidGrant,
                attempt: Some(Duration::from_secs(8)),
                window: Some(REPLAY_WINDOW),
                ..NEVER
            },
            Self::CodeExchange => Rule { not_sent: true, throttled: true, returns: Returns::UnlessUsed, ..NEVER },
            Self::Credential => Rule { not_sent: true, throttled: true, returns: Returns::UnlessEnded, ..NEVER },
            Self::DevicePoll => Rule { returns: Returns::WhileTransient, ..NEVER },
            Self::Write => Rule { not_sent: true, throttled: true, ..NEVER },
        }
    }

    /// Until when the caller may send the same credential again after an attempt whose outcome is ambiguous.
    pub(crate) fn replay_before(self, ambiguous_since: Timestamp) -> Option<Timestamp> {
        ambiguous_since.checked_add(self.rule().window?).ok()
    }

    /// Whether a failed call gives back the value that it consumed. `unused`: the request did not leave, or was turned away unread.
    pub(crate) fn returns(self, unused: bool, error: &Error) -> bool {
        unused
            || match self.rule().returns {
                Returns::WhenUnused => false,
                Returns::UnlessUsed => goes_on(error),
                Returns::UnlessEnded => error.is_transient() || goes_on(error),
                Returns::WhileTransient => error.is_transient(),
                Returns::UnlessInvalidGrant => error.code() != Some(&ErrorCode::InvalidGrant),
            }
    }
}

/// Whether a login goes on after this refusal: the API said what is wrong with the request, and the user or the application can
/// correct it. Other statuses than those of a refusal say nothing about the login, so that only the code counts.
fn goes_on(error: &Error) -> bool {
    match error.status() {
        Some(status) if is_refusal(status) => !error.code().is_some_and(ends_login),
        _ => matches!(
            error.code(),
            Some(
                ErrorCode::InvalidCredentials
                    | ErrorCode::InvalidOneTimeCode
                    | ErrorCode::OneTimeCodePreviouslyUsed
                    | ErrorCode::OneTimeCodeExpired
                    | ErrorCode::EmailVerificationCodeIncorrect
            )
        ),
    }
}

/// Whether the API has processed the request and refused its content.
pub(crate) fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY)
}

/// The error codes that end a login: the same authorization code or token will be refused again, whatever is sent with it.
///
/// All others are about the user's answer, which can be different next time (a wrong or expired one-time code, an organization, an
/// invitation), or about the application (its secret, its settings).
fn ends_login(code: &ErrorCode) -> bool {
    matches!(
        code,
        // The authorization code or refresh token is unknown, expired or used, or its verifier is wrong (RFC 6749 §5.2).
        ErrorCode::InvalidGrant
            // The login began without a challenge, so that no verifier matches (RFC 7636 §4.6), or PKCE isn't supported.
            | ErrorCode::CodeChallengeNotFound
            | ErrorCode::PkceNotSupported
            // The token that continues the login is no longer valid, or belongs to another user.
            | ErrorCode::InvalidPendingAuthenticationToken
            | ErrorCode::UserMismatch
            | ErrorCode::OneTimeCodeTooManyAttempts
            // RFC 8628 §3.5.
            | ErrorCode::ExpiredToken
            | ErrorCode::AccessDenied
    )
}

impl Rule {
    /// How long to wait before the next attempt, or `None` if there is none. `wait` is the wait by backoff or by the API's advice; it
    /// draws a random number, so it is called only if needed.
    pub(crate) fn next(
        &self,
        verdict: Verdict,
        progress: &Progress,
        retries: u32,
        wait: impl FnOnce() -> Duration,
    ) -> Option<Duration> {
        let repeatable = match verdict {
            Verdict::NotSent => self.not_sent,
            Verdict::Throttled => self.throttled,
            Verdict::Ambiguous => self.ambiguous,
            Verdict::Insecure | Verdict::Answered | Verdict::Settled => false,
        };
        if !repeatable || retries == 0 {
            return None;
        }
        let wait = wait();
        match (self.window, progress.ambiguous) {
            // The credential may be used up: only a replay returns what it was exchanged for.
            (Some(window), Some(since)) => {
                window.checked_sub(since).filter(|left| !left.is_zero()).map(|left| wait.min(left))
            }
            (Some(window), None) if progress.elapsed + wait > window => None,
            _ if self.budget.is_some_and(|budget| progress.elapsed + wait > budget) => None,
            _ => (progress.attempt < retries).then_some(wait),
        }
    }
}

/// What the outcome of an attempt means for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    NotSent,
    /// No secure connection could be made: nothing was sent, and another attempt would fail too.
    Insecure,
    Throttled,
    Ambiguous,
    /// The API processed the request. If its reply can't be read, the credential is used up anyway.
    Answered,
    /// A complete reply, which another attempt would not change.
    Settled,
}

impl Verdict {
    pub(crate) fn of(outcome: &Result<Response<Bytes>, TransportError>) -> Self {
        match outcome {
            Ok(response) => match response.status() {
                StatusCode::TOO_MANY_REQUESTS => Self::Throttled,
                status if AMBIGUOUS_STATUSES.contains(&status.as_u16()) => Self::Ambiguous,
                status if status.is_success() => Self::Answered,
                _ => Self::Settled,
            },
            Err(error) => match error.kind() {
                TransportErrorKind::NotSent => Self::NotSent,
                TransportErrorKind::Certificate | TransportErrorKind::Tls => Self::Insecure,
                TransportErrorKind::Timeout | TransportErrorKind::Interrupted => Self::Ambiguous,
                TransportErrorKind::TooLarge => Self::Answered,
            },
        }
    }
}

/// Exponential backoff with full jitter. The API's advice takes precedence, unless it is zero.
pub(crate) fn backoff(attempt: u32, advised: Option<Duration>, random: &dyn Random) -> Duration {
    if let Some(advised) = advised.filter(|advised| !advised.is_zero()) {
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
pub(crate) fn retry_after(headers: &HeaderMap, now: impl FnOnce() -> Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.parse().ok().map(seconds);
    }
    let date = DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(date.duration_since(now())).unwrap_or(Duration::ZERO).min(MAX_DURATION))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ApiError, ErrorKind};
    #[cfg(feature = "server")]
    use crate::runtime::{Moment, Runtime};
    use crate::transport::Reply;

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
        assert_eq!(backoff(0, Some(Duration::ZERO), &Always(0xff)), BACKOFF_BASE, "no time is no advice");
    }

    #[test]
    fn an_ambiguous_refresh_is_repeated_until_its_window_closes() {
        let rule = RequestKind::Refresh.rule();
        let seconds = Duration::from_secs;
        let next = |attempt, elapsed, ambiguous: Option<u64>, wait| {
            let progress = Progress { attempt, elapsed: seconds(elapsed), ambiguous: ambiguous.map(seconds) };
            rule.next(Verdict::Throttled, &progress, DEFAULT_RETRIES, || seconds(wait))
        };
        assert_eq!(next(90, 20, Some(20), 1), Some(seconds(1)), "it does not matter how often");
        assert_eq!(next(90, 24, Some(20), 60), Some(seconds(5)), "no wait goes past the window");
        assert_eq!(next(1, 25, Some(25), 1), None, "the window is over");
        assert_eq!(next(2, 20, None, 1), Some(seconds(1)), "nothing is at stake");
        assert_eq!(next(3, 20, None, 1), None, "nothing is at stake");
        assert_eq!(next(0, 0, None, 60), None, "a wait past the window is left to the caller");
    }

    /// Whether the value of a call comes back after this reply.
    fn comes_back_after(kind: RequestKind, status: u16, code: Option<ErrorCode>) -> bool {
        let status = StatusCode::from_u16(status).unwrap();
        let (request_id, retry_after, replay_before) = (None, None, None);
        let reply = Reply {
            status,
            request_id,
            body: Bytes::new(),
            #[cfg(feature = "server")]
            asked: Moment::now(&*Runtime::default().clock),
            kind,
            retry_after,
            replay_before,
        };
        reply.failure(ErrorKind::Api(ApiError { code, message: None })).rejecting(()).recover().is_ok()
    }

    #[test]
    fn what_comes_back_is_decided_by_one_table() {
        use RequestKind::{CodeExchange, Credential, DevicePoll, Keys, MachineToken, Read, Refresh, Validation, Write};
        for (kind, expected) in [
            // Not sent, 429, 503, the reply was lost; then 400 with: invalid_grant, user_mismatch, another code, none.
            (Read, [true, true, false, false, false, false, false, false]),
            (Keys, [true, true, false, false, false, false, false, false]),
            (MachineToken, [true, true, false, false, false, false, false, false]),
            (Validation, [true, true, false, false, false, false, false, false]),
            (Refresh, [true, true, true, true, false, true, true, true]),
            (CodeExchange, [true, true, false, false, false, false, true, true]),
            (Credential, [true, true, true, true, false, false, true, true]),
            (DevicePoll, [true, true, true, true, false, false, false, false]),
            (Write, [true, true, false, false, false, false, false, false]),
        ] {
            let found = [
                kind.returns(true, &Error::with_source(ErrorKind::NotSent, None)),
                comes_back_after(kind, 429, None),
                comes_back_after(kind, 503, None),
                kind.returns(false, &Error::with_source(ErrorKind::Interrupted, None)),
                comes_back_after(kind, 400, Some(ErrorCode::InvalidGrant)),
                comes_back_after(kind, 400, Some(ErrorCode::UserMismatch)),
                comes_back_after(kind, 400, Some(ErrorCode::InvitationInvalid)),
                comes_back_after(kind, 400, None),
            ];
            assert_eq!(found, expected, "{kind:?}");
        }
    }

    #[test]
    fn retry_after_reads_seconds_and_dates() -> Result<(), Box<dyn std::error::Error>> {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse()?;
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().ok()?);
            retry_after(&headers, || now)
        };
        assert_eq!(read("12"), Some(Duration::from_secs(12)));
        assert_eq!(read("18446744073709551615"), Some(MAX_DURATION));
        assert_eq!(read(&"9".repeat(400)), Some(MAX_DURATION));
        assert_eq!(read("Thu, 30 Dec 9999 12:00:00 GMT"), Some(MAX_DURATION));
        assert_eq!(read("1.5"), None);
        assert_eq!(read("Fri, 02 Jan 2026 03:04:35 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Fri, 02 Jan 2026 03:03:35 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-5"), None);
        Ok(())
    }
}
