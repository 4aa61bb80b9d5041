//! Sign-in for applications with axum 0.8 (feature `axum`).
//!
//! A handler that takes a [`SignedIn`] is reached only by users who are signed in. This is a whole application, with a protected page,
//! sign-in, sign-out and a switch to another organization:
//!
//! ```no_run
//! use std::error::Error;
//! use std::sync::Arc;
//!
//! use axum::Router;
//! use axum::response::Html;
//! use axum::routing::get;
//! use workos_auth::parking::Parking;
//! use workos_auth::session::MemorySessionStore;
//! use workos_auth::{ConfidentialClient, CookiePassword, LoginHandlers, RedirectUri, SessionManager, SignedIn};
//!
//! const FORMS: &str = "<form method=post action=/switch-organization><button name=organization_id value=org_two>Org two</button>\
//!     </form><form method=post action=/logout><button>Sign out</button></form>";
//!
//! async fn account(user: SignedIn) -> Html<String> {
//!     Html(format!("<!doctype html><title>Account</title>{:?}{FORMS}", user.organization_id()))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//!     let client = ConfidentialClient::from_env()?; // WORKOS_CLIENT_ID, WORKOS_API_KEY
//!     let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
//!     let parking = Parking::new(CookiePassword::from_env()?); // WORKOS_COOKIE_PASSWORD
//!     let redirect_uri = RedirectUri::new("http://127.0.0.1:3000/callback")?;
//!     let handlers = Arc::new(LoginHandlers::new(client, sessions, parking, redirect_uri));
//!     let app = handlers.app(Router::new().route("/", get(account)));
//!     axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
//!     Ok(())
//! }
//! ```
//!
//! [`LoginHandlers::app`] puts the routes inside [a layer](LoginHandlers::layer) that asks for each request's session once and adds
//! its headers to the response, and beside them the [routes of a login](LoginHandlers::router). A router that serves such handlers
//! without the layer does not compile: the extractors need [`Sessions`] in the router's state, and only `app` has them.
//!
//! | extractor | signed in | signed out | outage |
//! | --- | --- | --- | --- |
//! | [`SignedIn`] | the user | a page: to the login and back; otherwise 401 | 503 |
//! | `Option<SignedIn>` | the user | `None` | 503 |
//! | [`Permitted<P>`](Permitted) | the user, if permitted; otherwise 403 | as `SignedIn` | 503 |
//! | `Option<Permitted<P>>` | the user, if permitted; otherwise `None` | `None` | 503 |
//! | [`SessionState`] | the state | the state | the state |
//!
//! A handler that answers differently takes a `Result<SignedIn, NotAdmitted>`. Whole routers are guarded by
//! [`require_permission`](crate::tower::require_permission). A permission is one in the active organization; where a path names an
//! organization, [`Permitted::in_organization`] compares the two.
//!
//! Layers for time-outs and panics go [inside](crate::tower): onto the routes, before they become the application. WorkOS's webhooks have
//! a route, too: [`Webhooks::route`]. So have its Actions: [`Actions::route`].
//!
//! # An API or an MCP server
//!
//! Its callers bring access tokens of their own, and there is no login. A handler that takes a [`ResourceToken`] is reached only with a good
//! one, and one that takes a [`Scoped<S>`](Scoped) only with the scope. They need a [`ResourceServer`] in the router's state. Merge its
//! [`routes`](ResourceServer::routes), too: they say where to get a token, and each refusal sends clients there.
//!
//! ```
//! use axum::Router;
//! use axum::routing::get;
//! use workos_auth::connect::{ResourceServer, ResourceToken, Scope, Scoped};
//!
//! struct WritePosts;
//!
//! impl Scope for WritePosts {
//!     const NAME: &'static str = "write:posts";
//! }
//!
//! async fn me(token: ResourceToken) -> String {
//!     format!("{:?}", token.subject())
//! }
//!
//! async fn publish(token: Scoped<WritePosts>) -> String {
//!     format!("published in {:?}", token.organization_id())
//! }
//!
//! fn app(server: ResourceServer) -> Router {
//!     let metadata = server.routes();
//!     Router::new().route("/me", get(me)).route("/publish", get(publish)).merge(metadata).with_state(server)
//! }
//! ```
//!
//! # Customers' API keys, and any caller
//!
//! A handler that takes a [`ValidApiKey`] is reached only with a good key, and one that takes a [`PermittedKey<P>`](PermittedKey) only with
//! the permission. They need an [`ApiKeyValidator`] in the router's state. A handler that takes a [`Caller`] is reached by users, tokens and
//! keys, and needs all three in the state. The module [`caller`](crate::caller) says who the caller is where a request presents several.
//! None of these can be an `Option`. A page that is also for others takes a `Result<Caller, NotIdentified>`, and decides what it shows in
//! an outage.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::Router;
//! use axum::extract::FromRef;
//! use axum::routing::get;
//! use workos_auth::api::{ApiKeyValidator, ValidApiKey};
//! use workos_auth::axum::Sessions;
//! use workos_auth::caller::Caller;
//! use workos_auth::connect::ResourceServer;
//! use workos_auth::session::MemorySessionStore;
//! use workos_auth::{LoginHandlers, SessionManager, SignedIn};
//!
//! #[derive(Clone, FromRef)]
//! struct App {
//!     sessions: Sessions,
//!     server: ResourceServer,
//!     keys: ApiKeyValidator,
//! }
//!
//! async fn settings(user: SignedIn) -> String {
//!     format!("only for {}", user.user().email)
//! }
//!
//! async fn import(key: ValidApiKey) -> String {
//!     format!("imported for {}", key.organization_id())
//! }
//!
//! async fn posts(caller: Caller) -> String {
//!     match caller {
//!         Caller::User(user) => format!("the posts of {}", user.user().email),
//!         Caller::Token(token) => format!("the posts of {:?}", token.subject()),
//!         Caller::Key(key) => format!("the posts of {}", key.organization_id()),
//!     }
//! }
//!
//! type Handlers = Arc<LoginHandlers<SessionManager<MemorySessionStore>>>;
//!
//! fn app(handlers: &Handlers, server: ResourceServer, keys: ApiKeyValidator) -> Router {
//!     let routes = Router::new().route("/settings", get(settings)).route("/import", get(import)).route("/posts", get(posts));
//!     let routes = routes.merge(server.routes());
//!     handlers.app_with(routes, |sessions| App { sessions, server, keys })
//! }
//! ```
//!
//! An application with two of the three writes an enum of its own, in the same way:
//!
//! ```
//! use axum::extract::{FromRef, FromRequestParts};
//! use axum::http::request::Parts;
//! use axum::response::{IntoResponse, Response};
//! use workos_auth::SignedIn;
//! use workos_auth::api::{ApiKeyValidator, ValidApiKey};
//! use workos_auth::axum::Sessions;
//! use workos_auth::caller::Credential;
//!
//! #[derive(Clone, FromRef)]
//! struct App {
//!     sessions: Sessions,
//!     keys: ApiKeyValidator,
//! }
//!
//! enum UserOrKey {
//!     User(SignedIn),
//!     Key(ValidApiKey),
//! }
//!
//! impl FromRequestParts<App> for UserOrKey {
//!     type Rejection = Response;
//!
//!     async fn from_request_parts(request: &mut Parts, app: &App) -> Result<Self, Response> {
//!         match Credential::of(&request.headers) {
//!             Ok(Credential::Session) => {
//!                 let user = <SignedIn as FromRequestParts<App>>::from_request_parts(request, app).await;
//!                 user.map(Self::User).map_err(IntoResponse::into_response)
//!             }
//!             // A token isn't a key, and is refused.
//!             _ => {
//!                 let key = ValidApiKey::from_request_parts(request, app).await;
//!                 key.map(Self::Key).map_err(IntoResponse::into_response)
//!             }
//!         }
//!     }
//! }
//! # fn is_handler<H: axum::handler::Handler<T, App>, T>(_: H) {}
//! # is_handler(async |who: UserOrKey| match who {
//! #     UserOrKey::User(user) => user.user().email.clone(),
//! #     UserOrKey::Key(key) => key.organization_id().to_string(),
//! # });
//! ```
//!
//! # Responses
//!
//! Each error of the crate is a response: `Result<Html<String>, workos_auth::Error>` is what a handler can return.
//!
//! To mount routes under a path, nest them *inside* of the application: `handlers.app(Router::new().nest("/app", routes))`. A login
//! then comes back to the full path.
//!
//! # In a test
//!
//! The application is a service of `tower`. With the AuthKit of the feature `testing`, a test signs a user in without a browser:
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::Router;
//! use axum::body::Body;
//! use axum::http::Request;
//! use axum::routing::get;
//! use tower::ServiceExt;
//! use workos_auth::axum::Sessions;
//! use workos_auth::handlers::{Permission, Permitted};
//! use workos_auth::parking::Parking;
//! use workos_auth::session::MemorySessionStore;
//! use workos_auth::testing::{AuthKit, TestUser};
//! use workos_auth::{
//!     CookiePassword, EmailAddress, ExposeSecret, LoginHandlers, Password, RedirectUri, SessionManager, SessionState, SignedIn,
//! };
//!
//! struct WritePosts;
//!
//! impl Permission for WritePosts {
//!     const SLUG: &'static str = "posts:write";
//! }
//!
//! fn routes() -> Router<Sessions> {
//!     Router::new()
//!         .route("/account", get(async |user: SignedIn| user.user().email.clone()))
//!         .route("/posts", get(async |author: Permitted<WritePosts>| author.membership().organization_id().to_string()))
//!         .route("/state", get(async |state: SessionState| format!("{state:?}")))
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ada = TestUser::new("ada@example.com").password("a-password").organization("org_one");
//! let authkit = AuthKit::builder().user(ada).start().await?;
//! let client = authkit.confidential_client();
//! let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
//! let login = client.authenticate_with_password(EmailAddress::new("ada@example.com")?, Password::new("a-password"));
//! let handle = sessions.sign_in(login.send().await?).await?;
//!
//! let parking = Parking::new(CookiePassword::generate()?);
//! let redirect_uri = RedirectUri::new("http://127.0.0.1:3000/callback")?;
//! let app = Arc::new(LoginHandlers::new(client, sessions, parking, redirect_uri)).app(routes());
//! let cookie = format!("workos-session={}", handle.expose_secret());
//! for (page, cookie, status) in [
//!     ("/account", "", 401),
//!     ("/account", &*cookie, 200),
//!     ("/posts", &*cookie, 403),
//!     ("/state", "", 200),
//! ] {
//!     let request = Request::get(page).header("cookie", cookie).body(Body::empty())?;
//!     assert_eq!(app.clone().oneshot(request).await?.status(), status, "{page}");
//! }
//! # Ok(())
//! # }
//! ```

use std::error::Error as StdError;
use std::sync::Arc;

use ::axum::Router;
use ::axum::body::to_bytes;
use ::axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts, Request, State};
use ::axum::response::{IntoResponse, Response};
use ::axum::routing::{MethodRouter, any, get, post};
use http::request::Parts;

use crate::action::{Action, ActionAnswer, ActionError, ActionErrorKind, Actions};
use crate::api::{ApiKeyValidator, KeyNotValidated, MissingKeyPermission, ValidApiKey, WrongKeyOrganization};
use crate::caller::{Caller, NotIdentified};
use crate::connect::{MissingScope, NotAuthorized, ResourceServer, ResourceToken, Scope, Scoped};
use crate::error::{Error, RefusedRequest};
use crate::handlers::{
    FinishedLogin, KeyNotAdmitted, LoginHandlers, NotAdmitted, NotLoggedOut, NotSwitched, Permission, Permitted,
    PermittedKey, RequestSession, too_large, trace_refusal,
};
use crate::sealed::{INTERNAL, Internal};
use crate::session::{SessionLayer, SessionState, SessionStore, SignedIn};
use crate::webhook::{WebhookError, WebhookErrorKind, WebhookEvent, Webhooks};

/// The form of a switch has two short fields.
const MAX_FORM_BYTES: usize = 16 * 1024;

/// Shows that the routes are inside the layer that asks for the session of each request.
///
/// Only [`LoginHandlers::app`] and [`LoginHandlers::app_with`] make one. The extractors of this module ask for it in the router's
/// state, so that a router without the layer does not compile.
///
/// ```
/// # use std::sync::Arc;
/// # use workos_auth::parking::Parking;
/// # use workos_auth::session::MemorySessionStore;
/// # use workos_auth::{ConfidentialClient, CookiePassword, LoginHandlers, RedirectUri, SessionManager};
/// use axum::Router;
/// use axum::body::Body;
/// use axum::http::Request;
/// use axum::routing::get;
/// use tower::ServiceExt;
/// use workos_auth::SignedIn;
/// use workos_auth::axum::Sessions;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = ConfidentialClient::new("client_123", "sk_example")?;
/// # let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
/// # let parking = Parking::new(CookiePassword::generate()?);
/// # let redirect_uri = RedirectUri::new("http://127.0.0.1:3000/callback")?;
/// # let handlers = Arc::new(LoginHandlers::new(client, sessions, parking, redirect_uri));
/// let routes: Router<Sessions> = Router::new().route("/account", get(async |user: SignedIn| user.user().email.clone()));
/// let app: Router = handlers.app(routes);
///
/// let page = Request::get("/account").header("accept", "text/html").body(Body::empty())?;
/// assert_eq!(app.oneshot(page).await?.headers()["location"], "/login?return_to=/account");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sessions {
    _private: (),
}

/// A router's state that holds [`Sessions`]. Implement `FromRef<State> for Sessions`, or derive [`FromRef`] for the state.
#[diagnostic::on_unimplemented(
    message = "the router's state `{Self}` holds no `Sessions`, so nobody asks for the session of a request",
    label = "this handler needs a state with `Sessions`",
    note = "write `Router<Sessions>` and `handlers.app(routes)`; with a state of your own, `handlers.app_with(routes, |sessions| state)`",
    note = "a state of your own has a field of type `Sessions` and `#[derive(FromRef)]`",
    note = "`#[axum::debug_handler]` needs `(state = Sessions)`, or the type of your own state"
)]
pub trait HasSessions: sealed::Sealed {}

#[diagnostic::do_not_recommend]
impl<S> HasSessions for S where Sessions: FromRef<S> {}

/// A router's state that holds a [`ResourceServer`]. Implement `FromRef<State> for ResourceServer`, or derive [`FromRef`] for the state.
#[diagnostic::on_unimplemented(
    message = "the router's state `{Self}` holds no `ResourceServer`, so nobody verifies the token of a request",
    label = "this handler needs a state with a `ResourceServer`",
    note = "write `Router<ResourceServer>` and `routes.merge(server.routes()).with_state(server)`",
    note = "a state of your own has a field of type `ResourceServer` and `#[derive(FromRef)]`",
    note = "`#[axum::debug_handler]` needs `(state = ResourceServer)`, or the type of your own state"
)]
pub trait HasResourceServer: sealed::Serves {
    #[doc(hidden)]
    fn resource_server(&self, _: Internal) -> ResourceServer;
}

#[diagnostic::do_not_recommend]
impl<S> HasResourceServer for S
where
    ResourceServer: FromRef<S>,
{
    fn resource_server(&self, _: Internal) -> ResourceServer {
        ResourceServer::from_ref(self)
    }
}

/// A router's state that holds an [`ApiKeyValidator`]. Implement `FromRef<State> for ApiKeyValidator`, or derive [`FromRef`] for the state.
#[diagnostic::on_unimplemented(
    message = "the router's state `{Self}` holds no `ApiKeyValidator`, so nobody validates the API key of a request",
    label = "this handler needs a state with an `ApiKeyValidator`",
    note = "write `Router<ApiKeyValidator>` and `routes.with_state(client.api_keys().validator())`",
    note = "a state of your own has a field of type `ApiKeyValidator` and `#[derive(FromRef)]`",
    note = "`#[axum::debug_handler]` needs `(state = ApiKeyValidator)`, or the type of your own state"
)]
pub trait HasApiKeyValidator: sealed::Validates {
    #[doc(hidden)]
    fn api_key_validator(&self, _: Internal) -> ApiKeyValidator;
}

#[diagnostic::do_not_recommend]
impl<S> HasApiKeyValidator for S
where
    ApiKeyValidator: FromRef<S>,
{
    fn api_key_validator(&self, _: Internal) -> ApiKeyValidator {
        ApiKeyValidator::from_ref(self)
    }
}

/// Nobody else can say of a state that it holds [`Sessions`], a [`ResourceServer`] or an [`ApiKeyValidator`].
mod sealed {
    use super::{ApiKeyValidator, FromRef, ResourceServer, Sessions};

    pub trait Sealed {}

    #[diagnostic::do_not_recommend]
    impl<S> Sealed for S where Sessions: FromRef<S> {}

    pub trait Serves {}

    #[diagnostic::do_not_recommend]
    impl<S> Serves for S where ResourceServer: FromRef<S> {}

    pub trait Validates {}

    #[diagnostic::do_not_recommend]
    impl<S> Validates for S where ApiKeyValidator: FromRef<S> {}
}

/// # With axum
impl ResourceServer {
    /// The route of its [`metadata`](Self::metadata), for a router of any state: `GET` of [`metadata_path`](Self::metadata_path).
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub fn routes<S>(&self) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let metadata = get(async |State(server): State<Self>| server.metadata());
        Router::new().without_v07_checks().route(&literal(self.metadata_path()), metadata).with_state(self.clone())
    }
}

/// # With axum
impl<L: SessionLayer> LoginHandlers<L> {
    /// The application: these routes inside [the layer](Self::layer) that asks for the session, and beside them the
    /// [routes of a login](Self::router).
    ///
    /// A login's route must be none of these routes: for another method, axum joins the two without a word.
    ///
    /// # Panics
    /// As [`Router::merge`], if one of the routes has the path and the method of a login's route.
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub fn app(self: &Arc<Self>, routes: Router<Sessions>) -> Router {
        self.app_with(routes, |sessions| sessions)
    }

    /// As [`app`](Self::app), with a state of the application's own, which holds the [`Sessions`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use workos_auth::typestate::SessionLayer;
    /// use axum::Router;
    /// use axum::extract::{FromRef, State};
    /// use axum::routing::get;
    /// use workos_auth::axum::Sessions;
    /// use workos_auth::{LoginHandlers, SignedIn};
    ///
    /// #[derive(Clone)]
    /// struct Database;
    ///
    /// #[derive(Clone, FromRef)]
    /// struct App {
    ///     sessions: Sessions,
    ///     database: Database,
    /// }
    ///
    /// async fn account(signed_in: SignedIn, State(database): State<Database>) -> String {
    ///     signed_in.user().email.clone()
    /// }
    ///
    /// fn app<L: SessionLayer>(handlers: &Arc<LoginHandlers<L>>, database: Database) -> Router {
    ///     let routes = Router::new().route("/account", get(account));
    ///     handlers.app_with(routes, |sessions| App { sessions, database })
    /// }
    /// ```
    ///
    /// # Panics
    /// As [`app`](Self::app).
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub fn app_with<S>(self: &Arc<Self>, routes: Router<S>, state: impl FnOnce(Sessions) -> S) -> Router
    where
        S: Clone + Send + Sync + 'static,
    {
        routes.layer(self.layer()).with_state(state(Sessions { _private: () })).merge(self.router())
    }

    /// The routes of a login. The callback has the path of the redirect URI, and the others are beside it:
    ///
    /// | request | |
    /// | --- | --- |
    /// | `GET /login?return_to=/inbox` | [`begin_login`](Self::begin_login) |
    /// | `GET /callback` | [`finish_login`](Self::finish_login) |
    /// | `POST /logout` | [`logout`](Self::logout) |
    /// | `POST /switch-organization` | [`switch_organization`](Self::switch_organization), from a form with `organization_id` and `return_to` |
    ///
    /// [`app`](Self::app) has them. What a login brought, such as a provider's tokens, is for an application that answers the callback
    /// [itself](Self::without_callback_route).
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub fn router<S>(self: &Arc<Self>) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let paths = self.paths();
        let mut routes = Router::new()
            .without_v07_checks()
            .route(&literal(&paths.login), get(login::<L>))
            .route(&literal(&paths.logout), any(logout::<L>))
            .route(&literal(&paths.switch), any(switch::<L>));
        if let Some(path) = &paths.callback {
            routes = routes.route(&literal(path), get(callback::<L>));
        }
        routes.with_state(Arc::clone(self))
    }
}

/// # With axum
impl<S: SessionStore> Webhooks<S> {
    /// The route of the endpoint. It reads the body as it came, up to [`max_body_bytes`](Self::max_body_bytes), [hands](Self::handle) its
    /// event to the handler, and answers with 200, or with the [`status`](WebhookError::status) that makes WorkOS send the event again.
    ///
    /// Requests of WorkOS have no session, so the route goes beside the application:
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use axum::Router;
    /// use workos_auth::axum::Sessions;
    /// use workos_auth::session::MemorySessionStore;
    /// use workos_auth::webhook::WebhookSecret;
    /// use workos_auth::{LoginHandlers, SessionManager};
    ///
    /// type Handlers = Arc<LoginHandlers<SessionManager<MemorySessionStore>>>;
    ///
    /// fn app(handlers: &Handlers, pages: Router<Sessions>, secret: WebhookSecret) -> Router {
    ///     let sessions = handlers.sessions().clone();
    ///     let webhooks = sessions.webhooks("https://example.com/webhooks/workos", secret);
    ///     let route = webhooks.route(async move |event| sessions.apply(&event).await);
    ///     handlers.app(pages).route("/webhooks/workos", route)
    /// }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub fn route<R, T, E, F>(
        self,
        handler: impl FnOnce(WebhookEvent) -> F + Clone + Send + Sync + 'static,
    ) -> MethodRouter<R>
    where
        R: Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + Send + 'static,
    {
        post(async move |request: Request| {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, self.max_body_bytes).await.map_err(|_| WebhookErrorKind::TooLarge)?;
            self.handle(&parts.headers, &body, async |event| handler(event).await).await.map(drop)
        })
    }
}

/// # With axum
impl Actions {
    /// The route of the endpoint. It reads the body as it came, up to [`max_body_bytes`](Self::max_body_bytes), [hands](Self::handle) its
    /// Action to the handler, and answers with the signed answer, or with the [`status`](ActionError::status) of what went wrong.
    ///
    /// Requests of WorkOS have no session, so the route goes beside the application:
    ///
    /// ```
    /// use std::io;
    ///
    /// use axum::Router;
    /// use workos_auth::ConfidentialClient;
    /// use workos_auth::action::{Action, ActionSecret, Actions};
    ///
    /// fn with_actions(app: Router, client: &ConfidentialClient, secret: ActionSecret) -> Router {
    ///     let route = Actions::new(client, secret).route(async |action| match action {
    ///         Action::Authentication(sign_in) if sign_in.user.email_verified => Ok::<_, io::Error>(sign_in.allow()),
    ///         other => Ok(other.deny("Please verify your e-mail address first.")),
    ///     });
    ///     app.route("/actions/workos", route)
    /// }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub fn route<R, E, F>(self, handler: impl FnOnce(Action) -> F + Clone + Send + Sync + 'static) -> MethodRouter<R>
    where
        R: Clone + Send + Sync + 'static,
        F: Future<Output = Result<ActionAnswer, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + Send + 'static,
    {
        post(async move |request: Request| {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, self.max_body_bytes).await.map_err(|_| ActionErrorKind::TooLarge)?;
            self.handle(&parts.headers, &body, async |action| handler(action).await).await
        })
    }
}

/// A path in which a router sees no parameters.
fn literal(path: &str) -> String {
    path.replace('{', "{{").replace('}', "}}")
}

type Handlers<L> = State<Arc<LoginHandlers<L>>>;

async fn login<L: SessionLayer>(handlers: Handlers<L>, request: Parts) -> Result<http::Response<String>, Error> {
    handlers.begin_login(&request)
}

async fn callback<L: SessionLayer>(handlers: Handlers<L>, request: Parts) -> Result<FinishedLogin, Error> {
    handlers.finish_login(&request).await
}

async fn logout<L: SessionLayer>(
    handlers: Handlers<L>,
    request: Parts,
) -> Result<http::Response<String>, NotLoggedOut> {
    handlers.logout(&request).await
}

async fn switch<L: SessionLayer>(handlers: Handlers<L>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // A request of another origin doesn't get its body read.
    if let Err(refused) = handlers.admit(&parts) {
        return refused.into_response();
    }
    match to_bytes(body, MAX_FORM_BYTES).await {
        Ok(form) => handlers.answer_switch(&parts, &form).await.into_response(),
        Err(_) => too_large().into_response(),
    }
}

/// The signed-in user. Everybody else gets [`NotAdmitted::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<S: HasSessions + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = NotAdmitted;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, NotAdmitted> {
        RequestSession::of(request)?.require_sign_in(request)
    }
}

/// `None` if nobody is signed in. In an outage nobody can tell: that is a rejection.
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<S: HasSessions + Sync> OptionalFromRequestParts<S> for SignedIn {
    type Rejection = NotAdmitted;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Option<Self>, NotAdmitted> {
        match RequestSession::of(request)?.require_sign_in(request) {
            Ok(signed_in) => Ok(Some(signed_in)),
            Err(NotAdmitted::SignedOut { .. }) => Ok(None),
            Err(not_admitted) => Err(not_admitted),
        }
    }
}

/// The signed-in user with the permission. Everybody else gets [`NotAdmitted::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<P: Permission, S: HasSessions + Sync> FromRequestParts<S> for Permitted<P> {
    type Rejection = NotAdmitted;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, NotAdmitted> {
        Self::check(RequestSession::of(request)?.require_sign_in(request)?)
    }
}

/// `None` if nobody is signed in, or without the permission. In an outage nobody can tell: that is a rejection.
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<P: Permission, S: HasSessions + Sync> OptionalFromRequestParts<S> for Permitted<P> {
    type Rejection = NotAdmitted;

    async fn from_request_parts(request: &mut Parts, state: &S) -> Result<Option<Self>, NotAdmitted> {
        match <Self as FromRequestParts<S>>::from_request_parts(request, state).await {
            Ok(permitted) => Ok(Some(permitted)),
            Err(NotAdmitted::SignedOut { .. } | NotAdmitted::MissingPermission { .. }) => Ok(None),
            Err(not_admitted) => Err(not_admitted),
        }
    }
}

/// For a handler that answers an outage itself.
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<S: HasSessions + Sync> FromRequestParts<S> for SessionState {
    type Rejection = NotAdmitted;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, NotAdmitted> {
        RequestSession::of(request).map(|session| session.state().clone())
    }
}

/// A good token. Everybody else gets [`NotAuthorized::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<S: HasResourceServer + Sync> FromRequestParts<S> for ResourceToken {
    type Rejection = NotAuthorized;

    async fn from_request_parts(request: &mut Parts, state: &S) -> Result<Self, NotAuthorized> {
        state.resource_server(INTERNAL).admit(&request.headers).await
    }
}

/// A good token with the scope. Everybody else gets [`NotAuthorized::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<T: Scope, S: HasResourceServer + Sync> FromRequestParts<S> for Scoped<T> {
    type Rejection = NotAuthorized;

    async fn from_request_parts(request: &mut Parts, state: &S) -> Result<Self, NotAuthorized> {
        let token = ResourceToken::from_request_parts(request, state).await?;
        Ok(Self::check(token)?)
    }
}

/// A valid API key. Everybody else gets [`KeyNotAdmitted::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<S: HasApiKeyValidator + Sync> FromRequestParts<S> for ValidApiKey {
    type Rejection = KeyNotAdmitted;

    async fn from_request_parts(request: &mut Parts, state: &S) -> Result<Self, KeyNotAdmitted> {
        state.api_key_validator(INTERNAL).admit(&request.headers).await
    }
}

/// A valid API key with the permission. Everybody else gets [`KeyNotAdmitted::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<P: Permission, S: HasApiKeyValidator + Sync> FromRequestParts<S> for PermittedKey<P> {
    type Rejection = KeyNotAdmitted;

    async fn from_request_parts(request: &mut Parts, state: &S) -> Result<Self, KeyNotAdmitted> {
        Ok(Self::check(ValidApiKey::from_request_parts(request, state).await?)?)
    }
}

/// Whoever makes the request, if that is known. Everybody else gets [`NotIdentified::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl<S: HasSessions + HasResourceServer + HasApiKeyValidator + Sync> FromRequestParts<S> for Caller {
    type Rejection = NotIdentified;

    async fn from_request_parts(request: &mut Parts, state: &S) -> Result<Self, NotIdentified> {
        let session = || RequestSession::of(request)?.require_sign_in(request);
        let (server, keys) = (state.resource_server(INTERNAL), state.api_key_validator(INTERNAL));
        Self::of(&request.headers, session, &server, &keys).await
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for FinishedLogin {
    fn into_response(self) -> Response {
        self.response.into_response()
    }
}

/// As [`Error::response`]. The error itself goes to [`tracing`] only.
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        traced(&self, self.response())
    }
}

/// As [`NotAdmitted::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for NotAdmitted {
    fn into_response(self) -> Response {
        traced(&self, self.response())
    }
}

/// As [`NotSwitched::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for NotSwitched {
    fn into_response(self) -> Response {
        traced(&self, self.response())
    }
}

/// As [`NotLoggedOut::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for NotLoggedOut {
    fn into_response(self) -> Response {
        traced(&self, self.response())
    }
}

/// As [`NotIdentified::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for NotIdentified {
    fn into_response(self) -> Response {
        traced(&self, self.response())
    }
}

/// As [`KeyNotAdmitted::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for KeyNotAdmitted {
    fn into_response(self) -> Response {
        traced(&self, self.response())
    }
}

/// As [`KeyNotValidated::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for KeyNotValidated {
    fn into_response(self) -> Response {
        traced(&self, self.response())
    }
}

/// As [`WrongKeyOrganization::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for WrongKeyOrganization {
    fn into_response(self) -> Response {
        traced(&self, self.response())
    }
}

/// As [`MissingKeyPermission::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for MissingKeyPermission {
    fn into_response(self) -> Response {
        traced(&self, self.response())
    }
}

/// As [`RefusedRequest::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for RefusedRequest {
    fn into_response(self) -> Response {
        traced(&self, self.response())
    }
}

/// As [`NotAuthorized::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for NotAuthorized {
    fn into_response(self) -> Response {
        traced(&self, self.response())
    }
}

/// As [`MissingScope::response`].
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for MissingScope {
    fn into_response(self) -> Response {
        traced(&self, self.response())
    }
}

/// With the [`status`](WebhookError::status) alone.
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for WebhookError {
    fn into_response(self) -> Response {
        trace_refusal(&self, self.status());
        self.status().into_response()
    }
}

/// As [`ActionAnswer::into_response`](ActionAnswer::into_response).
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for ActionAnswer {
    fn into_response(self) -> Response {
        ActionAnswer::into_response(self).into_response()
    }
}

/// With the [`status`](ActionError::status) alone.
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for ActionError {
    fn into_response(self) -> Response {
        trace_refusal(&self, self.status());
        self.status().into_response()
    }
}

/// The response says nothing about the cause, so that the trace does.
fn traced(error: &(dyn StdError + 'static), response: http::Response<String>) -> Response {
    trace_refusal(error, response.status());
    response.into_response()
}
