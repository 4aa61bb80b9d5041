//! The responses that say that something failed, and those that send the browser on.

use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

use crate::cookies::SetCookie;
use crate::error::{
    CustomerKeyError, Error, ErrorCode, ErrorKind, NoBearerToken, ParkedError, RefusedRequest, SealError, TokenError,
};
use crate::response::ResponseHeaders;

/// How long a client waits after an outage, unless the API says otherwise.
const RETRY_AFTER_SECONDS: u64 = 5;
/// What a 401 asks for (RFC 9110 §11.6.1): a session. No scheme for cookies is registered. Browsers ask the user nothing for a scheme that
/// they don't know.
const COOKIE: &str = "Cookie";
/// What it asks for where a token or an API key was refused (RFC 6750 §3.1).
const BEARER: &str = "Bearer error=\"invalid_token\"";
/// The same where a request has none.
const NO_BEARER: &str = "Bearer";
/// The same where a request's `Authorization` can't be read.
const BAD_BEARER: &str = "Bearer error=\"invalid_request\"";
/// What a caller with an API key is told instead of "Please sign in."
const KEY_NEEDED: &str = "A valid API key is needed.";

/// # The response to a request that failed
impl Error {
    /// The response to a request that failed with this error: a status, and one sentence without details.
    ///
    /// | status | when |
    /// | --- | --- |
    /// | 400 | a value, callback or code was refused |
    /// | 401 | the session is over, or the token or API key was refused; with `WWW-Authenticate`, as RFC 9110 §15.5.2 wants it |
    /// | 403 | the token is for another organization, a permission is missing, the API forbids it, or the request comes from another origin |
    /// | 405 | a request that isn't a `POST` would change something |
    /// | 429 | too many API keys of customers are to be validated; with `Retry-After` |
    /// | 500 | this application is set up wrongly, or its store fails until somebody fixes it |
    /// | 502 | WorkOS can't be reached safely, or its reply makes no sense |
    /// | 503 | a later try may succeed; with `Retry-After` |
    ///
    /// The error itself is in the response's extensions, for a layer that makes the application's own error page of it.
    ///
    /// ```
    /// use workos_auth::{Error, ReturnPath};
    ///
    /// let response = ReturnPath::new("//elsewhere.example.com").unwrap_err().response();
    /// assert_eq!(response.status(), 400);
    /// assert!(response.extensions().get::<Error>().is_some());
    /// ```
    #[must_use]
    pub fn response(&self) -> Response<String> {
        let mut response = sentence(status(self));
        let challenge = match self.kind() {
            ErrorKind::InvalidToken(_) if response.status() == StatusCode::UNAUTHORIZED => Some(BEARER),
            ErrorKind::CustomerKey(CustomerKeyError::NotPresented(NoBearerToken::Missing)) => Some(NO_BEARER),
            ErrorKind::CustomerKey(CustomerKeyError::NotPresented(_)) => Some(BAD_BEARER),
            ErrorKind::CustomerKey(CustomerKeyError::Invalid) => Some(BEARER),
            _ => None,
        };
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let (ErrorKind::CustomerKey(_), StatusCode::UNAUTHORIZED) = (self.kind(), response.status()) {
            KEY_NEEDED.clone_into(response.body_mut());
        }
        response.extensions_mut().insert(self.clone());
        if self.is_transient() {
            retry_later(&mut response, self);
        }
        if let ErrorKind::RefusedRequest(RefusedRequest::NotPost) = self.kind() {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

fn status(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::CustomerKey(reason) => match reason {
            CustomerKeyError::NotPresented(NoBearerToken::Missing) | CustomerKeyError::Invalid => {
                StatusCode::UNAUTHORIZED
            }
            CustomerKeyError::NotPresented(_) => StatusCode::BAD_REQUEST,
            CustomerKeyError::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            CustomerKeyError::MissingPermission(_) | CustomerKeyError::WrongOrganization => StatusCode::FORBIDDEN,
        },
        _ if error.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Parked(ParkedError::Store | ParkedError::TooLarge { .. })
        | ErrorKind::Sealed(SealError::TooLarge { .. }) => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::InvalidValue { .. }
        | ErrorKind::Callback(_)
        | ErrorKind::Parked(_)
        | ErrorKind::Unfinished(_)
        | ErrorKind::DeviceLoginExpired
        | ErrorKind::NoCallback
        | ErrorKind::NotImpersonated
        | ErrorKind::WrongCode => StatusCode::BAD_REQUEST,
        ErrorKind::RefusedRequest(RefusedRequest::NotPost) => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::RefusedRequest(RefusedRequest::CrossOrigin)
        | ErrorKind::InvalidToken(TokenError::WrongOrganization) => StatusCode::FORBIDDEN,
        ErrorKind::InvalidToken(_) | ErrorKind::Sealed(_) | ErrorKind::AnotherUser | ErrorKind::SignedOut => {
            StatusCode::UNAUTHORIZED
        }
        // A refused refresh token ends the session.
        ErrorKind::Api(api) if api.code() == Some(&ErrorCode::InvalidGrant) => StatusCode::UNAUTHORIZED,
        ErrorKind::Api(api) if matches!(api.code(), Some(ErrorCode::InvalidClient | ErrorCode::UnauthorizedClient)) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        ErrorKind::Api(api) if api.code() == Some(&ErrorCode::OrganizationMembershipNotFound) => StatusCode::FORBIDDEN,
        ErrorKind::Api(_) => match error.status() {
            // The API key or the client ID was refused: that is no mistake of whoever asks.
            Some(StatusCode::UNAUTHORIZED) => StatusCode::INTERNAL_SERVER_ERROR,
            Some(StatusCode::FORBIDDEN) => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        },
        ErrorKind::AnotherOrganization
        | ErrorKind::IssuerMetadata
        | ErrorKind::Certificate
        | ErrorKind::Tls
        | ErrorKind::TooLarge
        | ErrorKind::NotJson
        | ErrorKind::UnexpectedShape
        | ErrorKind::UnexpectedStatus => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A response that no cache keeps, with one sentence for whoever reads it.
pub(super) fn sentence(status: StatusCode) -> Response<String> {
    let text = match status {
        StatusCode::BAD_REQUEST => "That did not work. Please try again.",
        StatusCode::UNAUTHORIZED => "Please sign in.",
        StatusCode::FORBIDDEN => "You are not allowed to do that.",
        StatusCode::METHOD_NOT_ALLOWED => "This address takes a POST.",
        StatusCode::PAYLOAD_TOO_LARGE => "This is too long.",
        StatusCode::TOO_MANY_REQUESTS => "These are too many requests. Please try again.",
        StatusCode::SERVICE_UNAVAILABLE => "This is not available at the moment. Please try again.",
        _ => "Something went wrong. Please try again later.",
    };
    let mut response = private(status);
    text.clone_into(response.body_mut());
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(COOKIE));
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The answer to an outage, whatever its cause.
pub(super) fn unavailable(error: &Error) -> Response<String> {
    let mut response = sentence(StatusCode::SERVICE_UNAVAILABLE);
    retry_later(&mut response, error);
    response
}

pub(crate) fn retry_later(response: &mut Response<String>, error: &Error) {
    // A part of a second counts as one: whoever comes too early is turned away again.
    let wait =
        error.retry_after().map_or(RETRY_AFTER_SECONDS, |wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
}

pub(super) fn redirect(status: StatusCode, location: &str) -> Result<Response<String>, Error> {
    let mut location =
        HeaderValue::from_str(location).map_err(|_| Error::invalid_value("location", "must be ASCII"))?;
    // It may contain a login's state.
    location.set_sensitive(true);
    let mut response = private(status);
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

pub(super) fn with_cookies(
    mut response: Response<String>,
    cookies: impl IntoIterator<Item = SetCookie>,
) -> Response<String> {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie.into());
    }
    response
}

/// The answer to a form that is too long to be one of ours.
#[cfg(feature = "axum")]
pub(crate) fn too_large() -> Response<String> {
    sentence(StatusCode::PAYLOAD_TOO_LARGE)
}

/// Tells the operator why a request was not answered as its user wished.
#[cfg(feature = "tower")]
pub(crate) fn trace_refusal(error: &(dyn std::error::Error + 'static), status: StatusCode) {
    if status.is_server_error() {
        tracing::warn!(error, status = status.as_u16(), "a request failed");
    } else {
        tracing::debug!(error, status = status.as_u16(), "a request was refused");
    }
}

fn private(status: StatusCode) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    ResponseHeaders::private().add_to(response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ApiError, CallbackError};

    #[test]
    fn each_error_has_its_status() {
        let api = |status| Error::reply(ErrorKind::UnexpectedShape, status, None);
        let refused =
            |status, code| Error::reply(ErrorKind::Api(ApiError { code: Some(code), message: None }), status, None);
        for (error, status) in [
            (Error::invalid_value("organization_id", "is empty"), 400),
            (Error::callback(CallbackError::StateMismatch), 400),
            (Error::parked(ParkedError::NotFound), 400),
            (Error::unfinished(ErrorCode::InvalidGrant), 400),
            (Error::signed_out(), 401),
            (Error::another_user(), 401),
            (Error::token(TokenError::Expired), 401),
            (Error::seal(SealError::BadMac), 401),
            (Error::token(TokenError::WrongOrganization), 403),
            (Error::customer_key(CustomerKeyError::MissingPermission("posts:read".to_owned())), 403),
            (Error::from(RefusedRequest::CrossOrigin), 403),
            (Error::from(RefusedRequest::NotPost), 405),
            (Error::seal(SealError::TooLarge { bytes: 5_000 }), 500),
            (Error::missing_variable("WORKOS_API_KEY", "an API key"), 500),
            (Error::session_store(std::io::ErrorKind::PermissionDenied.into()), 500),
            (refused(StatusCode::BAD_REQUEST, ErrorCode::InvalidGrant), 401),
            (refused(StatusCode::BAD_REQUEST, ErrorCode::OrganizationMembershipNotFound), 403),
            (refused(StatusCode::FORBIDDEN, ErrorCode::AccessDenied), 403),
            // Our own client ID or key.
            (refused(StatusCode::BAD_REQUEST, ErrorCode::InvalidClient), 500),
            (refused(StatusCode::BAD_REQUEST, ErrorCode::UnauthorizedClient), 500),
            (refused(StatusCode::UNAUTHORIZED, ErrorCode::InvalidClient), 500),
            (Error::another_organization(), 502),
            (api(StatusCode::OK), 502),
            (api(StatusCode::BAD_GATEWAY), 503),
            (Error::keys_unavailable(None), 503),
            (Error::session_store(std::io::ErrorKind::ConnectionReset.into()), 503),
            (Error::too_late(), 503),
        ] {
            let response = error.response();
            let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            assert_eq!(response.status(), status, "{error}");
            assert_eq!((header("cache-control"), header("vary")), (Some("no-store"), Some("Cookie")), "{error}");
            assert_eq!(header("retry-after"), (status == 503).then_some("5"), "{error}");
            assert_eq!(header("allow"), (status == 405).then_some("POST"), "{error}");
            let is_a_token = matches!(error.kind(), ErrorKind::InvalidToken(_));
            let scheme = if is_a_token { "Bearer error=\"invalid_token\"" } else { "Cookie" };
            assert_eq!(header("www-authenticate"), (status == 401).then_some(scheme), "{error}");
            assert!(!response.body().is_empty() && !response.body().contains(&error.to_string()), "{error}");
        }
    }

    #[test]
    fn an_outage_says_when_to_try_again() {
        let error = Error::too_late().advise(Some(std::time::Duration::from_secs(17)), None);
        assert_eq!(error.response().headers()["retry-after"], "17");
        // Whatever its cause is, nobody can tell who is signed in.
        let lasting = unavailable(&Error::missing_variable("WORKOS_API_KEY", "an API key"));
        assert_eq!(
            (lasting.status(), &lasting.headers()["retry-after"]),
            (StatusCode::SERVICE_UNAVAILABLE, &"5".parse().unwrap())
        );
    }
}
