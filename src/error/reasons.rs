//! The reasons that an [`ErrorKind`](super::ErrorKind) gives where one kind of failure has several.

use super::codes::AuthorizationErrorCode;

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
