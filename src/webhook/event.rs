//! Events, and what they say.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::api::{InvitationState, MembershipStatus, SessionAuthMethod};
use crate::id::{
    ConnectionId, EmailVerificationId, EventId, InvitationId, MagicAuthId, OrganizationId, OrganizationMembershipId,
    PasswordResetId, SessionId, UserId,
};
use crate::model::{Impersonator, Role, User, null_is_empty};
use crate::secret::ServerMessage;

/// An event whose signature was right. Only [`Webhooks::handle`](super::Webhooks::handle) makes it.
#[derive(Debug)]
pub struct WebhookEvent {
    id: EventId,
    kind: String,
    created_at: Timestamp,
    data: EventData,
}

impl WebhookEvent {
    /// The ID (`event_…`), the same in each delivery.
    #[must_use]
    pub fn id(&self) -> &EventId {
        &self.id
    }

    /// The name, such as `session.revoked`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// When it happened. Events may come in another order.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// What has happened, and to what.
    #[must_use]
    pub fn data(&self) -> &EventData {
        &self.data
    }

    /// The same, without the rest of the event.
    #[must_use]
    pub fn into_data(self) -> EventData {
        self.data
    }
}

/// The envelope. `context` and later fields are ignored.
#[derive(Deserialize)]
struct Body {
    id: EventId,
    event: String,
    created_at: Timestamp,
    data: Value,
}

/// The event of a body, if it is one, and if its data is what its name says.
pub(super) fn parse(body: &[u8]) -> Option<WebhookEvent> {
    let Body { id, event: kind, created_at, data } = serde_json::from_slice(body).ok()?;
    let data = EventData::read(&kind, data)?;
    Some(WebhookEvent { id, kind, created_at, data })
}

fn read<T: DeserializeOwned>(data: Value) -> Option<T> {
    serde_json::from_value(data).ok()
}

macro_rules! events {
    ($($name:literal => $(#[$doc:meta])* $variant:ident($type:ty),)*) => {
        /// What an event says. The codes and tokens of e-mails aren't part of events: the API returns them for an ID.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum EventData {
            $($(#[$doc])* #[doc = concat!("(`", $name, "`)")] $variant($type),)*
            /// An authentication that succeeded. (`authentication.…_succeeded`)
            AuthenticationSucceeded(Authentication),
            /// An authentication that failed. (`authentication.…_failed`)
            AuthenticationFailed(Authentication),
            /// An event that this release has no type for.
            Unknown(UnknownEvent),
        }

        impl EventData {
            fn read(kind: &str, data: Value) -> Option<Self> {
                Some(match kind {
                    $($name => Self::$variant(read(data)?),)*
                    _ => match kind.strip_prefix("authentication.") {
                        Some(method) if method.ends_with("_succeeded") => Self::AuthenticationSucceeded(read(data)?),
                        Some(method) if method.ends_with("_failed") => Self::AuthenticationFailed(read(data)?),
                        _ => Self::Unknown(UnknownEvent { kind: kind.to_owned(), data }),
                    },
                })
            }
        }
    };
}

events! {
    "session.created" =>
        /// A session has begun.
        SessionCreated(SessionChange),
    "session.revoked" =>
        /// A session has ended: its user signed out, or somebody ended it.
        SessionRevoked(SessionChange),
    "user.created" =>
        /// A user was created.
        UserCreated(User),
    "user.updated" =>
        /// A user was changed.
        UserUpdated(User),
    "user.deleted" =>
        /// A user was deleted.
        UserDeleted(UserDeletion),
    "organization_membership.created" =>
        /// A user became a member of an organization, or was invited.
        OrganizationMembershipCreated(MembershipChange),
    "organization_membership.updated" =>
        /// A membership was changed: its roles, or whether it is active.
        OrganizationMembershipUpdated(MembershipChange),
    "organization_membership.deleted" =>
        /// A user is no longer a member of an organization.
        OrganizationMembershipDeleted(MembershipChange),
    "authentication.radar_risk_detected" =>
        /// Radar found a sign-in or a sign-up risky.
        RadarRiskDetected(RadarRisk),
    "email_verification.created" =>
        /// An e-mail that verifies an address is due.
        EmailVerificationCreated(Emailed<EmailVerificationId>),
    "magic_auth.created" =>
        /// An e-mail with a Magic Auth code is due.
        MagicAuthCreated(Emailed<MagicAuthId>),
    "password_reset.created" =>
        /// An e-mail for a new password is due.
        PasswordResetCreated(Emailed<PasswordResetId>),
    "password_reset.succeeded" =>
        /// A user has a new password.
        PasswordResetSucceeded(Emailed<PasswordResetId>),
    "invitation.created" =>
        /// Somebody was invited.
        InvitationCreated(InvitationChange),
    "invitation.accepted" =>
        /// An invitation was accepted.
        InvitationAccepted(InvitationChange),
    "invitation.revoked" =>
        /// An invitation was revoked.
        InvitationRevoked(InvitationChange),
    "invitation.resent" =>
        /// The e-mail of an invitation was sent again.
        InvitationResent(InvitationChange),
    "api_key.created" =>
        /// A customer's API key was created.
        ApiKeyCreated(ApiKeyChange),
    "api_key.revoked" =>
        /// A customer's API key was revoked.
        ApiKeyRevoked(ApiKeyChange),
    "role.created" =>
        /// A role was created.
        RoleCreated(RoleChange),
    "role.updated" =>
        /// A role was changed. Tokens have its new permissions from their next refresh on.
        RoleUpdated(RoleChange),
    "role.deleted" =>
        /// A role was deleted.
        RoleDeleted(RoleChange),
}

/// An event that this release has no type for. Its data may hold anything, so its `Debug` shows only the name.
pub struct UnknownEvent {
    kind: String,
    data: Value,
}

impl UnknownEvent {
    /// The name, such as `dsync.user.created`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The data, as it came.
    #[must_use]
    pub fn data(&self) -> &Value {
        &self.data
    }
}

impl fmt::Debug for UnknownEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UnknownEvent").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A field that is missing, or whose value can't be read, has its default. It is for the events that end sessions.
fn lenient<'de, D: Deserializer<'de>, T: Default + DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    Value::deserialize(deserializer).map(|value| read(value).unwrap_or_default())
}

/// A session. Only its ID and its user are required: nothing else may keep a session from ending.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionChange {
    /// The ID, which access tokens have as `sid`.
    pub id: SessionId,
    /// The user.
    pub user_id: UserId,
    /// The organization that the user signed in to.
    #[serde(default, deserialize_with = "lenient")]
    pub organization_id: Option<OrganizationId>,
    /// How the user signed in.
    #[serde(default, deserialize_with = "lenient")]
    pub auth_method: Option<SessionAuthMethod>,
    /// The administrator who impersonates the user.
    #[serde(default, deserialize_with = "lenient")]
    pub impersonator: Option<Impersonator>,
    /// The IP address that the user signed in from.
    #[serde(default, deserialize_with = "lenient")]
    pub ip_address: Option<String>,
    /// The `User-Agent` of the browser that the user signed in with.
    #[serde(default, deserialize_with = "lenient")]
    pub user_agent: Option<String>,
    /// When it was ended.
    #[serde(default, deserialize_with = "lenient")]
    pub ended_at: Option<Timestamp>,
}

/// A user who was deleted. Only the ID is required: nothing else may keep the user's sessions from ending.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserDeletion {
    /// The ID.
    pub id: UserId,
    /// The e-mail address.
    #[serde(default, deserialize_with = "lenient")]
    pub email: Option<String>,
    /// The application's own ID for the user.
    #[serde(default, deserialize_with = "lenient")]
    pub external_id: Option<String>,
    /// The application's own data on the user.
    #[serde(default, deserialize_with = "lenient")]
    pub metadata: BTreeMap<String, String>,
}

/// A membership. Only its IDs and its status are required: nothing else may keep the user's sessions from ending.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[non_exhaustive]
pub struct MembershipChange {
    /// The ID.
    pub id: OrganizationMembershipId,
    /// The user.
    pub user_id: UserId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// Whether the user has access.
    pub status: MembershipStatus,
    /// The organization's name.
    #[serde(default, deserialize_with = "lenient")]
    pub organization_name: Option<String>,
    /// The role, or the first of several.
    #[serde(default, deserialize_with = "lenient")]
    pub role: Option<Role>,
    /// All roles.
    #[serde(default, deserialize_with = "lenient")]
    pub roles: Vec<Role>,
    /// Whether a directory manages it (SCIM).
    #[serde(default, deserialize_with = "lenient")]
    pub directory_managed: bool,
    /// What the directory says about the member.
    #[serde(default, deserialize_with = "lenient")]
    pub custom_attributes: BTreeMap<String, Value>,
    /// When it was created.
    #[serde(default, deserialize_with = "lenient")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, deserialize_with = "lenient")]
    pub updated_at: Option<Timestamp>,
}

/// How somebody tried to sign in.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct Authentication {
    /// By what: `password`, `oauth`, `sso`, `mfa`, `magic_auth`, `passkey`, `email_verification`.
    #[serde(rename = "type")]
    pub method: String,
    /// The user, if there is one.
    pub user_id: Option<UserId>,
    /// The address that was given.
    pub email: Option<String>,
    /// The IP address that the request came from.
    pub ip_address: Option<String>,
    /// The `User-Agent` of the browser.
    pub user_agent: Option<String>,
    /// Why it failed.
    pub error: Option<AuthenticationError>,
    /// The connection, if it was by SSO.
    pub sso: Option<AuthenticationSso>,
}

/// Why an authentication failed.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct AuthenticationError {
    /// The code.
    pub code: String,
    /// A message, which may repeat what was submitted.
    pub message: Option<ServerMessage>,
}

/// The SSO of an authentication.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthenticationSso {
    /// The connection.
    pub connection_id: Option<ConnectionId>,
    /// The organization.
    pub organization_id: Option<OrganizationId>,
    /// The session that began.
    pub session_id: Option<SessionId>,
}

/// What Radar found risky.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct RadarRisk {
    /// The user.
    pub user_id: Option<UserId>,
    /// The user's address.
    pub email: Option<String>,
    /// How the user signs in.
    pub auth_method: String,
    /// `login` or `signup`.
    pub action: String,
    /// What Radar went by.
    pub control: Option<String>,
    /// The kind of entry in the list of what is blocked.
    pub blocklist_type: Option<String>,
    /// The IP address that the request came from.
    pub ip_address: Option<String>,
    /// The `User-Agent` of the browser.
    pub user_agent: Option<String>,
}

/// An e-mail with a code or a token, which the API returns for the ID.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct Emailed<Id> {
    /// The ID.
    pub id: Id,
    /// The user.
    pub user_id: UserId,
    /// The user's address.
    pub email: String,
    /// When the code or token expires.
    pub expires_at: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
}

/// An invitation, without its token.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvitationChange {
    /// The ID.
    pub id: InvitationId,
    /// Who is invited.
    pub email: String,
    /// Its state.
    pub state: InvitationState,
    /// The organization that the user is invited to.
    pub organization_id: Option<OrganizationId>,
    /// The user who invites.
    pub inviter_user_id: Option<UserId>,
    /// The user who accepted.
    pub accepted_user_id: Option<UserId>,
    /// The role that the user gets in the organization.
    pub role_slug: Option<String>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// An API key of a customer, without the key.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiKeyChange {
    /// The ID.
    pub id: String,
    /// The name.
    pub name: String,
    /// Whose key it is.
    pub owner: ApiKeyOwner,
    /// What it may do.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub permissions: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Whose API key it is.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiKeyOwner {
    /// `organization` or `user`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The ID of the organization or the user.
    pub id: String,
    /// The organization of a user's key.
    pub organization_id: Option<OrganizationId>,
}

/// A role, with its permissions.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoleChange {
    /// The slug.
    pub slug: String,
    /// The permissions.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub permissions: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
