//! Identifiers and addresses. Each is a type of its own, which is parsed once.
//!
//! | types | what they are |
//! | --- | --- |
//! | [`UserId`], [`OrganizationId`], [`ClientId`] and other `…Id`s | identifiers of WorkOS: letters, digits, `_` and `-`, fit for a path |
//! | [`EmailAddress`], [`PhoneNumber`] | addresses of a user |
//! | [`RedirectUri`] | where the browser comes back to after a login |
//! | [`ReturnPath`] | where the application goes on after a login |
//!
//! ```
//! use workos_auth::{OrganizationId, ReturnPath};
//!
//! assert!(OrganizationId::new("org_123").is_ok());
//! assert!(OrganizationId::new("../users").is_err());
//! assert!(ReturnPath::new("//elsewhere.example.com").is_err());
//! ```

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::Uri;
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer};
use url::{Host, Url};

use crate::error::Error;
use crate::wiped::WipedBytes;

/// Texts that are parsed once. The check gives the reason to refuse a text.
macro_rules! parsed {
    ($($(#[$attribute:meta])* $name:ident = $field:literal, $check:expr;)*) => {$(
        $(#[$attribute])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $name(String);

        impl $name {
            /// Parses it.
            ///
            /// # Errors
            #[doc = concat!("[`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `", $field, "`.")]
            pub fn new(value: impl Into<String>) -> Result<Self, Error> {
                let value = value.into();
                let check: fn(&str) -> Result<(), &'static str> = $check;
                check(&value).map_err(|reason| Error::invalid_value($field, reason))?;
                Ok(Self(value))
            }

            /// The text as it goes over the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(value: &str) -> Result<Self, Error> {
                Self::new(value)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        /// Without a query, which may hold something secret.
        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = self.0.split_inclusive(['?', '#']).next().unwrap_or_default();
                write!(formatter, "{}({text}{})", stringify!($name), if text == self.0 { "" } else { "…" })
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    )*};
}

/// Texts that are safe in any path.
macro_rules! identifiers {
    ($($(#[$attribute:meta])* $name:ident = $field:literal;)*) => {
        parsed! { $($(#[$attribute])* $name = $field, identifier;)* }

        $(impl Segment for &$name {
            fn segment(&self) -> Result<PercentEncode<'_>, Error> {
                Ok(utf8_percent_encode(self.as_str(), ALL_BUT_UNRESERVED))
            }
        })*
    };
}

/// A value that goes into a path, piece by piece: it may be a secret, which must leave no copy in memory.
pub(crate) trait Segment {
    fn segment(&self) -> Result<PercentEncode<'_>, Error>;
}

/// A text that this crate doesn't restrict; it is percent-encoded.
pub(crate) struct FreeForm<'a> {
    pub(crate) field: &'static str,
    pub(crate) text: &'a str,
}

/// All characters but the unreserved ones (RFC 3986 §2.3).
const ALL_BUT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Segment for FreeForm<'_> {
    fn segment(&self) -> Result<PercentEncode<'_>, Error> {
        // A URL library resolves such dots, encoded or not (RFC 3986 §5.2.4).
        if matches!(self.text, "" | "." | "..") {
            return Err(Error::invalid_value(self.field, "must not be empty, `.` or `..`"));
        }
        Ok(utf8_percent_encode(self.text, ALL_BUT_UNRESERVED))
    }
}

/// Only letters, digits, `_` and `-`, which are safe in any path.
fn identifier(value: &str) -> Result<(), &'static str> {
    if value.is_empty() {
        Err("must not be empty")
    } else if value.starts_with("sk_") {
        // An API key given as an identifier would end up in a URL.
        Err("is an API key, not an identifier")
    } else if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
        Err("must have only letters, digits, `_` and `-`")
    } else {
        Ok(())
    }
}

fn check(holds: bool, reason: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(reason) }
}

identifiers! {
    /// The client ID of an application (`client_…`, RFC 6749 §2.2). It is public.
    ///
    /// ```
    /// use workos_auth::ClientId;
    ///
    /// assert!(ClientId::new("client_123").is_ok());
    /// assert!(ClientId::new("sk_an_api_key").is_err());
    /// ```
    ClientId = "client_id";

    /// The ID of an SSO connection (`conn_…`).
    ConnectionId = "connection_id";

    /// The ID of an organization (`org_…`).
    ///
    /// ```
    /// use workos_auth::OrganizationId;
    ///
    /// let id = OrganizationId::new("org_123")?;
    /// assert_eq!(id.as_str(), "org_123");
    /// # Ok::<_, workos_auth::Error>(())
    /// ```
    OrganizationId = "organization_id";

    /// The ID of a user's membership in an organization (`om_…`).
    OrganizationMembershipId = "organization_membership_id";

    /// The ID of a group of an organization's members (`group_…`).
    GroupId = "group_id";

    /// The ID of a webhook's event (`event_…`).
    EventId = "event_id";

    /// The ID of a session (`session_…`, the `sid` of its access tokens).
    SessionId = "session_id";

    /// The ID of a user (`user_…`).
    ///
    /// ```
    /// use workos_auth::UserId;
    ///
    /// let id = UserId::new("user_123")?;
    /// assert_eq!(id.to_string(), "user_123");
    /// # Ok::<_, workos_auth::Error>(())
    /// ```
    UserId = "user_id";

    /// The ID of an SSO profile (`prof_…`).
    ProfileId = "profile_id";

    /// The ID of an invitation (`invitation_…`).
    InvitationId = "invitation_id";

    /// The ID of a Magic Auth code (`magic_auth_…`).
    MagicAuthId = "magic_auth_id";

    /// The ID of a password reset (`password_reset_…`).
    PasswordResetId = "password_reset_id";

    /// The ID of a user's authentication factor (`auth_factor_…`).
    AuthenticationFactorId = "authentication_factor_id";

    /// The ID of a challenge of an authentication factor (`auth_challenge_…`).
    AuthenticationChallengeId = "authentication_challenge_id";

    /// The ID of the verification of an e-mail address (`email_verification_…`).
    EmailVerificationId = "email_verification_id";

    /// The ID of a Radar challenge (`radar_challenge_…`).
    RadarChallengeId = "radar_challenge_id";

    /// The ID of the SMS of a Radar challenge.
    VerificationId = "verification_id";
}

parsed! {
    /// An e-mail address. It must have text before and after an `@`, and no spaces or control characters; the API checks the rest.
    ///
    /// ```
    /// use workos_auth::EmailAddress;
    ///
    /// assert!(EmailAddress::new("ada@example.com").is_ok());
    /// assert!(EmailAddress::new("ada").is_err());
    /// ```
    EmailAddress = "email", |text| {
        let parts = text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        let plain = !text.chars().any(|character| character.is_control() || character.is_whitespace());
        check(parts && plain, "must be an e-mail address")
    };

    /// A telephone number in international form: `+` and digits (E.164).
    PhoneNumber = "phone_number", |text| {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let number = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        check(number, "must be `+` and 7 to 15 digits")
    };

    /// Where the user goes after the login: a path of the application's own origin, so that a login can't be used as an open
    /// redirector (RFC 9700 §4.11).
    ///
    /// No segment is `.` or `..`, the first isn't empty, and there are no control characters, encoded or not and with a backslash read
    /// as a slash: a program that decodes and resolves these could read the rest as another host. It is ASCII without spaces,
    /// because it goes into a `Location` header; percent-encode other characters (RFC 3986 §2.1).
    ///
    /// ```
    /// use workos_auth::ReturnPath;
    ///
    /// assert!(ReturnPath::new("/inbox?page=2").is_ok());
    /// assert!(ReturnPath::new("https://elsewhere.example.com/").is_err());
    /// assert!(ReturnPath::new("//elsewhere.example.com/").is_err());
    /// ```
    ReturnPath = "return_path", |text| {
        let (path, _) = text.split_once(['?', '#']).unwrap_or((text, ""));
        let decoded: Vec<u8> = percent_decode_str(path).map(|byte| if byte == b'\\' { b'/' } else { byte }).collect();
        let dots = decoded.split(|byte| *byte == b'/').any(|segment| matches!(segment, b"." | b".."));
        let local = path.starts_with('/') && !decoded.starts_with(b"//") && !dots;
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && !decoded.iter().any(u8::is_ascii_control);
        check(
            local && plain,
            "must be a path that starts with one `/`, of visible ASCII, without backslashes, `.`, `..` and encoded controls",
        )
    };
}

/// Whether plain http to this URL stays on this machine (RFC 8252 §7.3).
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

fn has_userinfo(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// The URL of the API: https, or http on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    /// Without a trailing slash, so that a path can be appended.
    text: String,
    url: Url,
    uri: Uri,
    loopback: bool,
}

impl BaseUrl {
    pub(crate) fn parse(value: &str) -> Result<Self, Error> {
        let refuse = |reason| Error::invalid_value("base_url", reason);
        let url = Url::parse(value.trim()).map_err(|_| refuse("must be an absolute URL"))?;
        let loopback = is_loopback(&url);
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(refuse("must be https unless its host is loopback")),
            _ => return Err(refuse("must be https")),
        }
        if has_userinfo(&url) {
            return Err(refuse("must not carry a user name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("must not have a query or fragment"));
        }
        let uri = Uri::try_from(url.as_str()).map_err(|_| refuse("must be an absolute URL"))?;
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), url, uri, loopback })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL of a path, for a request. It has no copy of a path that may hold a secret, unless the base URL has a path itself.
    pub(crate) fn uri(&self, path: PathAndQuery) -> Result<Uri, http::Error> {
        let mut parts = self.uri.clone().into_parts();
        let base = self.uri.path().trim_end_matches('/');
        parts.path_and_query = Some(if base.is_empty() {
            path
        } else {
            let mut joined = WipedBytes::with_capacity(base.len() + path.as_str().len());
            joined.extend(base.as_bytes());
            joined.extend(path.as_str().as_bytes());
            PathAndQuery::from_maybe_shared(joined.into_bytes())?
        });
        Ok(Uri::from_parts(parts)?)
    }

    /// The URL of a path, for a browser. A [`Url`] isn't wiped, so nothing that is added to it may be a secret.
    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        url
    }

    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }
}

/// The URI to which the browser is sent back (RFC 6749 §3.1.2). It is checked here, and sent exactly as given.
///
/// Allowed are `https`, `http` on `127.0.0.1`, `[::1]` or `localhost` with any port, and the private schemes of
/// applications (`com.example.app:/callback`, RFC 8252 §7.1).
///
/// ```
/// use workos_auth::RedirectUri;
///
/// assert!(RedirectUri::new("https://example.com/callback").is_ok());
/// assert!(RedirectUri::new("http://127.0.0.1:8080").is_ok());
/// assert!(RedirectUri::new("http://example.com/callback").is_err());
/// assert!(RedirectUri::new("javascript:alert(1)").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RedirectUri(String);

/// Schemes that run or show their content, that start a program of the system, or that never lead to an application.
#[rustfmt::skip]
const REFUSED_SCHEMES: &[&str] = &[
    "about", "afp", "android-app", "applescript", "blob", "callto", "chrome", "cid", "cifs", "content", "data", "dns", "edge",
    "facetime", "facetime-audio", "feed", "file", "filesystem", "ftp", "ftps", "gopher", "hcp", "help", "intent", "its", "jar",
    "javascript", "ldap", "ldaps", "livescript", "mailto", "market", "mhtml", "mid", "mk", "mocha", "nfs", "rdp", "res",
    "resource", "rlogin", "search", "search-ms", "sftp", "shell", "shortcuts", "sip", "sips", "sms", "smb", "ssh", "steam",
    "tel", "telnet", "tn3270", "urn", "vbs", "vbscript", "view-source", "vnc", "ws", "wss", "wyciwyg",
    "x-man-page",
];

/// Prefixes of the schemes of operating systems and browsers, of which there are too many to list.
const REFUSED_SCHEME_PREFIXES: &[&str] = &["chrome-", "itms", "microsoft-", "moz-", "ms-", "safari-", "x-apple"];

impl RedirectUri {
    /// Parses a redirect URI.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `redirect_uri`.
    pub fn new(value: impl Into<String>) -> Result<Self, Error> {
        let value = value.into();
        let refuse = |reason| Error::invalid_value("redirect_uri", reason);
        // A URL parser drops tabs, newlines and outer spaces, but the URI is sent as given.
        if !value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(refuse("must be visible ASCII without spaces and backslashes"));
        }
        let url = Url::parse(&value).map_err(|_| refuse("must be an absolute URI"))?;
        if url.fragment().is_some() {
            return Err(refuse("must not have a fragment"));
        }
        // Read from the text itself: a parser drops an empty user name and additional slashes.
        let authority = value[url.scheme().len()..].strip_prefix("://");
        let authority = authority.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(refuse("must not carry a user name or password"));
        }
        if matches!(url.scheme(), "http" | "https") && authority.is_none_or(str::is_empty) {
            return Err(refuse("must have `://` and a host after its scheme"));
        }
        match url.scheme() {
            "https" => {}
            "http" => {
                let loopback = match url.host() {
                    Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
                    Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
                    Some(Host::Domain(name)) => name == "localhost",
                    None => false,
                };
                if !loopback {
                    return Err(refuse("must be https unless its host is 127.0.0.1, [::1] or localhost"));
                }
            }
            scheme
                if REFUSED_SCHEMES.contains(&scheme)
                    || REFUSED_SCHEME_PREFIXES.iter().any(|prefix| scheme.starts_with(prefix)) =>
            {
                return Err(refuse("has a scheme that can't lead back to an application"));
            }
            _ => {}
        }
        Ok(Self(value))
    }

    /// The URI exactly as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether cookies of this origin can be `Secure`: those of every origin but plain http, which is loopback.
    pub(crate) fn is_secure(&self) -> bool {
        !self.0.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"))
    }
}

impl FromStr for RedirectUri {
    type Err = Error;

    fn from_str(value: &str) -> Result<Self, Error> {
        Self::new(value)
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
