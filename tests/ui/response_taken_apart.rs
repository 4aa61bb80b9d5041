//! The state is taken out of what a response needs.

use http::request::Parts;
use workos_auth::session::{CookieSessions, ForResponse};
use workos_auth::{LoginHandlers, SessionState};

async fn misuse(handlers: &LoginHandlers<CookieSessions>, request: &Parts) -> SessionState {
    let ForResponse { value, .. } = handlers.authenticate(request).await;
    value
}

fn main() {}
