//! What comes of a login: a response, a further step, or a rejection that may give the flow value back.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::error::{ApiError, Error, ErrorCode, ErrorKind, plain_code};
use crate::id::OrganizationId;
use crate::model::{AuthenticationMethod, AuthenticationResponse, Impersonator, OAuthTokens, User};
use crate::secret::{AccessToken, AuthorizationCode, PendingAuthenticationToken, RefreshToken, ServerMessage};
use crate::transport::{Failure, Reply};

/// What the API made of a login.
///
/// ```
/// use workos_auth::{Authentication, AuthenticationResponse, Error};
///
/// fn signed_in<K>(outcome: Authentication<K>) -> Option<AuthenticationResponse> {
///     match outcome {
///         Authentication::Complete(response) => Some(*response),
///         Authentication::Unfinished(login) => {
///             println!("one more step: {}", login.code());
///             None
///         }
///         _ => None,
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use = "the user is signed in only if this is `Complete`: match on it or call `.complete()?`"]
#[non_exhaustive]
pub enum Authentication<K> {
    /// The user is signed in.
    Complete(Box<AuthenticationResponse>),
    /// The login needs a further step.
    Unfinished(UnfinishedLogin<K>),
}

impl<K> Authentication<K> {
    /// The response, for applications that support no further steps.
    ///
    /// # Errors
    /// [`ErrorKind::Unfinished`](crate::ErrorKind::Unfinished) naming the step that the login needs.
    pub fn complete(self) -> Result<AuthenticationResponse, Error> {
        match self {
            Self::Complete(response) => Ok(*response),
            Self::Unfinished(login) => Err(Error::unfinished(login.code)),
        }
    }
}

/// A login that needs a further step: which one, and the token that continues it.
pub struct UnfinishedLogin<K> {
    client: Client<K>,
    code: ErrorCode,
    message: Option<ServerMessage>,
    pending_authentication_token: Option<PendingAuthenticationToken>,
}

impl<K> UnfinishedLogin<K> {
    /// Which step it needs, such as [`ErrorCode::MfaChallenge`].
    #[must_use]
    pub fn code(&self) -> &ErrorCode {
        &self.code
    }

    /// The API's own words; see [`ApiError::message`].
    #[must_use]
    pub fn message(&self) -> Option<&ServerMessage> {
        self.message.as_ref()
    }

    /// The client that began the login.
    #[must_use]
    pub fn client(&self) -> &Client<K> {
        &self.client
    }

    /// Takes out the token that continues the login, where the API gave one.
    #[must_use]
    pub fn into_pending_authentication_token(self) -> Option<PendingAuthenticationToken> {
        self.pending_authentication_token
    }
}

impl<K> fmt::Debug for UnfinishedLogin<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UnfinishedLogin").field("code", &self.code).finish_non_exhaustive()
    }
}

/// A call that failed, with the value it consumed when that can be used again.
///
/// `?` turns it into an [`Error`]; [`recover`](Self::recover) gets the value back for another try:
///
/// ```
/// use workos_auth::{Callback, PublicClient, RedirectUri};
///
/// let client = PublicClient::new("client_123")?;
/// let session = client.authorize(RedirectUri::new("https://example.com/callback")?).authkit().begin()?;
/// let forged = Callback::from_url("/callback?code=01E2&state=guessed")?;
/// let session = match session.exchange(forged) {
///     Ok(_) => panic!("the state was guessed"),
///     // The login goes on: the true callback may still come.
///     Err(rejected) => rejected.recover()?,
/// };
/// # Ok::<_, workos_auth::Error>(())
/// ```
pub struct Rejected<F>(Box<Rejection<F>>);

struct Rejection<F> {
    error: Error,
    flow: Option<F>,
}

impl<F> Rejected<F> {
    pub(crate) fn new(error: Error, flow: Option<F>) -> Self {
        Self(Box::new(Rejection { error, flow }))
    }

    pub(crate) fn returning(error: Error, flow: F) -> Self {
        Self::new(error, Some(flow))
    }

    pub(crate) fn spent(error: Error) -> Self {
        Self::new(error, None)
    }

    pub(crate) fn map<G>(self, wrap: impl FnOnce(F) -> G) -> Rejected<G> {
        let (error, flow) = self.into_parts();
        Rejected::new(error, flow.map(wrap))
    }

    /// The value that was consumed, for another try.
    ///
    /// # Errors
    /// The error, when the value was used up.
    pub fn recover(self) -> Result<F, Error> {
        let (error, flow) = self.into_parts();
        flow.ok_or(error)
    }

    /// Why the call failed.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0.error
    }

    /// The error, and the value when it was not used up.
    #[must_use]
    pub fn into_parts(self) -> (Error, Option<F>) {
        (self.0.error, self.0.flow)
    }
}

impl<F> From<Rejected<F>> for Error {
    fn from(rejected: Rejected<F>) -> Self {
        rejected.0.error
    }
}

impl<F> fmt::Debug for Rejected<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rejected")
            .field("error", &self.0.error)
            .field("recoverable", &self.0.flow.is_some())
            .finish()
    }
}

impl<F> fmt::Display for Rejected<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.error.fmt(formatter)
    }
}

impl<F> StdError for Rejected<F> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.error.source()
    }
}

/// A reply of `/user_management/authenticate`, read by the one decoder of all its shapes.
pub(super) enum Answer {
    Complete(Box<Complete>, Reply),
    Unfinished { code: ErrorCode, message: Option<ServerMessage>, pending: Option<PendingAuthenticationToken> },
}

/// A present `null` and an absent field mean the same.
#[derive(Deserialize)]
pub(super) struct Complete {
    user: User,
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    organization_id: Option<OrganizationId>,
    authentication_method: Option<AuthenticationMethod>,
    impersonator: Option<Impersonator>,
    oauth_tokens: Option<OAuthTokens>,
    authkit_authorization_code: Option<AuthorizationCode>,
}

/// All three envelopes at once: `{code, message, …}`, `{error, error_description, …}` and a bare `{message}`.
#[derive(Deserialize)]
struct Refusal {
    code: Option<String>,
    error: Option<String>,
    message: Option<ServerMessage>,
    error_description: Option<ServerMessage>,
    pending_authentication_token: Option<PendingAuthenticationToken>,
}

impl Answer {
    pub(super) fn read(reply: Reply) -> Result<Self, Failure> {
        if reply.status.is_success() {
            return match parse::<Complete>(&reply) {
                Ok(complete) => Ok(Self::Complete(Box::new(complete), reply)),
                Err(kind) => Err(reply.error(kind)),
            };
        }
        if !reply.status.is_client_error() && !reply.status.is_server_error() {
            return Err(reply.error(ErrorKind::UnexpectedStatus));
        }
        let refusal = match parse::<Refusal>(&reply) {
            Ok(refusal) => refusal,
            Err(kind) => return Err(reply.error(kind)),
        };
        let code = refusal.code.as_deref().or(refusal.error.as_deref()).and_then(plain_code).map(ErrorCode::from);
        let message = refusal.message.or(refusal.error_description);
        let pending = refusal.pending_authentication_token;
        match code {
            Some(code) if pending.is_some() || is_step(&code) => Ok(Self::Unfinished { code, message, pending }),
            code => Err(reply.error(ErrorKind::Api(ApiError { code, message: message.map(Arc::new) }))),
        }
    }

    /// Makes the outcome of it; `kept` is the refresh token that stays when no new one came.
    pub(super) fn finish<K>(
        self,
        client: &Client<K>,
        kept: Option<RefreshToken>,
    ) -> Result<Authentication<K>, Failure> {
        match self {
            Self::Complete(complete, reply) => match complete.refresh_token.or(kept) {
                Some(refresh_token) => Ok(Authentication::Complete(Box::new(AuthenticationResponse {
                    user: complete.user,
                    access_token: complete.access_token,
                    refresh_token,
                    organization_id: complete.organization_id,
                    authentication_method: complete.authentication_method,
                    impersonator: complete.impersonator,
                    oauth_tokens: complete.oauth_tokens,
                    authkit_authorization_code: complete.authkit_authorization_code,
                }))),
                None => Err(reply.error(ErrorKind::UnexpectedShape)),
            },
            Self::Unfinished { code, message, pending } => Ok(Authentication::Unfinished(UnfinishedLogin {
                client: client.clone(),
                code,
                message,
                pending_authentication_token: pending,
            })),
        }
    }
}

/// Serde's own message is dropped: it echoes values.
fn parse<T: DeserializeOwned>(reply: &Reply) -> Result<T, ErrorKind> {
    serde_json::from_slice(&reply.body)
        .map_err(|error| if error.is_data() { ErrorKind::UnexpectedShape } else { ErrorKind::NotJson })
}

/// The codes of logins that go on, whether or not a token came along.
fn is_step(code: &ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::ApplicationConsentRequired
            | ErrorCode::AuthenticationMethodNotAllowed
            | ErrorCode::EmailPasswordAuthDisabled
            | ErrorCode::EmailVerificationRequired
            | ErrorCode::MfaChallenge
            | ErrorCode::MfaEnrollment
            | ErrorCode::MfaVerification
            | ErrorCode::OrganizationAuthenticationMethodsRequired
            | ErrorCode::OrganizationSelectionRequired
            | ErrorCode::PasskeyProgressiveEnrollment
            | ErrorCode::RadarChallenge
            | ErrorCode::RadarEmailChallenge
            | ErrorCode::RadarSignUpChallenge
            | ErrorCode::RadarSmsChallenge
            | ErrorCode::RadarSmsSignInChallenge
            | ErrorCode::SsoRequired
    )
}
