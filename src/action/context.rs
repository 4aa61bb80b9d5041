//! What an Action is about.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::api::{InvitationState, OrganizationMembership};
use crate::id::{ActionId, InvitationId, OrganizationId, UserId};
use crate::model::{AuthenticationMethod, User, null_is_empty};
use crate::open_enum::open_enum;

/// Somebody signs in.
///
/// It doesn't say where it comes from: only an [`AuthenticationAction`](super::AuthenticationAction) holds the one of a verified
/// request. A function of yours can take it, and its tests can read it from JSON.
///
/// A field that is there and can't be read makes the whole request [unreadable](super::ActionErrorKind::Unreadable): a decision must not
/// take it for absent.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[non_exhaustive]
pub struct AuthenticationContext {
    /// The ID.
    pub id: ActionId,
    /// Who signs in.
    pub user: User,
    /// The organization that the user signs in to.
    pub organization: Option<ActionOrganization>,
    /// The user's membership there.
    pub organization_membership: Option<OrganizationMembership>,
    /// How the user signs in.
    pub authentication_method: Option<AuthenticationMethod>,
    /// The IP address that the request came from.
    pub ip_address: Option<String>,
    /// The `User-Agent` of the browser.
    pub user_agent: Option<String>,
    /// What WorkOS recognizes the device by.
    pub device_fingerprint: Option<String>,
    /// The issuer.
    pub issuer: Option<String>,
}

/// Somebody registers. The user doesn't exist yet.
///
/// It doesn't say where it comes from: only a [`UserRegistrationAction`](super::UserRegistrationAction) holds the one of a verified
/// request. A function of yours can take it, and its tests can read it from JSON.
///
/// A field that is there and can't be read makes the whole request [unreadable](super::ActionErrorKind::Unreadable): a decision must not
/// take it for absent.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserRegistrationContext {
    /// The ID.
    pub id: ActionId,
    /// Who registers.
    pub user_data: RegisteringUser,
    /// The invitation that is accepted by this.
    pub invitation: Option<ActionInvitation>,
    /// How the user registers.
    pub authentication_method: Option<AuthenticationMethod>,
    /// The IP address that the request came from.
    pub ip_address: Option<String>,
    /// The `User-Agent` of the browser.
    pub user_agent: Option<String>,
    /// What WorkOS recognizes the device by.
    pub device_fingerprint: Option<String>,
}

/// What somebody who registers has entered, or an identity provider says.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteringUser {
    /// The e-mail address.
    pub email: String,
    /// The full name.
    pub name: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
}

/// An organization.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActionOrganization {
    /// The ID.
    pub id: OrganizationId,
    /// The name.
    pub name: String,
    /// Its domains.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub domains: Vec<OrganizationDomain>,
    /// The application's own ID for the organization.
    pub external_id: Option<String>,
    /// The application's own data on the organization.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A domain of an organization.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrganizationDomain {
    /// The domain, such as `example.com`.
    pub domain: String,
    /// Whether it is verified that the organization has it.
    pub state: DomainState,
}

open_enum! {
    /// Whether it is verified that an organization has a domain.
    DomainState {
        Verified = "verified",
        Pending = "pending",
        Failed = "failed",
    }
}

/// An invitation, without its token.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActionInvitation {
    /// The ID.
    pub id: InvitationId,
    /// Who is invited.
    pub email: String,
    /// Its state.
    pub state: Option<InvitationState>,
    /// The organization that the user is invited to.
    pub organization_id: Option<OrganizationId>,
    /// The user who invites.
    pub inviter_user_id: Option<UserId>,
    /// The role that the user gets in the organization.
    pub role_slug: Option<String>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
}
