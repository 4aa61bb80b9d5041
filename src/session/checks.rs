//! Whether a session's tokens must be renewed, and how long a caller waits for the answer.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::parts::Session;
use super::state::{SignedIn, Stop};
use crate::error::{Error, ErrorKind, TokenError};
use crate::token::{NotVerified, TokenVerifier, VerifiedToken};

/// How long before its expiry an access token is replaced, unless the application says otherwise.
const REFRESH_AHEAD: Duration = Duration::from_secs(30);
/// How long an answer may take, unless the application says otherwise.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long an access token is valid whose lifetime is unknown: WorkOS's default.
const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_secs(300);

/// How an application's sessions are checked.
#[derive(Clone)]
pub(super) struct Checks {
    pub(super) verifier: TokenVerifier,
    pub(super) refresh_ahead: Duration,
    pub(super) answer_within: Duration,
}

/// What an access token asks for.
pub(super) enum Need {
    Nothing(VerifiedToken),
    /// The token is valid, but not for long.
    RefreshSoon(VerifiedToken),
    Refresh,
}

impl Checks {
    pub(super) fn new(verifier: TokenVerifier) -> Self {
        Self { verifier, refresh_ahead: REFRESH_AHEAD, answer_within: ANSWER_WITHIN }
    }

    /// When a caller who asks now must have an answer.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline::after(self.answer_within)
    }

    /// What a session's access token asks for. `age` says how long ago this process got it, if it did.
    ///
    /// # Errors
    /// Nobody can tell. A token that is invalid says nothing against its session: the next one is valid, or the application's own
    /// configuration is wrong.
    pub(super) async fn need<K>(&self, session: &Session<K>, age: Option<Duration>) -> Result<Need, Stop> {
        self.need_ahead(session, age, self.refresh_ahead).await
    }

    /// The same for a session whose access token is replaced this long before its expiry.
    ///
    /// What was already wrong with a token when it came is no reason to refresh: if keys are missing or this clock is ahead, the next
    /// token would be no better.
    pub(super) async fn need_ahead<K>(
        &self,
        session: &Session<K>,
        age: Option<Duration>,
        ahead: Duration,
    ) -> Result<Need, Stop> {
        let result = session.verify(&self.verifier).await;
        let now = session.caller.client.core.runtime.clock.now();
        let arrival = age.and_then(|age| now.checked_sub(age).ok());
        let is_younger = |lifetime: Duration| age.is_some_and(|age| age < lifetime);
        match result {
            Ok(token) if is_short(&token, now, ahead) => {
                let was_short = arrival.is_some_and(|arrival| is_short(&token, arrival, ahead));
                Ok(if was_short { Need::Nothing(token) } else { Need::RefreshSoon(token) })
            }
            Ok(token) => Ok(Need::Nothing(token)),
            Err(NotVerified::Expired(token)) => {
                let had_expired = arrival.is_some_and(|at| self.verifier.has_expired(token.expired_at(), at));
                if had_expired && is_younger(token.lifetime().unwrap_or(DEFAULT_TOKEN_LIFETIME)) {
                    return Err(Stop::Unknown(Error::token(TokenError::Expired)));
                }
                Ok(Need::Refresh)
            }
            // Its key was retired early.
            Err(NotVerified::Invalid(error)) if is_unknown_key(&error) && !is_younger(DEFAULT_TOKEN_LIFETIME) => {
                Ok(Need::Refresh)
            }
            Err(NotVerified::Invalid(error) | NotVerified::KeysUnavailable(error)) => Err(Stop::Unknown(error)),
        }
    }

    /// The signed-in user of a session whose tokens came just now.
    pub(super) async fn activate<K>(&self, session: Session<K>) -> Result<SignedIn, Stop> {
        match session.verify(&self.verifier).await {
            Ok(token) => Ok(SignedIn::new(session, token)),
            Err(not_verified) => Err(Stop::Unknown(not_verified.error())),
        }
    }
}

fn is_unknown_key(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidToken(TokenError::UnknownKey))
}

/// Whether a token is about to expire. A token that is valid for some seconds only counts as such in its last quarter, or it would be
/// refreshed all the time.
fn is_short(token: &VerifiedToken, now: Timestamp, ahead: Duration) -> bool {
    let lifetime = token.issued_at().map(|issued_at| time_left(token, issued_at));
    time_left(token, now) < lifetime.map_or(ahead, |lifetime| ahead.min(lifetime / 4))
}

/// How long a token is valid from a moment on.
pub(super) fn time_left(token: &VerifiedToken, from: Timestamp) -> Duration {
    Duration::try_from(token.expires_at().duration_since(from)).unwrap_or_default()
}

/// How long a caller waits.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// A time that is too long to add never ends.
    fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// The earlier of both.
    pub(super) fn or_after(self, time: Duration) -> Self {
        let Self(other) = Self::after(time);
        Self(self.0.into_iter().chain(other).min())
    }

    /// # Errors
    /// The work is not done in time.
    pub(super) async fn limit<T>(self, work: impl Future<Output = T>) -> Result<T, Stop> {
        match self.0 {
            Some(deadline) => timeout_at(deadline, work).await.map_err(|_| Stop::Unknown(Error::too_late())),
            None => Ok(work.await),
        }
    }
}
