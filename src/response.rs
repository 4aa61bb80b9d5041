//! [`ForResponse`]: the result for a request, and the headers that its response must have.

use std::fmt;

use http::Response;
use http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, VARY};

use crate::cookies::{Asked, CookieFingerprint, SetCookie, name_set_by};

/// Whether a cookie that waits to be set is outdated by now.
pub(crate) type Outdated = Box<dyn Fn() -> bool + Send + Sync>;

/// The result for a request's session, and the headers that the response must have: the session's new or cleared cookie,
/// `Cache-Control: no-store` and `Vary: Cookie`.
///
/// Only the function that makes the response gets the value, so that no header is forgotten:
///
/// ```
/// # use workos_auth::{SessionState, session::ForResponse};
/// # fn run(found: ForResponse<SessionState>) {
/// let response = found.respond(|state| match state {
///     SessionState::Active(signed_in) => http::Response::new(format!("Hello, {}", signed_in.user().email)),
///     SessionState::SignedOut(_) => http::Response::builder().status(401).body("Please sign in.".to_owned()).unwrap_or_default(),
///     SessionState::TemporarilyUnknown(_) => {
///         http::Response::builder().status(503).body("Please try again.".to_owned()).unwrap_or_default()
///     }
/// });
/// # }
/// ```
///
/// A middleware around all routes uses [`respond_async`](Self::respond_async). A cookie that an inner handler sets, because it signs
/// in or out, is kept.
#[must_use = "the session may have a new cookie: call `.respond(|found| response)`"]
pub struct ForResponse<T> {
    value: T,
    headers: ResponseHeaders,
}

impl<T> ForResponse<T> {
    pub(crate) fn new(value: T, headers: ResponseHeaders) -> Self {
        Self { value, headers }
    }

    /// Makes the response and adds the headers to it. Send it at once.
    ///
    /// If the response sets the session cookie itself, no other is added. A renewed cookie is left out if its session was signed
    /// out, switched or renewed again in the meantime, as far as this process knows. `Cache-Control` becomes `no-store`, and `Cookie`
    /// is added to `Vary`.
    pub fn respond<B>(self, respond: impl FnOnce(T) -> Response<B>) -> Response<B> {
        let mut response = respond(self.value);
        self.headers.add_to(response.headers_mut());
        response
    }

    /// As [`respond`](Self::respond), with an async function.
    pub async fn respond_async<B, F>(self, respond: impl FnOnce(T) -> F) -> Response<B>
    where
        F: Future<Output = Response<B>>,
    {
        let Self { value, headers } = self;
        let mut response = respond(value).await;
        headers.add_to(response.headers_mut());
        response
    }

    /// For a caller that adds the headers itself.
    #[cfg(feature = "tower")]
    pub(crate) fn split(self) -> (T, ResponseHeaders) {
        (self.value, self.headers)
    }

    /// The fingerprint of the session cookie that this result is about; `None` if the request had no cookie. A browser that has
    /// another value by now has signed in since, or has a newer cookie of the same session.
    #[must_use]
    pub fn speaks_of(&self) -> Option<&CookieFingerprint> {
        self.headers.speaks_of.as_ref()
    }
}

impl<T: fmt::Debug> fmt::Debug for ForResponse<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cookie = self.headers.cookie.as_ref().map(|(cookie, _)| cookie);
        formatter
            .debug_struct("ForResponse")
            .field("value", &self.value)
            .field("cookie", &cookie)
            .finish_non_exhaustive()
    }
}

/// The headers of a response that depends on the session.
pub(crate) struct ResponseHeaders {
    cookie: Option<(SetCookie, Outdated)>,
    asked: Asked,
    speaks_of: Option<CookieFingerprint>,
}

impl ResponseHeaders {
    /// The headers without a session cookie.
    pub(crate) fn private() -> Self {
        Self { cookie: None, asked: Asked::now(), speaks_of: None }
    }

    /// The headers for a request with this cookie value.
    pub(crate) fn of(value: &str, asked: Asked, cookie: Option<(SetCookie, Outdated)>) -> Self {
        Self { cookie, asked, speaks_of: Some(CookieFingerprint::of(value)) }
    }

    pub(crate) fn add_to(self, headers: &mut HeaderMap) {
        let current = self.cookie.filter(|(_, is_outdated)| !is_outdated()).map(|(cookie, _)| cookie);
        if let Some(cookie) = self.asked.in_time(current) {
            let name = Some(cookie.name().as_bytes());
            if headers.get_all(SET_COOKIE).iter().all(|line| name_set_by(line) != name) {
                headers.append(SET_COOKIE, cookie.into());
            }
        }
        if !lists(headers, &CACHE_CONTROL, |directive| directive.eq_ignore_ascii_case("no-store")) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if !lists(headers, &VARY, |field| field == "*" || field.eq_ignore_ascii_case("cookie")) {
            headers.append(VARY, HeaderValue::from_static("Cookie"));
        }
    }
}

/// Whether a list header (RFC 9110 §5.6.1) has a matching element.
fn lists(headers: &HeaderMap, name: &HeaderName, matches: impl Fn(&str) -> bool) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|element| matches(element.trim_matches([' ', '\t'])))
}
