//! The endpoints that need an API key.
//!
//! A [`Client`] has an accessor for each resource. A method of it gives an [`ApiRequest`] or a [`List`], which is sent with `.send().await`.
//!
//! | accessor | resource |
//! | --- | --- |
//! | [`users`](Client::users) | users |
//! | [`email_verification`](Client::email_verification), [`email_change`](Client::email_change) | the address of a user |
//! | [`password_reset`](Client::password_reset), [`magic_auth`](Client::magic_auth) | e-mails with a link or a code |
//! | [`sessions`](Client::sessions) | sessions at WorkOS |
//! | [`mfa`](Client::mfa) | second factors: [`AuthenticationFactor`], [`AuthenticationChallenge`] |
//! | [`invitations`](Client::invitations) | [`Invitation`] |
//! | [`organization_memberships`](Client::organization_memberships) | [`OrganizationMembership`] |
//! | [`api_keys`](Client::api_keys) | API keys of the application's customers: [`ValidApiKey`], [`ApiKeyValidator`] |
//! | [`radar`](Client::radar) | challenges of Radar, the fraud detection |
//! | [`request`](Client::request) | any other endpoint: [`CustomRequest`] |
//!
//! A list comes by the [`Page`], or as a stream of [`Items`].
//!
//! In replies, e-mail addresses and telephone numbers are plain strings: one that is written in an unusual way must not fail the
//! whole reply. In requests they are an [`EmailAddress`](crate::EmailAddress) and a [`PhoneNumber`](crate::id::PhoneNumber).
//!
//! ```no_run
//! # async fn run(client: workos_auth::ConfidentialClient) -> Result<(), workos_auth::Error> {
//! use workos_auth::EmailAddress;
//! use workos_auth::api::CreateUser;
//!
//! let new = CreateUser::new(EmailAddress::new("ada@example.com")?).first_name("Ada");
//! let created = client.users().create(&new).send().await?;
//! let sessions = client.sessions().list(&created.user.id).limit(10).send().await?;
//! println!("{} sessions", sessions.data.len());
//! # Ok(()) }
//! ```

mod api_keys;
mod custom;
mod email;
mod factors;
mod invitations;
mod key_validator;
mod magic_auth;
mod memberships;
mod page;
mod password_reset;
mod radar;
mod recent;
mod sessions;
mod users;

use std::fmt;
use std::sync::Arc;

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use api_keys::{
    ApiKeyOwner, ApiKeyRecord, CreateOrganizationApiKey, CreateUserApiKey, CreatedApiKey, KeyNotValidated,
    MissingKeyPermission, ValidApiKey, WrongKeyOrganization,
};
pub use custom::CustomRequest;
pub use email::{EmailChange, VerificationEmail};
pub use factors::{
    AuthenticationChallenge, AuthenticationFactor, EnrollFactor, EnrolledFactor, EnrolledTotp, SmsFactor, TotpFactor,
    TotpSettings, UserFactorEnrollment, VerifiedChallenge,
};
pub use invitations::{CreateInvitation, Invitation, InvitationState};
pub use key_validator::ApiKeyValidator;
pub use magic_auth::{CreateMagicAuth, MagicAuth};
pub use memberships::{Group, MembershipStatus, OrganizationMembership, Roles};
pub use page::{Items, List, Order, Page};
pub use password_reset::PasswordReset;
pub use radar::{RadarChallenge, RadarChallengeType, SendRadarSms};
pub use sessions::{SessionAuthMethod, SessionStatus, UserSession};
pub use users::{
    CreateUser, CreatedUser, IdentityProvider, PasswordHashType, PasswordSaltPosition, UpdateUser, UserIdentity,
};

use crate::client::Client;
use crate::credentials::HasApiKey;
use crate::error::Error;
use crate::id::Segment;
use crate::model::User;
use crate::sealed::INTERNAL;
use crate::secret::ApiKey;
use crate::transport::{self, Body, Call, Core, Failure, Reply, RequestKind, Route};
use crate::wire;

/// A call of an endpoint, ready to be sent.
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct ApiRequest<T> {
    core: Arc<Core>,
    call: Result<Call, Error>,
    read: fn(Reply) -> Result<T, Failure>,
}

impl<T> ApiRequest<T> {
    pub(crate) fn new(core: &Arc<Core>, call: Result<Call, Error>, read: fn(Reply) -> Result<T, Failure>) -> Self {
        Self { core: Arc::clone(core), call, read }
    }

    /// The same call, with another reader of its reply.
    pub(crate) fn reading<U>(self, read: fn(Reply) -> Result<U, Failure>) -> ApiRequest<U> {
        ApiRequest { core: self.core, call: self.call, read }
    }

    /// Sends the call. A call that only reads is retried while the API can't be reached; a call that changes something is
    /// retried only when it can't have arrived.
    ///
    /// # Errors
    /// [`ErrorKind::Api`](crate::ErrorKind::Api) when the API refuses, [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue)
    /// for a value that can't be sent, or the failure of the connection or of the reply.
    pub async fn send(self) -> Result<T, Error> {
        let reply = self.core.send(self.call?).await;
        reply.and_then(self.read).map_err(|failure| failure.error)
    }
}

impl<T> fmt::Debug for ApiRequest<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let route = self.call.as_ref().map(|call| call.route.template);
        formatter.debug_struct("ApiRequest").field("route", &route).finish_non_exhaustive()
    }
}

/// A path, or a template of one with the value that goes into it.
trait Path {
    fn route(self) -> Result<Route, Error>;
}

impl Path for &'static str {
    fn route(self) -> Result<Route, Error> {
        Ok(self.into())
    }
}

impl Path for Result<Route, Error> {
    fn route(self) -> Self {
        self
    }
}

impl<S: Segment> Path for (&'static str, S) {
    fn route(self) -> Result<Route, Error> {
        Route::of(self.0, self.1)
    }
}

/// The API key and the transport of one client.
#[derive(Clone, Copy)]
struct Api<'a> {
    core: &'a Arc<Core>,
    key: &'a ApiKey,
}

impl<'a> Api<'a> {
    fn new<K: HasApiKey>(client: &'a Client<K>) -> Self {
        Self { core: &client.core, key: client.credentials.api_key(INTERNAL) }
    }

    fn get<T: DeserializeOwned>(self, path: impl Path) -> ApiRequest<T> {
        self.request(self.call(Method::GET, path, Ok(Body::None)), transport::read)
    }

    fn list<T>(self, path: impl Path) -> List<T> {
        List::new(self.core, self.call(Method::GET, path, Ok(Body::None)))
    }

    fn post<T: DeserializeOwned>(self, path: impl Path, body: &impl Serialize) -> ApiRequest<T> {
        self.request(self.call(Method::POST, path, json(body)), transport::read)
    }

    /// A call whose reply is `{"user": …}`.
    fn post_for_user(self, path: impl Path, body: &impl Serialize) -> ApiRequest<User> {
        #[derive(serde::Deserialize)]
        struct Wrapped {
            user: User,
        }
        self.request(self.call(Method::POST, path, json(body)), |reply| {
            transport::read(reply).map(|Wrapped { user }| user)
        })
    }

    /// A call whose reply is ignored.
    fn post_only(self, path: impl Path, body: &impl Serialize) -> ApiRequest<()> {
        self.request(self.call(Method::POST, path, json(body)), transport::accept)
    }

    fn put<T: DeserializeOwned>(self, path: impl Path, body: &impl Serialize) -> ApiRequest<T> {
        self.request(self.call(Method::PUT, path, json(body)), transport::read)
    }

    fn delete(self, path: impl Path) -> ApiRequest<()> {
        self.request(self.call(Method::DELETE, path, Ok(Body::None)), transport::accept)
    }

    fn request<T>(self, call: Result<Call, Error>, read: fn(Reply) -> Result<T, Failure>) -> ApiRequest<T> {
        ApiRequest::new(self.core, call, read)
    }

    fn call(self, method: Method, path: impl Path, body: Result<Body, Error>) -> Result<Call, Error> {
        let kind = if method == Method::GET { RequestKind::Read } else { RequestKind::Write };
        Ok(Call { method, route: path.route()?, authorization: Some(self.key.header()), body: body?, kind })
    }
}

fn json(body: &impl Serialize) -> Result<Body, Error> {
    wire::body(body).map(Body::Json)
}

macro_rules! accessors {
    ($($(#[$attribute:meta])* $name:ident;)*) => {$(
        $(#[$attribute])*
        ///
        /// A method returns a call that is sent with `.send().await`, unless it is `async` itself.
        #[derive(Clone, Copy)]
        pub struct $name<'a> {
            api: Api<'a>,
        }

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

accessors! {
    /// The users of the application.
    Users;

    /// The e-mails that verify a user's address.
    EmailVerifications;

    /// Changes of a user's e-mail address.
    EmailChanges;

    /// Password resets, which let a user choose a new password.
    PasswordResets;

    /// Magic Auth codes, with which a user signs in.
    MagicAuths;

    /// The sessions of users.
    Sessions;

    /// The second factors of users.
    Mfa;

    /// Invitations to the application.
    Invitations;

    /// The memberships of users in organizations.
    OrganizationMemberships;

    /// The API keys that the application issues to its customers. They are none of WorkOS's own.
    ApiKeys;

    /// The challenges of WorkOS Radar, the fraud detection.
    Radar;
}

// Written out, not generated by the macro, which the compiler would name in each error message.
/// # Endpoints that need an API key
impl<K> Client<K> {
    /// The users of the application.
    #[must_use]
    pub fn users(&self) -> Users<'_>
    where
        K: HasApiKey,
    {
        Users { api: Api::new(self) }
    }

    /// The e-mails that verify a user's address.
    #[must_use]
    pub fn email_verification(&self) -> EmailVerifications<'_>
    where
        K: HasApiKey,
    {
        EmailVerifications { api: Api::new(self) }
    }

    /// Changes of a user's e-mail address.
    #[must_use]
    pub fn email_change(&self) -> EmailChanges<'_>
    where
        K: HasApiKey,
    {
        EmailChanges { api: Api::new(self) }
    }

    /// Password resets, which let a user choose a new password.
    #[must_use]
    pub fn password_reset(&self) -> PasswordResets<'_>
    where
        K: HasApiKey,
    {
        PasswordResets { api: Api::new(self) }
    }

    /// Magic Auth codes, with which a user signs in.
    #[must_use]
    pub fn magic_auth(&self) -> MagicAuths<'_>
    where
        K: HasApiKey,
    {
        MagicAuths { api: Api::new(self) }
    }

    /// The sessions of users.
    #[must_use]
    pub fn sessions(&self) -> Sessions<'_>
    where
        K: HasApiKey,
    {
        Sessions { api: Api::new(self) }
    }

    /// The second factors of users.
    #[must_use]
    pub fn mfa(&self) -> Mfa<'_>
    where
        K: HasApiKey,
    {
        Mfa { api: Api::new(self) }
    }

    /// Invitations to the application.
    #[must_use]
    pub fn invitations(&self) -> Invitations<'_>
    where
        K: HasApiKey,
    {
        Invitations { api: Api::new(self) }
    }

    /// The memberships of users in organizations.
    #[must_use]
    pub fn organization_memberships(&self) -> OrganizationMemberships<'_>
    where
        K: HasApiKey,
    {
        OrganizationMemberships { api: Api::new(self) }
    }

    /// The API keys that the application issues to its customers, who present them to the application.
    #[must_use]
    pub fn api_keys(&self) -> ApiKeys<'_>
    where
        K: HasApiKey,
    {
        ApiKeys { api: Api::new(self) }
    }

    /// The challenges of WorkOS Radar, the fraud detection.
    #[must_use]
    pub fn radar(&self) -> Radar<'_>
    where
        K: HasApiKey,
    {
        Radar { api: Api::new(self) }
    }
}
