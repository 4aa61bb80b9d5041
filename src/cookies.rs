//! Cookies: read by the exact bytes of their names, and written by one type.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::header::{COOKIE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::{secret, wire};

/// Browsers accept a cookie with this prefix from its own host over https only (RFC 6265bis §4.1.3.2), so that no other host of
/// the domain can set one.
pub(crate) const HOST_PREFIX: &str = "__Host-";
/// The maximum bytes of a cookie's name and value; browsers silently drop a larger cookie (RFC 6265bis §5.6).
pub(crate) const MAX_COOKIE_BYTES: usize = 4096;

/// The cookies of a request, borrowed from its headers.
///
/// Browsers check the prefix of a name byte by byte. So names are compared byte by byte here too: a parser that trims or decodes
/// more than a browser does would read another host's cookie as one with a prefix.
#[derive(Clone)]
pub(crate) struct Cookies<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> Cookies<'a> {
    /// The cookies of all `Cookie` headers: HTTP/2 may send one header for each cookie (RFC 9113 §8.2.3).
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        Self(headers.get_all(COOKIE).iter().flat_map(|line| pairs(line.as_bytes())).collect())
    }

    pub(crate) fn in_line(line: &'a [u8]) -> Self {
        Self(pairs(line).collect())
    }

    /// The value of this name, if there is exactly one. Of two different values, one may have been set by another host or path, and
    /// it is unknown which.
    pub(crate) fn value(&self, name: &str) -> Option<&'a str> {
        let mut values = self.0.iter().filter(|(other, _)| *other == name.as_bytes()).map(|(_, value)| *value);
        let value = values.next()?;
        if values.all(|other| other == value) { text(value) } else { None }
    }

    /// Names and values, in their order in the request, without those that have characters which cookies can't have.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(|(name, value)| Some((text(name)?, text(value)?)))
    }
}

fn pairs(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    line.split(|byte| *byte == b';').filter_map(split_pair)
}

/// The name and value of `name=value` (RFC 6265 §5.2): only spaces and tabs are trimmed.
fn split_pair(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = pair.iter().position(|byte| *byte == b'=')?;
    Some((trimmed(&pair[..at]), trimmed(&pair[at + 1..])))
}

fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The octets of a cookie (RFC 6265 §4.1.1).
fn text(bytes: &[u8]) -> Option<&str> {
    let fit = |byte: &u8| byte.is_ascii_graphic() && !b"\",;\\".contains(byte);
    if bytes.iter().all(fit) { str::from_utf8(bytes).ok() } else { None }
}

/// The name that a `Set-Cookie` line sets.
pub(crate) fn name_set_by(line: &HeaderValue) -> Option<&[u8]> {
    let pair = line.as_bytes().split(|byte| *byte == b';').next()?;
    split_pair(pair).map(|(name, _)| name)
}

/// A hash of a cookie value, to compare it with other values without keeping it.
#[derive(Clone)]
pub struct CookieFingerprint([u8; 32]);

impl CookieFingerprint {
    pub(crate) fn of(value: &str) -> Self {
        Self(wire::sha256(value))
    }

    /// Whether it is the fingerprint of this value; compared in constant time.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        Self::of(value).0.ct_eq(&self.0).into()
    }
}

impl fmt::Debug for CookieFingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CookieFingerprint").finish_non_exhaustive()
    }
}

/// A response that took longer than this may arrive after the response of a login. No login is faster, because it goes to WorkOS
/// and back, and exchanges its code.
const LATE_AFTER: Duration = Duration::from_millis(250);

/// When the session of a request was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked(Instant);

impl Asked {
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }

    /// The cookie of a response that is sent now, unless it may clear the cookie of a newer login.
    pub(crate) fn in_time(self, cookie: Option<SetCookie>) -> Option<SetCookie> {
        let late = self.0.elapsed() > LATE_AFTER;
        cookie.filter(|cookie| !(late && cookie.is_clearing()))
    }
}

/// A cookie to set: `HttpOnly`, `SameSite=Lax`, `Path=/`, for this host only, and `Secure` unless the application is served over
/// plain http, which must be loopback.
///
/// Its value opens a session or a login, so `Debug` doesn't show it; [`ExposeSecret`] does.
/// [`expose_header`](Self::expose_header) gives the text of the `Set-Cookie` header, and `HeaderValue::from` the same text, marked as
/// sensitive. The cookie can't be changed.
///
/// ```
/// # fn run(cookie: workos_auth::SetCookie, response: &mut http::Response<()>) {
/// response.headers_mut().append(http::header::SET_COOKIE, cookie.into());
/// # }
/// ```
#[derive(Clone)]
#[must_use = "the browser gets the cookie only in a `Set-Cookie` header"]
pub struct SetCookie {
    name: Cow<'static, str>,
    value: SecretString,
    max_age: Duration,
    secure: bool,
}

impl SetCookie {
    /// The name is a token and the value has only cookie octets, because this crate makes both.
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, value: String, max_age: Duration, secure: bool) -> Self {
        Self { name: name.into(), value: secret::seal(value), max_age, secure }
    }

    /// A cookie that makes the browser drop the one of this name.
    pub(crate) fn clearing(name: impl Into<Cow<'static, str>>, secure: bool) -> Self {
        Self::new(name, String::new(), Duration::ZERO, secure)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long the browser keeps it, in whole seconds.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        Duration::from_secs(self.max_age.as_secs())
    }

    /// Whether it makes the browser drop the cookie of its name.
    #[must_use]
    pub fn is_clearing(&self) -> bool {
        self.max_age().is_zero()
    }

    /// The same cookie as a type of the `cookie` crate, for frameworks with a cookie jar. Its `Debug` shows the value, and its
    /// attributes can be changed.
    #[cfg(feature = "cookie")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cookie")))]
    #[must_use]
    pub fn into_cookie(self) -> cookie::Cookie<'static> {
        let value = wire::text(&self.value).to_owned();
        cookie::Cookie::build((self.name, value))
            .path("/")
            .http_only(true)
            .secure(self.secure)
            .same_site(cookie::SameSite::Lax)
            .max_age(self.max_age.try_into().unwrap_or(cookie::time::Duration::MAX))
            .build()
    }

    /// The text of the `Set-Cookie` header, for frameworks that take one. It has the cookie's value, so keep it out of logs.
    #[must_use]
    pub fn expose_header(&self) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        let (value, max_age) = (wire::text(&self.value), self.max_age.as_secs().to_string());
        // In one allocation: a text that grows leaves copies behind that nobody wipes.
        let attributes = ["; HttpOnly; SameSite=Lax", secure, "; Path=/; Max-Age=", max_age.as_str()];
        [&[&*self.name, "=", value], attributes.as_slice()].concat().concat()
    }

    /// The bytes that count against [`MAX_COOKIE_BYTES`].
    pub(crate) fn size(&self) -> usize {
        self.name.len() + wire::text(&self.value).len()
    }
}

impl ExposeSecret<str> for SetCookie {
    fn expose_secret(&self) -> &str {
        wire::text(&self.value)
    }
}

impl fmt::Debug for SetCookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SetCookie")
            .field("name", &self.name)
            .field("max_age", &self.max_age)
            .field("secure", &self.secure)
            .finish_non_exhaustive()
    }
}

impl From<&SetCookie> for HeaderValue {
    fn from(cookie: &SetCookie) -> Self {
        let text = Zeroizing::new(cookie.expose_header());
        // Never empty: the parts of a cookie are ASCII without control characters.
        let mut value = Self::from_str(&text).unwrap_or_else(|_| Self::from_static(""));
        value.set_sensitive(true);
        value
    }
}

impl From<SetCookie> for HeaderValue {
    fn from(cookie: SetCookie) -> Self {
        Self::from(&cookie)
    }
}
