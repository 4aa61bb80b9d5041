//! The state is taken, and the headers of the response are left behind.

use http::request::Parts;
use workos_auth::session::CookieSessions;
use workos_auth::{LoginHandlers, SessionState};

async fn misuse(handlers: &LoginHandlers<CookieSessions>, request: &Parts) -> SessionState {
    let (state, _) = handlers.authenticate(request).await;
    state
}

fn main() {}
