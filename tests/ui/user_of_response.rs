//! The user is read, and the headers of the response are left behind.

use http::request::Parts;
use workos_auth::LoginHandlers;
use workos_auth::session::CookieSessions;

async fn misuse(handlers: &LoginHandlers<CookieSessions>, request: &Parts) -> String {
    handlers.authenticate(request).await.user().email.clone()
}

fn main() {}
