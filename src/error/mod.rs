//! What can go wrong. Errors say what to do, and hold no secret.
//!
//! | type | what it says |
//! | --- | --- |
//! | [`Error`] | the one error of this crate |
//! | [`ErrorKind`] | the cause |
//! | [`ErrorCode`] | the API's code, such as `invalid_grant` |
//! | [`ApiError`] | what the API refused: its code and message |
//! | [`TokenError`], [`SealError`], [`ParkedError`], [`CallbackError`] | why a token, a sealed session, a parked login or a callback was refused |
//! | [`RefusedRequest`] | why a request that would change something was refused |
//! | [`CustomerKeyError`] | why the API key of a customer's request was refused |
//! | [`NoBearerToken`] | why a request presents no bearer token |
//! | [`AuthorizationErrorCode`] | the code of an `error` callback |
//!
//! ```
//! use workos_auth::{Error, ErrorCode, ErrorKind};
//!
//! fn advise(error: &Error) -> &'static str {
//!     match error.kind() {
//!         _ if error.is_transient() => "try again later",
//!         ErrorKind::Unfinished(_) => "the login needs a further step",
//!         ErrorKind::Api(_) if error.code() == Some(&ErrorCode::InvalidCredentials) => "the password is wrong",
//!         _ => "it failed for good",
//!     }
//! }
//! ```

mod codes;
mod reasons;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

pub(crate) use codes::plain_code;
pub use codes::{ApiError, AuthorizationErrorCode, ErrorCode};
pub use reasons::{CallbackError, CustomerKeyError, NoBearerToken, ParkedError, RefusedRequest, SealError, TokenError};

pub(crate) type Source = Box<dyn StdError + Send + Sync>;

/// The error of this crate. It is cheap to clone, and holds no secret, no URL with a query and no response body.
///
/// Match on [`kind`](Self::kind) for the cause; [`is_transient`](Self::is_transient),
/// [`retry_after`](Self::retry_after) and [`replay_before`](Self::replay_before) say whether and when to try again.
///
/// ```
/// use workos_auth::{ErrorKind, RedirectUri};
///
/// let error = RedirectUri::new("http://example.com/callback").unwrap_err();
/// assert!(matches!(error.kind(), ErrorKind::InvalidValue { field: "redirect_uri", .. }));
/// assert_eq!(error.to_string(), "redirect_uri must be https unless its host is 127.0.0.1, [::1] or localhost");
/// assert!(!error.is_transient());
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    status: Option<StatusCode>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    replay_before: Option<Timestamp>,
    source: Option<Source>,
}

/// The cause of an [`Error`].
///
/// ```
/// use workos_auth::{ErrorKind, PublicClient};
///
/// let error = PublicClient::new("").unwrap_err();
/// match error.kind() {
///     ErrorKind::InvalidValue { field, reason } => assert_eq!((*field, *reason), ("client_id", "must not be empty")),
///     other => panic!("{other}"),
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A given value was refused; nothing was sent.
    #[error("{field} {reason}")]
    InvalidValue {
        /// The name of the field or environment variable.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An environment variable is not set or is empty; nothing was sent.
    #[error("the environment variable {name} is not set: it must hold {holds}")]
    MissingVariable {
        /// The name of the variable.
        name: &'static str,
        /// What it must hold.
        holds: &'static str,
    },
    /// The callback was refused before anything was sent.
    #[error("{0}")]
    Callback(CallbackError),
    /// A request that would change something may come from a page of another origin; nothing was changed.
    #[error("{0}")]
    RefusedRequest(RefusedRequest),
    /// A parked login could not be resumed; nothing was sent.
    #[error("{0}")]
    Parked(ParkedError),
    /// The access token was refused.
    #[error("the access token was refused: {0}")]
    InvalidToken(TokenError),
    /// The signing keys are unavailable, so the token can't be checked at the moment.
    #[error("the signing keys are unavailable")]
    KeysUnavailable,
    /// The metadata of an issuer (RFC 8414) names another issuer, or keys of another origin; these were not fetched.
    #[error("the issuer's metadata names another issuer or another origin: check the AuthKit domain")]
    IssuerMetadata,
    /// A session could not be sealed or opened.
    #[error("{0}")]
    Sealed(SealError),
    /// The refresh returned the session of another user; it was discarded.
    #[error("the refresh returned the session of another user")]
    AnotherUser,
    /// A switch returned tokens of a different organization than the requested one. The session continues with them.
    #[error("the API returned the tokens of a different organization")]
    AnotherOrganization,
    /// The session was signed out before its refresh was complete.
    #[error("the session was signed out")]
    SignedOut,
    /// A store of sessions or tokens failed, so what it holds is unknown.
    #[error("the store failed")]
    Store,
    /// The operating system gave no random bytes; nothing was sent.
    #[error("the operating system gave no random bytes")]
    Randomness,
    /// The HTTP client could not be built from its configuration.
    #[error("the HTTP client could not be built")]
    HttpClient,
    /// This machine has no certificate authorities, or they can't be read, so no server can be trusted; nothing was sent.
    /// On Linux and the BSDs they come with the package `ca-certificates`, or from the places that `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` name.
    #[error("no certificate authorities could be read: install the package ca-certificates, or set SSL_CERT_FILE")]
    NoAuthorities,
    /// The user did not finish the device login in time; nothing more is sent.
    #[error("the device login has expired")]
    DeviceLoginExpired,
    /// The redirect listener could not be opened.
    #[error("the redirect listener could not be opened")]
    Listener,
    /// The browser did not return in time.
    #[error("no callback came in time")]
    NoCallback,
    /// No connection could be made: the request was not sent.
    #[error("no connection could be made; nothing was sent")]
    NotSent,
    /// The server's certificate was refused, so the request was not sent, and isn't retried: the certificate is for another
    /// name, isn't valid at this time, or comes from an authority that isn't trusted. The source says which.
    #[error(
        "the server's certificate was refused; nothing was sent: check this machine's clock, the trusted certificate \
         authorities, and whether a proxy intercepts the connection"
    )]
    Certificate,
    /// The TLS handshake failed, so the request was not sent, and isn't retried: the server supports neither TLS 1.2 nor 1.3,
    /// refused the handshake, or isn't a TLS server. The source says which.
    #[error(
        "no TLS connection could be agreed on; nothing was sent: check the address, whether a proxy intercepts the \
         connection, and that the server supports TLS 1.2 or later"
    )]
    Tls,
    /// There was no complete reply in time.
    #[error("there was no complete reply in time")]
    Timeout,
    /// The connection was lost before the reply was complete.
    #[error("the connection was lost before the reply was complete")]
    Interrupted,
    /// The reply was over 1 MiB.
    #[error("the reply was over 1 MiB")]
    TooLarge,
    /// The reply was not JSON.
    #[error("the reply was not JSON")]
    NotJson,
    /// The reply was JSON in a different shape than the API describes.
    #[error("the reply was JSON in a different shape than the API describes")]
    UnexpectedShape,
    /// The reply had a status that this API does not use, such as a redirect, which isn't followed.
    #[error("the reply had an unexpected status")]
    UnexpectedStatus,
    /// The API refused the request.
    #[error("the API refused the request{0}")]
    Api(ApiError),
    /// The login needs a further step before the user is signed in.
    #[error("the login is not finished: {0}")]
    Unfinished(ErrorCode),
    /// The login of a callback that was accepted as an impersonation wasn't one; the result was discarded.
    #[error("the login isn't an impersonation")]
    NotImpersonated,
    /// The token of a machine has fewer scopes than were asked for; it was discarded.
    #[error("the token has fewer scopes than were asked for: check the scopes of the application")]
    ScopesNotGranted,
    /// The API key of a customer's request was refused, or could not be validated now.
    #[error("the customer's API key was refused: {0}")]
    CustomerKey(CustomerKeyError),
    /// The code that answered a challenge with `mfa().verify` is wrong. In a login, a wrong code is [`Api`](Self::Api) with a code of its
    /// own, such as [`ErrorCode::InvalidOneTimeCode`].
    #[error("the code is wrong")]
    WrongCode,
}

impl Error {
    fn local(kind: ErrorKind) -> Self {
        Self::with_source(kind, None)
    }

    pub(crate) fn with_source(kind: ErrorKind, source: Option<Source>) -> Self {
        Self(Arc::new(Inner { kind, status: None, request_id: None, retry_after: None, replay_before: None, source }))
    }

    pub(crate) fn invalid_value(field: &'static str, reason: &'static str) -> Self {
        Self::local(ErrorKind::InvalidValue { field, reason })
    }

    pub(crate) fn missing_variable(name: &'static str, holds: &'static str) -> Self {
        Self::local(ErrorKind::MissingVariable { name, holds })
    }

    pub(crate) fn callback(error: CallbackError) -> Self {
        Self::local(ErrorKind::Callback(error))
    }

    pub(crate) fn customer_key(error: CustomerKeyError) -> Self {
        Self::local(ErrorKind::CustomerKey(error))
    }

    pub(crate) fn refused_request(error: RefusedRequest) -> Self {
        Self::local(ErrorKind::RefusedRequest(error))
    }

    pub(crate) fn parked(error: ParkedError) -> Self {
        Self::local(ErrorKind::Parked(error))
    }

    pub(crate) fn session_store(source: io::Error) -> Self {
        Self::with_source(ErrorKind::Store, Some(Box::new(source)))
    }

    /// Another process holds the lock for too long.
    pub(crate) fn still_locked() -> Self {
        Self::session_store(io::Error::from(io::ErrorKind::WouldBlock))
    }

    pub(crate) fn store(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::with_source(ErrorKind::Parked(ParkedError::Store), Some(Box::new(source)))
    }

    pub(crate) fn token(error: TokenError) -> Self {
        Self::local(ErrorKind::InvalidToken(error))
    }

    pub(crate) fn keys_unavailable(source: Option<Self>) -> Self {
        Self::with_source(ErrorKind::KeysUnavailable, source.map(|source| Box::new(source) as Source))
    }

    pub(crate) fn issuer_metadata() -> Self {
        Self::local(ErrorKind::IssuerMetadata)
    }

    pub(crate) fn seal(error: SealError) -> Self {
        Self::local(ErrorKind::Sealed(error))
    }

    pub(crate) fn another_user() -> Self {
        Self::local(ErrorKind::AnotherUser)
    }

    pub(crate) fn signed_out() -> Self {
        Self::local(ErrorKind::SignedOut)
    }

    /// The task that sent the request for all callers was dropped.
    pub(crate) fn abandoned() -> Self {
        Self::local(ErrorKind::Interrupted)
    }

    /// There was no answer in the time that the caller allows.
    pub(crate) fn too_late() -> Self {
        Self::local(ErrorKind::Timeout)
    }

    /// A switch returned the tokens of a different organization.
    pub(crate) fn another_organization() -> Self {
        Self::local(ErrorKind::AnotherOrganization)
    }

    pub(crate) fn unfinished(code: ErrorCode) -> Self {
        Self::local(ErrorKind::Unfinished(code))
    }

    pub(crate) fn device_login_expired() -> Self {
        Self::local(ErrorKind::DeviceLoginExpired)
    }

    /// Another process has changed what the application's store has of a session.
    pub(crate) fn changed_meanwhile() -> Self {
        Self::session_store(io::Error::other("the session was changed in between: read it again"))
    }

    /// The application failed to keep a new pair of tokens.
    pub(crate) fn not_kept(source: Source) -> Self {
        Self::with_source(ErrorKind::Store, Some(source))
    }

    pub(crate) fn wrong_code() -> Self {
        Self::local(ErrorKind::WrongCode)
    }

    pub(crate) fn not_impersonated() -> Self {
        Self::local(ErrorKind::NotImpersonated)
    }

    pub(crate) fn randomness(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::with_source(ErrorKind::Randomness, Some(Box::new(source)))
    }

    #[cfg(feature = "loopback")]
    pub(crate) fn listener(source: io::Error) -> Self {
        Self::with_source(ErrorKind::Listener, Some(Box::new(source)))
    }

    #[cfg(feature = "loopback")]
    pub(crate) fn no_callback() -> Self {
        Self::local(ErrorKind::NoCallback)
    }

    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    pub(crate) fn http_client(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::with_source(ErrorKind::HttpClient, Some(Box::new(source)))
    }

    #[cfg(any(feature = "hyper", feature = "redis-tls", feature = "reqwest"))]
    pub(crate) fn no_authorities(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::with_source(ErrorKind::NoAuthorities, Some(Box::new(source)))
    }

    /// The error of a reply.
    pub(crate) fn reply(kind: ErrorKind, status: StatusCode, request_id: Option<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            status: Some(status),
            request_id,
            retry_after: None,
            replay_before: None,
            source: None,
        }))
    }

    /// Adds what the retry logic knows. The error is new, so it isn't shared yet.
    pub(crate) fn advise(mut self, retry_after: Option<Duration>, replay_before: Option<Timestamp>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.retry_after = retry_after;
            inner.replay_before = replay_before;
        }
        self
    }

    /// The cause.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The code of the API, if there is one.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        match &self.0.kind {
            ErrorKind::Api(error) => error.code(),
            ErrorKind::Unfinished(code) => Some(code),
            _ => None,
        }
    }

    /// The HTTP status, if there was a reply.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// The reply's `x-request-id`, which WorkOS support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long the API asks to wait (`Retry-After`, RFC 9110 §10.2.3), counted from the reply; at most 100 years.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Until when the same refresh token may be sent again. The API may have rotated it although no reply arrived, and answers a
    /// replay with the same pair for a short time.
    #[must_use]
    pub fn replay_before(&self) -> Option<Timestamp> {
        self.0.replay_before
    }

    /// Whether a later try may succeed, because the failure says nothing about the credential: there was no connection or no
    /// complete reply, the status was 408, 429 or 5xx, the keys or a store were unavailable, or too many keys of customers are to be
    /// validated. A store that reports a problem
    /// which must be fixed first, such as the mode of a file, a locked keyring or the certificate of a server, isn't transient.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.0.status {
            Some(status) => {
                status.is_server_error()
                    || status == StatusCode::REQUEST_TIMEOUT
                    || status == StatusCode::TOO_MANY_REQUESTS
            }
            None => {
                matches!(
                    self.0.kind,
                    ErrorKind::NotSent
                        | ErrorKind::Timeout
                        | ErrorKind::Interrupted
                        | ErrorKind::KeysUnavailable
                        | ErrorKind::Randomness
                ) || self.is_store_failure() && !self.must_be_fixed()
                    || matches!(self.0.kind, ErrorKind::CustomerKey(CustomerKeyError::TooManyRequests))
            }
        }
    }

    fn is_store_failure(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Store | ErrorKind::Parked(ParkedError::Store))
    }

    /// Whether the store fails until somebody fixes the cause.
    fn must_be_fixed(&self) -> bool {
        let source = self.0.source.as_deref().and_then(|source| source.downcast_ref::<io::Error>());
        source.is_some_and(|source| {
            matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::IsADirectory
                    | io::ErrorKind::Unsupported
            )
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(formatter)?;
        if let Some(status) = self.0.status {
            write!(formatter, " (HTTP {}", status.as_u16())?;
            if let Some(id) = &self.0.request_id {
                write!(formatter, ", request {id}")?;
            }
            formatter.write_str(")")?;
        }
        Ok(())
    }
}

/// What is known of it. A `main` that returns an error shows this.
impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = formatter.debug_struct("Error");
        fields.field("kind", &self.0.kind);
        let Inner { kind: _, status, request_id, retry_after, replay_before, source } = &*self.0;
        let mut known = |name, value: Option<&dyn fmt::Debug>| {
            if let Some(value) = value {
                fields.field(name, value);
            }
        };
        known("status", status.as_ref().map(|value| value as _));
        known("request_id", request_id.as_ref().map(|value| value as _));
        known("retry_after", retry_after.as_ref().map(|value| value as _));
        known("replay_before", replay_before.as_ref().map(|value| value as _));
        known("source", source.as_ref().map(|value| value as _));
        fields.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_failed_is_transient_whatever_it_holds() {
        let failure = || io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(Error::session_store(failure()).is_transient());
        assert!(Error::store(failure()).is_transient());
        assert!(!Error::parked(ParkedError::NotFound).is_transient());
    }

    #[test]
    fn a_store_that_somebody_must_fix_is_not_transient() {
        let refused = || io::Error::new(io::ErrorKind::PermissionDenied, "others can read the file");
        assert!(!Error::session_store(refused()).is_transient());
        assert!(!Error::store(refused()).is_transient());
        assert!(!Error::session_store(io::ErrorKind::InvalidData.into()).is_transient());
    }
}
