//! Why the in-process AuthKit refuses a request, and how it says so.

use std::io;

use http::StatusCode;
use serde_json::{Value, json};

/// Why a request is refused.
pub(super) enum Refusal {
    /// 400 with `{error, error_description}` (RFC 6749 §5.2).
    OAuth(&'static str, &'static str),
    /// 400 with `{code, message}`.
    Code(&'static str),
    /// 403 with `{code, message, pending_authentication_token, …}`: the login needs a further step.
    Step(Value),
    /// 404 with `{message}`.
    NotFound,
    /// 401 with `{message}`.
    Unauthorized,
    /// 500 with `{message}`: the operating system gave no random bytes, or signing failed.
    Internal,
}

impl Refusal {
    pub(super) const MISSING_PARAMETER: Self = Self::OAuth("invalid_request", "A parameter is missing.");

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::OAuth(..) | Self::Code(_) => StatusCode::BAD_REQUEST,
            Self::Step(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn body(&self) -> Value {
        match self {
            Self::OAuth(error, description) => json!({"error": error, "error_description": description}),
            Self::Code(code) => json!({"code": code, "message": "The request could not be processed."}),
            Self::Step(step) => step.clone(),
            Self::NotFound => json!({"message": "Not Found"}),
            Self::Unauthorized => json!({"message": "Unauthorized"}),
            Self::Internal => json!({"message": "Internal Server Error"}),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(_: io::Error) -> Self {
        Self::Internal
    }
}
