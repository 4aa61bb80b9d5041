//! The login cookie of servers: a parked login in the user's own browser.

use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use sha2::{Digest, Sha256};

use super::Parking;
use crate::authenticate::Rejected;
use crate::client::Client;
use crate::credentials::{HasApiKey, HasClientId};
use crate::error::{CallbackError, Error, ParkedError};
use crate::id::RedirectUri;
use crate::pkce::{Callback, PkceSession};
use crate::secret::State;
use crate::wire;

const PREFIX: &str = "workos-login-";
/// Binds the cookie to this host and to https (RFC 6265bis §4.1.3.2), so that no other host of the domain can plant one.
const HOST_PREFIX: &str = "__Host-";
/// Logins begun and not finished in one browser; browsers keep about 180 cookies a site, and servers read 8 kB of them.
const MOST: usize = 5;

/// The login cookies of one request: each login has one of its own, so that logins in several tabs don't disturb each other.
///
/// ```
/// use workos_auth::{Callback, ConfidentialClient, CookiePassword, LoginCookies, Parking, RedirectUri};
///
/// let client = ConfidentialClient::new("client_123", "sk_example")?;
/// let parking = Parking::new(CookiePassword::new("a-random-password-of-32-characters")?);
/// let redirect = RedirectUri::new("https://example.com/callback")?;
///
/// // The request that begins the login:
/// let session = client.authorize(redirect.clone()).authkit().begin()?;
/// let location = session.url().clone();
/// let set_cookie = LoginCookies::from_header("").begin(&parking, session)?;
///
/// // The callback:
/// # let state = location.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
/// # let cookie_header = set_cookie[0].stripped().to_string();
/// let callback = Callback::from_query(&format!("code=01E2&state={state}"))?;
/// let (session, clear_cookie) =
///     LoginCookies::from_header(&cookie_header).resume(&parking, &client, &redirect, &callback)?;
/// let exchange = session.exchange(callback)?;
/// # Ok::<_, workos_auth::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LoginCookies {
    /// Name and value, oldest first: browsers send them so (RFC 6265 §5.4).
    cookies: Vec<(String, String)>,
}

impl LoginCookies {
    /// Reads the login cookies of a request's `Cookie` header; other cookies are passed over.
    #[must_use]
    pub fn from_header(header: &str) -> Self {
        let cookies = Cookie::split_parse(header)
            .filter_map(Result::ok)
            .filter(|cookie| cookie.name().strip_prefix(HOST_PREFIX).unwrap_or(cookie.name()).starts_with(PREFIX))
            .map(|cookie| (cookie.name().to_owned(), cookie.value().to_owned()))
            .collect();
        Self { cookies }
    }

    /// Parks a login in a cookie, and clears the oldest ones where there would be more than five. Each of these cookies
    /// goes into a `Set-Cookie` header of its own.
    ///
    /// The cookie is `HttpOnly`, `SameSite=Lax`, lives as long as the [`Parking`] says, and is `Secure` with a `__Host-` name
    /// unless the redirect URI is plain http, which is loopback.
    ///
    /// # Errors
    /// As [`Parking::park`].
    pub fn begin<K>(
        &self,
        parking: &Parking,
        session: PkceSession<K>,
    ) -> Result<Vec<Cookie<'static>>, Rejected<PkceSession<K>>>
    where
        K: HasApiKey,
    {
        let secure = session.login.redirect_uri.is_secure();
        let name = name(&session.login.state, secure);
        let value = parking.park(session)?;
        let lifetime = Duration::try_from(parking.lifetime).unwrap_or(Duration::MAX);
        let surplus = (self.cookies.len() + 1).saturating_sub(MOST);
        let stale = self.cookies.iter().take(surplus).map(|(name, _)| cookie(name.clone(), "", Duration::ZERO, secure));
        Ok(std::iter::once(cookie(name, value, lifetime, secure)).chain(stale).collect())
    }

    /// Resumes the login that a callback belongs to, and gives the cookie that clears its own.
    ///
    /// # Errors
    /// [`ErrorKind::Parked`](crate::ErrorKind::Parked), with [`ParkedError::NotFound`] when there is no cookie for this
    /// callback; [`ErrorKind::Callback`](crate::ErrorKind::Callback) when the callback has no state.
    pub fn resume<K>(
        &self,
        parking: &Parking,
        client: &Client<K>,
        redirect_uri: &RedirectUri,
        callback: &Callback,
    ) -> Result<(PkceSession<K>, Cookie<'static>), Error>
    where
        K: HasApiKey + HasClientId,
    {
        let state = callback.state().ok_or_else(|| Error::callback(CallbackError::MissingState))?;
        let name = name(state, redirect_uri.is_secure());
        let found = self.cookies.iter().find(|(other, _)| *other == name);
        let (_, sealed) = found.ok_or_else(|| Error::parked(ParkedError::NotFound))?;
        let session = parking.resume_login(client, redirect_uri, sealed)?;
        Ok((session, cookie(name, "", Duration::ZERO, redirect_uri.is_secure())))
    }
}

/// A name of its own for each login; the state itself stays out of it.
fn name(state: &State, secure: bool) -> String {
    let digest = Sha256::digest(wire::text(state));
    let prefix = if secure { HOST_PREFIX } else { "" };
    digest.iter().take(8).fold(format!("{prefix}{PREFIX}"), |name, byte| format!("{name}{byte:02x}"))
}

fn cookie(name: String, value: impl Into<String>, max_age: Duration, secure: bool) -> Cookie<'static> {
    Cookie::build((name, value.into()))
        .path("/")
        .http_only(true)
        .secure(secure)
        .same_site(SameSite::Lax)
        .max_age(max_age)
        .build()
}
