//! `/user_management/organization_memberships`

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ApiRequest, List, OrganizationMemberships};
use crate::id::{GroupId, OrganizationId, OrganizationMembershipId, UserId};
use crate::model::{Role, User, null_is_empty};
use crate::open_enum::open_enum;
use crate::wire::EmptyBody;

impl OrganizationMemberships<'_> {
    /// Gets a membership (`GET /user_management/organization_memberships/{id}`).
    pub fn get(&self, id: &OrganizationMembershipId) -> ApiRequest<OrganizationMembership> {
        self.api.get(("/user_management/organization_memberships/{id}", id))
    }

    /// Lists memberships (`GET /user_management/organization_memberships`).
    pub fn list(&self) -> List<OrganizationMembership> {
        self.api.list("/user_management/organization_memberships")
    }

    /// Makes a user a member of an organization (`POST /user_management/organization_memberships`).
    pub fn create(
        &self,
        user_id: &UserId,
        organization_id: &OrganizationId,
        roles: &Roles,
    ) -> ApiRequest<OrganizationMembership> {
        #[derive(Serialize)]
        struct CreateMembershipBody<'a> {
            user_id: &'a UserId,
            organization_id: &'a OrganizationId,
            #[serde(flatten)]
            roles: &'a Roles,
        }
        self.api.post(
            "/user_management/organization_memberships",
            &CreateMembershipBody { user_id, organization_id, roles },
        )
    }

    /// Changes a member's roles (`PUT /user_management/organization_memberships/{id}`).
    pub fn update(&self, id: &OrganizationMembershipId, roles: &Roles) -> ApiRequest<OrganizationMembership> {
        self.api.put(("/user_management/organization_memberships/{id}", id), roles)
    }

    /// Deletes a membership (`DELETE /user_management/organization_memberships/{id}`).
    pub fn delete(&self, id: &OrganizationMembershipId) -> ApiRequest<()> {
        self.api.delete(("/user_management/organization_memberships/{id}", id))
    }

    /// Takes away a member's access (`PUT /user_management/organization_memberships/{id}/deactivate`).
    pub fn deactivate(&self, id: &OrganizationMembershipId) -> ApiRequest<OrganizationMembership> {
        self.api.put(("/user_management/organization_memberships/{id}/deactivate", id), &EmptyBody {})
    }

    /// Gives a member's access back (`PUT /user_management/organization_memberships/{id}/reactivate`).
    pub fn reactivate(&self, id: &OrganizationMembershipId) -> ApiRequest<OrganizationMembership> {
        self.api.put(("/user_management/organization_memberships/{id}/reactivate", id), &EmptyBody {})
    }

    /// Lists the groups of a member (`GET /user_management/organization_memberships/{id}/groups`).
    pub fn groups(&self, id: &OrganizationMembershipId) -> List<Group> {
        self.api.list(("/user_management/organization_memberships/{id}/groups", id))
    }
}

impl List<OrganizationMembership> {
    /// Only those of this user.
    pub fn user(self, id: &UserId) -> Self {
        self.with("user_id", id.as_str())
    }

    /// Only those in this organization.
    pub fn organization(self, id: &OrganizationId) -> Self {
        self.with("organization_id", id.as_str())
    }

    /// Only those of one of these statuses; only active ones unless set.
    pub fn statuses(self, statuses: impl IntoIterator<Item = MembershipStatus>) -> Self {
        let statuses: Vec<MembershipStatus> = statuses.into_iter().collect();
        self.with("statuses", statuses.iter().map(MembershipStatus::as_str).collect::<Vec<_>>().join(","))
    }
}

/// The roles of a member: one role, several if the environment allows that, or the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Roles {
    /// One role, by its slug.
    #[serde(rename = "role_slug")]
    One(String),
    /// Several roles, by their slugs.
    #[serde(rename = "role_slugs")]
    Several(Vec<String>),
    /// The environment's default.
    #[serde(untagged)]
    Default {},
}

/// A user's membership in an organization.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OrganizationMembership {
    /// The ID.
    pub id: OrganizationMembershipId,
    /// The user.
    pub user_id: UserId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The organization's name.
    pub organization_name: Option<String>,
    /// Whether the user has access.
    pub status: MembershipStatus,
    /// The role, or the first of several.
    pub role: Role,
    /// All roles.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub roles: Vec<Role>,
    /// Whether a directory manages it (SCIM).
    #[serde(default)]
    pub directory_managed: bool,
    /// What the directory says about the member.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub custom_attributes: BTreeMap<String, Value>,
    /// The whole user, if the API returns it.
    pub user: Option<User>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

open_enum! {
    /// Whether a member has access.
    MembershipStatus {
        Active = "active",
        Inactive = "inactive",
        Pending = "pending",
    }
}

/// A group of an organization's members.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Group {
    /// The ID.
    pub id: GroupId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
