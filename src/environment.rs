//! The environment. No other file reads it.

use std::env;

#[cfg(any(feature = "hyper", feature = "reqwest"))]
use http::Uri;

use crate::error::Error;
use crate::id::ClientId;
use crate::secret::{ApiKey, CookiePassword};

const CLIENT_ID: &str = "WORKOS_CLIENT_ID";
const API_KEY: &str = "WORKOS_API_KEY";
const COOKIE_PASSWORD: &str = "WORKOS_COOKIE_PASSWORD";

pub(crate) fn client_id() -> Result<ClientId, Error> {
    let missing = || Error::missing_variable(CLIENT_ID, "the application's client ID, `client_…`");
    ClientId::new(variable(CLIENT_ID)?.ok_or_else(missing)?)
}

pub(crate) fn api_key() -> Result<ApiKey, Error> {
    let missing = || Error::missing_variable(API_KEY, "an API key, `sk_…`");
    ApiKey::new(variable(API_KEY)?.ok_or_else(missing)?)
}

impl CookiePassword {
    /// Reads `WORKOS_COOKIE_PASSWORD`, the variable that the WorkOS SDKs for Node read too.
    ///
    /// A retired password has no variable of this crate: read it in the application, and give it to `retired_password`.
    ///
    /// ```
    /// use workos_auth::{CookiePassword, ErrorKind, SessionCookie};
    ///
    /// match CookiePassword::from_env() {
    ///     Ok(password) => drop(SessionCookie::new(password)?),
    ///     Err(error) => assert!(matches!(error.kind(), ErrorKind::MissingVariable { name: "WORKOS_COOKIE_PASSWORD", .. })),
    /// }
    /// # Ok::<_, workos_auth::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::MissingVariable`](crate::ErrorKind::MissingVariable), or
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `WORKOS_COOKIE_PASSWORD` when it has fewer than 32
    /// characters. The error never shows the value.
    pub fn from_env() -> Result<Self, Error> {
        let missing = || Error::missing_variable(COOKIE_PASSWORD, "a random password of at least 32 characters");
        Self::named(COOKIE_PASSWORD, variable(COOKIE_PASSWORD)?.ok_or_else(missing)?)
    }
}

/// A proxy for https, and what is reached without it. Its address may hold a password.
#[cfg(any(feature = "hyper", feature = "reqwest"))]
pub(crate) struct Proxy {
    /// With the scheme `http` or `https`.
    pub(crate) address: String,
    /// The hosts that are reached without it, separated by commas.
    pub(crate) direct: String,
    variable: &'static str,
}

#[cfg(any(feature = "hyper", feature = "reqwest"))]
impl Proxy {
    fn new(variable: &'static str, address: String, direct: String) -> Result<Self, Error> {
        let address = if address.contains("://") { address } else { format!("http://{address}") };
        let proxy = Self { address, direct, variable };
        let is_proxy = |uri: Uri| {
            let known = matches!(uri.scheme_str(), Some("http" | "https"));
            // A port that isn't one is no port for `Uri`; a slash in a password ends the authority there.
            known
                && uri.authority().is_some_and(|at| {
                    !at.host().is_empty() && (at.port().is_some() || at.as_str().ends_with(at.host()))
                })
        };
        if proxy.address.parse().is_ok_and(is_proxy) { Ok(proxy) } else { Err(proxy.refused()) }
    }

    /// The error that names the variable, and not its value.
    pub(crate) fn refused(&self) -> Error {
        Error::invalid_value(self.variable, "isn't the address of an HTTP proxy")
    }
}

/// The proxy for all hosts that `NO_PROXY` doesn't name.
#[cfg(any(feature = "hyper", feature = "reqwest"))]
pub(crate) fn proxy() -> Result<Option<Proxy>, Error> {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let Some(address) = variable(name)? else { continue };
        let direct = match variable("NO_PROXY")? {
            Some(hosts) => Some(hosts),
            None => variable("no_proxy")?,
        };
        return Proxy::new(name, address, direct.unwrap_or_default()).map(Some);
    }
    Ok(None)
}

/// The value of a variable. An empty one counts as unset.
pub(crate) fn variable(name: &'static str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Error::invalid_value(name, "is not valid Unicode")),
    }
}
