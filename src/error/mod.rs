//! What can go wrong. Errors say what to do, and hold no secret.
//!
//! | type | what it says |
//! | --- | --- |
//! | [`Error`] | the one error of this crate |
//! | [`ErrorKind`] | the cause |
//! | [`ErrorCode`] | the API's code, such as `invalid_grant` |
//! | [`ApiError`] | what the API refused: its code and message |
//! | [`TokenError`], [`SealError`], [`ParkedError`], [`CallbackError`] | why a token, a sealed session, a parked login or a callback was refused |
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

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use crate::open_enum::open_enum;
use crate::secret::ServerMessage;

pub(crate) type Source = Box<dyn StdError + Send + Sync>;

/// The one error of this crate: cheap to clone, and free of secrets, URLs with a query and response bodies.
///
/// Match on [`kind`](Self::kind) for the cause; [`is_transient`](Self::is_transient),
/// [`retry_after`](Self::retry_after) and [`replay_before`](Self::replay_before) say whether and when to try again.
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
    /// An environment variable is not set, or empty; nothing was sent.
    #[error("the environment variable {name} is not set")]
    MissingVariable {
        /// The name of the variable.
        name: &'static str,
    },
    /// The callback was refused before anything was sent.
    #[error("{0}")]
    Callback(CallbackError),
    /// A parked login could not be resumed; nothing was sent.
    #[error("{0}")]
    Parked(ParkedError),
    /// The access token is not to be trusted.
    #[error("the access token was refused: {0}")]
    InvalidToken(TokenError),
    /// The signing keys are unavailable: nobody can tell at the moment whether the token is good.
    #[error("the signing keys are unavailable")]
    KeysUnavailable,
    /// A session could not be sealed or opened.
    #[error("{0}")]
    Sealed(SealError),
    /// A refresh brought the session of another user; it was discarded.
    #[error("the refresh brought the session of another user")]
    AnotherUser,
    /// A switch brought tokens of another organization than the wanted one. The session goes on with them.
    #[error("the API answered with the tokens of another organization")]
    AnotherOrganization,
    /// The session was signed out before its refresh ended.
    #[error("the session was signed out")]
    SignedOut,
    /// A store of sessions or tokens failed: nobody can tell what it holds.
    #[error("the store failed")]
    Store,
    /// The operating system gave no random bytes; nothing was sent.
    #[error("the operating system gave no random bytes")]
    Randomness,
    /// The HTTP client could not be built from its configuration.
    #[error("the HTTP client could not be built")]
    HttpClient,
    /// This machine has no certificate authorities, or they can't be read, so no server could be trusted; nothing was sent.
    /// On Linux and the BSDs they come with the package `ca-certificates`, or from where `SSL_CERT_FILE` or `SSL_CERT_DIR`
    /// says.
    #[error("no certificate authorities could be read: install the package ca-certificates, or set SSL_CERT_FILE")]
    NoAuthorities,
    /// The user did not finish the device login in time; nothing more was sent.
    #[error("the device login has expired")]
    DeviceLoginExpired,
    /// The redirect listener could not be opened.
    #[error("the redirect listener could not be opened")]
    Listener,
    /// The browser did not come back in time.
    #[error("no callback came in time")]
    NoCallback,
    /// No connection could be made: the request was not sent.
    #[error("no connection could be made; nothing was sent")]
    NotSent,
    /// The server's certificate was refused, so the request was not sent, and it isn't sent again: the certificate is for
    /// another name, is not valid at this time, or comes from an authority that isn't trusted. The source says which.
    #[error(
        "the server's certificate was refused; nothing was sent: check this machine's clock, the trusted certificate \
         authorities, and whether a proxy intercepts the connection"
    )]
    Certificate,
    /// No TLS connection could be agreed on, so the request was not sent, and it isn't sent again: the server has neither
    /// TLS 1.2 nor 1.3, refused the handshake, or is no TLS server. The source says which.
    #[error(
        "no TLS connection could be agreed on; nothing was sent: check the address, whether a proxy intercepts the \
         connection, and that the server has TLS 1.2 or later"
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
    /// The reply was JSON of another shape than the API describes.
    #[error("the reply was JSON of another shape than the API describes")]
    UnexpectedShape,
    /// The reply had a status that this API does not use, such as a redirect; it was not followed.
    #[error("the reply had an unexpected status")]
    UnexpectedStatus,
    /// The API refused the request.
    #[error("the API refused the request{0}")]
    Api(ApiError),
    /// The login needs a further step, and the application asked for a finished one.
    #[error("the login is not finished: {0}")]
    Unfinished(ErrorCode),
    /// A code that was accepted as an impersonation was not one; the result was discarded.
    #[error("the code was accepted as an impersonation, but was none")]
    NotImpersonated,
    /// The code that answered a challenge is wrong.
    #[error("the code is wrong")]
    WrongCode,
}

/// Why an access token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is over 16 KiB.
    #[error("it is too large")]
    TooLarge,
    /// It is no JWT in compact form, or its base64 is not canonical.
    #[error("it is malformed")]
    Malformed,
    /// Its algorithm is another than RS256.
    #[error("its algorithm is not RS256")]
    WrongAlgorithm,
    /// It has a `crit` header (RFC 7515 §4.1.11), and none is understood here.
    #[error("it has a critical header")]
    CriticalHeader,
    /// It names no key.
    #[error("it names no key")]
    MissingKeyId,
    /// The key that it names is not published.
    #[error("its key is unknown")]
    UnknownKey,
    /// The key that it names is published more than once.
    #[error("its key is published twice")]
    DuplicateKey,
    /// The key that it names is not for RS256 signatures, or has less than 2048 bits.
    #[error("its key is not one for RS256")]
    UnsuitableKey,
    /// Its signature is wrong.
    #[error("its signature is wrong")]
    WrongSignature,
    /// Its claims have another shape than WorkOS gives them.
    #[error("its claims are malformed")]
    MalformedClaims,
    /// It lacks `exp`, `sub` or `sid`.
    #[error("it lacks a claim")]
    MissingClaim,
    /// It doesn't say which application it was issued to: it has no `client_id`, and its issuer is the API as a whole. Where
    /// this is what the environment issues, name the issuer with [`TokenVerifier::issuer`](crate::TokenVerifier::issuer).
    #[error("it does not say which client it was issued to")]
    MissingClientId,
    /// It comes from another issuer.
    #[error("its issuer is another")]
    WrongIssuer,
    /// It was issued to another application.
    #[error("it was issued to another client")]
    WrongClient,
    /// It is for another audience.
    #[error("its audience is another")]
    WrongAudience,
    /// It begins in the future.
    #[error("it is not valid yet")]
    NotYetValid,
    /// It is the token of another user than the session's.
    #[error("it belongs to another user")]
    WrongUser,
    /// It is for another organization than the one that was asked for, or for none.
    #[error("it is for another organization")]
    WrongOrganization,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
}

/// Why a session could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It is no sealed session, or a part of it can't be read.
    #[error("the sealed session is malformed")]
    Malformed,
    /// It was sealed in another version of the format.
    #[error("the sealed session has an unknown version")]
    UnknownVersion,
    /// It names a password that is not among those given.
    #[error("the session was sealed with another password")]
    WrongPassword,
    /// Its signature is wrong: it was changed, or sealed with another password of the same name. Nobody can tell which.
    #[error("the sealed session was changed, or sealed with another password")]
    BadMac,
    /// Its time is over.
    #[error("the sealed session has expired")]
    Expired,
    /// What was sealed is not a session.
    #[error("what was sealed is not a session")]
    NotASession,
    /// A browser drops a cookie with more than 4096 bytes of name and value.
    #[error("the session cookie has {bytes} bytes, and browsers keep 4096")]
    TooLarge {
        /// The bytes of name and value.
        bytes: usize,
    },
}

/// Why a login could not be parked or resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParkedError {
    /// It is no parked login.
    #[error("this is no parked login")]
    Malformed,
    /// It was parked by a release with another format.
    #[error("the login was parked in a format that is not known here")]
    UnknownVersion,
    /// It was sealed with another password.
    #[error("the login was sealed with another password")]
    WrongPassword,
    /// It was changed since it was sealed.
    #[error("the parked login was changed")]
    Tampered,
    /// It was parked for too long.
    #[error("the parked login has expired")]
    Expired,
    /// It is another kind of login or step.
    #[error("the parked value is of another kind")]
    WrongKind,
    /// It belongs to another client ID.
    #[error("the parked login belongs to another client ID")]
    WrongClient,
    /// It belongs to another API.
    #[error("the parked login belongs to another base URL")]
    WrongBaseUrl,
    /// It waits for its callback at another redirect URI.
    #[error("the parked login waits at another redirect URI")]
    WrongRedirectUri,
    /// Its cookie has more bytes than browsers take.
    #[error("the login takes {bytes} bytes of the 4096 that browsers keep in a cookie")]
    TooLarge {
        /// The bytes of its name and value.
        bytes: usize,
    },
    /// No such login is under way: the browser has no cookie of it, or the store holds none with this state. A callback that
    /// comes twice ends so, too.
    #[error("no such login is under way")]
    NotFound,
    /// The store failed.
    #[error("the store failed")]
    Store,
}

/// Why a callback was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// It is no URL or query string.
    #[error("the callback is neither a URL nor a query string")]
    Malformed,
    /// A parameter came more than once (RFC 6749 §3.1).
    #[error("the callback carries the parameter {0} more than once")]
    DuplicateParameter(&'static str),
    /// It carries neither a code nor an error, or an empty one.
    #[error("the callback carries no code")]
    MissingCode,
    /// It carries both a code and an error.
    #[error("the callback carries both a code and an error")]
    CodeAndError,
    /// It carries no `state`, so it can't be tied to a login: restart the login.
    #[error("the callback carries no state: restart the login")]
    MissingState,
    /// It belongs to another login.
    #[error("the callback belongs to another login")]
    StateMismatch,
    /// It carries a `state`, so it belongs to a login that was started and is no impersonation.
    #[error("the callback carries a state, so it is no impersonation")]
    UnexpectedState,
    /// The user or the server ended the authorization (RFC 6749 §4.1.2.1).
    #[error("the authorization was refused: {0}")]
    Authorization(AuthorizationErrorCode),
}

open_enum! {
    /// The error codes of an authorization response (RFC 6749 §4.1.2.1).
    AuthorizationErrorCode {
        AccessDenied = "access_denied",
        InvalidRequest = "invalid_request",
        InvalidScope = "invalid_scope",
        ServerError = "server_error",
        TemporarilyUnavailable = "temporarily_unavailable",
        UnauthorizedClient = "unauthorized_client",
        UnsupportedResponseType = "unsupported_response_type",
    }
}

open_enum! {
    /// The error codes of the API, the ones of unfinished logins included.
    ErrorCode {
        AccessDenied = "access_denied",
        ApplicationConsentRequired = "application_consent_required",
        AuthenticationMethodNotAllowed = "authentication_method_not_allowed",
        AuthorizationPending = "authorization_pending",
        CodeChallengeNotFound = "code_challenge_not_found",
        DailyQuotaExceeded = "daily_quota_exceeded",
        EmailPasswordAuthDisabled = "email_password_auth_disabled",
        EmailVerificationCodeIncorrect = "email_verification_code_incorrect",
        EmailVerificationRequired = "email_verification_required",
        ExpiredToken = "expired_token",
        ExtraAttributesRequired = "extra_attributes_required",
        InvalidClient = "invalid_client",
        InvalidConnection = "invalid_connection",
        InvalidCredentials = "invalid_credentials",
        InvalidGrant = "invalid_grant",
        InvalidLinkAuthorizationCode = "invalid_link_authorization_code",
        InvalidOneTimeCode = "invalid_one_time_code",
        InvalidOrganizationId = "invalid_organization_id",
        InvalidPendingAuthenticationToken = "invalid_pending_authentication_token",
        InvalidProfile = "invalid_profile",
        InvalidRequest = "invalid_request",
        InvalidRequestParameters = "invalid_request_parameters",
        InvitationCannotBeUsedForEmail = "invitation_cannot_be_used_for_email",
        InvitationInvalid = "invitation_invalid",
        MfaChallenge = "mfa_challenge",
        MfaEnrollment = "mfa_enrollment",
        MfaVerification = "mfa_verification",
        OneTimeCodeExpired = "one_time_code_expired",
        OneTimeCodePreviouslyUsed = "one_time_code_previously_used",
        OneTimeCodeTooManyAttempts = "one_time_code_too_many_attempts",
        OrganizationAuthenticationMethodsRequired = "organization_authentication_methods_required",
        OrganizationMembershipNotFound = "organization_membership_not_found",
        OrganizationNotFound = "organization_not_found",
        OrganizationSelectionRequired = "organization_selection_required",
        PasskeyProgressiveEnrollment = "passkey_progressive_enrollment",
        PhoneNumberRequired = "phone_number_required",
        PkceNotSupported = "pkce_not_supported",
        RadarChallenge = "radar_challenge",
        RadarEmailChallenge = "radar_email_challenge",
        RadarSignUpChallenge = "radar_sign_up_challenge",
        RadarSmsChallenge = "radar_sms_challenge",
        RadarSmsSignInChallenge = "radar_sms_sign_in_challenge",
        SignUpNotAllowed = "sign_up_not_allowed",
        SlowDown = "slow_down",
        SsoRequired = "sso_required",
        TokenTooBig = "token_too_big",
        TooManyRequests = "too_many_requests",
        UnauthorizedClient = "unauthorized_client",
        UnsupportedGrantType = "unsupported_grant_type",
        UserMismatch = "user_mismatch",
        VerificationIdRequired = "verification_id_required",
    }
}

/// A code from outside, unless it is something else that must not get into logs.
pub(crate) fn plain_code(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (!text.is_empty() && text.len() <= 64 && text.bytes().all(plain)).then_some(text)
}

/// A refusal by the API: its code, and its message for those who know where to show it.
#[derive(Clone)]
pub struct ApiError {
    pub(crate) code: Option<ErrorCode>,
    pub(crate) message: Option<Arc<ServerMessage>>,
}

impl ApiError {
    /// The code, where the reply carried one.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        self.code.as_ref()
    }

    /// The API's own words. They may echo what was submitted, a code or a token, so they are a secret:
    /// fit for a developer's eyes, not for a log.
    #[must_use]
    pub fn message(&self) -> Option<&ServerMessage> {
        self.message.as_deref()
    }
}

/// What follows "the API refused the request".
impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.as_ref().map_or(Ok(()), |code| write!(formatter, ": {code}"))
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiError").field("code", &self.code).finish_non_exhaustive()
    }
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

    pub(crate) fn missing_variable(name: &'static str) -> Self {
        Self::local(ErrorKind::MissingVariable { name })
    }

    pub(crate) fn callback(error: CallbackError) -> Self {
        Self::local(ErrorKind::Callback(error))
    }

    pub(crate) fn parked(error: ParkedError) -> Self {
        Self::local(ErrorKind::Parked(error))
    }

    pub(crate) fn session_store(source: io::Error) -> Self {
        Self::with_source(ErrorKind::Store, Some(Box::new(source)))
    }

    /// Whoever else holds a lock doesn't let go of it.
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

    pub(crate) fn seal(error: SealError) -> Self {
        Self::local(ErrorKind::Sealed(error))
    }

    pub(crate) fn another_user() -> Self {
        Self::local(ErrorKind::AnotherUser)
    }

    pub(crate) fn signed_out() -> Self {
        Self::local(ErrorKind::SignedOut)
    }

    /// Whoever sent a request for others is gone.
    pub(crate) fn abandoned() -> Self {
        Self::local(ErrorKind::Interrupted)
    }

    /// There is no answer in the time that the caller has.
    pub(crate) fn too_late() -> Self {
        Self::local(ErrorKind::Timeout)
    }

    /// A switch brought another organization.
    pub(crate) fn another_organization() -> Self {
        Self::local(ErrorKind::AnotherOrganization)
    }

    pub(crate) fn unfinished(code: ErrorCode) -> Self {
        Self::local(ErrorKind::Unfinished(code))
    }

    pub(crate) fn device_login_expired() -> Self {
        Self::local(ErrorKind::DeviceLoginExpired)
    }

    /// The application could not keep a new pair of tokens.
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

    #[cfg(feature = "reqwest")]
    pub(crate) fn http_client(source: reqwest::Error) -> Self {
        Self::with_source(ErrorKind::HttpClient, Some(Box::new(source)))
    }

    #[cfg(any(feature = "reqwest", feature = "redis-tls"))]
    pub(crate) fn no_authorities(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::with_source(ErrorKind::NoAuthorities, Some(Box::new(source)))
    }

    /// An error that a reply tells of.
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

    /// Adds what the retry logic knows. The error was made a moment ago and isn't shared yet.
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

    /// The code of the API, where it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        match &self.0.kind {
            ErrorKind::Api(error) => error.code(),
            ErrorKind::Unfinished(code) => Some(code),
            _ => None,
        }
    }

    /// The HTTP status, where there was a reply.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// The reply's `x-request-id`, which WorkOS support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long the API asks to wait (`Retry-After`, RFC 9110 §10.2.3), counted from the reply; a hundred years at most.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Until when the same refresh token may be sent again: the API may have rotated it without its reply
    /// arriving, and answers a replay with the same pair for a short while.
    #[must_use]
    pub fn replay_before(&self) -> Option<Timestamp> {
        self.0.replay_before
    }

    /// Whether the failure says nothing about the credential, so that a later try may succeed:
    /// no connection, no complete reply, or a status of 408, 429 or 5xx; keys or a store that failed, unless the store says that
    /// something must be mended first, such as the mode of a file or the certificate of a server.
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
                ) || self.is_of_a_store() && !self.must_be_mended()
            }
        }
    }

    fn is_of_a_store(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Store | ErrorKind::Parked(ParkedError::Store))
    }

    /// Whether a store fails until somebody mends what it is given.
    fn must_be_mended(&self) -> bool {
        let source = self.0.source.as_deref().and_then(|source| source.downcast_ref::<io::Error>());
        source.is_some_and(|source| {
            matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::IsADirectory
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

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("status", &self.0.status)
            .field("request_id", &self.0.request_id)
            .field("retry_after", &self.0.retry_after)
            .field("replay_before", &self.0.replay_before)
            .field("source", &self.0.source)
            .finish()
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
    fn a_store_that_somebody_must_mend_is_not_transient() {
        let refused = || io::Error::new(io::ErrorKind::PermissionDenied, "others can read the file");
        assert!(!Error::session_store(refused()).is_transient());
        assert!(!Error::store(refused()).is_transient());
        assert!(!Error::session_store(io::ErrorKind::InvalidData.into()).is_transient());
    }
}
