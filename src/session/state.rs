//! The answers of the types that keep sessions: active, signed out, or temporarily unknown.

use std::fmt;
use std::sync::Arc;

use super::parts::{Session, SessionParts};
use crate::error::Error;
use crate::id::OrganizationId;
use crate::model::{AuthenticationMethod, User};
use crate::secret::AccessToken;
use crate::token::VerifiedToken;

/// What is known of a user's session at this moment.
///
/// There is no fourth case, so this enum is exhaustive.
///
/// ```
/// use workos_auth::SessionState;
///
/// fn page(state: SessionState) -> (u16, String) {
///     match state {
///         SessionState::Active(signed_in) => (200, format!("Hello, {}", signed_in.user().email)),
///         SessionState::SignedOut(_) => (401, "Please sign in.".to_owned()),
///         SessionState::TemporarilyUnknown(_) => (503, "Please try again.".to_owned()),
///     }
/// }
///
/// # use workos_auth::secret::SessionHandle;
/// # use workos_auth::session::MemorySessionStore;
/// # use workos_auth::{ConfidentialClient, SessionManager};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = ConfidentialClient::new("client_123", "sk_example")?;
/// let sessions = SessionManager::new(client, MemorySessionStore::new());
/// let unknown = SessionHandle::new("what a stranger sends");
/// assert_eq!(page(sessions.authenticate(&unknown).await).0, 401);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "match on it: only an active session lets the user in"]
pub enum SessionState {
    /// The user is signed in.
    Active(SignedIn),
    /// The user isn't signed in: clear the cookie, and send the user to the login.
    SignedOut(SignedOut),
    /// Nobody can tell: the store, WorkOS or its signing keys are unavailable, or their answers are invalid. Keep the cookie, and answer
    /// 503.
    TemporarilyUnknown(Error),
}

impl SessionState {
    /// The signed-in user, for handlers that answer everything else with an error page.
    ///
    /// # Errors
    /// Why nobody is signed in: [`ErrorKind::SignedOut`](crate::ErrorKind::SignedOut), or the error with which WorkOS ended the session.
    /// If nobody can tell, the cause, which [`is_transient`](Error::is_transient) in most cases.
    pub fn active(self) -> Result<SignedIn, Error> {
        match self {
            Self::Active(session) => Ok(session),
            Self::SignedOut(signed_out) => Err(signed_out.into()),
            Self::TemporarilyUnknown(error) => Err(error),
        }
    }
}

/// Evidence that a session is over, which [`SessionCookie::clear`](super::SessionCookie::clear) asks for. Only this crate makes it,
/// and never because of an outage.
///
/// ```
/// use workos_auth::SignedOut;
/// use workos_auth::session::SignedOutReason;
///
/// fn why(signed_out: &SignedOut) -> String {
///     match (signed_out.reason(), signed_out.error()) {
///         (SignedOutReason::NotFound, _) => "nobody has signed in".to_owned(),
///         (_, Some(error)) => format!("{signed_out}: {error}"),
///         (_, None) => signed_out.to_string(),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SignedOut {
    reason: SignedOutReason,
    error: Option<Error>,
}

/// Why a user isn't signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedOutReason {
    /// There is no such session: nobody signed in, or its lifetime in the store is over.
    NotFound,
    /// The session was signed out, or ended by WorkOS, a short while ago.
    Removed,
    /// The user signed out just now.
    ByTheUser,
    /// The session has ended; [`SignedOut::error`] says why: WorkOS refused its refresh for good, it was signed out by this client
    /// ([`ErrorKind::SignedOut`](crate::ErrorKind::SignedOut)), or its refresh brought another user.
    Ended,
    /// The stored session can't be opened: it was changed, or sealed with a password that isn't in use, or
    /// its own lifetime is over.
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

    /// The error with which WorkOS ended the session, or why it can't be opened.
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
            SignedOutReason::Ended => "the session has ended",
            SignedOutReason::Unreadable => "the session can't be opened",
        })
    }
}

impl std::error::Error for SignedOut {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.as_ref().map(|error| error as _)
    }
}

/// The error with which WorkOS ended the session, or [`ErrorKind::SignedOut`](crate::ErrorKind::SignedOut).
impl From<SignedOut> for Error {
    fn from(signed_out: SignedOut) -> Self {
        signed_out.error.unwrap_or_else(Self::signed_out)
    }
}

/// Why a switch to another organization failed.
#[derive(Clone, Debug)]
#[must_use = "it says whether the user is still signed in"]
pub enum SwitchError {
    /// The session is still there: the user isn't a member, or something is unavailable. After an error that
    /// [`is_transient`](Error::is_transient) the switch may still take effect: see the next session's organization.
    Kept(Error),
    /// The session is over.
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

/// A signed-in user, whose token was verified just now. Cloning is cheap.
///
/// It can't be refreshed: [`SessionManager`](super::SessionManager), [`CookieSessions`](super::CookieSessions) or
/// [`TokenSession`](super::TokenSession) does that.
///
/// ```
/// use workos_auth::{Error, OrganizationId, SignedIn};
///
/// fn may_write(signed_in: &SignedIn, owner: &OrganizationId) -> Result<bool, Error> {
///     Ok(signed_in.token().in_organization(owner)?.has_permission("posts:write"))
/// }
///
/// # use workos_auth::session::MemorySessionStore;
/// # use workos_auth::testing::{AuthKit, TestUser};
/// # use workos_auth::{EmailAddress, Password, SessionManager};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let ada = TestUser::new("ada@example.com").password("a-password").organization("org_one").permission("posts:write");
/// # let authkit = AuthKit::builder().user(ada).start().await?;
/// # let client = authkit.confidential_client();
/// # let password = Password::new("a-password");
/// # let login = client.authenticate_with_password(EmailAddress::new("ada@example.com")?, password).send().await?;
/// # let sessions = SessionManager::new(client, MemorySessionStore::new());
/// # let handle = sessions.sign_in(login).await?;
/// let signed_in = sessions.authenticate(&handle).await.active()?;
/// assert_eq!(signed_in.user().email, "ada@example.com");
/// assert!(may_write(&signed_in, &"org_one".parse()?)?);
/// assert!(may_write(&signed_in, &"org_two".parse()?).is_err());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SignedIn {
    parts: Arc<SessionParts>,
    token: VerifiedToken,
}

impl SignedIn {
    pub(super) fn new<K>(session: Session<K>, token: VerifiedToken) -> Self {
        Self { parts: Arc::new(session.parts), token }
    }

    /// The claims, on which authorization decisions are made.
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

    /// The e-mail address of the administrator who acts as the user (`act.sub` of the token).
    #[must_use]
    pub fn impersonator(&self) -> Option<&str> {
        self.token.impersonator()
    }

    /// The access token, for a service that verifies it, or for a
    /// [`custom_claims`](crate::TokenVerifier::custom_claims) verifier.
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

/// Why nobody is signed in.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    SignedOut(SignedOut),
    Unknown(Error),
}

impl SessionState {
    pub(super) fn of(result: Result<SignedIn, Stop>) -> Self {
        match result {
            Ok(user) => Self::Active(user),
            Err(Stop::SignedOut(evidence)) => Self::SignedOut(evidence),
            Err(Stop::Unknown(error)) => Self::TemporarilyUnknown(error),
        }
    }
}

impl SwitchError {
    pub(super) fn of(stop: Stop) -> Self {
        match stop {
            Stop::SignedOut(evidence) => Self::SignedOut(evidence),
            Stop::Unknown(error) => Self::Kept(error),
        }
    }
}
