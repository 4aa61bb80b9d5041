//! Calls of endpoints that aren't modelled.

use std::borrow::Cow;
use std::fmt;

use http::Method;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Api, ApiRequest, json};
use crate::client::Client;
use crate::credentials::HasApiKey;
use crate::error::Error;
use crate::transport::{self, Body, Route};

/// # Endpoints that are not modelled
impl<K> Client<K> {
    /// Calls any endpoint with the API key, with JSON in both directions. Limits and errors are those of all other calls.
    ///
    /// ```no_run
    /// # async fn run(client: workos_auth::ConfidentialClient) -> Result<(), workos_auth::Error> {
    /// use http::Method;
    ///
    /// let organization: serde_json::Value = client.request(Method::GET, "/organizations/org_123")?.send().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `path`: it must be an absolute path of at most 2,048
    /// bytes, in ASCII that decodes to UTF-8, without a query or a fragment. No segment may be empty, `.` or `..`, whether
    /// encoded or followed by a `;`. Backslashes and control characters are refused, encoded or not, and so are encoded slashes.
    pub fn request(&self, method: Method, path: impl Into<String>) -> Result<CustomRequest<'_>, Error>
    where
        K: HasApiKey,
    {
        let path = path.into();
        check(&path).map_err(|reason| Error::invalid_value("path", reason))?;
        Ok(CustomRequest { api: Api::new(self), method, path, query: Vec::new(), body: Ok(Body::None) })
    }
}

/// No endpoint has a longer path, and the time to decode a path that is encoded many times grows with the square of its length.
const MAX_PATH_BYTES: usize = 2_048;

/// Refuses every path that could lead to a different endpoint than it shows.
fn check(path: &str) -> Result<(), &'static str> {
    if path.len() > MAX_PATH_BYTES {
        return Err("must have at most 2,048 bytes");
    }
    if !path.starts_with('/') {
        return Err("must begin with `/`");
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'?' | b'#')) {
        return Err("must be visible ASCII without `\\`, `?` and `#`");
    }
    let encoded = |rest: &str| rest.as_bytes().get(..2).is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit));
    if !path.split('%').skip(1).all(encoded) {
        return Err("must have two hexadecimal digits after each `%`");
    }
    // Decoded until nothing is encoded: a URL library, a proxy and the server may each decode it once.
    let mut plain = path.to_owned();
    // They read bytes that aren't UTF-8 in different ways (RFC 3629 §10).
    while let Cow::Owned(decoded) = percent_decode_str(&plain).decode_utf8().map_err(|_| "must decode to UTF-8")? {
        plain = decoded;
    }
    if plain.matches('/').count() != path.matches('/').count() || plain.contains(|c: char| c == '\\' || c.is_control())
    {
        return Err("must not have encoded slashes, backslashes and control characters");
    }
    // A server may cut off the parameters of a segment (RFC 3986 §3.3).
    let is_relative = |segment: &str| matches!(segment.split(';').next(), None | Some("" | "." | ".."));
    if plain.split('/').skip(1).any(is_relative) {
        return Err("must not have empty segments, `.` and `..`");
    }
    Ok(())
}

/// A call of an endpoint that isn't modelled.
#[must_use = "nothing was sent yet: call `.send().await`"]
pub struct CustomRequest<'a> {
    api: Api<'a>,
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Result<Body, Error>,
}

impl CustomRequest<'_> {
    /// Adds a parameter to the query.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// The body, as JSON. The JSON is wiped from memory afterwards; the value itself belongs to the caller.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.body = json(body);
        self
    }

    /// Sends the call. An empty reply is read as `null`.
    ///
    /// # Errors
    /// As [`ApiRequest::send`].
    pub async fn send<T: DeserializeOwned>(self) -> Result<T, Error> {
        let Self { api, method, mut path, query, body } = self;
        if !query.is_empty() {
            path = format!("{path}?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish());
        }
        let route = Route::joined("(custom)", [path.as_str()]);
        ApiRequest::new(api.core, api.call(method, route, body), transport::read_or_null).send().await
    }
}

impl fmt::Debug for CustomRequest<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CustomRequest").field("method", &self.method).finish_non_exhaustive()
    }
}
