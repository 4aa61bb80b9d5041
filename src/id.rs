//! Identifiers and addresses. Each is a type of its own, which is parsed once.
//!
//! | types | what they are |
//! | --- | --- |
//! | [`UserId`], [`OrganizationId`], [`ClientId`] and other `…Id`s | identifiers of WorkOS: letters, digits, `_` and `-`, fit for a path |
//! | [`EmailAddress`], [`PhoneNumber`] | addresses of a user |
//! | [`RedirectUri`] | where the browser comes back to after a login |
//! | [`ReturnPath`] | where the application goes on after a login |
//! | [`LogoutUrl`], [`VerificationUri`] | where the user's browser goes to sign out, and to enter the code of a device |
//! | [`JwksUrl`] | where the keys of access tokens are |
//! | [`Issuer`], [`ResourceUri`] | who issues the tokens of OAuth and M2M applications, and what they are for |
//!
//! ```
//! use workos_auth::{OrganizationId, ReturnPath};
//!
//! assert!(OrganizationId::new("org_123").is_ok());
//! assert!(OrganizationId::new("../users").is_err());
//! assert!(ReturnPath::new("//elsewhere.example.com").is_err());
//! ```

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::Uri;
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer};

use crate::address::{Address, Origin, check_characters};
use crate::error::Error;
use crate::wiped::WipedBytes;

/// What all texts have in common.
macro_rules! text {
    ($name:ident, $what:literal) => {
        impl $name {
            #[doc = $what]
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
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
    };
}

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
        }

        text! { $name, "The text as it goes over the wire." }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(value: &str) -> Result<Self, Error> {
                Self::new(value)
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

    /// The ID of a customer's API key (`api_key_…`). It isn't the key, which is a secret.
    ApiKeyId = "api_key_id";

    /// The ID of the registration of an agent that an API key was issued for.
    AgentRegistrationId = "agent_registration_id";

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

    /// The ID of an Action: of one question of WorkOS.
    ActionId = "action_id";

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

    /// What an access token is for: the resource indicator of a server (RFC 8707 §2), such as `https://mcp.example.com/mcp`. It is
    /// https, or http on this machine, and has no fragment.
    ///
    /// It is kept exactly as given, and compared with the `aud` of tokens character by character: write it as in the dashboard.
    ///
    /// ```
    /// use workos_auth::id::ResourceUri;
    ///
    /// assert!(ResourceUri::new("https://mcp.example.com/mcp").is_ok());
    /// assert!(ResourceUri::new("https://mcp.example.com/mcp#tools").is_err());
    /// ```
    ResourceUri = "resource", |text| trusted(&Address::parse(text)?).map(drop);

    /// Where the user enters the code of a device login (RFC 8628 §3.3). It is https, or http on this machine.
    VerificationUri = "verification_uri", |text| {
        let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
        let address = Address::parse(before)?;
        check_characters(fragment)?;
        trusted(&address).map(drop)
    };
}

/// URLs that this crate makes.
macro_rules! made {
    ($($(#[$attribute:meta])* $name:ident;)*) => {$(
        $(#[$attribute])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            pub(crate) fn new(url: String) -> Self {
                Self(url)
            }
        }

        text! { $name, "The URL." }
    )*};
}

made! {
    /// Where a browser ends its session at WorkOS. The URL names the session; it holds no secret.
    LogoutUrl;

    /// Where the keys of access tokens are (RFC 7517 §5).
    JwksUrl;
}

/// The URL of the API or of an issuer: https, or http on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    /// Without a trailing slash, so that a path can be appended.
    text: String,
    uri: Uri,
    loopback: bool,
}

impl BaseUrl {
    pub(crate) fn parse(value: &str) -> Result<Self, Error> {
        Self::named("base_url", value)
    }

    fn named(field: &'static str, value: &str) -> Result<Self, Error> {
        let refuse = |reason| Error::invalid_value(field, reason);
        let address = Address::parse(value.trim()).map_err(refuse)?;
        let origin = trusted(&address).map_err(refuse)?;
        let loopback = origin.is_loopback();
        if address.query.is_some() {
            return Err(refuse("must not have a query"));
        }
        let text = format!("{origin}{}", address.path().trim_end_matches('/'));
        let uri = Uri::try_from(&text).map_err(|_| refuse("must be an absolute URL"))?;
        Ok(Self { text, uri, loopback })
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
            PathAndQuery::from_maybe_shared(WipedBytes::joined([base, path.as_str()]).into_bytes())?
        });
        Ok(Uri::from_parts(parts)?)
    }

    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn has_tls(&self) -> bool {
        self.uri.scheme() == Some(&http::uri::Scheme::HTTPS)
    }
}

/// Where an address leads, if nobody on the way can change what comes back.
fn trusted<'a>(address: &'a Address<'_>) -> Result<&'a Origin, &'static str> {
    let origin = address.origin.as_ref().ok_or("must be https")?;
    if origin.is_https() || origin.is_loopback() {
        Ok(origin)
    } else {
        Err("must be https unless its host is loopback")
    }
}

/// Who issues the access tokens of OAuth and M2M applications and of MCP clients (RFC 8414 §2): the AuthKit domain, such as
/// `https://example.authkit.app`, or a custom one. It is https, or http on this machine, and has no path and no query.
///
/// It is in the `iss` of each token. A slash at its end is left out.
///
/// ```
/// use workos_auth::id::Issuer;
///
/// assert_eq!(Issuer::new("https://example.authkit.app/")?.as_str(), "https://example.authkit.app");
/// assert!(Issuer::new("http://example.authkit.app").is_err());
/// # Ok::<_, workos_auth::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer(BaseUrl);

impl Issuer {
    /// Parses an issuer.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `issuer`.
    pub fn new(value: impl Into<String>) -> Result<Self, Error> {
        let base_url = BaseUrl::named("issuer", &value.into())?;
        if base_url.uri.path() != "/" {
            return Err(Error::invalid_value("issuer", "must not have a path"));
        }
        Ok(Self(base_url))
    }

    /// The issuer as it is in tokens.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Path and query of a URL, if it leads to this issuer.
    pub(crate) fn path_of<'a>(&self, url: &'a str) -> Option<[&'a str; 3]> {
        let address = Address::parse(url).ok()?;
        let is_there = address.origin.as_ref().is_some_and(|origin| origin.to_string() == self.as_str());
        is_there.then(|| address.path_and_query())
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Issuer").field(&self.as_str()).finish()
    }
}

impl FromStr for Issuer {
    type Err = Error;

    fn from_str(value: &str) -> Result<Self, Error> {
        Self::new(value)
    }
}

impl<'de> Deserialize<'de> for Issuer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The URI to which the browser is sent back (RFC 6749 §3.1.2). It is checked here, and sent exactly as given.
///
/// Allowed are `https`, `http` on `127.0.0.1`, `[::1]` or `localhost` with any port, and the private schemes of
/// applications (`com.example.app:/callback`, RFC 8252 §7.1). It is ASCII, with a host in punycode, and has no user name, no fragment
/// and no segment `.` or `..`.
///
/// ```
/// use workos_auth::RedirectUri;
///
/// assert!(RedirectUri::new("https://example.com/callback").is_ok());
/// assert!(RedirectUri::new("http://127.0.0.1:8080").is_ok());
/// assert!(RedirectUri::new("http://example.com/callback").is_err());
/// assert!(RedirectUri::new("javascript:alert(1)").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedirectUri {
    text: Arc<str>,
    /// The same as the value of a query. It is in the URL of each login.
    encoded: Arc<str>,
}

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
        let address = Address::parse(&value).map_err(refuse)?;
        let scheme = &*address.scheme;
        match &address.origin {
            Some(origin) if !origin.is_https() && !origin.is_local_host() => {
                return Err(refuse("must be https unless its host is 127.0.0.1, [::1] or localhost"));
            }
            None if REFUSED_SCHEMES.contains(&scheme)
                || REFUSED_SCHEME_PREFIXES.iter().any(|prefix| scheme.starts_with(prefix)) =>
            {
                return Err(refuse("has a scheme that can't lead back to an application"));
            }
            _ => {}
        }
        let encoded: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
        Ok(Self { text: value.into(), encoded: encoded.into() })
    }

    /// The URI exactly as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn encoded(&self) -> &str {
        &self.encoded
    }

    /// Whether cookies of this origin can be `Secure`: those of every origin but plain http, which is loopback.
    pub(crate) fn is_secure(&self) -> bool {
        !self.text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"))
    }

    /// The path, unless it is one of a private scheme that doesn't start with a slash.
    pub(crate) fn path(&self) -> Option<&str> {
        Address::parse(&self.text).ok().map(|address| address.path()).filter(|path| path.starts_with('/'))
    }

    /// The origin as browsers write it; private schemes have none.
    pub(crate) fn origin(&self) -> Option<String> {
        Some(Address::parse(&self.text).ok()?.origin?.to_string())
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("RedirectUri").field(&self.text).finish()
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
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use url::{Host, Url};

    use super::*;

    const SCHEMES: &[&str] = &[
        "https",
        "HTTPS",
        "http",
        "Http",
        "ftp",
        "ws",
        "file",
        "javascript",
        "data",
        "myapp",
        "com.example.app",
        "web+app",
        "1app",
        "my_app",
        "",
        "ms-word",
        "htt\tps",
    ];
    const SEPARATORS: &[&str] = &["://", "://", "://", ":", ":/", ":///", "::/", ":\\\\", ":/\\", " ://", "//"];
    const USERS: &[&str] =
        &["", "", "", "", "", "", "@", "user@", "user:password@", ":@", "%40@", "example.com@", "a@b@"];
    const HOSTS: &[&str] = &[
        "example.com",
        "EXAMPLE.com",
        "example.com.",
        "example..com",
        ".example.com",
        "-a.b-",
        "a_b.example",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "localhost.evil.example",
        "127.0.0.1",
        "127.0.0.2",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.01",
        "127.0.0.256",
        "1.2.3.4.5",
        "1.2.3",
        "0x",
        "example.0x",
        "a.1",
        "a.0xg",
        "0.0.0.0",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[2001:DB8::0:1]",
        "[1:0:0:2:0:0:0:3]",
        "[::127.0.0.1]",
        "[::2]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::1%25eth0]",
        "[::1%eth0]",
        "[::1",
        "::1",
        "[::1]x",
        "[]",
        "",
        " ",
        "a b",
        "a%20b",
        "a%2eb",
        "exa%6dple.com",
        "exämple.com",
        "xn--exmple-cua.com",
        "XN--EXMPLE-CUA.com",
        "127。0。0。1",
        "\u{ff11}.1",
        "a|b",
        "a^b",
        "a<b",
        "a\"b",
        "a`b",
        "a{b}",
        "a,b",
        "a;b",
        "a!b",
        "a*b",
        "a~b",
        "a+b",
        "a&b=c",
        "a$b",
        "(a)",
        "a'b",
        "a\tb",
        "exam\u{ad}ple.com",
        "a\u{0}b",
        "a\\b",
        "a#b",
    ];
    const PORTS: &[&str] = &[
        "",
        "",
        "",
        "",
        ":",
        ":0",
        ":80",
        ":443",
        ":8080",
        ":00080",
        ":65535",
        ":65536",
        ":99999999999",
        ":-1",
        ":+80",
        ":0x50",
        ":8a",
        ":80:80",
        ": 80",
        ":８０",
    ];
    const PATHS: &[&str] = &[
        "",
        "",
        "/",
        "/callback",
        "/a/b/",
        "//",
        "//a",
        "/a//b",
        "/.",
        "/..",
        "/./a",
        "/a/../b",
        "/%2e/a",
        "/a/%2E%2e",
        "/a/.%2e/b",
        "/.a",
        "/..a",
        "/a.",
        "/a/...",
        "/@ada",
        "/a:b",
        "/a;b=c",
        "/%",
        "/%zz",
        "/%00",
        "/ä",
        "/a b",
        "/a|b",
        "/a^b",
        "/<a>",
        "/\"a\"",
        "/`a`",
        "/{a}",
        "/[a]",
        "/a\\b",
        "/\\a",
        "callback",
        "a/../b",
        "/'a'",
        "/a\nb",
        "/~ada/!$&'()*+,;=",
        "/C:/a",
        "/C|/a",
    ];
    const ENDS: &[&str] =
        &["", "", "", "?", "?a=b", "?a=b?c", "?/../a", "?a@b", "?'", "?\"", "#", "#a", "?a#b", "?#", " ", "\n"];

    fn texts() -> impl Iterator<Item = String> {
        // SplitMix64, so that each run has the same texts.
        let mut state = 14_u64;
        let mut below = move |end: usize| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
        };
        let each = HOSTS.iter().flat_map(|host| {
            ["http", "https", "myapp"]
                .iter()
                .flat_map(move |scheme| PATHS.iter().chain(PORTS).map(move |rest| format!("{scheme}://{host}{rest}")))
        });
        each.chain((0..30_000).map(move |_| {
            let mut text = String::new();
            for part in [SCHEMES, SEPARATORS, USERS, HOSTS, PORTS, PATHS, ENDS] {
                text.push_str(part[below(part.len())]);
            }
            // Half of them have one character more, but in no punycode, which the peer decodes.
            if below(2) == 0 && !text.to_ascii_lowercase().contains("xn--") {
                let characters: Vec<_> = text.char_indices().collect();
                let at = characters.get(below(characters.len() + 1)).map_or(text.len(), |(at, _)| *at);
                text.insert(at, char::from(u8::try_from(below(128)).unwrap()));
            }
            text
        }))
    }

    /// Whether http to this URL stays on this machine, as the peer reads it.
    fn is_loopback(url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// A URI that was accepted, as the peer reads it: it must be as harmless as the check says.
    fn peer(text: &str) -> Url {
        let url = Url::parse(text).unwrap_or_else(|error| panic!("{text:?} was accepted: {error}"));
        assert_eq!((url.username(), url.password(), url.fragment()), ("", None, None), "{text:?}");
        if matches!(url.scheme(), "http" | "https") {
            assert!(url.host_str().is_some_and(|host| !host.is_empty()), "{text:?}");
            assert!(url.scheme() == "https" || is_loopback(&url), "{text:?}");
        }
        url
    }

    #[test]
    fn redirect_uris_are_what_other_programs_read() {
        let mut accepted = 0;
        for text in texts() {
            let Ok(uri) = RedirectUri::new(text.clone()) else { continue };
            accepted += 1;
            let url = peer(&text);
            let address = Address::parse(uri.as_str()).unwrap();
            let origin = url.origin().is_tuple().then(|| url.origin().ascii_serialization());
            assert_eq!((&*address.scheme, address.path()), (url.scheme(), url.path()), "{text:?}");
            assert_eq!(
                (uri.origin(), uri.path()),
                (origin, Some(url.path()).filter(|path| path.starts_with('/'))),
                "{text:?}"
            );
            assert_eq!(uri.is_secure(), url.scheme() != "http", "{text:?}");
            if url.scheme() == "http" {
                let hosts = [
                    Host::Domain("localhost"),
                    Host::Ipv4([127, 0, 0, 1].into()),
                    Host::Ipv6([0, 0, 0, 0, 0, 0, 0, 1].into()),
                ];
                assert!(hosts.contains(&url.host().unwrap()), "{text:?}");
            }
            assert!(!REFUSED_SCHEMES.contains(&url.scheme()), "{text:?}");
        }
        assert!(accepted > 300, "only {accepted} texts were accepted");
    }

    #[test]
    fn base_urls_are_what_other_programs_read() {
        let mut accepted = 0;
        for text in texts() {
            let Ok(base_url) = BaseUrl::parse(&text) else { continue };
            accepted += 1;
            let url = peer(&text);
            assert_eq!(base_url.as_str(), url.as_str().trim_end_matches('/'), "{text:?}");
            assert_eq!(base_url.loopback, is_loopback(&url), "{text:?}");
            assert_eq!(url.query(), None, "{text:?}");
        }
        assert!(accepted > 300, "only {accepted} texts were accepted");
    }

    #[test]
    fn verification_uris_are_what_other_programs_read() {
        for text in texts() {
            let Ok(uri) = VerificationUri::new(text.clone()) else { continue };
            peer(uri.as_str().split('#').next().unwrap_or_default());
        }
        assert!(VerificationUri::new("https://example.com/device#code").is_ok());
        for fragment in ["\u{1b}]0;owned\u{7}", "\n", " ", "\u{202e}", "a#b"] {
            assert!(VerificationUri::new(format!("https://example.com/device#{fragment}")).is_err(), "{fragment:?}");
        }
    }

    #[test]
    fn return_paths_stay_at_their_origin() {
        let base = Url::parse("https://app.example.com/here").unwrap();
        let mut accepted = 0;
        for text in texts().flat_map(|text| [format!("/{text}"), text]) {
            let Ok(path) = ReturnPath::new(text.clone()) else { continue };
            accepted += 1;
            let url = base.join(path.as_str()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(url.origin(), base.origin(), "{text:?}");
            let before_query = text.split(['?', '#']).next().unwrap_or_default();
            let same = percent_decode_str(url.path()).eq(percent_decode_str(before_query));
            assert!(same, "{text:?}: {}", url.path());
        }
        assert!(accepted > 300, "only {accepted} texts were accepted");
    }

    #[test]
    fn a_refusal_says_what_to_write_instead() {
        let reason = |text: &str| BaseUrl::parse(text).unwrap_err().to_string();
        for (text, part) in [
            ("https://exämple.com", "punycode (`xn--…`)"),
            ("http://127.1", "four decimal numbers"),
            ("http://0x7f.1", "four decimal numbers"),
            ("https://example.com:65536", "a port from 0 to 65535"),
            ("https://user@example.com", "user name"),
            ("https://example.com/#a", "fragment"),
            ("https://example.com/?a", "query"),
            ("https://a,b", "letters, digits"),
            ("https:example.com", "`://` and a host"),
            ("https:///example.com", "`://` and a host"),
            ("https://example.com/a/../b", "`.` and `..`"),
            ("http://example.com", "https unless its host is loopback"),
            ("ftp://example.com", "must be https"),
        ] {
            let error = reason(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(BaseUrl::parse("https://xn--exmple-cua.com").is_ok());
    }
}
