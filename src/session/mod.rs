//! Sessions: opened, checked, refreshed once for all callers, kept.
//!
//! An application that keeps sessions itself goes from one type to the next:
//!
//! ```text
//! SessionCookie::open, client.session(parts) ─▶ OpenedSession ─ check ─▶ ActiveSession ─ refresh, switch_organization ─┐
//!                                                    ▲               └▶ ExpiredSession ─ refresh ────────────────────┤
//!                                                    │                                                               ▼
//!                                                    ├───────────── keep: into a store of the application ──────── Refresh
//!                                                    └───────────── into_cookie ────────────── Refreshed ◀─ .await ───┘
//! ```
//!
//! An opened session says nothing about its user. An active session holds the verified token. New tokens are kept before they are used,
//! since they exist nowhere else. [`OpenedSession::check_and_keep`] goes the whole way of a request. [`SessionManager`] and [`CookieSessions`] do all of that themselves.
//!
//! | type | what it is |
//! | --- | --- |
//! | [`SessionCookie`] | seals sessions for a cookie, and opens them |
//! | [`SessionManager`] | a ready session layer that keeps sessions in a [`SessionStore`] |
//! | [`CookieSessions`] | the same without a store: the sealed cookie is the session |
//! | [`TokenSession`] | the session of a command line, whose refresh token is in a [`TokenStore`] |
//! | [`SessionState`] | what a session layer says: active, signed out, temporarily unknown |
//! | [`SignedOut`] | the evidence that a session is over |

mod checks;
#[cfg(feature = "server")]
mod cookie;
#[cfg(feature = "server")]
mod cookie_format;
#[cfg(feature = "server")]
mod cookie_sessions;
mod device_tokens;
mod keep;
#[cfg(feature = "server")]
mod layer;
#[cfg(feature = "server")]
mod manager;
mod parts;
mod refresh;
mod refresh_table;
#[cfg(feature = "api")]
mod revoke;
#[cfg(feature = "server")]
mod seal;
mod state;
#[cfg(feature = "server")]
mod store;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use cookie::SessionCookie;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use cookie_sessions::CookieSessions;
#[cfg(feature = "files")]
pub use device_tokens::FileTokenStore;
#[cfg(feature = "keyring")]
pub use device_tokens::KeyringTokenStore;
pub use device_tokens::{MemoryTokenLock, MemoryTokenStore, TokenSession, TokenStore};
pub use keep::{NotKept, Refresh, SessionUpdate, SessionVersion};
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use layer::SessionLayer;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use manager::SessionManager;
use parts::Session;
pub use parts::SessionParts;
use refresh::Want;
pub use refresh::{KeptSession, RefreshError};
pub use state::{SessionState, SignedIn, SignedOut, SignedOutReason, SwitchError};
#[cfg(feature = "redis")]
pub use store::RedisSessionStore;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
pub use store::SqlSessionStore;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use store::{BoxSessionStore, MemorySessionStore, SessionIndex, SessionStore, StoredSession};

use crate::client::Client;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use crate::cookies::{CookieFingerprint, SetCookie};
use crate::credentials::HasClientId;
use crate::error::Error;
use crate::id::{LogoutUrl, OrganizationId, RedirectUri, SessionId};
use crate::model::{AuthenticationMethod, User};
use crate::rejected::Rejected;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use crate::response::ForResponse;
use crate::sealed::INTERNAL;
use crate::secret::AccessToken;
use crate::token::{ExpiredToken, NamesSession, NotVerified, TokenVerifier, VerifiedToken};
use crate::wire;

/// How long a new pair of tokens is written again and again to a store that fails. Then it is lost.
const WRITE_RETRY_FOR: Duration = Duration::from_secs(600);
/// Between two attempts to write it.
const WRITE_RETRY_PAUSE: Duration = Duration::from_millis(100);
/// A process that has a new pair writes it within this time after the store is available again.
const OTHER_WRITER_WAIT: Duration = Duration::from_secs(2);

/// # Sessions
impl<K> Client<K> {
    /// Makes a session from a finished login, or from the [`SessionParts`] that an application has kept.
    ///
    /// A session doesn't hold a provider's OAuth tokens: take them out of the response first.
    pub fn session(&self, parts: impl Into<SessionParts>) -> OpenedSession<K>
    where
        K: HasClientId,
    {
        OpenedSession(Session::new(self, parts.into()))
    }

    /// Where to send the browser to end a session at WorkOS, and from there back to `return_to`.
    ///
    /// An application that holds the session calls [`ActiveSession::sign_out`] or [`ExpiredSession::sign_out`] instead: they also
    /// discard the result of a refresh in flight, which could bring the session back.
    #[must_use]
    pub fn logout_url(&self, token: &(impl NamesSession + ?Sized), return_to: Option<&RedirectUri>) -> LogoutUrl
    where
        K: HasClientId,
    {
        wire::logout_url(&self.core.base_url, token.named_session(INTERNAL), return_to)
    }
}

/// A session that was opened. Nothing in it is verified, so it says nothing about its user.
///
/// ```
/// use workos_auth::session::{NotActive, RefreshError};
/// use workos_auth::testing::{AuthKit, Browser};
/// use workos_auth::{Callback, Client, ConfidentialClient, CookiePassword, ExposeSecret, RedirectUri, SessionCookie};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let client = authkit.confidential_client();
/// # let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
/// # let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
/// # let response = login.exchange(Callback::from_url(&callback)?)?.send().await?;
/// let verifier = client.verifier();
/// let cookie = SessionCookie::new(CookiePassword::new("a-random-password-of-32-characters")?)?;
/// let set_cookie = cookie.set(&client.session(response))?;
///
/// // With each request:
/// # let mut response = http::Response::new(());
/// let session = cookie.open(&client, set_cookie.expose_secret())?;
/// let active = match session.check(&verifier).await {
///     Ok(active) => active,
///     Err(NotActive::Expired(expired)) => match expired.refresh().await {
///         Ok(refreshed) => {
///             let (set_cookie, session) = refreshed.into_cookie(&cookie)?;
///             response.headers_mut().append(http::header::SET_COOKIE, set_cookie.into());
///             session.check(&verifier).await?
///         }
///         // Nothing is known against the session: keep the cookie, and answer 503.
///         Err(RefreshError::Kept(kept)) => return Err(kept.error().clone().into()),
///         // The user must sign in again.
///         Err(RefreshError::Ended(signed_out)) => {
///             response.headers_mut().append(http::header::SET_COOKIE, cookie.clear(&signed_out).into());
///             return Err(signed_out.into());
///         }
///     },
///     // A token that can't be verified, such as one whose signing key was retired, is `Invalid`:
///     // `rejected.recover()?.refresh().await` goes on as above. Else the keys are unavailable, or the session is over.
///     Err(other) => return Err(other.into()),
/// };
/// println!("hello, {}", active.user().email);
///
/// let sign_out = active.sign_out(None);
/// let clear = cookie.clear(&sign_out.signed_out);
/// # assert!(clear.is_clearing());
/// # assert!(sign_out.url.as_str().contains("/user_management/sessions/logout?session_id="));
/// # Ok(())
/// # }
/// ```
#[must_use = "a session that is dropped is lost unless a cookie or a store has it: call `check(&verifier).await`"]
pub struct OpenedSession<K>(Session<K>);

impl<K> OpenedSession<K> {
    /// Verifies the access token, which makes it the session of a signed-in user.
    ///
    /// # Errors
    /// [`NotActive`]: the token has expired, is invalid, or the signing keys are unavailable.
    pub async fn check(self, verifier: &TokenVerifier) -> Result<ActiveSession<K>, NotActive<K>> {
        let Self(session) = self;
        // Its access token may be good for minutes more.
        if let Some(error) = session.known().ended {
            return Err(NotActive::Ended(SignedOut::ended(error)));
        }
        match session.verify(verifier).await {
            Ok(token) => Ok(ActiveSession { session, token }),
            Err(NotVerified::Expired(token)) => {
                Err(NotActive::Expired(ExpiredSession { session: Box::new(session), token }))
            }
            Err(NotVerified::Invalid(error)) => Err(NotActive::Invalid(Rejected::returning(error, Self(session)))),
            Err(NotVerified::KeysUnavailable(error)) => {
                Err(NotActive::KeysUnavailable(Rejected::returning(error, Self(session))))
            }
        }
    }

    /// Exchanges the refresh token for a new pair of tokens, whatever the access token is; as [`ActiveSession::refresh`].
    ///
    /// For a session whose token [`check`](Self::check) refused, such as one whose signing key was retired.
    pub fn refresh(self) -> Refresh<K>
    where
        K: HasClientId,
    {
        Refresh::new(self.0, Want::Same)
    }

    /// Takes the session apart, for an application that keeps it in its own store.
    #[must_use]
    pub fn into_unverified_parts(self) -> SessionParts {
        self.0.parts
    }
}

/// Why an opened session isn't a signed-in user's.
///
/// There is no fifth case, so this enum is exhaustive.
///
/// ```
/// # async fn run(
/// #     session: workos_auth::OpenedSession<workos_auth::Confidential>,
/// #     verifier: workos_auth::TokenVerifier,
/// # ) -> Result<(), workos_auth::Error> {
/// use workos_auth::session::NotActive;
///
/// match session.check(&verifier).await {
///     Ok(active) => println!("signed in as {}", active.user().email),
///     Err(NotActive::Expired(expired)) => drop(expired.refresh().await?),
///     Err(NotActive::Ended(signed_out)) => println!("{signed_out}"),
///     Err(other) => return Err(other.into()),
/// }
/// # Ok(()) }
/// ```
#[must_use = "it holds the session"]
pub enum NotActive<K> {
    /// The access token has expired: refresh the session.
    Expired(ExpiredSession<K>),
    /// The access token isn't one of this application, was changed, or belongs to another user. The session comes back.
    Invalid(Rejected<OpenedSession<K>>),
    /// The signing keys are unavailable, so nobody can tell at the moment. The session comes back.
    KeysUnavailable(Rejected<OpenedSession<K>>),
    /// This client or one of its clones knows that the session is over: it was signed out here, or WorkOS refused its refresh for
    /// good. The user must sign in again; the value is the evidence for [`SessionCookie::clear`].
    Ended(SignedOut),
}

impl<K> NotActive<K> {
    /// Why the session isn't active.
    #[must_use]
    pub fn error(&self) -> Error {
        match self {
            Self::Expired(_) => Error::token(crate::error::TokenError::Expired),
            Self::Invalid(rejected) | Self::KeysUnavailable(rejected) => rejected.error().clone(),
            Self::Ended(signed_out) => signed_out.clone().into(),
        }
    }
}

impl<K> From<NotActive<K>> for Error {
    fn from(not_active: NotActive<K>) -> Self {
        not_active.error()
    }
}

impl<K> fmt::Debug for NotActive<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(session) => formatter.debug_tuple("Expired").field(session).finish(),
            Self::Invalid(rejected) => formatter.debug_tuple("Invalid").field(rejected).finish(),
            Self::KeysUnavailable(rejected) => formatter.debug_tuple("KeysUnavailable").field(rejected).finish(),
            Self::Ended(signed_out) => formatter.debug_tuple("Ended").field(signed_out).finish(),
        }
    }
}

impl<K> fmt::Display for NotActive<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(formatter)
    }
}

impl<K> StdError for NotActive<K> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Expired(_) => None,
            Self::Invalid(rejected) | Self::KeysUnavailable(rejected) => rejected.source(),
            Self::Ended(signed_out) => signed_out.source(),
        }
    }
}

/// A signed-in user's session: the session and its verified token in one value.
///
/// Claims come from [`token`](Self::token). A refresh or a switch consumes the session, so no claim of an older token is left.
///
/// ```
/// # async fn run(
/// #     session: workos_auth::OpenedSession<workos_auth::Confidential>,
/// #     verifier: workos_auth::TokenVerifier,
/// #     owner: workos_auth::OrganizationId,
/// # ) -> Result<(), workos_auth::Error> {
/// let session = session.check(&verifier).await?;
/// println!("signed in as {}", session.user().email);
/// if session.token().in_organization(&owner)?.has_permission("posts:write") {
///     println!("may write");
/// }
/// # Ok(()) }
/// ```
#[must_use = "read its token, or refresh it"]
pub struct ActiveSession<K> {
    session: Session<K>,
    token: VerifiedToken,
}

impl<K> ActiveSession<K> {
    /// The claims, on which authorization decisions are made.
    #[must_use]
    pub fn token(&self) -> &VerifiedToken {
        &self.token
    }

    /// Who signed in, as WorkOS said when the session was made or last refreshed. The ID is the token's.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.session.parts.user
    }

    /// The organization that the user signed in to (`org_id`).
    #[must_use]
    pub fn organization_id(&self) -> Option<&OrganizationId> {
        self.token.organization_id()
    }

    /// How the user signed in.
    #[must_use]
    pub fn authentication_method(&self) -> Option<&AuthenticationMethod> {
        self.session.parts.authentication_method.as_ref()
    }

    /// The e-mail address of the administrator who acts as the user (`act.sub` of the token).
    #[must_use]
    pub fn impersonator(&self) -> Option<&str> {
        self.token.impersonator()
    }

    /// The access token, for a service that verifies it, or for a [`custom_claims`](TokenVerifier::custom_claims) verifier.
    #[must_use]
    pub fn access_token(&self) -> &AccessToken {
        &self.session.parts.access_token
    }

    /// Exchanges the refresh token for a new pair of tokens, even before the access token expires. Nothing is sent until the
    /// [`Refresh`] hears where they go.
    ///
    /// However many tasks of this process refresh the same session at the same time, one request is sent and all get its result. A
    /// caller who has the old token gets it within 30 seconds, too. That holds for all clones of a client. The request goes on when the
    /// caller is cancelled. The new tokens are not verified.
    ///
    /// It fails with a [`RefreshError`], which gives the session back or says why it is over, or with a [`NotKept`].
    pub fn refresh(self) -> Refresh<K>
    where
        K: HasClientId,
    {
        Refresh::new(self.session, Want::Same)
    }

    /// Exchanges the refresh token for tokens of another organization of the user.
    ///
    /// It fails as [`refresh`](Self::refresh) does. The session is kept when the user isn't a member. An organization that requires SSO
    /// or a second factor ends it ([`ErrorKind::Unfinished`](crate::ErrorKind::Unfinished)).
    pub fn switch_organization(self, id: OrganizationId) -> Refresh<K>
    where
        K: HasClientId,
    {
        Refresh::new(self.session, Want::Switch(id))
    }

    /// Ends the session in this process, and gives the URL that ends it at WorkOS, from where the browser goes back to `return_to`.
    pub fn sign_out(self, return_to: Option<&RedirectUri>) -> SignOut {
        SignOut::of(&self.session, self.token.session_id(), return_to)
    }
}

/// A session whose access token has expired. It can be refreshed or signed out, and says nothing about its user.
///
/// ```
/// use std::time::Duration;
///
/// use workos_auth::session::NotActive;
/// # use workos_auth::testing::{AuthKit, Browser};
/// # use workos_auth::{Callback, RedirectUri};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let client = authkit.confidential_client();
/// # let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
/// # let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
/// # let response = login.exchange(Callback::from_url(&callback)?)?.send().await?;
/// let session = client.session(response);
/// authkit.advance(Duration::from_secs(301)); // its access token lives for 300 s
/// match session.check(&client.verifier()).await {
///     Err(NotActive::Expired(expired)) => {
///         assert!(expired.session_id().as_str().starts_with("session_"));
///         let refreshed = expired.refresh().await?; // goes into the cookie
/// #         drop(refreshed);
///     }
///     Ok(active) => println!("hello, {}", active.user().email),
///     Err(other) => return Err(workos_auth::Error::from(other).into()),
/// }
/// # assert_eq!(authkit.refreshes(), 1);
/// # Ok(()) }
/// ```
#[must_use = "refresh it, or sign it out"]
pub struct ExpiredSession<K> {
    session: Box<Session<K>>,
    token: ExpiredToken,
}

impl<K> ExpiredSession<K> {
    /// The session (`sid`).
    #[must_use]
    pub fn session_id(&self) -> &SessionId {
        self.token.session_id()
    }

    /// When its access token expired (`exp`).
    #[must_use]
    pub fn expired_at(&self) -> Timestamp {
        self.token.expired_at()
    }

    /// Exchanges the refresh token for a new pair of tokens, as [`ActiveSession::refresh`] does.
    pub fn refresh(self) -> Refresh<K>
    where
        K: HasClientId,
    {
        Refresh::new(*self.session, Want::Same)
    }

    /// Ends the session in this process, and gives the URL that ends it at WorkOS, from where the browser goes back to `return_to`.
    pub fn sign_out(self, return_to: Option<&RedirectUri>) -> SignOut {
        SignOut::of(&self.session, self.token.session_id(), return_to)
    }
}

/// A session with new tokens, which must be kept in its cookie before it is used: the old refresh token is used up, and this is the only
/// copy of the new one. A session in a store of the application goes another way: [`Refresh::keep`].
///
/// ```
/// # use workos_auth::testing::{AuthKit, Browser};
/// # use workos_auth::{Callback, RedirectUri};
/// use workos_auth::{CookiePassword, SessionCookie};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let client = authkit.confidential_client();
/// # let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
/// # let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
/// # let response = login.exchange(Callback::from_url(&callback)?)?.send().await?;
/// let cookie = SessionCookie::new(CookiePassword::generate()?)?;
/// let active = client.session(response).check(&client.verifier()).await?;
/// let (set_cookie, session) = active.refresh().await?.into_cookie(&cookie)?;
/// assert!(!set_cookie.is_clearing());
/// # drop(session);
/// # Ok(()) }
/// ```
#[must_use = "the new tokens exist only here: put them into the cookie with `into_cookie`"]
pub struct Refreshed<K>(Session<K>);

/// A session that was signed out in this process.
#[derive(Clone)]
#[must_use = "the session at WorkOS ends when the browser goes to `url`, and the cookie is cleared with `signed_out`"]
#[non_exhaustive]
pub struct SignOut {
    /// Where to send the browser, to end the session at WorkOS.
    pub url: LogoutUrl,
    /// The evidence that [`SessionCookie::clear`] needs.
    pub signed_out: SignedOut,
}

/// The URL names the session, so it isn't shown.
impl fmt::Debug for SignOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SignOut").field("signed_out", &self.signed_out).finish_non_exhaustive()
    }
}

impl SignOut {
    fn of<K>(session: &Session<K>, id: &SessionId, return_to: Option<&RedirectUri>) -> Self {
        let signed_out = session.end();
        Self { url: wire::logout_url(&session.caller.client.core.base_url, id, return_to), signed_out }
    }
}

macro_rules! opaque {
    ($($name:ident)*) => {$(
        impl<K> fmt::Debug for $name<K> {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

opaque! { OpenedSession Refreshed }

impl<K> fmt::Debug for ActiveSession<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ActiveSession").field("token", &self.token).finish_non_exhaustive()
    }
}

impl<K> fmt::Debug for ExpiredSession<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ExpiredSession").field("token", &self.token).finish_non_exhaustive()
    }
}
