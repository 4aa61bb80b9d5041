//! How every grant and every answered step is sent, and how it ends: a signed-in user, a further step, or a rejection.

use std::error::Error as StdError;
use std::fmt;

use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::steps::{Step, UnreadStep, is_step};
use crate::client::Caller;
use crate::error::{Error, ErrorKind};
use crate::id::OrganizationId;
use crate::model::{AuthenticationMethod, AuthenticationResponse, Impersonator, OAuthTokens, User};
use crate::rejected::Rejected;
use crate::sealed::{INTERNAL, Internal};
use crate::secret::{AccessToken, ApiKey, AuthKitAuthorizationCode, RefreshToken};
use crate::transport::{self, Body, Call, Failure, Reply, RequestKind, Route, success_or_refusal};
use crate::wire::{self, TokenRequest};

/// A value that signs a user in when it is sent: a grant, a device login, or an answered step. Sealed.
pub trait Flow: Sized {
    /// The credentials of the client of this login.
    type Credentials;

    #[doc(hidden)]
    fn caller(&self, _: Internal) -> &Caller<Self::Credentials>;

    /// The refresh token to keep when the reply has no new one.
    #[doc(hidden)]
    fn into_refresh_token(self, _: Internal) -> Result<RefreshToken, Self> {
        Err(self)
    }
}

/// Why the user isn't signed in: the login needs a further step, or the call failed.
///
/// `?` turns it into an [`Error`] that names the step or the failure. Applications that support steps call [`step`](Self::step):
///
/// ```no_run
/// # async fn run(client: workos_auth::ConfidentialClient) -> Result<(), workos_auth::Error> {
/// use workos_auth::{EmailAddress, Password, Step};
///
/// let email = EmailAddress::new("ada@example.com")?;
/// match client.authenticate_with_password(email, Password::new("from the form")).send().await {
///     Ok(response) => println!("hello, {}", response.user.email),
///     Err(not_yet) => match not_yet.step()? {
///         Step::MfaChallenge(step) => println!("a code of one of {} factors, please", step.factors().len()),
///         other => return Err(other.into()),
///     },
/// }
/// # Ok(()) }
/// ```
#[must_use = "the user is not signed in"]
pub enum NotSignedIn<F: Flow> {
    /// The login goes on with this step.
    Step(Step<F::Credentials>),
    /// The call failed. It holds the value that was sent if that can be used again.
    Rejected(Rejected<F>),
}

impl<F: Flow> NotSignedIn<F> {
    /// The step that the login needs.
    ///
    /// # Errors
    /// The rejection, if the call failed; `?` turns it into an [`Error`].
    pub fn step(self) -> Result<Step<F::Credentials>, Rejected<F>> {
        match self {
            Self::Step(step) => Ok(step),
            Self::Rejected(rejected) => Err(rejected),
        }
    }

    /// The value that was sent, for another try.
    ///
    /// # Errors
    /// The error, if the value was used up; [`ErrorKind::Unfinished`] if the login needs a step instead.
    pub fn recover(self) -> Result<F, Error> {
        match self {
            Self::Step(step) => Err(step.into()),
            Self::Rejected(rejected) => rejected.recover(),
        }
    }

    /// Why the user isn't signed in: the failure, or [`ErrorKind::Unfinished`] naming the step.
    #[must_use]
    pub fn error(&self) -> Error {
        match self {
            Self::Step(step) => Error::unfinished(step.code()),
            Self::Rejected(rejected) => rejected.error().clone(),
        }
    }
}

impl<F: Flow> From<NotSignedIn<F>> for Error {
    fn from(not_signed_in: NotSignedIn<F>) -> Self {
        not_signed_in.error()
    }
}

impl<F: Flow> fmt::Debug for NotSignedIn<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => formatter.debug_tuple("Step").field(step).finish(),
            Self::Rejected(rejected) => rejected.fmt(formatter),
        }
    }
}

impl<F: Flow> fmt::Display for NotSignedIn<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(formatter)
    }
}

impl<F: Flow> StdError for NotSignedIn<F> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Step(_) => None,
            Self::Rejected(rejected) => rejected.source(),
        }
    }
}

/// Sends one grant, with the client secret of a confidential client, and reads the reply.
pub(super) async fn authenticate<K>(
    caller: &Caller<K>,
    grant_type: &'static str,
    grant: impl Serialize,
    kind: RequestKind,
) -> Result<LoginReply, Failure> {
    submit(caller, &TokenRequest::new(grant_type, caller.identity(), grant), kind).await
}

pub(super) async fn submit<K>(
    caller: &Caller<K>,
    request: &TokenRequest<'_, impl Serialize>,
    kind: RequestKind,
) -> Result<LoginReply, Failure> {
    post(caller, wire::AUTHENTICATE.into(), request, kind).await.and_then(LoginReply::read)
}

/// Sends a call between the steps of a login, and reads the reply.
pub(super) async fn call<T: DeserializeOwned, K>(
    caller: &Caller<K>,
    route: Result<Route, Error>,
    body: &impl Serialize,
) -> Result<T, Failure> {
    let route = route.map_err(Failure::unsent)?;
    post(caller, route, body, RequestKind::Credential).await.and_then(transport::read)
}

async fn post<K>(caller: &Caller<K>, route: Route, body: &impl Serialize, kind: RequestKind) -> Result<Reply, Failure> {
    let call = Call {
        method: Method::POST,
        route,
        authorization: caller.identity().api_key.map(ApiKey::header),
        body: wire::body(body).map(Body::Json).map_err(Failure::unsent)?,
        kind,
    };
    caller.client.core.send(call).await
}

/// A reply of `/user_management/authenticate`.
pub(crate) enum LoginReply {
    Success(Box<Success>, Reply),
    Step(Box<UnreadStep>),
}

/// A present `null` and an absent field mean the same.
#[derive(Deserialize)]
pub(crate) struct Success {
    user: User,
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    organization_id: Option<OrganizationId>,
    authentication_method: Option<AuthenticationMethod>,
    impersonator: Option<Impersonator>,
    oauth_tokens: Option<OAuthTokens>,
    authkit_authorization_code: Option<AuthKitAuthorizationCode>,
}

impl LoginReply {
    pub(super) fn read(reply: Reply) -> Result<Self, Failure> {
        match success_or_refusal::<Success>(&reply) {
            Ok(Ok(success)) => Ok(Self::Success(Box::new(success), reply)),
            Ok(Err(mut refusal)) => match refusal.code() {
                Some(code) if refusal.pending_authentication_token.is_some() || is_step(&code) => {
                    let token = refusal.pending_authentication_token.take();
                    Ok(Self::Step(Box::new(UnreadStep { code, token, message: refusal.into_message(), reply })))
                }
                _ => Err(refusal.failure(reply)),
            },
            Err(kind) => Err(reply.failure(kind)),
        }
    }

    /// The reply to the answer of a step. If the API refuses the answer and begins no other step, the answered step can be answered
    /// again: an organization may not allow the user's way to sign in, and another organization may.
    pub(super) fn answering_step(self) -> Result<Self, Failure> {
        match self {
            Self::Step(step) if step.refuses_an_answer() => Err(step.into_failure()),
            answer => Ok(answer),
        }
    }
}

/// Ends a login; every grant and every step calls it.
pub(super) fn settle<F: Flow>(
    reply: Result<LoginReply, Failure>,
    flow: F,
) -> Result<AuthenticationResponse, NotSignedIn<F>> {
    let (success, reply) = match reply {
        Ok(LoginReply::Success(success, reply)) => (*success, reply),
        Ok(LoginReply::Step(step)) => return Err(NotSignedIn::Step(step.read(flow.caller(INTERNAL).clone()))),
        Err(failure) => return Err(NotSignedIn::Rejected(failure.rejecting(flow))),
    };
    let kept = match success.refresh_token {
        Some(token) => Ok(token),
        None => flow.into_refresh_token(INTERNAL),
    };
    match kept {
        Ok(refresh_token) => Ok(AuthenticationResponse {
            user: success.user,
            access_token: success.access_token,
            refresh_token,
            organization_id: success.organization_id,
            authentication_method: success.authentication_method,
            impersonator: success.impersonator,
            oauth_tokens: success.oauth_tokens,
            authkit_authorization_code: success.authkit_authorization_code,
        }),
        Err(flow) => Err(NotSignedIn::Rejected(reply.failure(ErrorKind::UnexpectedShape).rejecting(flow))),
    }
}
