//! `POST /user_management/authenticate`: one file per grant, one way through for all of them.

mod code;
mod magic_auth;
pub(crate) mod outcome;
mod password;
mod refresh;
pub(crate) mod steps;

use std::net::IpAddr;

use http::Method;
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
use crate::error::{Error, ErrorCode, ErrorKind};
use crate::transport::{Body, Call, Failure, Repeat, Reply, Route};
use crate::wire::{self, ContextBody, RadarBody, TokenRequest};
use outcome::Answer;

/// Where the user's own request came from, for WorkOS's fraud detection and audit log.
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
    /// Gives the flow value back where it may be used again.
    fn rejecting<F>(self, flow: F) -> Rejected<F> {
        Rejected::new(self.error.clone(), may_try_again(&self.error).then_some(flow))
    }
}

/// Whether a refused credential, or another in its place, may be sent again; an authorization code has a stricter rule.
fn may_try_again(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Api(_) | ErrorKind::NotJson | ErrorKind::UnexpectedShape => {
            error.is_transient()
                || matches!(
                    error.code(),
                    Some(
                        ErrorCode::InvalidCredentials
                            | ErrorCode::InvalidOneTimeCode
                            | ErrorCode::OneTimeCodePreviouslyUsed
                    )
                )
        }
        // Not one byte of it was sent.
        ErrorKind::Certificate | ErrorKind::Tls => true,
        _ => error.is_transient(),
    }
}
