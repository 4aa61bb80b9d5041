//! `/user_management/sessions` and the sessions of a user.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ApiRequest, List, Sessions};
use crate::id::{OrganizationId, SessionId, UserId};
use crate::model::Impersonator;
use crate::open_enum::open_enum;
use crate::wire::Fields;

impl Sessions<'_> {
    /// Lists the sessions of a user (`GET /user_management/users/{id}/sessions`).
    pub fn list(&self, id: &UserId) -> List<UserSession> {
        self.api.list(("/user_management/users/{id}/sessions", id))
    }

    /// Ends a session (`POST /user_management/sessions/revoke`). Its access token stays valid until it expires.
    ///
    /// An application that holds the session calls [`ActiveSession::revoke`](crate::ActiveSession::revoke).
    pub fn revoke(&self, id: &SessionId) -> ApiRequest<()> {
        self.api.post_only("/user_management/sessions/revoke", &Fields([("session_id", id.as_str())]))
    }
}

/// A session of a user, as the API lists it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UserSession {
    /// The ID.
    pub id: SessionId,
    /// The user.
    pub user_id: UserId,
    /// The organization that the user signed in to.
    pub organization_id: Option<OrganizationId>,
    /// Whether it can still be refreshed.
    pub status: SessionStatus,
    /// How the user signed in.
    pub auth_method: SessionAuthMethod,
    /// The administrator who impersonates the user.
    pub impersonator: Option<Impersonator>,
    /// The IP address that the user signed in from.
    pub ip_address: Option<String>,
    /// The `User-Agent` of the browser that the user signed in with.
    pub user_agent: Option<String>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

open_enum! {
    /// Whether a session can still be refreshed.
    SessionStatus {
        Active = "active",
        Expired = "expired",
        Revoked = "revoked",
    }
}

open_enum! {
    /// How a [`UserSession`] began.
    SessionAuthMethod {
        CrossAppAuth = "cross_app_auth",
        ExternalAuth = "external_auth",
        Impersonation = "impersonation",
        MagicCode = "magic_code",
        MigratedSession = "migrated_session",
        OAuth = "oauth",
        Passkey = "passkey",
        Password = "password",
        Sso = "sso",
        Unknown = "unknown",
    }
}
