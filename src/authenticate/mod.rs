//! `POST /user_management/authenticate`: one file per grant, one way through for all of them.

mod code;
mod magic_auth;
pub(crate) mod outcome;
mod password;
mod refresh;
pub(crate) mod steps;

use std::net::IpAddr;

use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use code::{CodeExchange, ImpersonationExchange};
pub use magic_auth::MagicAuthGrant;
pub use outcome::{Authentication, Rejected};
pub use password::PasswordGrant;
pub use refresh::RefreshGrant;
pub use steps::{
    AuthenticationFactorType, BlockedLogin, ChallengeRequest, ContinuesLogin, EmailVerification, FactorChoice,
    MfaChallenge, MfaEnrollment, OrganizationChoice, OrganizationMethodsRequired, OrganizationSelection, PendingUser,
    RadarEmailChallenge, RadarSms, RadarSmsCode, RadarSmsRequest, RadarSmsSignUp, SsoRequired, StepAnswer,
    TotpChallenge, TotpEnrollment, TotpEnrollmentRequest, UnfinishedLogin,
};

use crate::client::Caller;
use crate::error::{Error, ErrorCode};
use crate::transport::{Body, Call, Failure, Fate, Repeat, Reply, Route};
use crate::wire::{self, ContextBody, RadarBody, TokenRequest};
use outcome::Answer;

/// Where the user's own request came from, for WorkOS's fraud detection and audit log. It goes along with a login; calls of the API
/// that take an address and a browser, but no device, have setters of their own.
///
/// ```
/// use workos_auth::RequestContext;
///
/// let context = RequestContext::new().ip_address([203, 0, 113, 7]).user_agent("Mozilla/5.0");
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestContext {
    ip_address: Option<IpAddr>,
    user_agent: Option<String>,
    device_id: Option<String>,
}

impl RequestContext {
    /// Nothing known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The address of the user's device.
    #[must_use]
    pub fn ip_address(mut self, address: impl Into<IpAddr>) -> Self {
        self.ip_address = Some(address.into());
        self
    }

    /// The `User-Agent` of the user's browser.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// The application's own name for the user's device.
    #[must_use]
    pub fn device_id(mut self, id: impl Into<String>) -> Self {
        self.device_id = Some(id.into());
        self
    }

    pub(crate) fn body(&self) -> ContextBody<'_> {
        ContextBody {
            ip_address: self.ip_address,
            user_agent: self.user_agent.as_deref(),
            device_id: self.device_id.as_deref(),
        }
    }
}

/// What WorkOS Radar, the fraud detection, knows of this visit.
#[derive(Clone, Debug, Default)]
pub struct RadarContext {
    auth_attempt_id: Option<String>,
    signals_id: Option<String>,
}

impl RadarContext {
    /// Nothing known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The ID that Radar gave to this attempt.
    #[must_use]
    pub fn auth_attempt_id(mut self, id: impl Into<String>) -> Self {
        self.auth_attempt_id = Some(id.into());
        self
    }

    /// The ID that Radar's browser script gave to this visit.
    #[must_use]
    pub fn signals_id(mut self, id: impl Into<String>) -> Self {
        self.signals_id = Some(id.into());
        self
    }

    pub(crate) fn body(&self) -> RadarBody<'_> {
        RadarBody { radar_auth_attempt_id: self.auth_attempt_id.as_deref(), signals_id: self.signals_id.as_deref() }
    }
}

/// Sends one grant, with the client secret of a confidential client, and reads its answer.
async fn authenticate<K>(
    caller: &Caller<K>,
    grant_type: &'static str,
    grant: impl Serialize,
    repeat: Repeat,
) -> Result<Answer, Failure> {
    submit(caller, &TokenRequest::new(grant_type, caller.identity(), grant), repeat).await
}

pub(crate) async fn submit<K>(
    caller: &Caller<K>,
    request: &TokenRequest<'_, impl Serialize>,
    repeat: Repeat,
) -> Result<Answer, Failure> {
    post(caller, wire::AUTHENTICATE.into(), request, repeat).await.and_then(Answer::read)
}

/// Sends a call that a login needs between its steps, and reads its answer.
async fn call<T: DeserializeOwned, K>(
    caller: &Caller<K>,
    route: Result<Route, Error>,
    body: &impl Serialize,
) -> Result<T, Failure> {
    post(caller, route.map_err(Failure::unsent)?, body, Repeat::Credential).await.and_then(outcome::read)
}

async fn post<K>(caller: &Caller<K>, route: Route, body: &impl Serialize, repeat: Repeat) -> Result<Reply, Failure> {
    let call = Call {
        method: Method::POST,
        route,
        authorization: caller.identity().api_key.map(wire::bearer).transpose().map_err(Failure::unsent)?,
        body: wire::body(body).map(Body::Json).map_err(Failure::unsent)?,
        repeat,
    };
    caller.client.core.send(call).await
}

impl Failure {
    /// Gives the flow value back where it may be used again, with the same answer or another.
    fn rejecting<F>(self, flow: F) -> Rejected<F> {
        let again = self.fate == Fate::Unused || self.error.is_transient() || goes_on(&self.error);
        Rejected::new(self.error, again.then_some(flow))
    }

    /// The same for an authorization code, which must not arrive twice: a failure that leaves open what became of it ends it.
    pub(crate) fn rejecting_code<F>(self, flow: F) -> Rejected<F> {
        let again = self.fate == Fate::Unused || goes_on(&self.error);
        Rejected::new(self.error, again.then_some(flow))
    }
}

/// Whether the login that a refusal belongs to goes on: the API named what was wrong with the request, and that can be put right.
/// The table of it is [`ends`]. Any other status says nothing of the login, so that the code alone counts.
fn goes_on(error: &Error) -> bool {
    match error.status() {
        Some(status) if is_refusal(status) => !error.code().is_some_and(ends),
        _ => matches!(
            error.code(),
            Some(
                ErrorCode::InvalidCredentials
                    | ErrorCode::InvalidOneTimeCode
                    | ErrorCode::OneTimeCodePreviouslyUsed
                    | ErrorCode::OneTimeCodeExpired
                    | ErrorCode::EmailVerificationCodeIncorrect
            )
        ),
    }
}

/// The API has read the request, and refuses what is in it.
fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY)
}

/// The codes that end a login: whatever is sent next with the same code or token is refused too.
///
/// All others are about the answer, which may be another next time (a wrong or expired one-time code, an organization, an
/// invitation), or about the application (its secret, its settings).
fn ends(code: &ErrorCode) -> bool {
    matches!(
        code,
        // The authorization code or refresh token is unknown, expired or used, or its verifier is wrong (RFC 6749 §5.2).
        ErrorCode::InvalidGrant
            // The login began without a challenge, so that no verifier fits (RFC 7636 §4.6), or where none is known.
            | ErrorCode::CodeChallengeNotFound
            | ErrorCode::PkceNotSupported
            // The token that continues the login is dead, or belongs to another user than the rest.
            | ErrorCode::InvalidPendingAuthenticationToken
            | ErrorCode::UserMismatch
            | ErrorCode::OneTimeCodeTooManyAttempts
            // RFC 8628 §3.5.
            | ErrorCode::ExpiredToken
            | ErrorCode::AccessDenied
    )
}
