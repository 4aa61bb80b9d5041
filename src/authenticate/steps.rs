//! Logins that are not finished: each kind is a type whose methods are the next legal calls.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outcome::{Authentication, Rejected};
use super::{RequestContext, authenticate, call};
use crate::authorize::{AuthorizationBuilder, SsoTarget};
use crate::client::{Caller, Client};
use crate::credentials::{HasApiKey, HasClientId};
use crate::error::{Error, ErrorCode};
use crate::id::{
    AuthenticationChallengeId, AuthenticationFactorId, ConnectionId, EmailVerificationId, OrganizationId, PhoneNumber,
    RadarChallengeId, RedirectUri, UserId, VerificationId,
};
use crate::open_enum::open_enum;
use crate::secret::{
    EmailVerificationCode, PendingAuthenticationToken, RadarCode, ServerMessage, TotpCode, TotpQrCode, TotpSecret,
    TotpUri,
};
use crate::transport::{Failure, Repeat, Route};
use crate::wire::{self, EmptyBody, EnrollBody, RadarSmsSendBody, StepBody, WithContext};

/// What every step has: who began the login, and the token that continues it. Seen by sealed traits alone.
#[allow(missing_debug_implementations, reason = "each step has its own")]
pub struct Pending<K> {
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

/// The user of a login that is not finished, as far as the API tells.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PendingUser {
    /// The ID.
    pub id: UserId,
    /// The e-mail address.
    pub email: Option<String>,
}

open_enum! {
    /// The kind of an authentication factor.
    AuthenticationFactorType {
        GenericOtp = "generic_otp",
        Sms = "sms",
        Totp = "totp",
        WebAuthn = "webauthn",
    }
}

/// A second factor that the user may give a code of.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FactorChoice {
    /// The ID.
    pub id: AuthenticationFactorId,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: AuthenticationFactorType,
}

/// An organization that the user may sign in to.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OrganizationChoice {
    /// The ID.
    pub id: OrganizationId,
    /// The name, to show to the user.
    pub name: String,
}

mod sealed {
    use super::{ContinuesLogin, Pending};
    use crate::wire::StepBody;

    /// How a step is answered.
    pub trait Step {
        type Credentials;
        type Answer;
        const GRANT_TYPE: &'static str;

        fn pending(&self) -> &Pending<Self::Credentials>;
        fn body<'a>(&'a self, token: &'a str, answer: &'a Self::Answer) -> StepBody<'a>;
    }

    impl<T: Step> ContinuesLogin for T {}
}

use sealed::Step;

/// A step that is answered with one call. Sealed.
pub trait ContinuesLogin: Step {}

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

    /// Where the user's own request came from.
    pub fn context(mut self, context: RequestContext) -> Self {
        self.context = context;
        self
    }

    /// Sends the answer.
    ///
    /// # Errors
    /// The step comes back in [`Rejected`] when it can be answered again: nothing was sent, the outcome is unknown, there were
    /// too many requests, or the API refused the answer (400, 404, 422): a wrong, used or expired code, an organization that
    /// the user is no member of. It doesn't after a code that ends the login:
    /// [`InvalidPendingAuthenticationToken`](crate::ErrorCode::InvalidPendingAuthenticationToken),
    /// [`UserMismatch`](crate::ErrorCode::UserMismatch),
    /// [`OneTimeCodeTooManyAttempts`](crate::ErrorCode::OneTimeCodeTooManyAttempts).
    pub async fn send(self) -> Result<Authentication<S::Credentials>, Rejected<S>> {
        let Self { step, answer, context } = self;
        Self::answer(&step, &answer, &context).await.map_err(|failure| failure.rejecting(step))
    }

    async fn answer(
        step: &S,
        answer: &S::Answer,
        context: &RequestContext,
    ) -> Result<Authentication<S::Credentials>, Failure> {
        let Pending { caller, token } = step.pending();
        let body = WithContext { body: step.body(wire::text(token), answer), context: context.body() };
        authenticate(caller, S::GRANT_TYPE, body, Repeat::Credential).await?.of_a_step()?.finish(caller, None)
    }
}

impl<S: ContinuesLogin> fmt::Debug for StepAnswer<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StepAnswer").field("context", &self.context).finish_non_exhaustive()
    }
}

/// The user must enrol a second factor before the login goes on.
#[must_use = "the login is not finished: enrol a factor with `enroll_totp(issuer, user)`"]
pub struct MfaEnrollment<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) user: PendingUser,
}

impl<K> MfaEnrollment<K> {
    /// Makes the step from what an application kept itself.
    pub fn from_parts(client: &Client<K>, token: PendingAuthenticationToken, user_id: UserId) -> Self
    where
        K: HasApiKey + HasClientId,
    {
        Self { pending: Pending::new(client, token), user: PendingUser { id: user_id, email: None } }
    }

    /// Who signs in.
    #[must_use]
    pub fn user(&self) -> &PendingUser {
        &self.user
    }

    /// Enrols a TOTP factor (RFC 6238); issuer and user are what the authenticator app shows.
    pub fn enroll_totp(self, issuer: impl Into<String>, user: impl Into<String>) -> TotpEnrollmentRequest<K>
    where
        K: HasApiKey,
    {
        TotpEnrollmentRequest { step: self, issuer: issuer.into(), user: user.into() }
    }
}

/// A TOTP factor that is ready to be enrolled.
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct TotpEnrollmentRequest<K> {
    step: MfaEnrollment<K>,
    issuer: String,
    user: String,
}

/// A TOTP factor that was enrolled: show its QR code or secret once, then verify a code of it.
#[derive(Debug)]
#[must_use = "the login is not finished: show the QR code, then `challenge.verify(code)`"]
#[non_exhaustive]
pub struct TotpEnrollment<K> {
    /// The QR code as a `data:` URI.
    pub qr_code: TotpQrCode,
    /// The secret, for those who type it.
    pub secret: TotpSecret,
    /// The `otpauth:` URI that the QR code holds.
    pub uri: TotpUri,
    /// The factor.
    pub factor_id: AuthenticationFactorId,
    /// The next step.
    pub challenge: TotpChallenge<K>,
}

#[derive(Deserialize)]
struct Enrolled {
    authentication_factor: EnrolledFactor,
    authentication_challenge: SentChallenge,
}

#[derive(Deserialize)]
struct EnrolledFactor {
    id: AuthenticationFactorId,
    totp: EnrolledTotp,
}

#[derive(Deserialize)]
struct EnrolledTotp {
    qr_code: TotpQrCode,
    secret: TotpSecret,
    uri: TotpUri,
}

#[derive(Deserialize)]
pub(crate) struct SentChallenge {
    pub(crate) id: AuthenticationChallengeId,
    pub(crate) expires_at: Option<Timestamp>,
}

impl<K> TotpEnrollmentRequest<K> {
    /// Enrols the factor.
    ///
    /// # Errors
    /// The step comes back in [`Rejected`] unless the API refused it for good.
    pub async fn send(self) -> Result<TotpEnrollment<K>, Rejected<MfaEnrollment<K>>> {
        let body = EnrollBody {
            r#type: "totp",
            totp_issuer: Some(&self.issuer),
            totp_user: Some(&self.user),
            totp_secret: None,
        };
        let route = Route::of(wire::ENROLL_FACTOR, &self.step.user.id);
        match call::<Enrolled, _>(&self.step.pending.caller, route, &body).await {
            Ok(enrolled) => Ok(TotpEnrollment {
                qr_code: enrolled.authentication_factor.totp.qr_code,
                secret: enrolled.authentication_factor.totp.secret,
                uri: enrolled.authentication_factor.totp.uri,
                factor_id: enrolled.authentication_factor.id,
                challenge: TotpChallenge::new(self.step.pending, enrolled.authentication_challenge),
            }),
            Err(failure) => Err(failure.rejecting(self.step)),
        }
    }
}

/// The user must give a code of a second factor, and it isn't known yet which.
#[must_use = "the login is not finished: `challenge(factor)` one of the `factors()`"]
pub struct MfaChallenge<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) user: Option<PendingUser>,
    pub(crate) factors: Vec<FactorChoice>,
}

impl<K> MfaChallenge<K> {
    /// Makes the step from what an application kept itself.
    pub fn from_parts(
        client: &Client<K>,
        token: PendingAuthenticationToken,
        factors: impl IntoIterator<Item = AuthenticationFactorId>,
    ) -> Self
    where
        K: HasApiKey + HasClientId,
    {
        let kind = AuthenticationFactorType::Totp;
        let factors = factors.into_iter().map(|id| FactorChoice { id, kind: kind.clone() }).collect();
        Self { pending: Pending::new(client, token), user: None, factors }
    }

    /// Who signs in, where the API tells.
    #[must_use]
    pub fn user(&self) -> Option<&PendingUser> {
        self.user.as_ref()
    }

    /// The factors that the user has enrolled.
    #[must_use]
    pub fn factors(&self) -> &[FactorChoice] {
        &self.factors
    }

    /// Challenges a factor, which a code of it then answers.
    pub fn challenge(self, factor: &AuthenticationFactorId) -> ChallengeRequest<K>
    where
        K: HasApiKey,
    {
        ChallengeRequest { step: self, factor: factor.clone() }
    }
}

/// A challenge that is ready to be sent.
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct ChallengeRequest<K> {
    step: MfaChallenge<K>,
    factor: AuthenticationFactorId,
}

impl<K> ChallengeRequest<K> {
    /// Sends the challenge.
    ///
    /// # Errors
    /// The step comes back in [`Rejected`] unless the API refused it for good.
    pub async fn send(self) -> Result<TotpChallenge<K>, Rejected<MfaChallenge<K>>> {
        let route = Route::of(wire::CHALLENGE_FACTOR, &self.factor);
        match call::<SentChallenge, _>(&self.step.pending.caller, route, &EmptyBody {}).await {
            Ok(challenge) => Ok(TotpChallenge::new(self.step.pending, challenge)),
            Err(failure) => Err(failure.rejecting(self.step)),
        }
    }
}

/// The user must give a code of the factor that was challenged.
#[must_use = "the login is not finished: `verify(code)`"]
pub struct TotpChallenge<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) id: AuthenticationChallengeId,
    pub(crate) expires_at: Option<Timestamp>,
}

impl<K> TotpChallenge<K> {
    pub(crate) fn new(pending: Pending<K>, challenge: SentChallenge) -> Self {
        Self { pending, id: challenge.id, expires_at: challenge.expires_at }
    }

    /// Makes the step from what an application kept itself.
    pub fn from_parts(client: &Client<K>, token: PendingAuthenticationToken, id: AuthenticationChallengeId) -> Self
    where
        K: HasApiKey + HasClientId,
    {
        Self { pending: Pending::new(client, token), id, expires_at: None }
    }

    /// The ID of the challenge.
    #[must_use]
    pub fn id(&self) -> &AuthenticationChallengeId {
        &self.id
    }

    /// Until when it can be answered, where the API tells.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Challenges a factor of the user again, since this challenge has expired, or another factor. [`Client::mfa`] lists the
    /// factors of a user.
    pub fn challenge(self, factor: &AuthenticationFactorId) -> ChallengeRequest<K>
    where
        K: HasApiKey,
    {
        ChallengeRequest {
            step: MfaChallenge { pending: self.pending, user: None, factors: Vec::new() },
            factor: factor.clone(),
        }
    }

    /// Answers with a code of the authenticator (RFC 6238).
    pub fn verify(self, code: TotpCode) -> StepAnswer<Self>
    where
        K: HasApiKey,
    {
        StepAnswer::new(self, code)
    }
}

impl<K> Step for TotpChallenge<K> {
    type Credentials = K;
    type Answer = TotpCode;
    const GRANT_TYPE: &'static str = "urn:workos:oauth:grant-type:mfa-totp";

    fn pending(&self) -> &Pending<K> {
        &self.pending
    }

    fn body<'a>(&'a self, token: &'a str, code: &'a TotpCode) -> StepBody<'a> {
        StepBody::Totp {
            code: wire::text(code),
            authentication_challenge_id: self.id.as_str(),
            pending_authentication_token: token,
        }
    }
}

/// The user must give the code that was sent to the e-mail address.
#[must_use = "the login is not finished: `verify(code)`"]
pub struct EmailVerification<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) email: Option<String>,
    pub(crate) id: Option<EmailVerificationId>,
}

impl<K> EmailVerification<K> {
    /// Makes the step from what an application kept itself.
    pub fn from_parts(client: &Client<K>, token: PendingAuthenticationToken) -> Self
    where
        K: HasApiKey + HasClientId,
    {
        Self { pending: Pending::new(client, token), email: None, id: None }
    }

    /// The address that the code was sent to, where the API tells.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The ID of the verification, where the API tells.
    #[must_use]
    pub fn id(&self) -> Option<&EmailVerificationId> {
        self.id.as_ref()
    }

    /// Answers with the code of the e-mail.
    pub fn verify(self, code: EmailVerificationCode) -> StepAnswer<Self>
    where
        K: HasApiKey,
    {
        StepAnswer::new(self, code)
    }
}

impl<K> Step for EmailVerification<K> {
    type Credentials = K;
    type Answer = EmailVerificationCode;
    const GRANT_TYPE: &'static str = "urn:workos:oauth:grant-type:email-verification:code";

    fn pending(&self) -> &Pending<K> {
        &self.pending
    }

    fn body<'a>(&'a self, token: &'a str, code: &'a EmailVerificationCode) -> StepBody<'a> {
        StepBody::EmailVerification { pending_authentication_token: token, code: wire::text(code) }
    }
}

/// The user must choose one of several organizations.
#[must_use = "the login is not finished: `select(id)` one of the `organizations()`"]
pub struct OrganizationSelection<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) user: Option<PendingUser>,
    pub(crate) organizations: Vec<OrganizationChoice>,
}

impl<K> OrganizationSelection<K> {
    /// Makes the step from what an application kept itself; it then takes [`select_unlisted`](Self::select_unlisted).
    pub fn from_parts(client: &Client<K>, token: PendingAuthenticationToken) -> Self
    where
        K: HasApiKey + HasClientId,
    {
        Self { pending: Pending::new(client, token), user: None, organizations: Vec::new() }
    }

    /// Who signs in, where the API tells.
    #[must_use]
    pub fn user(&self) -> Option<&PendingUser> {
        self.user.as_ref()
    }

    /// The organizations to choose from.
    #[must_use]
    pub fn organizations(&self) -> &[OrganizationChoice] {
        &self.organizations
    }

    /// Selects one of the organizations on offer.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `organization_id` when it isn't on offer; the
    /// step comes back.
    pub fn select(self, id: &OrganizationId) -> Result<StepAnswer<Self>, Rejected<Self>>
    where
        K: HasApiKey,
    {
        if self.organizations.iter().any(|choice| choice.id == *id) {
            Ok(StepAnswer::new(self, id.clone()))
        } else {
            Err(Rejected::returning(Error::invalid_value("organization_id", "is not on offer"), self))
        }
    }

    /// Selects an organization that the step doesn't list; the API judges it.
    pub fn select_unlisted(self, id: OrganizationId) -> StepAnswer<Self>
    where
        K: HasApiKey,
    {
        StepAnswer::new(self, id)
    }
}

impl<K> Step for OrganizationSelection<K> {
    type Credentials = K;
    type Answer = OrganizationId;
    const GRANT_TYPE: &'static str = "urn:workos:oauth:grant-type:organization-selection";

    fn pending(&self) -> &Pending<K> {
        &self.pending
    }

    fn body<'a>(&'a self, token: &'a str, id: &'a OrganizationId) -> StepBody<'a> {
        StepBody::OrganizationSelection { pending_authentication_token: token, organization_id: id.as_str() }
    }
}

/// The user must sign in over SSO.
#[must_use = "the login is not finished: begin another with `authorize(connection, redirect)`"]
pub struct SsoRequired<K> {
    pub(crate) caller: Caller<K>,
    pub(crate) email: Option<String>,
    pub(crate) connection_ids: Vec<ConnectionId>,
    pub(crate) token: Option<PendingAuthenticationToken>,
}

impl<K> SsoRequired<K> {
    /// The user's e-mail address, where the API tells.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The connections that the user may sign in over.
    #[must_use]
    pub fn connection_ids(&self) -> &[ConnectionId] {
        &self.connection_ids
    }

    /// The token that links the SSO login to this one, where the API gave one.
    #[must_use]
    pub fn pending_authentication_token(&self) -> Option<&PendingAuthenticationToken> {
        self.token.as_ref()
    }

    /// Starts a login over one of the connections; this one ends.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `connection_id` when it isn't on offer; the step
    /// comes back.
    pub fn authorize(
        self,
        connection: &ConnectionId,
        redirect_uri: RedirectUri,
    ) -> Result<AuthorizationBuilder<K, SsoTarget>, Rejected<Self>> {
        if self.connection_ids.contains(connection) {
            Ok(AuthorizationBuilder::new(self.caller, redirect_uri).connection(connection.clone()))
        } else {
            Err(Rejected::returning(Error::invalid_value("connection_id", "is not on offer"), self))
        }
    }
}

/// The organization allows other ways to sign in than the one that was tried.
#[must_use = "the login is not finished: begin another with one of the `allowed_methods()`"]
pub struct OrganizationMethodsRequired<K> {
    pub(crate) caller: Caller<K>,
    pub(crate) email: Option<String>,
    pub(crate) sso_connection_ids: Vec<ConnectionId>,
    pub(crate) methods: BTreeMap<String, bool>,
    pub(crate) token: Option<PendingAuthenticationToken>,
}

impl<K> OrganizationMethodsRequired<K> {
    /// The user's e-mail address, where the API tells.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The SSO connections that the user may sign in over.
    #[must_use]
    pub fn sso_connection_ids(&self) -> &[ConnectionId] {
        &self.sso_connection_ids
    }

    /// The names of the methods that the organization allows, such as `password` or `google_oauth`.
    pub fn allowed_methods(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().filter(|(_, allowed)| **allowed).map(|(name, _)| name.as_str())
    }

    /// The token that links the next login to this one, where the API gave one.
    #[must_use]
    pub fn pending_authentication_token(&self) -> Option<&PendingAuthenticationToken> {
        self.token.as_ref()
    }

    /// The client that began the login, to begin another.
    #[must_use]
    pub fn client(&self) -> &Client<K> {
        &self.caller.client
    }
}

/// WorkOS Radar wants a code that was sent by e-mail.
#[must_use = "the login is not finished: `verify(code)`"]
pub struct RadarEmailChallenge<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) id: RadarChallengeId,
}

impl<K> RadarEmailChallenge<K> {
    /// Makes the step from what an application kept itself.
    pub fn from_parts(client: &Client<K>, token: PendingAuthenticationToken, id: RadarChallengeId) -> Self
    where
        K: HasApiKey + HasClientId,
    {
        Self { pending: Pending::new(client, token), id }
    }

    /// The ID of the challenge.
    #[must_use]
    pub fn id(&self) -> &RadarChallengeId {
        &self.id
    }

    /// Answers with the code of the e-mail.
    pub fn verify(self, code: RadarCode) -> StepAnswer<Self>
    where
        K: HasApiKey,
    {
        StepAnswer::new(self, code)
    }
}

impl<K> Step for RadarEmailChallenge<K> {
    type Credentials = K;
    type Answer = RadarCode;
    const GRANT_TYPE: &'static str = "urn:workos:oauth:grant-type:radar-email-challenge:code";

    fn pending(&self) -> &Pending<K> {
        &self.pending
    }

    fn body<'a>(&'a self, token: &'a str, code: &'a RadarCode) -> StepBody<'a> {
        StepBody::RadarEmail {
            code: wire::text(code),
            radar_challenge_id: self.id.as_str(),
            pending_authentication_token: token,
        }
    }
}

/// WorkOS Radar wants the telephone number of a new user, and a code that is sent to it.
#[must_use = "the login is not finished: `send(phone_number)`"]
pub struct RadarSmsSignUp<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) user: PendingUser,
}

impl<K> RadarSmsSignUp<K> {
    /// Makes the step from what an application kept itself.
    pub fn from_parts(client: &Client<K>, token: PendingAuthenticationToken, user_id: UserId) -> Self
    where
        K: HasApiKey + HasClientId,
    {
        Self { pending: Pending::new(client, token), user: PendingUser { id: user_id, email: None } }
    }

    /// Who signs up.
    #[must_use]
    pub fn user(&self) -> &PendingUser {
        &self.user
    }

    /// Sends a code to the user's telephone.
    pub fn send(self, phone_number: PhoneNumber) -> RadarSmsRequest<K>
    where
        K: HasApiKey,
    {
        RadarSmsRequest { step: self, phone_number, ip_address: None, user_agent: None }
    }
}

/// An SMS with a code that is ready to be sent.
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct RadarSmsRequest<K> {
    step: RadarSmsSignUp<K>,
    phone_number: PhoneNumber,
    ip_address: Option<IpAddr>,
    user_agent: Option<String>,
}

/// An SMS with a code that was sent.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RadarSms {
    /// The ID, for [`RadarSmsCode::from_parts`].
    pub verification_id: VerificationId,
    /// The telephone number.
    pub phone_number: PhoneNumber,
}

impl<K> RadarSmsRequest<K> {
    /// The address of the user's device.
    pub fn ip_address(mut self, address: impl Into<IpAddr>) -> Self {
        self.ip_address = Some(address.into());
        self
    }

    /// The `User-Agent` of the user's browser.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// Sends the SMS.
    ///
    /// # Errors
    /// The step comes back in [`Rejected`] unless the API refused it for good.
    pub async fn send(self) -> Result<RadarSmsCode<K>, Rejected<RadarSmsSignUp<K>>> {
        let Self { step, phone_number, ip_address, user_agent } = self;
        let body = RadarSmsSendBody {
            user_id: step.user.id.as_str(),
            pending_authentication_token: wire::text(&step.pending.token),
            phone_number: phone_number.as_str(),
            ip_address,
            user_agent: user_agent.as_deref(),
        };
        match call::<RadarSms, _>(&step.pending.caller, Ok(wire::RADAR_CHALLENGES.into()), &body).await {
            Ok(sent) => {
                Ok(RadarSmsCode { pending: step.pending, sent: Some((sent.verification_id, sent.phone_number)) })
            }
            Err(failure) => Err(failure.rejecting(step)),
        }
    }
}

/// WorkOS Radar wants a code that was sent by SMS.
#[must_use = "the login is not finished: `verify(code)`"]
pub struct RadarSmsCode<K> {
    pub(crate) pending: Pending<K>,
    /// Of a sign-up; at a sign-in the API knows them itself.
    pub(crate) sent: Option<(VerificationId, PhoneNumber)>,
}

impl<K> RadarSmsCode<K> {
    /// Makes the step of a sign-up from what an application kept itself.
    pub fn from_parts(
        client: &Client<K>,
        token: PendingAuthenticationToken,
        verification_id: VerificationId,
        phone_number: PhoneNumber,
    ) -> Self
    where
        K: HasApiKey + HasClientId,
    {
        Self { pending: Pending::new(client, token), sent: Some((verification_id, phone_number)) }
    }

    /// Makes the step of a sign-in from what an application kept itself.
    pub fn from_sign_in(client: &Client<K>, token: PendingAuthenticationToken) -> Self
    where
        K: HasApiKey + HasClientId,
    {
        Self { pending: Pending::new(client, token), sent: None }
    }

    /// Answers with the code of the SMS.
    pub fn verify(self, code: RadarCode) -> StepAnswer<Self>
    where
        K: HasApiKey,
    {
        StepAnswer::new(self, code)
    }
}

impl<K> Step for RadarSmsCode<K> {
    type Credentials = K;
    type Answer = RadarCode;
    const GRANT_TYPE: &'static str = "urn:workos:oauth:grant-type:radar-sms-challenge:code";

    fn pending(&self) -> &Pending<K> {
        &self.pending
    }

    fn body<'a>(&'a self, token: &'a str, code: &'a RadarCode) -> StepBody<'a> {
        StepBody::RadarSms {
            code: wire::text(code),
            verification_id: self.sent.as_ref().map(|(id, _)| id.as_str()),
            phone_number: self.sent.as_ref().map(|(_, number)| number.as_str()),
            pending_authentication_token: token,
        }
    }
}

/// A login that goes on in a way that this release does not model: its code, its message and its token.
#[must_use = "the login is not finished"]
pub struct UnfinishedLogin<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<ServerMessage>,
}

impl<K> UnfinishedLogin<K> {
    /// Which step it needs.
    #[must_use]
    pub fn code(&self) -> &ErrorCode {
        &self.code
    }

    /// The API's own words; see [`ApiError::message`](crate::ApiError::message).
    #[must_use]
    pub fn message(&self) -> Option<&ServerMessage> {
        self.message.as_ref()
    }

    /// The client that began the login.
    #[must_use]
    pub fn client(&self) -> &Client<K> {
        &self.pending.caller.client
    }

    /// Takes out the token that continues the login.
    #[must_use]
    pub fn into_pending_authentication_token(self) -> PendingAuthenticationToken {
        self.pending.token
    }
}

/// A login that can't go on this way: the application or the user must change something first.
pub struct BlockedLogin<K> {
    pub(crate) client: Client<K>,
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<ServerMessage>,
}

impl<K> BlockedLogin<K> {
    /// What stands in the way.
    #[must_use]
    pub fn code(&self) -> &ErrorCode {
        &self.code
    }

    /// The API's own words; see [`ApiError::message`](crate::ApiError::message).
    #[must_use]
    pub fn message(&self) -> Option<&ServerMessage> {
        self.message.as_ref()
    }

    /// The client that began the login, to begin another.
    #[must_use]
    pub fn client(&self) -> &Client<K> {
        &self.client
    }
}

macro_rules! redacted {
    ($($name:ident { $($field:ident),* };)*) => {$(
        impl<K> fmt::Debug for $name<K> {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
            }
        }
    )*};
}

redacted! {
    MfaEnrollment { user };
    TotpEnrollmentRequest { issuer };
    MfaChallenge { user, factors };
    ChallengeRequest { factor };
    TotpChallenge { id, expires_at };
    EmailVerification { id };
    OrganizationSelection { user, organizations };
    SsoRequired { connection_ids };
    OrganizationMethodsRequired { sso_connection_ids, methods };
    RadarEmailChallenge { id };
    RadarSmsSignUp { user };
    RadarSmsRequest { phone_number };
    RadarSmsCode { };
    UnfinishedLogin { code };
    BlockedLogin { code };
}
