//! `/user_management/invitations`

use jiff::Timestamp;
use serde::Deserialize;

use super::{ApiRequest, Invitations, List, Written, request};
use crate::id::{EmailAddress, FreeForm, InvitationId, OrganizationId, UserId};
use crate::open_enum::open_enum;
use crate::secret::{InvitationToken, InvitationUrl};
use crate::wire::{self, EmptyBody, Fields};

impl Invitations<'_> {
    /// Gets an invitation (`GET /user_management/invitations/{id}`).
    pub fn get(&self, id: &InvitationId) -> ApiRequest<Invitation> {
        self.api.get(("/user_management/invitations/{id}", id))
    }

    /// Gets the invitation of a token (`GET /user_management/invitations/by_token/{token}`).
    pub fn get_by_token(&self, token: &InvitationToken) -> ApiRequest<Invitation> {
        let token = FreeForm { field: "invitation_token", text: wire::text(token) };
        self.api.get(("/user_management/invitations/by_token/{token}", token))
    }

    /// Lists invitations (`GET /user_management/invitations`).
    pub fn list(&self) -> List<Invitation> {
        self.api.list("/user_management/invitations")
    }

    /// Sends an invitation (`POST /user_management/invitations`).
    pub fn send(&self, invitation: &SendInvitation) -> ApiRequest<Invitation> {
        self.api.post("/user_management/invitations", &Written(invitation))
    }

    /// Accepts an invitation for its user (`POST /user_management/invitations/{id}/accept`).
    pub fn accept(&self, id: &InvitationId) -> ApiRequest<Invitation> {
        self.api.post(("/user_management/invitations/{id}/accept", id), &EmptyBody {})
    }

    /// Revokes an invitation (`POST /user_management/invitations/{id}/revoke`).
    pub fn revoke(&self, id: &InvitationId) -> ApiRequest<Invitation> {
        self.api.post(("/user_management/invitations/{id}/revoke", id), &EmptyBody {})
    }

    /// Sends an invitation once more (`POST /user_management/invitations/{id}/resend`), in another locale if one is given.
    pub fn resend(&self, id: &InvitationId, locale: Option<&str>) -> ApiRequest<Invitation> {
        let path = ("/user_management/invitations/{id}/resend", id);
        match locale {
            Some(locale) => self.api.post(path, &Fields([("locale", locale)])),
            None => self.api.post(path, &EmptyBody {}),
        }
    }
}

impl List<Invitation> {
    /// Only those to this address.
    pub fn email(self, email: &EmailAddress) -> Self {
        self.with("email", email.as_str())
    }

    /// Only those to this organization.
    pub fn organization(self, id: &OrganizationId) -> Self {
        self.with("organization_id", id.as_str())
    }
}

request! {
    /// An invitation to be sent.
    SendInvitation(email: EmailAddress) {
        /// The organization that the user is invited to.
        value organization_id: OrganizationId,
        /// The role that the user gets there.
        into role_slug: String,
        /// After how many days it expires, 1 to 30; 7 unless set.
        value expires_in_days: u8,
        /// The user who invites.
        value inviter_user_id: UserId,
        /// The locale of the e-mail, such as `en-US`.
        into locale: String,
    }
}

/// An invitation.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct Invitation {
    /// The ID.
    pub id: InvitationId,
    /// Who is invited.
    pub email: EmailAddress,
    /// What has become of it.
    pub state: InvitationState,
    /// The token, for [`invitation_token`](crate::login::AuthorizationBuilder::invitation_token) of a login.
    pub token: InvitationToken,
    /// The address that the e-mail's link leads to.
    #[serde(rename = "accept_invitation_url")]
    pub url: InvitationUrl,
    /// The organization that the user is invited to.
    pub organization_id: Option<OrganizationId>,
    /// The user who invites.
    pub inviter_user_id: Option<UserId>,
    /// The user who accepted.
    pub accepted_user_id: Option<UserId>,
    /// The role that the user gets in the organization.
    pub role_slug: Option<String>,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

open_enum! {
    /// What has become of an invitation.
    InvitationState {
        Pending = "pending",
        Accepted = "accepted",
        Expired = "expired",
        Revoked = "revoked",
    }
}
