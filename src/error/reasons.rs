//! The reasons that an [`ErrorKind`](super::ErrorKind) gives where one kind of failure has several.

use super::codes::AuthorizationErrorCode;

/// Why an access token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It has more than 16 KiB.
    #[error("it is too large")]
    TooLarge,
    /// It isn't a JWT in compact form, or its base64 isn't canonical.
    #[error("it is malformed")]
    Malformed,
    /// Its algorithm isn't RS256.
    #[error("its algorithm is not RS256")]
    WrongAlgorithm,
    /// It has a `crit` header (RFC 7515 §4.1.11), and this crate supports no such extension.
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
    /// The key that it names isn't for RS256 signatures, or has fewer than 2048 bits.
    #[error("its key is not for RS256")]
    UnsuitableKey,
    /// Its signature is wrong.
    #[error("its signature is wrong")]
    WrongSignature,
    /// Its claims have a different shape than those of WorkOS.
    #[error("its claims are malformed")]
    MalformedClaims,
    /// It lacks `exp`, `sub` or `sid`; at a [`ResourceServer`](crate::connect::ResourceServer) `exp`, `sub` or `jti`, so that it may be an
    /// ID token.
    #[error("a required claim is missing")]
    MissingClaim,
    /// It doesn't say which application it was issued to: it has no `client_id`, and its issuer is the API as a whole. If the
    /// environment issues such tokens, name the issuer with [`TokenVerifier::issuer`](crate::TokenVerifier::issuer).
    #[error("it does not say which client it was issued to")]
    MissingClientId,
    /// It comes from a different issuer.
    #[error("its issuer is wrong")]
    WrongIssuer,
    /// It was issued to another application.
    #[error("it was issued to another client")]
    WrongClient,
    /// It is for a different audience.
    #[error("its audience is wrong")]
    WrongAudience,
    /// It is the token of a user's session, where one of an OAuth or M2M application belongs.
    #[error("it is the token of a user's session")]
    SessionToken,
    /// It is the token of an OAuth application or MCP client that acts for the user, where one of the user's session belongs. A [`ResourceServer`](crate::connect::ResourceServer) verifies such tokens.
    #[error("it is the token of an application, and of no session")]
    ApplicationToken,
    /// It becomes valid in the future.
    #[error("it is not valid yet")]
    NotYetValid,
    /// It is the token of a different user than the session.
    #[error("it belongs to another user")]
    WrongUser,
    /// It is for a different organization than the requested one, or for none.
    #[error("it is for a different organization")]
    WrongOrganization,
    /// It has expired.
    #[error("it has expired")]
    Expired,
}

/// Why a session could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It isn't a sealed session, or a part of it can't be read.
    #[error("the sealed session is malformed")]
    Malformed,
    /// It was sealed in a different version of the format.
    #[error("the sealed session has an unknown version")]
    UnknownVersion,
    /// It names a password that isn't among the given ones.
    #[error("the session was sealed with another password")]
    WrongPassword,
    /// Its MAC is wrong: it was changed, or sealed with another password of the same ID. The two look the same.
    #[error("the sealed session was changed, or sealed with another password")]
    BadMac,
    /// It has expired.
    #[error("the sealed session has expired")]
    Expired,
    /// The sealed text isn't a session.
    #[error("the sealed text is not a session")]
    NotASession,
    /// Its name and value have more than 4096 bytes, so browsers drop the cookie.
    #[error("the session cookie has {bytes} bytes, and browsers accept 4096 at most")]
    TooLarge {
        /// The bytes of name and value.
        bytes: usize,
    },
}

/// Why a login could not be parked or resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParkedError {
    /// It isn't a parked login.
    #[error("this isn't a parked login")]
    Malformed,
    /// It was parked by a release with a different format.
    #[error("the login was parked in an unknown format")]
    UnknownVersion,
    /// It was sealed with another password.
    #[error("the login was sealed with another password")]
    WrongPassword,
    /// It was changed after it was sealed.
    #[error("the parked login was changed")]
    Tampered,
    /// It has expired.
    #[error("the parked login has expired")]
    Expired,
    /// It is a different kind of login or step.
    #[error("the parked value is of a different kind")]
    WrongKind,
    /// It belongs to another client ID.
    #[error("the parked login belongs to another client ID")]
    WrongClient,
    /// It belongs to another base URL.
    #[error("the parked login belongs to another base URL")]
    WrongBaseUrl,
    /// It belongs to another redirect URI.
    #[error("the parked login belongs to another redirect URI")]
    WrongRedirectUri,
    /// Its name and value have more than 4096 bytes, so browsers drop the cookie.
    #[error("the login cookie has {bytes} bytes, and browsers accept 4096 at most")]
    TooLarge {
        /// The bytes of its name and value.
        bytes: usize,
    },
    /// The store holds no login with this handle and state: it was taken already, has expired, or was never begun. This is also what a
    /// callback gets that arrives a second time.
    #[error("the store holds no such login: it was used already, has expired, or was begun elsewhere")]
    NotFound,
    /// The request has no login cookie for this callback, or two different ones. The login was begun in another browser or on
    /// another host, was finished already, or took longer than its cookie lasts. This is also what a callback gets that arrives a
    /// second time.
    #[error(
        "the request has no login cookie for this callback: begin the login again in the same browser, on the same host"
    )]
    NoCookie,
    /// The store failed.
    #[error("the store failed")]
    Store,
}

/// Why a callback was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// It is neither a URL nor a query string.
    #[error("the callback is neither a URL nor a query string")]
    Malformed,
    /// A parameter is given more than once (RFC 6749 §3.1).
    #[error("the callback has the parameter {0} more than once")]
    DuplicateParameter(&'static str),
    /// It has neither a code nor an error, or an empty one.
    #[error("the callback has no code")]
    MissingCode,
    /// It has both a code and an error.
    #[error("the callback has both a code and an error")]
    CodeAndError,
    /// It has no `state`, so it can't be tied to a login: restart the login.
    #[error("the callback has no state: restart the login")]
    MissingState,
    /// It belongs to another login.
    #[error("the callback belongs to another login")]
    StateMismatch,
    /// It has a `state`, so it belongs to a login that an application started.
    #[error("the callback has a state, so it belongs to a login that an application started")]
    UnexpectedState,
    /// The user or the server refused the authorization (RFC 6749 §4.1.2.1).
    #[error("the authorization was refused: {0}")]
    Authorization(AuthorizationErrorCode),
}

/// Why the API key of a customer's request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CustomerKeyError {
    /// The request presents none, or one that can't be a key: the header is malformed, or it has more than 512 bytes.
    #[error("{0}")]
    NotPresented(NoBearerToken),
    /// WorkOS doesn't know the key: it is made up, was deleted, or has expired.
    #[error("it isn't valid")]
    Invalid,
    /// The key may be good, and this process may not ask WorkOS about it now.
    #[error("too many keys are to be validated")]
    TooManyRequests,
    /// The key is valid, and lacks this permission.
    #[error("it lacks the permission {0}")]
    MissingPermission(String),
    /// The key is valid, and for another organization.
    #[error("it is for another organization")]
    WrongOrganization,
}

/// Why a request presents no bearer token (RFC 6750 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoBearerToken {
    /// It has no `Authorization` header, or one of another scheme.
    #[error("the request has no bearer token")]
    Missing,
    /// It has several `Authorization` headers.
    #[error("the request has several Authorization headers")]
    Repeated,
    /// What comes after `Bearer` isn't a token, or has more than 16 KiB.
    #[error("the bearer token is malformed")]
    Malformed,
}

/// Why a request that would change something was refused: it may come from a page of another origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedRequest {
    /// It isn't a `POST`. Any page can make a browser send a request with another method.
    #[error("the request isn't a POST")]
    NotPost,
    /// Its `Sec-Fetch-Site` or `Origin` header names another origin.
    #[error("the request comes from another origin")]
    CrossOrigin,
}
