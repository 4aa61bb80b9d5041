//! `/api_keys`, and the API keys of organizations and users

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::key_validator::ApiKeyValidator;
use super::{Api, ApiKeys, ApiRequest, List, json};
use crate::error::{CustomerKeyError, Error};
use crate::id::{AgentRegistrationId, ApiKeyId, OrganizationId, UserId};
use crate::model::null_is_empty;
use crate::secret::CustomerApiKey;
use crate::transport::{self, Call, Core, RequestKind};
use crate::wire::{self, Fields};

const VALIDATIONS: &str = "/api_keys/validations";
const OF_ORGANIZATION: &str = "/organizations/{id}/api_keys";
const OF_USER: &str = "/user_management/users/{id}/api_keys";

impl ApiKeys<'_> {
    /// Asks WorkOS whether this is a valid API key of one of the application's customers (`POST /api_keys/validations`).
    ///
    /// Each call sends a request. A server that answers many callers takes a [`validator`](Self::validator), which limits them.
    ///
    /// ```
    /// use workos_auth::api::KeyNotValidated;
    /// use workos_auth::secret::CustomerApiKey;
    /// use workos_auth::testing::{AuthKit, TestApiKey};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let key = TestApiKey::of_organization("sk_customer", "org_1").permission("posts:read");
    /// # let authkit = AuthKit::builder().customer_api_key(key).start().await?;
    /// # let client = authkit.confidential_client();
    /// # let headers = http::HeaderMap::from_iter([(http::header::AUTHORIZATION, "Bearer sk_customer".parse()?)]);
    /// // of a request with `Authorization: Bearer …`
    /// let presented = CustomerApiKey::from_headers(&headers)?;
    ///
    /// match client.api_keys().validate(&presented).await {
    ///     Ok(key) => {
    ///         key.permission("posts:read")?;
    ///         println!("a request of {}", key.organization_id());
    ///     }
    ///     Err(KeyNotValidated::Invalid) => println!("refuse it"),
    ///     Err(KeyNotValidated::TooManyRequests { .. } | KeyNotValidated::Unavailable(_)) => println!("try again"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`KeyNotValidated`]: the key is invalid, or WorkOS could not be asked, which says nothing about the key.
    pub async fn validate(&self, key: &CustomerApiKey) -> Result<ValidApiKey, KeyNotValidated> {
        ask(self.api.core, validation(self.api, key), || true).await
    }

    /// A validator for a server: its callers share requests, and it sends a limited number of them. It has settings of its own.
    #[must_use]
    pub fn validator(&self) -> ApiKeyValidator {
        ApiKeyValidator::new(self.api)
    }

    /// Lists the keys of an organization (`GET /organizations/{id}/api_keys`).
    pub fn list_of_organization(&self, id: &OrganizationId) -> List<ApiKeyRecord> {
        self.api.list((OF_ORGANIZATION, id))
    }

    /// Lists the keys of a user (`GET /user_management/users/{id}/api_keys`), those of all organizations or of one.
    pub fn list_of_user(&self, id: &UserId, organization: Option<&OrganizationId>) -> List<ApiKeyRecord> {
        let list = self.api.list((OF_USER, id));
        match organization {
            Some(organization) => list.with("organization_id", organization.as_str()),
            None => list,
        }
    }

    /// Creates a key of an organization (`POST /organizations/{id}/api_keys`).
    pub fn create_for_organization(
        &self,
        id: &OrganizationId,
        key: &CreateOrganizationApiKey,
    ) -> ApiRequest<CreatedApiKey> {
        self.api.post((OF_ORGANIZATION, id), &key.0)
    }

    /// Creates a key of a user (`POST /user_management/users/{id}/api_keys`), who must be an active member of its organization.
    pub fn create_for_user(&self, id: &UserId, key: &CreateUserApiKey) -> ApiRequest<CreatedApiKey> {
        self.api.post((OF_USER, id), &key.0)
    }

    /// Deletes a key for good (`DELETE /api_keys/{id}`), whichever customer's key it is. Where the ID comes from a request, first look for
    /// it in the [list of that customer's organization](Self::list_of_organization): the guide [who calls your server][guide] does.
    ///
    /// A validator that remembers keys may take it for a few seconds more, unless it is told to [`forget`](ApiKeyValidator::forget) the
    /// key.
    ///
    /// [guide]: crate::guide::callers
    pub fn delete(&self, id: &ApiKeyId) -> ApiRequest<()> {
        self.api.delete(("/api_keys/{id}", id))
    }
}

/// The call that asks about a key.
pub(super) fn validation(api: Api<'_>, key: &CustomerApiKey) -> Result<Call, Error> {
    let call = api.call(Method::POST, VALIDATIONS, json(&Fields([("value", wire::text(key))])))?;
    Ok(Call { kind: RequestKind::Validation, ..call })
}

/// Asks about a key, as often as is allowed.
pub(super) async fn ask(
    core: &Core,
    call: Result<Call, Error>,
    may_repeat: impl Fn() -> bool,
) -> Result<ValidApiKey, KeyNotValidated> {
    #[derive(Deserialize)]
    struct Validation {
        // It is there in each reply: one without it says nothing about the key.
        #[serde(deserialize_with = "Option::deserialize")]
        api_key: Option<ApiKeyRecord>,
        agent_registration_id: Option<AgentRegistrationId>,
    }
    let reply = core.send_while(call.map_err(KeyNotValidated::Unavailable)?, may_repeat).await;
    let Validation { api_key, agent_registration_id } =
        reply.and_then(transport::read::<Validation>).map_err(|failure| KeyNotValidated::Unavailable(failure.error))?;
    let record = api_key.ok_or(KeyNotValidated::Invalid)?;
    Ok(ValidApiKey(Arc::new(Validated { record, agent_registration_id })))
}

/// Why an API key wasn't validated.
///
/// There are only these three cases, so this enum is exhaustive. With the feature `server`, `response()` answers the request.
#[derive(Clone, Debug, thiserror::Error)]
#[must_use = "it says whether to refuse or to try again"]
pub enum KeyNotValidated {
    /// WorkOS doesn't know the key: it is made up, was deleted, or has expired.
    #[error("the API key isn't valid")]
    Invalid,
    /// This process may not ask about the key now: it has a limit of its own ([`ApiKeyValidator::rate`]). The key may be good.
    #[error("too many API keys are to be validated")]
    TooManyRequests {
        /// When to try again.
        retry_after: Duration,
    },
    /// WorkOS could not be asked. The key may be good.
    #[error("the API key could not be validated")]
    Unavailable(#[source] Error),
}

impl From<KeyNotValidated> for Error {
    fn from(not_validated: KeyNotValidated) -> Self {
        match not_validated {
            KeyNotValidated::Invalid => Self::customer_key(CustomerKeyError::Invalid),
            KeyNotValidated::TooManyRequests { retry_after } => {
                Self::customer_key(CustomerKeyError::TooManyRequests).advise(Some(retry_after), None)
            }
            KeyNotValidated::Unavailable(error) => error,
        }
    }
}

/// An API key of a customer that WorkOS has called valid just now, or a few seconds ago where a validator remembers keys.
///
/// Only a validation makes it: a key that was listed or created isn't one that a request has presented. A clone is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct ValidApiKey(Arc<Validated>);

#[derive(PartialEq, Eq)]
struct Validated {
    record: ApiKeyRecord,
    agent_registration_id: Option<AgentRegistrationId>,
}

impl ValidApiKey {
    /// The ID of the key.
    #[must_use]
    pub fn id(&self) -> &ApiKeyId {
        &self.0.record.id
    }

    /// Whose key it is.
    #[must_use]
    pub fn owner(&self) -> &ApiKeyOwner {
        &self.0.record.owner
    }

    /// The organization whose data the key is for.
    #[must_use]
    pub fn organization_id(&self) -> &OrganizationId {
        self.owner().organization_id()
    }

    /// The agent that the key was issued for, if it was.
    #[must_use]
    pub fn agent_registration_id(&self) -> Option<&AgentRegistrationId> {
        self.0.agent_registration_id.as_ref()
    }

    /// The slugs of its permissions.
    #[must_use]
    pub fn permissions(&self) -> &[String] {
        &self.0.record.permissions
    }

    /// Whether it has this permission.
    #[must_use]
    pub fn has_permission(&self, slug: &str) -> bool {
        self.permissions().iter().any(|permission| permission == slug)
    }

    /// Checks that it has this permission.
    ///
    /// # Errors
    /// [`MissingKeyPermission`], which names it.
    pub fn permission(&self, slug: &str) -> Result<(), MissingKeyPermission> {
        if self.has_permission(slug) { Ok(()) } else { Err(MissingKeyPermission { slug: slug.to_owned() }) }
    }

    /// Checks that the key is for this organization, to which the requested data belongs.
    ///
    /// # Errors
    /// [`WrongKeyOrganization`].
    pub fn in_organization(&self, id: &OrganizationId) -> Result<(), WrongKeyOrganization> {
        if self.organization_id() == id { Ok(()) } else { Err(WrongKeyOrganization) }
    }

    /// Name, times and all else that the API says about the key.
    #[must_use]
    pub fn record(&self) -> &ApiKeyRecord {
        &self.0.record
    }
}

impl fmt::Debug for ValidApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ValidApiKey").field(&self.0.record).finish()
    }
}

/// A valid API key lacks a permission. With the feature `server`, `response()` answers the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API key lacks the permission {slug}")]
#[non_exhaustive]
pub struct MissingKeyPermission {
    /// The permission.
    pub slug: String,
}

impl From<MissingKeyPermission> for Error {
    fn from(missing: MissingKeyPermission) -> Self {
        Self::customer_key(CustomerKeyError::MissingPermission(missing.slug))
    }
}

/// A valid API key is for another organization. With the feature `server`, `response()` answers the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API key is for another organization")]
#[non_exhaustive]
pub struct WrongKeyOrganization;

impl From<WrongKeyOrganization> for Error {
    fn from(_: WrongKeyOrganization) -> Self {
        Self::customer_key(CustomerKeyError::WrongOrganization)
    }
}

/// What the API says about a customer's API key. It holds no secret, and says nothing about a request: see [`ValidApiKey`].
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ApiKeyRecord {
    /// The ID.
    pub id: ApiKeyId,
    /// Whose key it is.
    pub owner: ApiKeyOwner,
    /// The name that a human gave it.
    pub name: String,
    /// The value with its middle left out, to recognize it by.
    pub obfuscated_value: String,
    /// When it was last used, as far as WorkOS knows.
    pub last_used_at: Option<Timestamp>,
    /// When it expires; only keys of users say so.
    pub expires_at: Option<Timestamp>,
    /// The slugs of its permissions.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub permissions: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Whose API key it is. A kind of owner that this release doesn't know is an error, not a guess.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ApiKeyOwner {
    /// An organization.
    Organization {
        /// The organization.
        id: OrganizationId,
    },
    /// A user, in one of the user's organizations.
    User {
        /// The user.
        id: UserId,
        /// The organization that the key is for.
        organization_id: OrganizationId,
    },
}

impl ApiKeyOwner {
    /// The organization that owns the key, or that the user's key is for.
    #[must_use]
    pub fn organization_id(&self) -> &OrganizationId {
        match self {
            Self::Organization { id } | Self::User { organization_id: id, .. } => id,
        }
    }

    /// The user that owns the key.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        match self {
            Self::Organization { .. } => None,
            Self::User { id, .. } => Some(id),
        }
    }
}

/// A new API key. WorkOS shows its value this once: give it to the customer, and keep no copy.
#[derive(Deserialize)]
#[non_exhaustive]
#[must_use = "the value can't be had a second time: `.into_value()`"]
pub struct CreatedApiKey {
    /// The key, without its value.
    #[serde(flatten)]
    pub record: ApiKeyRecord,
    value: CustomerApiKey,
}

impl CreatedApiKey {
    /// The value of the key.
    #[must_use]
    pub fn into_value(self) -> CustomerApiKey {
        self.value
    }
}

/// Without the value.
impl fmt::Debug for CreatedApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CreatedApiKey").field("record", &self.record).finish_non_exhaustive()
    }
}

/// A key of an organization that is to be created.
#[derive(Debug)]
#[must_use = "nothing was sent yet: give it to `client.api_keys().create_for_organization(…)`"]
pub struct CreateOrganizationApiKey(CreateOrganizationApiKeyBody);

/// The body of `POST /organizations/{id}/api_keys`; key order is field order.
#[derive(Debug, Serialize)]
struct CreateOrganizationApiKeyBody {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Vec<String>>,
}

impl CreateOrganizationApiKey {
    /// A key with this name, which is the only field that the API requires.
    pub fn new(name: impl Into<String>) -> Self {
        Self(CreateOrganizationApiKeyBody { name: name.into(), permissions: None })
    }

    /// The slugs of its permissions.
    pub fn permissions<S: Into<String>>(mut self, slugs: impl IntoIterator<Item = S>) -> Self {
        self.0.permissions = Some(slugs.into_iter().map(Into::into).collect());
        self
    }
}

/// A key of a user that is to be created.
#[derive(Debug)]
#[must_use = "nothing was sent yet: give it to `client.api_keys().create_for_user(…)`"]
pub struct CreateUserApiKey(CreateUserApiKeyBody);

/// The body of `POST /user_management/users/{id}/api_keys`; key order is field order.
#[derive(Debug, Serialize)]
struct CreateUserApiKeyBody {
    name: String,
    organization_id: OrganizationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl CreateUserApiKey {
    /// A key with this name, for one of the user's organizations. The API requires both.
    pub fn new(name: impl Into<String>, organization_id: OrganizationId) -> Self {
        Self(CreateUserApiKeyBody { name: name.into(), organization_id, permissions: None, expires_at: None })
    }

    /// The slugs of its permissions.
    pub fn permissions<S: Into<String>>(mut self, slugs: impl IntoIterator<Item = S>) -> Self {
        self.0.permissions = Some(slugs.into_iter().map(Into::into).collect());
        self
    }

    /// When it expires. Without this it doesn't.
    pub fn expires_at(mut self, time: Timestamp) -> Self {
        self.0.expires_at = Some(time);
        self
    }
}
