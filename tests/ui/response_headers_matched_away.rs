//! The state is matched on, and the headers of the response are left behind.

use http::request::Parts;
use workos_auth::session::CookieSessions;
use workos_auth::{LoginHandlers, SessionState};

async fn misuse(handlers: &LoginHandlers<CookieSessions>, request: &Parts) -> u16 {
    match handlers.authenticate(request).await {
        SessionState::Active(_) => 200,
        _ => 401,
    }
}

fn main() {}
