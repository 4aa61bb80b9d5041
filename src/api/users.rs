//! `/user_management/users`

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{ApiRequest, List, Users};
use crate::id::{EmailAddress, FreeForm, OrganizationId, UserId};
use crate::model::User;
use crate::open_enum::open_enum;
use crate::secret::{Password, PasswordHash};
use crate::wire;

impl Users<'_> {
    /// Gets a user (`GET /user_management/users/{id}`).
    pub fn get(&self, id: &UserId) -> ApiRequest<User> {
        self.api.get(("/user_management/users/{id}", id))
    }

    /// Gets a user by the application's own ID (`GET /user_management/users/external_id/{external_id}`).
    pub fn get_by_external_id(&self, external_id: &str) -> ApiRequest<User> {
        let external_id = FreeForm { field: "external_id", text: external_id };
        self.api.get(("/user_management/users/external_id/{external_id}", external_id))
    }

    /// Lists users (`GET /user_management/users`).
    pub fn list(&self) -> List<User> {
        self.api.list("/user_management/users")
    }

    /// Creates a user (`POST /user_management/users`).
    pub fn create(&self, user: &CreateUser) -> ApiRequest<CreatedUser> {
        self.api.post("/user_management/users", &user.0)
    }

    /// Changes a user (`PUT /user_management/users/{id}`).
    pub fn update(&self, id: &UserId, changes: &UpdateUser) -> ApiRequest<User> {
        self.api.put(("/user_management/users/{id}", id), &changes.0)
    }

    /// Deletes a user (`DELETE /user_management/users/{id}`).
    pub fn delete(&self, id: &UserId) -> ApiRequest<()> {
        self.api.delete(("/user_management/users/{id}", id))
    }

    /// Gets the accounts at identity providers that a user signs in with (`GET /user_management/users/{id}/identities`).
    pub fn identities(&self, id: &UserId) -> ApiRequest<Vec<UserIdentity>> {
        self.api.get(("/user_management/users/{id}/identities", id))
    }
}

impl List<User> {
    /// Only the user with this e-mail address.
    pub fn email(self, email: &EmailAddress) -> Self {
        self.with("email", email.as_str())
    }

    /// Only the members of this organization.
    pub fn organization(self, id: &OrganizationId) -> Self {
        self.with("organization_id", id.as_str())
    }
}

/// A user to be created.
///
/// ```
/// use workos_auth::api::CreateUser;
/// use workos_auth::{EmailAddress, Password};
///
/// let user = CreateUser::new(EmailAddress::new("ada@example.com")?)
///     .first_name("Ada")
///     .password(Password::new("from the form"))
///     .metadata([("plan", "pro")]);
/// # Ok::<_, workos_auth::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing was sent yet: give it to `client.users().create(…)`"]
pub struct CreateUser(CreateUserBody);

/// The body of `POST /user_management/users`; key order is field order. The public type has no `Serialize`, which would be a
/// second way to its secrets.
#[derive(Debug, Serialize)]
struct CreateUserBody {
    email: EmailAddress,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(flatten)]
    password: Option<NewPassword>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_salt_position: Option<PasswordSaltPosition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signals_id: Option<String>,
}

/// A password or the hash of one, never both.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum NewPassword {
    Plain {
        #[serde(serialize_with = "wire::secret")]
        password: Password,
    },
    Hashed {
        #[serde(serialize_with = "wire::secret")]
        password_hash: PasswordHash,
        password_hash_type: PasswordHashType,
    },
}

impl CreateUser {
    /// A user with this e-mail address, which is the only field that the API requires.
    pub fn new(email: EmailAddress) -> Self {
        Self(CreateUserBody {
            email,
            first_name: None,
            last_name: None,
            name: None,
            email_verified: None,
            metadata: None,
            external_id: None,
            password: None,
            password_salt_position: None,
            ip_address: None,
            user_agent: None,
            signals_id: None,
        })
    }

    /// The first name.
    pub fn first_name(mut self, first_name: impl Into<String>) -> Self {
        self.0.first_name = Some(first_name.into());
        self
    }

    /// The last name.
    pub fn last_name(mut self, last_name: impl Into<String>) -> Self {
        self.0.last_name = Some(last_name.into());
        self
    }

    /// The full name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = Some(name.into());
        self
    }

    /// Whether the address is known to belong to the user.
    pub fn email_verified(mut self, email_verified: bool) -> Self {
        self.0.email_verified = Some(email_verified);
        self
    }

    /// The application's own data on the user; the API limits its size.
    pub fn metadata(mut self, metadata: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        self.0.metadata = Some(metadata.into_iter().map(|(key, value)| (key.into(), value.into())).collect());
        self
    }

    /// The application's own ID for the user.
    pub fn external_id(mut self, external_id: impl Into<String>) -> Self {
        self.0.external_id = Some(external_id.into());
        self
    }

    /// The password, in place of a hash.
    pub fn password(mut self, password: Password) -> Self {
        self.0.password = Some(NewPassword::Plain { password });
        self
    }

    /// The password as another system hashed it, in place of the password itself.
    pub fn password_hash(mut self, hash: PasswordHash, kind: PasswordHashType) -> Self {
        self.0.password = Some(NewPassword::Hashed { password_hash: hash, password_hash_type: kind });
        self
    }

    /// Where the salt is added, for hashes that don't say it themselves.
    pub fn password_salt_position(mut self, position: PasswordSaltPosition) -> Self {
        self.0.password_salt_position = Some(position);
        self
    }

    /// The IP address of the user's device.
    pub fn ip_address(mut self, address: impl Into<IpAddr>) -> Self {
        self.0.ip_address = Some(address.into());
        self
    }

    /// The `User-Agent` of the user's browser.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.0.user_agent = Some(user_agent.into());
        self
    }

    /// The ID that Radar's browser script gave to this visit.
    pub fn signals_id(mut self, id: impl Into<String>) -> Self {
        self.0.signals_id = Some(id.into());
        self
    }
}

/// Changes of a user. A field that isn't set stays as it is.
#[derive(Debug)]
#[must_use = "nothing was sent yet: give it to `client.users().update(…)`"]
pub struct UpdateUser(UpdateUserBody);

/// The body of `PUT /user_management/users/{id}`; key order is field order.
#[derive(Debug, Default, Serialize)]
struct UpdateUserBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<EmailAddress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Change<BTreeMap<String, Option<String>>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<Change<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<Change<String>>,
    #[serde(flatten)]
    password: Option<NewPassword>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_salt_position: Option<PasswordSaltPosition>,
}

/// A new value, or `null`, which removes the old one.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Change<T> {
    Set(T),
    Remove,
}

impl<T> From<Option<T>> for Change<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Remove, Self::Set)
    }
}

impl UpdateUser {
    /// No changes yet.
    #[allow(clippy::new_without_default, reason = "without a change there is nothing to send")]
    pub fn new() -> Self {
        Self(UpdateUserBody::default())
    }

    /// The e-mail address.
    pub fn email(mut self, email: EmailAddress) -> Self {
        self.0.email = Some(email);
        self
    }

    /// The first name.
    pub fn first_name(mut self, first_name: impl Into<String>) -> Self {
        self.0.first_name = Some(first_name.into());
        self
    }

    /// The last name.
    pub fn last_name(mut self, last_name: impl Into<String>) -> Self {
        self.0.last_name = Some(last_name.into());
        self
    }

    /// The full name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = Some(name.into());
        self
    }

    /// Whether the address is known to belong to the user.
    pub fn email_verified(mut self, email_verified: bool) -> Self {
        self.0.email_verified = Some(email_verified);
        self
    }

    /// The application's own data on the user, or `None` to remove all of it; the API limits its size. A key whose value is
    /// `None` is removed, and a key that isn't named stays.
    pub fn metadata(mut self, metadata: Option<BTreeMap<String, Option<String>>>) -> Self {
        self.0.metadata = Some(metadata.into());
        self
    }

    /// The application's own ID for the user, or `None` to remove it.
    pub fn external_id(mut self, external_id: Option<String>) -> Self {
        self.0.external_id = Some(external_id.into());
        self
    }

    /// The preferred locale, such as `en-US`, or `None` to remove it.
    pub fn locale(mut self, locale: Option<String>) -> Self {
        self.0.locale = Some(locale.into());
        self
    }

    /// The password, in place of a hash.
    pub fn password(mut self, password: Password) -> Self {
        self.0.password = Some(NewPassword::Plain { password });
        self
    }

    /// The password as another system hashed it, in place of the password itself.
    pub fn password_hash(mut self, hash: PasswordHash, kind: PasswordHashType) -> Self {
        self.0.password = Some(NewPassword::Hashed { password_hash: hash, password_hash_type: kind });
        self
    }

    /// Where the salt is added, for hashes that don't say it themselves.
    pub fn password_salt_position(mut self, position: PasswordSaltPosition) -> Self {
        self.0.password_salt_position = Some(position);
        self
    }
}

open_enum! {
    /// How a password was hashed.
    PasswordHashType {
        Bcrypt = "bcrypt",
        FirebaseScrypt = "firebase-scrypt",
        Ssha = "ssha",
        Ssha256 = "ssha256",
        Scrypt = "scrypt",
        Pbkdf2 = "pbkdf2",
        Argon2 = "argon2",
    }
}

open_enum! {
    /// Where the salt of a password's hash is added.
    PasswordSaltPosition {
        Prefix = "prefix",
        Suffix = "suffix",
    }
}

/// A user that was created.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CreatedUser {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// Radar's ID of this attempt, for the [`RadarContext`](crate::login::RadarContext) of the login that follows.
    pub radar_auth_attempt_id: Option<String>,
}

/// An account at an identity provider that a user signs in with.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UserIdentity {
    /// The user's ID at the provider.
    pub idp_id: String,
    /// The kind; `OAuth` is the only one so far.
    #[serde(rename = "type")]
    pub kind: String,
    /// The provider.
    pub provider: IdentityProvider,
}

open_enum! {
    /// The provider of a [`UserIdentity`].
    IdentityProvider {
        Apple = "AppleOAuth",
        Bitbucket = "BitbucketOAuth",
        Discord = "DiscordOAuth",
        GitHub = "GithubOAuth",
        GitLab = "GitLabOAuth",
        Google = "GoogleOAuth",
        Grok = "GrokOAuth",
        X = "XOAuth",
        Intuit = "IntuitOAuth",
        LinkedIn = "LinkedInOAuth",
        Microsoft = "MicrosoftOAuth",
        Salesforce = "SalesforceOAuth",
        Slack = "SlackOAuth",
        VercelMarketplace = "VercelMarketplaceOAuth",
        Vercel = "VercelOAuth",
        Xero = "XeroOAuth",
    }
}
