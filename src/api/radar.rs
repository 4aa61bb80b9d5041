//! `/user_management/radar_challenges`

use jiff::Timestamp;
use serde::Deserialize;

use super::{ApiRequest, Radar};
use crate::authenticate::{RadarSms, RequestContext};
use crate::id::{EmailAddress, PhoneNumber, RadarChallengeId, UserId};
use crate::open_enum::open_enum;
use crate::secret::{PendingAuthenticationToken, RadarCode};
use crate::wire::{self, RadarSmsSendBody};

impl Radar<'_> {
    /// Sends a code to a telephone (`POST /user_management/radar_challenges`), for applications that kept the pending token
    /// themselves; a login in progress has [`RadarSmsSignUp::send`](crate::RadarSmsSignUp::send).
    pub fn send_sms(
        &self,
        user_id: &UserId,
        token: &PendingAuthenticationToken,
        phone_number: &PhoneNumber,
        context: &RequestContext,
    ) -> ApiRequest<RadarSms> {
        self.api.post(wire::RADAR_CHALLENGES, &RadarSmsSendBody::new(user_id, token, phone_number, &context.body()))
    }

    /// Gets a challenge by e-mail (`GET /user_management/radar_challenges/{id}`).
    pub fn get(&self, id: &RadarChallengeId) -> ApiRequest<RadarChallenge> {
        self.api.get(("/user_management/radar_challenges/{id}", id))
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
    pub email: EmailAddress,
    /// The code, for applications that send the e-mail themselves.
    pub code: RadarCode,
    /// Until when the code is good.
    pub expires_at: Timestamp,
    /// When it was made.
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
