//! The requests of a login in the browser, answered over `http` types, for any web framework.
//!
//! | request | method | gives |
//! | --- | --- | --- |
//! | `GET /login` | [`LoginHandlers::begin_login`] | the redirect to AuthKit |
//! | `GET /callback` | [`LoginHandlers::finish_login`] | a [`FinishedLogin`] with its response |
//! | any other | [`LoginHandlers::authenticate`] | a [`SessionState`] in a [`ForResponse`] |
//! | `POST` to switch | [`LoginHandlers::switch_organization`] | the new session or [`NotSwitched`] in a [`ForResponse`] |
//! | `POST /logout` | [`LoginHandlers::logout`] | the redirect to WorkOS, or [`NotLoggedOut`] |
//!
//! A [`RefusedRequest`] came from a page that may not be the application's, and changed nothing.

use std::fmt;

use http::header::{ALLOW, HeaderValue, LOCATION, ORIGIN, SET_COOKIE};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use url::{Url, form_urlencoded};

use crate::client::ConfidentialClient;
use crate::cookies::{Asked, Cookies, SetCookie};
use crate::credentials::Confidential;
use crate::error::Error;
use crate::id::{OrganizationId, RedirectUri, ReturnPath};
use crate::login::Callback;
use crate::login::authorize::{AuthorizationBuilder, NoTarget, Target};
use crate::login::parking::{LoginCookies, Parking};
use crate::model::User;
use crate::response::{ForResponse, ResponseHeaders};
use crate::sealed::INTERNAL;
use crate::session::{SessionLayer, SessionState, SignedIn, SignedOut, SwitchError};

/// The query parameter of a login request that says where the user goes after the login.
const RETURN_TO: &str = "return_to";
/// The maximum bytes of a return path: it must fit into the login cookie, and several such cookies into a request.
const MAX_RETURN_PATH_BYTES: usize = 1_024;
/// The ASCII characters of a return path that are encoded; control characters are refused.
const ENCODED: &AsciiSet = &AsciiSet::EMPTY.add(b' ');
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Handles the requests of a login in the browser, in any web framework that uses the types of the `http` crate.
///
/// `L` keeps the sessions: a [`SessionManager`](crate::SessionManager) or [`CookieSessions`](crate::session::CookieSessions). Every
/// response has `Cache-Control: no-store` and `Vary: Cookie`.
///
/// If the redirect URI is https, all cookies have `__Host-` names, which no other host of the domain can set; the one exception is
/// [`SessionCookie::without_host_prefix`](crate::SessionCookie::without_host_prefix). Names are compared byte by byte, and a name with
/// two different values counts as no cookie.
///
/// ```
/// use workos_auth::testing::AuthKit;
/// use workos_auth::parking::Parking;
/// use workos_auth::session::MemorySessionStore;
/// use workos_auth::{Client, CookiePassword, LoginHandlers, RedirectUri, SessionManager, SessionState};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let client = authkit.confidential_client();
/// let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
/// let parking = Parking::new(CookiePassword::new("a-random-password-of-32-characters")?);
/// let redirect_uri = RedirectUri::new("http://127.0.0.1:8080/callback")?;
/// let handlers = LoginHandlers::new(client, sessions, parking, redirect_uri);
///
/// // GET /login?return_to=/inbox
/// let (request, ()) = http::Request::get("/login?return_to=/inbox").body(())?.into_parts();
/// let response = handlers.begin_login(&request)?;
/// assert_eq!(response.status(), 302);
///
/// // GET /inbox
/// let (request, ()) = http::Request::get("/inbox").body(())?.into_parts();
/// let response = handlers.authenticate(&request).await.respond(|state| match state {
///     SessionState::Active(signed_in) => http::Response::new(format!("Hello, {}", signed_in.user().email)),
///     _ => http::Response::new("Please sign in.".to_owned()),
/// });
/// assert_eq!(response.body(), "Please sign in.");
/// # Ok(())
/// # }
/// ```
pub struct LoginHandlers<L> {
    client: ConfidentialClient,
    sessions: L,
    parking: Parking,
    redirect_uri: RedirectUri,
    /// The redirect URI's origin, unless its scheme has none.
    own_origin: Option<String>,
    named_origins: Vec<String>,
    after_logout: Option<RedirectUri>,
}

/// A finished login.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "its response signs the user in"]
pub struct FinishedLogin {
    /// The user who signed in.
    pub user: User,
    /// Where the user goes now: the return path of the login, or `/`.
    pub return_path: ReturnPath,
    /// The response: it redirects to the return path, sets the session cookie and clears the login cookie.
    pub response: Response<()>,
}

/// Why a request that would change something was refused: it may come from a page of another origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedRequest {
    /// It isn't a `POST`. Any page can make a browser send a request with another method.
    #[error("the request isn't a POST")]
    NotPost,
    /// Its `Sec-Fetch-Site` or `Origin` header names another origin.
    #[error("the request comes from another origin")]
    CrossOrigin,
}

impl RefusedRequest {
    /// The response: 405 with `Allow`, or 403.
    pub fn response(self) -> Response<()> {
        let mut response = Response::new(());
        match self {
            Self::NotPost => {
                *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            }
            Self::CrossOrigin => *response.status_mut() = StatusCode::FORBIDDEN,
        }
        ResponseHeaders::private().add_to(response.headers_mut());
        response
    }
}

/// Why [`LoginHandlers::switch_organization`] failed.
#[derive(Debug, thiserror::Error)]
#[must_use = "it says whether the user is still signed in"]
pub enum NotSwitched {
    /// The request may come from a page of another origin. Nothing was changed.
    #[error(transparent)]
    Refused(#[from] RefusedRequest),
    /// There is no session, or it is unchanged.
    #[error(transparent)]
    Failed(#[from] SwitchError),
}

/// Why [`LoginHandlers::logout`] failed.
#[derive(Debug, thiserror::Error)]
#[must_use = "the user is still signed in"]
pub enum NotLoggedOut {
    /// The request may come from a page of another origin. Nothing was changed.
    #[error(transparent)]
    Refused(#[from] RefusedRequest),
    /// The session may still exist: let the user try again.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl<L> LoginHandlers<L> {
    /// Handlers for an application whose callback is at `redirect_uri`. Unfinished logins are sealed into cookies with `parking`.
    #[must_use]
    pub fn new(client: ConfidentialClient, sessions: L, parking: Parking, redirect_uri: RedirectUri) -> Self
    where
        L: SessionLayer,
    {
        let sessions = sessions.served_at(&redirect_uri, INTERNAL);
        let own_origin = origin(&redirect_uri);
        Self { client, sessions, parking, redirect_uri, own_origin, named_origins: Vec::new(), after_logout: None }
    }

    /// Allows the pages of another origin to sign out and to switch organizations, such as `https://app.example.com`. The origin of
    /// the redirect URI is always allowed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `origin`.
    pub fn origin(mut self, page: impl Into<String>) -> Result<Self, Error> {
        let page = RedirectUri::new(page).ok();
        let origin = page.as_ref().and_then(origin).filter(|origin| page.is_some_and(|page| page.as_str() == origin));
        let origin = origin
            .ok_or_else(|| Error::invalid_value("origin", "must be an origin, such as `https://app.example.com`"))?;
        self.named_origins.push(origin);
        Ok(self)
    }

    /// Where WorkOS sends the browser after a logout. It must be registered at WorkOS, whose default is used unless it is given.
    #[must_use]
    pub fn after_logout(mut self, return_to: RedirectUri) -> Self {
        self.after_logout = Some(return_to);
        self
    }

    /// The value that keeps the sessions.
    #[must_use]
    pub fn sessions(&self) -> &L {
        &self.sessions
    }

    /// Begins a login with AuthKit; the response has `Location` and `Set-Cookie`. The request's `return_to` parameter says where the
    /// user goes after the login. It must be a path of this application of at most 1,024 bytes, and is ignored otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness); [`ErrorKind::Parked`](crate::ErrorKind::Parked) as
    /// [`LoginCookies::begin`].
    pub fn begin_login(&self, request: &Parts) -> Result<Response<()>, Error> {
        self.begin_login_with(request, AuthorizationBuilder::authkit)
    }

    /// Begins a login with another target, or with settings.
    ///
    /// ```
    /// # fn run<L>(handlers: workos_auth::LoginHandlers<L>, request: http::request::Parts) -> Result<(), workos_auth::Error> {
    /// use workos_auth::login::ScreenHint;
    ///
    /// let response =
    ///     handlers.begin_login_with(&request, |login| login.authkit().screen_hint(ScreenHint::SignUp))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`begin_login`](Self::begin_login).
    pub fn begin_login_with<T: Target>(
        &self,
        request: &Parts,
        target: impl FnOnce(AuthorizationBuilder<Confidential, NoTarget>) -> AuthorizationBuilder<Confidential, T>,
    ) -> Result<Response<()>, Error> {
        let mut login = target(self.client.authorize(self.redirect_uri.clone()));
        if let Some(path) = return_path(request) {
            login = login.return_path(path);
        }
        let session = login.begin()?;
        let response = redirect(StatusCode::FOUND, session.url().as_str())?;
        let cookies = LoginCookies::from_headers(&request.headers).begin(&self.parking, session)?;
        Ok(with_cookies(response, cookies))
    }

    /// Finishes a login with its callback. If the browser had a session before, that one is signed out in this application.
    ///
    /// # Errors
    /// [`ErrorKind::Parked`](crate::ErrorKind::Parked) or [`ErrorKind::Callback`](crate::ErrorKind::Callback) when the
    /// callback belongs to no login of this browser, or the login was refused: no session changes, and other unfinished logins go
    /// on. [`ErrorKind::Unfinished`](crate::ErrorKind::Unfinished) when WorkOS requires a step that AuthKit's pages don't offer.
    /// Otherwise as [`CodeExchange::send`](crate::CodeExchange::send), or the failure of the store.
    pub async fn finish_login(&self, request: &Parts) -> Result<FinishedLogin, Error>
    where
        L: SessionLayer,
    {
        let callback = Callback::from_query(request.uri.query().unwrap_or_default())?;
        let (login, cleared) = LoginCookies::from_headers(&request.headers).resume(
            &self.parking,
            &self.client,
            &self.redirect_uri,
            &callback,
        )?;
        let return_path = login.return_path().cloned().map_or_else(|| ReturnPath::new("/"), Ok)?;
        let response = login.exchange(callback)?.send().await?;
        let user = response.user.clone();
        let session = self.sessions.sign_in(response.into(), &self.redirect_uri, INTERNAL).await?;
        if let Some(before) = self.cookie(request) {
            // Only the new session matters: if this fails, the old one expires by itself.
            drop(self.sessions.sign_out(before, None, &self.redirect_uri, INTERNAL).await);
        }
        let response = with_cookies(redirect(StatusCode::SEE_OTHER, return_path.as_str())?, [session, cleared]);
        Ok(FinishedLogin { user, return_path, response })
    }

    /// Checks whether the request's user is signed in. [`ForResponse::respond`] adds the session's headers to the response.
    ///
    /// They clear the cookie of a session that has ended, unless a new login may have replaced it when the response arrives: the
    /// browser has an unfinished login, or the response took longer than 250 ms. In that case a later response clears it.
    pub async fn authenticate(&self, request: &Parts) -> ForResponse<SessionState>
    where
        L: SessionLayer,
    {
        let asked = Asked::now();
        let Some(value) = self.cookie(request) else {
            return ForResponse::new(SessionState::SignedOut(SignedOut::not_found()), ResponseHeaders::private());
        };
        let (state, cookie) = self.sessions.authenticate(value, &self.redirect_uri, INTERNAL).await;
        ForResponse::new(state, self.headers(request, value, asked, cookie))
    }

    /// Exchanges the session's tokens for tokens in another organization of the user. Like [`logout`](Self::logout), it refuses
    /// requests of other origins.
    pub async fn switch_organization(
        &self,
        request: &Parts,
        id: OrganizationId,
    ) -> ForResponse<Result<SignedIn, NotSwitched>>
    where
        L: SessionLayer,
    {
        let asked = Asked::now();
        if let Err(refused) = self.admit(request) {
            return ForResponse::new(Err(refused.into()), ResponseHeaders::private());
        }
        let Some(value) = self.cookie(request) else {
            let none = SwitchError::SignedOut(SignedOut::not_found());
            return ForResponse::new(Err(none.into()), ResponseHeaders::private());
        };
        let (switched, cookie) = self.sessions.switch_organization(value, id, &self.redirect_uri, INTERNAL).await;
        ForResponse::new(switched.map_err(NotSwitched::from), self.headers(request, value, asked, cookie))
    }

    /// Signs out: the response clears the cookie and sends the browser to WorkOS, which ends the session there.
    ///
    /// # Errors
    /// [`NotLoggedOut::Failed`] with [`ErrorKind::Store`](crate::ErrorKind::Store): the session may still exist.
    ///
    /// [`NotLoggedOut::Refused`] for a request that may come from a page of another origin; [`RefusedRequest::response`] is the
    /// response to it. A request is accepted if it is a `POST` and its `Origin` is one that the application has [named](Self::origin),
    /// or if it is a `POST` whose `Sec-Fetch-Site` is `same-origin` and whose `Origin` is that of the redirect URI; of these two
    /// headers, one that is absent isn't checked. `Origin: null` never matches: the page with the form needs a `Referrer-Policy` other
    /// than `no-referrer`. `Host` is never read.
    pub async fn logout(&self, request: &Parts) -> Result<Response<()>, NotLoggedOut>
    where
        L: SessionLayer,
    {
        self.admit(request)?;
        let after_logout = self.after_logout.as_ref().map_or("/", RedirectUri::as_str);
        let Some(value) = self.cookie(request) else {
            return Ok(redirect(StatusCode::SEE_OTHER, after_logout)?);
        };
        let (url, cookie) =
            self.sessions.sign_out(value, self.after_logout.as_ref(), &self.redirect_uri, INTERNAL).await?;
        let response = redirect(StatusCode::SEE_OTHER, url.as_ref().map_or(after_logout, Url::as_str))?;
        Ok(with_cookies(response, [cookie]))
    }

    /// Refuses a request that would change something, unless it comes from a page of the application.
    fn admit(&self, request: &Parts) -> Result<(), RefusedRequest> {
        if request.method != Method::POST {
            return Err(RefusedRequest::NotPost);
        }
        let origins = || request.headers.get_all(ORIGIN).iter();
        let is_named = |origin: &HeaderValue| self.named_origins.iter().any(|named| origin == named);
        if origins().next().is_some() && origins().all(is_named) {
            return Ok(());
        }
        let own_site = request.headers.get_all(SEC_FETCH_SITE).iter().all(|site| site == "same-origin");
        let own_origin = origins().all(|origin| self.own_origin.as_ref().is_some_and(|own| origin == own));
        if own_site && own_origin {
            return Ok(());
        }
        tracing::debug!(expected = self.own_origin, "a request from another origin was refused");
        Err(RefusedRequest::CrossOrigin)
    }

    fn headers(&self, request: &Parts, value: &str, asked: Asked, cookie: Option<SetCookie>) -> ResponseHeaders
    where
        L: SessionLayer,
    {
        let logins = LoginCookies::from_headers(&request.headers);
        let login = logins.has_any(self.redirect_uri.is_secure());
        let cookie = cookie.filter(|cookie| !(login && cookie.is_clearing()));
        let cookie = cookie.map(|cookie| {
            let is_outdated = self.sessions.outdated(&cookie, INTERNAL);
            (cookie, is_outdated)
        });
        ResponseHeaders::of(value, asked, cookie)
    }

    fn cookie<'a>(&self, request: &'a Parts) -> Option<&'a str>
    where
        L: SessionLayer,
    {
        Cookies::of(&request.headers).value(&self.sessions.cookie_name(&self.redirect_uri, INTERNAL))
    }
}

impl<L> fmt::Debug for LoginHandlers<L> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LoginHandlers").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}

/// The origin of a URI as browsers write it; private schemes have none.
fn origin(uri: &RedirectUri) -> Option<String> {
    let origin = Url::parse(uri.as_str()).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

fn return_path(request: &Parts) -> Option<ReturnPath> {
    let query = request.uri.query().unwrap_or_default();
    let (_, path) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == RETURN_TO)?;
    let path = utf8_percent_encode(&path, ENCODED).to_string();
    if path.len() <= MAX_RETURN_PATH_BYTES { ReturnPath::new(path).ok() } else { None }
}

fn redirect(status: StatusCode, location: &str) -> Result<Response<()>, Error> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    ResponseHeaders::private().add_to(response.headers_mut());
    let mut location =
        HeaderValue::from_str(location).map_err(|_| Error::invalid_value("location", "must be ASCII"))?;
    // It may contain a login's state.
    location.set_sensitive(true);
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

fn with_cookies(mut response: Response<()>, cookies: impl IntoIterator<Item = SetCookie>) -> Response<()> {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie.into());
    }
    response
}
