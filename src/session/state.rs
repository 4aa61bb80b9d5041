//! What becomes of a session on its way through a manager.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::{RefreshError, Session, SessionParts};
use crate::credentials::HasClientId;
use crate::error::{Error, ErrorKind, TokenError};
use crate::id::{OrganizationId, RedirectUri};
use crate::model::{AuthenticationMethod, Impersonator, User};
use crate::secret::AccessToken;
use crate::token::{TokenCheck, TokenVerifier, VerifiedToken};

/// How long before its expiry a token is replaced, unless the application says otherwise.
pub(super) const AHEAD: Duration = Duration::from_secs(30);
/// How long an answer may take, unless the application says otherwise.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long a sign-out waits for the session's name at WorkOS.
pub(super) const NAMING: Duration = Duration::from_secs(1);
/// How long an access token lives of which nothing else is known: WorkOS's default.
const LIFETIME: Duration = Duration::from_secs(300);

/// What is known of a user's session at this moment.
///
/// There is no fourth way, so this enum is exhaustive.
#[derive(Clone, Debug)]
#[must_use = "match on it: only an active session lets the user in"]
pub enum SessionState {
    /// The user is signed in.
    Active(ActiveSession),
    /// The user is not, and must sign in: clear the cookie.
    SignedOut(SignedOut),
    /// Nobody can tell: the store, WorkOS or its keys are unavailable, or don't make sense. Keep the cookie, and answer 503.
    TemporarilyUnknown(Error),
}

impl SessionState {
    /// The active session, for handlers that answer everything else with an error page.
    ///
    /// # Errors
    /// Why there is none: [`ErrorKind::SignedOut`] or what made WorkOS end the session, and else the reason why nobody can
    /// tell, which [`is_transient`](Error::is_transient) in most cases.
    pub fn active(self) -> Result<ActiveSession, Error> {
        match self {
            Self::Active(session) => Ok(session),
            Self::SignedOut(SignedOut::Ended(error)) | Self::TemporarilyUnknown(error) => Err(error),
            Self::SignedOut(_) => Err(Error::signed_out()),
        }
    }
}

/// Why a user is not signed in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SignedOut {
    /// There is no such session: nobody signed in, or it was kept for as long as it may be.
    NotFound,
    /// It was signed out, or ended by WorkOS, a short while ago.
    Removed,
    /// WorkOS ended it just now; the error says why.
    Ended(Error),
    /// What is kept can't be opened: it was changed, or sealed with a password that is no longer in use.
    Unreadable(Error),
}

/// A switch to another organization that did not happen.
#[derive(Clone, Debug)]
#[must_use = "it says whether the user is still signed in"]
pub enum SwitchError {
    /// There still is a session: the user is no member, or nobody can tell at the moment. After an error that
    /// [`is_transient`](Error::is_transient) the switch may still take effect: the next session's organization says so.
    Kept(Error),
    /// There is no session any more.
    SignedOut(SignedOut),
}

impl SwitchError {
    /// Why there was no switch.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Kept(error) | Self::SignedOut(SignedOut::Ended(error) | SignedOut::Unreadable(error)) => Some(error),
            Self::SignedOut(_) => None,
        }
    }
}

impl From<SwitchError> for Error {
    fn from(error: SwitchError) -> Self {
        match error {
            SwitchError::Kept(error) | SwitchError::SignedOut(SignedOut::Ended(error)) => error,
            SwitchError::SignedOut(_) => Self::signed_out(),
        }
    }
}

impl std::error::Error for SwitchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error().and_then(std::error::Error::source)
    }
}

impl fmt::Display for SwitchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error() {
            Some(error) => error.fmt(formatter),
            None => formatter.write_str("the session was signed out"),
        }
    }
}

/// A signed-in user, by a token that was verified just now. Cloning is cheap.
///
/// It can't be refreshed by itself: whoever keeps the session does that.
#[derive(Clone)]
pub struct ActiveSession {
    parts: Arc<SessionParts>,
    token: VerifiedToken,
}

impl ActiveSession {
    /// The claims, which authorization decisions are made on.
    #[must_use]
    pub fn token(&self) -> &VerifiedToken {
        &self.token
    }

    /// Who signed in, as WorkOS said when the session was made or last refreshed.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.parts.user
    }

    /// The organization that the user signed in to.
    #[must_use]
    pub fn organization_id(&self) -> Option<&OrganizationId> {
        self.parts.organization_id.as_ref()
    }

    /// How the user signed in.
    #[must_use]
    pub fn authentication_method(&self) -> Option<&AuthenticationMethod> {
        self.parts.authentication_method.as_ref()
    }

    /// The administrator who acts as the user.
    #[must_use]
    pub fn impersonator(&self) -> Option<&Impersonator> {
        self.parts.impersonator.as_ref()
    }

    /// The access token, to be passed on to a service that verifies it, or to a
    /// [`TokenVerifier`] of custom claims.
    #[must_use]
    pub fn access_token(&self) -> &AccessToken {
        &self.parts.access_token
    }
}

impl fmt::Debug for ActiveSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ActiveSession")
            .field("user_id", &self.parts.user.id)
            .field("organization_id", &self.parts.organization_id)
            .finish_non_exhaustive()
    }
}

/// Why there is no active session.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    SignedOut(SignedOut),
    Unknown(Error),
}

impl From<Result<ActiveSession, Stop>> for SessionState {
    fn from(result: Result<ActiveSession, Stop>) -> Self {
        match result {
            Ok(session) => Self::Active(session),
            Err(Stop::SignedOut(why)) => Self::SignedOut(why),
            Err(Stop::Unknown(error)) => Self::TemporarilyUnknown(error),
        }
    }
}

impl From<Stop> for SwitchError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::SignedOut(why) => Self::SignedOut(why),
            Stop::Unknown(error) => Self::Kept(error),
        }
    }
}

impl<K> From<RefreshError<K>> for Stop {
    fn from(error: RefreshError<K>) -> Self {
        match error {
            RefreshError::Kept(kept) => Self::Unknown(kept.error().clone()),
            RefreshError::Ended(error) => Self::SignedOut(SignedOut::Ended(error)),
        }
    }
}

/// What a session's access token asks for.
pub(super) enum Need {
    Nothing(VerifiedToken),
    /// The token is good, but not for long.
    RefreshSoon(VerifiedToken),
    Refresh,
}

/// A pair is replaced for what has become of it, and not for what was wrong with it when it came: the next one would be no
/// better, where the keys are missing or this clock is ahead. `age` says how long ago this process got it, if it did.
///
/// # Errors
/// Nobody can tell. What is known against a token is never held against the session that it came with: a new one is had, or
/// the application's own configuration is wrong.
pub(super) async fn need<K>(
    session: &Session<K>,
    age: Option<Duration>,
    verifier: &TokenVerifier,
    ahead: Duration,
) -> Result<Need, Stop> {
    let check = session.check(verifier).await;
    let now = session.caller.client.core.runtime.clock.now();
    let came = age.and_then(|age| now.checked_sub(age).ok());
    let is_younger = |lifetime: Duration| age.is_some_and(|age| age < lifetime);
    match check {
        Ok(TokenCheck::Active(token)) if is_short(&token, now, ahead) => {
            let was_short = came.is_some_and(|came| is_short(&token, came, ahead));
            Ok(if was_short { Need::Nothing(token) } else { Need::RefreshSoon(token) })
        }
        Ok(TokenCheck::Active(token)) => Ok(Need::Nothing(token)),
        Ok(TokenCheck::Expired(token)) => {
            let had_expired = came.is_some_and(|came| verifier.has_expired(token.expired_at(), came));
            if had_expired && is_younger(token.lifetime().unwrap_or(LIFETIME)) {
                return Err(Stop::Unknown(Error::token(TokenError::Expired)));
            }
            Ok(Need::Refresh)
        }
        // Its key was retired before its time.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidToken(TokenError::UnknownKey)) => {
            if is_younger(LIFETIME) { Err(Stop::Unknown(error)) } else { Ok(Need::Refresh) }
        }
        Err(error) => Err(Stop::Unknown(error)),
    }
}

/// Until when somebody waits.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// What is too far away never comes.
    pub(super) fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    pub(super) fn or_after(self, time: Duration) -> Self {
        let Self(other) = Self::after(time);
        Self(self.0.into_iter().chain(other).min())
    }

    /// # Errors
    /// Nobody can tell in time.
    pub(super) async fn limit<T>(self, work: impl Future<Output = T>) -> Result<T, Stop> {
        match self.0 {
            Some(deadline) => timeout_at(deadline, work).await.map_err(|_| Stop::Unknown(Error::too_late())),
            None => Ok(work.await),
        }
    }
}

/// Of tokens that live for a few seconds only the last quarter counts, or they would be refreshed all the time.
pub(super) fn is_short(token: &VerifiedToken, now: Timestamp, ahead: Duration) -> bool {
    let lifetime = token.issued_at().map(|issued_at| left(token, issued_at));
    left(token, now) < lifetime.map_or(ahead, |lifetime| ahead.min(lifetime / 4))
}

/// How long a token is good from a moment on.
pub(super) fn left(token: &VerifiedToken, from: Timestamp) -> Duration {
    Duration::try_from(token.expires_at().duration_since(from)).unwrap_or_default()
}

/// A session whose tokens came a moment ago.
pub(super) async fn fresh<K>(session: Session<K>, verifier: &TokenVerifier) -> Result<ActiveSession, Stop> {
    let token = match session.check(verifier).await.and_then(TokenCheck::active) {
        Ok(token) => token,
        Err(error) => return Err(Stop::Unknown(error)),
    };
    Ok(active(session, token))
}

pub(super) fn active<K>(session: Session<K>, token: VerifiedToken) -> ActiveSession {
    ActiveSession { parts: Arc::new(session.into_parts()), token }
}

/// The URL that ends a session at WorkOS, where its name is known for certain within a moment.
pub(super) async fn goodbye<K: HasClientId>(
    session: &Session<K>,
    verifier: &TokenVerifier,
    return_to: Option<&RedirectUri>,
) -> Option<Url> {
    match timeout(NAMING, session.check(verifier)).await.ok()?.ok()? {
        TokenCheck::Active(token) => Some(session.caller.client.logout_url(&token, return_to)),
        TokenCheck::Expired(token) => Some(session.caller.client.logout_url(&token, return_to)),
    }
}
