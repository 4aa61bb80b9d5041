//! What was found out about a request is dropped, with the headers of its response.
#![deny(unused_must_use)]

use http::request::Parts;
use workos_auth::LoginHandlers;
use workos_auth::session::CookieSessions;

async fn misuse(handlers: &LoginHandlers<CookieSessions>, request: &Parts) {
    handlers.authenticate(request).await;
}

fn main() {}
