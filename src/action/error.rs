//! Why an Action was not answered.

use std::error::Error as StdError;
use std::fmt;

use http::StatusCode;

use crate::signature::SignatureError;

/// An Action was not answered. Answer the request with [`status`](Self::status). WorkOS then denies, unless a
/// [setting](super#when-there-is-no-answer) of the endpoint says otherwise.
///
/// It shows nothing of the request.
#[derive(Debug)]
pub struct ActionError {
    kind: ActionErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Why an Action was not answered. It is for logs: the status of the response tells the sender less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActionErrorKind {
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
    /// The signature is right, but older than 30 seconds: the request was sent again, or this machine's clock is ahead.
    TooOld,
    /// The signature is right, but from more than 30 seconds in the future: this machine's clock is behind.
    TooNew,
    /// The body is larger than [`max_body_bytes`](super::Actions::max_body_bytes).
    TooLarge,
    /// The signature is right, but the body isn't an Action, or isn't of the kind that its `object` names.
    Unreadable,
    /// The signature is right, but this release has no type for this kind of Action.
    UnknownAction,
    /// The application's handler failed. Its error is the source.
    Handler,
}

impl ActionError {
    /// Why the Action was not answered.
    #[must_use]
    pub fn kind(&self) -> ActionErrorKind {
        self.kind
    }

    /// The status to answer with. 400 for everything that is wrong with the signature or the body, so that a forger doesn't learn how far
    /// the request came; 501 for an Action of an unknown kind, which only WorkOS can have signed.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        use ActionErrorKind as Kind;
        match self.kind {
            Kind::MissingSignature
            | Kind::RepeatedSignature
            | Kind::MalformedSignature
            | Kind::WrongSignature
            | Kind::TooOld
            | Kind::TooNew
            | Kind::Unreadable => StatusCode::BAD_REQUEST,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::UnknownAction => StatusCode::NOT_IMPLEMENTED,
            Kind::Handler => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn handler(source: Box<dyn StdError + Send + Sync>) -> Self {
        Self { kind: ActionErrorKind::Handler, source: Some(source) }
    }
}

impl From<ActionErrorKind> for ActionError {
    fn from(kind: ActionErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl From<SignatureError> for ActionError {
    fn from(error: SignatureError) -> Self {
        Self::from(match error {
            SignatureError::Missing => ActionErrorKind::MissingSignature,
            SignatureError::Repeated => ActionErrorKind::RepeatedSignature,
            SignatureError::Malformed => ActionErrorKind::MalformedSignature,
            SignatureError::Wrong => ActionErrorKind::WrongSignature,
            SignatureError::TooOld => ActionErrorKind::TooOld,
            SignatureError::TooNew => ActionErrorKind::TooNew,
        })
    }
}

impl fmt::Display for ActionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ActionErrorKind as Kind;
        formatter.write_str(match self.kind {
            Kind::MissingSignature => "the header WorkOS-Signature is missing",
            Kind::RepeatedSignature => "the header WorkOS-Signature is there several times",
            Kind::MalformedSignature => "the header WorkOS-Signature is malformed",
            Kind::WrongSignature => {
                "the signature is wrong: check the endpoint's secret, and that the body is as it came"
            }
            Kind::TooOld => "the signature is older than 30 seconds: check this machine's clock",
            Kind::TooNew => "the signature is from the future: check this machine's clock",
            Kind::TooLarge => "the body is too large",
            Kind::Unreadable => "the body isn't an Action that can be read",
            Kind::UnknownAction => "the Action is of a kind that this release of workos-auth doesn't know",
            Kind::Handler => "the handler failed",
        })
    }
}

impl StdError for ActionError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
