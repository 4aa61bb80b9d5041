//! A permission of a customer's API key that the compiler asks for, and the responses to keys that are refused.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use http::{HeaderMap, Response};

use super::answers::unavailable;
use super::permitted::Permission;
use crate::api::{ApiKeyValidator, KeyNotValidated, MissingKeyPermission, ValidApiKey, WrongKeyOrganization};
use crate::error::Error;
use crate::secret::CustomerApiKey;

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

/// Why a request isn't let in by its API key. Its [`response`](Self::response) says so.
///
/// It comes from [`ApiKeyValidator::admit`], and `?` makes one of a [`MissingKeyPermission`].
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
#[must_use = "it has the response: `.response()`"]
pub enum KeyNotAdmitted {
    /// The request presents no key that can be read.
    #[error(transparent)]
    NoKey(Error),
    /// The key isn't valid, or couldn't be validated now.
    #[error(transparent)]
    NotValidated(#[from] KeyNotValidated),
    /// The key is valid, and lacks a permission.
    #[error(transparent)]
    MissingPermission(#[from] MissingKeyPermission),
    /// The key is valid, and for another organization.
    #[error(transparent)]
    WrongOrganization(#[from] WrongKeyOrganization),
}

impl KeyNotAdmitted {
    /// The response: 401 with `WWW-Authenticate` without a valid key, 400 for a key that can't be read, 403 without the permission, 429 or
    /// 503 with `Retry-After` where nobody knows.
    #[must_use]
    pub fn response(&self) -> Response<String> {
        match self {
            Self::NoKey(error) => error.response(),
            Self::NotValidated(not_validated) => not_validated.response(),
            Self::MissingPermission(missing) => missing.response(),
            Self::WrongOrganization(wrong) => wrong.response(),
        }
    }
}

impl From<KeyNotAdmitted> for Error {
    fn from(not_admitted: KeyNotAdmitted) -> Self {
        match not_admitted {
            KeyNotAdmitted::NoKey(error) => error,
            KeyNotAdmitted::NotValidated(not_validated) => not_validated.into(),
            KeyNotAdmitted::MissingPermission(missing) => missing.into(),
            KeyNotAdmitted::WrongOrganization(wrong) => wrong.into(),
        }
    }
}

/// # The key of a request
impl ApiKeyValidator {
    /// Validates the key that a request brings in its headers (`Authorization: Bearer`). The error has the response.
    ///
    /// ```
    /// use workos_auth::api::ApiKeyValidator;
    /// use workos_auth::handlers::KeyNotAdmitted;
    ///
    /// async fn posts(keys: &ApiKeyValidator, headers: &http::HeaderMap) -> Result<String, KeyNotAdmitted> {
    ///     let key = keys.admit(headers).await?;
    ///     key.permission("posts:read")?;
    ///     Ok(format!("the posts of {}", key.organization_id()))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`KeyNotAdmitted`]: there is no key, it isn't valid, or nobody knows.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<ValidApiKey, KeyNotAdmitted> {
        let key = CustomerApiKey::from_headers(headers).map_err(KeyNotAdmitted::NoKey)?;
        Ok(self.validate(&key).await?)
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

/// # The response to a request whose key is for another organization
impl WrongKeyOrganization {
    /// The response: 403.
    #[must_use]
    pub fn response(&self) -> Response<String> {
        Error::from(self.clone()).response()
    }
}
