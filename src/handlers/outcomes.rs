//! How the requests of a login end.

use std::fmt;

use http::{Response, StatusCode};

use super::answers::{redirect, sentence, unavailable};
use crate::error::{Error, ErrorKind, RefusedRequest, TokenError};
use crate::id::{OrganizationId, ReturnPath};
use crate::model::{AuthenticationMethod, Impersonator, OAuthTokens, User};
use crate::secret::AuthKitAuthorizationCode;
use crate::session::{SignedOut, SwitchError};

/// A finished login, and what it brought.
#[non_exhaustive]
#[must_use = "its response signs the user in"]
pub struct FinishedLogin {
    /// The user who signed in.
    pub user: User,
    /// The organization that the user signed in to.
    pub organization_id: Option<OrganizationId>,
    /// How the user signed in.
    pub authentication_method: Option<AuthenticationMethod>,
    /// The administrator who impersonates the user.
    pub impersonator: Option<Impersonator>,
    /// The tokens of the OAuth provider, if the environment is configured to return them. The session doesn't keep them.
    pub oauth_tokens: Option<OAuthTokens>,
    /// A code that another application can exchange for its own tokens.
    pub authkit_authorization_code: Option<AuthKitAuthorizationCode>,
    /// Where the user goes now: the return path of the login, or `/`.
    pub return_path: ReturnPath,
    /// The response: it redirects to the return path, sets the session cookie and clears the login cookie.
    pub response: Response<String>,
}

/// Without the return path, whose query may hold something secret.
impl fmt::Debug for FinishedLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FinishedLogin")
            .field("user_id", &self.user.id)
            .field("organization_id", &self.organization_id)
            .field("authentication_method", &self.authentication_method)
            .finish_non_exhaustive()
    }
}

impl RefusedRequest {
    /// The response: 405 with `Allow`, or 403.
    #[must_use]
    pub fn response(self) -> Response<String> {
        Error::from(self).response()
    }
}

impl From<RefusedRequest> for Error {
    fn from(refused: RefusedRequest) -> Self {
        Self::refused_request(refused)
    }
}

/// Why [`LoginHandlers::switch_organization`](super::LoginHandlers::switch_organization) failed.
#[derive(Debug, thiserror::Error)]
#[must_use = "it says whether the user is still signed in"]
pub enum NotSwitched {
    /// The request may come from a page of another origin. Nothing was changed.
    #[error(transparent)]
    Refused(#[from] RefusedRequest),
    /// The session is over, or the user is still signed in: [`SwitchError`] says which.
    #[error(transparent)]
    Failed(#[from] SwitchError),
}

impl NotSwitched {
    /// The response: 401 if the session is over, 503 if the new token can't be verified, otherwise as [`Error::response`].
    #[must_use]
    pub fn response(&self) -> Response<String> {
        match self {
            Self::Refused(refused) => refused.response(),
            // The user is still signed in.
            Self::Failed(SwitchError::Kept(error)) if matches!(error.kind(), ErrorKind::InvalidToken(reason) if *reason != TokenError::WrongOrganization) => {
                unavailable(error)
            }
            Self::Failed(SwitchError::Kept(error)) => error.response(),
            Self::Failed(SwitchError::SignedOut(_)) => sentence(StatusCode::UNAUTHORIZED),
        }
    }
}

impl From<NotSwitched> for Error {
    fn from(not_switched: NotSwitched) -> Self {
        match not_switched {
            NotSwitched::Refused(refused) => refused.into(),
            NotSwitched::Failed(failed) => failed.into(),
        }
    }
}

/// Why [`LoginHandlers::logout`](super::LoginHandlers::logout) failed.
#[derive(Debug, thiserror::Error)]
#[must_use = "the user is still signed in"]
pub enum NotLoggedOut {
    /// The request may come from a page of another origin. Nothing was changed.
    #[error(transparent)]
    Refused(#[from] RefusedRequest),
    /// The session may still exist: let the user try again.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl NotLoggedOut {
    /// The response, as [`Error::response`].
    #[must_use]
    pub fn response(&self) -> Response<String> {
        match self {
            Self::Refused(refused) => refused.response(),
            Self::Failed(error) => error.response(),
        }
    }
}

impl From<NotLoggedOut> for Error {
    fn from(not_logged_out: NotLoggedOut) -> Self {
        match not_logged_out {
            NotLoggedOut::Refused(refused) => refused.into(),
            NotLoggedOut::Failed(error) => error,
        }
    }
}

/// Why a request isn't let in.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
#[must_use = "it has the response: `.response()`"]
pub enum NotAdmitted {
    /// Nobody is signed in.
    #[error("{signed_out}")]
    SignedOut {
        /// Why.
        #[source]
        signed_out: SignedOut,
        /// For a page: the login that leads back to it.
        login: Option<String>,
    },
    /// Nobody can tell whether somebody is signed in: the store or WorkOS is unavailable.
    #[error("nobody can tell whether the user is signed in")]
    TemporarilyUnknown(#[source] Error),
    /// The user lacks a permission in the organization that they signed in to, or signed in to none.
    #[error("the user lacks the permission {slug}")]
    MissingPermission {
        /// The permission.
        slug: String,
    },
    /// No layer has asked for the session: the routes are outside of
    /// [`LoginHandlers::layer`](super::LoginHandlers::layer).
    #[cfg(feature = "tower")]
    #[error("the route is outside of the layer that asks for the session")]
    NoLayer,
}

impl NotAdmitted {
    /// The response: for a page, a redirect to the login; otherwise 401 with `WWW-Authenticate: Cookie`. 503 with `Retry-After` in an outage, 403 without the
    /// permission, 500 without the layer.
    #[must_use]
    pub fn response(&self) -> Response<String> {
        match self {
            Self::SignedOut { login: Some(login), .. } => {
                redirect(StatusCode::SEE_OTHER, login).unwrap_or_else(|error| error.response())
            }
            Self::SignedOut { login: None, .. } => sentence(StatusCode::UNAUTHORIZED),
            Self::TemporarilyUnknown(error) => unavailable(error),
            Self::MissingPermission { .. } => sentence(StatusCode::FORBIDDEN),
            #[cfg(feature = "tower")]
            Self::NoLayer => sentence(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// Without the login's address, which contains the query of the page.
impl fmt::Debug for NotAdmitted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignedOut { signed_out, .. } => {
                formatter.debug_struct("SignedOut").field("signed_out", signed_out).finish_non_exhaustive()
            }
            Self::TemporarilyUnknown(error) => formatter.debug_tuple("TemporarilyUnknown").field(error).finish(),
            Self::MissingPermission { slug } => {
                formatter.debug_struct("MissingPermission").field("slug", slug).finish()
            }
            #[cfg(feature = "tower")]
            Self::NoLayer => formatter.write_str("NoLayer"),
        }
    }
}
