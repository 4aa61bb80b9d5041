//! `/user_management/users`

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{ApiRequest, List, Users, Written, request};
use crate::id::{EmailAddress, FreeForm, OrganizationId, UserId};
use crate::model::User;
use crate::open_enum::open_enum;
use crate::secret::{Password, PasswordHash};

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
        self.api.post("/user_management/users", &Written(user))
    }

    /// Changes a user (`PUT /user_management/users/{id}`).
    pub fn update(&self, id: &UserId, changes: &UpdateUser) -> ApiRequest<User> {
        self.api.put(("/user_management/users/{id}", id), &Written(changes))
    }

    /// Deletes a user (`DELETE /user_management/users/{id}`).
    pub fn delete(&self, id: &UserId) -> ApiRequest<()> {
        self.api.delete(("/user_management/users/{id}", id))
    }

    /// The accounts elsewhere that a user signs in with (`GET /user_management/users/{id}/identities`).
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

request! {
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
    CreateUser(email: EmailAddress) {
        /// The first name.
        into first_name: String,
        /// The last name.
        into last_name: String,
        /// The full name.
        into name: String,
        /// Whether the address is known to be the user's.
        value email_verified: bool,
        /// The application's own data on the user; the API says how much it takes.
        map metadata: BTreeMap<String, String>,
        /// The application's own ID for the user.
        into external_id: String,
        own_secret password: Password,
        own_secret password_hash: PasswordHash,
        own password_hash_type: PasswordHashType,
        /// Where the salt goes, for hashes that don't say it themselves.
        value password_salt_position: PasswordSaltPosition,
        /// The address of the user's device.
        into ip_address: IpAddr,
        /// The `User-Agent` of the user's browser.
        into user_agent: String,
        /// The ID that Radar's browser script gave to this visit.
        into signals_id: String,
    }
}

request! {
    /// Changes of a user. What isn't set stays as it is.
    UpdateUser() {
        /// The e-mail address.
        value email: EmailAddress,
        /// The first name.
        into first_name: String,
        /// The last name.
        into last_name: String,
        /// The full name.
        into name: String,
        /// Whether the address is known to be the user's.
        value email_verified: bool,
        /// The application's own data on the user, or `None` to remove all of it; the API says how much it takes. A key whose
        /// value is `None` is removed, and one that isn't named stays.
        value metadata: Option<BTreeMap<String, Option<String>>>,
        /// The application's own ID for the user, or `None` to remove it.
        value external_id: Option<String>,
        /// The preferred locale, such as `en-US`, or `None` to remove it.
        value locale: Option<String>,
        own_secret password: Password,
        own_secret password_hash: PasswordHash,
        own password_hash_type: PasswordHashType,
        /// Where the salt goes, for hashes that don't say it themselves.
        value password_salt_position: PasswordSaltPosition,
    }
}

macro_rules! with_password {
    ($($name:ident),*) => {$(
        impl $name {
            /// The password, in place of a hash.
            pub fn password(mut self, password: Password) -> Self {
                self.password = Some(password);
                (self.password_hash, self.password_hash_type) = (None, None);
                self
            }

            /// The password as another system hashed it, in place of the password itself.
            pub fn password_hash(mut self, hash: PasswordHash, kind: PasswordHashType) -> Self {
                (self.password_hash, self.password_hash_type) = (Some(hash), Some(kind));
                self.password = None;
                self
            }
        }
    )*};
}

with_password!(CreateUser, UpdateUser);

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
    /// Where the salt of a password's hash goes.
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
    /// What Radar calls this attempt, for [`RadarContext`](crate::login::RadarContext) at the login that follows.
    pub radar_auth_attempt_id: Option<String>,
}

/// An account elsewhere that a user signs in with.
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
