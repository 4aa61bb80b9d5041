//! The session cookie of servers, and the JSON inside it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::seal::{self, PreparedPassword};
use super::{OpenedSession, Session, SessionParts, SignedOut};
use crate::client::Client;
use crate::cookies::{Cookies, HOST_PREFIX, MAX_COOKIE_BYTES, SetCookie};
use crate::credentials::IsConfidential;
use crate::error::{Error, SealError};
use crate::id::{OrganizationId, RedirectUri, UserId};
use crate::model::{AuthenticationMethod, Impersonator, User};
use crate::secret::{AccessToken, CookiePassword, RefreshToken};
use crate::wire;

const NAME: &str = "wos-session";
/// What browsers keep at most: 400 days.
pub(super) const MAX_AGE: Duration = Duration::from_secs(400 * 86_400);

/// Seals sessions into a cookie value that the WorkOS SDK for Node, authkit-nextjs and iron-session read, and opens theirs.
///
/// The passwords are prepared once: make one of these and keep it. Whoever copies a sealed session has it until it ends at
/// WorkOS; a cookie can't be revoked by itself.
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
    /// The first one seals, all of them open.
    passwords: Vec<PreparedPassword>,
    name: Cow<'static, str>,
    secure: bool,
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
            name: Cow::Borrowed(NAME),
            secure: true,
            max_age: MAX_AGE,
            lifetime: None,
        })
    }

    /// Also opens what an older password sealed; it is kept for opening only. Where other applications read the cookie, each
    /// password has an ID of its own: [`CookiePassword::with_id`].
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn retired_password(mut self, password: CookiePassword) -> Result<Self, Error> {
        self.passwords.push(PreparedPassword::new(&password)?);
        Ok(self)
    }

    /// Another name.
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

    /// Puts `__Host-` before the name: browsers then take the cookie only from this host over https, and send it
    /// only there.
    #[must_use]
    pub fn host_prefix(mut self) -> Self {
        if !self.name.starts_with(HOST_PREFIX) {
            self.name = Cow::Owned(format!("{HOST_PREFIX}{}", self.name));
        }
        self
    }

    /// Where the application is served, as its redirect URI says: the cookie is `Secure` with a
    /// [`__Host-` name](Self::host_prefix) unless that is plain http, which is loopback. Without it, the cookie is always
    /// `Secure`. [`LoginHandlers`](crate::LoginHandlers) say it by themselves.
    ///
    /// Other applications on this host that share the cookie need the name with the prefix, too.
    #[must_use]
    pub fn served_at(mut self, redirect_uri: &RedirectUri) -> Self {
        self.secure = redirect_uri.is_secure();
        if self.secure { self.host_prefix() } else { self }
    }

    /// How long a browser keeps the cookie; 400 days unless given.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// How long what is sealed can be opened, whoever kept it; for good unless given, since its access token expires anyway
    /// and WorkOS ends the session in its own time.
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

    /// The value of this cookie in a request, as it was sent: names are compared byte by byte, and one that comes with two
    /// different values counts as no cookie, since another host of the domain may have set one of them.
    #[must_use]
    pub fn value<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        Cookies::of(headers).value(&self.name)
    }

    /// Seals a session into a text of any length, for a place other than a cookie.
    ///
    /// # Errors
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness).
    pub fn seal<K>(&self, session: &OpenedSession<K>) -> Result<String, Error>
    where
        K: IsConfidential,
    {
        self.sealed(&session.0)
    }

    /// Opens a cookie's value. Nothing of it is verified but the seal: [`OpenedSession::check`] comes next.
    ///
    /// # Errors
    /// [`SignedOut`] as [`Unreadable`](super::SignedOutReason::Unreadable), since nobody can use this cookie: clear it. Its error is
    /// [`ErrorKind::Sealed`](crate::ErrorKind::Sealed), which has its own reason for each way it can fail.
    pub fn open<K>(&self, client: &Client<K>, sealed: &str) -> Result<OpenedSession<K>, SignedOut>
    where
        K: IsConfidential,
    {
        self.opened(client, sealed).map(OpenedSession)
    }

    /// The cookie that holds a session: `HttpOnly`, `SameSite=Lax`, `Path=/`.
    ///
    /// # Errors
    /// [`ErrorKind::Sealed`](crate::ErrorKind::Sealed) with [`SealError::TooLarge`], since a browser would drop it without a
    /// word; [`ErrorKind::Randomness`](crate::ErrorKind::Randomness).
    pub fn set<K>(&self, session: &OpenedSession<K>) -> Result<SetCookie, Error>
    where
        K: IsConfidential,
    {
        self.holding(&session.0)
    }

    /// The cookie that clears the session's. It needs evidence that the session is over: an outage or a token that can't be
    /// verified is none.
    pub fn clear(&self, _evidence: &SignedOut) -> SetCookie {
        SetCookie::clearing(self.name.clone(), self.is_secure())
    }

    pub(super) fn sealed<K>(&self, session: &Session<K>) -> Result<String, Error> {
        let runtime = &session.caller.client.core.runtime;
        let expires = self.lifetime.map(|lifetime| runtime.clock.now().checked_add(lifetime).unwrap_or(Timestamp::MAX));
        let text = text(&session.parts)?;
        let Some(password) = self.passwords.first() else { return Err(Error::seal(SealError::WrongPassword)) };
        seal::seal(password, &text, expires, runtime.random.as_ref())
    }

    pub(super) fn opened<K: IsConfidential>(&self, client: &Client<K>, sealed: &str) -> Result<Session<K>, SignedOut> {
        let now = || client.core.runtime.clock.now();
        match seal::open(&self.passwords, sealed, now, parts) {
            Ok(parts) => Ok(Session::new(client, parts)),
            Err(problem) => Err(SignedOut::unreadable(Error::seal(problem))),
        }
    }

    pub(super) fn holding<K>(&self, session: &Session<K>) -> Result<SetCookie, Error> {
        let cookie = SetCookie::new(self.name.clone(), self.sealed(session)?, self.max_age, self.is_secure());
        match cookie.size() {
            bytes if bytes > MAX_COOKIE_BYTES => Err(Error::seal(SealError::TooLarge { bytes })),
            _ => Ok(cookie),
        }
    }

    /// Browsers refuse the prefix without it.
    fn is_secure(&self) -> bool {
        self.secure || self.name.starts_with(HOST_PREFIX)
    }
}

impl fmt::Debug for SessionCookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SessionCookie").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A session as the JSON that is sealed.
pub(super) fn text(parts: &SessionParts) -> Result<Bytes, Error> {
    wire::body(&Sealed::of(parts))
}

/// A session from the JSON that was sealed.
pub(super) fn parts(text: &[u8]) -> Result<SessionParts, SealError> {
    let text = str::from_utf8(text).map_err(|_| SealError::NotASession)?;
    serde_json::from_str(text).map(|Opened(parts)| parts).map_err(|_| SealError::NotASession)
}

/// What is sealed, in the order in which the SDK for Node writes it. What is absent is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sealed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<&'a str>,
    user: SealedUser<'a>,
    access_token: &'a str,
    refresh_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication_method: Option<&'a AuthenticationMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    impersonator: Option<SealedImpersonator<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SealedUser<'a> {
    object: &'static str,
    id: &'a str,
    email: &'a str,
    email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_picture_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sign_in_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<&'a str>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    metadata: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct SealedImpersonator<'a> {
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> Sealed<'a> {
    fn of(parts: &'a SessionParts) -> Self {
        let user = &parts.user;
        Self {
            organization_id: parts.organization_id.as_ref().map(OrganizationId::as_str),
            user: SealedUser {
                object: "user",
                id: user.id.as_str(),
                email: &user.email,
                email_verified: user.email_verified,
                name: user.name.as_deref(),
                first_name: user.first_name.as_deref(),
                profile_picture_url: user.profile_picture_url.as_deref(),
                last_name: user.last_name.as_deref(),
                last_sign_in_at: user.last_sign_in_at.map(date),
                locale: user.locale.as_deref(),
                created_at: date(user.created_at),
                updated_at: date(user.updated_at),
                external_id: user.external_id.as_deref(),
                metadata: &user.metadata,
            },
            access_token: wire::text(&parts.access_token),
            refresh_token: wire::text(&parts.refresh_token),
            authentication_method: parts.authentication_method.as_ref(),
            impersonator: parts
                .impersonator
                .as_ref()
                .map(|by| SealedImpersonator { email: &by.email, reason: by.reason.as_deref() }),
        }
    }
}

/// In milliseconds, as WorkOS writes it, unless there is more to write.
fn date(time: Timestamp) -> String {
    if time.subsec_nanosecond() % 1_000_000 == 0 { format!("{time:.3}") } else { time.to_string() }
}

/// A present `null` and an absent field mean the same.
#[derive(Deserialize)]
struct Opened(#[serde(with = "OpenedParts")] SessionParts);

#[derive(Deserialize)]
#[serde(remote = "SessionParts", rename_all = "camelCase")]
struct OpenedParts {
    organization_id: Option<OrganizationId>,
    #[serde(with = "OpenedUser")]
    user: User,
    access_token: AccessToken,
    refresh_token: RefreshToken,
    authentication_method: Option<AuthenticationMethod>,
    impersonator: Option<Impersonator>,
}

#[derive(Deserialize)]
#[serde(remote = "User", rename_all = "camelCase")]
struct OpenedUser {
    id: UserId,
    email: String,
    email_verified: bool,
    name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    profile_picture_url: Option<String>,
    locale: Option<String>,
    external_id: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    metadata: BTreeMap<String, String>,
    last_sign_in_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
