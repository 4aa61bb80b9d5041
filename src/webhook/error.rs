//! Why a delivery was not handled.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use http::StatusCode;

use crate::error::Error;
use crate::signature::SignatureError;

/// An event was not handled. Answer the request with [`status`](Self::status): WorkOS then sends the event again.
///
/// It shows nothing of the request.
#[derive(Debug)]
pub struct WebhookError {
    kind: WebhookErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Why an event was not handled. It is for logs: the status of the response tells the sender less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookErrorKind {
    /// There is no header `WorkOS-Signature`.
    MissingSignature,
    /// There are several.
    RepeatedSignature,
    /// The header isn't `t=<milliseconds since 1970>, v1=<64 hexadecimal digits in lower case>`. After that there may be signatures of
    /// versions from 2 on, which are ignored; nothing else may be there, and nothing twice.
    MalformedSignature,
    /// No secret makes this signature of the body. The endpoint's secret is another one, the body isn't as it came, or somebody else
    /// sent it.
    WrongSignature,
    /// The signature is right, and older than 3 minutes: the request is repeated, or this machine's clock is ahead.
    TooOld,
    /// The signature is right, and from more than 3 minutes in the future: this machine's clock is behind.
    TooNew,
    /// The body is larger than [`max_body_bytes`](super::Webhooks::max_body_bytes).
    TooLarge,
    /// The signature is right, and the body isn't an event, or not the event that its name says.
    Unreadable,
    /// Another delivery of the event is being handled, in this or another process. It may have taken the event over from this one, when the
    /// store was unavailable for 30 seconds.
    InProgress,
    /// The store that remembers what was handled has failed, or is full. If it failed in the end, the event was handled, and will be again.
    Store,
    /// The application's handler failed. Its error is the source.
    Handler,
    /// The operating system gave no random bytes.
    Randomness,
}

impl WebhookError {
    /// Why the event was not handled.
    #[must_use]
    pub fn kind(&self) -> WebhookErrorKind {
        self.kind
    }

    /// The status to answer with. 400 for everything that is wrong with the signature or the event, so that a forger doesn't learn how
    /// far the request came.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        use WebhookErrorKind as Kind;
        match self.kind {
            Kind::MissingSignature
            | Kind::RepeatedSignature
            | Kind::MalformedSignature
            | Kind::WrongSignature
            | Kind::TooOld
            | Kind::TooNew
            | Kind::Unreadable => StatusCode::BAD_REQUEST,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::InProgress | Kind::Store => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Handler | Kind::Randomness => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn store(source: io::Error) -> Self {
        Self { kind: WebhookErrorKind::Store, source: Some(Box::new(source)) }
    }

    pub(super) fn handler(source: Box<dyn StdError + Send + Sync>) -> Self {
        Self { kind: WebhookErrorKind::Handler, source: Some(source) }
    }

    pub(super) fn randomness(source: Error) -> Self {
        Self { kind: WebhookErrorKind::Randomness, source: Some(Box::new(source)) }
    }
}

impl From<WebhookErrorKind> for WebhookError {
    fn from(kind: WebhookErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl From<SignatureError> for WebhookError {
    fn from(error: SignatureError) -> Self {
        Self::from(match error {
            SignatureError::Missing => WebhookErrorKind::MissingSignature,
            SignatureError::Repeated => WebhookErrorKind::RepeatedSignature,
            SignatureError::Malformed => WebhookErrorKind::MalformedSignature,
            SignatureError::Wrong => WebhookErrorKind::WrongSignature,
            SignatureError::TooOld => WebhookErrorKind::TooOld,
            SignatureError::TooNew => WebhookErrorKind::TooNew,
        })
    }
}

impl fmt::Display for WebhookError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use WebhookErrorKind as Kind;
        formatter.write_str(match self.kind {
            Kind::MissingSignature => "the header WorkOS-Signature is missing",
            Kind::RepeatedSignature => "the header WorkOS-Signature is there several times",
            Kind::MalformedSignature => "the header WorkOS-Signature is malformed",
            Kind::WrongSignature => {
                "the signature is wrong: check the endpoint's secret, and that the body is as it came"
            }
            Kind::TooOld => "the signature is older than 3 minutes: check this machine's clock",
            Kind::TooNew => "the signature is from the future: check this machine's clock",
            Kind::TooLarge => "the body is too large",
            Kind::Unreadable => "the body isn't an event that can be read",
            Kind::InProgress => "the event is being handled by another delivery",
            Kind::Store => "the store of handled events failed",
            Kind::Handler => "the handler failed",
            Kind::Randomness => "the operating system gave no random bytes",
        })
    }
}

impl StdError for WebhookError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
