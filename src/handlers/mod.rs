//! The requests of a login in the browser, answered over `http` types, for any web framework.
//!
//! | request | method | gives |
//! | --- | --- | --- |
//! | `GET /login` | [`LoginHandlers::begin_login`] | the redirect to AuthKit |
//! | `GET /callback` | [`LoginHandlers::finish_login`] | a [`FinishedLogin`] with its response |
//! | a form that signs in | [`LoginHandlers::sign_in`] | the same, after a password or a code |
//! | any other | [`LoginHandlers::authenticate`] | a [`SessionState`] in a [`ForResponse`] |
//! | `POST` to switch | [`LoginHandlers::switch_organization`] | the new session or [`NotSwitched`] in a [`ForResponse`] |
//! | `POST /logout` | [`LoginHandlers::logout`] | the redirect to WorkOS, or [`NotLoggedOut`] |
//!
//! Every failure has its own response: [`Error::response`], [`NotAdmitted::response`], [`NotSwitched::response`],
//! [`NotLoggedOut::response`]. A [`RefusedRequest`] came from a page that may not be the application's, and changed nothing.
//!
//! A request that a customer's API key makes has no session: [`PermittedKey`] is its gate, and
//! [`KeyNotValidated::response`](crate::api::KeyNotValidated::response) its refusal.
//!
//! With axum, the module `axum` (feature `axum`) does all of it.

mod answers;
mod customer_keys;
mod links;
mod outcomes;
mod permitted;
#[cfg(feature = "tower")]
mod request_session;

use std::fmt;
use std::time::Duration;

use http::header::{ACCEPT, HeaderMap, HeaderValue, ORIGIN};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use tokio::time::timeout;

pub(crate) use answers::retry_later;
#[cfg(feature = "axum")]
pub(crate) use answers::too_large;
#[cfg(feature = "tower")]
pub(crate) use answers::trace_refusal;
use answers::{redirect, with_cookies};
pub use customer_keys::{KeyNotAdmitted, PermittedKey};
#[cfg(feature = "axum")]
use links::named_in;
use links::{Paths, return_path};
pub use outcomes::{FinishedLogin, NotAdmitted, NotLoggedOut, NotSwitched};
pub use permitted::{Permission, Permitted};
#[cfg(feature = "tower")]
pub(crate) use request_session::{Authenticate, RequestSession};

use crate::client::ConfidentialClient;
use crate::cookies::{Asked, Cookies, SetCookie};
use crate::credentials::Confidential;
use crate::error::Error;
pub use crate::error::RefusedRequest;
use crate::id::{LogoutUrl, OrganizationId, RedirectUri, ReturnPath, SessionId};
use crate::login::Callback;
use crate::login::authorize::{AuthorizationBuilder, NoTarget, Target};
use crate::login::parking::{LoginCookies, Parking};
use crate::model::AuthenticationResponse;
use crate::response::{ForResponse, ResponseHeaders};
use crate::sealed::INTERNAL;
use crate::session::{SessionLayer, SessionParts, SessionState, SignedIn, SignedOut, SwitchError};
use crate::wire::logout_url;

/// How many sessions one request ends: each costs calls of the store, and anybody can send a long `Cookie` header.
const MAX_SESSIONS_ENDED: usize = 16;
/// How long a response waits for sessions that are ended at WorkOS without the browser.
const REVOCATION_LIMIT: Duration = Duration::from_secs(2);
const SEC_FETCH_SITE: &str = "sec-fetch-site";
const SEC_FETCH_MODE: &str = "sec-fetch-mode";

/// Handles the requests of a login in the browser, in any web framework that uses the types of the `http` crate.
///
/// `L` keeps the sessions: a [`SessionManager`](crate::SessionManager) or [`CookieSessions`](crate::session::CookieSessions). Every
/// response has `Cache-Control: no-store` and `Vary: Cookie`.
///
/// # Cookies
///
/// | cookie | holds |
/// | --- | --- |
/// | `__Host-workos-session` | the handle of a session of a [`SessionManager`](crate::SessionManager) |
/// | `__Host-wos-session` | the sealed session of [`CookieSessions`](crate::session::CookieSessions); [`SessionCookie`](crate::SessionCookie) can name it differently |
/// | `__Host-workos-login-…` | an unfinished login, one cookie each; at most 5 |
///
/// If the redirect URI is plain http on loopback, the names lack the prefix `__Host-`. With https they have it, so that no other host of
/// the domain can set them; the one exception is
/// [`SessionCookie::without_host_prefix`](crate::SessionCookie::without_host_prefix). Names are compared byte by byte, and a name with two different values counts as no cookie;
/// a sign-out ends the sessions of both.
///
/// # Example
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
///     SessionState::SignedOut(_) => http::Response::new("Please sign in.".to_owned()),
///     // Who is signed in stays so: `require_sign_in` has this response, too.
///     SessionState::TemporarilyUnknown(_) => {
///         http::Response::builder().status(503).body("Please try again.".to_owned()).unwrap_or_default()
///     }
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
    accepts_impersonation: bool,
    paths: Paths,
}

impl<L> LoginHandlers<L> {
    /// Handlers for an application whose callback is at `redirect_uri`. Unfinished logins are sealed into cookies with `parking`.
    #[must_use]
    pub fn new(client: ConfidentialClient, sessions: L, parking: Parking, redirect_uri: RedirectUri) -> Self
    where
        L: SessionLayer,
    {
        let sessions = sessions.served_at(&redirect_uri, INTERNAL);
        Self {
            client,
            sessions,
            parking,
            own_origin: redirect_uri.origin(),
            named_origins: Vec::new(),
            after_logout: None,
            accepts_impersonation: false,
            paths: Paths::beside(&redirect_uri),
            redirect_uri,
        }
    }

    /// Allows the pages of another origin to sign out and to switch organizations, such as `https://app.example.com`. The origin of
    /// the redirect URI is always allowed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `origin`.
    pub fn origin(mut self, page: impl Into<String>) -> Result<Self, Error> {
        let page = RedirectUri::new(page).ok();
        let origin = page
            .as_ref()
            .and_then(RedirectUri::origin)
            .filter(|origin| page.is_some_and(|page| page.as_str() == origin));
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

    /// Lets an administrator impersonate a user: [`finish_login`](Self::finish_login) then also accepts the callback of an impersonation
    /// that was started in the WorkOS dashboard. Without this, it is refused.
    ///
    /// Such a callback has no `state`, so it isn't tied to a browser: whoever may impersonate can make a link that signs other people
    /// in as the impersonated user. A callback without state that isn't an impersonation is still refused.
    #[must_use]
    pub fn accept_impersonation(mut self) -> Self {
        self.accepts_impersonation = true;
        self
    }

    /// Where the application answers [`begin_login`](Self::begin_login), for [`login_path`](Self::login_path). Without this it is
    /// `login`, beside the redirect URI: `/login` for `https://example.com/callback`.
    #[must_use]
    pub fn login_at(mut self, path: ReturnPath) -> Self {
        path.as_str().split(['?', '#']).next().unwrap_or_default().clone_into(&mut self.paths.login);
        self
    }

    /// Leaves the callback out of the application's routes, because the application has a route of its own there. Its handler calls
    /// [`finish_login`](Self::finish_login), and keeps what the login brought, such as
    /// [`oauth_tokens`](FinishedLogin::oauth_tokens), before it answers with the [`FinishedLogin`].
    #[cfg(feature = "axum")]
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    #[must_use]
    pub fn without_callback_route(mut self) -> Self {
        self.paths.callback = None;
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
    pub fn begin_login(&self, request: &Parts) -> Result<Response<String>, Error> {
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
    ) -> Result<Response<String>, Error> {
        let mut login = target(self.client.authorize(self.redirect_uri.clone()));
        if let Some(path) = return_path(request) {
            login = login.return_path(path);
        }
        let session = login.begin()?;
        let response = redirect(StatusCode::FOUND, session.url().as_str())?;
        let cookies = LoginCookies::from_headers(&request.headers).begin(&self.parking, session)?;
        Ok(with_cookies(response, cookies))
    }

    /// The path of a login that leads back to the requested page, with its query: `/login?return_to=/inbox`.
    #[must_use]
    pub fn login_path(&self, request: &Parts) -> String {
        self.paths.login_for(request)
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
        if self.accepts_impersonation && callback.state().is_none() {
            let response = self.client.accept_impersonation(callback)?.send().await?;
            return self.finish(request, response, None, None).await;
        }
        let (login, cleared) = LoginCookies::from_headers(&request.headers).resume(
            &self.parking,
            &self.client,
            &self.redirect_uri,
            &callback,
        )?;
        let return_path = login.return_path().cloned();
        let response = login.exchange(callback)?.send().await?;
        self.finish(request, response, return_path, Some(cleared)).await
    }

    /// Signs a user in whose login was made in another way than with AuthKit's pages: with a password, a Magic Auth code, the step
    /// after one of these, or an impersonation that the application accepted. The user goes to the request's `return_to`, as with
    /// [`begin_login`](Self::begin_login).
    ///
    /// ```
    /// # use workos_auth::typestate::SessionLayer;
    /// use workos_auth::handlers::FinishedLogin;
    /// use workos_auth::{ConfidentialClient, EmailAddress, Error, LoginHandlers, Password};
    ///
    /// async fn password<L: SessionLayer>(
    ///     client: &ConfidentialClient,
    ///     handlers: &LoginHandlers<L>,
    ///     request: http::request::Parts, // POST /password?return_to=/inbox
    ///     form: (EmailAddress, Password),
    /// ) -> Result<FinishedLogin, Error> {
    ///     let response = client.authenticate_with_password(form.0, form.1).send().await?;
    ///     handlers.sign_in(&request, response).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::RefusedRequest`](crate::ErrorKind::RefusedRequest) for a request that may come from a page of another origin, as
    /// with [`logout`](Self::logout): that page would sign the user in as somebody else. A link in an e-mail is such a request: let it
    /// lead to a page with a form. Only an impersonation may come by a `GET` from elsewhere. Otherwise the failure of the store.
    pub async fn sign_in(&self, request: &Parts, response: AuthenticationResponse) -> Result<FinishedLogin, Error>
    where
        L: SessionLayer,
    {
        if !request.method.is_safe() || response.impersonator.is_none() {
            self.admit_origin(&request.headers)?;
        }
        self.finish(request, response, return_path(request), None).await
    }

    /// Keeps the session of a finished login, in the place of the one that the browser had.
    async fn finish(
        &self,
        request: &Parts,
        mut response: AuthenticationResponse,
        return_path: Option<ReturnPath>,
        login: Option<SetCookie>,
    ) -> Result<FinishedLogin, Error>
    where
        L: SessionLayer,
    {
        let return_path = return_path.map_or_else(|| ReturnPath::new("/"), Ok)?;
        let (oauth_tokens, authkit_authorization_code) =
            (response.oauth_tokens.take(), response.authkit_authorization_code.take());
        let parts = SessionParts::from(response);
        let (user, organization_id) = (parts.user.clone(), parts.organization_id.clone());
        let (authentication_method, impersonator) = (parts.authentication_method.clone(), parts.impersonator.clone());
        let session = self.sessions.sign_in(parts, &self.redirect_uri, INTERNAL).await?;
        for before in self.cookies(request) {
            // Only the new session matters: if this fails, the old one expires by itself.
            drop(self.sessions.sign_out(before, &self.redirect_uri, INTERNAL).await);
        }
        let response = redirect(StatusCode::SEE_OTHER, return_path.as_str())?;
        Ok(FinishedLogin {
            user,
            organization_id,
            authentication_method,
            impersonator,
            oauth_tokens,
            authkit_authorization_code,
            return_path,
            response: with_cookies(response, [session].into_iter().chain(login)),
        })
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

    /// The signed-in user, or the response to everybody else: for a page the redirect to the login that leads back to it, for any
    /// other request 401, and 503 in an outage.
    ///
    /// A page is a `GET` that accepts `text/html`, and that the browser makes to navigate (`Sec-Fetch-Mode`).
    ///
    /// ```
    /// # async fn run(handlers: workos_auth::LoginHandlers<workos_auth::session::CookieSessions>, request: http::request::Parts) {
    /// let response = handlers.authenticate(&request).await.respond(|state| match handlers.require_sign_in(&request, state) {
    ///     Ok(signed_in) => http::Response::new(format!("Hello, {}", signed_in.user().email)),
    ///     Err(not_admitted) => not_admitted.response(),
    /// });
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`NotAdmitted`].
    pub fn require_sign_in(&self, request: &Parts, state: SessionState) -> Result<SignedIn, NotAdmitted> {
        match state {
            SessionState::Active(signed_in) => Ok(signed_in),
            SessionState::SignedOut(signed_out) => {
                let login = is_page(request).then(|| self.login_path(request));
                Err(NotAdmitted::SignedOut { signed_out, login })
            }
            SessionState::TemporarilyUnknown(error) => Err(NotAdmitted::TemporarilyUnknown(error)),
        }
    }

    /// Exchanges the session's tokens for tokens in another organization of the user. Like [`logout`](Self::logout), it refuses
    /// requests that [aren't admitted](Self::admit).
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

    /// Answers the form of a switch, with the fields `organization_id` and `return_to`.
    #[cfg(feature = "axum")]
    pub(crate) async fn answer_switch(&self, request: &Parts, form: &[u8]) -> Response<String>
    where
        L: SessionLayer,
    {
        let field = form_urlencoded::parse(form).find(|(name, _)| name == "organization_id").unwrap_or_default().1;
        let id = match OrganizationId::new(field) {
            Ok(id) => id,
            Err(error) => return error.response(),
        };
        let return_path = named_in(form);
        let return_to = return_path.as_ref().map_or("/", ReturnPath::as_str);
        self.switch_organization(request, id).await.respond(|switched| match switched {
            Ok(_) => redirect(StatusCode::SEE_OTHER, return_to).unwrap_or_else(|error| error.response()),
            Err(NotSwitched::Failed(SwitchError::SignedOut(signed_out))) => {
                let login = shows_pages(&request.headers).then(|| self.paths.login_to(return_to));
                NotAdmitted::SignedOut { signed_out, login }.response()
            }
            Err(not_switched) => not_switched.response(),
        })
    }

    /// Where the requests of a login are answered.
    #[cfg(feature = "axum")]
    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Signs out: the response clears the cookie and sends the browser to WorkOS, which ends the session there. Neither WorkOS nor its
    /// signing keys need to be available.
    ///
    /// Of a cookie that comes with several values, which an access counts as missing, the sessions of the first 16 end. The browser can
    /// go to WorkOS for one of them: the others are revoked with the API key, in a task that goes on after 2 seconds. If that fails, they
    /// go on at WorkOS only.
    ///
    /// # Errors
    /// [`NotLoggedOut::Failed`] with [`ErrorKind::Store`](crate::ErrorKind::Store): the session may still exist.
    ///
    /// [`NotLoggedOut::Refused`] for a request that [isn't admitted](Self::admit).
    pub async fn logout(&self, request: &Parts) -> Result<Response<String>, NotLoggedOut>
    where
        L: SessionLayer,
    {
        self.admit(request)?;
        let after_logout = self.after_logout.as_ref().map_or("/", RedirectUri::as_str);
        let (mut ids, mut cleared) = (Vec::new(), None);
        for value in self.cookies(request) {
            let (id, cookie) = match self.sessions.sign_out(value, &self.redirect_uri, INTERNAL).await {
                Ok(signed_out) => signed_out,
                Err(error) => {
                    // What has left the store would be forgotten.
                    self.revoke(ids.into_iter()).await;
                    return Err(error.into());
                }
            };
            cleared = Some(cookie);
            ids.extend(id.filter(|id| !ids.contains(id)));
        }
        let mut ids = ids.into_iter();
        let url = ids.next().map(|id| logout_url(&self.client.core.base_url, &id, self.after_logout.as_ref()));
        self.revoke(ids).await;
        let response = redirect(StatusCode::SEE_OTHER, url.as_ref().map_or(after_logout, LogoutUrl::as_str))?;
        Ok(with_cookies(response, cleared))
    }

    /// Ends sessions at WorkOS without the browser, which waits for that for a moment only.
    async fn revoke(&self, ids: impl Iterator<Item = SessionId>) {
        let calls: Vec<_> = ids.map(|id| self.client.sessions().revoke(&id)).collect();
        // As after almost every sign-out.
        if calls.is_empty() {
            return;
        }
        let work = self.client.spawn(async move {
            for call in calls {
                drop(call.send().await);
            }
        });
        drop(timeout(REVOCATION_LIMIT, work).await);
    }

    /// Refuses a request that would change something, unless it comes from a page of the application.
    ///
    /// [`logout`](Self::logout) and [`switch_organization`](Self::switch_organization) ask it themselves. An application asks it for its own
    /// forms, before it reads the body.
    ///
    /// A request is admitted if it is a `POST` and its `Origin` is one that the application has [named](Self::origin), or if it is a `POST`
    /// whose `Sec-Fetch-Site` is `same-origin` and whose `Origin` is that of the redirect URI; of these two headers, one that is absent
    /// isn't checked. `Origin: null` never matches: the page with the form needs a `Referrer-Policy` other than `no-referrer`. `Host` is
    /// never read.
    ///
    /// ```
    /// # fn run<L>(handlers: workos_auth::LoginHandlers<L>) -> Result<(), Box<dyn std::error::Error>> {
    /// let (forged, ()) =
    ///     http::Request::post("/rename").header("origin", "https://elsewhere.example.com").body(())?.into_parts();
    /// assert!(handlers.admit(&forged).is_err_and(|refused| refused.response().status() == 403));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`RefusedRequest`]; its [`response`](RefusedRequest::response) is 405 or 403.
    pub fn admit(&self, request: &Parts) -> Result<(), RefusedRequest> {
        if request.method != Method::POST {
            return Err(RefusedRequest::NotPost);
        }
        self.admit_origin(&request.headers)
    }

    fn admit_origin(&self, headers: &HeaderMap) -> Result<(), RefusedRequest> {
        let origins = || headers.get_all(ORIGIN).iter();
        let is_named = |origin: &HeaderValue| self.named_origins.iter().any(|named| origin == named);
        if origins().next().is_some() && origins().all(is_named) {
            return Ok(());
        }
        let own_site = headers.get_all(SEC_FETCH_SITE).iter().all(|site| site == "same-origin");
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

    /// The values of the session cookie, for a sign-out.
    fn cookies<'a>(&self, request: &'a Parts) -> Vec<&'a str>
    where
        L: SessionLayer,
    {
        let name = self.sessions.cookie_name(&self.redirect_uri, INTERNAL);
        let mut values = Vec::new();
        for (_, value) in Cookies::of(&request.headers).iter().filter(|(other, _)| *other == name) {
            if values.len() < MAX_SESSIONS_ENDED && !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }
}

impl<L> fmt::Debug for LoginHandlers<L> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LoginHandlers").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}

/// Whether the browser makes the request to show its answer as a page (Fetch Metadata, `Sec-Fetch-Mode`).
fn is_page(request: &Parts) -> bool {
    matches!(request.method, Method::GET | Method::HEAD) && shows_pages(&request.headers)
}

/// Whether whoever asks shows a page: HTML is accepted, and the request isn't a script's.
fn shows_pages(headers: &HeaderMap) -> bool {
    let navigates = headers.get_all(SEC_FETCH_MODE).iter().all(|mode| mode == "navigate");
    let mut accepted =
        headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    navigates && accepted.any(accepts_html)
}

/// Whether an element of `Accept` (RFC 9110 §12.5.1) is HTML, with a weight over zero.
fn accepts_html(element: &str) -> bool {
    let mut parts = element.split(';').map(str::trim);
    let is_html = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("text/html"));
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    is_html && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
}
