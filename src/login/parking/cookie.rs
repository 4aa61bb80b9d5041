//! The login cookie of servers: a parked login in the user's browser.

use std::{fmt, iter};

use http::HeaderMap;

use super::{Parkable, Parking, seal};
use crate::client::Client;
use crate::cookies::{Cookies, HOST_PREFIX, MAX_COOKIE_BYTES, SetCookie};
use crate::credentials::HasClientId;
use crate::error::{CallbackError, Error, ParkedError};
use crate::id::RedirectUri;
use crate::login::{Callback, PkceSession};
use crate::rejected::Rejected;
use crate::secret::State;
use crate::wire;

const NAME_PREFIX: &str = "workos-login-";
/// The number of digits of the state's hash in the name of a login's cookie.
const HASH_DIGITS: usize = 16;
/// The maximum number of unfinished logins in one browser.
const MAX_LOGINS: usize = 5;
/// The maximum bytes that all of them add to the header of each request. Servers refuse headers over 8 to 16 kB, and then the user
/// can't reach the host at all.
const MAX_HEADER_BYTES: usize = 6_000;

/// The login cookies of a request. Each login has its own cookie, so that logins in several tabs don't interfere with each other.
///
/// ```
/// use workos_auth::parking::{LoginCookies, Parking};
/// use workos_auth::{Callback, ConfidentialClient, CookiePassword, RedirectUri};
///
/// let client = ConfidentialClient::new("client_123", "sk_example")?;
/// let parking = Parking::new(CookiePassword::new("a-random-password-of-32-characters")?);
/// let redirect = RedirectUri::new("https://example.com/callback")?;
///
/// # use workos_auth::ExposeSecret;
/// // The request that begins the login:
/// let session = client.authorize(redirect.clone()).authkit().begin()?;
/// let location = session.url().clone();
/// let set_cookie = LoginCookies::from_header("").begin(&parking, session)?;
///
/// // The callback:
/// # let location = url::Url::parse(location.as_str()).unwrap();
/// # let state = location.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
/// # let cookie_header = format!("{}={}", set_cookie[0].name(), set_cookie[0].expose_secret());
/// let callback = Callback::from_query(&format!("code=01E2&state={state}"))?;
/// let (session, clear_cookie) =
///     LoginCookies::from_header(&cookie_header).resume(&parking, &client, &redirect, &callback)?;
/// let exchange = session.exchange(callback)?;
/// # Ok::<_, workos_auth::Error>(())
/// ```
#[derive(Clone)]
pub struct LoginCookies<'a>(Cookies<'a>);

impl<'a> LoginCookies<'a> {
    /// Reads the login cookies of a request's `Cookie` header, and ignores all other cookies.
    #[must_use]
    pub fn from_header(header: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self(Cookies::in_line(header.as_ref()))
    }

    /// Reads the login cookies of all `Cookie` headers: HTTP/2 may send one header for each cookie.
    #[must_use]
    pub fn from_headers(headers: &'a HeaderMap) -> Self {
        Self(Cookies::of(headers))
    }

    /// Parks a login in a cookie, and clears the oldest login cookies if there would be more than five, or more than 6,000 bytes of
    /// them. Each returned cookie goes into its own `Set-Cookie` header.
    ///
    /// The cookie lasts as long as the lifetime of the [`Parking`]. It is `Secure` with a `__Host-` name unless the redirect URI is
    /// plain http, which must be loopback. Cookies of the other kind are ignored: another host may have set them.
    ///
    /// # Errors
    /// [`ErrorKind::Parked`](crate::ErrorKind::Parked) with [`ParkedError::TooLarge`] when browsers would drop the cookie,
    /// because the return path or the redirect URI is too long. Otherwise as [`Parking::park`]. The login is returned.
    pub fn begin<K>(
        &self,
        parking: &Parking,
        session: PkceSession<K>,
    ) -> Result<Vec<SetCookie>, Rejected<PkceSession<K>>>
    where
        PkceSession<K>: Parkable<Credentials = K>,
    {
        let secure = session.login.redirect_uri.is_secure();
        let name = name(&session.login.state, secure);
        let sealed = match seal(&session, wire::text(&parking.password), parking.lifetime) {
            Ok(sealed) => sealed,
            Err(error) => return Err(Rejected::returning(error, session)),
        };
        let mut total = size(&name, &sealed);
        let begun = SetCookie::new(name, sealed, parking.lifetime, secure);
        if begun.size() > MAX_COOKIE_BYTES {
            let error = Error::parked(ParkedError::TooLarge { bytes: begun.size() });
            return Err(Rejected::returning(error, session));
        }
        // The newest cookies are kept: browsers send the oldest of a path first (RFC 6265 §5.4).
        let fitting = self.logins(secure).rev().take(MAX_LOGINS - 1).take_while(|(name, sealed)| {
            total += size(name, sealed);
            total <= MAX_HEADER_BYTES
        });
        let stale = self.logins(secure).count() - fitting.count();
        let cleared = self.logins(secure).take(stale).map(|(name, _)| SetCookie::clearing(name.to_owned(), secure));
        Ok(iter::once(begun).chain(cleared).collect())
    }

    /// Resumes the login that a callback belongs to, and returns the cookie that clears its login cookie.
    ///
    /// # Errors
    /// [`ErrorKind::Parked`](crate::ErrorKind::Parked), with [`ParkedError::NoCookie`] when there is no cookie for this
    /// callback, or two different ones; [`ErrorKind::Callback`](crate::ErrorKind::Callback) when the callback has no state.
    pub fn resume<K>(
        &self,
        parking: &Parking,
        client: &Client<K>,
        redirect_uri: &RedirectUri,
        callback: &Callback,
    ) -> Result<(PkceSession<K>, SetCookie), Error>
    where
        K: HasClientId,
        PkceSession<K>: Parkable<Credentials = K>,
    {
        let state = callback.state().ok_or_else(|| Error::callback(CallbackError::MissingState))?;
        let name = name(state, redirect_uri.is_secure());
        let sealed = self.0.value(&name).ok_or_else(|| Error::parked(ParkedError::NoCookie))?;
        let session = parking.resume_login(client, redirect_uri, sealed)?;
        Ok((session, SetCookie::clearing(name, redirect_uri.is_secure())))
    }

    /// Whether this browser has an unfinished login.
    pub(crate) fn has_any(&self, secure: bool) -> bool {
        self.logins(secure).next().is_some()
    }

    /// The names and values of the login cookies, oldest first.
    fn logins(&self, secure: bool) -> impl DoubleEndedIterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter(move |(name, _)| is_login(name, secure))
    }
}

impl fmt::Debug for LoginCookies<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LoginCookies").finish_non_exhaustive()
    }
}

fn prefix(secure: bool) -> &'static str {
    if secure { HOST_PREFIX } else { "" }
}

/// The name of a login's cookie: it contains a hash of the state, not the state itself.
fn name(state: &State, secure: bool) -> String {
    let digest = wire::sha256_hex(wire::text(state));
    format!("{}{NAME_PREFIX}{}", prefix(secure), &digest[..HASH_DIGITS])
}

fn is_login(name: &str, secure: bool) -> bool {
    name.strip_prefix(prefix(secure)).is_some_and(|name| name.starts_with(NAME_PREFIX))
}

/// The bytes of a cookie in a `Cookie` header: `name=value; `.
fn size(name: &str, value: &str) -> usize {
    name.len() + value.len() + 3
}
