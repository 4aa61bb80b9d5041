//! Logins that are not finished. Each step owns what its next call needs, and its methods are the next legal calls.
//!
//! | step | next call |
//! | --- | --- |
//! | [`MfaEnrollment`] | `enroll_totp(issuer, user)` gives a [`TotpEnrollment`] with a [`TotpChallenge`] |
//! | [`MfaChallenge`] | `challenge(factor)` gives a [`TotpChallenge`] |
//! | [`TotpChallenge`] | `verify(code)` |
//! | [`EmailVerification`] | `verify(code)` |
//! | [`OrganizationSelection`] | `select(id)` |
//! | [`SsoRequired`] | `authorize(connection, redirect)` begins a login over SSO |
//! | [`OrganizationMethodsRequired`] | a login by one of the allowed methods |
//! | [`RadarEmailChallenge`], [`RadarSmsCode`] | `verify(code)` |
//! | [`RadarSmsSignUp`] | `send(phone_number)` gives a [`RadarSmsCode`] |
//! | [`UnfinishedLogin`] | this release does not model it: its token is there for a call of the application's own |
//! | [`BlockedLogin`] | none: the application or the user must change something first |
//!
//! An answer is a [`StepAnswer`]: its `send` signs the user in, or gives the next step.
//!
//! ```
//! use workos_auth::{AuthenticationResponse, Confidential, Error, Step, TotpCode};
//!
//! async fn answer(step: Step<Confidential>, code: TotpCode) -> Result<AuthenticationResponse, Error> {
//!     match step {
//!         Step::TotpChallenge(challenge) => Ok(challenge.verify(code).send().await?),
//!         // The error names the step.
//!         other => Err(other.into()),
//!     }
//! }
//! ```

pub use crate::login::steps::{
    BlockedLogin, ChallengeRequest, EmailVerification, FactorChoice, MfaChallenge, MfaEnrollment, OrganizationChoice,
    OrganizationMethodsRequired, OrganizationSelection, PendingUser, RadarEmailChallenge, RadarSmsCode,
    RadarSmsRequest, RadarSmsSignUp, SsoRequired, Step, StepAnswer, TotpChallenge, TotpEnrollment,
    TotpEnrollmentRequest, UnfinishedLogin,
};
pub use crate::model::{AuthenticationFactorType, RadarSms};
