//! `/user_management/magic_auth`

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Deserialize;

use super::{ApiRequest, MagicAuths, Written, request};
use crate::id::{EmailAddress, MagicAuthId, UserId};
use crate::model::RadarContext;
use crate::secret::{InvitationToken, MagicAuthCode};

impl MagicAuths<'_> {
    /// Makes a code, which WorkOS sends to the user unless the environment is set otherwise
    /// (`POST /user_management/magic_auth`).
    pub fn create(&self, magic_auth: &CreateMagicAuth) -> ApiRequest<MagicAuth> {
        self.api.post("/user_management/magic_auth", &Written(magic_auth))
    }

    /// Gets a code (`GET /user_management/magic_auth/{id}`).
    pub fn get(&self, id: &MagicAuthId) -> ApiRequest<MagicAuth> {
        self.api.get(("/user_management/magic_auth/{id}", id))
    }
}

request! {
    /// A Magic Auth code to be made.
    CreateMagicAuth(email: EmailAddress) {
        /// The invitation that the login redeems.
        secret invitation_token: InvitationToken,
        /// The address of the user's device.
        into ip_address: IpAddr,
        /// The `User-Agent` of the user's browser.
        into user_agent: String,
        /// What Radar knows of this visit.
        radar radar: RadarContext,
    }
}

/// A Magic Auth code: its code and address go into
/// [`authenticate_with_magic_auth`](crate::Client::authenticate_with_magic_auth).
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct MagicAuth {
    /// The ID.
    pub id: MagicAuthId,
    /// The user.
    pub user_id: UserId,
    /// The address that the code is for.
    pub email: EmailAddress,
    /// The code, for applications that send the e-mail themselves.
    pub code: MagicAuthCode,
    /// Until when the code is good.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// What Radar calls this attempt, for [`RadarContext`] at the login that follows.
    pub radar_auth_attempt_id: Option<String>,
}
