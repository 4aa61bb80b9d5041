//! The JSON inside a sealed session: the one that the WorkOS SDK for Node, authkit-nextjs and iron-session read and write.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::parts::SessionParts;
use crate::error::{Error, SealError};
use crate::id::{OrganizationId, UserId};
use crate::model::{AuthenticationMethod, Impersonator, User};
use crate::secret::{AccessToken, RefreshToken};
use crate::wire;

/// A session as JSON, to be sealed.
pub(super) fn write(parts: &SessionParts) -> Result<Bytes, Error> {
    wire::body(&WrittenParts::of(parts))
}

/// A session from the JSON that was sealed.
pub(super) fn read(text: &[u8]) -> Result<SessionParts, SealError> {
    let text = str::from_utf8(text).map_err(|_| SealError::NotASession)?;
    serde_json::from_str(text).map(|ReadSession(parts)| parts).map_err(|_| SealError::NotASession)
}

/// In the order in which the SDK for Node writes it. Absent fields are left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenParts<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<&'a str>,
    user: WrittenUser<'a>,
    access_token: &'a str,
    refresh_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication_method: Option<&'a AuthenticationMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    impersonator: Option<WrittenImpersonator<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenUser<'a> {
    object: &'static str,
    id: &'a str,
    email: &'a str,
    email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_picture_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sign_in_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<&'a str>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    metadata: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct WrittenImpersonator<'a> {
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> WrittenParts<'a> {
    fn of(parts: &'a SessionParts) -> Self {
        let user = &parts.user;
        Self {
            organization_id: parts.organization_id.as_ref().map(OrganizationId::as_str),
            user: WrittenUser {
                object: "user",
                id: user.id.as_str(),
                email: &user.email,
                email_verified: user.email_verified,
                name: user.name.as_deref(),
                first_name: user.first_name.as_deref(),
                profile_picture_url: user.profile_picture_url.as_deref(),
                last_name: user.last_name.as_deref(),
                last_sign_in_at: user.last_sign_in_at.map(date),
                locale: user.locale.as_deref(),
                created_at: date(user.created_at),
                updated_at: date(user.updated_at),
                external_id: user.external_id.as_deref(),
                metadata: &user.metadata,
            },
            access_token: wire::text(&parts.access_token),
            refresh_token: wire::text(&parts.refresh_token),
            authentication_method: parts.authentication_method.as_ref(),
            impersonator: parts
                .impersonator
                .as_ref()
                .map(|by| WrittenImpersonator { email: &by.email, reason: by.reason.as_deref() }),
        }
    }
}

/// With milliseconds, as WorkOS writes it, or with more digits if the time has them.
fn date(time: Timestamp) -> String {
    if time.subsec_nanosecond() % 1_000_000 == 0 { format!("{time:.3}") } else { time.to_string() }
}

/// A present `null` and an absent field mean the same.
#[derive(Deserialize)]
struct ReadSession(#[serde(with = "ReadParts")] SessionParts);

#[derive(Deserialize)]
#[serde(remote = "SessionParts", rename_all = "camelCase")]
struct ReadParts {
    organization_id: Option<OrganizationId>,
    #[serde(with = "ReadUser")]
    user: User,
    access_token: AccessToken,
    refresh_token: RefreshToken,
    authentication_method: Option<AuthenticationMethod>,
    impersonator: Option<Impersonator>,
}

#[derive(Deserialize)]
#[serde(remote = "User", rename_all = "camelCase")]
struct ReadUser {
    id: UserId,
    email: String,
    email_verified: bool,
    name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    profile_picture_url: Option<String>,
    locale: Option<String>,
    external_id: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    metadata: BTreeMap<String, String>,
    last_sign_in_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
