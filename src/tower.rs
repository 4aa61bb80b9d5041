//! The session of each request, for services of `tower` (feature `tower`).
//!
//! [`LoginHandlers::layer`] makes the layer. It asks for the session once per request, puts the [`SessionState`](crate::SessionState) into the
//! request's extensions, and adds the session's headers to the response, whoever makes it.
//!
//! ```
//! # use std::convert::Infallible;
//! # use std::sync::Arc;
//! # use workos_auth::parking::Parking;
//! # use workos_auth::session::MemorySessionStore;
//! # use workos_auth::{ConfidentialClient, CookiePassword, LoginHandlers, RedirectUri, SessionManager, SessionState};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use workos_auth::reexports::http::{Request, Response};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let client = ConfidentialClient::new("client_123", "sk_example")?;
//! # let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
//! # let parking = Parking::new(CookiePassword::new("a-random-password-of-32-characters")?);
//! # let redirect_uri = RedirectUri::new("http://127.0.0.1:8080/callback")?;
//! let handlers = Arc::new(LoginHandlers::new(client, sessions, parking, redirect_uri));
//! let service = ServiceBuilder::new().layer(handlers.layer()).service(service_fn(async |request: Request<String>| {
//!     let (status, text) = match request.extensions().get() {
//!         Some(SessionState::Active(signed_in)) => (200, format!("Hello, {}", signed_in.user().email)),
//!         Some(SessionState::SignedOut(_)) => (200, "Please sign in.".to_owned()),
//!         Some(SessionState::TemporarilyUnknown(_)) => (503, "Please try again.".to_owned()),
//!         None => (500, "This service is outside of the layer.".to_owned()),
//!     };
//!     Ok::<_, Infallible>(Response::builder().status(status).body(text).unwrap_or_default())
//! }));
//!
//! let response = service.oneshot(Request::new(String::new())).await?;
//! assert_eq!(response.body(), "Please sign in.");
//! assert_eq!(response.headers()["cache-control"], "no-store");
//! # Ok(())
//! # }
//! ```
//!
//! A layer that answers instead of the service, such as one for time-outs or panics, goes *inside* of this one. Outside, its response lacks
//! the session's headers: caches may keep it, and a sealed session's new cookie is lost. The old cookie is then good in this process for
//! 10 minutes, and in others for 30 seconds. The question for the session has [a limit](crate::SessionManager::answer_within) of its own.

use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::handlers::{Authenticate, LoginHandlers, RequestSession, trace_refusal};
use crate::session::SessionLayer;

/// The response of a service, later.
type Answer<R, E> = Pin<Box<dyn Future<Output = Result<Response<R>, E>> + Send>>;

impl<L: SessionLayer> LoginHandlers<L> {
    /// The layer that asks for the session of each request: see [`tower`](crate::tower).
    ///
    /// The responses of these handlers can be made inside of it: a cookie that such a response sets is kept.
    #[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
    #[must_use]
    pub fn layer(self: &Arc<Self>) -> RequestSessionLayer {
        RequestSessionLayer { handlers: Arc::<Self>::clone(self) }
    }
}

/// Asks for the session of each request, once; made by [`LoginHandlers::layer`].
///
/// The [`SessionState`](crate::SessionState) is in the request's extensions. The response gets the headers of
/// [`ForResponse`](crate::session::ForResponse).
#[derive(Clone)]
pub struct RequestSessionLayer {
    handlers: Arc<dyn Authenticate>,
}

impl<S> Layer<S> for RequestSessionLayer {
    type Service = RequestSessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestSessionService { inner, handlers: Arc::clone(&self.handlers) }
    }
}

impl fmt::Debug for RequestSessionLayer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RequestSessionLayer").finish_non_exhaustive()
    }
}

/// A service inside a [`RequestSessionLayer`].
#[derive(Clone)]
pub struct RequestSessionService<S> {
    inner: S,
    handlers: Arc<dyn Authenticate>,
}

impl<S, B, R> Service<Request<B>> for RequestSessionService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Answer<R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut inner = ready(&mut self.inner);
        let handlers = Arc::clone(&self.handlers);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let asked = parts.extensions.get::<RequestSession>();
            if asked.is_some_and(|asked| asked.is_of(&handlers)) {
                // A layer further out adds the headers.
                return inner.call(Request::from_parts(parts, body)).await;
            }
            let (state, headers) = handlers.authenticate(&parts).await.split();
            parts.extensions.insert(state.clone());
            parts.extensions.insert(RequestSession::new(handlers, state));
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            headers.add_to(response.headers_mut());
            Ok(response)
        })
    }
}

impl<S> fmt::Debug for RequestSessionService<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RequestSessionService").finish_non_exhaustive()
    }
}

/// The service that is ready; a clone, which may not be, takes its place.
fn ready<S: Clone>(service: &mut S) -> S {
    let clone = service.clone();
    mem::replace(service, clone)
}

/// Lets only users in who have a permission in the organization that they signed in to. It goes inside of
/// [`LoginHandlers::layer`]; outside, every response is 500.
///
/// Where the path names an organization, the handler takes a [`Permitted`](crate::handlers::Permitted) and calls its
/// [`in_organization`](crate::handlers::Permitted::in_organization).
///
/// Everybody else gets [`NotAdmitted::response`](crate::handlers::NotAdmitted::response).
pub fn require_permission(slug: impl Into<Cow<'static, str>>) -> RequirePermissionLayer {
    RequirePermissionLayer { slug: slug.into() }
}

/// Lets only users in who have a permission; made by [`require_permission`].
#[derive(Clone, Debug)]
#[must_use = "add it to a router or a service"]
pub struct RequirePermissionLayer {
    slug: Cow<'static, str>,
}

impl<S> Layer<S> for RequirePermissionLayer {
    type Service = RequirePermissionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequirePermissionService { inner, slug: self.slug.clone() }
    }
}

/// A service inside a [`RequirePermissionLayer`].
#[derive(Clone, Debug)]
pub struct RequirePermissionService<S> {
    inner: S,
    slug: Cow<'static, str>,
}

impl<S, B, R> Service<Request<B>> for RequirePermissionService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Answer<R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut inner = ready(&mut self.inner);
        let slug = self.slug.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            match RequestSession::of(&parts).and_then(|session| session.require_permission(&parts, &slug)) {
                Ok(()) => inner.call(Request::from_parts(parts, body)).await,
                Err(not_admitted) => {
                    let response = not_admitted.response();
                    trace_refusal(&not_admitted, response.status());
                    Ok(response.map(R::from))
                }
            }
        })
    }
}
