//! Sessions: checked, refreshed once for everybody, sealed into a cookie.

mod cookie;
mod cookie_sessions;
mod layer;
mod manager;
mod refresh;
mod seal;
mod single_flight;
mod state;
mod store;
mod tokens;

use std::fmt;

use serde::de::DeserializeOwned;
use url::Url;

pub use cookie::SessionCookie;
pub use cookie_sessions::CookieSessions;
pub(crate) use layer::Outdated;
pub use layer::SessionLayer;
pub use manager::SessionManager;
pub(crate) use refresh::Flights;
pub use refresh::{KeptSession, RefreshError};
use refresh::{REPLAYED, Want};
pub use state::{ActiveSession, SessionState, SignedOut, SwitchError};
#[cfg(feature = "redis")]
pub use store::RedisSessionStore;
pub use store::{MemorySessionStore, SessionStore, StoredSession};
#[cfg(feature = "token-file")]
pub use tokens::FileTokenStore;
#[cfg(feature = "keyring")]
pub use tokens::KeyringTokenStore;
pub use tokens::{MemoryTokenStore, TokenSession, TokenStore};

use crate::api::ApiRequest;
use crate::client::{Caller, Client};
use crate::credentials::{HasApiKey, HasClientId};
use crate::error::{Error, TokenError};
use crate::id::{OrganizationId, RedirectUri};
use crate::model::{AuthenticationMethod, AuthenticationResponse, Impersonator, User};
use crate::secret::{AccessToken, RefreshToken};
use crate::token::{NamesSession, TokenCheck, TokenVerifier};
use crate::wire;

/// What a session is made of, for applications that keep it in a place of their own.
#[derive(Debug)]
#[non_exhaustive]
pub struct SessionParts {
    /// Who signed in.
    pub user: User,
    /// The access token, not verified.
    pub access_token: AccessToken,
    /// The single-use token that gets the next pair.
    pub refresh_token: RefreshToken,
    /// The organization that the user signed in to.
    pub organization_id: Option<OrganizationId>,
    /// How the user signed in.
    pub authentication_method: Option<AuthenticationMethod>,
    /// The administrator who acts as the user.
    pub impersonator: Option<Impersonator>,
}

impl SessionParts {
    /// What every session has; the other fields can be set.
    #[must_use]
    pub fn new(user: User, access_token: AccessToken, refresh_token: RefreshToken) -> Self {
        Self {
            user,
            access_token,
            refresh_token,
            organization_id: None,
            authentication_method: None,
            impersonator: None,
        }
    }
}

impl From<AuthenticationResponse> for SessionParts {
    fn from(response: AuthenticationResponse) -> Self {
        Self {
            user: response.user,
            access_token: response.access_token,
            refresh_token: response.refresh_token,
            organization_id: response.organization_id,
            authentication_method: response.authentication_method,
            impersonator: response.impersonator,
        }
    }
}

/// A signed-in user's session, of a [`PublicClient`](crate::PublicClient) or a
/// [`ConfidentialClient`](crate::ConfidentialClient).
///
/// Its user and organization are what WorkOS said when the session was made or last refreshed; decisions are made on the
/// [`VerifiedToken`](crate::VerifiedToken) of [`check`](Self::check).
///
/// ```
/// use workos_auth::testing::{AuthKit, Browser};
/// use workos_auth::{Callback, Client, RedirectUri, RefreshError, TokenCheck};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let client = Client::builder().client_id(authkit.client_id()).base_url(authkit.base_url()).build()?;
/// # let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
/// # let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
/// # let response = login.exchange(Callback::from_url(&callback)?)?.send().await?.complete()?;
/// let verifier = client.verifier();
/// let mut session = client.session(response);
/// # let mut times = 0;
/// let token = loop {
///     match session.check(&verifier).await? {
/// #       TokenCheck::Active(token) if times > 0 => break token,
/// #       TokenCheck::Active(_) => { times += 1; session = session.refresh().await?; continue }
///         TokenCheck::Active(token) => break token,
///         TokenCheck::Expired(_) => {}
///     }
///     session = match session.refresh().await {
///         Ok(session) => session,
///         // Nothing is known against the session: keep it, and answer 503.
///         Err(RefreshError::Kept(kept)) => return Err(kept.error().clone().into()),
///         // The user must sign in again: clear the cookie.
///         Err(RefreshError::Ended(error)) => return Err(error.into()),
///     };
/// };
/// assert_eq!(token.user_id(), &session.user().id);
///
/// let goodbye = session.sign_out(&token, None);
/// # assert!(goodbye.as_str().contains("/user_management/sessions/logout?session_id="));
/// # Ok(())
/// # }
/// ```
#[must_use = "a session that is dropped is lost: its refresh token exists here alone"]
pub struct Session<K> {
    caller: Caller<K>,
    parts: SessionParts,
}

/// # Sessions
impl<K> Client<K> {
    /// Makes a session of a finished login, or of the [`SessionParts`] that an application has kept.
    ///
    /// What a session doesn't hold is gone: take a provider's OAuth tokens out of the response before.
    pub fn session(&self, parts: impl Into<SessionParts>) -> Session<K>
    where
        K: HasClientId,
    {
        Session { caller: Caller::new(self), parts: parts.into() }
    }

    /// Where to send the browser to end a session at WorkOS, and from there back to `return_to`.
    ///
    /// An application that holds the [`Session`] calls [`Session::sign_out`], which also keeps a refresh that is under way from
    /// bringing it back.
    #[must_use]
    pub fn logout_url(&self, token: &impl NamesSession, return_to: Option<&RedirectUri>) -> Url
    where
        K: HasClientId,
    {
        wire::logout_url(&self.core.base_url, token.session_id(), return_to)
    }
}

impl<K> Session<K> {
    /// Who signed in.
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

    /// The access token, not verified, to be passed on to a service that verifies it.
    #[must_use]
    pub fn access_token(&self) -> &AccessToken {
        &self.parts.access_token
    }

    /// The same session once more, for one of two who go on with it.
    fn copy(&self) -> Self {
        let parts = &self.parts;
        let parts = SessionParts {
            user: parts.user.clone(),
            access_token: parts.access_token.clone(),
            refresh_token: wire::copy(&parts.refresh_token),
            organization_id: parts.organization_id.clone(),
            authentication_method: parts.authentication_method.clone(),
            impersonator: parts.impersonator.clone(),
        };
        Self { caller: self.caller.clone(), parts }
    }

    /// Whatever this process still brings for it is thrown away.
    fn end(&self) {
        self.caller.client.flights.end(&self.caller, &self.parts.refresh_token, &Error::signed_out());
    }

    /// Takes the session apart, to keep it in a place of the application's own.
    #[must_use]
    pub fn into_parts(self) -> SessionParts {
        self.parts
    }

    /// Verifies the access token: active, with its claims, or expired, and to be refreshed.
    ///
    /// # Errors
    /// As [`TokenVerifier::verify`], and [`TokenError::WrongUser`] when the token is not the session's user's.
    /// [`ErrorKind::KeysUnavailable`](crate::ErrorKind::KeysUnavailable) says nothing about the session.
    pub async fn check<C: DeserializeOwned>(&self, verifier: &TokenVerifier<C>) -> Result<TokenCheck<C>, Error> {
        let check = verifier.verify(&self.parts.access_token).await?;
        let user_id = match &check {
            TokenCheck::Active(token) => token.user_id(),
            TokenCheck::Expired(token) => token.user_id(),
        };
        if *user_id == self.parts.user.id { Ok(check) } else { Err(Error::token(TokenError::WrongUser)) }
    }

    /// Exchanges the refresh token for a new pair of tokens.
    ///
    /// However many tasks of this process refresh the same session at once, one request is sent and all get its result; so
    /// does whoever comes with the old token within 30 seconds. That holds for all clones of one client. The request
    /// goes on when the caller is cancelled. The new tokens are handed out as they come, not verified.
    ///
    /// # Errors
    /// [`RefreshError::Kept`] gives the session back; [`RefreshError::Ended`] says why there is none any more.
    pub async fn refresh(self) -> Result<Self, RefreshError<K>>
    where
        K: HasClientId,
    {
        self.renew(Want::Same, REPLAYED).await
    }

    /// Exchanges the refresh token for a pair of tokens in another organization of the user.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh). The session is kept when the user is no member; an organization that wants SSO or a
    /// second factor ends it ([`ErrorKind::Unfinished`](crate::ErrorKind::Unfinished)).
    pub async fn switch_organization(self, id: OrganizationId) -> Result<Self, RefreshError<K>>
    where
        K: HasClientId,
    {
        self.renew(Want::Switch(id), REPLAYED).await
    }

    /// Ends the session here, and gives the URL that ends it at WorkOS, from where the browser goes back to `return_to`.
    ///
    /// A refresh that is under way comes to nothing. Clear the cookie, and send the browser to the URL.
    #[must_use = "the session at WorkOS ends when the browser goes to this URL"]
    pub fn sign_out(self, token: &impl NamesSession, return_to: Option<&RedirectUri>) -> Url {
        self.end();
        wire::logout_url(&self.caller.client.core.base_url, token.session_id(), return_to)
    }

    /// Ends the session here, and at WorkOS without the browser. Its access token is good until it expires.
    pub fn revoke(self, token: &impl NamesSession) -> ApiRequest<()>
    where
        K: HasApiKey,
    {
        self.end();
        self.caller.client.sessions().revoke(token.session_id())
    }
}

impl<K> fmt::Debug for Session<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("user_id", &self.parts.user.id)
            .field("organization_id", &self.parts.organization_id)
            .finish_non_exhaustive()
    }
}
