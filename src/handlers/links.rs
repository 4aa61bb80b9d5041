//! The paths of a login's requests, and the way back to the page that asked for a login.

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::id::{RedirectUri, ReturnPath};

/// The query parameter of a login request that says where the user goes after the login.
const RETURN_TO: &str = "return_to";
/// The maximum bytes of a return path: it must fit into the login cookie, and several such cookies into a request.
const MAX_RETURN_PATH_BYTES: usize = 1_024;
/// The ASCII characters of a return path that are encoded; control characters are refused.
const ENCODED: &AsciiSet = &AsciiSet::EMPTY.add(b' ');
/// What is encoded in a parameter (RFC 3986 §3.4): everything but unreserved characters and `/`.
const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Where the requests of a login are answered.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) login: String,
    #[cfg(feature = "axum")]
    pub(crate) callback: Option<String>,
    #[cfg(feature = "axum")]
    pub(crate) logout: String,
    #[cfg(feature = "axum")]
    pub(crate) switch: String,
}

impl Paths {
    /// The callback is where the redirect URI says, and the others are beside it.
    pub(super) fn beside(redirect_uri: &RedirectUri) -> Self {
        let callback = redirect_uri.path().unwrap_or("/callback");
        let folder = callback.rsplit_once('/').map_or("", |(folder, _)| folder);
        Self {
            login: format!("{folder}/login"),
            #[cfg(feature = "axum")]
            callback: Some(callback.to_owned()),
            #[cfg(feature = "axum")]
            logout: format!("{folder}/logout"),
            #[cfg(feature = "axum")]
            switch: format!("{folder}/switch-organization"),
        }
    }

    /// The login that leads back to this page.
    pub(super) fn login_for(&self, request: &Parts) -> String {
        let is_page = matches!(request.method, Method::GET | Method::HEAD);
        let page = original_uri(request).path_and_query().map(PathAndQuery::as_str).filter(|_| is_page);
        self.login_to(page.unwrap_or("/"))
    }

    /// The login that leads to this path.
    pub(super) fn login_to(&self, path: &str) -> String {
        match checked(path).filter(|path| path.as_str() != "/") {
            Some(path) => format!("{}?{RETURN_TO}={}", self.login, utf8_percent_encode(path.as_str(), PARAMETER)),
            None => self.login.clone(),
        }
    }
}

/// The URI as the browser sent it: a router of axum takes the path of its nest away.
fn original_uri(request: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions.get::<::axum::extract::OriginalUri>() {
        return original;
    }
    &request.uri
}

/// The return path that a request's query names.
pub(super) fn return_path(request: &Parts) -> Option<ReturnPath> {
    named_in(request.uri.query().unwrap_or_default().as_bytes())
}

/// The return path that a query or a form names.
pub(super) fn named_in(encoded: &[u8]) -> Option<ReturnPath> {
    checked(&form_urlencoded::parse(encoded).find(|(name, _)| name == RETURN_TO)?.1)
}

fn checked(path: &str) -> Option<ReturnPath> {
    let path = utf8_percent_encode(path, ENCODED).to_string();
    if path.len() <= MAX_RETURN_PATH_BYTES { ReturnPath::new(path).ok() } else { None }
}

#[cfg(all(test, feature = "axum"))]
mod tests {
    use super::*;

    #[test]
    fn the_other_paths_are_beside_the_callback() {
        for (redirect_uri, callback, login) in [
            ("https://app.example.com/callback", "/callback", "/login"),
            ("https://app.example.com/auth/callback?from=workos", "/auth/callback", "/auth/login"),
            ("http://127.0.0.1:3000/a/b/c", "/a/b/c", "/a/b/login"),
            ("https://app.example.com", "/", "/login"),
            ("com.example.app:/back", "/back", "/login"),
            ("com.example.app:back", "/callback", "/login"),
        ] {
            let paths = Paths::beside(&RedirectUri::new(redirect_uri).unwrap());
            assert_eq!((paths.callback.as_deref(), &*paths.login), (Some(callback), login), "{redirect_uri}");
            assert_eq!(paths.switch, login.replace("login", "switch-organization"));
            assert_eq!(paths.logout, login.replace("login", "logout"));
        }
    }
}
