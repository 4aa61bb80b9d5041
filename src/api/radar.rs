//! `/user_management/radar_challenges`

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Deserialize;

use super::{ApiRequest, Radar};
use crate::id::{PhoneNumber, RadarChallengeId, UserId};
use crate::model::RadarSms;
use crate::open_enum::open_enum;
use crate::secret::{PendingAuthenticationToken, RadarCode};
use crate::wire::{self, RadarSmsSendBody};

impl Radar<'_> {
    /// Sends a code to a telephone (`POST /user_management/radar_challenges`), for applications that have kept the pending token
    /// themselves. A login in progress uses [`RadarSmsSignUp::send_sms`](crate::step::RadarSmsSignUp::send_sms).
    pub fn send_sms(&self, sms: &SendRadarSms) -> ApiRequest<RadarSms> {
        self.api.post(wire::RADAR_CHALLENGES, &sms.body())
    }

    /// Gets an e-mail challenge (`GET /user_management/radar_challenges/{id}`).
    pub fn get(&self, id: &RadarChallengeId) -> ApiRequest<RadarChallenge> {
        self.api.get(("/user_management/radar_challenges/{id}", id))
    }
}

/// A code to be sent to a telephone.
#[derive(Debug)]
#[must_use = "nothing was sent yet: give it to `client.radar().send_sms(…)`"]
#[non_exhaustive]
pub struct SendRadarSms {
    user_id: UserId,
    token: PendingAuthenticationToken,
    phone_number: PhoneNumber,
    ip_address: Option<IpAddr>,
    user_agent: Option<String>,
}

impl SendRadarSms {
    /// With the fields that the API requires.
    pub fn new(user_id: UserId, token: PendingAuthenticationToken, phone_number: PhoneNumber) -> Self {
        Self { user_id, token, phone_number, ip_address: None, user_agent: None }
    }

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

    fn body(&self) -> RadarSmsSendBody<'_> {
        RadarSmsSendBody {
            user_id: self.user_id.as_str(),
            pending_authentication_token: wire::text(&self.token),
            phone_number: self.phone_number.as_str(),
            ip_address: self.ip_address,
            user_agent: self.user_agent.as_deref(),
        }
    }
}

/// A challenge of Radar.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct RadarChallenge {
    /// The ID.
    pub id: RadarChallengeId,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: RadarChallengeType,
    /// The user.
    pub user_id: UserId,
    /// The user's address.
    pub email: String,
    /// The code, for applications that send the e-mail themselves.
    pub code: RadarCode,
    /// When the code expires.
    pub expires_at: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

open_enum! {
    /// How a challenge of Radar is answered.
    RadarChallengeType {
        Email = "email",
    }
}
