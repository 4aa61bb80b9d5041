//! `/user_management/invitations`

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ApiRequest, Invitations, List};
use crate::id::{EmailAddress, FreeForm, InvitationId, OrganizationId, UserId};
use crate::open_enum::open_enum;
use crate::secret::{InvitationToken, InvitationUrl};
use crate::wire::{self, EmptyBody, Fields};

impl Invitations<'_> {
    /// Gets an invitation (`GET /user_management/invitations/{id}`).
    pub fn get(&self, id: &InvitationId) -> ApiRequest<Invitation> {
        self.api.get(("/user_management/invitations/{id}", id))
    }

    /// Gets an invitation by its token (`GET /user_management/invitations/by_token/{token}`).
    pub fn get_by_token(&self, token: &InvitationToken) -> ApiRequest<Invitation> {
        let token = FreeForm { field: "invitation_token", text: wire::text(token) };
        self.api.get(("/user_management/invitations/by_token/{token}", token))
    }

    /// Lists invitations (`GET /user_management/invitations`).
    pub fn list(&self) -> List<Invitation> {
        self.api.list("/user_management/invitations")
    }

    /// Creates an invitation, which WorkOS sends by e-mail (`POST /user_management/invitations`).
    pub fn create(&self, invitation: &CreateInvitation) -> ApiRequest<Invitation> {
        self.api.post("/user_management/invitations", &invitation.0)
    }

    /// Accepts an invitation on behalf of its user (`POST /user_management/invitations/{id}/accept`).
    pub fn accept(&self, id: &InvitationId) -> ApiRequest<Invitation> {
        self.api.post(("/user_management/invitations/{id}/accept", id), &EmptyBody {})
    }

    /// Revokes an invitation (`POST /user_management/invitations/{id}/revoke`).
    pub fn revoke(&self, id: &InvitationId) -> ApiRequest<Invitation> {
        self.api.post(("/user_management/invitations/{id}/revoke", id), &EmptyBody {})
    }

    /// Sends the e-mail of an invitation again (`POST /user_management/invitations/{id}/resend`), in another locale if one is given.
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

/// An invitation to be created.
#[derive(Debug)]
#[must_use = "nothing was sent yet: give it to `client.invitations().create(…)`"]
pub struct CreateInvitation(CreateInvitationBody);

/// The body of `POST /user_management/invitations`; key order is field order.
#[derive(Debug, Serialize)]
struct CreateInvitationBody {
    email: EmailAddress,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<OrganizationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_slug: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_days: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inviter_user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
}

impl CreateInvitation {
    /// An invitation to this address, which is the only field that the API requires.
    pub fn new(email: EmailAddress) -> Self {
        Self(CreateInvitationBody {
            email,
            organization_id: None,
            role_slug: None,
            expires_in_days: None,
            inviter_user_id: None,
            locale: None,
        })
    }

    /// The organization that the user is invited to.
    pub fn organization_id(mut self, id: OrganizationId) -> Self {
        self.0.organization_id = Some(id);
        self
    }

    /// The role that the user gets there.
    pub fn role_slug(mut self, slug: impl Into<String>) -> Self {
        self.0.role_slug = Some(slug.into());
        self
    }

    /// After how many days it expires, 1 to 30; 7 unless set.
    pub fn expires_in_days(mut self, days: u8) -> Self {
        self.0.expires_in_days = Some(days);
        self
    }

    /// The user who invites.
    pub fn inviter_user_id(mut self, id: UserId) -> Self {
        self.0.inviter_user_id = Some(id);
        self
    }

    /// The locale of the e-mail, such as `en-US`.
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.0.locale = Some(locale.into());
        self
    }
}

/// An invitation.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct Invitation {
    /// The ID.
    pub id: InvitationId,
    /// Who is invited.
    pub email: String,
    /// Its state.
    pub state: InvitationState,
    /// The token, for [`invitation_token`](crate::login::AuthorizationBuilder::invitation_token) of a login.
    pub token: InvitationToken,
    /// The URL of the link in the e-mail.
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
    /// The state of an invitation.
    InvitationState {
        Pending = "pending",
        Accepted = "accepted",
        Expired = "expired",
        Revoked = "revoked",
    }
}
