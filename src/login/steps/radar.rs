//! The steps of WorkOS Radar, the fraud detection.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::ContinuesLogin;
use super::{Pending, PendingUser, Step, StepAnswer, answered_step, parked_step, redacted};
use crate::client::{Caller, Client};
use crate::credentials::IsConfidential;
use crate::error::ErrorCode;
use crate::id::{PhoneNumber, RadarChallengeId, UserId, VerificationId};
use crate::login::outcome::call;
use crate::model::RadarSms;
use crate::rejected::Rejected;
use crate::sealed::Internal;
use crate::secret::{PendingAuthenticationToken, RadarCode};
use crate::transport::{Reply, parse};
use crate::wire::{self, RadarSmsSendBody};

/// WorkOS Radar requires a code that was sent by e-mail.
#[must_use = "the login is not finished: `verify(code)`"]
pub struct RadarEmailChallenge<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) id: RadarChallengeId,
}

impl<K> RadarEmailChallenge<K> {
    /// Makes the step from values that the application kept itself.
    pub fn from_parts(client: &Client<K>, token: PendingAuthenticationToken, id: RadarChallengeId) -> Self
    where
        K: IsConfidential,
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
        K: IsConfidential,
    {
        StepAnswer::new(self, code)
    }
}

answered_step!(RadarEmailChallenge, "radar-email-challenge:code", |step, code: RadarCode| EmailBody {
    code: wire::text(code),
    radar_challenge_id: step.id.as_str(),
    pending_authentication_token: wire::text(&step.pending.token),
});

#[derive(Serialize)]
struct EmailBody<'a> {
    code: &'a str,
    radar_challenge_id: &'a str,
    pending_authentication_token: &'a str,
}

/// WorkOS Radar requires the telephone number of a new user, and a code that is sent to it.
#[must_use = "the login is not finished: `send_sms(phone_number)`"]
pub struct RadarSmsSignUp<K> {
    pub(crate) pending: Pending<K>,
    pub(crate) user: PendingUser,
}

impl<K> RadarSmsSignUp<K> {
    /// Makes the step from values that the application kept itself.
    pub fn from_parts(client: &Client<K>, token: PendingAuthenticationToken, user_id: UserId) -> Self
    where
        K: IsConfidential,
    {
        Self { pending: Pending::new(client, token), user: PendingUser { id: user_id, email: None } }
    }

    /// The user who signs up.
    #[must_use]
    pub fn user(&self) -> &PendingUser {
        &self.user
    }

    /// Sends a code to the user's telephone.
    pub fn send_sms(self, phone_number: PhoneNumber) -> RadarSmsRequest<K>
    where
        K: IsConfidential,
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

impl<K> RadarSmsRequest<K> {
    /// The IP address of the user's device.
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
    /// [`Rejected`] returns the step unless the refusal is final.
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

/// WorkOS Radar requires a code that was sent by SMS.
#[must_use = "the login is not finished: `verify(code)`"]
pub struct RadarSmsCode<K> {
    pub(crate) pending: Pending<K>,
    /// Set for a sign-up; for a sign-in the API knows them itself.
    pub(crate) sent: Option<(VerificationId, String)>,
}

impl<K> RadarSmsCode<K> {
    /// Makes the step of a sign-up from values that the application kept itself.
    pub fn from_parts(
        client: &Client<K>,
        token: PendingAuthenticationToken,
        verification_id: VerificationId,
        phone_number: PhoneNumber,
    ) -> Self
    where
        K: IsConfidential,
    {
        Self { pending: Pending::new(client, token), sent: Some((verification_id, phone_number.as_str().to_owned())) }
    }

    /// Makes the step of a sign-in from values that the application kept itself.
    pub fn from_sign_in(client: &Client<K>, token: PendingAuthenticationToken) -> Self
    where
        K: IsConfidential,
    {
        Self { pending: Pending::new(client, token), sent: None }
    }

    /// Answers with the code of the SMS.
    pub fn verify(self, code: RadarCode) -> StepAnswer<Self>
    where
        K: IsConfidential,
    {
        StepAnswer::new(self, code)
    }
}

answered_step!(RadarSmsCode, "radar-sms-challenge:code", |step, code: RadarCode| SmsBody {
    code: wire::text(code),
    verification_id: step.sent.as_ref().map(|(id, _)| id.as_str()),
    phone_number: step.sent.as_ref().map(|(_, number)| number.as_str()),
    pending_authentication_token: wire::text(&step.pending.token),
});

#[derive(Serialize)]
struct SmsBody<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<&'a str>,
    pending_authentication_token: &'a str,
}

#[derive(Default, Deserialize)]
struct RadarReply {
    user: Option<PendingUser>,
    radar_challenge_id: Option<RadarChallengeId>,
}

pub(super) fn read<K>(code: &ErrorCode, reply: &Reply, pending: Pending<K>) -> Result<Step<K>, Pending<K>> {
    let RadarReply { user, radar_challenge_id } = parse(reply).unwrap_or_default();
    match (code, user, radar_challenge_id) {
        (ErrorCode::RadarChallenge | ErrorCode::RadarEmailChallenge, _, Some(id)) => {
            Ok(Step::RadarEmailChallenge(RadarEmailChallenge { pending, id }))
        }
        (ErrorCode::RadarSignUpChallenge, Some(user), _) => Ok(Step::RadarSmsSignUp(RadarSmsSignUp { pending, user })),
        (ErrorCode::RadarSmsSignInChallenge | ErrorCode::RadarSmsChallenge, ..) => {
            Ok(Step::RadarSmsCode(RadarSmsCode { pending, sent: None }))
        }
        _ => Err(pending),
    }
}

parked_step!(RadarEmailChallenge = "radar_email" { id });
parked_step!(RadarSmsSignUp = "radar_sms_sign_up" { user });
parked_step!(RadarSmsCode = "radar_sms_code" { sent });

redacted! {
    RadarEmailChallenge { id };
    RadarSmsSignUp { user };
    RadarSmsRequest { phone_number };
    RadarSmsCode { };
}
