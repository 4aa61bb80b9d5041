//! Logins that are not finished: each kind of step is a type whose methods are the next legal calls.
//!
//! A new step is added in three places: its type, body, decoding and parking in the file of its family, its variant of [`Step`]
//! here, and its code in [`family`] (and in [`ErrorCode`] if the code is new).

mod email;
mod mfa;
mod organization;
mod radar;
mod sso;
mod unfinished;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use email::EmailVerification;
pub use mfa::{
    ChallengeRequest, FactorChoice, MfaChallenge, MfaEnrollment, TotpChallenge, TotpEnrollment, TotpEnrollmentRequest,
};
pub use organization::{OrganizationChoice, OrganizationSelection};
pub use radar::{RadarEmailChallenge, RadarSmsCode, RadarSmsRequest, RadarSmsSignUp};
pub use sso::{OrganizationMethodsRequired, SsoRequired};
pub use unfinished::{BlockedLogin, UnfinishedLogin};

use super::outcome::{Flow, LoginReply, NotSignedIn, authenticate, settle};
use crate::client::{Caller, Client};
use crate::credentials::HasClientId;
use crate::error::{ApiError, Error, ErrorCode, ErrorKind};
use crate::id::UserId;
use crate::model::{AuthenticationResponse, RequestContext};
use crate::sealed::{INTERNAL, Internal};
use crate::secret::{PendingAuthenticationToken, ServerMessage};
use crate::transport::{Failure, Reply, RequestKind, is_refusal};
use crate::wire::WithContext;

/// A login that is not finished: what it needs before the user is signed in.
///
/// ```
/// use workos_auth::Step;
///
/// fn ask_the_user<K>(step: &Step<K>) {
///     match step {
///         Step::MfaChallenge(step) => println!("{} second factors", step.factors().len()),
///         Step::OrganizationSelection(step) => {
///             for organization in step.organizations() {
///                 println!("{}", organization.name);
///             }
///         }
///         other => println!("not supported here: {}", other.code()),
///     }
/// }
/// ```
#[must_use = "the login is not finished: match on the step, and call its next method"]
#[non_exhaustive]
pub enum Step<K> {
    /// The user must enrol a second factor.
    MfaEnrollment(MfaEnrollment<K>),
    /// A second factor must be challenged.
    MfaChallenge(MfaChallenge<K>),
    /// A second factor was challenged, and its code is needed.
    TotpChallenge(TotpChallenge<K>),
    /// The code of a verification e-mail is needed.
    EmailVerification(EmailVerification<K>),
    /// The user must choose an organization.
    OrganizationSelection(OrganizationSelection<K>),
    /// The user must sign in over SSO.
    SsoRequired(SsoRequired<K>),
    /// The organization requires another way to sign in.
    OrganizationMethodsRequired(OrganizationMethodsRequired<K>),
    /// Radar requires a code that was sent by e-mail.
    RadarEmailChallenge(RadarEmailChallenge<K>),
    /// Radar requires a new user's telephone number.
    RadarSmsSignUp(RadarSmsSignUp<K>),
    /// Radar requires a code that was sent by SMS.
    RadarSmsCode(RadarSmsCode<K>),
    /// The login goes on in a way that this release doesn't model.
    Unfinished(UnfinishedLogin<K>),
    /// The login can't go on in this way.
    Blocked(BlockedLogin<K>),
}

impl<K> Step<K> {
    /// The API's code of the step.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::MfaEnrollment(_) => ErrorCode::MfaEnrollment,
            Self::MfaChallenge(_) | Self::TotpChallenge(_) => ErrorCode::MfaChallenge,
            Self::EmailVerification(_) => ErrorCode::EmailVerificationRequired,
            Self::OrganizationSelection(_) => ErrorCode::OrganizationSelectionRequired,
            Self::SsoRequired(_) => ErrorCode::SsoRequired,
            Self::OrganizationMethodsRequired(_) => ErrorCode::OrganizationAuthenticationMethodsRequired,
            Self::RadarEmailChallenge(_) => ErrorCode::RadarChallenge,
            Self::RadarSmsSignUp(_) => ErrorCode::RadarSignUpChallenge,
            Self::RadarSmsCode(_) => ErrorCode::RadarSmsSignInChallenge,
            Self::Unfinished(login) => login.code().clone(),
            Self::Blocked(login) => login.code().clone(),
        }
    }
}

impl<K> fmt::Debug for Step<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MfaEnrollment(step) => step.fmt(formatter),
            Self::MfaChallenge(step) => step.fmt(formatter),
            Self::TotpChallenge(step) => step.fmt(formatter),
            Self::EmailVerification(step) => step.fmt(formatter),
            Self::OrganizationSelection(step) => step.fmt(formatter),
            Self::SsoRequired(step) => step.fmt(formatter),
            Self::OrganizationMethodsRequired(step) => step.fmt(formatter),
            Self::RadarEmailChallenge(step) => step.fmt(formatter),
            Self::RadarSmsSignUp(step) => step.fmt(formatter),
            Self::RadarSmsCode(step) => step.fmt(formatter),
            Self::Unfinished(login) => login.fmt(formatter),
            Self::Blocked(login) => login.fmt(formatter),
        }
    }
}

/// For applications that don't support the step: [`ErrorKind::Unfinished`] with its code.
impl<K> From<Step<K>> for Error {
    fn from(step: Step<K>) -> Self {
        Self::unfinished(step.code())
    }
}

/// The part that all steps share: the client that began the login, and the token that continues it.
#[allow(missing_debug_implementations, reason = "each step has its own")]
pub(crate) struct Pending<K> {
    pub(crate) caller: Caller<K>,
    pub(crate) token: PendingAuthenticationToken,
}

impl<K> Pending<K> {
    fn new(client: &Client<K>, token: PendingAuthenticationToken) -> Self
    where
        K: HasClientId,
    {
        Self { caller: Caller::new(client), token }
    }
}

/// The user of a login that is not finished, as far as the API says.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PendingUser {
    /// The ID.
    pub id: UserId,
    /// The e-mail address.
    pub email: Option<String>,
}

/// A step that is answered with one call. Sealed.
pub trait ContinuesLogin: Flow {
    #[doc(hidden)]
    type Answer;
    #[doc(hidden)]
    const GRANT_TYPE: &'static str;

    #[doc(hidden)]
    fn body<'a>(&'a self, answer: &'a Self::Answer, _: Internal) -> impl Serialize + Send + Sync + 'a;
}

/// The answer to a step, ready to be sent; `S` is the step.
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct StepAnswer<S: ContinuesLogin> {
    step: S,
    answer: S::Answer,
    context: RequestContext,
}

impl<S: ContinuesLogin> StepAnswer<S> {
    fn new(step: S, answer: S::Answer) -> Self {
        Self { step, answer, context: RequestContext::new() }
    }

    /// Where the user's request came from.
    pub fn context(mut self, context: RequestContext) -> Self {
        self.context = context;
        self
    }

    /// Sends the answer and so signs the user in.
    ///
    /// # Errors
    /// [`NotSignedIn`]: a further step, or a rejection. A rejection returns the step if it can be answered again: nothing was sent,
    /// the outcome is unknown, there were too many requests, or the API refused the answer (400, 404, 422), such as a wrong, used or
    /// expired code, or an organization that the user isn't a member of. It doesn't return it after an error code that ends the
    /// login: [`InvalidPendingAuthenticationToken`](crate::ErrorCode::InvalidPendingAuthenticationToken),
    /// [`UserMismatch`](crate::ErrorCode::UserMismatch),
    /// [`OneTimeCodeTooManyAttempts`](crate::ErrorCode::OneTimeCodeTooManyAttempts).
    pub async fn send(self) -> Result<AuthenticationResponse, NotSignedIn<S>> {
        let Self { step, answer, context } = self;
        let answer = Self::send_answer(&step, &answer, &context).await;
        settle(answer.and_then(LoginReply::answering_step), step)
    }

    async fn send_answer(step: &S, answer: &S::Answer, context: &RequestContext) -> Result<LoginReply, Failure> {
        let body = WithContext { body: step.body(answer, INTERNAL), context: context.body() };
        authenticate(step.caller(INTERNAL), S::GRANT_TYPE, body, RequestKind::Credential).await
    }
}

impl<S: ContinuesLogin> fmt::Debug for StepAnswer<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StepAnswer").field("context", &self.context).finish_non_exhaustive()
    }
}

/// A step whose reply was not read yet, except for code, token and message. Its family reads the rest.
pub(crate) struct UnreadStep {
    pub(super) code: ErrorCode,
    pub(super) token: Option<PendingAuthenticationToken>,
    pub(super) message: Option<ServerMessage>,
    pub(super) reply: Reply,
}

/// The steps that share a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Mfa,
    Email,
    Organization,
    Sso,
    Radar,
    /// Steps of which only the code is known.
    Other,
}

/// The family of a code; `None` for codes that are not steps.
fn family(code: &ErrorCode) -> Option<Family> {
    Some(match code {
        ErrorCode::MfaChallenge | ErrorCode::MfaEnrollment | ErrorCode::MfaVerification => Family::Mfa,
        ErrorCode::EmailVerificationRequired => Family::Email,
        ErrorCode::OrganizationSelectionRequired => Family::Organization,
        ErrorCode::SsoRequired | ErrorCode::OrganizationAuthenticationMethodsRequired => Family::Sso,
        ErrorCode::RadarChallenge
        | ErrorCode::RadarEmailChallenge
        | ErrorCode::RadarSignUpChallenge
        | ErrorCode::RadarSmsChallenge
        | ErrorCode::RadarSmsSignInChallenge => Family::Radar,
        ErrorCode::ApplicationConsentRequired
        | ErrorCode::AuthenticationMethodNotAllowed
        | ErrorCode::EmailPasswordAuthDisabled
        | ErrorCode::PasskeyProgressiveEnrollment => Family::Other,
        _ => return None,
    })
}

/// Whether a refusal with this code is a step, also without a token.
pub(super) fn is_step(code: &ErrorCode) -> bool {
    family(code).is_some()
}

impl UnreadStep {
    /// Whether the API refused the answer to an earlier step: this step has no token, and no other login continues it.
    pub(super) fn refuses_an_answer(&self) -> bool {
        self.token.is_none() && family(&self.code) != Some(Family::Sso) && is_refusal(self.reply.status)
    }

    pub(super) fn into_failure(self) -> Failure {
        let Self { code, message, reply, .. } = self;
        reply.failure(ErrorKind::Api(ApiError { code: Some(code), message: message.map(Arc::new) }))
    }

    /// Reads the step. If the reply lacks a value that its next call needs, the result is an unfinished login with the token.
    pub(super) fn read<K>(self, caller: Caller<K>) -> Step<K> {
        let Self { code, token, message, reply } = self;
        let family = family(&code).unwrap_or(Family::Other);
        if family == Family::Sso {
            return sso::read(&code, &reply, caller, token);
        }
        let Some(token) = token else {
            return Step::Blocked(BlockedLogin { client: caller.client, code, message });
        };
        let pending = Pending { caller, token };
        let read = match family {
            Family::Mfa => mfa::read(&code, &reply, pending),
            Family::Email => Ok(email::read(&reply, pending)),
            Family::Organization => organization::read(&reply, pending),
            Family::Radar => radar::read(&code, &reply, pending),
            Family::Sso | Family::Other => Err(pending),
        };
        read.unwrap_or_else(|pending| Step::Unfinished(UnfinishedLogin { pending, code, message }))
    }
}

/// `Debug` that shows nothing secret.
macro_rules! redacted {
    ($($name:ident { $($field:ident),* };)*) => {$(
        impl<K> std::fmt::Debug for $name<K> {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
            }
        }
    )*};
}

/// Implements a step that one call answers: its client, its grant type, and the body of the call.
macro_rules! answered_step {
    ($name:ident, $grant_type:literal, |$step:ident, $answer:ident: $answer_type:ident| $body:expr) => {
        impl<K> crate::login::outcome::Flow for $name<K> {
            type Credentials = K;

            fn caller(&self, _: Internal) -> &Caller<K> {
                &self.pending.caller
            }
        }

        impl<K> ContinuesLogin for $name<K> {
            type Answer = $answer_type;
            const GRANT_TYPE: &'static str = concat!("urn:workos:oauth:grant-type:", $grant_type);

            fn body<'a>(&'a self, $answer: &'a $answer_type, _: Internal) -> impl Serialize + Send + Sync + 'a {
                let $step = self;
                $body
            }
        }
    };
}

/// Implements parking for a step: its pending token and its visible fields.
macro_rules! parked_step {
    ($name:ident = $kind:literal { $($field:ident),* }) => {
        #[diagnostic::do_not_recommend]
        impl<K: IsConfidential> crate::login::parking::Parkable for $name<K> {}
        impl<K: IsConfidential> crate::login::parking::ParkableStep for $name<K> {}

        impl<K> crate::login::parking::sealed::Sealed for $name<K> {
            type Credentials = K;
            const KIND: &'static str = $kind;

            fn caller(&self, _: Internal) -> &Caller<K> {
                &self.pending.caller
            }

            fn pack(&self, _: Internal) -> crate::login::parking::sealed::Packed<'_> {
                crate::login::parking::sealed::Packed {
                    secrets: vec![wire::text(&self.pending.token)],
                    details: serde_json::json!({$(stringify!($field): self.$field),*}),
                }
            }

            fn unpack(caller: Caller<K>, secrets: &[&str], details: serde_json::Value, _: Internal) -> Option<Self> {
                let [token] = secrets else { return None };
                let pending = Pending { caller, token: PendingAuthenticationToken::new(*token) };
                Some(Self { pending, $($field: crate::login::parking::field(&details, stringify!($field))?),* })
            }
        }
    };
}

use {answered_step, parked_step, redacted};
