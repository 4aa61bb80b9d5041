//! `/auth/factors`, `/auth/challenges` and the factors of a user.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ApiRequest, List, Mfa};
use crate::error::Error;
use crate::id::{AuthenticationChallengeId, AuthenticationFactorId, PhoneNumber, UserId};
use crate::model::AuthenticationFactorType;
use crate::secret::{TotpCode, TotpQrCode, TotpSecret, TotpUri};
use crate::transport::{self, Failure};
use crate::wire::{self, EnrollBody, Fields};

impl Mfa<'_> {
    /// Enrols a TOTP factor for a user (RFC 6238, `POST /user_management/users/{id}/auth_factors`). A login of the user then asks for
    /// its codes. Only this reply has what the authenticator app needs.
    pub fn enroll_totp(&self, id: &UserId, settings: &TotpSettings) -> ApiRequest<UserFactorEnrollment> {
        self.api.post((wire::ENROLL_FACTOR, id), &settings.body())
    }

    /// Lists the factors of a user (`GET /user_management/users/{id}/auth_factors`).
    pub fn list(&self, id: &UserId) -> List<AuthenticationFactor> {
        self.api.list((wire::ENROLL_FACTOR, id))
    }

    /// Gets a factor (`GET /auth/factors/{id}`).
    pub fn get(&self, id: &AuthenticationFactorId) -> ApiRequest<AuthenticationFactor> {
        self.api.get(("/auth/factors/{id}", id))
    }

    /// Deletes a factor (`DELETE /auth/factors/{id}`).
    pub fn delete(&self, id: &AuthenticationFactorId) -> ApiRequest<()> {
        self.api.delete(("/auth/factors/{id}", id))
    }

    /// Enrols a factor that the application checks itself, outside of WorkOS's logins (`POST /auth/factors/enroll`).
    pub fn enroll(&self, factor: &EnrollFactor) -> ApiRequest<EnrolledFactor> {
        self.api.post("/auth/factors/enroll", &factor.0)
    }

    /// Challenges a factor (`POST /auth/factors/{id}/challenge`). For an SMS factor, WorkOS sends a code, in the text of the
    /// template if one is given; a template contains `{{code}}`.
    pub fn challenge(
        &self,
        id: &AuthenticationFactorId,
        sms_template: Option<&str>,
    ) -> ApiRequest<AuthenticationChallenge> {
        let path = (wire::CHALLENGE_FACTOR, id);
        match sms_template {
            Some(template) => self.api.post(path, &Fields([("sms_template", template)])),
            None => self.api.post(path, &Fields([])),
        }
    }

    /// Answers a challenge (`POST /auth/challenges/{id}/verify`): the request fails with
    /// [`ErrorKind::WrongCode`](crate::ErrorKind::WrongCode) unless the code is right. A login that asks for a code is answered with
    /// [`TotpChallenge::verify`](crate::step::TotpChallenge::verify).
    pub fn verify(&self, id: &AuthenticationChallengeId, code: &TotpCode) -> ApiRequest<VerifiedChallenge> {
        let body = Fields([("code", wire::text(code))]);
        self.api.post::<Verification>(("/auth/challenges/{id}/verify", id), &body).reading(|reply| {
            let Verification { challenge, valid } = transport::read(reply)?;
            if valid { Ok(VerifiedChallenge { challenge }) } else { Err(Failure::answered(Error::wrong_code())) }
        })
    }
}

/// What an authenticator app shows for a TOTP factor.
///
/// ```
/// use workos_auth::api::TotpSettings;
///
/// let settings = TotpSettings::new().issuer("Example").user("ada@example.com");
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct TotpSettings {
    issuer: Option<String>,
    user: Option<String>,
    secret: Option<TotpSecret>,
}

impl TotpSettings {
    /// The defaults of WorkOS.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The name of the application.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// The name of the account.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The secret of a factor that the user has already, in base32.
    #[must_use]
    pub fn secret(mut self, secret: TotpSecret) -> Self {
        self.secret = Some(secret);
        self
    }

    fn body(&self) -> EnrollBody<'_> {
        EnrollBody {
            r#type: "totp",
            totp_issuer: self.issuer.as_deref(),
            totp_user: self.user.as_deref(),
            totp_secret: self.secret.as_ref().map(wire::text),
        }
    }
}

/// A factor to be enrolled that the application checks itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrollFactor(EnrollFactorBody);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct EnrollFactorBody {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<PhoneNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    totp_issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    totp_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
}

impl EnrollFactor {
    const fn of(r#type: &'static str) -> Self {
        Self(EnrollFactorBody { r#type, phone_number: None, totp_issuer: None, totp_user: None, user_id: None })
    }

    /// An authenticator app, which shows the issuer and the user.
    #[must_use]
    pub fn totp(issuer: impl Into<String>, user: impl Into<String>) -> Self {
        let mut factor = Self::of("totp");
        factor.0.totp_issuer = Some(issuer.into());
        factor.0.totp_user = Some(user.into());
        factor
    }

    /// A telephone number.
    #[must_use]
    pub fn sms(phone_number: PhoneNumber) -> Self {
        let mut factor = Self::of("sms");
        factor.0.phone_number = Some(phone_number);
        factor
    }

    /// One-time codes that the application sends to the user itself: each challenge has its code in
    /// [`AuthenticationChallenge::code`].
    #[must_use]
    pub fn generic_otp() -> Self {
        Self::of("generic_otp")
    }

    /// The user that the factor belongs to.
    #[must_use]
    pub fn user_id(mut self, id: UserId) -> Self {
        self.0.user_id = Some(id);
        self
    }
}

/// A second factor of a user.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuthenticationFactor {
    /// The ID.
    pub id: AuthenticationFactorId,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: AuthenticationFactorType,
    /// The user, unless the application checks the factor itself.
    pub user_id: Option<UserId>,
    /// The details, if the factor is an authenticator app.
    pub totp: Option<TotpFactor>,
    /// The details, if the factor is a telephone number.
    pub sms: Option<SmsFactor>,
    /// When it was enrolled.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A factor that is an authenticator app.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TotpFactor {
    /// The application that the app shows.
    pub issuer: String,
    /// The account that the app shows.
    pub user: String,
}

/// A factor that is a telephone number.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SmsFactor {
    /// The telephone number.
    pub phone_number: String,
}

/// A factor that was enrolled just now.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct EnrolledFactor {
    /// The ID.
    pub id: AuthenticationFactorId,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: AuthenticationFactorType,
    /// The user, unless the application checks the factor itself.
    pub user_id: Option<UserId>,
    /// What the authenticator app needs; no later reply has it.
    pub totp: Option<EnrolledTotp>,
    /// The details, if the factor is a telephone number.
    pub sms: Option<SmsFactor>,
    /// When it was enrolled.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What an authenticator app needs to generate codes. Show it to the user once.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct EnrolledTotp {
    /// The application that the app shows.
    pub issuer: String,
    /// The account that the app shows.
    pub user: String,
    /// The QR code as a `data:` URI.
    pub qr_code: TotpQrCode,
    /// The secret, for those who type it.
    pub secret: TotpSecret,
    /// The `otpauth:` URI that the QR code holds.
    pub uri: TotpUri,
}

/// A factor that was enrolled for a user, and its first challenge.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct UserFactorEnrollment {
    /// The factor.
    #[serde(rename = "authentication_factor")]
    pub factor: EnrolledFactor,
    /// The challenge.
    #[serde(rename = "authentication_challenge")]
    pub challenge: AuthenticationChallenge,
}

/// A factor that was challenged.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct AuthenticationChallenge {
    /// The ID.
    pub id: AuthenticationChallengeId,
    /// The factor.
    pub authentication_factor_id: AuthenticationFactorId,
    /// The code, if the API returns it.
    pub code: Option<TotpCode>,
    /// When it expires; the challenge of a TOTP factor doesn't.
    pub expires_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A challenge whose code was right.
#[derive(Debug)]
#[non_exhaustive]
pub struct VerifiedChallenge {
    /// The challenge.
    pub challenge: AuthenticationChallenge,
}

#[derive(Deserialize)]
struct Verification {
    challenge: AuthenticationChallenge,
    valid: bool,
}
