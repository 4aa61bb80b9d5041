//! Keys, codes and tokens. Each is a type of its own over [`secrecy`].
//!
//! | types | for |
//! | --- | --- |
//! | [`ApiKey`], [`CookiePassword`], [`WebhookSecret`], [`ActionSecret`] | the application |
//! | [`CustomerApiKey`] | a customer of the application |
//! | [`MachineSecret`], [`MachineAccessToken`] | a machine, which calls others |
//! | [`AuthorizationCode`], [`CodeVerifier`], [`State`], [`AuthorizationUrl`], [`DeviceCode`] | a login |
//! | [`Password`], [`TotpCode`], [`MagicAuthCode`] and other codes | what a user types |
//! | [`PendingAuthenticationToken`] | a login that is not finished |
//! | [`AccessToken`], [`RefreshToken`], [`SessionHandle`], [`StoredToken`] | a session |
//! | [`SsoAccessToken`], [`ProviderAccessToken`], [`ProviderRefreshToken`] | tokens of SSO and of OAuth providers |
//! | [`BearerToken`] | what a request presents to an application that is a resource server |
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
use http::header::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::authorization::{self, NoBearer};
use crate::base64url::BASE64URL;
use crate::error::{CustomerKeyError, Error, NoBearerToken};
use crate::wiped::WipedBytes;

/// Takes a text whose allocation has its exact size. Another one is copied and wiped: shrinking a `String` may move it, and leaves the
/// old bytes in memory.
pub(crate) fn seal(mut source: String) -> SecretString {
    if source.capacity() == source.len() {
        return SecretBox::new(source.into_boxed_str());
    }
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
        /// Its `Debug` is redacted; only [`ExposeSecret`] gives the value.
        pub struct $name(SecretString);

        impl $name {
            /// Makes it of a text. The memory of a given `String` is wiped.
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
                // The format's own message would show a value that isn't a string.
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
    ///
    /// ```
    /// # async fn run(verifier: workos_auth::TokenVerifier, header: &str) -> Result<(), workos_auth::Error> {
    /// use workos_auth::AccessToken;
    ///
    /// // Of a request to an API: `Authorization: Bearer …`
    /// let token = AccessToken::new(header.strip_prefix("Bearer ").unwrap_or_default());
    /// let verified = verifier.verify(&token).await?;
    /// println!("the request of {}", verified.user_id());
    /// # Ok(()) }
    /// ```
    #[derive(Clone)]
    AccessToken;

    /// A single-use refresh token (RFC 6749 §1.5): every refresh rotates it.
    ///
    /// ```
    /// # async fn run(client: workos_auth::PublicClient, kept: String) -> Result<(), workos_auth::Error> {
    /// use workos_auth::RefreshToken;
    ///
    /// let response = client.authenticate_with_refresh_token(RefreshToken::new(kept)).send().await?;
    /// // `response.refresh_token` must be kept now: the old one is used up.
    /// # Ok(()) }
    /// ```
    RefreshToken;

    /// A code that another application of the environment can exchange for its own tokens.
    AuthKitAuthorizationCode;

    /// The PKCE secret that a login keeps until its code exchange (RFC 7636 §4.1).
    CodeVerifier;

    /// The value that ties a callback to its login (RFC 6749 §10.12).
    State;

    /// The token that continues a login which is not finished.
    PendingAuthenticationToken;

    /// The token of an invitation e-mail.
    #[derive(Clone)]
    InvitationToken;

    /// The URL of the link in an invitation e-mail, including its token.
    InvitationUrl;

    /// A user's password.
    ///
    /// ```
    /// use workos_auth::Password;
    ///
    /// let password = Password::new("correct horse battery staple");
    /// assert_eq!(format!("{password:?}"), "Password([REDACTED])");
    /// ```
    Password;

    /// The hash of a password, as another system stored it.
    PasswordHash;

    /// The token of a password reset e-mail.
    PasswordResetToken;

    /// The URL of the link in a password reset e-mail, including its token.
    PasswordResetUrl;

    /// A code of a TOTP authenticator (RFC 6238).
    ///
    /// ```
    /// # async fn run(challenge: workos_auth::step::TotpChallenge<workos_auth::Confidential>) -> Result<(), workos_auth::Error> {
    /// use workos_auth::TotpCode;
    ///
    /// let response = challenge.verify(TotpCode::new("123456")).send().await?;
    /// println!("signed in as {}", response.user.email);
    /// # Ok(()) }
    /// ```
    TotpCode;

    /// The code of a Magic Auth e-mail.
    MagicAuthCode;

    /// The code of an e-mail that verifies an address.
    EmailVerificationCode;

    /// The code of an e-mail that confirms a new address.
    EmailChangeCode;

    /// The code of a Radar challenge, by e-mail or SMS.
    RadarCode;

    /// The code that a device login exchanges for tokens (RFC 8628 §3.2).
    DeviceCode;

    /// The secret of a TOTP factor, shown once to the user who enrols it.
    TotpSecret;

    /// The `otpauth:` URI of a TOTP factor, including its secret.
    TotpUri;

    /// The QR code of a TOTP factor as a `data:` URI, including its secret.
    TotpQrCode;

    /// An SSO access token. It is opaque, and only `GET /sso/profile` accepts it.
    SsoAccessToken;

    /// The access token of a machine, as it is presented to other services: see [`MachineToken`](crate::connect::MachineToken).
    MachineAccessToken;

    /// An access token of the OAuth provider the user signed in with (not a WorkOS token).
    #[derive(Clone)]
    ProviderAccessToken;

    /// A refresh token of the OAuth provider the user signed in with (not a WorkOS token).
    ProviderRefreshToken;

    /// The random ID of a session in a [`SessionStore`](crate::session::SessionStore): 256 bits, kept in a cookie of the user's
    /// browser.
    SessionHandle;

    /// What a [`TokenStore`](crate::session::TokenStore) keeps: a refresh token and the token it replaced, so that processes that
    /// start at the same time share one refresh. A short printable text.
    StoredToken;

    /// A message of the API. It may repeat what was submitted, so it is a secret.
    ServerMessage;
}

/// A single-use authorization code (RFC 6749 §1.3.1). It comes from a [`Callback`](crate::Callback) that was checked against the
/// [`State`] of its login, or from [`danger::code_without_state`](crate::danger::code_without_state).
///
/// Its `Debug` is redacted; only [`ExposeSecret`] gives the value.
pub struct AuthorizationCode(SecretString);

secrets!(@redacted AuthorizationCode);

impl AuthorizationCode {
    pub(crate) fn new(value: impl Into<String>) -> Self {
        Self(seal(value.into()))
    }
}

/// The bearer token that a request presents.
fn presented(headers: &HeaderMap) -> Result<&str, NoBearerToken> {
    authorization::bearer(headers).map_err(|reason| match reason {
        NoBearer::Missing => NoBearerToken::Missing,
        NoBearer::Malformed => NoBearerToken::Malformed,
        NoBearer::Repeated => NoBearerToken::Repeated,
    })
}

/// The maximum bytes of a token. A token of WorkOS has one or two kilobytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// What a request presents in its `Authorization: Bearer` header (RFC 6750 §2.1), such as the access token of an OAuth or M2M
/// application. Nothing of it is verified.
///
/// It is no [`AccessToken`], which belongs to a user's session: [`ResourceServer::verify`](crate::connect::ResourceServer::verify) takes
/// this one, and [`TokenVerifier::verify`](crate::TokenVerifier::verify) the other.
///
/// Its `Debug` is redacted; only [`ExposeSecret`] gives the value.
///
/// ```
/// use http::HeaderMap;
/// use workos_auth::error::NoBearerToken;
/// use workos_auth::secret::BearerToken;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(BearerToken::from_headers(&headers).err(), Some(NoBearerToken::Missing));
///
/// headers.insert("authorization", "bearer mF_9.B5f-4.1JqM".parse()?);
/// assert!(BearerToken::from_headers(&headers).is_ok());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct BearerToken(SecretString);

secrets!(@redacted BearerToken);

impl BearerToken {
    /// Parses a token without the word `Bearer`: letters, digits and `-._~+/`, then `=`; at most 16 KiB.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `bearer_token`. The error never shows the value.
    pub fn new(value: impl Into<String>) -> Result<Self, Error> {
        let token = Self(seal(value.into()));
        let text = token.expose_secret();
        if text.len() <= MAX_TOKEN_BYTES && authorization::is_b64token(text) {
            Ok(token)
        } else {
            Err(Error::invalid_value("bearer_token", "must be letters, digits and `-._~+/`, and at most 16 KiB"))
        }
    }

    /// Takes the token out of the headers of a request. The scheme is in upper or lower case.
    ///
    /// # Errors
    /// [`NoBearerToken`]: there is no such header, there are several, or it is malformed.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, NoBearerToken> {
        let token = presented(headers)?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(NoBearerToken::Malformed);
        }
        Ok(Self(SecretBox::new(token.into())))
    }
}

impl SessionHandle {
    /// Makes a random handle, for an application that keeps sessions in a table of its own. The browser gets the handle in a cookie; the
    /// table gets its [`key`](Self::key).
    ///
    /// # Errors
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness).
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(random_text()?))
    }
}

impl State {
    /// Compares in constant time. The length isn't secret.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.0.expose_secret().as_bytes().ct_eq(other.0.expose_secret().as_bytes()).into()
    }
}

/// A WorkOS API key (`sk_…`). An application that has one is a confidential client (RFC 6749 §2.1).
///
/// Its `Debug` is redacted; only [`ExposeSecret`] gives the value.
#[derive(Clone)]
pub struct ApiKey(SecretString, HeaderValue);

secrets!(@redacted ApiKey);

impl ApiKey {
    /// Parses an API key: visible ASCII, not empty, because it goes into a header.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `api_key`. The error never shows the value.
    pub fn new(value: impl Into<String>) -> Result<Self, Error> {
        let refuse = |reason| Err(Error::invalid_value("api_key", reason));
        let key = seal(value.into());
        let text = key.expose_secret();
        if text.is_empty() {
            return refuse("must not be empty");
        }
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        let Some(header) = bearer(text).filter(|_| is_visible) else {
            return refuse("must be visible ASCII without spaces");
        };
        if text.starts_with("client_") {
            return refuse("is a client ID: the two are swapped");
        }
        Ok(Self(key, header))
    }

    /// The header of a request, made once: a clone of it is no copy.
    pub(crate) fn header(&self) -> HeaderValue {
        self.1.clone()
    }
}

/// An API key that the application has issued to a customer, as a request presents it. It is none of WorkOS's own keys: an [`ApiKey`] can't
/// be given in its place, nor the other way round.
///
/// Its `Debug` is redacted; only [`ExposeSecret`] gives the value.
///
/// ```
/// use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
/// use workos_auth::secret::CustomerApiKey;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer sk_customer"));
/// let presented = CustomerApiKey::from_headers(&headers)?;
/// assert_eq!(format!("{presented:?}"), "CustomerApiKey([REDACTED])");
/// # Ok::<_, workos_auth::Error>(())
/// ```
pub struct CustomerApiKey(SecretString);

secrets!(@redacted CustomerApiKey);

/// Longer texts are no keys: nobody should be able to send WorkOS large ones through the application.
const MAX_CUSTOMER_KEY_BYTES: usize = 512;

impl CustomerApiKey {
    /// Parses a key: 1 to 512 characters of visible ASCII, without spaces.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `customer_api_key`. The error never shows the value.
    pub fn new(value: impl Into<String>) -> Result<Self, Error> {
        Self::parse(seal(value.into())).map_err(|reason| Error::invalid_value("customer_api_key", reason))
    }

    fn parse(secret: SecretString) -> Result<Self, &'static str> {
        let text = secret.expose_secret();
        if text.is_empty() || text.len() > MAX_CUSTOMER_KEY_BYTES {
            Err("must have 1 to 512 characters")
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Err("must be visible ASCII without spaces")
        } else {
            Ok(Self(secret))
        }
    }

    /// The key of a request: `Authorization: Bearer …` (RFC 6750 §2.1).
    ///
    /// # Errors
    /// [`ErrorKind::CustomerKey`](crate::ErrorKind::CustomerKey): there is no such header, there are several, or it isn't `Bearer` and
    /// a key: what has the form of an access token is invalid. With the feature `server`, `response()` answers the request.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Error> {
        let refuse = |reason| Error::customer_key(CustomerKeyError::NotPresented(reason));
        let token = presented(headers).map_err(refuse)?;
        if authorization::is_signed(token) {
            // An access token, of which WorkOS would say the same.
            return Err(Error::customer_key(CustomerKeyError::Invalid));
        }
        Self::new(token).map_err(|_| refuse(NoBearerToken::Malformed))
    }
}

impl<'de> Deserialize<'de> for CustomerApiKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let secret = deserializer.deserialize_string(SecretVisitor);
        // The format's own message would show a value that isn't a string.
        let secret = secret.map_err(|_| de::Error::custom("a secret must be a string"))?;
        Self::parse(secret).map_err(de::Error::custom)
    }
}

/// The secret of a machine (an M2M application of Connect), which the dashboard shows once. With it, a
/// [`MachineClient`](crate::connect::MachineClient) gets its tokens. It is no [`ApiKey`].
///
/// Its `Debug` is redacted; only [`ExposeSecret`] gives the value.
pub struct MachineSecret(SecretString);

secrets!(@redacted MachineSecret);

impl MachineSecret {
    /// Parses a secret: visible ASCII, not empty, without spaces.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `machine_secret`. The error never shows the value.
    pub fn new(value: impl Into<String>) -> Result<Self, Error> {
        let secret = Self(seal(value.into()));
        let text = secret.0.expose_secret();
        if text.is_empty() {
            Err(Error::invalid_value("machine_secret", "must not be empty"))
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Err(Error::invalid_value("machine_secret", "must be visible ASCII without spaces"))
        } else {
            Ok(secret)
        }
    }
}

/// The secret of a webhook endpoint, which the dashboard shows: it signs the requests to the endpoint.
///
/// Its `Debug` is redacted; only [`ExposeSecret`] gives the value.
#[derive(Clone)]
pub struct WebhookSecret(SecretString);

secrets!(@redacted WebhookSecret);

impl WebhookSecret {
    /// Parses a secret: at least 16 characters of visible ASCII, without spaces. With an empty one, everybody could sign.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `webhook_secret`. The error never shows the value.
    pub fn new(value: impl Into<String>) -> Result<Self, Error> {
        signing_secret("webhook_secret", value.into()).map(Self)
    }
}

/// The secret of an Actions endpoint, which the dashboard shows: it signs the requests to the endpoint, and the endpoint's answers.
///
/// Its `Debug` is redacted; only [`ExposeSecret`] gives the value.
#[derive(Clone)]
pub struct ActionSecret(SecretString);

secrets!(@redacted ActionSecret);

impl ActionSecret {
    /// Parses a secret: at least 16 characters of visible ASCII, without spaces. With an empty one, everybody could sign.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `action_secret`. The error never shows the value.
    pub fn new(value: impl Into<String>) -> Result<Self, Error> {
        signing_secret("action_secret", value.into()).map(Self)
    }
}

fn signing_secret(field: &'static str, value: String) -> Result<SecretString, Error> {
    let secret = seal(value);
    let text = secret.expose_secret();
    if text.len() < 16 {
        Err(Error::invalid_value(field, "must have at least 16 characters"))
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err(Error::invalid_value(field, "must be visible ASCII without spaces"))
    } else {
        Ok(secret)
    }
}

/// The authorization URL of one login, to which the browser is sent (RFC 6749 §4.1.1).
///
/// It contains the login's state, and perhaps an invitation token. So its memory is wiped when it is dropped, its `Debug` is
/// redacted, and it has no `Display`. [`as_str`](Self::as_str) gives the text for the redirect.
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

/// The password that seals session cookies: at least 32 random characters, made by a generator.
///
/// Its `Debug` is redacted; only [`ExposeSecret`] gives the value.
///
/// ```
/// use workos_auth::CookiePassword;
///
/// let password = CookiePassword::generate()?; // `from_env()` reads one that is kept
/// assert_eq!(format!("{password:?}"), "CookiePassword([REDACTED])");
/// assert!(CookiePassword::new("too short").is_err());
/// # Ok::<_, workos_auth::Error>(())
/// ```
pub struct CookiePassword(SecretString, Cow<'static, str>);

/// The ID that the WorkOS SDKs and iron-session use for a password without an ID.
const PASSWORD_ID: &str = "1";

secrets!(@redacted CookiePassword);

impl CookiePassword {
    /// Parses a cookie password.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `cookie_password` when it has fewer
    /// than 32 characters.
    pub fn new(value: impl Into<String>) -> Result<Self, Error> {
        Self::named("cookie_password", value)
    }

    /// Parses the password of a field or variable of this name.
    pub(crate) fn named(field: &'static str, value: impl Into<String>) -> Result<Self, Error> {
        let password = Self(seal(value.into()), Cow::Borrowed(PASSWORD_ID));
        if password.0.expose_secret().chars().count() < 32 {
            return Err(Error::invalid_value(field, "must have at least 32 characters"));
        }
        Ok(password)
    }

    /// The ID of this password, such as `2` in iron-session's `{1: old, 2: new}`; `1` unless given. Each sealed session contains it
    /// in plain text, so that other applications can find the password.
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

    /// Makes a random password of 256 bits. Store it where the application keeps its secrets.
    ///
    /// # Errors
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness).
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(random_text()?, Cow::Borrowed(PASSWORD_ID)))
    }
}

/// `Bearer …` (RFC 6750 §2.1), kept out of logs and header compression tables, and wiped with its last clone.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    let text = WipedBytes::joined(["Bearer ", token]);
    let mut value = HeaderValue::from_maybe_shared(text.into_bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// 256 random bits.
fn random_text() -> Result<SecretString, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut()).map_err(Error::randomness)?;
    Ok(seal(BASE64URL.encode(bytes.as_ref())))
}
