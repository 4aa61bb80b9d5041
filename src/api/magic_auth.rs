//! `/user_management/magic_auth`

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ApiRequest, MagicAuths};
use crate::id::{EmailAddress, MagicAuthId, UserId};
use crate::model::RadarContext;
use crate::secret::{InvitationToken, MagicAuthCode};
use crate::wire::{self, RadarBody};

impl MagicAuths<'_> {
    /// Creates a code, which WorkOS sends to the user unless the environment is configured not to
    /// (`POST /user_management/magic_auth`).
    pub fn create(&self, magic_auth: &CreateMagicAuth) -> ApiRequest<MagicAuth> {
        self.api.post("/user_management/magic_auth", &magic_auth.body())
    }

    /// Gets a code (`GET /user_management/magic_auth/{id}`).
    pub fn get(&self, id: &MagicAuthId) -> ApiRequest<MagicAuth> {
        self.api.get(("/user_management/magic_auth/{id}", id))
    }
}

/// A Magic Auth code to be created.
#[derive(Debug)]
#[must_use = "nothing was sent yet: give it to `client.magic_auth().create(…)`"]
pub struct CreateMagicAuth {
    email: EmailAddress,
    invitation_token: Option<InvitationToken>,
    ip_address: Option<IpAddr>,
    user_agent: Option<String>,
    radar: RadarContext,
}

impl CreateMagicAuth {
    /// A code for this address, which is the only field that the API requires.
    pub fn new(email: EmailAddress) -> Self {
        Self { email, invitation_token: None, ip_address: None, user_agent: None, radar: RadarContext::new() }
    }

    /// The invitation that the login redeems.
    pub fn invitation_token(mut self, token: InvitationToken) -> Self {
        self.invitation_token = Some(token);
        self
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

    /// What WorkOS Radar knows about this visit.
    pub fn radar(mut self, radar: RadarContext) -> Self {
        self.radar = radar;
        self
    }

    fn body(&self) -> CreateMagicAuthBody<'_> {
        CreateMagicAuthBody {
            email: self.email.as_str(),
            invitation_token: self.invitation_token.as_ref().map(wire::text),
            ip_address: self.ip_address,
            user_agent: self.user_agent.as_deref(),
            radar: self.radar.body(),
        }
    }
}

/// The body of `POST /user_management/magic_auth`; key order is field order.
#[derive(Serialize)]
struct CreateMagicAuthBody<'a> {
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(flatten)]
    radar: RadarBody<'a>,
}

/// A Magic Auth code. Its code and address are the arguments of
/// [`authenticate_with_magic_auth`](crate::Client::authenticate_with_magic_auth).
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct MagicAuth {
    /// The ID.
    pub id: MagicAuthId,
    /// The user.
    pub user_id: UserId,
    /// The address that the code is for.
    pub email: String,
    /// The code, for applications that send the e-mail themselves.
    pub code: MagicAuthCode,
    /// When the code expires.
    pub expires_at: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Radar's ID of this attempt, for the [`RadarContext`] of the login that follows.
    pub radar_auth_attempt_id: Option<String>,
}
