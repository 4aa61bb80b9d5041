//! The session cookie of servers.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;

use super::seal::{self, PreparedPassword};
use super::{OpenedSession, Refreshed, Session, SignedOut, cookie_format};
use crate::client::Client;
use crate::cookies::{Cookies, HOST_PREFIX, MAX_COOKIE_BYTES, SetCookie};
use crate::credentials::IsConfidential;
use crate::error::{Error, SealError};
use crate::id::RedirectUri;
use crate::rejected::Rejected;
use crate::secret::CookiePassword;

const SESSION_COOKIE: &str = "wos-session";
/// The longest time for which browsers keep a cookie: 400 days.
pub(super) const LONGEST_COOKIE_AGE: Duration = Duration::from_secs(400 * 86_400);

/// Seals sessions into a cookie value that the WorkOS SDK for Node, authkit-nextjs and iron-session read, and opens theirs.
///
/// Passwords are prepared once: make one `SessionCookie` and keep it. A copied cookie is good until its session ends at WorkOS; a cookie
/// can't be revoked.
///
/// ```
/// use workos_auth::{ConfidentialClient, CookiePassword, ExposeSecret, OpenedSession, SessionCookie};
///
/// # fn run(session: OpenedSession<workos_auth::Confidential>) -> Result<(), workos_auth::Error> {
/// let client = ConfidentialClient::new("client_123", "sk_example")?;
/// let cookie = SessionCookie::new(CookiePassword::new("a-random-password-of-32-characters")?)?;
///
/// let set_cookie = cookie.set(&session)?;
/// let session = cookie.open(&client, set_cookie.expose_secret())?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SessionCookie {
    /// The first one seals; all of them open.
    passwords: Vec<PreparedPassword>,
    name: Cow<'static, str>,
    secure: bool,
    /// Whether [`served_at`](Self::served_at) leaves the name as it is.
    keeps_name: bool,
    max_age: Duration,
    lifetime: Option<Duration>,
}

impl SessionCookie {
    /// Seals with this password, in a cookie with the name `wos-session` that browsers keep for 400 days, as the WorkOS SDKs
    /// for Node do.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `cookie_password`.
    pub fn new(password: CookiePassword) -> Result<Self, Error> {
        Ok(Self {
            passwords: vec![PreparedPassword::new(&password)?],
            name: Cow::Borrowed(SESSION_COOKIE),
            secure: true,
            keeps_name: false,
            max_age: LONGEST_COOKIE_AGE,
            lifetime: None,
        })
    }

    /// Also opens cookies that an older password sealed. This password is kept for opening only. If other applications read the
    /// cookie, give each password its own ID: [`CookiePassword::with_id`].
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn retired_password(mut self, password: CookiePassword) -> Result<Self, Error> {
        self.passwords.push(PreparedPassword::new(&password)?);
        Ok(self)
    }

    /// Gives the cookie another name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `cookie_name` when it isn't a token (RFC 6265 §4.1.1).
    pub fn name(mut self, name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        let token = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(Error::invalid_value("cookie_name", "must be a token"));
        }
        let prefix =
            if self.name.starts_with(HOST_PREFIX) && !name.starts_with(HOST_PREFIX) { HOST_PREFIX } else { "" };
        self.name = Cow::Owned(format!("{prefix}{name}"));
        Ok(self)
    }

    /// Puts `__Host-` before the name: browsers then accept the cookie only from this host over https, and send it only there.
    #[must_use]
    pub fn host_prefix(mut self) -> Self {
        if !self.name.starts_with(HOST_PREFIX) {
            self.name = Cow::Owned(format!("{HOST_PREFIX}{}", self.name));
        }
        self
    }

    /// Leaves the name without `__Host-`, also behind [`LoginHandlers`](crate::LoginHandlers). This is for the time of a move: an
    /// application with the WorkOS SDK for Node or authkit-nextjs on the same host reads and writes the same cookie.
    ///
    /// Without the prefix, another host of the domain can set such a cookie, so that a user of this application works in the
    /// session of somebody else without a notice. Where the other SDK can be given a cookie name, prefer `__Host-wos-session` there.
    #[must_use]
    pub fn without_host_prefix(mut self) -> Self {
        if let Some(name) = self.name.strip_prefix(HOST_PREFIX) {
            self.name = Cow::Owned(name.to_owned());
        }
        self.keeps_name = true;
        self
    }

    /// Fits the cookie to where the application is served, as its redirect URI says: with https, the cookie is `Secure` and has a
    /// [`__Host-` name](Self::host_prefix); with plain http, which is loopback, neither. Without this call, the cookie is always
    /// `Secure`. [`LoginHandlers`](crate::LoginHandlers) make this call themselves.
    ///
    /// Other applications on this host that share the cookie need the name with the prefix, too. If they can't have it, call
    /// [`without_host_prefix`](Self::without_host_prefix) before.
    #[must_use]
    pub fn served_at(mut self, redirect_uri: &RedirectUri) -> Self {
        self.secure = redirect_uri.is_secure();
        if self.secure && !self.keeps_name { self.host_prefix() } else { self }
    }

    /// How long a browser keeps the cookie; 400 days by default.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// How long a sealed session can be opened; without limit by default, since its access token expires anyway and WorkOS ends the
    /// session after its own limits.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// The cookie's name.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        &self.name
    }

    /// The value of this cookie in a request, as it was sent. Names are compared byte by byte. A cookie that comes with two different
    /// values counts as missing, since another host of the domain may have set one of them.
    #[must_use]
    pub fn value<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        Cookies::of(headers).value(&self.name)
    }

    /// Seals a session into a text of any length, to keep it in another place than a cookie. Whoever reads that place must not be able to
    /// make a cookie of it, so use a password that seals no cookie.
    ///
    /// # Errors
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness).
    pub fn seal<K>(&self, session: &OpenedSession<K>) -> Result<String, Error>
    where
        K: IsConfidential,
    {
        self.sealed(&session.0)
    }

    /// Opens a cookie's value. Only the seal is verified: call [`OpenedSession::check`] next.
    ///
    /// # Errors
    /// [`SignedOut`] with the reason [`Unreadable`](super::SignedOutReason::Unreadable): nobody can use this cookie, so clear it. Its
    /// error is [`ErrorKind::Sealed`](crate::ErrorKind::Sealed), which says what is wrong.
    pub fn open<K>(&self, client: &Client<K>, sealed: &str) -> Result<OpenedSession<K>, SignedOut>
    where
        K: IsConfidential,
    {
        self.opened(client, sealed).map(OpenedSession)
    }

    /// The cookie that holds a session: `HttpOnly`, `SameSite=Lax`, `Path=/`.
    ///
    /// # Errors
    /// [`ErrorKind::Sealed`](crate::ErrorKind::Sealed) with [`SealError::TooLarge`], since a browser would silently drop the cookie;
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness).
    pub fn set<K>(&self, session: &OpenedSession<K>) -> Result<SetCookie, Error>
    where
        K: IsConfidential,
    {
        self.holding(&session.0)
    }

    /// The cookie that clears the session's cookie. It needs evidence that the session is over; an outage or an invalid token is no
    /// evidence.
    pub fn clear(&self, _evidence: &SignedOut) -> SetCookie {
        SetCookie::clearing(self.name.clone(), self.is_secure())
    }

    pub(super) fn sealed<K>(&self, session: &Session<K>) -> Result<String, Error> {
        let runtime = &session.caller.client.core.runtime;
        let expires = self.lifetime.map(|lifetime| runtime.clock.now().checked_add(lifetime).unwrap_or(Timestamp::MAX));
        let text = cookie_format::write(&session.parts)?;
        let Some(password) = self.passwords.first() else { return Err(Error::seal(SealError::WrongPassword)) };
        seal::seal(password, &text, expires, runtime.random.as_ref())
    }

    pub(super) fn opened<K: IsConfidential>(&self, client: &Client<K>, sealed: &str) -> Result<Session<K>, SignedOut> {
        if sealed.is_empty() {
            return Err(SignedOut::not_found());
        }
        let now = || client.core.runtime.clock.now();
        match seal::open(&self.passwords, sealed, now, cookie_format::read) {
            Ok(parts) => Ok(Session::new(client, parts)),
            Err(error) => Err(SignedOut::unreadable(Error::seal(error))),
        }
    }

    pub(super) fn holding<K>(&self, session: &Session<K>) -> Result<SetCookie, Error> {
        let cookie = SetCookie::new(self.name.clone(), self.sealed(session)?, self.max_age, self.is_secure());
        match cookie.size() {
            bytes if bytes > MAX_COOKIE_BYTES => Err(Error::seal(SealError::TooLarge { bytes })),
            _ => Ok(cookie),
        }
    }

    /// Browsers refuse a `__Host-` cookie that isn't `Secure`.
    fn is_secure(&self) -> bool {
        self.secure || self.name.starts_with(HOST_PREFIX)
    }
}

impl<K> Refreshed<K> {
    /// Seals the session into its cookie, which goes into the response.
    ///
    /// # Errors
    /// As [`SessionCookie::set`]; the value comes back.
    pub fn into_cookie(self, cookie: &SessionCookie) -> Result<(SetCookie, OpenedSession<K>), Rejected<Self>>
    where
        K: IsConfidential,
    {
        let session = OpenedSession(self.0);
        match cookie.set(&session) {
            Ok(set_cookie) => Ok((set_cookie, session)),
            Err(error) => Err(Rejected::returning(error, Self(session.0))),
        }
    }
}

impl fmt::Debug for SessionCookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SessionCookie").field("name", &self.name).finish_non_exhaustive()
    }
}
