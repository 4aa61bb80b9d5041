//! A permission of a customer's API key that the compiler asks for, and the responses to keys that are refused.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use http::Response;

use super::answers::unavailable;
use super::permitted::Permission;
use crate::api::{KeyNotValidated, MissingKeyPermission, ValidApiKey};
use crate::error::Error;

/// A valid API key of a customer that has the permission `P`.
///
/// A function that takes it can't be called without the check. [`organization_id`](ValidApiKey::organization_id) says whose data the
/// key is for.
///
/// ```
/// use workos_auth::api::ApiKeyValidator;
/// use workos_auth::handlers::{Permission, PermittedKey};
/// use workos_auth::secret::CustomerApiKey;
/// use workos_auth::Error;
///
/// struct ReadPosts;
/// impl Permission for ReadPosts {
///     const SLUG: &'static str = "posts:read";
/// }
///
/// fn posts(caller: &PermittedKey<ReadPosts>) -> String {
///     format!("the posts of {}", caller.organization_id())
/// }
///
/// async fn get(keys: &ApiKeyValidator, request: &http::HeaderMap) -> Result<String, Error> {
///     let key = keys.validate(&CustomerApiKey::from_headers(request)?).await?;
///     Ok(posts(&PermittedKey::check(key)?))
/// }
///
/// # use http::header::AUTHORIZATION;
/// # use workos_auth::testing::{AuthKit, TestApiKey};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let reads = TestApiKey::of_organization("sk_reads", "org_1").permission("posts:read");
/// # let blind = TestApiKey::of_organization("sk_blind", "org_1");
/// # let authkit = AuthKit::builder().customer_api_key(reads).customer_api_key(blind).start().await?;
/// # let keys = authkit.confidential_client().api_keys().validator();
/// # let request = |value: &'static str| http::HeaderMap::from_iter([(AUTHORIZATION, http::HeaderValue::from_static(value))]);
/// assert_eq!(get(&keys, &request("Bearer sk_reads")).await?, "the posts of org_1");
/// assert!(get(&keys, &request("Bearer sk_blind")).await.is_err_and(|error| error.response().status() == 403));
/// assert!(get(&keys, &request("Bearer sk_guess")).await.is_err_and(|error| error.response().status() == 401));
/// # Ok(()) }
/// ```
pub struct PermittedKey<P> {
    key: ValidApiKey,
    permission: PhantomData<fn() -> P>,
}

impl<P: Permission> PermittedKey<P> {
    /// Checks the permission.
    ///
    /// # Errors
    /// [`MissingKeyPermission`].
    pub fn check(key: ValidApiKey) -> Result<Self, MissingKeyPermission> {
        key.permission(P::SLUG)?;
        Ok(Self { key, permission: PhantomData })
    }
}

impl<P> Deref for PermittedKey<P> {
    type Target = ValidApiKey;

    fn deref(&self) -> &ValidApiKey {
        &self.key
    }
}

impl<P> Clone for PermittedKey<P> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), permission: PhantomData }
    }
}

impl<P> fmt::Debug for PermittedKey<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PermittedKey").field(&self.key).finish()
    }
}

/// # The response to a request whose key wasn't validated
impl KeyNotValidated {
    /// The response: 401 with `WWW-Authenticate` for an invalid key, 429 or 503 with `Retry-After` where nobody knows.
    #[must_use]
    pub fn response(&self) -> Response<String> {
        match self {
            // Whatever the cause is: the key may be good.
            Self::Unavailable(error) => unavailable(error),
            Self::Invalid | Self::TooManyRequests { .. } => Error::from(self.clone()).response(),
        }
    }
}

/// # The response to a request whose key lacks a permission
impl MissingKeyPermission {
    /// The response: 403.
    #[must_use]
    pub fn response(&self) -> Response<String> {
        Error::from(self.clone()).response()
    }
}
