//! The steps of a second factor.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ContinuesLogin;
use super::{Pending, PendingUser, Step, StepAnswer, answered_step, parked_step, redacted};
use crate::client::{Caller, Client};
use crate::credentials::IsConfidential;
use crate::error::ErrorCode;
use crate::id::{AuthenticationChallengeId, AuthenticationFactorId, UserId};
use crate::login::outcome::call;
use crate::model::AuthenticationFactorType;
use crate::rejected::Rejected;
use crate::sealed::Internal;
use crate::secret::{PendingAuthenticationToken, TotpCode, TotpQrCode, TotpSecret, TotpUri};
use crate::transport::{Reply, Route, parse};
use crate::wire::{self, EmptyBody, EnrollBody};

/// A second factor of the user.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FactorChoice {
    /// The ID.
    pub id: AuthenticationFactorId,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: AuthenticationFactorType,
}

/// The user must enrol a second factor before the login goes on.
#[must_use = "the login is not finished: enrol a factor with `enroll_totp(issuer, user)`"]
pub struct MfaEnrollment<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) user: PendingUser,
}

impl<K> MfaEnrollment<K> {
    /// Makes the step from values that the application kept itself.
    pub fn from_parts(client: &Client<K>, token: PendingAuthenticationToken, user_id: UserId) -> Self
    where
        K: IsConfidential,
    {
        Self { pending: Pending::new(client, token), user: PendingUser { id: user_id, email: None } }
    }

    /// The user who signs in.
    #[must_use]
    pub fn user(&self) -> &PendingUser {
        &self.user
    }

    /// Enrols a TOTP factor (RFC 6238). The authenticator app shows the issuer and the user.
    pub fn enroll_totp(self, issuer: impl Into<String>, user: impl Into<String>) -> TotpEnrollmentRequest<K>
    where
        K: IsConfidential,
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

/// An enrolled TOTP factor: show its QR code or secret once, then verify a code of it.
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
struct EnrollmentReply {
    authentication_factor: FactorReply,
    authentication_challenge: SentChallenge,
}

#[derive(Deserialize)]
struct FactorReply {
    id: AuthenticationFactorId,
    totp: TotpReply,
}

#[derive(Deserialize)]
struct TotpReply {
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
    /// [`Rejected`] returns the step unless the refusal is final.
    pub async fn send(self) -> Result<TotpEnrollment<K>, Rejected<MfaEnrollment<K>>> {
        let body = EnrollBody {
            r#type: "totp",
            totp_issuer: Some(&self.issuer),
            totp_user: Some(&self.user),
            totp_secret: None,
        };
        let route = Route::of(wire::ENROLL_FACTOR, &self.step.user.id);
        match call::<EnrollmentReply, _>(&self.step.pending.caller, route, &body).await {
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

/// The user must give a code of a second factor, which must be challenged first.
#[must_use = "the login is not finished: `challenge(factor)` one of the `factors()`"]
pub struct MfaChallenge<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) user: Option<PendingUser>,
    pub(crate) factors: Vec<FactorChoice>,
}

impl<K> MfaChallenge<K> {
    /// Makes the step from values that the application kept itself.
    pub fn from_parts(
        client: &Client<K>,
        token: PendingAuthenticationToken,
        factors: impl IntoIterator<Item = AuthenticationFactorId>,
    ) -> Self
    where
        K: IsConfidential,
    {
        let kind = AuthenticationFactorType::Totp;
        let factors = factors.into_iter().map(|id| FactorChoice { id, kind: kind.clone() }).collect();
        Self { pending: Pending::new(client, token), user: None, factors }
    }

    /// The user who signs in, if the API says.
    #[must_use]
    pub fn user(&self) -> Option<&PendingUser> {
        self.user.as_ref()
    }

    /// The factors that the user has enrolled.
    #[must_use]
    pub fn factors(&self) -> &[FactorChoice] {
        &self.factors
    }

    /// Challenges a factor. A code of the factor then answers the challenge.
    pub fn challenge(self, factor: &AuthenticationFactorId) -> ChallengeRequest<K>
    where
        K: IsConfidential,
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
    /// [`Rejected`] returns the step unless the refusal is final.
    pub async fn send(self) -> Result<TotpChallenge<K>, Rejected<MfaChallenge<K>>> {
        let route = Route::of(wire::CHALLENGE_FACTOR, &self.factor);
        match call::<SentChallenge, _>(&self.step.pending.caller, route, &EmptyBody {}).await {
            Ok(challenge) => Ok(TotpChallenge::new(self.step.pending, challenge)),
            Err(failure) => Err(failure.rejecting(self.step)),
        }
    }
}

/// The user must give a code of the challenged factor.
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

    /// Makes the step from values that the application kept itself.
    pub fn from_parts(client: &Client<K>, token: PendingAuthenticationToken, id: AuthenticationChallengeId) -> Self
    where
        K: IsConfidential,
    {
        Self { pending: Pending::new(client, token), id, expires_at: None }
    }

    /// The ID of the challenge.
    #[must_use]
    pub fn id(&self) -> &AuthenticationChallengeId {
        &self.id
    }

    /// When the challenge expires, if the API says.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Challenges this factor again, for example because the challenge has expired, or another factor. [`Client::mfa`] lists the
    /// factors of a user.
    pub fn challenge(self, factor: &AuthenticationFactorId) -> ChallengeRequest<K>
    where
        K: IsConfidential,
    {
        ChallengeRequest {
            step: MfaChallenge { pending: self.pending, user: None, factors: Vec::new() },
            factor: factor.clone(),
        }
    }

    /// Answers with a code of the authenticator (RFC 6238).
    pub fn verify(self, code: TotpCode) -> StepAnswer<Self>
    where
        K: IsConfidential,
    {
        StepAnswer::new(self, code)
    }
}

answered_step!(TotpChallenge, "mfa-totp", |step, code: TotpCode| TotpBody {
    code: wire::text(code),
    authentication_challenge_id: step.id.as_str(),
    pending_authentication_token: wire::text(&step.pending.token),
});

#[derive(Serialize)]
struct TotpBody<'a> {
    code: &'a str,
    authentication_challenge_id: &'a str,
    pending_authentication_token: &'a str,
}

#[derive(Default, Deserialize)]
struct MfaReply {
    user: Option<PendingUser>,
    authentication_factors: Option<Vec<FactorChoice>>,
    authentication_challenge: Option<SentChallenge>,
}

pub(super) fn read<K>(code: &ErrorCode, reply: &Reply, pending: Pending<K>) -> Result<Step<K>, Pending<K>> {
    let details: MfaReply = parse(reply).unwrap_or_default();
    if *code == ErrorCode::MfaEnrollment {
        return match details.user {
            Some(user) => Ok(Step::MfaEnrollment(MfaEnrollment { pending, user })),
            None => Err(pending),
        };
    }
    match (details.authentication_challenge, details.authentication_factors) {
        (Some(challenge), _) => Ok(Step::TotpChallenge(TotpChallenge::new(pending, challenge))),
        (None, Some(factors)) => Ok(Step::MfaChallenge(MfaChallenge { pending, user: details.user, factors })),
        (None, None) => Err(pending),
    }
}

parked_step!(MfaEnrollment = "mfa_enrollment" { user });
parked_step!(MfaChallenge = "mfa_challenge" { user, factors });
parked_step!(TotpChallenge = "totp_challenge" { id, expires_at });

redacted! {
    MfaEnrollment { user };
    TotpEnrollmentRequest { issuer };
    MfaChallenge { user, factors };
    ChallengeRequest { factor };
    TotpChallenge { id, expires_at };
}
