//! The session of a request, which a layer has asked for, in the request's extensions.

use std::pin::Pin;
use std::sync::Arc;

use http::request::Parts;

use super::LoginHandlers;
use super::outcomes::NotAdmitted;
use super::permitted::permitted;
use crate::response::ForResponse;
use crate::session::{SessionLayer, SessionState, SignedIn};

pub(crate) type Found<'a> = Pin<Box<dyn Future<Output = ForResponse<SessionState>> + Send + 'a>>;

/// Login handlers, whatever keeps their sessions.
pub(crate) trait Authenticate: Send + Sync {
    fn authenticate<'a>(&'a self, request: &'a Parts) -> Found<'a>;

    fn require_sign_in(&self, request: &Parts, state: SessionState) -> Result<SignedIn, NotAdmitted>;
}

impl<L: SessionLayer> Authenticate for LoginHandlers<L> {
    fn authenticate<'a>(&'a self, request: &'a Parts) -> Found<'a> {
        Box::pin(LoginHandlers::authenticate(self, request))
    }

    fn require_sign_in(&self, request: &Parts, state: SessionState) -> Result<SignedIn, NotAdmitted> {
        LoginHandlers::require_sign_in(self, request, state)
    }
}

/// What is known of a request's session, and the handlers that know it.
#[derive(Clone)]
pub(crate) struct RequestSession {
    handlers: Arc<dyn Authenticate>,
    state: SessionState,
}

impl RequestSession {
    pub(crate) fn new(handlers: Arc<dyn Authenticate>, state: SessionState) -> Self {
        Self { handlers, state }
    }

    pub(crate) fn of(request: &Parts) -> Result<&Self, NotAdmitted> {
        let session = request.extensions.get();
        if session.is_none() {
            tracing::error!("a route that needs the session is outside of the layer that asks for it");
        }
        session.ok_or(NotAdmitted::NoLayer)
    }

    /// Whether these handlers have asked for it.
    pub(crate) fn is_of(&self, handlers: &Arc<dyn Authenticate>) -> bool {
        Arc::ptr_eq(&self.handlers, handlers)
    }

    #[cfg(feature = "axum")]
    pub(crate) fn state(&self) -> &SessionState {
        &self.state
    }

    pub(crate) fn require_sign_in(&self, request: &Parts) -> Result<SignedIn, NotAdmitted> {
        self.handlers.require_sign_in(request, self.state.clone())
    }

    pub(crate) fn require_permission(&self, request: &Parts, slug: &str) -> Result<(), NotAdmitted> {
        let signed_in = self.require_sign_in(request)?;
        permitted(&signed_in, slug).map(drop)
    }
}
