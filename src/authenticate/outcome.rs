//! What comes of a login: a response, a further step, or a rejection that may give the flow value back.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::is_refusal;
use super::steps::{
    BlockedLogin, EmailVerification, FactorChoice, MfaChallenge, MfaEnrollment, OrganizationChoice,
    OrganizationMethodsRequired, OrganizationSelection, Pending, PendingUser, RadarEmailChallenge, RadarSmsCode,
    RadarSmsSignUp, SentChallenge, SsoRequired, TotpChallenge, UnfinishedLogin,
};
use crate::client::Caller;
use crate::error::{ApiError, Error, ErrorCode, ErrorKind, plain_code};
use crate::id::{ConnectionId, EmailVerificationId, OrganizationId, RadarChallengeId};
use crate::model::{AuthenticationMethod, AuthenticationResponse, Impersonator, OAuthTokens, User};
use crate::secret::{AccessToken, AuthorizationCode, PendingAuthenticationToken, RefreshToken, ServerMessage};
use crate::transport::{Failure, Reply};

/// What the API made of a login: finished, or one of the steps that come before that.
///
/// ```
/// use workos_auth::{Authentication, AuthenticationResponse, HasApiKey};
///
/// fn next<K: HasApiKey>(outcome: Authentication<K>) -> Option<AuthenticationResponse> {
///     match outcome {
///         Authentication::Complete(response) => return Some(*response),
///         Authentication::OrganizationSelection(step) => {
///             for organization in step.organizations() {
///                 println!("{}", organization.name);
///             }
///         }
///         Authentication::TotpChallenge(_) => println!("the code of your authenticator, please"),
///         other => println!("not supported here: {}", other.complete().unwrap_err()),
///     }
///     None
/// }
/// ```
#[derive(Debug)]
#[must_use = "the user is signed in only if this is `Complete`: match on it or call `.complete()?`"]
#[non_exhaustive]
pub enum Authentication<K> {
    /// The user is signed in.
    Complete(Box<AuthenticationResponse>),
    /// The user must enrol a second factor.
    MfaEnrollment(MfaEnrollment<K>),
    /// A second factor must be challenged.
    MfaChallenge(MfaChallenge<K>),
    /// A second factor was challenged: its code is wanted.
    TotpChallenge(TotpChallenge<K>),
    /// The code of a verification e-mail is wanted.
    EmailVerification(EmailVerification<K>),
    /// The user must choose an organization.
    OrganizationSelection(OrganizationSelection<K>),
    /// The user must sign in over SSO.
    SsoRequired(SsoRequired<K>),
    /// The organization wants another way to sign in.
    OrganizationMethodsRequired(OrganizationMethodsRequired<K>),
    /// Radar wants a code that was sent by e-mail.
    RadarEmailChallenge(RadarEmailChallenge<K>),
    /// Radar wants a new user's telephone number.
    RadarSmsSignUp(RadarSmsSignUp<K>),
    /// Radar wants a code that was sent by SMS.
    RadarSmsCode(RadarSmsCode<K>),
    /// The login goes on in a way that this release does not model.
    Unfinished(UnfinishedLogin<K>),
    /// The login can't go on this way.
    Blocked(BlockedLogin<K>),
}

impl<K> Authentication<K> {
    /// The response, for applications that support no further steps.
    ///
    /// # Errors
    /// [`ErrorKind::Unfinished`](crate::ErrorKind::Unfinished) naming the step that the login needs.
    pub fn complete(self) -> Result<AuthenticationResponse, Error> {
        let step = match self {
            Self::Complete(response) => return Ok(*response),
            Self::MfaEnrollment(_) => ErrorCode::MfaEnrollment,
            Self::MfaChallenge(_) | Self::TotpChallenge(_) => ErrorCode::MfaChallenge,
            Self::EmailVerification(_) => ErrorCode::EmailVerificationRequired,
            Self::OrganizationSelection(_) => ErrorCode::OrganizationSelectionRequired,
            Self::SsoRequired(_) => ErrorCode::SsoRequired,
            Self::OrganizationMethodsRequired(_) => ErrorCode::OrganizationAuthenticationMethodsRequired,
            Self::RadarEmailChallenge(_) => ErrorCode::RadarChallenge,
            Self::RadarSmsSignUp(_) => ErrorCode::RadarSignUpChallenge,
            Self::RadarSmsCode(_) => ErrorCode::RadarSmsSignInChallenge,
            Self::Unfinished(login) => login.code,
            Self::Blocked(login) => login.code,
        };
        Err(Error::unfinished(step))
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
pub(crate) enum Answer {
    Complete(Box<Complete>, Reply),
    Step(Box<Step>),
}

/// A present `null` and an absent field mean the same.
#[derive(Deserialize)]
pub(crate) struct Complete {
    user: User,
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    organization_id: Option<OrganizationId>,
    authentication_method: Option<AuthenticationMethod>,
    impersonator: Option<Impersonator>,
    oauth_tokens: Option<OAuthTokens>,
    authkit_authorization_code: Option<AuthorizationCode>,
}

/// A login that isn't finished, as it came.
pub(crate) struct Step {
    code: ErrorCode,
    message: Option<ServerMessage>,
    token: Option<PendingAuthenticationToken>,
    details: StepDetails,
    reply: Reply,
}

/// What some steps carry besides their code and token.
#[derive(Default, Deserialize)]
struct StepDetails {
    user: Option<PendingUser>,
    authentication_factors: Option<Vec<FactorChoice>>,
    authentication_challenge: Option<SentChallenge>,
    email: Option<String>,
    email_verification_id: Option<EmailVerificationId>,
    organizations: Option<Vec<OrganizationChoice>>,
    connection_ids: Option<Vec<ConnectionId>>,
    sso_connection_ids: Option<Vec<ConnectionId>>,
    auth_methods: Option<BTreeMap<String, bool>>,
    radar_challenge_id: Option<RadarChallengeId>,
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

impl Refusal {
    fn code(&self) -> Option<ErrorCode> {
        self.code.as_deref().or(self.error.as_deref()).and_then(plain_code).map(ErrorCode::from)
    }

    fn failure(self, reply: Reply) -> Failure {
        let code = self.code();
        let message = self.message.or(self.error_description).map(Arc::new);
        reply.error(ErrorKind::Api(ApiError { code, message }))
    }
}

/// Reads a reply of any endpoint: what was asked for, or a refusal in one of its three envelopes.
pub(crate) fn read<T: DeserializeOwned>(reply: Reply) -> Result<T, Failure> {
    match success_or_refusal(&reply) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(refusal)) => Err(refusal.failure(reply)),
        Err(kind) => Err(reply.error(kind)),
    }
}

fn success_or_refusal<T: DeserializeOwned>(reply: &Reply) -> Result<Result<T, Refusal>, ErrorKind> {
    if reply.status.is_success() {
        parse(reply).map(Ok)
    } else if reply.status.is_client_error() || reply.status.is_server_error() {
        parse(reply).map(Err)
    } else {
        Err(ErrorKind::UnexpectedStatus)
    }
}

/// Reads a reply that may be empty, which counts as `null`.
pub(crate) fn read_or_null<T: DeserializeOwned>(mut reply: Reply) -> Result<T, Failure> {
    if reply.status.is_success() && reply.body.is_empty() {
        reply.body = bytes::Bytes::from_static(b"null");
    }
    read(reply)
}

/// Reads the reply of an endpoint that answers with nothing of interest.
pub(crate) fn accept(reply: Reply) -> Result<(), Failure> {
    if reply.status.is_success() { Ok(()) } else { read::<serde::de::IgnoredAny>(reply).map(drop) }
}

impl Answer {
    pub(super) fn read(reply: Reply) -> Result<Self, Failure> {
        match success_or_refusal::<Complete>(&reply) {
            Ok(Ok(complete)) => Ok(Self::Complete(Box::new(complete), reply)),
            Ok(Err(refusal)) => match refusal.code() {
                Some(code) if refusal.pending_authentication_token.is_some() || is_step(&code) => {
                    Ok(Self::Step(Box::new(Step {
                        code,
                        message: refusal.message.or(refusal.error_description),
                        token: refusal.pending_authentication_token,
                        // Details of a shape that is new must not lose the token.
                        details: parse(&reply).unwrap_or_default(),
                        reply,
                    })))
                }
                _ => Err(refusal.failure(reply)),
            },
            Err(kind) => Err(reply.error(kind)),
        }
    }

    /// What a step was answered with. Where the API refuses the answer and begins no other step, the one that was answered is
    /// alive: an organization may not allow the way in which the user signed in, and another one may.
    pub(super) fn of_a_step(self) -> Result<Self, Failure> {
        match self {
            Self::Step(step) if step.blocks() && is_refusal(step.reply.status) => {
                let Step { code, message, reply, .. } = *step;
                Err(reply.error(ErrorKind::Api(ApiError { code: Some(code), message: message.map(Arc::new) })))
            }
            answer => Ok(answer),
        }
    }

    /// Makes the outcome of it; `kept` is the refresh token that stays when no new one came.
    pub(crate) fn finish<K>(
        self,
        caller: &Caller<K>,
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
            Self::Step(step) => Ok(step.finish(caller.clone())),
        }
    }
}

impl Step {
    /// Nothing continues it: it has no token, and another login is no answer to it.
    fn blocks(&self) -> bool {
        let elsewhere =
            matches!(self.code, ErrorCode::SsoRequired | ErrorCode::OrganizationAuthenticationMethodsRequired);
        self.token.is_none() && !elsewhere
    }

    /// A step that lacks what its next call needs keeps its code and token as an unfinished login.
    fn finish<K>(self, caller: Caller<K>) -> Authentication<K> {
        let Self { code, message, token, details, reply: _ } = self;
        match code {
            ErrorCode::SsoRequired => {
                return Authentication::SsoRequired(SsoRequired {
                    caller,
                    email: details.email,
                    connection_ids: details.connection_ids.unwrap_or_default(),
                    token,
                });
            }
            ErrorCode::OrganizationAuthenticationMethodsRequired => {
                return Authentication::OrganizationMethodsRequired(OrganizationMethodsRequired {
                    caller,
                    email: details.email,
                    sso_connection_ids: details.sso_connection_ids.unwrap_or_default(),
                    methods: details.auth_methods.unwrap_or_default(),
                    token,
                });
            }
            _ => {}
        }
        let Some(token) = token else {
            return Authentication::Blocked(BlockedLogin { client: caller.client, code, message });
        };
        let pending = Pending { caller, token };
        match (&code, details) {
            (ErrorCode::MfaEnrollment, StepDetails { user: Some(user), .. }) => {
                Authentication::MfaEnrollment(MfaEnrollment { pending, user })
            }
            (
                ErrorCode::MfaChallenge | ErrorCode::MfaVerification,
                StepDetails { authentication_challenge: Some(challenge), .. },
            ) => Authentication::TotpChallenge(TotpChallenge::new(pending, challenge)),
            (
                ErrorCode::MfaChallenge | ErrorCode::MfaVerification,
                StepDetails { authentication_factors: Some(factors), user, .. },
            ) => Authentication::MfaChallenge(MfaChallenge { pending, user, factors }),
            (ErrorCode::EmailVerificationRequired, StepDetails { email, email_verification_id, .. }) => {
                Authentication::EmailVerification(EmailVerification { pending, email, id: email_verification_id })
            }
            (
                ErrorCode::OrganizationSelectionRequired,
                StepDetails { organizations: Some(organizations), user, .. },
            ) => Authentication::OrganizationSelection(OrganizationSelection { pending, user, organizations }),
            (
                ErrorCode::RadarChallenge | ErrorCode::RadarEmailChallenge,
                StepDetails { radar_challenge_id: Some(id), .. },
            ) => Authentication::RadarEmailChallenge(RadarEmailChallenge { pending, id }),
            (ErrorCode::RadarSignUpChallenge, StepDetails { user: Some(user), .. }) => {
                Authentication::RadarSmsSignUp(RadarSmsSignUp { pending, user })
            }
            (ErrorCode::RadarSmsSignInChallenge | ErrorCode::RadarSmsChallenge, _) => {
                Authentication::RadarSmsCode(RadarSmsCode { pending, sent: None })
            }
            _ => Authentication::Unfinished(UnfinishedLogin { pending, code, message }),
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
