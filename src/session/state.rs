//! What becomes of a session on its way through a manager.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::parts::{Session, SessionParts};
use crate::error::{Error, ErrorKind, TokenError};
use crate::id::{OrganizationId, RedirectUri};
use crate::model::{AuthenticationMethod, Impersonator, User};
use crate::secret::AccessToken;
use crate::token::{NotVerified, TokenVerifier, VerifiedToken};
use crate::wire;

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
    Active(SignedIn),
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
    pub fn active(self) -> Result<SignedIn, Error> {
        match self {
            Self::Active(session) => Ok(session),
            Self::SignedOut(signed_out) => Err(signed_out.into()),
            Self::TemporarilyUnknown(error) => Err(error),
        }
    }
}

/// Evidence that a session is over: what [`SessionCookie::clear`](super::SessionCookie::clear) asks for. Only this crate makes one,
/// and an outage is never one.
#[derive(Clone, Debug)]
pub struct SignedOut {
    reason: SignedOutReason,
    error: Option<Error>,
}

/// Why a user is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedOutReason {
    /// There is no such session: nobody signed in, or the time for which it may be kept is over.
    NotFound,
    /// It was signed out, or ended by WorkOS, a short while ago.
    Removed,
    /// The user signed out just now.
    ByTheUser,
    /// WorkOS ended it; [`SignedOut::error`] says why.
    Ended,
    /// What is kept can't be opened: it was changed, or sealed with a password that is no longer in use.
    Unreadable,
}

impl SignedOut {
    fn because(reason: SignedOutReason) -> Self {
        Self { reason, error: None }
    }

    pub(crate) fn not_found() -> Self {
        Self::because(SignedOutReason::NotFound)
    }

    pub(crate) fn removed() -> Self {
        Self::because(SignedOutReason::Removed)
    }

    pub(crate) fn by_the_user() -> Self {
        Self::because(SignedOutReason::ByTheUser)
    }

    pub(crate) fn ended(error: Error) -> Self {
        Self { reason: SignedOutReason::Ended, error: Some(error) }
    }

    pub(crate) fn unreadable(error: Error) -> Self {
        Self { reason: SignedOutReason::Unreadable, error: Some(error) }
    }

    /// Why the session is over.
    #[must_use]
    pub fn reason(&self) -> SignedOutReason {
        self.reason
    }

    /// What WorkOS said when it ended the session, or why it can't be opened.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

impl fmt::Display for SignedOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.reason {
            SignedOutReason::NotFound => "there is no such session",
            SignedOutReason::Removed => "the session was signed out a short while ago",
            SignedOutReason::ByTheUser => "the session was signed out",
            SignedOutReason::Ended => "the session was ended by WorkOS",
            SignedOutReason::Unreadable => "the session can't be opened",
        })
    }
}

impl std::error::Error for SignedOut {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.as_ref().map(|error| error as _)
    }
}

/// What WorkOS said, or [`ErrorKind::SignedOut`].
impl From<SignedOut> for Error {
    fn from(signed_out: SignedOut) -> Self {
        signed_out.error.unwrap_or_else(Self::signed_out)
    }
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

impl From<SwitchError> for Error {
    fn from(error: SwitchError) -> Self {
        match error {
            SwitchError::Kept(error) => error,
            SwitchError::SignedOut(signed_out) => signed_out.into(),
        }
    }
}

impl std::error::Error for SwitchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Kept(error) => error.source(),
            Self::SignedOut(signed_out) => signed_out.source(),
        }
    }
}

impl fmt::Display for SwitchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept(error) => error.fmt(formatter),
            Self::SignedOut(signed_out) => signed_out.fmt(formatter),
        }
    }
}

/// A signed-in user, by a token that was verified just now. Cloning is cheap.
///
/// It can't be refreshed by itself: whoever keeps the session does that.
#[derive(Clone)]
pub struct SignedIn {
    parts: Arc<SessionParts>,
    token: VerifiedToken,
}

impl SignedIn {
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

    /// The organization that the user signed in to (`org_id`).
    #[must_use]
    pub fn organization_id(&self) -> Option<&OrganizationId> {
        self.token.organization_id()
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

impl fmt::Debug for SignedIn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignedIn")
            .field("user_id", &self.parts.user.id)
            .field("organization_id", &self.organization_id())
            .finish_non_exhaustive()
    }
}

/// Why there is no active session.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    SignedOut(SignedOut),
    Unknown(Error),
}

impl SessionState {
    pub(super) fn of(outcome: Result<SignedIn, Stop>) -> Self {
        match outcome {
            Ok(signed_in) => Self::Active(signed_in),
            Err(Stop::SignedOut(why)) => Self::SignedOut(why),
            Err(Stop::Unknown(error)) => Self::TemporarilyUnknown(error),
        }
    }
}

impl SwitchError {
    pub(super) fn of(stop: Stop) -> Self {
        match stop {
            Stop::SignedOut(why) => Self::SignedOut(why),
            Stop::Unknown(error) => Self::Kept(error),
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
    let verified = session.verify(verifier).await;
    let now = session.caller.client.core.runtime.clock.now();
    let came = age.and_then(|age| now.checked_sub(age).ok());
    let is_younger = |lifetime: Duration| age.is_some_and(|age| age < lifetime);
    match verified {
        Ok(token) if is_short(&token, now, ahead) => {
            let was_short = came.is_some_and(|came| is_short(&token, came, ahead));
            Ok(if was_short { Need::Nothing(token) } else { Need::RefreshSoon(token) })
        }
        Ok(token) => Ok(Need::Nothing(token)),
        Err(NotVerified::Expired(token)) => {
            let had_expired = came.is_some_and(|came| verifier.has_expired(token.expired_at(), came));
            if had_expired && is_younger(token.lifetime().unwrap_or(LIFETIME)) {
                return Err(Stop::Unknown(Error::token(TokenError::Expired)));
            }
            Ok(Need::Refresh)
        }
        // Its key was retired before its time.
        Err(NotVerified::Invalid(error)) if matches!(error.kind(), ErrorKind::InvalidToken(TokenError::UnknownKey)) => {
            if is_younger(LIFETIME) {
                Err(Stop::Unknown(error))
            } else {
                Ok(Need::Refresh)
            }
        }
        Err(NotVerified::Invalid(error) | NotVerified::KeysUnavailable(error)) => Err(Stop::Unknown(error)),
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
pub(super) async fn fresh<K>(session: Session<K>, verifier: &TokenVerifier) -> Result<SignedIn, Stop> {
    match session.verify(verifier).await {
        Ok(token) => Ok(active(session, token)),
        Err(not_verified) => Err(Stop::Unknown(not_verified.error())),
    }
}

pub(super) fn active<K>(session: Session<K>, token: VerifiedToken) -> SignedIn {
    SignedIn { parts: Arc::new(session.parts), token }
}

/// The URL that ends a session at WorkOS, where its ID is known for certain within a moment.
pub(super) async fn logout_url<K>(
    session: &Session<K>,
    verifier: &TokenVerifier,
    return_to: Option<&RedirectUri>,
) -> Option<Url> {
    let base_url = &session.caller.client.core.base_url;
    match timeout(NAMING, session.verify(verifier)).await.ok()? {
        Ok(token) => Some(wire::logout_url(base_url, token.session_id(), return_to)),
        Err(NotVerified::Expired(token)) => Some(wire::logout_url(base_url, token.session_id(), return_to)),
        Err(_) => None,
    }
}
