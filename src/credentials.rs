//! The credentials of a client as types, and the traits that say what a client can do with them.

use std::fmt;

use crate::error::Error;
use crate::id::ClientId;
use crate::sealed::Internal;
use crate::secret::ApiKey;

/// Only a client ID: a public client (RFC 6749 §2.1), which is protected by PKCE.
///
/// ```
/// use workos_auth::{Client, Public, PublicClient};
///
/// // `PublicClient` is this type:
/// fn the_same(client: PublicClient) -> Client<Public> {
///     client
/// }
/// ```
pub struct Public {
    pub(crate) client_id: ClientId,
}

/// A client ID and an API key: a confidential client (RFC 6749 §2.1).
///
/// ```
/// use workos_auth::{Client, Confidential, ConfidentialClient};
///
/// // `ConfidentialClient` is this type:
/// fn the_same(client: ConfidentialClient) -> Client<Confidential> {
///     client
/// }
/// ```
pub struct Confidential {
    pub(crate) client_id: ClientId,
    pub(crate) api_key: ApiKey,
}

/// An API key without a client ID, for the endpoints that need a key; it can't be used for logins.
pub struct ApiKeyOnly {
    pub(crate) api_key: ApiKey,
}

/// No credentials yet: the state in which [`Client::builder`](crate::Client::builder) starts.
#[derive(Debug)]
pub struct NoCredentials;

impl fmt::Debug for Public {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Public").field("client_id", &self.client_id).finish()
    }
}

impl fmt::Debug for Confidential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Confidential")
            .field("client_id", &self.client_id)
            .field("api_key", &self.api_key)
            .finish()
    }
}

impl fmt::Debug for ApiKeyOnly {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiKeyOnly").field("api_key", &self.api_key).finish()
    }
}

/// The credentials that go into one request body.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    pub(crate) client_id: &'a ClientId,
    pub(crate) api_key: Option<&'a ApiKey>,
}

mod sealed {
    use super::{ApiKey, ClientId, Error, Internal, Read};

    pub trait Sealed: Sized + Send + Sync + 'static {
        /// Reads what it holds, and nothing else.
        fn read(client_id: Read<ClientId>, api_key: Read<ApiKey>, _: Internal) -> Result<Self, Error>;
    }
}

/// The client has credentials, which [`ClientBuilder::build`](crate::ClientBuilder::build) requires. Sealed.
#[diagnostic::on_unimplemented(
    message = "this client has no credentials yet",
    label = "give the builder a client ID, an API key, or both, before `build()`",
    note = "a public client: `Client::builder().client_id(\"client_…\").build()`",
    note = "a confidential client: `Client::builder().client_id(\"client_…\").api_key(\"sk_…\").build()`"
)]
pub trait Credentials: sealed::Sealed {}

impl Credentials for Public {}
impl Credentials for Confidential {}
impl Credentials for ApiKeyOnly {}

/// A value that is read, or why it can't be.
type Read<T> = fn() -> Result<T, Error>;

impl sealed::Sealed for Public {
    fn read(client_id: Read<ClientId>, _: Read<ApiKey>, _: Internal) -> Result<Self, Error> {
        Ok(Self { client_id: client_id()? })
    }
}

impl sealed::Sealed for Confidential {
    fn read(client_id: Read<ClientId>, api_key: Read<ApiKey>, _: Internal) -> Result<Self, Error> {
        Ok(Self { client_id: client_id()?, api_key: api_key()? })
    }
}

impl sealed::Sealed for ApiKeyOnly {
    fn read(_: Read<ClientId>, api_key: Read<ApiKey>, _: Internal) -> Result<Self, Error> {
        Ok(Self { api_key: api_key()? })
    }
}

/// The client has a client ID, so it can sign users in: [`Public`] and [`Confidential`]. Sealed.
#[diagnostic::on_unimplemented(
    message = "this client has no client ID, which every login needs",
    label = "needs a `PublicClient` or a `ConfidentialClient`",
    note = "an `ApiKeyClient` becomes a `ConfidentialClient` with `.with_client_id(ClientId::new(\"client_…\")?)`"
)]
pub trait HasClientId: Credentials {
    #[doc(hidden)]
    fn identity(&self, _: Internal) -> Identity<'_>;
}

impl HasClientId for Public {
    fn identity(&self, _: Internal) -> Identity<'_> {
        Identity { client_id: &self.client_id, api_key: None }
    }
}

impl HasClientId for Confidential {
    fn identity(&self, _: Internal) -> Identity<'_> {
        Identity { client_id: &self.client_id, api_key: Some(&self.api_key) }
    }
}

/// The client has an API key, so it can call the endpoints that need one: [`Confidential`] and [`ApiKeyOnly`]. Sealed.
#[diagnostic::on_unimplemented(
    message = "this client holds no API key, which this call needs",
    label = "needs a `ConfidentialClient` or an `ApiKeyClient`",
    note = "on a server, build a `ConfidentialClient`: `Client::builder().client_id(\"client_…\").api_key(\"sk_…\").build()?`",
    note = "an application on a user's device must not hold an API key: use `authorize(…)` with PKCE"
)]
pub trait HasApiKey: Credentials {
    #[doc(hidden)]
    fn api_key(&self, _: Internal) -> &ApiKey;
}

impl HasApiKey for Confidential {
    fn api_key(&self, _: Internal) -> &ApiKey {
        &self.api_key
    }
}

impl HasApiKey for ApiKeyOnly {
    fn api_key(&self, _: Internal) -> &ApiKey {
        &self.api_key
    }
}

/// The client has a client ID and an API key: [`Confidential`]. Sealed.
#[diagnostic::on_unimplemented(
    message = "this call needs both a client ID and an API key",
    label = "needs a `ConfidentialClient`",
    note = "on a server, build one: `Client::builder().client_id(\"client_…\").api_key(\"sk_…\").build()?`",
    note = "an `ApiKeyClient` becomes one with `.with_client_id(ClientId::new(\"client_…\")?)`",
    note = "an application on a user's device must not hold an API key: use `authorize(…)` with PKCE, or `device_authorization()`"
)]
pub trait IsConfidential: HasClientId + HasApiKey {}

impl IsConfidential for Confidential {}
