//! Reads every reply: a success, or a refusal in one of three shapes.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::{Failure, Reply};
use crate::error::{ApiError, ErrorCode, ErrorKind, plain_code};
use crate::secret::{PendingAuthenticationToken, ServerMessage};

/// All three shapes at once: `{code, message, …}`, `{error, error_description, …}` and a bare `{message}`.
#[derive(Deserialize)]
pub(crate) struct Refusal {
    code: Option<String>,
    error: Option<String>,
    message: Option<ServerMessage>,
    error_description: Option<ServerMessage>,
    pub(crate) pending_authentication_token: Option<PendingAuthenticationToken>,
}

impl Refusal {
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        self.code.as_deref().or(self.error.as_deref()).and_then(plain_code).map(ErrorCode::from)
    }

    pub(crate) fn into_message(self) -> Option<ServerMessage> {
        self.message.or(self.error_description)
    }

    pub(crate) fn failure(self, reply: Reply) -> Failure {
        let code = self.code();
        reply.failure(ErrorKind::Api(ApiError { code, message: self.into_message().map(Arc::new) }))
    }
}

/// Reads the reply of any endpoint.
pub(crate) fn read<T: DeserializeOwned>(reply: Reply) -> Result<T, Failure> {
    match success_or_refusal(&reply) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(refusal)) => Err(refusal.failure(reply)),
        Err(kind) => Err(reply.failure(kind)),
    }
}

pub(crate) fn success_or_refusal<T: DeserializeOwned>(reply: &Reply) -> Result<Result<T, Refusal>, ErrorKind> {
    if reply.status.is_success() {
        parse(reply).map(Ok)
    } else if reply.status.is_client_error() || reply.status.is_server_error() {
        parse(reply).map(Err)
    } else {
        Err(ErrorKind::UnexpectedStatus)
    }
}

/// Reads a reply that may be empty, in which case it is read as `null`.
pub(crate) fn read_or_null<T: DeserializeOwned>(mut reply: Reply) -> Result<T, Failure> {
    if reply.status.is_success() && reply.body.is_empty() {
        reply.body = Bytes::from_static(b"null");
    }
    read(reply)
}

/// Reads only whether a reply is a success.
pub(crate) fn accept(reply: Reply) -> Result<(), Failure> {
    if reply.status.is_success() { Ok(()) } else { read::<IgnoredAny>(reply).map(drop) }
}

/// Parses a body. Serde's own message is dropped, because it shows values.
pub(crate) fn parse<T: DeserializeOwned>(reply: &Reply) -> Result<T, ErrorKind> {
    serde_json::from_slice(&reply.body)
        .map_err(|error| if error.is_data() { ErrorKind::UnexpectedShape } else { ErrorKind::NotJson })
}
