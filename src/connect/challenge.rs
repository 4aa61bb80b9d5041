//! Why a request isn't let in, and the response that tells its client how to get a token (RFC 6750 §3, RFC 9728 §5.1).

use std::fmt;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

use super::scopes::MissingScope;
use crate::error::{Error, ErrorKind, NoBearerToken, TokenError};
use crate::handlers::retry_later;

/// Why [`ResourceServer::verify`](super::ResourceServer::verify) doesn't accept a token.
///
/// There are only these three cases, so this enum is exhaustive.
#[derive(Clone, Debug, thiserror::Error)]
#[must_use = "it says whether the client needs a new token, or tries again with this one"]
pub enum NotAccepted {
    /// It was good, and has expired: the client needs a new one.
    #[error("the access token was refused: {}", TokenError::Expired)]
    Expired,
    /// It isn't a token for this resource server, or was changed.
    #[error(transparent)]
    Invalid(Error),
    /// The signing keys are unavailable ([`ErrorKind::KeysUnavailable`]), so the token can't be checked at the moment.
    #[error(transparent)]
    KeysUnavailable(Error),
}

impl NotAccepted {
    pub(super) fn of(error: Error) -> Self {
        match error.kind() {
            ErrorKind::KeysUnavailable => Self::KeysUnavailable(error),
            ErrorKind::InvalidToken(TokenError::Expired) => Self::Expired,
            _ => Self::Invalid(error),
        }
    }

    /// Why the token isn't accepted; [`TokenError::Expired`] if it has expired.
    #[must_use]
    pub fn error(&self) -> Error {
        match self {
            Self::Expired => Error::token(TokenError::Expired),
            Self::Invalid(error) | Self::KeysUnavailable(error) => error.clone(),
        }
    }
}

impl From<NotAccepted> for Error {
    fn from(not_accepted: NotAccepted) -> Self {
        not_accepted.error()
    }
}

/// Why a request isn't let in. Its [`response`](Self::response) tells the client what to do.
///
/// It comes from [`ResourceServer::admit`](super::ResourceServer::admit), and `?` makes one of a [`MissingScope`].
#[derive(Clone, Debug, thiserror::Error)]
#[error("the request is not authorized")]
#[must_use = "it has the response: `.response()`"]
pub struct NotAuthorized {
    #[source]
    refusal: Refusal,
    challenge: Challenge,
}

/// The cause of a [`NotAuthorized`].
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The request presents no token.
    #[error(transparent)]
    NoToken(NoBearerToken),
    /// Its token isn't accepted.
    #[error(transparent)]
    NotAccepted(NotAccepted),
    /// Its token is good, and lacks a scope.
    #[error(transparent)]
    MissingScope(MissingScope),
    /// Its token is good, and for another organization, or for none.
    #[error("the access token is for another organization")]
    WrongOrganization,
}

impl NotAuthorized {
    pub(super) fn new(refusal: Refusal, challenge: &Challenge) -> Self {
        Self { refusal, challenge: challenge.clone() }
    }

    /// The cause.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The response: a status, and a `WWW-Authenticate` header that says where the metadata of this resource server is, from which a
    /// client learns how to get a token (RFC 9728 §5.1).
    ///
    /// | status | `error` (RFC 6750 §3.1) | when |
    /// | --- | --- | --- |
    /// | 400 | `invalid_request` | there are several `Authorization` headers |
    /// | 401 | | there is no token |
    /// | 401 | `invalid_token` | the token isn't accepted |
    /// | 403 | `insufficient_scope`, with the `scope` | the token lacks a scope |
    /// | 403 | no such header | the token is for another organization |
    /// | 503 | no such header, but `Retry-After` | the signing keys are unavailable |
    #[must_use]
    pub fn response(&self) -> Response<String> {
        match &self.refusal {
            Refusal::NoToken(NoBearerToken::Missing) => self.challenge.unauthorized(&[]),
            Refusal::NoToken(NoBearerToken::Malformed)
            | Refusal::NotAccepted(NotAccepted::Expired | NotAccepted::Invalid(_)) => {
                self.challenge.unauthorized(&[("error", "invalid_token")])
            }
            Refusal::NoToken(NoBearerToken::Repeated) => {
                self.challenge.response(StatusCode::BAD_REQUEST, &[("error", "invalid_request")])
            }
            Refusal::NotAccepted(NotAccepted::KeysUnavailable(error)) => {
                let mut response = sentence(StatusCode::SERVICE_UNAVAILABLE);
                retry_later(&mut response, error);
                response
            }
            Refusal::MissingScope(missing) => missing.response(),
            Refusal::WrongOrganization => {
                let mut response = sentence(StatusCode::FORBIDDEN);
                "The access token is for another organization.".clone_into(response.body_mut());
                response
            }
        }
    }
}

impl From<MissingScope> for NotAuthorized {
    fn from(missing: MissingScope) -> Self {
        let challenge = missing.challenge.clone();
        Self { refusal: Refusal::MissingScope(missing), challenge }
    }
}

/// What each refusal has in common: the URL of the resource server's metadata.
#[derive(Clone)]
pub(super) struct Challenge {
    pub(super) metadata_url: Arc<str>,
}

impl Challenge {
    fn unauthorized(&self, parameters: &[(&str, &str)]) -> Response<String> {
        self.response(StatusCode::UNAUTHORIZED, parameters)
    }

    pub(super) fn response(&self, status: StatusCode, parameters: &[(&str, &str)]) -> Response<String> {
        let metadata = [("resource_metadata", &*self.metadata_url)];
        let parameters = parameters.iter().chain(&metadata).map(|(name, value)| format!("{name}={}", quoted(value)));
        let challenge = format!("Bearer {}", parameters.collect::<Vec<_>>().join(", "));
        let mut response = sentence(status);
        // It is visible ASCII.
        let challenge = HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static("Bearer"));
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        response
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Challenge")
    }
}

/// A quoted string (RFC 9110 §5.6.4). What can't be in one is left out.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars().filter(|character| matches!(character, ' '..='~')) {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

/// A response that no cache keeps, with one sentence for whoever reads it.
fn sentence(status: StatusCode) -> Response<String> {
    let text = match status {
        StatusCode::BAD_REQUEST => "The request has several Authorization headers.",
        StatusCode::FORBIDDEN => "The access token lacks a scope.",
        StatusCode::SERVICE_UNAVAILABLE => "This is not available at the moment. Please try again.",
        _ => "This needs an access token.",
    };
    let mut response = Response::new(text.to_owned());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_only_named() {
        assert_eq!(format!("{:?}", Challenge { metadata_url: "https://example.com/".into() }), "Challenge");
    }

    #[test]
    fn nothing_gets_out_of_its_quotes() {
        for (text, expected) in [
            ("read:posts", r#""read:posts""#),
            (r#"a", error="x"#, r#""a\", error=\"x""#),
            (r"a\", r#""a\\""#),
            ("a\r\nset-cookie: b", r#""aset-cookie: b""#),
            ("é\u{7f}\t", r#""""#),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
