//! Keys, codes and tokens. Each is a type of its own over [`secrecy`].
//!
//! | types | for |
//! | --- | --- |
//! | [`ApiKey`], [`CookiePassword`] | the application |
//! | [`AuthorizationCode`], [`CodeVerifier`], [`State`], [`AuthorizationUrl`], [`DeviceCode`] | a login |
//! | [`Password`], [`TotpCode`], [`MagicAuthCode`] and other codes | what a user types |
//! | [`PendingAuthenticationToken`] | a login that is not finished |
//! | [`AccessToken`], [`RefreshToken`], [`SessionHandle`], [`StoredToken`] | a session |
//! | [`SsoAccessToken`], [`ProviderAccessToken`], [`ProviderRefreshToken`] | tokens of SSO and of OAuth providers |
//! | [`ServerMessage`] | a text of the API that may repeat what was sent |
//!
//! [`ExposeSecret`] shows the value. `Debug` doesn't, and there is no `Display`, `Serialize` or `==`.
//!
//! The memory of a secret is wiped when it is dropped. TLS, the HTTP client and the allocator keep buffers of their own, which this crate
//! can't wipe.
//!
//! ```
//! use workos_auth::{ExposeSecret, Password};
//!
//! let password = Password::new("correct horse battery staple");
//! assert_eq!(format!("{password:?}"), "Password([REDACTED])");
//! assert_eq!(password.expose_secret().len(), 28);
//! ```

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::base64url::BASE64URL;
use crate::error::Error;

/// Copies to an allocation of the exact size: shrinking a `String` may move it and leave the old bytes behind.
pub(crate) fn seal(mut source: String) -> SecretString {
    let exact: Box<str> = Box::from(source.as_str());
    source.zeroize();
    SecretBox::new(exact)
}

struct SecretVisitor;

impl Visitor<'_> for SecretVisitor {
    type Value = SecretString;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<SecretString, E> {
        Ok(SecretBox::new(Box::from(value)))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<SecretString, E> {
        Ok(seal(value))
    }
}

macro_rules! secrets {
    ($($(#[$attribute:meta])* $name:ident;)*) => {$(
        $(#[$attribute])*
        ///
        /// Its `Debug` is redacted; [`ExposeSecret`] is the one way to the value.
        pub struct $name(SecretString);

        impl $name {
            /// Takes a value over; a `String` that is handed in is wiped.
            pub fn new(value: impl Into<String>) -> Self {
                Self(seal(value.into()))
            }
        }

        secrets!(@traits $name);
    )*};
    (@traits $name:ident) => {
        secrets!(@redacted $name);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let secret = deserializer.deserialize_string(SecretVisitor);
                // Of anything else than a string, the format's own message shows the value.
                secret.map(Self).map_err(|_| de::Error::custom("a secret must be a string"))
            }
        }
    };
    (@redacted $name:ident) => {
        impl ExposeSecret<str> for $name {
            fn expose_secret(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "([REDACTED])"))
            }
        }
    };
}

secrets! {
    /// A signed access token (RFC 9068), as it goes into an `Authorization: Bearer` header (RFC 6750 §2.1).
    #[derive(Clone)]
    AccessToken;

    /// A single-use refresh token (RFC 6749 §1.5): every refresh rotates it.
    RefreshToken;

    /// A code that another application of the environment can exchange for tokens of its own.
    AuthKitAuthorizationCode;

    /// The PKCE secret that one login keeps until its code exchange (RFC 7636 §4.1).
    CodeVerifier;

    /// The value that ties a callback to the login that asked for it (RFC 6749 §10.12).
    State;

    /// What WorkOS hands out to continue a login that is not finished.
    PendingAuthenticationToken;

    /// The token of an invitation e-mail.
    #[derive(Clone)]
    InvitationToken;

    /// The address that the link of an invitation e-mail leads to, its token included.
    InvitationUrl;

    /// A user's password.
    Password;

    /// The hash of a password, as another system kept it.
    PasswordHash;

    /// The token of a password reset e-mail.
    PasswordResetToken;

    /// The address that the link of a password reset e-mail leads to, its token included.
    PasswordResetUrl;

    /// A code of a TOTP authenticator (RFC 6238).
    TotpCode;

    /// The code of a Magic Auth e-mail.
    MagicAuthCode;

    /// The code of an e-mail that verifies an address.
    EmailVerificationCode;

    /// The code of an e-mail that confirms a new address.
    EmailChangeCode;

    /// The code of a Radar challenge, by e-mail or SMS.
    RadarCode;

    /// The device code of a device login (RFC 8628 §3.2), which is exchanged for tokens.
    DeviceCode;

    /// The secret of a TOTP factor, shown once to the user who enrols it.
    TotpSecret;

    /// The `otpauth:` URI of a TOTP factor, its secret included.
    TotpUri;

    /// The QR code of a TOTP factor as a `data:` URI, its secret included.
    TotpQrCode;

    /// An SSO access token: opaque, and good only for `GET /sso/profile`.
    SsoAccessToken;

    /// An access token of the OAuth provider the user signed in with (not a WorkOS token).
    #[derive(Clone)]
    ProviderAccessToken;

    /// A refresh token of the OAuth provider the user signed in with (not a WorkOS token).
    ProviderRefreshToken;

    /// The random ID of a session in a [`SessionStore`](crate::session::SessionStore): 256 bits, for a cookie of the user's browser.
    SessionHandle;

    /// What a [`TokenStore`](crate::session::TokenStore) keeps: a refresh token and, so that processes that start together share one
    /// refresh, the token that it came of. A short printable text.
    StoredToken;

    /// A text of the API that may echo what was submitted, and therefore counts as a secret.
    ServerMessage;
}

/// A single-use authorization code (RFC 6749 §1.3.1). It comes out of a [`Callback`](crate::Callback) that was checked against the
/// [`State`] of its login, or out of [`danger::code_without_state`](crate::danger::code_without_state).
///
/// Its `Debug` is redacted; [`ExposeSecret`] is the one way to the value.
pub struct AuthorizationCode(SecretString);

secrets!(@redacted AuthorizationCode);

impl AuthorizationCode {
    pub(crate) fn new(value: impl Into<String>) -> Self {
        Self(seal(value.into()))
    }
}

impl State {
    /// Compares in constant time; the length is not secret.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.0.expose_secret().as_bytes().ct_eq(other.0.expose_secret().as_bytes()).into()
    }
}

/// A WorkOS API key (`sk_…`), which makes an application a confidential client (RFC 6749 §2.1).
///
/// Its `Debug` is redacted; [`ExposeSecret`] is the one way to the value.
#[derive(Clone)]
pub struct ApiKey(SecretString);

secrets!(@redacted ApiKey);

impl ApiKey {
    /// Parses an API key: visible ASCII, not empty, since it goes into a header.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `api_key`; the value is never echoed.
    pub fn new(value: impl Into<String>) -> Result<Self, Error> {
        let key = Self(seal(value.into()));
        let text = key.0.expose_secret();
        if text.is_empty() {
            Err(Error::invalid_value("api_key", "must not be empty"))
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Err(Error::invalid_value("api_key", "must be visible ASCII without spaces"))
        } else if text.starts_with("client_") {
            Err(Error::invalid_value("api_key", "is a client ID: the two are swapped"))
        } else {
            Ok(key)
        }
    }
}

/// Where the browser goes to sign in: the authorization URL of one login (RFC 6749 §4.1.1).
///
/// It carries the login's state, and perhaps an invitation token. So its memory is wiped when it is dropped, its `Debug` is
/// redacted, and it has no `Display`; [`as_str`](Self::as_str) is for the redirect.
#[derive(Clone)]
pub struct AuthorizationUrl(SecretString);

impl AuthorizationUrl {
    pub(crate) fn new(value: impl Into<String>) -> Self {
        Self(seal(value.into()))
    }

    /// The URL, for a `Location` header, a link or a browser. Keep it out of logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for AuthorizationUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AuthorizationUrl([REDACTED])")
    }
}

/// The password that seals session cookies: at least 32 characters, made by a generator and not by a person.
///
/// Its `Debug` is redacted; [`ExposeSecret`] is the one way to the value.
pub struct CookiePassword(SecretString, Cow<'static, str>);

/// What the WorkOS SDKs and iron-session call a password that was given without an ID.
const PASSWORD_ID: &str = "1";

secrets!(@redacted CookiePassword);

impl CookiePassword {
    /// Parses a cookie password.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `cookie_password` when it has fewer
    /// than 32 characters.
    pub fn new(value: impl Into<String>) -> Result<Self, Error> {
        let password = Self(seal(value.into()), Cow::Borrowed(PASSWORD_ID));
        if password.0.expose_secret().chars().count() < 32 {
            return Err(Error::invalid_value("cookie_password", "must have at least 32 characters"));
        }
        Ok(password)
    }

    /// The ID of this password where passwords have one, such as `2` in iron-session's `{1: old, 2: new}`. It stands in each
    /// sealed session, readable for all, so that other applications find the password by it; `1` unless given.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `cookie_password_id`: it has 1 to 32 ASCII letters,
    /// digits and underscores.
    pub fn with_id(mut self, id: impl Into<String>) -> Result<Self, Error> {
        let id = id.into();
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !(1..=32).contains(&id.len()) || !id.bytes().all(word) {
            return Err(Error::invalid_value("cookie_password_id", "must be 1 to 32 letters, digits and underscores"));
        }
        self.1 = Cow::Owned(id);
        Ok(self)
    }

    pub(crate) fn id(&self) -> &str {
        &self.1
    }

    /// Makes a random one of 256 bits, to be written down once where the application keeps its secrets.
    ///
    /// # Errors
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness).
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        SysRng.try_fill_bytes(bytes.as_mut()).map_err(Error::randomness)?;
        Ok(Self(seal(BASE64URL.encode(bytes.as_ref())), Cow::Borrowed(PASSWORD_ID)))
    }
}
